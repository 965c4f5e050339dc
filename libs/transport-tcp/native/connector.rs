use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::address::{self, Target};
use crate::failure::{CONNECT_FAILED, Failure, INTERRUPTED};
use crate::wake::{Waited, Wake};

/// Makes one connection; `cancel` ends the attempt from another thread.
pub struct Connector {
    wake: Wake,
}

impl Connector {
    pub fn new() -> io::Result<Self> {
        Ok(Self { wake: Wake::new()? })
    }

    pub fn cancel(&self) {
        self.wake.raise();
    }

    /// Blocks until connected. Returns the socket and the address of the peer.
    pub fn connect(
        &self,
        target: &Target,
        allow_insecure: bool,
        timeout: Option<Duration>,
    ) -> Result<(OwnedFd, String), Failure> {
        match target {
            Target::Unix { path } => match UnixStream::connect(path) {
                Ok(stream) => Ok((stream.into(), target.text())),
                Err(error) => Err(refused(&target.text(), &error)),
            },
            Target::Tcp { host, port } => {
                let deadline = timeout.map(|timeout| Instant::now() + timeout);
                let mut last = None;
                for candidate in address::resolve(host, *port, allow_insecure, CONNECT_FAILED)? {
                    match self.connect_tcp(candidate, deadline) {
                        Ok(Some(socket)) => return Ok((socket, address::text(candidate))),
                        Ok(None) => {
                            return Err(Failure::new(
                                INTERRUPTED,
                                format!("connecting to {} was cancelled", target.text()),
                            ));
                        }
                        Err(error) => last = Some(refused(&address::text(candidate), &error)),
                    }
                }
                Err(last.unwrap_or_else(|| Failure::new(CONNECT_FAILED, format!("no address for {}", target.text()))))
            }
        }
    }

    /// None: cancelled.
    fn connect_tcp(&self, to: SocketAddr, deadline: Option<Instant>) -> io::Result<Option<OwnedFd>> {
        let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        // SAFETY: socket takes no pointers.
        let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        if start(&socket, to) < 0 {
            let error = io::Error::last_os_error();
            if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) {
                return Err(error);
            }
        }
        loop {
            let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.wake.wait(socket.as_fd(), libc::POLLOUT, limit)? {
                Waited::Raised => return Ok(None),
                Waited::Elapsed => return Err(io::ErrorKind::TimedOut.into()),
                Waited::Ready => {}
            }
            let stream = std::net::TcpStream::from(socket.try_clone()?);
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            // Without an address of the peer it was a signal that ended the wait.
            if stream.peer_addr().is_ok() {
                return Ok(Some(socket));
            }
        }
    }
}

fn start(socket: &OwnedFd, to: SocketAddr) -> libc::c_int {
    match to {
        SocketAddr::V4(to) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: to.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(to.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: the address lives through the call and has the length given.
            unsafe {
                libc::connect(
                    socket.as_raw_fd(),
                    (&raw const raw).cast(),
                    size_of_val(&raw) as libc::socklen_t,
                )
            }
        }
        SocketAddr::V6(to) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: to.port().to_be(),
                sin6_flowinfo: to.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: to.ip().octets(),
                },
                sin6_scope_id: to.scope_id(),
            };
            // SAFETY: the address lives through the call and has the length given.
            unsafe {
                libc::connect(
                    socket.as_raw_fd(),
                    (&raw const raw).cast(),
                    size_of_val(&raw) as libc::socklen_t,
                )
            }
        }
    }
}

fn refused(address: &str, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::ConnectionRefused => ": nobody listens there; start the destination first",
        io::ErrorKind::NotFound => ": there is no such socket; start the destination first",
        io::ErrorKind::TimedOut => ": it does not answer; is the host up, and does a firewall let the port through?",
        _ => "",
    };
    Failure::new(CONNECT_FAILED, format!("cannot connect to {address} ({error}){hint}"))
}
