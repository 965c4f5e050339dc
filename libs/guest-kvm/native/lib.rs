//! A KVM microVM with a network card and guest programs, ready to be moved.

// What JavaScript calls is tested from JavaScript.
#[cfg(not(test))]
mod bindings;
mod boot;
mod clock;
mod machine;
mod vcpu;
mod vcpu_rings;
mod vcpu_state;
mod vcpus;
mod vm_memory;

#[cfg(test)]
mod forwarder_tests;
#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod test_guest;
