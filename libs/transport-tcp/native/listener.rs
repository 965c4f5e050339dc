use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::address::{self, Target};
use crate::failure::{CONNECTION_CLOSED, Failure, LISTEN_FAILED, NATIVE_FAILED};
use crate::wake::Wake;

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// The descriptors of a listener that is not closed.
struct Open {
    socket: Socket,
    wake: Wake,
}

/// A listening socket.
pub struct Listener {
    open: RwLock<Option<Open>>,
    closed: AtomicBool,
    address: String,
}

impl Listener {
    /// Binds and listens; blocks while a name is looked up.
    pub fn listen(target: &Target, allow_insecure: bool) -> Result<Self, Failure> {
        let failed = |error: io::Error| unavailable(target, &error);
        let (socket, address) = match target {
            Target::Unix { path } => {
                let listener = UnixListener::bind(path).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                (Socket::Unix(listener, path.clone()), target.text())
            }
            Target::Tcp { host, port } => {
                let candidates = address::resolve(host, *port, allow_insecure, LISTEN_FAILED)?;
                let listener = TcpListener::bind(&candidates[..]).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                let address = address::text(listener.local_addr().map_err(failed)?);
                (Socket::Tcp(listener), address)
            }
        };
        Ok(Self {
            open: RwLock::new(Some(Open {
                socket,
                wake: Wake::new().map_err(failed)?,
            })),
            closed: AtomicBool::new(false),
            address,
        })
    }

    /// Where peers connect to, with the real port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Blocks for the next connection. Returns the socket and the address of the peer.
    pub fn accept(&self) -> Result<(OwnedFd, String), Failure> {
        let guard = self.open.read().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(Open { socket, wake }) = guard.as_ref().filter(|_| !self.closed.load(Ordering::Acquire)) else {
                return Err(Failure::new(
                    CONNECTION_CLOSED,
                    format!("the listener on {} was closed", self.address),
                ));
            };
            let (accepted, fd) = match socket {
                Socket::Tcp(listener) => (
                    listener
                        .accept()
                        .map(|(stream, from)| (stream.into(), address::text(from))),
                    listener.as_fd(),
                ),
                Socket::Unix(listener, _) => (
                    listener
                        .accept()
                        .map(|(stream, _)| (stream.into(), self.address.clone())),
                    listener.as_fd(),
                ),
            };
            let error = match accepted {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::WouldBlock => {
                    if let Err(error) = wake.wait(fd, libc::POLLIN, None) {
                        return Err(self.broken(&error));
                    }
                }
                // The peer left before we looked.
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                _ => return Err(self.broken(&error)),
            }
        }
    }

    /// Ends accepts and frees the address. Idempotent.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(open) = self.open.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            open.wake.raise();
        }
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Open {
            socket: Socket::Unix(_, path),
            ..
        }) = open
        {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }

    fn broken(&self, error: &io::Error) -> Failure {
        Failure::new(NATIVE_FAILED, format!("accepting on {} failed: {error}", self.address))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

fn unavailable(target: &Target, error: &io::Error) -> Failure {
    let hint = match (error.kind(), target) {
        (io::ErrorKind::AddrInUse, Target::Tcp { .. }) => {
            ": another process listens there; end it, choose another port, or use port 0 for a free one"
        }
        (io::ErrorKind::AddrInUse, Target::Unix { .. }) => {
            ": another process listens there, or has left the file behind; end it or remove the file"
        }
        (io::ErrorKind::PermissionDenied, Target::Tcp { .. }) => {
            ": ports below 1024 need privileges; choose a higher one"
        }
        (io::ErrorKind::AddrNotAvailable, _) => ": this machine does not have the address",
        _ => "",
    };
    Failure::new(
        LISTEN_FAILED,
        format!("cannot listen on {} ({error}){hint}", target.text()),
    )
}
