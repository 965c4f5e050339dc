use std::sync::{Mutex, MutexGuard, PoisonError};

use godwit_ports::{Capsule, CapsuleError, DirtySource, MemoryTable};

use crate::page_words::{drain, set_run};
use crate::pagemap_ioctl::{CHECK_WPASYNC, PageRegion, WP_MATCHING, scan_written};

/// Regions fetched by one call: 24 KiB.
const REGION_COUNT: usize = 1024;
/// Protected in one step. Each call invalidates its whole range in a KVM above the mapping, whose processors wait
/// meanwhile: so not all at once.
const CHUNK_BYTES: u64 = 256 << 20;

/// Which pages of a mapping of this process were written, by whatever writer: a thread, a system call, a vCPU.
///
/// The owner registered the mapping with a userfaultfd for asynchronous write protection
/// (`UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED`, `UFFDIO_REGISTER_MODE_WP`): the kernel itself lifts the
/// protection at the first write. `PAGEMAP_SCAN` fetches the pages whose protection is gone and protects them again in
/// one step, under the lock of their page table, so no write falls between.
///
/// Only populated pages are protected and reported. A page populated later was never protected, and is reported for that.
/// Giving memory back (`MADV_DONTNEED`) is not a write; the first read of a page never touched, which maps the zero page
/// there, is taken for one. (Leaving the zero page out would lose writes of zeros, as the kernel may map it for them.)
pub struct PagemapScan {
    memory: Capsule<MemoryTable>,
    pagemap_fd: i32,
    state: Mutex<State>,
}

struct State {
    started: bool,
    /// What was found and not yet handed out; empty between successful calls.
    fresh: Vec<u64>,
    /// A scan failed half way: it may have protected pages that it did not report.
    uncertain: bool,
    regions: Vec<PageRegion>,
}

impl PagemapScan {
    /// Says what is missing where this memory or this kernel cannot be tracked so.
    pub fn new(memory: Capsule<MemoryTable>) -> Result<Self, String> {
        let Some(pagemap_fd) = memory.pagemap_fd() else {
            return Err("the memory has no pagemap descriptor".into());
        };
        if memory.userfault_fd().is_none() {
            return Err("the memory has no userfaultfd".into());
        }
        let word_count = memory.page_count().div_ceil(64) as usize;
        let tracker = Self {
            pagemap_fd,
            state: Mutex::new(State {
                started: false,
                fresh: vec![0; word_count],
                uncertain: false,
                regions: vec![PageRegion::default(); REGION_COUNT],
            }),
            memory,
        };
        let (start, end) = tracker.range();
        scan_written(
            pagemap_fd,
            CHECK_WPASYNC,
            (start, end.min(start + tracker.memory.page_size_bytes())),
            &mut [],
        )
        .map_err(|error| match error {
            CapsuleError::Os(libc::EPERM) => {
                "the memory is not registered for asynchronous write protection (Linux 6.7)".to_owned()
            }
            CapsuleError::Os(libc::ENOTTY) => "the kernel has no PAGEMAP_SCAN (Linux 6.7)".to_owned(),
            error => format!("PAGEMAP_SCAN: {error}"),
        })?;
        Ok(tracker)
    }

    fn range(&self) -> (u64, u64) {
        let start = self.memory.base() as u64;
        (start, start + self.memory.page_count() * self.memory.page_size_bytes())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic leaves `fresh` with bits too many at worst.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Protects what was written; adds it to `fresh` if there is room for `regions`.
    fn fetch_and_protect(&self, fresh: &mut [u64], regions: &mut [PageRegion]) -> Result<(), CapsuleError> {
        let (base, end) = self.range();
        let page_size_bytes = self.memory.page_size_bytes();
        let mut start = base;
        while start < end {
            let chunk_end = end.min(start + CHUNK_BYTES);
            while start < chunk_end {
                let scanned = scan_written(
                    self.pagemap_fd,
                    WP_MATCHING | CHECK_WPASYNC,
                    (start, chunk_end),
                    regions,
                )?;
                for region in &regions[..scanned.region_count.min(regions.len())] {
                    let first = (region.start - base) / page_size_bytes;
                    let last = (region.end - base).div_ceil(page_size_bytes);
                    set_run(fresh, first, last - first);
                }
                if scanned.walk_end <= start {
                    return Err(CapsuleError::Os(libc::EIO));
                }
                start = scanned.walk_end;
            }
        }
        Ok(())
    }
}

impl DirtySource for PagemapScan {
    fn page_count(&self) -> u64 {
        self.memory.page_count()
    }

    fn start(&self) -> Result<(), CapsuleError> {
        let mut state = self.state();
        // Where it fails half way pages are protected that nobody will report: what is collected then would lack them.
        state.started = false;
        self.fetch_and_protect(&mut [], &mut [])?;
        state.fresh.fill(0);
        state.uncertain = false;
        state.started = true;
        Ok(())
    }

    fn collect(&self, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
        let mut state = self.state();
        let State {
            started,
            fresh,
            uncertain,
            regions,
        } = &mut *state;
        if !*started {
            return Err(CapsuleError::Unsupported);
        }
        if *uncertain {
            self.memory.present(0, self.memory.page_count(), fresh)?;
        }
        if let Err(error) = self.fetch_and_protect(fresh, regions) {
            *uncertain = true;
            return Err(error);
        }
        *uncertain = false;
        Ok(drain(fresh, bitmap))
    }

    fn stop(&self) -> Result<(), CapsuleError> {
        // Protection that is left is lifted by the kernel at the next write; lifting it here would only cost.
        self.state().started = false;
        Ok(())
    }
}
