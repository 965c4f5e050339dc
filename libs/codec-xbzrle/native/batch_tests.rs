//! Both halves through their capsules, as the pump drives them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use godwit_ports::{Capsule, CapsuleError, CodecTable, Coded, CodedPage};

use crate::decoder::XbzrleDecoder;
use crate::encoder::{EncoderOptions, XbzrleEncoder};
use crate::isa::Isa;
use crate::poor_pages::BackOff;
use crate::scarce_memory::granting;

const PAGE_BYTES: usize = 4096;
const PAGE_COUNT: usize = 64;

/// A sender and a receiver with its copy of the memory.
struct Pair {
    /// What is behind `encoder`.
    sender: XbzrleEncoder,
    encoder: Capsule<CodecTable>,
    decoder: Capsule<CodecTable>,
    copy: Vec<u8>,
    out: Vec<u8>,
    outcomes: [usize; 3],
}

impl Pair {
    fn new(isa: Isa, cache_bytes: usize) -> Self {
        Self::of(EncoderOptions::new(PAGE_BYTES, cache_bytes, isa))
    }

    fn of(options: EncoderOptions) -> Self {
        let sender = XbzrleEncoder::new(options).expect("memory for a small cache");
        Self {
            encoder: Capsule::<CodecTable>::export(sender.clone()),
            sender,
            decoder: Capsule::<CodecTable>::export(XbzrleDecoder::new(PAGE_BYTES)),
            copy: vec![0; PAGE_COUNT * PAGE_BYTES],
            out: vec![0; PAGE_COUNT * PAGE_BYTES],
            outcomes: [0; 3],
        }
    }

    /// Sends pages of the memory at `base`.
    fn send(&mut self, base: *const u8, pages: &[u64]) {
        let mut coded = vec![CodedPage::default(); pages.len()];
        // SAFETY: callers pass pages of a memory of PAGE_COUNT pages.
        let used = unsafe { self.encoder.encode(base, pages, &mut self.out, &mut coded) }.expect("encodes");
        assert_eq!(
            used,
            coded.iter().map(|coded| u64::from(coded.length_bytes)).sum::<u64>()
        );
        for (coded, &page) in coded.iter().zip(pages) {
            assert_eq!(coded.page, page);
            let outcome = coded.outcome().expect("an outcome");
            self.outcomes[outcome as usize] += 1;
            let bytes = coded.bytes(&self.out).expect("bytes inside the buffer");
            match outcome {
                Coded::Unchanged => assert!(bytes.is_empty()),
                Coded::Raw => self.copy[page as usize * PAGE_BYTES..][..PAGE_BYTES].copy_from_slice(bytes),
                Coded::Delta => {
                    // SAFETY: the copy has PAGE_COUNT pages and is ours.
                    let decoded = unsafe {
                        self.decoder
                            .decode(self.copy.as_mut_ptr(), std::slice::from_ref(coded), &self.out)
                    };
                    assert_eq!(decoded, Ok(()));
                }
            }
        }
    }
}

struct Random(u32);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }
}

#[test]
fn a_copy_follows_its_memory_through_every_outcome() {
    for isa in Isa::available() {
        let mut outcomes = [0; 3];
        for cached_pages in [1, 7, 16, PAGE_COUNT + 8] {
            let mut pair = Pair::new(isa, cached_pages * (PAGE_BYTES + 16));
            let mut memory = vec![0_u8; PAGE_COUNT * PAGE_BYTES];
            let mut random = Random(7);
            for round in 0..60 {
                let mut pages: Vec<u64> = (0..PAGE_COUNT as u64).filter(|_| random.below(3) == 0).collect();
                pages.reverse();
                for &page in &pages {
                    let page = &mut memory[page as usize * PAGE_BYTES..][..PAGE_BYTES];
                    for _ in 0..[0, 1, 10, 200, 3000][random.below(5)] {
                        page[random.below(PAGE_BYTES)] = random.below(256) as u8;
                    }
                }
                let around = random.below(PAGE_COUNT);
                if round % 5 == 0 {
                    // A page is zeroed, and sent around the encoder.
                    memory[around * PAGE_BYTES..][..PAGE_BYTES].fill(0);
                    pair.copy[around * PAGE_BYTES..][..PAGE_BYTES].fill(0);
                    assert_eq!(pair.encoder.forget(&[around as u64]), Ok(()));
                }
                pair.send(memory.as_ptr(), &pages);
                for &page in &pages {
                    let range = page as usize * PAGE_BYTES..(page as usize + 1) * PAGE_BYTES;
                    assert!(
                        pair.copy[range.clone()] == memory[range],
                        "{isa:?}: page {page} of round {round}"
                    );
                }
            }
            for (sum, count) in outcomes.iter_mut().zip(pair.outcomes) {
                *sum += count;
            }
        }
        assert!(outcomes.iter().all(|&count| count > 100), "{isa:?}: {outcomes:?}");
    }
}

