//! The end of a scan before its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use napi_derive::napi;

/// What the JavaScript thread and a scan on another thread know of each other.
#[derive(Default)]
pub struct ScanProgress {
    /// Set by whoever is first: the thread that begins the scan, or the cancellation, after which no thread begins it.
    is_settled: AtomicBool,
    is_cancelled: AtomicBool,
}

impl ScanProgress {
    /// Whether the scan may begin. If so, a cancellation finds it running.
    pub fn begin(&self) -> bool {
        !self.is_settled.swap(true, Ordering::AcqRel)
    }

    /// True from the cancellation on.
    pub fn is_cancelled(&self) -> &AtomicBool {
        &self.is_cancelled
    }

    #[cfg(test)]
    pub fn has_begun(&self) -> bool {
        self.is_settled.load(Ordering::Acquire)
    }
}

/// Ends a scan before its time.
#[napi]
#[derive(Default)]
pub struct ScanCancellation(Arc<ScanProgress>);

#[napi]
impl ScanCancellation {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether that came before the scan began: then it never looks at its memory. Else it ends soon.
    #[napi]
    pub fn cancel(&self) -> bool {
        self.0.is_cancelled.store(true, Ordering::Relaxed);
        self.0.begin()
    }
}

impl ScanCancellation {
    pub fn progress(&self) -> Arc<ScanProgress> {
        Arc::clone(&self.0)
    }
}
