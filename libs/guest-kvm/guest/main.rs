//! The program of a KVM guest: one flat image, entered once by each virtual processor. It runs at privilege level 3 with
//! memory mapped one to one, takes no interrupts, and reaches its host by a store to the doorbell.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use godwit_guest_programs::program::{Command, Host};
use godwit_guest_programs::{Memory, VcpuBlock, layout, run};

// The host sets the stack pointer and puts the processor's index into the first argument's register.
global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    "xor ebp, ebp",
    "call {main}",
    "ud2",
    main = sym main,
);

struct Doorbell;

impl Host for Doorbell {
    fn doorbell(&mut self, command: Command) {
        // SAFETY: the doorbell's page is mapped and holds no memory: the store leaves the guest, and the host may change
        // guest memory before it returns (hence no `nomem`).
        unsafe {
            asm!("mov qword ptr [{address}], {word}", address = in(reg) layout::DOORBELL_ADDRESS, word = in(reg) command.to_word(), options(nostack, preserves_flags));
        }
    }
}

extern "C" fn main(vcpu_index: u32) -> ! {
    // SAFETY: the host mapped all memory one to one before it started this processor.
    let memory = unsafe { Memory::new(null_mut(), 0) };
    run(memory, vcpu_index, &mut Doorbell)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: as in main.
    let memory = unsafe { Memory::new(null_mut(), 0) };
    for vcpu_index in 0..layout::VCPU_COUNT_MAX {
        VcpuBlock::of(memory, vcpu_index).stopped.store(1, Relaxed);
    }
    // SAFETY: an invalid instruction without a handler for it ends the guest, which its host reports.
    unsafe { asm!("ud2", options(noreturn)) }
}

// The compiler calls these; there is no C library here.

#[unsafe(no_mangle)]
extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    // SAFETY: the compiler vouches for both ranges.
    unsafe {
        asm!("rep movsb", inout("rdi") to => _, inout("rsi") from => _, inout("rcx") length => _, options(nostack, preserves_flags))
    }
    to
}

#[unsafe(no_mangle)]
extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= length {
        return memcpy(to, from, length);
    }
    let (last_to, last_from) = (
        to.wrapping_add(length).wrapping_sub(1),
        from.wrapping_add(length).wrapping_sub(1),
    );
    // SAFETY: the compiler vouches for both ranges; backwards, as the target begins inside the source.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rdi") last_to => _, inout("rsi") last_from => _, inout("rcx") length => _, options(nostack))
    }
    to
}

#[unsafe(no_mangle)]
extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
    // SAFETY: the compiler vouches for the range.
    unsafe {
        asm!("rep stosb", inout("rdi") to => _, in("al") byte as u8, inout("rcx") length => _, options(nostack, preserves_flags))
    }
    to
}

#[unsafe(no_mangle)]
extern "C" fn memcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    for position in 0..length {
        // SAFETY: the compiler vouches for both ranges.
        let (left, right) = unsafe { (left.add(position).read_volatile(), right.add(position).read_volatile()) };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}
