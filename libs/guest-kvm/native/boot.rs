//! What a fresh guest finds: page tables, its program, and registers that put each processor into 64-bit mode at
//! privilege level 3.

use std::ptr::copy_nonoverlapping;

use godwit_guest_host::HostMemory;
use godwit_guest_programs::layout::{
    BLOCK_BYTES, DOORBELL_ADDRESS, HOLE_END, HOLE_START, PAGE_BYTES, PAGE_TABLES_ADDRESS, PROGRAM_ADDRESS, STACK_BYTES,
    STACKS_ADDRESS,
};
use kvm_bindings::{kvm_regs, kvm_segment, kvm_sregs};

/// The guest's program, linked to [`PROGRAM_ADDRESS`]; empty on processors it does not exist for.
pub static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.bin"));

/// Present, writable, for privilege level 3, accessed.
const TABLE: u64 = 0x27;
/// As [`TABLE`], dirty, 2 MiB. Accessed and dirty are set beforehand, so that no processor writes to a table.
const BLOCK: u64 = 0xe7;
const ENTRIES: u64 = 512;
const GIB: u64 = 1 << 30;

/// Paging, write protection, protected mode, and what goes with them.
const CR0: u64 = 0x8005_0033;
/// Physical address extension, SSE and its exceptions.
const CR4: u64 = 0x620;
/// Long mode enabled and active, no-execute, system calls.
const EFER: u64 = 0xd01;

/// Writes page tables and program into fresh memory.
pub fn prepare(memory: &HostMemory, memory_bytes: u64) {
    let root = PAGE_TABLES_ADDRESS;
    let second = root + PAGE_BYTES;
    write(memory, root, second | TABLE);
    let end = if memory.offset_of(memory_bytes) == Some(memory_bytes) {
        HOLE_END
    } else {
        memory_bytes + (HOLE_END - HOLE_START)
    };
    for gib in 0..end.div_ceil(GIB) {
        let table = second + PAGE_BYTES * (1 + gib);
        write(memory, second + gib * 8, table | TABLE);
        for entry in 0..ENTRIES {
            let address = gib * GIB + entry * BLOCK_BYTES;
            let is_memory = memory.offset_of(address).is_some_and(|offset| offset < memory_bytes);
            if is_memory || address == DOORBELL_ADDRESS {
                write(memory, table + entry * 8, address | BLOCK);
            }
        }
    }
    // SAFETY: build.rs made sure that the program fits before the stacks; the memory is larger than that.
    unsafe {
        copy_nonoverlapping(
            PROGRAM.as_ptr(),
            memory.base().add(PROGRAM_ADDRESS as usize),
            PROGRAM.len(),
        )
    };
}

fn write(memory: &HostMemory, address: u64, entry: u64) {
    // SAFETY: the page tables of the largest memory end below the control block, inside the smallest memory.
    unsafe { memory.base().add(address as usize).cast::<u64>().write(entry) };
}

/// Registers of a processor that is about to begin.
pub fn registers(vcpu_index: u32) -> kvm_regs {
    kvm_regs {
        rip: PROGRAM_ADDRESS,
        rsp: STACKS_ADDRESS + STACK_BYTES * (u64::from(vcpu_index) + 1),
        rdi: u64::from(vcpu_index),
        rflags: 2,
        ..Default::default()
    }
}

/// Puts the fresh special registers of a processor into 64-bit mode at privilege level 3.
pub fn enter_long_mode(special: &mut kvm_sregs) {
    let data = kvm_segment {
        base: 0,
        limit: u32::MAX,
        selector: 0x2b,
        type_: 3,
        present: 1,
        dpl: 3,
        db: 1,
        s: 1,
        l: 0,
        g: 1,
        ..Default::default()
    };
    special.cs = kvm_segment {
        selector: 0x33,
        type_: 11,
        l: 1,
        db: 0,
        ..data
    };
    (special.ds, special.es, special.fs, special.gs, special.ss) = (data, data, data, data, data);
    (special.cr0, special.cr3, special.cr4, special.efer) = (CR0, PAGE_TABLES_ADDRESS, CR4, EFER);
}
