use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use godwit_ports::{Capsule, CapsuleError, DirtySource, MemorySlot, MemoryTable};

use crate::kvm_ioctl::{clear_log, enable_manual_protect, get_log, set_logging};
use crate::page_words::{add_at, drain};

/// Words of the log cleared in one step: 256 MiB of pages. KVM holds its page-table lock meanwhile, for which a faulting
/// processor waits.
const CLEAR_WORDS: usize = 1024;

/// Which pages a guest wrote, from KVM's dirty log, and which its devices wrote, from the memory's device marks.
///
/// The owner of the VM made its slots without logging; this tracker switches it on and off. A device of this process
/// marks a page *after* it has written it: marked before, the write could fall behind the collection that takes the mark.
pub struct KvmDirtyLog {
    memory: Capsule<MemoryTable>,
    vm_fd: i32,
    state: Mutex<State>,
}

struct State {
    started: bool,
    /// Fetching does not clear; see `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`.
    manual_protect: bool,
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
        let Some(vm_fd) = memory.vm_fd() else {
            return Err("the memory has no KVM VM".into());
        };
        if memory.slots().is_empty() {
            return Err("the memory names no KVM memory slots".into());
        }
        for slot in memory.slots() {
            if memory.check_run(slot.first_page, slot.page_count).is_err() || slot.page_count > u64::from(u32::MAX) {
                return Err(format!("KVM memory slot {} does not lie in the memory", slot.slot));
            }
        }
        // SAFETY: sysconf reads a number and touches no memory.
        let system_page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        if memory.page_size_bytes() != system_page_bytes as u64 {
            return Err(format!(
                "KVM logs pages of {system_page_bytes} bytes, the memory has another size"
            ));
        }
        let longest = memory.slots().iter().map(|slot| slot.page_count).max().unwrap_or(0);
        Ok(Self {
            vm_fd,
            state: Mutex::new(State {
                started: false,
                manual_protect: false,
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

    fn set_logging(&self, on: bool) -> Result<(), CapsuleError> {
        let page_size_bytes = self.memory.page_size_bytes();
        let base = self.memory.base() as u64;
        let mut result = Ok(());
        for slot in self.memory.slots() {
            let host_address = base + slot.first_page * page_size_bytes;
            let size_bytes = slot.page_count * page_size_bytes;
            // All of them, even if one fails: the first failure is told.
            result = result.and(set_logging(self.vm_fd, slot, host_address, size_bytes, on));
        }
        result
    }

    /// Moves the log of one slot into `fresh`.
    fn fetch(
        &self,
        slot: &MemorySlot,
        manual_protect: bool,
        log: &mut [u64],
        fresh: &mut [u64],
    ) -> Result<(), CapsuleError> {
        let log = &mut log[..slot.page_count.div_ceil(64) as usize];
        get_log(self.vm_fd, slot.slot, slot.page_count, log)?;
        // Before the log is cleared: whatever fails now, nothing that was logged is forgotten.
        add_at(fresh, slot.first_page, log, slot.page_count);
        if !manual_protect {
            return Ok(());
        }
        // Cleared after it was fetched: a page written in between is in `fresh`, and is read by whoever collects after
        // this returns. A page written once it is cleared is logged again.
        for (index, words) in log.chunks_mut(CLEAR_WORDS).enumerate() {
            let Some(first) = words.iter().position(|&word| word != 0) else {
                continue;
            };
            let end = words.iter().rposition(|&word| word != 0).map_or(first, |last| last + 1);
            let first_page = ((index * CLEAR_WORDS + first) * 64) as u64;
            let page_count = ((end - first) as u64 * 64).min(slot.page_count - first_page);
            clear_log(self.vm_fd, slot.slot, first_page, page_count, &mut words[first..end])?;
        }
        Ok(())
    }

    /// Moves everything recorded so far into `fresh`.
    fn fetch_all(&self, manual_protect: bool, log: &mut [u64], fresh: &mut [u64]) -> Result<(), CapsuleError> {
        for slot in self.memory.slots() {
            self.fetch(slot, manual_protect, log, fresh)?;
        }
        if let Some(marks) = self.memory.device_marks() {
            for (fresh, mark) in fresh.iter_mut().zip(marks) {
                // Most words are empty, and a read does not take the cache line from the device.
                if mark.load(Ordering::Relaxed) != 0 {
                    // Acquire: what the device wrote before it marked is visible to whoever reads the page now.
                    *fresh |= mark.swap(0, Ordering::AcqRel);
                }
            }
        }
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
            manual_protect,
            fresh,
            uncertain,
            log,
        } = &mut *state;
        if !*started {
            *manual_protect = enable_manual_protect(self.vm_fd)?;
            if let Err(error) = self.set_logging(true) {
                let _ = self.set_logging(false);
                return Err(error);
            }
            *started = true;
        }
        // Takes what lies there from before: marks, and where logging was on already the log.
        let result = self.fetch_all(*manual_protect, log, fresh);
        fresh.fill(0);
        *uncertain = false;
        if result.is_err() {
            *started = false;
            let _ = self.set_logging(false);
        }
        result
    }

    fn collect(&self, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
        let mut state = self.state();
        let State {
            started,
            manual_protect,
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
        if let Err(error) = self.fetch_all(*manual_protect, log, fresh) {
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
            self.set_logging(false)?;
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
