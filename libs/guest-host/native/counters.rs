//! What a guest's programs and its card have counted, and what an inspection of a paused guest finds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use godwit_guest_programs::control::MAGIC;
use godwit_guest_programs::program::Program;
use godwit_guest_programs::{ControlBlock, VcpuBlock, l2fwd};
use napi_derive::napi;

use crate::machine::Machine;

/// Sums over all processors (the longest and latest of times); numbers stay exact below 2^53.
#[napi(object)]
pub struct NativeCounters {
    pub heartbeats: f64,
    pub error_count: f64,
    pub checked_count: f64,
    /// What the first error was (0: none) and where.
    pub first_error_kind: u32,
    pub first_error_place: f64,
    pub iterations: f64,
    pub iteration_last_ms: f64,
    pub iteration_max_ms: f64,
    pub pages_written: f64,
    pub frames_received: f64,
    pub frames_sent: f64,
    pub frames_dropped: f64,
    pub nic_received_frames: f64,
    pub nic_sent_frames: f64,
    pub nic_dropped_frames: f64,
    pub nic_descriptor_errors: f64,
    /// Buffers that do not add up or are damaged; only looked for while the guest is paused.
    pub buffer_errors: u32,
    /// Whether memory holds a guest of this layout.
    pub recognised: bool,
}

/// Reads all counters. Of a running guest they are of about the same moment.
pub fn read(machine: &Machine) -> NativeCounters {
    let (memory, plan) = (machine.view(), machine.plan());
    let blocks = || (0..plan.control.vcpu_count).map(|index| VcpuBlock::of(memory, index));
    let sum = |field: fn(&VcpuBlock) -> &AtomicU64| blocks().map(|block| field(block).load(Relaxed) as f64).sum();
    let max = |field: fn(&VcpuBlock) -> &AtomicU64| blocks().map(|block| field(block).load(Relaxed)).max().unwrap_or(0);
    let ms = |time_stamps: u64| time_stamps as f64 / plan.control.tsc_khz.max(1) as f64;
    let first_error = max(|block| &block.first_error);
    let nic = machine.network().nic();
    let ports = [nic.counters(0), nic.counters(1)];
    NativeCounters {
        heartbeats: sum(|block| &block.heartbeat),
        error_count: sum(|block| &block.errors),
        checked_count: sum(|block| &block.checked),
        first_error_kind: (first_error >> 56) as u32,
        first_error_place: (first_error & (u64::MAX >> 8)) as f64,
        iterations: sum(|block| &block.iterations),
        iteration_last_ms: ms(max(|block| &block.iteration_tsc_last)),
        iteration_max_ms: ms(max(|block| &block.iteration_tsc_max)),
        pages_written: sum(|block| &block.pages_written),
        frames_received: sum(|block| &block.frames_received),
        frames_sent: sum(|block| &block.frames_sent),
        frames_dropped: sum(|block| &block.frames_dropped),
        nic_received_frames: ports.iter().map(|port| port.received_frames as f64).sum(),
        nic_sent_frames: ports.iter().map(|port| port.sent_frames as f64).sum(),
        nic_dropped_frames: ports
            .iter()
            .map(|port| (port.send_dropped_frames + port.backlog_dropped_frames) as f64)
            .sum(),
        nic_descriptor_errors: ports.iter().map(|port| port.descriptor_errors as f64).sum(),
        buffer_errors: buffer_errors(machine),
        recognised: ControlBlock::of(memory).magic == MAGIC,
    }
}

/// Of a paused forwarder between two steps or within one: every buffer is whole. Whether the counts add up is only
/// certain between two steps, which is where its processor leaves the guest on its own; a kick may find it within one,
/// so the sums are the program's own to check.
fn buffer_errors(machine: &Machine) -> u32 {
    if machine.is_running() || machine.plan().control.program != Program::L2fwd as u32 {
        return 0;
    }
    l2fwd::tally(machine.view()).1
}
