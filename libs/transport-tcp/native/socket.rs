use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use godwit_ports::CapsuleError;
use libc::{c_int, iovec};

/// Bytes not yet handed to the network that a TCP socket may hold. The buffers themselves are left to the kernel's
/// tuning (setting them would switch it off and cap long links); this bounds how far a sender runs ahead of what the
/// receiver lets in, so that a send that returned says something about what has arrived.
const UNSENT_BYTES_MAX: c_int = 256 << 10;
const KEEP_ALIVE: [(c_int, c_int); 3] = [
    (libc::TCP_KEEPIDLE, 5),
    (libc::TCP_KEEPINTVL, 2),
    (libc::TCP_KEEPCNT, 5),
];
/// How long a closed connection waits for the peer's kernel to take what was sent.
const FINISH_LIMIT: Duration = Duration::from_secs(10);

/// Makes a connected stream socket fit for a channel.
pub fn configure(socket: BorrowedFd<'_>) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    // SAFETY: fcntl with integer arguments on a descriptor that is open for the borrow.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    // SAFETY: as above.
    if flags < 0 || unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) } < 0 {
        return Err(io::Error::last_os_error());
    }
    if option(fd, libc::SOL_SOCKET, libc::SO_DOMAIN)? != libc::AF_UNIX {
        tune(socket);
    }
    Ok(())
}

/// Failures are ignored: a connection that its peer has reset already can't be tuned, and its first transfer will tell.
fn tune(socket: BorrowedFd<'_>) {
    let fd = socket.as_raw_fd();
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX);
    set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
    for (name, value) in KEEP_ALIVE {
        set_option(fd, libc::IPPROTO_TCP, name, value);
    }
    let peer = socket
        .try_clone_to_owned()
        .and_then(|socket| TcpStream::from(socket).peer_addr());
    if peer.is_ok_and(|peer| peer.ip().to_canonical().is_loopback()) {
        calm(fd);
    }
}

/// There is no congestion on a loopback, but BBR, the default of some systems, paces there too and loses a sixth of the
/// throughput. Where Cubic is not to be had, nothing is lost but that.
fn calm(fd: c_int) {
    let name = b"cubic";
    // SAFETY: the name lives through the call and has the length given.
    unsafe {
        let length = name.len() as libc::socklen_t;
        libc::setsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            name.as_ptr().cast(),
            length,
        )
    };
}

/// sendmsg(2) without blocking and without SIGPIPE.
pub fn send(socket: BorrowedFd<'_>, vectors: &mut [iovec]) -> isize {
    let message = message(vectors);
    // SAFETY: the message and its vectors live through the call. The bytes behind them are readable for the transfer, as
    // the makers of its slices vouch; bytes that change meanwhile are copied by the kernel in some state.
    unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) }
}

/// recvmsg(2) without blocking.
pub fn receive(socket: BorrowedFd<'_>, vectors: &mut [iovec]) -> isize {
    let mut message = message(vectors);
    // SAFETY: the message and its vectors live through the call; the bytes behind them are writable for the transfer, as
    // the makers of its slices vouch.
    unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_DONTWAIT) }
}

fn message(vectors: &mut [iovec]) -> libc::msghdr {
    // SAFETY: all zero is a valid msghdr: null pointers with zero lengths.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = vectors.len() as _;
    message
}

/// Why the last `send` or `receive` of this thread failed; none where waiting or repeating helps.
pub fn failure() -> Option<CapsuleError> {
    match io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) {
        // EAGAIN is EWOULDBLOCK on Linux.
        libc::EAGAIN | libc::EINTR => None,
        libc::EPIPE | libc::ECONNRESET | libc::ECONNABORTED | libc::ENOTCONN | libc::ETIMEDOUT => {
            Some(CapsuleError::Closed)
        }
        libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENETDOWN | libc::ENETRESET => Some(CapsuleError::Closed),
        errno => Some(CapsuleError::Os(errno)),
    }
}

/// Closes a socket so that what was sent arrives. A close with unread bytes resets a TCP connection and throws away what
/// is still queued: if anything is, a thread reads and drops until the peer's kernel has taken all.
pub fn finish(socket: OwnedFd) {
    // SAFETY: shutdown takes no pointers; the descriptor is ours.
    unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) };
    if drain(socket.as_fd()) && queued_bytes(socket.as_fd()) > 0 {
        // Where no thread can be had, the socket is closed at once.
        let _ = std::thread::Builder::new().name("godwit-finish".into()).spawn(move || {
            let deadline = Instant::now() + FINISH_LIMIT;
            while Instant::now() < deadline && queued_bytes(socket.as_fd()) > 0 {
                let mut entry = libc::pollfd {
                    fd: socket.as_raw_fd(),
                    events: libc::POLLIN,
                    revents: 0,
                };
                // The kernel has no event for "all acknowledged", hence the short limit.
                // SAFETY: the entry lives through the call.
                if unsafe { libc::poll(&mut entry, 1, 5) } > 0 && !drain(socket.as_fd()) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
    }
}

/// Reads and drops what is there. False if the peer has closed or the connection broke.
fn drain(socket: BorrowedFd<'_>) -> bool {
    let mut dropped = [0u8; 4096];
    // A peer that keeps sending must not keep us here.
    for _ in 0..1024 {
        let mut vectors = [iovec {
            iov_base: dropped.as_mut_ptr().cast(),
            iov_len: dropped.len(),
        }];
        match receive(socket, &mut vectors) {
            1.. => {}
            0 => return false,
            _ => return failure().is_none(),
        }
    }
    true
}

/// Bytes the peer's kernel has not acknowledged.
fn queued_bytes(socket: BorrowedFd<'_>) -> c_int {
    let mut bytes = 0;
    // SAFETY: TIOCOUTQ writes one int, which lives through the call.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } < 0 {
        0
    } else {
        bytes
    }
}

fn option(fd: c_int, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: value and length live through the call and fit each other.
    if unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &mut length) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value)
}

fn set_option(fd: c_int, level: c_int, name: c_int, value: c_int) {
    let length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: value lives through the call and has the length given.
    unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length) };
}