/// Ends another thread's work, also where a test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn pages_that_are_written_meanwhile_never_confuse_the_copy() {
    for (isa, shift) in Isa::available().flat_map(|isa| [(isa, 0), (isa, 8)]) {
        let words: Vec<AtomicU64> = (0..PAGE_COUNT * PAGE_BYTES / 8 + 16)
            .map(|_| AtomicU64::new(0))
            .collect();
        let first = words.as_ptr().align_offset(64) + shift / 8;
        let words = &words[first..first + PAGE_COUNT * PAGE_BYTES / 8];
        let base = words.as_ptr().cast::<u8>();
        let mut pair = Pair::new(isa, PAGE_COUNT * 2 * (PAGE_BYTES + 16));
        let pages: Vec<u64> = (0..PAGE_COUNT as u64).collect();
        for turn in 0..10 {
            let stop = AtomicBool::new(false);
            // Stops and compares often: a later delta would heal what an earlier one spoiled.
            let delta_pages = pair.outcomes[Coded::Delta as usize] + 250;
            std::thread::scope(|scope| {
                let stop_at_the_end = StopOnDrop(&stop);
                let writer = scope.spawn(|| {
                    let mut random = Random(turn);
                    while !stop.load(Ordering::Relaxed) {
                        // An eighth of each page, so that its deltas fit however fast this is; now and then more than a page.
                        let page = random.below(PAGE_COUNT);
                        let at = page * PAGE_BYTES / 8 + page * 37 % 448 + random.below(64);
                        let value = (random.below(1 << 24) as u64).wrapping_mul(0x0101_0001_0001);
                        let count = if random.below(4096) == 0 { 700 } else { 1 };
                        for word in words.iter().skip(at).take(count) {
                            word.store(value, Ordering::Relaxed);
                        }
                    }
                });
                while pair.outcomes[Coded::Delta as usize] < delta_pages && !writer.is_finished() {
                    pair.send(base, &pages);
                    std::thread::yield_now();
                }
                drop(stop_at_the_end);
            });
            pair.send(base, &pages);
            let now: Vec<u8> = words
                .iter()
                .flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes())
                .collect();
            assert!(pair.copy == now, "{isa:?}, turn {turn}");
        }
    }
}

#[test]
fn halves_refuse_what_is_not_theirs() {
    let mut pair = Pair::new(Isa::best(), 1 << 20);
    let delta = CodedPage::new(1, Coded::Delta, 0, 4);
    let decode = |pair: &mut Pair, coded: &[CodedPage], input: &[u8]| {
        // SAFETY: the copy has PAGE_COUNT pages and is ours.
        unsafe { pair.decoder.decode(pair.copy.as_mut_ptr(), coded, input) }
    };
    assert_eq!(decode(&mut pair, &[delta], &[0, 2, 7]), Err(CapsuleError::Malformed));
    assert_eq!(decode(&mut pair, &[delta], &[0, 9, 7, 7]), Err(CapsuleError::Malformed));
    let raw = CodedPage::new(1, Coded::Raw, 0, 4);
    assert_eq!(decode(&mut pair, &[raw], &[0, 2, 7, 7]), Err(CapsuleError::Malformed));
    assert_eq!(
        decode(&mut pair, &[CodedPage::default()], &[]),
        Err(CapsuleError::Malformed)
    );
    assert!(pair.copy.iter().all(|&byte| byte == 0));
    let before_and_damaged = [
        CodedPage::new(0, Coded::Delta, 0, 4),
        CodedPage::new(1, Coded::Delta, 1, 3),
    ];
    assert_eq!(
        decode(&mut pair, &before_and_damaged, &[0, 2, 7, 7]),
        Err(CapsuleError::Malformed)
    );
    assert_eq!(pair.copy[..3], [7, 7, 0]);
    assert_eq!(pair.copy[PAGE_BYTES], 0);
    assert_eq!(pair.decoder.forget(&[0]), Err(CapsuleError::Unsupported));
    // SAFETY: refused before it reads.
    let encoded = unsafe { pair.decoder.encode(pair.copy.as_ptr(), &[], &mut [], &mut []) };
    assert_eq!(encoded, Err(CapsuleError::Unsupported));
    assert_eq!(decode(&mut pair, &[], &[]), Ok(()));
}

#[test]
fn a_closed_encoder_says_so() {
    let encoder =
        XbzrleEncoder::new(EncoderOptions::new(PAGE_BYTES, 1 << 20, Isa::best())).expect("memory for a small cache");
    let capsule = Capsule::<CodecTable>::export(encoder.clone());
    assert_eq!(encoder.close(), Ok(()));
    assert_eq!(encoder.close(), Ok(()));
    assert_eq!(capsule.forget(&[1]), Err(CapsuleError::Closed));
    assert_eq!(encoder.statistics(), Err(CapsuleError::Closed));
}

fn adaptive(page_bytes: usize, cached_pages: usize, isa: Isa) -> EncoderOptions {
    EncoderOptions {
        back_off: Some(BackOff {
            tries: 2,
            pause_max: 64,
            paying_bytes_max: page_bytes * 3 / 4,
        }),
        ..EncoderOptions::new(page_bytes, cached_pages * (page_bytes + 24), isa)
    }
}

