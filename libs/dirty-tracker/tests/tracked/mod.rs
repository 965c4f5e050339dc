//! A tracked mapping of this process, and the check that a migration rests on: copy what each collection reports, and at
//! the end the copy is the memory.

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use godwit_ports::{Capsule, CapsuleError, DirtyRings, DirtySource, Memory, MemorySlot, MemoryTable, RingHarvester};

pub const PAGE_BYTES: usize = 4096;
pub const PAGE_WORDS: usize = PAGE_BYTES / 8;

const UFFD_FEATURE_WP_UNPOPULATED: u64 = 1 << 13;
const UFFD_FEATURE_WP_ASYNC: u64 = 1 << 15;
const UFFDIO_API: u64 = 0xc018_aa3f;
const UFFDIO_REGISTER: u64 = 0xc020_aa00;
const UFFDIO_REGISTER_MODE_WP: u64 = 2;

/// What stands behind a memory besides its mapping.
#[derive(Default)]
pub struct Backing {
    pub userfault: bool,
    pub pagemap: bool,
    pub vm_fd: Option<i32>,
    pub slots: Vec<MemorySlot>,
    pub device_marks: bool,
    /// Bytes of each ring of a VM that has them.
    pub ring_bytes: Option<u64>,
    pub vcpu_fds: Vec<i32>,
    pub harvester: SharedHarvester,
}

/// Who empties the rings, as the threads of the processors see it.
pub type SharedHarvester = Arc<RwLock<Option<RingHarvester>>>;

struct Mapping {
    base: *mut u8,
    page_count: usize,
    userfault: Option<OwnedFd>,
    pagemap: Option<File>,
    vm_fd: Option<i32>,
    slots: Vec<MemorySlot>,
    marks: Option<Vec<AtomicU64>>,
    rings: Option<DirtyRings>,
    /// What `rings` points at.
    _vcpu_fds: Vec<i32>,
    harvester: SharedHarvester,
}

// SAFETY: the mapping is written by atomics only and unmapped when the last owner is gone.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

// SAFETY: the mapping and the descriptors live as long as the value; slots and marks are never resized.
unsafe impl Memory for Mapping {
    fn base(&self) -> *mut u8 {
        self.base
    }
    fn length_bytes(&self) -> u64 {
        (self.page_count * PAGE_BYTES) as u64
    }
    fn page_size_bytes(&self) -> u64 {
        PAGE_BYTES as u64
    }
    fn userfault_fd(&self) -> i32 {
        self.userfault.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }
    fn vm_fd(&self) -> i32 {
        self.vm_fd.unwrap_or(-1)
    }
    fn pagemap_fd(&self) -> i32 {
        self.pagemap.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }
    fn slots(&self) -> &[MemorySlot] {
        &self.slots
    }
    fn device_marks(&self) -> Option<&[AtomicU64]> {
        self.marks.as_deref()
    }
    fn dirty_rings(&self) -> Option<&DirtyRings> {
        self.rings.as_ref()
    }
    fn set_ring_harvester(&self, harvester: Option<RingHarvester>) -> Result<(), CapsuleError> {
        *self.harvester.write().unwrap() = harvester;
        Ok(())
    }
    fn present(&self, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
        let mut resident = vec![0u8; page_count as usize];
        let start = self
            .base
            .wrapping_add(first_page as usize * PAGE_BYTES)
            .cast::<c_void>();
        // SAFETY: the run lies in the mapping (the capsule's wrapper checked it) and there is a byte for each page.
        if unsafe { libc::mincore(start, resident.len() * PAGE_BYTES, resident.as_mut_ptr()) } != 0 {
            return Err(CapsuleError::last_os());
        }
        let present = resident.iter().enumerate().filter(|(_, state)| **state & 1 == 1);
        Ok(present
            .map(|(page, _)| bitmap[(page + first_page as usize) / 64] |= 1 << ((page + first_page as usize) % 64))
            .count() as u64)
    }
    fn discard(&self, _first_page: u64, _page_count: u64) -> Result<(), CapsuleError> {
        Err(CapsuleError::Unsupported)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: base and length are those of the mapping made in `memory`, used by nobody any more.
        unsafe { libc::munmap(self.base.cast(), self.page_count * PAGE_BYTES) };
    }
}

/// Reserves `page_count` pages of memory that were never touched.
pub fn map(page_count: usize) -> *mut u8 {
    // SAFETY: a new anonymous mapping at a place of the kernel's choosing.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            page_count * PAGE_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    assert_ne!(base, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    base.cast()
}

/// Registers pages of a mapping with a descriptor that exists.
pub fn register_range(fd: i32, base: *mut u8, page_count: usize) -> Result<(), String> {
    let mut range = [
        base as u64,
        (page_count * PAGE_BYTES) as u64,
        UFFDIO_REGISTER_MODE_WP,
        0,
    ];
    // SAFETY: four words, as struct uffdio_register has, that name a mapping of the caller.
    if unsafe { libc::ioctl(fd, UFFDIO_REGISTER as _, &mut range) } != 0 {
        return Err(format!("UFFDIO_REGISTER: {}", std::io::Error::last_os_error()));
    }
    Ok(())
}

