use std::ffi::c_void;
use std::sync::atomic::AtomicU64;

use crate::capsule::{check, guard};
use crate::{Capsule, CapsuleError, DirtyRings, MemoryTable, RingHarvester};

/// Pages `[first_page, first_page + page_count)` of a memory lie in KVM slot `slot`, seen by the guest from
/// `guest_physical_address` on. The owner makes its slots with flags 0; a tracker switches dirty logging on and off.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySlot {
    pub slot: u32,
    pub reserved: u32,
    pub first_page: u64,
    pub page_count: u64,
    pub guest_physical_address: u64,
}

/// One contiguous mapping of this process that holds all of a guest's memory.
///
/// # Safety
/// `base()..base() + length_bytes()` stays mapped, readable and writable, the descriptors stay open (those of
/// `dirty_rings()` too), and `slots()`, `device_marks()` and `dirty_rings()` stay in place, for as long as the value lives.
pub unsafe trait Memory: Send + Sync {
    fn base(&self) -> *mut u8;
    fn length_bytes(&self) -> u64;
    fn page_size_bytes(&self) -> u64;
    /// Registered over the whole mapping, or -1.
    fn userfault_fd(&self) -> i32 {
        -1
    }
    /// KVM VM whose slots back the mapping, or -1.
    fn vm_fd(&self) -> i32 {
        -1
    }
    /// `/proc/self/pagemap`, or -1.
    fn pagemap_fd(&self) -> i32 {
        -1
    }
    fn slots(&self) -> &[MemorySlot] {
        &[]
    }
    /// One bit a page, set by devices of this process that write guest memory.
    fn device_marks(&self) -> Option<&[AtomicU64]> {
        None
    }
    /// Of a VM that records writes in rings, one for each processor, instead of in a log.
    fn dirty_rings(&self) -> Option<&DirtyRings> {
        None
    }
    /// Who is called, until it is replaced, by a processor's thread whose ring is full. The former one is dropped, and is
    /// called no more, when this returns.
    fn set_ring_harvester(&self, _harvester: Option<RingHarvester>) -> Result<(), CapsuleError> {
        Err(CapsuleError::Unsupported)
    }
    /// Sets the bit of each populated page of the run (the bitmap is over the whole memory); returns how many.
    fn present(&self, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> Result<u64, CapsuleError>;
    /// A hint that the whole run will be overwritten soon.
    fn expect(&self, _first_page: u64, _page_count: u64) -> Result<(), CapsuleError> {
        Ok(())
    }
    /// Makes the run read as zero and gives its memory back.
    fn discard(&self, first_page: u64, page_count: u64) -> Result<(), CapsuleError>;
}

type Implementation = dyn Memory;

impl Capsule<MemoryTable> {
    /// Offers a memory to other packages.
    pub fn export(memory: impl Memory + 'static) -> Self {
        let memory: Box<Implementation> = Box::new(memory);
        Self::new(memory, |header, memory| MemoryTable {
            header,
            base: memory.base(),
            length_bytes: memory.length_bytes(),
            page_size_bytes: memory.page_size_bytes(),
            userfault_fd: memory.userfault_fd(),
            vm_fd: memory.vm_fd(),
            pagemap_fd: memory.pagemap_fd(),
            slot_count: memory.slots().len() as u32,
            slots: memory.slots().as_ptr(),
            device_marks: memory
                .device_marks()
                .map_or(std::ptr::null_mut(), |marks| marks.as_ptr() as *mut u64),
            present,
            expect,
            discard,
            dirty_rings: memory.dirty_rings().map_or(std::ptr::null(), std::ptr::from_ref),
            set_ring_harvester,
        })
    }

    pub fn base(&self) -> *mut u8 {
        self.table().base
    }

    pub fn length_bytes(&self) -> u64 {
        self.table().length_bytes
    }

    pub fn page_size_bytes(&self) -> u64 {
        self.table().page_size_bytes
    }

    pub fn page_count(&self) -> u64 {
        self.table().length_bytes / self.table().page_size_bytes.max(1)
    }

    /// Registered over the whole mapping, if any.
    pub fn userfault_fd(&self) -> Option<i32> {
        Some(self.table().userfault_fd).filter(|&fd| fd >= 0)
    }

    /// KVM VM whose slots back the mapping, if any.
    pub fn vm_fd(&self) -> Option<i32> {
        Some(self.table().vm_fd).filter(|&fd| fd >= 0)
    }

    /// `/proc/self/pagemap`, if the owner opened it.
    pub fn pagemap_fd(&self) -> Option<i32> {
        Some(self.table().pagemap_fd).filter(|&fd| fd >= 0)
    }

    pub fn slots(&self) -> &[MemorySlot] {
        let table = self.table();
        if table.slot_count == 0 {
            return &[];
        }
        // SAFETY: the exporter keeps slot_count slots in place while the capsule is retained.
        unsafe { std::slice::from_raw_parts(table.slots, table.slot_count as usize) }
    }

