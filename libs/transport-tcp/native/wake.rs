use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The descriptor is ready, or has an error to tell.
    Ready,
    /// Somebody called [`Wake::raise`].
    Raised,
    /// The time is over.
    Elapsed,
}

/// Ends waits from other threads. Once raised it stays raised: every waiter returns, now and later.
pub struct Wake {
    event: OwnedFd,
}

impl Wake {
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            // SAFETY: the descriptor was just made and belongs to nobody else.
            event: unsafe { OwnedFd::from_raw_fd(fd) },
        })
    }

    pub fn raise(&self) {
        let one = 1u64;
        // SAFETY: writes eight bytes of a live integer. Only a full counter makes it fail, and that one is raised already.
        unsafe { libc::write(self.event.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Waits until `fd` has one of `events` (`POLLIN`, `POLLOUT`), until raised, or for `limit` (none: for ever).
    pub fn wait(&self, fd: BorrowedFd<'_>, events: i16, limit: Option<Duration>) -> io::Result<Waited> {
        self.poll(Some((fd, events)), limit)
    }

    /// Waits until raised or for `limit`.
    pub fn sleep(&self, limit: Duration) -> io::Result<Waited> {
        self.poll(None, Some(limit))
    }

    /// A signal ends it with `Ready`: callers look again anyway.
    fn poll(&self, watched: Option<(BorrowedFd<'_>, i16)>, limit: Option<Duration>) -> io::Result<Waited> {
        let (fd, events) = watched.map_or((-1, 0), |(fd, events)| (fd.as_raw_fd(), events));
        let mut entries = [
            libc::pollfd {
                fd: self.event.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            },
            libc::pollfd { fd, events, revents: 0 },
        ];
        let time = limit.map(|limit| libc::timespec {
            tv_sec: limit.as_secs() as libc::time_t,
            tv_nsec: limit.subsec_nanos().into(),
        });
        let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the entries and the time live through the call; a null signal mask leaves the thread's as it is.
        let ready = unsafe {
            libc::ppoll(
                entries.as_mut_ptr(),
                entries.len() as libc::nfds_t,
                time,
                std::ptr::null(),
            )
        };
        if ready < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted {
                Ok(Waited::Ready)
            } else {
                Err(error)
            };
        }
        Ok(match entries[0].revents {
            0 if ready == 0 => Waited::Elapsed,
            0 => Waited::Ready,
            _ => Waited::Raised,
        })
    }
}
