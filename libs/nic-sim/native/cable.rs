//! The cable between the outside world and one host: four frame rings in one file of shared memory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::frame_ring::{CONTROL_BYTES, FrameRing, MAX_FRAME_BYTES};
use crate::shared_mapping::SharedMapping;

/// Ports of a guest's network card, and so pairs of rings in a cable.
pub const NIC_PORT_COUNT: usize = 2;
/// Bytes of one ring where nothing else is said: room for 3,640 frames of 64 bytes.
pub const DEFAULT_RING_BYTES: usize = 256 * 1024;

/// A file younger than this may be one that is being made and not locked yet.
const ABANDONED_AFTER: Duration = Duration::from_secs(10);

const MAGIC: u64 = u64::from_le_bytes(*b"GWCABLE\0");
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 4096;
const RING_BYTES_MAX: usize = 64 << 20;

const MAGIC_OFFSET: usize = 0;
const VERSION_OFFSET: usize = 8;
const PORT_COUNT_OFFSET: usize = 12;
const RING_BYTES_OFFSET: usize = 16;
const TOTAL_BYTES_OFFSET: usize = 24;
/// On a cache line of its own: zero, or the identity of the card that is plugged in.
const ATTACHED_OFFSET: usize = 128;

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a cable: {reason}"))
}

