use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use godwit_ports::{Capsule, CapsuleError, DirtySource, MemoryTable, RingHarvester};

use crate::device_marks::take_device_marks;
use crate::dirty_gfn_ring::DirtyGfnRing;
use crate::kvm_ioctl::{disable_manual_protect, reset_rings};
use crate::kvm_slots::{logged_vm, switch_logging};

/// Which pages a guest wrote, from the dirty rings of its processors, and which its devices wrote, from the memory's device
/// marks (what this process writes is in no ring).
///
/// A collection costs what was written, not what there is: no bitmap of the VM is fetched. The owner of the VM enabled the
/// rings before it made the processors, and made its slots without logging; this tracker switches it on and off. A
/// processor that meets a full ring leaves its guest, and its thread empties all rings through the owner's harvester.
///
/// Pages are handed out only after `KVM_RESET_DIRTY_RINGS` has protected them again: what is written before that is in the
/// page when it is read after the collection, what is written later is in a ring again. Processors with a page modification
/// log of their own (Intel's PML) empty it into the ring when they leave the guest: of what they write while they run a
/// collection may learn late, of what a paused guest wrote it never does.
pub struct KvmDirtyRing {
    rings: Arc<Rings>,
    /// Whether logging is on; held while it is switched.
    started: Mutex<bool>,
}

struct Rings {
    memory: Capsule<MemoryTable>,
    vm_fd: i32,
    harvest: Mutex<Harvest>,
}

struct Harvest {
    recording: bool,
    rings: Vec<DirtyGfnRing>,
    /// Pages found and not handed out, each once, and the same pages as bits.
    pages: Vec<u64>,
    known: Vec<u64>,
    /// Entries were marked as harvested, and KVM has not yet made room for new ones and protected their pages.
    reset_is_due: bool,
}

impl Harvest {
    fn add(pages: &mut Vec<u64>, known: &mut [u64], page: u64) {
        let (word, bit) = (&mut known[(page / 64) as usize], 1 << (page % 64));
        if *word & bit == 0 {
            *word |= bit;
            pages.push(page);
        }
    }

    fn forget(&mut self) {
        for page in self.pages.drain(..) {
            self.known[(page / 64) as usize] = 0;
        }
    }
}

impl Rings {
    fn lock(&self) -> MutexGuard<'_, Harvest> {
        // A panic leaves pages too many at worst.
        self.harvest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves what the rings hold to the known pages, and makes room in the rings.
    fn empty(&self, harvest: &mut Harvest) -> Result<(), CapsuleError> {
        let Harvest {
            rings,
            pages,
            known,
            reset_is_due,
            ..
        } = harvest;
        for ring in rings {
            while let Some((slot, offset)) = ring.next() {
                *reset_is_due = true;
                // Entries of slots that the memory does not name are somebody else's.
                let slots = self.memory.slots().iter();
                for slot in slots.filter(|known| known.slot == slot && offset < known.page_count) {
                    Harvest::add(pages, known, slot.first_page + offset);
                }
            }
        }
        if *reset_is_due {
            reset_rings(self.vm_fd)?;
            *reset_is_due = false;
        }
        Ok(())
    }

    /// Before recording begins: another tracker may have read the rings since, and may have failed to reset them.
    fn begin(&self) {
        let mut harvest = self.lock();
        harvest.rings.iter_mut().for_each(DirtyGfnRing::forget_position);
        harvest.reset_is_due = true;
    }

    fn take_marks(&self, harvest: &mut Harvest) {
        let Harvest { pages, known, .. } = harvest;
        take_device_marks(&self.memory, |index, mut marks| {
            while marks != 0 {
                Harvest::add(pages, known, index as u64 * 64 + u64::from(marks.trailing_zeros()));
                marks &= marks - 1;
            }
        });
    }

    /// Forgets all that was recorded until now.
    fn discard(&self) -> Result<(), CapsuleError> {
        let mut harvest = self.lock();
        let result = self.empty(&mut harvest);
        self.take_marks(&mut harvest);
        harvest.forget();
        result
    }
}

impl KvmDirtyRing {
    /// Says what is missing where this memory cannot be tracked so.
    pub fn new(memory: Capsule<MemoryTable>) -> Result<Self, String> {
        let vm_fd = logged_vm(&memory)?;
        let Some((ring_bytes, vcpu_fds)) = memory.dirty_rings() else {
            return Err(
                "the VM has no dirty rings (Linux 5.11; its owner enables them before it makes the processors)".into(),
            );
        };
        let rings: Result<Vec<_>, _> = vcpu_fds.iter().map(|&fd| DirtyGfnRing::map(fd, ring_bytes)).collect();
        let rings = rings.map_err(|error| format!("mapping a dirty ring: {error}"))?;
        let harvest = Harvest {
            recording: false,
            rings,
            pages: Vec::new(),
            known: vec![0; memory.page_count().div_ceil(64) as usize],
            reset_is_due: false,
        };
        Ok(Self {
            rings: Arc::new(Rings {
                memory,
                vm_fd,
                harvest: Mutex::new(harvest),
            }),
            started: Mutex::new(false),
        })
    }

    fn switch(&self) -> MutexGuard<'_, bool> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn switch_on(&self) -> Result<(), CapsuleError> {
        let Rings { memory, vm_fd, .. } = &*self.rings;
        disable_manual_protect(*vm_fd)?;
        self.rings.begin();
        let rings = Arc::clone(&self.rings);
        memory.set_ring_harvester(Some(RingHarvester::new(move || {
            // Where it fails the processor asks again, and the next collection tells.
            let _ = rings.empty(&mut rings.lock());
        })))?;
        switch_logging(memory, *vm_fd, true)
    }

    fn switch_off(&self) -> Result<(), CapsuleError> {
        let Rings { memory, vm_fd, .. } = &*self.rings;
        let switched = switch_logging(memory, *vm_fd, false);
        // From here on nothing is recorded; what is left in the rings would keep a processor from its guest.
        let emptied = self.rings.discard();
        // The harvester takes the rings' lock: not held here.
        let taken = memory.set_ring_harvester(None);
        switched.and(emptied).and(taken)
    }
}

impl DirtySource for KvmDirtyRing {
    fn page_count(&self) -> u64 {
        self.rings.memory.page_count()
    }

    fn start(&self) -> Result<(), CapsuleError> {
        let mut started = self.switch();
        if !*started && let Err(error) = self.switch_on() {
            let _ = self.switch_off();
            return Err(error);
        }
        *started = true;
        // What lies there from before: marks, and where logging was on already the rings.
        let result = self.rings.discard();
        self.rings.lock().recording = result.is_ok();
        if result.is_err() {
            *started = false;
            let _ = self.switch_off();
        }
        result
    }

    fn collect(&self, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
        let mut harvest = self.rings.lock();
        if !harvest.recording {
            return Err(CapsuleError::Unsupported);
        }
        // Where it fails what was found waits for the next call.
        self.rings.empty(&mut harvest)?;
        self.rings.take_marks(&mut harvest);
        for &page in &harvest.pages {
            bitmap[(page / 64) as usize] |= 1 << (page % 64);
        }
        let count = harvest.pages.len() as u64;
        harvest.forget();
        Ok(count)
    }

    fn stop(&self) -> Result<(), CapsuleError> {
        let mut started = self.switch();
        if !*started {
            return Ok(());
        }
        *started = false;
        self.rings.lock().recording = false;
        self.switch_off()
    }
}

impl Drop for KvmDirtyRing {
    fn drop(&mut self) {
        // The slots outlive the tracker, logging costs the guest a fault for each page, and a full ring stops it.
        let _ = self.stop();
    }
}
