//! `/proc/self/pagemap` and `mincore(2)`: what the page tables of this process hold.

use std::fs::File;
use std::io::{Error, Result};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

const IS_PRESENT: u64 = 1 << 3;
const IS_SWAPPED: u64 = 1 << 4;

/// `struct page_region`: addresses `[start, end)` share the asked-for categories.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of the `PAGEMAP_SCAN` ioctl (Linux 6.7, `Documentation/admin-guide/mm/pagemap.rst`).
#[repr(C)]
#[derive(Debug, Default)]
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

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u32 = 0xc060_6610;
const REGION_COUNT: usize = 256;
const ENTRY_COUNT: usize = 512;

/// The page tables of this process.
pub struct Pagemap {
    file: File,
}

impl Pagemap {
    pub fn open() -> Result<Self> {
        Ok(Self {
            file: File::open("/proc/self/pagemap")?,
        })
    }

    #[cfg(test)]
    pub fn of_file(file: File) -> Self {
        Self { file }
    }

    /// The first page of a range of addresses that is populated or swapped out, as its address.
    pub fn first_populated(&self, addresses: &Range<usize>) -> Result<Option<usize>> {
        let mut region = [PageRegion::default()];
        let (found, _) = self.scan(addresses, &mut region, 1)?;
        Ok((found > 0).then_some(region[0].start as usize))
    }

    /// Hands on the ranges of addresses that are populated or swapped out.
    pub fn populated(&self, addresses: Range<usize>, mut found: impl FnMut(Range<usize>)) -> Result<()> {
        let mut regions = [PageRegion::default(); REGION_COUNT];
        let mut rest = addresses;
        while !rest.is_empty() {
            let (region_count, walk_end) = self.scan(&rest, &mut regions, 0)?;
            for region in &regions[..region_count] {
                found(region.start as usize..region.end as usize);
            }
            if walk_end <= rest.start {
                return Err(Error::other("PAGEMAP_SCAN does not come on"));
            }
            rest.start = walk_end;
        }
        Ok(())
    }

    /// Hands on the ranges of addresses that are populated or swapped out, from one 64-bit entry a page: bit 63 says that
    /// it is present, bit 62 that it is swapped out.
    pub fn read(
        &self,
        addresses: Range<usize>,
        os_page_bytes: usize,
        mut found: impl FnMut(Range<usize>),
    ) -> Result<()> {
        let mut bytes = [0; 8 * ENTRY_COUNT];
        let mut rest = addresses;
        while !rest.is_empty() {
            let count = (rest.len() / os_page_bytes).clamp(1, ENTRY_COUNT);
            let entries = &mut bytes[..8 * count];
            self.file
                .read_exact_at(entries, (rest.start / os_page_bytes * 8) as u64)?;
            for (page, entry) in entries.as_chunks::<8>().0.iter().enumerate() {
                if u64::from_ne_bytes(*entry) >> 62 != 0 {
                    let start = rest.start + page * os_page_bytes;
                    found(start..start + os_page_bytes);
                }
            }
            rest.start += count * os_page_bytes;
        }
        Ok(())
    }

    /// Pages that are populated or swapped out, up to `page_count_max` of them (0: no limit). Returns how many regions it filled
    /// in, and the address it came to.
    fn scan(
        &self,
        addresses: &Range<usize>,
        regions: &mut [PageRegion],
        page_count_max: u64,
    ) -> Result<(usize, usize)> {
        let mut argument = PmScanArg {
            size: size_of::<PmScanArg>() as u64,
            start: addresses.start as u64,
            end: addresses.end as u64,
            vec: regions.as_mut_ptr() as u64,
            vec_len: regions.len() as u64,
            max_pages: page_count_max,
            category_anyof_mask: IS_PRESENT | IS_SWAPPED,
            return_mask: IS_PRESENT | IS_SWAPPED,
            ..PmScanArg::default()
        };
        // SAFETY: the argument has the kernel's layout and says its own size; `vec` and `vec_len` name our buffer.
        let found = unsafe { libc::ioctl(self.file.as_raw_fd(), PAGEMAP_SCAN as _, &raw mut argument) };
        if found < 0 {
            return Err(Error::last_os_error());
        }
        Ok((found as usize, argument.walk_end as usize))
    }
}

/// Says of each page from `start` on whether it is in memory, in the lowest bit of its byte.
pub fn in_core(start: usize, os_page_bytes: usize, pages: &mut [u8]) -> Result<()> {
    // SAFETY: the kernel writes one byte for each page of the range, as many as there are; it only looks at page tables.
    let answer = unsafe { libc::mincore(start as *mut _, pages.len() * os_page_bytes, pages.as_mut_ptr().cast()) };
    if answer != 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// Whether this machine could have swapped out anything: without swap space nothing is ever swapped out.
pub fn has_swap() -> bool {
    // SAFETY: an all-zero sysinfo is a valid one.
    let mut info: libc::sysinfo = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills in our structure.
    unsafe { libc::sysinfo(&mut info) != 0 || info.totalswap != 0 }
}

/// The size of a page of the operating system.
pub fn os_page_bytes() -> usize {
    // SAFETY: asks for a number.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}
