//! A KVM microVM with a network card and guest programs, ready to be moved.

mod bindings;
mod boot;
mod clock;
mod counters;
mod execution;
mod gate;
mod guest_memory;
mod machine;
mod mapping;
mod network;
mod options;
mod present;
mod state;
mod userfault;
mod vcpu;
mod vcpu_state;

#[cfg(test)]
mod machine_tests;
