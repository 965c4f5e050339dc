//! The workloads that run inside a Godwit guest: idle, l2fwd, appmembench; each with a self-check.
#![no_std]

pub mod nic_layout;
