//! A virtual processor and the thread that runs it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use godwit_guest_programs::layout::DOORBELL_ADDRESS;
use godwit_guest_programs::program::Command;
use kvm_ioctls::{VcpuExit, VcpuFd};

use crate::gate::Gate;
use crate::guest_memory::GuestMemory;
use crate::network::{Activity, Network};

/// A program that waits longer is woken to look around.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Stores of one instruction may be split, each with an exit of its own to complete.
const COMPLETIONS_MAX: u32 = 8;

/// A processor, used by its thread while the guest runs and by whoever paused it otherwise.
pub struct Vcpu {
    fd: Mutex<VcpuFd>,
}

/// What a processor's thread works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Where it waits.
    pub gate: Arc<Gate>,
    /// What the card writes to.
    pub memory: Arc<GuestMemory>,
    /// The card.
    pub network: Arc<Network>,
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

/// The life of a processor's thread.
pub fn run(vcpu: &Vcpu, index: usize, cpu: Option<usize>, surroundings: &Surroundings) {
    let Surroundings { gate, .. } = surroundings;
    pin(cpu);
    // SAFETY: changes nothing but how exactly sleeps of this thread end.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    gate.enlist(index, &raw mut vcpu.fd().get_kvm_run().immediate_exit);
    while gate.pass(index) {
        let mut fd = vcpu.fd();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run_until_stopped(&mut fd, index, surroundings)
        }));
        drop(fd);
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => gate.fail(format!("processor {index}: {reason}")),
            Err(_) => gate.fail(format!("processor {index}: its host failed")),
        }
    }
}

fn pin(cpu: Option<usize>) {
    if let Some(cpu) = cpu {
        // SAFETY: all zero is the empty set of processors; CPU_SET checks its bounds; the call changes this thread only.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu, &mut set);
            // Where the processor does not exist or is not ours, the thread runs where it may.
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
        }
    }
}

fn run_until_stopped(fd: &mut VcpuFd, index: usize, surroundings: &Surroundings) -> Result<(), String> {
    let Surroundings { gate, memory, network } = surroundings;
    let mut activity = Activity::new();
    let mut incomplete = false;
    while !gate.stopping() {
        let word = match fd.run() {
            Ok(VcpuExit::MmioWrite(DOORBELL_ADDRESS, word)) => word.try_into().ok().map(u64::from_le_bytes),
            Ok(exit) => return Err(format!("the guest stopped: {exit:?}")),
            Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => {
                incomplete = false;
                continue;
            }
            Err(error) => return Err(format!("KVM_RUN: {error}")),
        };
        incomplete = true;
        match word.and_then(Command::from_word) {
            Some(Command::PollNic) if index == 0 => network.serve(memory, gate, &mut activity),
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
