//! A virtual processor, entered again and again until its guest shall pause.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use godwit_guest_host::{Activity, Surroundings, WAIT_MAX};
use godwit_guest_programs::layout::DOORBELL_ADDRESS;
use godwit_guest_programs::program::Command;
use kvm_bindings::KVM_EXIT_DIRTY_RING_FULL;
use kvm_ioctls::{VcpuExit, VcpuFd};

/// Stores of one instruction may be split, each with an exit of its own to complete.
const COMPLETIONS_MAX: u32 = 8;

/// A processor, used by its thread while the guest runs and by whoever paused it otherwise.
pub struct Vcpu {
    fd: Mutex<VcpuFd>,
}

impl Vcpu {
    /// Takes over a processor.
    pub fn new(fd: VcpuFd) -> Self {
        Self { fd: Mutex::new(fd) }
    }

    /// The processor, of a guest that is paused; otherwise waits until it is.
    pub fn fd(&self) -> MutexGuard<'_, VcpuFd> {
        // The descriptor is as good as before a panic.
        self.fd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a processor on the calling thread, and returns between two instructions when it shall stop.
pub fn run_until_stopped(fd: &mut VcpuFd, index: usize, surroundings: &Surroundings) -> Result<(), String> {
    let Surroundings {
        gate, memory, network, ..
    } = surroundings;
    let mut activity = Activity::default();
    let mut incomplete = false;
    while !gate.stopping() {
        let word = match fd.run() {
            Ok(VcpuExit::MmioWrite(DOORBELL_ADDRESS, word)) => word.try_into().ok().map(u64::from_le_bytes),
            Ok(VcpuExit::Unsupported(KVM_EXIT_DIRTY_RING_FULL)) => {
                // Comes instead of entering the guest, after what the exit before left to be completed.
                incomplete = false;
                memory.empty_rings();
                continue;
            }
            Ok(exit) => return Err(format!("the guest stopped: {exit:?}")),
            Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => {
                incomplete = false;
                continue;
            }
            Err(error) => return Err(format!("KVM_RUN: {error}")),
        };
        incomplete = true;
        match word.and_then(Command::from_word) {
            Some(Command::PollNic) if index == 0 => network.serve(&**memory, gate, &mut activity),
            Some(Command::Wait { microseconds }) => gate.sleep(Duration::from_micros(microseconds).min(WAIT_MAX)),
            _ => return Err("the guest rang with an unknown command".into()),
        }
    }
    if incomplete { complete(fd) } else { Ok(()) }
}

/// The last exit is half done: the store has left the guest, but the instruction has not. Enters the guest once more with
/// the order to come straight back, so that the state saved afterwards is that of after the instruction.
fn complete(fd: &mut VcpuFd) -> Result<(), String> {
    fd.set_kvm_immediate_exit(1);
    for _ in 0..COMPLETIONS_MAX {
        match fd.run() {
            Err(error) if error.errno() == libc::EINTR => return Ok(()),
            // The rest of a split store; the program takes a lost doorbell for an early return.
            Ok(VcpuExit::MmioWrite(DOORBELL_ADDRESS, _)) => {}
            Ok(exit) => return Err(format!("the guest stopped: {exit:?}")),
            Err(error) if error.errno() == libc::EAGAIN => {}
            Err(error) => return Err(format!("KVM_RUN: {error}")),
        }
    }
    Err("an instruction of the guest does not end".into())
}
