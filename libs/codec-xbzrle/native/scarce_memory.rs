//! An allocator that runs out of memory when a test wants it to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// How many more allocations of this thread succeed.
    static GRANTED: Cell<usize> = const { Cell::new(usize::MAX) };
}

struct ScarceMemory;

#[global_allocator]
static SCARCE_MEMORY: ScarceMemory = ScarceMemory;

/// Does something with memory for so many allocations. One more ends the process where the code cannot do without.
pub fn granting<Outcome>(allocations: usize, work: impl FnOnce() -> Outcome) -> Outcome {
    GRANTED.set(allocations);
    let outcome = work();
    GRANTED.set(usize::MAX);
    outcome
}

fn is_granted() -> bool {
    // A thread that ends has no count any more, and memory.
    let left = GRANTED.try_with(Cell::get).unwrap_or(usize::MAX);
    if left < usize::MAX && left > 0 {
        GRANTED.set(left - 1);
    }
    left > 0
}

// SAFETY: everything is the system's allocator's but for refusals, which are null as the trait wants them. The count needs
// no memory: it is constant at first and has no destructor.
unsafe impl GlobalAlloc for ScarceMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_granted() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller vouches for the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_granted() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller vouches for the layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !is_granted() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller vouches for the allocation, which the system's allocator made, and for its new size.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller vouches for the allocation, which the system's allocator made.
        unsafe { System.dealloc(pointer, layout) }
    }
}
