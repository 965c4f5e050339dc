use std::ffi::c_void;

use crate::capsule::{check, guard};
use crate::{Capsule, CapsuleError, ScannerTable};

/// Finds all-zero pages.
pub trait Scanner: Send + Sync {
    /// Writes `zero_flags[i] = 1` if page `pages[i]` of the memory at `base` holds only zero bytes, else 0. Returns the
    /// number of zero pages. The memory may be written meanwhile by a guest.
    ///
    /// # Safety
    /// Every named page is readable.
    unsafe fn scan(
        &self,
        base: *const u8,
        page_size_bytes: usize,
        pages: &[u64],
        zero_flags: &mut [u8],
    ) -> Result<u64, CapsuleError>;
}

type Implementation = dyn Scanner;

impl Capsule<ScannerTable> {
    /// Offers a scanner to other packages.
    pub fn export(scanner: impl Scanner + 'static) -> Self {
        let scanner: Box<Implementation> = Box::new(scanner);
        Self::new(scanner, |header, _| ScannerTable { header, scan })
    }

    /// See [`Scanner::scan`].
    ///
    /// # Safety
    /// Every named page of the memory at `base` is readable.
    pub unsafe fn scan(
        &self,
        base: *const u8,
        page_size_bytes: usize,
        pages: &[u64],
        zero_flags: &mut [u8],
    ) -> Result<u64, CapsuleError> {
        if zero_flags.len() < pages.len() {
            return Err(CapsuleError::TooSmall);
        }
        // SAFETY: the table is live; the arrays are as long as said; the caller vouches for the pages.
        check(unsafe {
            (self.table().scan)(
                self.context(),
                base,
                page_size_bytes as u64,
                pages.as_ptr(),
                pages.len() as u64,
                zero_flags.as_mut_ptr(),
            )
        })
    }
}

unsafe extern "C" fn scan(
    context: *mut c_void,
    base: *const u8,
    page_size_bytes: u64,
    pages: *const u64,
    page_count: u64,
    zero_flags: *mut u8,
) -> i64 {
    // SAFETY: called through a live scanner table, so context is ours; the caller vouches for the pages and that both
    // arrays have page_count entries.
    unsafe {
        guard::<ScannerTable, Implementation>(context, |scanner| {
            let pages = std::slice::from_raw_parts(pages, page_count as usize);
            let zero_flags = std::slice::from_raw_parts_mut(zero_flags, page_count as usize);
            scanner
                .scan(base, page_size_bytes as usize, pages, zero_flags)
                .map(|count| count as i64)
        })
    }
}
