//! Which program a guest runs, and how it talks to its host.

use crate::control::{ControlBlock, VcpuBlock, add};
use crate::memory::Memory;
use crate::{appmembench, idle, l2fwd};

/// The programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Program {
    /// See [`crate::idle`].
    Idle = 1,
    /// See [`crate::l2fwd`].
    L2fwd = 2,
    /// See [`crate::appmembench`].
    Appmembench = 3,
}

impl Program {
    /// From its number in the control block.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Idle),
            2 => Some(Self::L2fwd),
            3 => Some(Self::Appmembench),
            _ => None,
        }
    }
}

/// What a program wants from its host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Move frames between the card's rings and the outside; may return late when nothing moves.
    PollNic,
    /// Nothing to do for so long; may return early.
    Wait { microseconds: u64 },
}

const POLL_NIC: u64 = 1;
const WAIT: u64 = 2;

impl Command {
    /// As one word: the command in the low byte, its argument above.
    pub const fn to_word(self) -> u64 {
        match self {
            Self::PollNic => POLL_NIC,
            Self::Wait { microseconds } => WAIT | microseconds << 8,
        }
    }

    /// From a word; none for a command that does not exist.
    pub const fn from_word(word: u64) -> Option<Self> {
        match word & 0xff {
            POLL_NIC => Some(Self::PollNic),
            WAIT => Some(Self::Wait {
                microseconds: word >> 8,
            }),
            _ => None,
        }
    }
}

/// The host, as a program sees it.
pub trait Host {
    /// Calls the host and returns when it has done what was asked.
    fn doorbell(&mut self, command: Command);
}

/// Runs the program of one virtual processor by one step: a short stretch of work that leaves everything in order and
/// ends with at most one call of the host.
///
/// A host that runs programs itself passes the control block of its own [`crate::Plan`], never the one in memory: memory
/// may have come from a hostile peer. Whatever else a program reads from memory cannot lead it out of the plan's places.
pub fn step(memory: Memory, control: &ControlBlock, vcpu_index: u32, host: &mut impl Host) {
    match Program::from_number(control.program) {
        // The forwarder is a program of one core, as DPDK's is on each of its cores.
        Some(Program::L2fwd) if vcpu_index == 0 => l2fwd::step(memory, control, host),
        Some(Program::Appmembench) => appmembench::step(memory, control, vcpu_index, host),
        _ => idle::step(memory, control, vcpu_index, host),
    }
    add(&VcpuBlock::of(memory, vcpu_index).heartbeat, 1);
}

/// Runs the program of one virtual processor for ever, as the control block in memory says; in a guest.
pub fn run(memory: Memory, vcpu_index: u32, host: &mut impl Host) -> ! {
    let control = ControlBlock::of(memory);
    loop {
        step(memory, control, vcpu_index, host);
    }
}
