//! A KVM microVM with a network card and guest programs, ready to be moved.

// What JavaScript calls is tested from JavaScript.
#[cfg(not(test))]
mod bindings;
mod boot;
mod clock;
#[cfg(not(test))]
mod counters;
#[cfg(not(test))]
mod execution;
mod gate;
mod guest_memory;
mod machine;
mod mapping;
mod network;
#[cfg(not(test))]
mod options;
mod present;
mod state;
mod userfault;
mod vcpu;
mod vcpu_state;

#[cfg(test)]
mod forwarder_tests;
#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod test_guest;
