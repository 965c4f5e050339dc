//! The outside world in a process of its own: packet generator, learning switch, and the truth about downtime.

pub mod account;
pub mod clock;
pub mod flow_account;
pub mod generator;
pub mod latency_histogram;
pub mod mirror;
#[cfg(not(test))] // A test binary has no Node.js around it, and the exports below would be dead code.
mod mirror_js;
pub mod sequence_window;
pub mod switch;
pub mod test_frame;
pub mod world;
#[cfg(not(test))]
mod world_js;
pub mod world_thread;