#[test]
fn an_adaptive_encoder_leaves_pages_alone_and_returns_to_them() {
    for isa in Isa::available() {
        let mut pair = Pair::of(adaptive(PAGE_BYTES, PAGE_COUNT * 4, isa));
        let mut memory = vec![0_u8; PAGE_COUNT * PAGE_BYTES];
        let mut random = Random(11);
        let pages: Vec<u64> = (0..PAGE_COUNT as u64).collect();
        for round in 0..100 {
            // Half of the pages are rewritten until they calm down, the others change by a byte.
            for (index, page) in memory.chunks_exact_mut(PAGE_BYTES).enumerate() {
                if index % 2 == 0 && round < 50 {
                    page.iter_mut()
                        .for_each(|byte| *byte = byte.wrapping_add(1 + random.below(255) as u8));
                } else {
                    page[random.below(PAGE_BYTES)] ^= 1;
                }
            }
            pair.send(memory.as_ptr(), &pages);
            assert!(pair.copy == memory, "{isa:?}: round {round}");
        }
        let statistics = pair.sender.statistics().expect("open");
        assert!(statistics.skipped_pages > 32 * 30, "{statistics:?}");
        assert!(statistics.overflow_pages < 32 * 8, "{statistics:?}");
        assert!(statistics.delta_pages > 32 * 95, "{statistics:?}");
        let sent = statistics.hit_pages + statistics.miss_pages + statistics.skipped_pages;
        assert_eq!(sent, 100 * PAGE_COUNT as u64);
    }
}

#[test]
fn a_cache_is_resized_while_others_use_it() {
    let mut pair = Pair::of(adaptive(PAGE_BYTES, 8, Isa::best()));
    let encoder = pair.sender.clone();
    let mut memory = vec![0_u8; PAGE_COUNT * PAGE_BYTES];
    std::thread::scope(|scope| {
        let resizer = scope.spawn(|| {
            let mut random = Random(5);
            for _ in 0..50 {
                let cached_pages = 1 + random.below(2 * PAGE_COUNT);
                assert_eq!(encoder.resize(cached_pages * (PAGE_BYTES + 24)), Ok(Some(())));
                assert_eq!(encoder.resize(usize::MAX), Ok(None));
                assert_eq!(encoder.resize(PAGE_BYTES), Ok(None));
            }
        });
        let mut random = Random(9);
        while !resizer.is_finished() {
            // The lock is not fair.
            std::thread::yield_now();
            for _ in 0..20 {
                memory[random.below(PAGE_COUNT * PAGE_BYTES)] = random.below(256) as u8;
            }
            let pages: Vec<u64> = (0..PAGE_COUNT as u64).filter(|_| random.below(2) == 0).collect();
            pair.send(memory.as_ptr(), &pages);
            for &page in &pages {
                let range = page as usize * PAGE_BYTES..(page as usize + 1) * PAGE_BYTES;
                assert!(pair.copy[range.clone()] == memory[range]);
            }
        }
    });
}

#[test]
fn a_cache_stays_where_the_memory_ends_while_it_is_resized() {
    let mut pair = Pair::of(adaptive(PAGE_BYTES, PAGE_COUNT * 4, Isa::best()));
    let mut memory = vec![7_u8; PAGE_COUNT * PAGE_BYTES];
    let pages: Vec<u64> = (0..PAGE_COUNT as u64).collect();
    pair.send(memory.as_ptr(), &pages);
    let cache_bytes = pair.sender.cache_size_bytes();
    let mut refusals = 0;
    // First there is memory for nothing, then for one allocation, and so on until there is enough.
    while granting(refusals, || pair.sender.resize(PAGE_COUNT * 8 * (PAGE_BYTES + 24))) == Ok(None) {
        assert_eq!(pair.sender.cache_size_bytes(), cache_bytes);
        memory[refusals * PAGE_BYTES] = 8;
        pair.send(memory.as_ptr(), &pages);
        assert!(pair.copy == memory);
        refusals += 1;
    }
    // The entries of poor pages, the cache's pages, tags and moments, and the order of what is taken over.
    assert_eq!(refusals, 5);
    assert_ne!(pair.sender.cache_size_bytes(), cache_bytes);
    pair.send(memory.as_ptr(), &pages);
    assert_eq!(pair.outcomes[Coded::Raw as usize], PAGE_COUNT);
    assert!(pair.copy == memory);
}

#[test]
fn an_encoder_is_closed_while_others_use_it() {
    let mut pair = Pair::of(EncoderOptions::new(PAGE_BYTES, 1 << 20, Isa::best()));
    let memory = vec![7_u8; PAGE_COUNT * PAGE_BYTES];
    let pages: Vec<u64> = (0..PAGE_COUNT as u64).collect();
    std::thread::scope(|scope| {
        let encoder = pair.sender.clone();
        scope.spawn(move || encoder.close());
        let mut coded = vec![CodedPage::default(); pages.len()];
        loop {
            // SAFETY: the memory has the pages.
            match unsafe { pair.encoder.encode(memory.as_ptr(), &pages, &mut pair.out, &mut coded) } {
                // The lock is not fair.
                Ok(_) => std::thread::yield_now(),
                Err(error) => break assert_eq!(error, CapsuleError::Closed),
            }
        }
    });
}
