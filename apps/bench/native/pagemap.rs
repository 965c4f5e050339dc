//! The kernel's own walk over page tables, with nothing around it: `PAGEMAP_SCAN` of `/proc/self/pagemap` (Linux 6.7,
//! `Documentation/admin-guide/mm/pagemap.rst`).

use godwit_ports::{Capsule, CapsuleError, MemoryTable};

const WP_MATCHING: u64 = 1 << 0;
const CHECK_WPASYNC: u64 = 1 << 1;
const IS_WRITTEN: u64 = 1 << 1;
const IS_PRESENT: u64 = 1 << 3;
/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u32 = 3 << 30 | (size_of::<PmScanArg>() as u32) << 16 | (b'f' as u32) << 8 | 16;
const REGIONS: usize = 16_384;

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct PmScanArg {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// Counts the present pages of a memory.
pub fn present_pages(memory: &Capsule<MemoryTable>) -> Result<u64, CapsuleError> {
    walk(memory, 0, IS_PRESENT)
}

/// Counts the pages of a memory that were written, and protects them again. The memory must be registered with a
/// userfaultfd for asynchronous write protection.
pub fn fetch_written_pages(memory: &Capsule<MemoryTable>) -> Result<u64, CapsuleError> {
    walk(memory, WP_MATCHING | CHECK_WPASYNC, IS_PRESENT | IS_WRITTEN)
}

fn walk(memory: &Capsule<MemoryTable>, flags: u64, category_mask: u64) -> Result<u64, CapsuleError> {
    let pagemap_fd = memory.pagemap_fd().ok_or(CapsuleError::Unsupported)?;
    let mut regions = vec![PageRegion::default(); REGIONS];
    let end = memory.base() as u64 + memory.length_bytes();
    let mut start = memory.base() as u64;
    let mut pages = 0;
    while start < end {
        let mut argument = PmScanArg {
            size: size_of::<PmScanArg>() as u64,
            flags,
            start,
            end,
            vec: regions.as_mut_ptr() as u64,
            vec_len: regions.len() as u64,
            category_mask,
            return_mask: category_mask,
            ..PmScanArg::default()
        };
        // SAFETY: the argument has the kernel's layout and says its own size; `vec` and `vec_len` name the vector.
        let found = unsafe { libc::ioctl(pagemap_fd, PAGEMAP_SCAN as _, &raw mut argument) };
        if found < 0 {
            return Err(CapsuleError::last_os());
        }
        let found = &regions[..found as usize];
        pages += found
            .iter()
            .map(|region| (region.end - region.start) / memory.page_size_bytes())
            .sum::<u64>();
        start = argument.walk_end;
    }
    Ok(pages)
}
