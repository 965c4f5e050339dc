use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use godwit_ports::{CapsuleError, Channel, ChannelCounters, Slice, SliceMut};

use crate::pacer::{Grant, Pacer};
use crate::socket;
use crate::timer_slack::TimerSlack;
use crate::vectors::Vectors;
use crate::wake::{Waited, Wake};

/// A timeout that never comes.
pub const NO_TIMEOUT_MS: u32 = u32::MAX;

/// A connected TCP or Unix stream. The descriptor is non-blocking: threads wait in poll(2), where `interrupt` and `close`
/// reach them through an eventfd.
pub struct Stream {
    open: RwLock<Option<Open>>,
    interrupted: AtomicBool,
    closed: AtomicBool,
    /// Zero: no limit.
    link_bytes_per_second: AtomicU64,
    sending: Mutex<Pacer>,
    receiving: Mutex<()>,
    epoch: Instant,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    send_calls: AtomicU64,
    receive_calls: AtomicU64,
}

/// The descriptors of a stream that is not closed.
struct Open {
    socket: OwnedFd,
    wake: Wake,
}

#[derive(Clone, Copy)]
enum Direction {
    Send,
    Receive,
}

impl Stream {
    /// Takes a connected stream socket and makes it non-blocking.
    pub fn new(socket: OwnedFd, link_bytes_per_second: u64) -> io::Result<Self> {
        socket::configure(socket.as_fd())?;
        Ok(Self {
            open: RwLock::new(Some(Open {
                socket,
                wake: Wake::new()?,
            })),
            interrupted: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            link_bytes_per_second: AtomicU64::new(link_bytes_per_second),
            sending: Mutex::default(),
            receiving: Mutex::default(),
            epoch: Instant::now(),
            bytes_sent: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            send_calls: AtomicU64::new(0),
            receive_calls: AtomicU64::new(0),
        })
    }

