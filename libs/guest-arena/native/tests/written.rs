//! The kernel's own word on which pages were written: `PAGEMAP_SCAN` as a tracker calls it.

use godwit_guest_host::Machine;
use godwit_guest_programs::layout::PAGE_BYTES;

use super::PAGE_COUNT;

const PAGE_IS_WRITTEN: u64 = 1 << 1;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const WP_MATCHING: u64 = 1;
const CHECK_WPASYNC: u64 = 2;

/// Fetches the pages written since the last call and protects them again.
pub fn fetch_written(machine: &Machine) -> Vec<u64> {
    let host = machine.memory().host();
    let base = host.base() as u64;
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64) as usize];
    let mut regions = [[0_u64; 3]; 256];
    let end = base + PAGE_COUNT * PAGE_BYTES;
    let mut start = base;
    while start < end {
        let wanted = PAGE_IS_WRITTEN | PAGE_IS_PRESENT;
        let mut arguments = [
            96,
            WP_MATCHING | CHECK_WPASYNC,
            start,
            end,
            0,
            regions.as_mut_ptr() as u64,
            regions.len() as u64,
            0,
            0,
            wanted,
            0,
            PAGE_IS_WRITTEN,
        ];
        // SAFETY: struct pm_scan_arg is twelve 64-bit words, struct page_region three; there is room for as many as said.
        let found = unsafe { libc::ioctl(host.pagemap_fd(), 0xc060_6610, arguments.as_mut_ptr()) };
        assert!(found >= 0, "{}", std::io::Error::last_os_error());
        for [from, to, _] in &regions[..found as usize] {
            for page in (from - base) / PAGE_BYTES..(to - base) / PAGE_BYTES {
                bitmap[(page / 64) as usize] |= 1 << (page % 64);
            }
        }
        start = arguments[4];
    }
    bitmap
}