/// Registers a mapping for asynchronous write protection; says why where this kernel cannot.
pub fn register(base: *mut u8, page_count: usize) -> Result<OwnedFd, String> {
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the call makes a descriptor and touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) } as i32;
    if fd < 0 {
        return Err(format!("userfaultfd: {}", std::io::Error::last_os_error()));
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut api = [0xaa, UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_ASYNC, 0];
    // SAFETY: three words, as struct uffdio_api has.
    if unsafe { libc::ioctl(fd.as_raw_fd(), UFFDIO_API as _, &mut api) } != 0 {
        return Err(format!("UFFD_FEATURE_WP_ASYNC: {}", std::io::Error::last_os_error()));
    }
    register_range(fd.as_raw_fd(), base, page_count)?;
    Ok(fd)
}

/// Puts a mapping behind a memory capsule, which unmaps it in the end.
pub fn memory(base: *mut u8, page_count: usize, backing: Backing) -> Result<Capsule<MemoryTable>, String> {
    let userfault = backing.userfault.then(|| register(base, page_count)).transpose()?;
    let pagemap = backing.pagemap.then(|| File::open("/proc/self/pagemap")).transpose();
    Ok(Capsule::<MemoryTable>::export(Mapping {
        base,
        page_count,
        userfault,
        pagemap: pagemap.map_err(|error| format!("/proc/self/pagemap: {error}"))?,
        rings: backing.ring_bytes.map(|ring_bytes| DirtyRings {
            ring_bytes,
            vcpu_count: backing.vcpu_fds.len() as u64,
            vcpu_fds: backing.vcpu_fds.as_ptr(),
        }),
        _vcpu_fds: backing.vcpu_fds,
        harvester: backing.harvester,
        vm_fd: backing.vm_fd,
        slots: backing.slots,
        marks: backing
            .device_marks
            .then(|| (0..page_count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect()),
    }))
}

/// The memory as words that anybody may write at any time.
pub fn words(memory: &Capsule<MemoryTable>) -> &[AtomicU64] {
    let count = memory.length_bytes() as usize / 8;
    // SAFETY: the capsule keeps the mapping, and all access to it in these tests is atomic or another processor's.
    unsafe { std::slice::from_raw_parts(memory.base().cast::<AtomicU64>(), count) }
}

/// Pages named by a bitmap.
pub fn pages(bitmap: &[u64]) -> Vec<usize> {
    (0..bitmap.len() * 64)
        .filter(|page| bitmap[page / 64] >> (page % 64) & 1 == 1)
        .collect()
}

/// What a destination would hold: pages as they were when last reported.
pub struct Shadow {
    copy: Vec<u64>,
    word_count: usize,
}

impl Shadow {
    /// Starts tracking, then copies all that is populated.
    pub fn begin(memory: &Capsule<MemoryTable>, source: &dyn DirtySource) -> Self {
        let word_count = memory.page_count().div_ceil(64) as usize;
        let mut shadow = Self {
            copy: vec![0; words(memory).len()],
            word_count,
        };
        source.start().unwrap();
        let mut present = vec![0; word_count];
        memory.present(0, memory.page_count(), &mut present).unwrap();
        shadow.copy_pages(memory, &pages(&present));
        shadow
    }

    /// Collects once and copies what was reported; returns how many pages.
    pub fn collect(&mut self, memory: &Capsule<MemoryTable>, source: &dyn DirtySource) -> usize {
        let mut bitmap = vec![0; self.word_count];
        let count = source.collect(&mut bitmap).unwrap();
        let reported = pages(&bitmap);
        assert_eq!(count, reported.len() as u64, "the count is the number of bits");
        self.copy_pages(memory, &reported);
        reported.len()
    }

    fn copy_pages(&mut self, memory: &Capsule<MemoryTable>, pages: &[usize]) {
        let words = words(memory);
        for &page in pages {
            let run = page * PAGE_WORDS..(page + 1) * PAGE_WORDS;
            for (copy, word) in self.copy[run.clone()].iter_mut().zip(&words[run]) {
                *copy = word.load(Ordering::Relaxed);
            }
        }
    }

    /// Pages whose copy is not the memory.
    pub fn stale(&self, memory: &Capsule<MemoryTable>) -> Vec<usize> {
        let differs = words(memory)
            .iter()
            .zip(&self.copy)
            .map(|(word, copy)| word.load(Ordering::Relaxed) != *copy);
        let mut stale: Vec<usize> = differs
            .enumerate()
            .filter(|(_, differs)| *differs)
            .map(|(index, _)| index / PAGE_WORDS)
            .collect();
        stale.dedup();
        stale
    }
}
