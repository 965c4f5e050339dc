//! The processors of a guest, as its machine drives them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Duration;

use godwit_guest_programs::Plan;
use godwit_nic_sim::polling_thread::{pin_to, sleep_exactly, wake_early};
use godwit_ports::CapsuleError;

use crate::gate::Gate;
use crate::guest_memory::GuestMemory;
use crate::network::Network;

/// A program that waits longer is woken to look around.
pub const WAIT_MAX: Duration = Duration::from_secs(1);

/// The processors of one guest. Their number is that of the plan; each has a thread of its own.
///
/// # Safety
/// What `immediate_exit` returns is null or stays writable for as long as the value lives.
pub unsafe trait Processors: Send + Sync {
    /// Runs a processor on its thread, and returns between two steps or instructions soon after `gate.stopping()` is true.
    /// An error, in words, is the guest's end.
    fn run_until_stopped(&self, index: usize, surroundings: &Surroundings) -> Result<(), String>;

    /// The flag that keeps a processor from entering the guest, if it has one: its thread is then also sent a signal.
    fn immediate_exit(&self, _index: usize) -> *mut u8 {
        null_mut()
    }

    /// `save` never appends more.
    fn state_bytes_max(&self) -> usize;

    /// Appends the state of the processors of a paused guest.
    fn save(&self, out: &mut Vec<u8>) -> Result<(), CapsuleError>;

    /// Takes over such a state. One that is refused as `Malformed` changes nothing.
    fn load(&self, state: &[u8]) -> Result<(), CapsuleError>;

    /// Undoes a `load`, because something else of the guest's state was refused.
    fn unload(&self) -> Result<(), CapsuleError>;
}

/// What a processor's thread works with.
pub struct Surroundings {
    /// Where it waits.
    pub gate: Arc<Gate>,
    /// What programs and card read and write.
    pub memory: Arc<dyn GuestMemory>,
    /// The card.
    pub network: Arc<Network>,
    /// What the guest was made by.
    pub plan: Plan,
}

/// The life of a processor's thread.
pub fn live(processors: &dyn Processors, index: usize, cpu: Option<usize>, surroundings: &Surroundings) {
    let Surroundings { gate, .. } = surroundings;
    // Where the processor does not exist or is not ours, the thread runs where it may.
    let _ = cpu.is_none_or(pin_to);
    sleep_exactly();
    // The usual weight: a guest that never waits must not starve its host.
    wake_early(0);
    gate.enlist(index, processors.immediate_exit(index));
    while gate.pass(index) {
        match catch_unwind(AssertUnwindSafe(|| processors.run_until_stopped(index, surroundings))) {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => gate.fail(format!("processor {index}: {reason}")),
            Err(_) => gate.fail(format!("processor {index}: its host failed")),
        }
    }
}
