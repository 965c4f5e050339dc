use std::ffi::c_void;

use crate::capsule::{check, guard};
use crate::{Capsule, CapsuleError, DirtyTable};

/// The pages of a memory that were written since the last collect.
pub trait DirtySource: Send + Sync {
    fn page_count(&self) -> u64;
    fn start(&self) -> Result<(), CapsuleError>;
    /// Sets the bits of the pages written since start or the last collect, and forgets them (atomically per page);
    /// bits already set stay set. Returns the number of pages reported by this call.
    fn collect(&self, bitmap: &mut [u64]) -> Result<u64, CapsuleError>;
    fn stop(&self) -> Result<(), CapsuleError>;
}

type Implementation = dyn DirtySource;

impl Capsule<DirtyTable> {
    /// Offers a dirty source to other packages.
    pub fn export(source: impl DirtySource + 'static) -> Self {
        let source: Box<Implementation> = Box::new(source);
        Self::new(source, |header, source| DirtyTable {
            header,
            page_count: source.page_count(),
            start,
            collect,
            stop,
        })
    }

    pub fn page_count(&self) -> u64 {
        self.table().page_count
    }

    pub fn start(&self) -> Result<(), CapsuleError> {
        // SAFETY: the table is live.
        check(i64::from(unsafe { (self.table().start)(self.context()) })).map(drop)
    }

    /// Adds the pages written since start or the last collect to `bitmap`; returns how many this call reported.
    pub fn collect(&self, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
        if (bitmap.len() as u64) < self.page_count().div_ceil(64) {
            return Err(CapsuleError::TooSmall);
        }
        // SAFETY: the table is live; the bitmap is as long as said.
        check(unsafe { (self.table().collect)(self.context(), bitmap.as_mut_ptr(), bitmap.len() as u64) })
    }

    pub fn stop(&self) -> Result<(), CapsuleError> {
        // SAFETY: the table is live.
        check(i64::from(unsafe { (self.table().stop)(self.context()) })).map(drop)
    }
}

unsafe extern "C" fn start(context: *mut c_void) -> i32 {
    // SAFETY: called through a live dirty table, so context is ours.
    unsafe { guard::<DirtyTable, Implementation>(context, |source| source.start().map(|()| 0)) as i32 }
}

unsafe extern "C" fn collect(context: *mut c_void, bitmap: *mut u64, word_count: u64) -> i64 {
    // SAFETY: called through a live dirty table, so context is ours; the caller's bitmap is as long as it says.
    unsafe {
        guard::<DirtyTable, Implementation>(context, |source| {
            if word_count < source.page_count().div_ceil(64) {
                return Err(CapsuleError::TooSmall);
            }
            let bitmap = std::slice::from_raw_parts_mut(bitmap, word_count as usize);
            source.collect(bitmap).map(|count| count as i64)
        })
    }
}

unsafe extern "C" fn stop(context: *mut c_void) -> i32 {
    // SAFETY: called through a live dirty table, so context is ours.
    unsafe { guard::<DirtyTable, Implementation>(context, |source| source.stop().map(|()| 0)) as i32 }
}
