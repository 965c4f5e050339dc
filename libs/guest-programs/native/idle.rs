//! A guest with nothing to do: a heartbeat, and at every beat a look at one page of its resident memory.

use core::sync::atomic::Ordering::Relaxed;

use crate::content::check_page;
use crate::control::{ControlBlock, ErrorKind, VcpuBlock, add};
use crate::memory::Memory;
use crate::program::{Command, Host};

/// One beat.
pub fn step(memory: Memory, control: &ControlBlock, vcpu_index: u32, host: &mut impl Host) {
    check_next_resident_page(memory, control, vcpu_index);
    host.doorbell(Command::Wait {
        microseconds: control.beat_microseconds,
    });
}

/// Checks one resident page against its generator; the processors take turns through the pages.
pub fn check_next_resident_page(memory: Memory, control: &ControlBlock, vcpu_index: u32) {
    let (page_count, Some(content)) = (control.resident.page_count(), control.content()) else {
        return;
    };
    let block = VcpuBlock::of(memory, vcpu_index);
    let page = block
        .resident_cursor
        .load(Relaxed)
        .saturating_add(u64::from(vcpu_index));
    if page >= page_count {
        block.resident_cursor.store(0, Relaxed);
        return;
    }
    // SAFETY: the page lies in the resident area, which Memory::new vouches for.
    if !unsafe { check_page(memory.at(control.resident.address(page)), content, control.seed, page) } {
        block.fail(ErrorKind::Content, control.resident.address(page));
    }
    add(&block.checked, 1);
    add(&block.resident_cursor, u64::from(control.vcpu_count));
}
