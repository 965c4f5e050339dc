use std::sync::{Mutex, MutexGuard, PoisonError};

use godwit_ports::{Capsule, CapsuleError, DirtySource, MemorySlot, MemoryTable};

use crate::device_marks::take_device_marks;
use crate::kvm_ioctl::{LogProtection, clear_log, enable_manual_protect, get_log};
use crate::kvm_slots::{logged_vm, switch_logging};
use crate::page_words::{add_at, drain, next_chunk};

/// Dirty pages cleared in one step. KVM holds its page-table lock meanwhile, for which a faulting processor waits: a quarter
/// of a millisecond here, where 65,536 pages at a time took four. All together they take no longer for it.
const CLEAR_PAGES: u32 = 4096;

/// Which pages a guest wrote, from KVM's dirty log, and which its devices wrote, from the memory's device marks.
///
/// The owner of the VM made its slots without logging; this tracker switches it on and off.
pub struct KvmDirtyLog {
    memory: Capsule<MemoryTable>,
    vm_fd: i32,
    state: Mutex<State>,
}

struct State {
    started: bool,
    /// Whether fetching clears; see `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`.
    protection: LogProtection,
    /// What was found and not yet handed out; empty between successful calls.
    fresh: Vec<u64>,
    /// A fetch failed half way, so that what it had cleared may be forgotten.
    uncertain: bool,
    /// The log of one slot.
    log: Vec<u64>,
}

impl KvmDirtyLog {
    /// Says what is missing where this memory cannot be tracked so.
    pub fn new(memory: Capsule<MemoryTable>) -> Result<Self, String> {
        let vm_fd = logged_vm(&memory)?;
        if memory.dirty_rings().is_some() {
            return Err("the VM has dirty rings, and so no dirty log".into());
        }
        let longest = memory.slots().iter().map(|slot| slot.page_count).max().unwrap_or(0);
        Ok(Self {
            vm_fd,
            state: Mutex::new(State {
                started: false,
                protection: LogProtection::Automatic,
                fresh: vec![0; memory.page_count().div_ceil(64) as usize],
                uncertain: false,
                log: vec![0; longest.div_ceil(64) as usize],
            }),
            memory,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic leaves `fresh` with bits too many at worst.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the log of one slot into `fresh`.
    fn fetch(
        &self,
        slot: &MemorySlot,
        protection: LogProtection,
        log: &mut [u64],
        fresh: &mut [u64],
    ) -> Result<(), CapsuleError> {
        let log = &mut log[..slot.page_count.div_ceil(64) as usize];
        get_log(self.vm_fd, slot.slot, slot.page_count, log)?;
        // Before the log is cleared: whatever fails now, nothing that was logged is forgotten.
        add_at(fresh, slot.first_page, log, slot.page_count);
        if protection == LogProtection::Automatic {
            return Ok(());
        }
        // Cleared after it was fetched: a page written in between is in `fresh`, and is read by whoever collects after
        // this returns. A page written once it is cleared is logged again.
        let mut from = 0;
        while let Some(chunk) = next_chunk(log, from, CLEAR_PAGES) {
            let first_page = chunk.start as u64 * 64;
            let page_count = (chunk.len() as u64 * 64).min(slot.page_count - first_page);
            clear_log(self.vm_fd, slot.slot, first_page, page_count, &mut log[chunk.clone()])?;
            from = chunk.end;
        }
        Ok(())
    }

    /// Moves everything recorded so far into `fresh`.
    fn fetch_all(&self, protection: LogProtection, log: &mut [u64], fresh: &mut [u64]) -> Result<(), CapsuleError> {
        for slot in self.memory.slots() {
            self.fetch(slot, protection, log, fresh)?;
        }
        take_device_marks(&self.memory, |index, marks| fresh[index] |= marks);
        Ok(())
    }
}

impl DirtySource for KvmDirtyLog {
    fn page_count(&self) -> u64 {
        self.memory.page_count()
    }

    fn start(&self) -> Result<(), CapsuleError> {
        let mut state = self.state();
        let State {
            started,
            protection,
            fresh,
            uncertain,
            log,
        } = &mut *state;
        if !*started {
            *protection = enable_manual_protect(self.vm_fd)?;
            if let Err(error) = switch_logging(&self.memory, self.vm_fd, true) {
                let _ = switch_logging(&self.memory, self.vm_fd, false);
                return Err(error);
            }
            *started = true;
        }
        // Takes what lies there from before: marks, and where logging was on already the log; and protects what a log that
        // begins with every page in it did not.
        let result = self.fetch_all(*protection, log, fresh);
        fresh.fill(0);
        *uncertain = false;
        if result.is_err() {
            *started = false;
            let _ = switch_logging(&self.memory, self.vm_fd, false);
        }
        result
    }

    fn collect(&self, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
        let mut state = self.state();
        let State {
            started,
            protection,
            fresh,
            uncertain,
            log,
        } = &mut *state;
        if !*started {
            return Err(CapsuleError::Unsupported);
        }
        if *uncertain {
            self.memory.present(0, self.memory.page_count(), fresh)?;
        }
        if let Err(error) = self.fetch_all(*protection, log, fresh) {
            *uncertain = true;
            return Err(error);
        }
        *uncertain = false;
        Ok(drain(fresh, bitmap))
    }

    fn stop(&self) -> Result<(), CapsuleError> {
        let mut state = self.state();
        if state.started {
            state.started = false;
            switch_logging(&self.memory, self.vm_fd, false)?;
        }
        Ok(())
    }
}

impl Drop for KvmDirtyLog {
    fn drop(&mut self) {
        // The slots outlive the tracker, and logging costs the guest a fault for each page.
        let _ = self.stop();
    }
}
