//! The simulated network card of a Godwit guest, and the cable between it and the outside world.
//!
//! A [`Cable`] is a file in shared memory with four single-producer single-consumer frame rings, made by the process
//! that plays the outside world and opened by the host of a guest. A [`Nic`] moves frames between the cable and the
//! descriptor rings in guest memory when its owner polls it; what it writes into guest memory it marks dirty, because
//! no processor's dirty log sees it. Frames that wait in the cable when a guest moves are part of the card's state.

mod announcement;
mod cable;
mod counters;
pub mod descriptor;
mod descriptor_ring;
mod device;
mod device_state;
#[cfg(test)]
mod dirty_marks_tests;
mod frame_backlog;
mod frame_ring;
mod guest_dma;
pub mod polling_thread;
mod shared_mapping;

pub use announcement::{ANNOUNCEMENT_FRAME_BYTES, announcement_frame, announcement_mac};
pub use cable::{Cable, DEFAULT_RING_BYTES, NIC_PORT_COUNT};
pub use counters::PortCounters;
pub use device::{Nic, NicConfig, PortConfig};
pub use device_state::StateError;
pub use frame_backlog::BACKLOG_BYTES_MAX;
pub use frame_ring::{FrameRing, MAX_FRAME_BYTES};
pub use guest_dma::GuestDma;
