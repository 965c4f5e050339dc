use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::address::Target;
use crate::connector::Connector;
use crate::failure::{CONNECT_FAILED, CONNECTION_CLOSED, INTERRUPTED, LISTEN_FAILED};
use crate::listener::Listener;

fn loopback(port: u16) -> Target {
    Target::Tcp {
        host: "127.0.0.1".into(),
        port,
    }
}

fn target(listener: &Listener) -> Target {
    loopback(listener.address().rsplit(':').next().unwrap().parse().unwrap())
}

#[test]
fn connects_and_accepts_and_names_both_ends() {
    let listener = Listener::listen(&loopback(0), false).unwrap();
    let (_near, remote) = Connector::new()
        .unwrap()
        .connect(&target(&listener), false, None)
        .unwrap();
    assert_eq!(remote, listener.address());
    let (_far, from) = listener.accept().unwrap();
    assert!(from.starts_with("tcp://127.0.0.1:") && from != remote);
}

#[test]
fn close_ends_an_accept_and_frees_the_address() {
    let listener = Arc::new(Listener::listen(&loopback(0), false).unwrap());
    let accepting = {
        let listener = listener.clone();
        thread::spawn(move || listener.accept())
    };
    listener.close();
    listener.close();
    assert_eq!(accepting.join().unwrap().unwrap_err().code, CONNECTION_CLOSED);
    let refused = Connector::new()
        .unwrap()
        .connect(&target(&listener), false, None)
        .unwrap_err();
    assert_eq!(refused.code, CONNECT_FAILED);
    assert!(refused.message.contains("nobody listens"));
    Listener::listen(&target(&listener), false).unwrap();
}

#[test]
fn an_address_in_use_is_named_with_what_to_do() {
    let listener = Listener::listen(&loopback(0), false).unwrap();
    let Err(failure) = Listener::listen(&target(&listener), false) else {
        panic!("listens twice on {}", listener.address());
    };
    assert_eq!(failure.code, LISTEN_FAILED);
    assert!(failure.message.contains(listener.address()) && failure.message.contains("port 0"));
}

/// A port whose queue of waiting connections is full: the kernel drops what knocks, and a connect hangs.
fn silent_port() -> (TcpListener, Vec<std::os::fd::OwnedFd>, Target) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: listen takes no pointers; on a socket that listens already it changes the length of the queue.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let target = loopback(listener.local_addr().unwrap().port());
    let (first, _) = Connector::new().unwrap().connect(&target, false, None).unwrap();
    (listener, vec![first], target)
}

#[test]
fn a_silent_peer_is_a_failure_after_the_time_allowed() {
    let (_listener, _first, target) = silent_port();
    let failure = Connector::new()
        .unwrap()
        .connect(&target, false, Some(Duration::ZERO))
        .unwrap_err();
    assert_eq!(failure.code, CONNECT_FAILED);
    assert!(failure.message.contains("does not answer"));
}

#[test]
fn cancel_ends_an_attempt_in_progress() {
    let (_listener, _first, target) = silent_port();
    let connector = Arc::new(Connector::new().unwrap());
    let attempt = {
        let connector = connector.clone();
        thread::spawn(move || connector.connect(&target, false, None))
    };
    connector.cancel();
    assert_eq!(attempt.join().unwrap().unwrap_err().code, INTERRUPTED);
}