    /// One bit a page, set by devices of this process; to be fetched and cleared atomically.
    pub fn device_marks(&self) -> Option<&[AtomicU64]> {
        let table = self.table();
        if table.device_marks.is_null() {
            return None;
        }
        let words = self.page_count().div_ceil(64) as usize;
        // SAFETY: the exporter keeps one atomic word per 64 pages in place while the capsule is retained.
        Some(unsafe { std::slice::from_raw_parts(table.device_marks as *const AtomicU64, words) })
    }

    /// Of a VM with dirty rings, and so without a dirty log: the bytes of each ring, and its processors' descriptors.
    pub fn dirty_rings(&self) -> Option<(u64, &[i32])> {
        // SAFETY: null, or kept in place by the exporter while the capsule is retained.
        let rings = unsafe { self.table().dirty_rings.as_ref() }?;
        if rings.vcpu_count == 0 {
            return Some((rings.ring_bytes, &[]));
        }
        // SAFETY: the exporter keeps vcpu_count descriptors in place while the capsule is retained.
        let vcpu_fds = unsafe { std::slice::from_raw_parts(rings.vcpu_fds, rings.vcpu_count as usize) };
        Some((rings.ring_bytes, vcpu_fds))
    }

    /// Says who is called by a processor's thread whose ring is full, from now on. When this returns, the former harvester
    /// was dropped: the caller holds no lock that it takes. Where it fails, the new one was dropped.
    pub fn set_ring_harvester(&self, harvester: Option<RingHarvester>) -> Result<(), CapsuleError> {
        let (context, harvest, release) = RingHarvester::into_parts(harvester);
        // SAFETY: the table is live; the parts belong together and are the callee's now.
        check(i64::from(unsafe {
            (self.table().set_ring_harvester)(self.context(), context, harvest, release)
        }))
        .map(drop)
    }

    /// Sets the bits of the populated pages of a run, in a bitmap over the whole memory; returns how many.
    pub fn present(&self, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
        self.check_run(first_page, page_count)?;
        if (bitmap.len() as u64) < self.page_count().div_ceil(64) {
            return Err(CapsuleError::TooSmall);
        }
        // SAFETY: the table is live; the bitmap was checked to cover the memory.
        check(unsafe { (self.table().present)(self.context(), first_page, page_count, bitmap.as_mut_ptr()) })
    }

    /// Hints that the whole run will be overwritten soon.
    pub fn expect(&self, first_page: u64, page_count: u64) -> Result<(), CapsuleError> {
        self.check_run(first_page, page_count)?;
        // SAFETY: the table is live; the run was checked.
        check(i64::from(unsafe {
            (self.table().expect)(self.context(), first_page, page_count)
        }))
        .map(drop)
    }

    /// Makes the run read as zero and gives its memory back.
    pub fn discard(&self, first_page: u64, page_count: u64) -> Result<(), CapsuleError> {
        self.check_run(first_page, page_count)?;
        // SAFETY: the table is live; the run was checked.
        check(i64::from(unsafe {
            (self.table().discard)(self.context(), first_page, page_count)
        }))
        .map(drop)
    }

    /// Whether a run of pages lies inside the memory.
    pub fn check_run(&self, first_page: u64, page_count: u64) -> Result<(), CapsuleError> {
        match first_page.checked_add(page_count) {
            Some(end) if end <= self.page_count() => Ok(()),
            _ => Err(CapsuleError::OutOfRange),
        }
    }
}

unsafe extern "C" fn present(context: *mut c_void, first_page: u64, page_count: u64, bitmap: *mut u64) -> i64 {
    // SAFETY: called through a live memory table, so context is ours; the caller gives a bitmap over the whole memory.
    unsafe {
        guard::<MemoryTable, Implementation>(context, |memory| {
            let words = (memory.length_bytes() / memory.page_size_bytes()).div_ceil(64) as usize;
            let bitmap = std::slice::from_raw_parts_mut(bitmap, words);
            memory.present(first_page, page_count, bitmap).map(|count| count as i64)
        })
    }
}

unsafe extern "C" fn expect(context: *mut c_void, first_page: u64, page_count: u64) -> i32 {
    // SAFETY: called through a live memory table, so context is ours.
    unsafe {
        guard::<MemoryTable, Implementation>(context, |memory| memory.expect(first_page, page_count).map(|()| 0)) as i32
    }
}

unsafe extern "C" fn discard(context: *mut c_void, first_page: u64, page_count: u64) -> i32 {
    // SAFETY: called through a live memory table, so context is ours.
    unsafe {
        guard::<MemoryTable, Implementation>(context, |memory| memory.discard(first_page, page_count).map(|()| 0))
            as i32
    }
}

unsafe extern "C" fn set_ring_harvester(
    context: *mut c_void,
    harvester: *mut c_void,
    harvest: Option<unsafe extern "C" fn(*mut c_void)>,
    release: Option<unsafe extern "C" fn(*mut c_void)>,
) -> i32 {
    // SAFETY: the caller's parts belong together, and it gives them away.
    let harvester = unsafe { RingHarvester::from_parts(harvester, harvest, release) };
    // SAFETY: called through a live memory table, so context is ours.
    unsafe {
        guard::<MemoryTable, Implementation>(context, |memory| memory.set_ring_harvester(harvester).map(|()| 0)) as i32
    }
}
