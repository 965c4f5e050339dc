use std::fs::File;
use std::os::fd::FromRawFd;

use super::*;

const CAPACITY_BYTES: usize = 8192;

fn mapping() -> Arc<SharedMapping> {
    // SAFETY: the name is a terminated string; the descriptor is new and given to `File` alone.
    let file = unsafe { File::from_raw_fd(libc::memfd_create(c"ring".as_ptr(), 0)) };
    file.set_len((CONTROL_BYTES + CAPACITY_BYTES) as u64).unwrap();
    Arc::new(SharedMapping::of(&file, CONTROL_BYTES + CAPACITY_BYTES).unwrap())
}

fn ends() -> (FrameRing, FrameRing) {
    let mapping = mapping();
    (
        FrameRing::at(&mapping, 0, CAPACITY_BYTES),
        FrameRing::at(&mapping, 0, CAPACITY_BYTES),
    )
}

fn pop(ring: &mut FrameRing) -> Option<Vec<u8>> {
    let mut frame = [0; MAX_FRAME_BYTES];
    ring.pop(&mut frame).map(|length| frame[..length].to_vec())
}

/// A small generator of test data (xorshift, Marsaglia, Journal of Statistical Software 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn frames_come_out_whole_and_in_order_around_the_end_many_times() {
    let (mut producer, mut consumer) = ends();
    let mut random = Random(7);
    for round in 0..2000_u64 {
        let frames: Vec<Vec<u8>> = (0..random.next() % 5)
            .map(|_| (0..1 + random.next() % 1500).map(|byte| (byte ^ round) as u8).collect())
            .collect();
        let taken: Vec<_> = frames.into_iter().filter(|frame| producer.push(frame)).collect();
        for frame in taken {
            assert_eq!(pop(&mut consumer), Some(frame));
        }
        assert!(consumer.is_empty());
        assert_eq!(pop(&mut consumer), None);
    }
}

#[test]
fn a_full_ring_refuses_and_goes_on_when_there_is_room() {
    let (mut producer, mut consumer) = ends();
    let count = (0..).take_while(|index| producer.push(&[*index as u8; 60])).count();
    assert_eq!(count, CAPACITY_BYTES / 64);
    assert_eq!(producer.queued_bytes(), CAPACITY_BYTES as u64);
    assert!(!producer.is_damaged());
    assert_eq!(pop(&mut consumer), Some(vec![0; 60]));
    assert!(producer.push(&[9; 60]));
    assert!(!producer.push(&[9; 60]));
    assert!(!producer.push(&[]));
    assert!(!producer.push(&[0; MAX_FRAME_BYTES + 1]));
}

#[test]
fn positions_that_cannot_be_damage_the_ring_and_nothing_else() {
    let poisons: [(usize, u64); 5] = [
        (TAIL_OFFSET, CAPACITY_BYTES as u64 + 8),
        (TAIL_OFFSET, u64::MAX),
        (TAIL_OFFSET, 4),
        (TAIL_OFFSET, u64::MAX - 7),
        (TAIL_OFFSET, 1 << 63),
    ];
    for (offset, value) in poisons {
        let (mut producer, mut consumer) = ends();
        producer.position(offset).store(value, Ordering::Release);
        assert_eq!(pop(&mut consumer), None);
        assert!(consumer.is_damaged());
        assert!(!consumer.push(&[1; 60]));
        assert!(producer.queued_bytes() <= CAPACITY_BYTES as u64);
        producer.position(TAIL_OFFSET).store(0, Ordering::Release);
        // What the other end says about its own position is taken only when it can be.
        while producer.push(&[1; 60]) {}
        producer.position(HEAD_OFFSET).store(value, Ordering::Release);
        producer.push(&[1; 60]);
        assert!(producer.is_damaged() || value <= producer.tail);
    }
}

#[test]
fn lengths_that_cannot_be_damage_the_ring() {
    for length in [0, MAX_FRAME_BYTES as u32 + 1, 61, 2000, u32::MAX] {
        let (mut producer, mut consumer) = ends();
        assert!(producer.push(&[1; 60]));
        producer.length_word(0).store(length, Ordering::Release);
        assert_eq!(pop(&mut consumer), None);
        assert!(consumer.is_damaged(), "{length}");
    }
}

#[test]
fn random_bytes_in_shared_memory_never_leave_it_nor_loop() {
    let mut random = Random(11);
    for _ in 0..300 {
        let mapping = mapping();
        let mut consumer = FrameRing::at(&mapping, 0, CAPACITY_BYTES);
        for word in 0..CAPACITY_BYTES / 8 {
            let value = if random.next() & 1 == 0 {
                random.next() % 100
            } else {
                random.next()
            };
            // SAFETY: inside the mapping, aligned.
            unsafe { mapping.at(CONTROL_BYTES + 8 * word, 8).cast::<u64>().write(value) };
        }
        consumer
            .position(TAIL_OFFSET)
            .store(random.next() % (CAPACITY_BYTES as u64 + 64), Ordering::Release);
        let taken = std::iter::from_fn(|| pop(&mut consumer)).take(10_000).count();
        assert!(taken <= CAPACITY_BYTES / 8);
    }
}

#[test]
fn two_threads_hammering_one_ring_see_every_frame_whole() {
    const FRAME_COUNT: u64 = 300_000;
    let (mut producer, mut consumer) = ends();
    let sum = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(1_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
    };
    let sending = std::thread::spawn(move || {
        let mut random = Random(3);
        for sequence in 0..FRAME_COUNT {
            let mut frame = vec![0; 16];
            frame[8..].copy_from_slice(&sequence.to_le_bytes());
            frame.resize(16 + (random.next() % 200) as usize, random.next() as u8);
            let checksum = sum(&frame[8..]);
            frame[..8].copy_from_slice(&checksum.to_le_bytes());
            while !producer.push(&frame) {
                assert!(!producer.is_damaged());
                std::thread::yield_now();
            }
        }
    });
    let mut frame = [0; MAX_FRAME_BYTES];
    for sequence in 0..FRAME_COUNT {
        let length = loop {
            match consumer.pop(&mut frame) {
                Some(length) => break length,
                None => std::thread::yield_now(),
            }
            assert!(!consumer.is_damaged());
        };
        assert_eq!(frame[8..16], sequence.to_le_bytes());
        assert_eq!(frame[..8], sum(&frame[8..length]).to_le_bytes());
    }
    sending.join().unwrap();
    assert!(consumer.is_empty());
}
