//! The `PAGEMAP_SCAN` ioctl of `/proc/<pid>/pagemap` (Linux 6.7, `Documentation/admin-guide/mm/pagemap.rst`).

use godwit_ports::CapsuleError;

use crate::ioctl;

/// Write-protect the pages that match, in the same step that finds them.
pub(crate) const WP_MATCHING: u64 = 1 << 0;
/// Fail (EPERM) where the range is not registered with a userfaultfd for asynchronous write protection.
pub(crate) const CHECK_WPASYNC: u64 = 1 << 1;

pub(crate) const IS_WRITTEN: u64 = 1 << 1;
pub(crate) const IS_PRESENT: u64 = 1 << 3;
pub(crate) const IS_SWAPPED: u64 = 1 << 4;

/// `struct page_region`: addresses `[start, end)` share the asked-for categories.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PageRegion {
    pub start: u64,
    pub end: u64,
    pub categories: u64,
}

/// `struct pm_scan_arg`.
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

const PAGEMAP_SCAN: u32 = ioctl::iowr::<PmScanArg>(b'f', 16);

/// How far one call came, and how many regions it filled in.
pub(crate) struct Scanned {
    pub region_count: usize,
    pub walk_end: u64,
}

/// Finds the populated pages of `[start, end)` that were written since they were last protected.
pub(crate) fn scan_written(
    pagemap_fd: i32,
    flags: u64,
    (start, end): (u64, u64),
    regions: &mut [PageRegion],
) -> Result<Scanned, CapsuleError> {
    let mut argument = PmScanArg {
        size: size_of::<PmScanArg>() as u64,
        flags,
        start,
        end,
        vec: if regions.is_empty() {
            0
        } else {
            regions.as_mut_ptr() as u64
        },
        vec_len: regions.len() as u64,
        category_mask: IS_WRITTEN,
        // With UFFD_FEATURE_WP_UNPOPULATED a page that was never touched counts as written.
        category_anyof_mask: IS_PRESENT | IS_SWAPPED,
        return_mask: IS_WRITTEN,
        ..PmScanArg::default()
    };
    // SAFETY: the argument has the kernel's layout and says its own size; `vec` and `vec_len` name the caller's buffer.
    let region_count = unsafe { ioctl::call(pagemap_fd, PAGEMAP_SCAN, &mut argument) }?;
    Ok(Scanned {
        region_count: region_count as usize,
        walk_end: argument.walk_end,
    })
}
