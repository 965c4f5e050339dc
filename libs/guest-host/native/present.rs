//! Which pages of a mapping are populated.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;

use godwit_guest_programs::layout::PAGE_BYTES;
use godwit_ports::CapsuleError;

const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;
/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::c_ulong = 0xc060_6610;
const REGION_COUNT: usize = 512;

/// `struct pm_scan_arg` of the kernel.
#[repr(C)]
#[derive(Default)]
struct ScanArguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    region_count: u64,
    page_count_max: u64,
    category_inverted: u64,
    category_mask: u64,
    category_any_of_mask: u64,
    return_mask: u64,
}

/// `struct page_region` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// Sets the bits of the populated pages of `[first_page, first_page + page_count)` and returns how many there are. Pages
/// that only show the kernel's zero page are not populated.
pub fn present(
    pagemap: &File,
    base: *const u8,
    first_page: u64,
    page_count: u64,
    bitmap: &mut [u64],
) -> Result<u64, CapsuleError> {
    match scan(pagemap.as_raw_fd(), base as u64, first_page, page_count, bitmap) {
        // Kernels before 6.7 have no PAGEMAP_SCAN.
        Err(CapsuleError::Os(libc::ENOTTY | libc::EINVAL)) => {
            read(pagemap, base as u64, first_page, page_count, bitmap)
        }
        result => result,
    }
}

fn scan(pagemap: RawFd, base: u64, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
    let mut regions = [Region::default(); REGION_COUNT];
    let end = base + (first_page + page_count) * PAGE_BYTES;
    let mut start = base + first_page * PAGE_BYTES;
    let mut present_count = 0;
    while start < end {
        let mut arguments = ScanArguments {
            size: size_of::<ScanArguments>() as u64,
            start,
            end,
            regions: regions.as_mut_ptr() as u64,
            region_count: REGION_COUNT as u64,
            category_inverted: PAGE_IS_PFNZERO,
            category_mask: PAGE_IS_PFNZERO,
            category_any_of_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
            return_mask: PAGE_IS_PRESENT,
            ..ScanArguments::default()
        };
        // SAFETY: the arguments have the kernel's layout, and `regions` has room for as many regions as they say.
        let found = unsafe { libc::ioctl(pagemap, PAGEMAP_SCAN, &raw mut arguments) };
        if found < 0 {
            return Err(CapsuleError::last_os());
        }
        for region in &regions[..found as usize] {
            let (from, to) = ((region.start - base) / PAGE_BYTES, (region.end - base) / PAGE_BYTES);
            set_range(bitmap, from, to);
            present_count += to - from;
        }
        if arguments.walk_end <= start {
            return Err(CapsuleError::Os(libc::EIO));
        }
        start = arguments.walk_end;
    }
    Ok(present_count)
}

/// One 64-bit word a page: present is bit 63, swapped is bit 62.
fn read(pagemap: &File, base: u64, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
    let mut bytes = [0; 8 * 4096];
    let mut present_count = 0;
    let mut page = first_page;
    while page < first_page + page_count {
        let count = (first_page + page_count - page).min(4096);
        let entries = &mut bytes[..count as usize * 8];
        pagemap
            .read_exact_at(entries, (base / PAGE_BYTES + page) * 8)
            .map_err(|error| CapsuleError::Os(error.raw_os_error().unwrap_or(libc::EIO)))?;
        for (index, entry) in (page..).zip(entries.as_chunks::<8>().0) {
            if u64::from_le_bytes(*entry) >> 62 != 0 {
                set_range(bitmap, index, index + 1);
                present_count += 1;
            }
        }
        page += count;
    }
    Ok(present_count)
}

fn set_range(bitmap: &mut [u64], from: u64, to: u64) {
    let mut page = from;
    while page < to {
        let count = (64 - page % 64).min(to - page);
        bitmap[(page / 64) as usize] |= (u64::MAX >> (64 - count)) << (page % 64);
        page += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;

    #[test]
    fn both_ways_find_exactly_the_written_pages() {
        let mapping = Mapping::new(8 << 20).unwrap();
        let pages = [0, 1, 63, 64, 200, 1000, 2047];
        for page in pages {
            // SAFETY: the page lies in the mapping.
            unsafe { mapping.base().add(page * 4096).write_volatile(1) };
        }
        // SAFETY: the page lies in the mapping; a page that is only read stays the kernel's zero page.
        let zero = unsafe { mapping.base().add(300 * 4096).read_volatile() };
        assert_eq!(zero, 0);
        let pagemap = File::open("/proc/self/pagemap").unwrap();
        let mut scanned = [0; 32];
        assert_eq!(
            scan(pagemap.as_raw_fd(), mapping.base() as u64, 0, 2048, &mut scanned),
            Ok(pages.len() as u64)
        );
        for page in 0..2048 {
            assert_eq!(
                scanned[page / 64] >> (page % 64) & 1 == 1,
                pages.contains(&page),
                "page {page}"
            );
        }
        let mut read_words = [0; 32];
        assert_eq!(
            read(&pagemap, mapping.base() as u64, 0, 2048, &mut read_words),
            Ok(pages.len() as u64 + 1)
        );
        read_words[300 / 64] &= !(1 << (300 % 64));
        assert_eq!(read_words, scanned);
        let mut part = [0; 32];
        assert_eq!(present(&pagemap, mapping.base(), 64, 937, &mut part), Ok(3));
    }
}
