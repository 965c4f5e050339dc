use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use godwit_ports::{Capsule, CapsuleError, Channel, ChannelTable, Slice, SliceMut};

use crate::stream::{NO_TIMEOUT_MS, SharedStream, Stream};
use crate::vectors::VECTORS_MAX;

fn tcp_pair() -> (Stream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (stream(near.into()), stream(far.into()))
}

fn unix_pair() -> (Stream, Stream) {
    let (near, far) = UnixStream::pair().unwrap();
    (stream(near.into()), stream(far.into()))
}

fn stream(socket: OwnedFd) -> Stream {
    Stream::new(socket, 0).unwrap()
}

fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 56) as u8
        })
        .collect()
}

fn receive(stream: &impl Channel, length: usize) -> Result<Vec<u8>, CapsuleError> {
    let mut bytes = vec![0; length];
    stream.receive(&[SliceMut::new(&mut bytes)], 10_000)?;
    Ok(bytes)
}

#[test]
fn many_vectors_arrive_whole_in_both_directions_at_once() {
    for (near, far) in [tcp_pair(), unix_pair()] {
        let bytes = pattern(5_000_000, 3);
        thread::scope(|scope| {
            for (from, to) in [(&near, &far), (&far, &near)] {
                let bytes = &bytes;
                scope.spawn(move || {
                    let pieces = bytes
                        .chunks(1009)
                        .flat_map(|chunk| [Slice::new(chunk), Slice::new(&[])]);
                    let slices: Vec<Slice<'_>> = pieces.collect();
                    assert!(slices.len() > VECTORS_MAX * 2);
                    assert_eq!(from.send(&slices, 10_000), Ok(bytes.len() as u64));
                });
                scope.spawn(move || {
                    let mut got = vec![0; bytes.len()];
                    let room: Vec<SliceMut<'_>> = got.chunks_mut(777).map(SliceMut::new).collect();
                    assert_eq!(to.receive(&room, 10_000), Ok(bytes.len() as u64));
                    assert!(got == *bytes);
                });
            }
        });
        assert_eq!(near.counters().bytes_sent, 5_000_000);
        assert_eq!(near.counters().bytes_received, 5_000_000);
        assert!(far.counters().send_calls > 0 && far.counters().receive_calls > 0);
    }
}

#[test]
fn a_silent_peer_is_a_timeout_in_either_direction() {
    for (near, _far) in [tcp_pair(), unix_pair()] {
        assert_eq!(receive_within(&near, 1), Err(CapsuleError::Timeout));
        let much = vec![0; 64 << 20];
        assert_eq!(near.send(&[Slice::new(&much)], 1), Err(CapsuleError::Timeout));
        assert!(near.counters().bytes_sent < 64 << 20);
    }
}

fn receive_within(stream: &Stream, timeout_ms: u32) -> Result<u64, CapsuleError> {
    stream.receive(&[SliceMut::new(&mut [0])], timeout_ms)
}

#[test]
fn the_peers_close_ends_both_directions_after_what_was_sent() {
    for (near, far) in [tcp_pair(), unix_pair()] {
        far.send(&[Slice::new(b"last words")], 10_000).unwrap();
        near.send(&[Slice::new(b"never read")], 10_000).unwrap();
        far.close();
        assert_eq!(receive(&near, 10).as_deref(), Ok(&b"last words"[..]));
        assert_eq!(receive(&near, 1), Err(CapsuleError::Closed));
        let much = vec![0; 64 << 20];
        assert_eq!(near.send(&[Slice::new(&much)], 10_000), Err(CapsuleError::Closed));
        assert_eq!(receive(&far, 1), Err(CapsuleError::Closed));
    }
}

#[test]
fn bytes_sent_before_a_close_arrive_even_when_the_peer_reads_late() {
    let (near, far) = tcp_pair();
    let bytes = pattern(200_000, 5);
    far.send(&[Slice::new(&[7; 1000])], 10_000).unwrap();
    near.send(&[Slice::new(&bytes)], 10_000).unwrap();
    near.close();
    near.close();
    assert!(receive(&far, bytes.len()).unwrap() == bytes);
    assert_eq!(receive(&far, 1), Err(CapsuleError::Closed));
}

#[test]
fn interrupt_ends_calls_in_progress_and_later_ones() {
    let (near, _far) = tcp_pair();
    let near = Arc::new(near);
    let waiting = {
        let near = near.clone();
        thread::spawn(move || receive_within(&near, NO_TIMEOUT_MS))
    };
    near.interrupt();
    assert_eq!(waiting.join().unwrap(), Err(CapsuleError::Interrupted));
    assert_eq!(receive_within(&near, 0), Err(CapsuleError::Interrupted));
    assert_eq!(near.send(&[Slice::new(b"x")], 0), Err(CapsuleError::Interrupted));
    assert_eq!(near.counters().bytes_sent, 0);
}

#[test]
fn interrupt_and_close_reach_a_sender_that_waits_for_the_link() {
    for close in [false, true] {
        let (near, _far) = tcp_pair();
        near.set_link_bytes_per_second(1);
        let near = Arc::new(near);
        let waiting = {
            let near = near.clone();
            thread::spawn(move || near.send(&[Slice::new(&vec![0; 1 << 20])], NO_TIMEOUT_MS))
        };
        if close {
            near.close();
        } else {
            near.interrupt();
        }
        let expected = if close {
            CapsuleError::Closed
        } else {
            CapsuleError::Interrupted
        };
        assert_eq!(waiting.join().unwrap(), Err(expected));
    }
}

#[test]
fn lifting_the_cap_frees_a_sender_that_waits_for_the_link() {
    let (near, far) = tcp_pair();
    near.set_link_bytes_per_second(1);
    let near = Arc::new(near);
    let sending = {
        let near = near.clone();
        thread::spawn(move || near.send(&[Slice::new(&vec![9; 1 << 20])], NO_TIMEOUT_MS))
    };
    assert_eq!(receive(&far, 4096).unwrap(), [9; 4096]);
    near.set_link_bytes_per_second(0);
    assert_eq!(receive(&far, (1 << 20) - 4096).unwrap().len(), (1 << 20) - 4096);
    assert_eq!(sending.join().unwrap(), Ok(1 << 20));
}

#[test]
fn a_capsule_carries_the_channel_and_outlives_its_maker() {
    let (near, far) = tcp_pair();
    let near = SharedStream(Arc::new(near));
    let capsule = Capsule::<ChannelTable>::export(near.clone());
    drop(near);
    thread::spawn(move || {
        assert_eq!(
            capsule.send(&[Slice::new(b"through "), Slice::new(b"the table")], 10_000),
            Ok(17)
        );
        assert_eq!(capsule.counters().bytes_sent, 17);
    })
    .join()
    .unwrap();
    assert_eq!(receive(&far, 17).unwrap(), b"through the table");
    assert_eq!(receive(&far, 1), Err(CapsuleError::Closed));
}

#[test]
fn a_peer_that_resets_before_it_is_accepted_is_a_closed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let reset = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let (fd, length) = (near.as_raw_fd(), size_of_val(&reset) as libc::socklen_t);
    // SAFETY: the linger lives through the call and has the length given.
    let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const reset).cast(), length) };
    assert_eq!(set, 0);
    drop(near);
    let (far, _) = listener.accept().unwrap();
    assert_eq!(receive(&stream(far.into()), 1), Err(CapsuleError::Closed));
}
