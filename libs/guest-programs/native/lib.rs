//! The workloads that run inside a Godwit guest: idle, l2fwd, appmembench; each with a self-check.
//!
//! The same code runs as the program of a KVM guest and, linked into a host, on native threads over a mapping. Therefore
//! a program is a function `step` over [`Memory`]; whatever it must remember from one step to the next lies in the
//! guest's memory and travels with it, and between two steps it may be stopped and continued elsewhere.
#![no_std]

pub mod appmembench;
pub mod content;
pub mod control;
pub mod idle;
pub mod l2fwd;
pub mod layout;
pub mod memory;
pub mod nic_layout;
pub mod plan;
pub mod pool;
pub mod program;
pub mod random;

pub use control::{ControlBlock, VcpuBlock};
pub use memory::Memory;
pub use plan::{Plan, PlanError, Workload};
pub use program::{Host, run, step};

#[cfg(test)]
mod program_tests;