fn new_identity() -> u64 {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    (u64::from(std::process::id()) << 32) | u64::from(COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Takes the file's lock, which ends with this open file, or fails at once (`flock(2)`).
fn try_lock(file: &File) -> io::Result<()> {
    // SAFETY: a system call on an open descriptor without pointers.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

const fn total_bytes(ring_bytes: usize) -> usize {
    HEADER_BYTES + 2 * NIC_PORT_COUNT * (CONTROL_BYTES + ring_bytes)
}

/// One end of a cable. The outside world creates it, pushes to [`Cable::to_guest`] and pops from [`Cable::from_guest`];
/// a host opens it and does the opposite. There is one of each at a time: the rings have one producer and one consumer.
///
/// Both ends are processes of one user and trust each other with the file itself (who may open it may also truncate
/// it, and then access ends in SIGBUS); nothing written *into* it can harm the other end.
pub struct Cable {
    mapping: Arc<SharedMapping>,
    to_guest: [FrameRing; NIC_PORT_COUNT],
    from_guest: [FrameRing; NIC_PORT_COUNT],
    /// Tells this value from others that opened the same cable, in this process or another.
    identity: u64,
    /// The file to remove at the end, locked for as long: at the creator's end only.
    created: Option<(PathBuf, File)>,
}

impl Cable {
    /// Makes the file, which must not exist (on a tmpfs such as /dev/shm), with rings of `ring_bytes` each, a power of
    /// two, and populates its memory. The file is removed when this value is dropped.
    ///
    /// # Errors
    /// `InvalidInput` for a size out of range, and what the file system says.
    pub fn create(path: &Path, ring_bytes: usize) -> io::Result<Self> {
        if !ring_bytes.is_power_of_two() || !(2 * MAX_FRAME_BYTES..=RING_BYTES_MAX).contains(&ring_bytes) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "ring_bytes must be a power of two, 4 KiB to 64 MiB",
            ));
        }
        let total = total_bytes(ring_bytes);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let made = (|| {
            try_lock(&file)?;
            file.set_len(total as u64)?;
            // Room is reserved now: a full tmpfs is an error here and not a SIGBUS later. Fresh memory is zero.
            // SAFETY: a system call on an open descriptor without pointers.
            let refused = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, total as i64) };
            if refused != 0 {
                return Err(io::Error::from_raw_os_error(refused));
            }
            SharedMapping::of(&file, total)
        })();
        let mapping = match made {
            Ok(mapping) => Arc::new(mapping),
            Err(error) => {
                fs::remove_file(path).ok();
                return Err(error);
            }
        };
        let header = Header(&mapping);
        header.word(VERSION_OFFSET).store(VERSION, Ordering::Relaxed);
        header
            .word(PORT_COUNT_OFFSET)
            .store(NIC_PORT_COUNT as u32, Ordering::Relaxed);
        header
            .double_word(RING_BYTES_OFFSET)
            .store(ring_bytes as u64, Ordering::Relaxed);
        header
            .double_word(TOTAL_BYTES_OFFSET)
            .store(total as u64, Ordering::Relaxed);
        // Last, so that who sees the magic sees the rest.
        header.double_word(MAGIC_OFFSET).store(MAGIC, Ordering::Release);
        Ok(Self::over(mapping, ring_bytes, Some((path.to_path_buf(), file))))
    }

    /// Removes the cables in a directory whose names begin with `prefix` and whose maker is gone: killed, as it would have
    /// removed them otherwise. What cannot be looked at is left alone.
    pub fn remove_abandoned(directory: &Path, prefix: &str) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
            let fresh = |file: &File| {
                let age = file
                    .metadata()
                    .and_then(|metadata| metadata.modified())
                    .map(|changed| changed.elapsed());
                !matches!(age, Ok(Ok(age)) if age > ABANDONED_AFTER)
            };
            if entry.file_name().to_string_lossy().starts_with(prefix)
                && let Ok(file) = OpenOptions::new()
                    .read(true)
                    .custom_flags(libc::O_NOFOLLOW)
                    .open(entry.path())
                && !fresh(&file)
                && try_lock(&file).is_ok()
            {
                fs::remove_file(entry.path()).ok();
            }
        }
    }

    /// Opens the host's end of a cable that [`Cable::create`] made.
    ///
    /// # Errors
    /// `InvalidData` when it is no cable or one of another version, and what the file system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file()
            || metadata.len() < HEADER_BYTES as u64
            || metadata.len() > total_bytes(RING_BYTES_MAX) as u64
        {
            return Err(invalid("the file has another size"));
        }
        let length = metadata.len() as usize;
        let mapping = Arc::new(SharedMapping::of(&file, length)?);
        let header = Header(&mapping);
        if header.double_word(MAGIC_OFFSET).load(Ordering::Acquire) != MAGIC {
            return Err(invalid("it does not begin like one"));
        }
        if header.word(VERSION_OFFSET).load(Ordering::Relaxed) != VERSION {
            return Err(invalid("it has another version"));
        }
        let ring_bytes = header.double_word(RING_BYTES_OFFSET).load(Ordering::Relaxed);
        let total = header.double_word(TOTAL_BYTES_OFFSET).load(Ordering::Relaxed);
        let ports = header.word(PORT_COUNT_OFFSET).load(Ordering::Relaxed);
        let plausible = ring_bytes.is_power_of_two()
            && (2 * MAX_FRAME_BYTES as u64..=RING_BYTES_MAX as u64).contains(&ring_bytes)
            && ports as usize == NIC_PORT_COUNT
            && total == length as u64
            && total_bytes(ring_bytes as usize) == length;
        if !plausible {
            return Err(invalid("its sizes contradict each other"));
        }
        Ok(Self::over(mapping, ring_bytes as usize, None))
    }

    fn over(mapping: Arc<SharedMapping>, ring_bytes: usize, created: Option<(PathBuf, File)>) -> Self {
        let ring = |index: usize| {
            FrameRing::at(
                &mapping,
                HEADER_BYTES + index * (CONTROL_BYTES + ring_bytes),
                ring_bytes,
            )
        };
        let to_guest = [ring(0), ring(1)];
        let from_guest = [ring(2), ring(3)];
        Self {
            mapping,
            to_guest,
            from_guest,
            identity: new_identity(),
            created,
        }
    }

    /// The ring of frames to the guest's port 0 or 1. The outside world pushes, the host pops.
    ///
    /// # Panics
    /// When there is no such port.
    pub fn to_guest(&mut self, port: usize) -> &mut FrameRing {
        &mut self.to_guest[port]
    }

    /// The ring of frames from the guest's port 0 or 1. The host pushes, the outside world pops.
    ///
    /// # Panics
    /// When there is no such port.
    pub fn from_guest(&mut self, port: usize) -> &mut FrameRing {
        &mut self.from_guest[port]
    }

    /// Whether any of the four rings is damaged; then the cable is as good as cut.
    pub fn is_damaged(&self) -> bool {
        self.to_guest.iter().chain(&self.from_guest).any(FrameRing::is_damaged)
    }

    /// Whether a card is plugged in at the host's end. Without one, frames have nowhere to go.
    pub fn is_attached(&self) -> bool {
        self.attached_word().load(Ordering::Acquire) != 0
    }

    /// Plugs in what holds this end (host's end), when it is not: frames left from before are thrown away, then the link
    /// is up. Whoever was plugged in at this end before is out of it from now on.
    pub fn attach(&mut self) {
        if self.is_attached_here() {
            return;
        }
        for ring in &mut self.to_guest {
            ring.discard_all();
        }
        for ring in &mut self.from_guest {
            ring.resynchronise();
        }
        self.attached_word().store(self.identity, Ordering::Release);
    }

    /// Pulls out what holds this end; does nothing when another one has taken its place.
    pub fn detach(&mut self) {
        self.attached_word()
            .compare_exchange(self.identity, 0, Ordering::AcqRel, Ordering::Relaxed)
            .ok();
    }

    /// Whether what is plugged in at the host's end is the holder of this value.
    pub fn is_attached_here(&self) -> bool {
        self.created.is_none() && self.attached_word().load(Ordering::Acquire) == self.identity
    }

    fn attached_word(&self) -> &AtomicU64 {
        Header(&self.mapping).double_word(ATTACHED_OFFSET)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        match &self.created {
            Some((path, _)) => fs::remove_file(path).unwrap_or(()),
            None => self.detach(),
        }
    }
}

/// The first page of a cable's file.
struct Header<'a>(&'a SharedMapping);

impl<'a> Header<'a> {
    fn word(&self, offset: usize) -> &'a AtomicU32 {
        // SAFETY: `at` checks the range; the mapping is aligned to a page and the offsets above to 4; atomics may be
        // shared with another process; the mapping outlives 'a.
        unsafe { AtomicU32::from_ptr(self.0.at(offset, 4).cast()) }
    }

    fn double_word(&self, offset: usize) -> &'a AtomicU64 {
        // SAFETY: as in `word`; the offsets of double words are multiples of 8.
        unsafe { AtomicU64::from_ptr(self.0.at(offset, 8).cast()) }
    }
}

#[cfg(test)]
#[path = "cable_tests.rs"]
mod tests;
