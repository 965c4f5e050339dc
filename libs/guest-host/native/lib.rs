//! What native guests of every kind need of their host: a mapping for their memory, threads for their processors, a
//! network card, and a life from the first page to the last.
//!
//! A kind of guest brings a [`GuestMemory`] and its [`Processors`]; a [`Machine`] makes a guest of them, and
//! [`NativeGuest`] is what JavaScript has of it.

mod blueprint;
mod counters;
mod execution;
mod failure;
mod gate;
mod guest_memory;
mod host_memory;
mod machine;
mod mapping;
mod native_guest;
mod network;
mod options;
mod present;
mod processors;
mod state;
mod userfault;

pub use blueprint::Blueprint;
pub use failure::Failure;
pub use gate::Gate;
pub use guest_memory::{GuestMemory, SharedMemory};
pub use host_memory::HostMemory;
pub use machine::{Machine, Parts};
pub use native_guest::{Call, NativeGuest};
pub use network::{Activity, Network};
pub use options::NativeOptions;
pub use processors::{Processors, Surroundings, WAIT_MAX};
pub use userfault::recording_unavailable_because;
