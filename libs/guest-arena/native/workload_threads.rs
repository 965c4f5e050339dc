//! The processors of an arena guest: threads of this process that run its program step by step.

use std::time::Duration;

use godwit_guest_host::{Activity, Processors, Surroundings, WAIT_MAX};
use godwit_guest_programs::program::{Command, Host, Program};
use godwit_guest_programs::step;
use godwit_ports::CapsuleError;

/// Everything a program remembers lies in the guest's memory, so the threads' own state is which program it is. They stop
/// between two steps only, where memory is consistent.
pub struct WorkloadThreads {
    /// [`Program`] as a number.
    pub program: u32,
}

/// The host of one thread's program.
struct Doorbell<'a> {
    index: usize,
    surroundings: &'a Surroundings,
    activity: Activity,
}

impl Host for Doorbell<'_> {
    fn doorbell(&mut self, command: Command) {
        let Surroundings {
            gate, memory, network, ..
        } = self.surroundings;
        match command {
            Command::PollNic if self.index == 0 => network.serve(&**memory, gate, &mut self.activity),
            // The card is polled by the first thread alone.
            Command::PollNic => {}
            Command::Wait { microseconds } => gate.sleep(Duration::from_micros(microseconds).min(WAIT_MAX)),
        }
    }
}

// SAFETY: there is no flag, so nothing has to stay writable.
unsafe impl Processors for WorkloadThreads {
    fn run_until_stopped(&self, index: usize, surroundings: &Surroundings) -> Result<(), String> {
        let memory = surroundings.memory.host().view();
        // The control block of our own plan: the one in memory may have come from a hostile peer.
        let control = &surroundings.plan.control;
        let mut doorbell = Doorbell {
            index,
            surroundings,
            activity: Activity::default(),
        };
        while !surroundings.gate.stopping() {
            step(memory, control, index as u32, &mut doorbell);
        }
        Ok(())
    }

    fn state_bytes_max(&self) -> usize {
        size_of::<u32>()
    }

    fn save(&self, out: &mut Vec<u8>) -> Result<(), CapsuleError> {
        out.extend_from_slice(&self.program.to_le_bytes());
        Ok(())
    }

    fn load(&self, state: &[u8]) -> Result<(), CapsuleError> {
        let known = Program::from_number(self.program).is_some();
        if known && state == self.program.to_le_bytes() {
            Ok(())
        } else {
            Err(CapsuleError::Malformed)
        }
    }

    fn unload(&self) -> Result<(), CapsuleError> {
        Ok(())
    }
}