    /// Caps the rate of what is sent from here on, also of a transfer in progress; zero lifts the cap.
    pub fn set_link_bytes_per_second(&self, bytes_per_second: u64) {
        self.link_bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Ends transfers in progress with `Closed` and closes the socket. What was sent still arrives. Idempotent. Waits for
    /// threads inside a transfer to leave it, microseconds as a rule.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake();
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Open { socket, .. }) = open {
            socket::finish(socket);
        }
    }

    /// Lets threads inside a transfer look around.
    fn wake(&self) {
        if let Some(open) = self.open.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            open.wake.raise();
        }
    }

    fn ended(&self) -> Result<(), CapsuleError> {
        if self.interrupted.load(Ordering::Acquire) {
            return Err(CapsuleError::Interrupted);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(CapsuleError::Closed);
        }
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    fn transfer(
        &self,
        direction: Direction,
        mut vectors: Vectors,
        timeout_ms: u32,
        mut pacer: Option<MutexGuard<'_, Pacer>>,
    ) -> Result<u64, CapsuleError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        self.ended()?;
        let Open { socket, wake } = open.as_ref().ok_or(CapsuleError::Closed)?;
        let fd = socket.as_fd();
        let total_bytes = vectors.remaining_bytes();
        if let Some(pacer) = &mut pacer {
            pacer.begin(self.now_ns(), self.link_bytes_per_second.load(Ordering::Relaxed));
        }
        let mut stalled_since = None;
        while vectors.remaining_bytes() > 0 {
            let limit_bytes = match &mut pacer {
                Some(pacer) => self.wait_for_link(wake, pacer, vectors.remaining_bytes())?,
                None => usize::MAX,
            };
            let moved = vectors.offer(limit_bytes, |window| match direction {
                Direction::Send => socket::send(fd, window),
                Direction::Receive => socket::receive(fd, window),
            });
            match moved {
                0 => return Err(CapsuleError::Closed),
                1.. => {
                    stalled_since = None;
                    self.count(direction, moved as u64);
                    if let Some(pacer) = &mut pacer
                        && self.link_bytes_per_second.load(Ordering::Relaxed) != 0
                    {
                        pacer.sent(moved as usize);
                    }
                    self.ended()?;
                }
                _ => match socket::failure() {
                    None => self.wait_for_peer(wake, fd, direction, timeout_ms, &mut stalled_since)?,
                    Some(error) => return Err(error),
                },
            }
        }
        Ok(total_bytes)
    }

    /// Waits until the link has room; returns how many bytes it takes.
    fn wait_for_link(&self, wake: &Wake, pacer: &mut Pacer, wanted_bytes: u64) -> Result<usize, CapsuleError> {
        let wanted = usize::try_from(wanted_bytes).unwrap_or(usize::MAX);
        let mut slack = None;
        loop {
            let rate = self.link_bytes_per_second.load(Ordering::Relaxed);
            if rate == 0 {
                *pacer = Pacer::default();
                return Ok(wanted);
            }
            match pacer.grant(self.now_ns(), rate, wanted) {
                Grant::Send(bytes) => return Ok(bytes),
                Grant::WaitNs(wait_ns) => {
                    slack.get_or_insert_with(TimerSlack::tighten);
                    wake.sleep(Duration::from_nanos(wait_ns)).map_err(os)?;
                    self.ended()?;
                }
            }
        }
    }

    fn wait_for_peer(
        &self,
        wake: &Wake,
        fd: BorrowedFd<'_>,
        direction: Direction,
        timeout_ms: u32,
        stalled_since: &mut Option<Instant>,
    ) -> Result<(), CapsuleError> {
        let events = match direction {
            Direction::Send => libc::POLLOUT,
            Direction::Receive => libc::POLLIN,
        };
        let stalled = stalled_since.get_or_insert_with(Instant::now);
        let limit = (timeout_ms != NO_TIMEOUT_MS)
            .then(|| Duration::from_millis(timeout_ms.into()).saturating_sub(stalled.elapsed()));
        let waited = wake.wait(fd, events, limit).map_err(os)?;
        self.ended()?;
        match waited {
            Waited::Elapsed => Err(CapsuleError::Timeout),
            Waited::Ready | Waited::Raised => Ok(()),
        }
    }

    fn count(&self, direction: Direction, bytes: u64) {
        let (total, calls) = match direction {
            Direction::Send => (&self.bytes_sent, &self.send_calls),
            Direction::Receive => (&self.bytes_received, &self.receive_calls),
        };
        total.fetch_add(bytes, Ordering::Relaxed);
        calls.fetch_add(1, Ordering::Relaxed);
    }
}

fn os(error: io::Error) -> CapsuleError {
    CapsuleError::Os(error.raw_os_error().unwrap_or(libc::EIO))
}

impl Channel for Stream {
    fn send(&self, slices: &[Slice<'_>], timeout_ms: u32) -> Result<u64, CapsuleError> {
        let pacer = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let vectors = Vectors::new(slices.iter().map(|slice| (slice.as_ptr().cast_mut(), slice.len())));
        self.transfer(Direction::Send, vectors, timeout_ms, Some(pacer))
    }

    fn receive(&self, slices: &[SliceMut<'_>], timeout_ms: u32) -> Result<u64, CapsuleError> {
        let _turn = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        let vectors = Vectors::new(slices.iter().map(|slice| (slice.as_mut_ptr(), slice.len())));
        self.transfer(Direction::Receive, vectors, timeout_ms, None)
    }

    fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
        self.wake();
    }

    fn counters(&self) -> ChannelCounters {
        ChannelCounters {
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            send_calls: self.send_calls.load(Ordering::Relaxed),
            receive_calls: self.receive_calls.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close();
    }
}

/// What crate-internal code holds of a stream, and what its capsule holds.
#[derive(Clone)]
pub struct SharedStream(pub std::sync::Arc<Stream>);

impl Channel for SharedStream {
    fn send(&self, slices: &[Slice<'_>], timeout_ms: u32) -> Result<u64, CapsuleError> {
        self.0.send(slices, timeout_ms)
    }

    fn receive(&self, slices: &[SliceMut<'_>], timeout_ms: u32) -> Result<u64, CapsuleError> {
        self.0.receive(slices, timeout_ms)
    }

    fn interrupt(&self) {
        self.0.interrupt();
    }

    fn counters(&self) -> ChannelCounters {
        self.0.counters()
    }
}
