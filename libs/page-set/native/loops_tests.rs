//! Every instruction set of this processor against loops over single bits, at every length around a block and at
//! addresses that only 32-bit words may have.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::isa::Isa;
use crate::word_view::WordView;

type Join = unsafe fn(WordView, WordView);
type BitJoin = fn(bool, bool) -> bool;

/// Words of a bitmap, all four bytes away from an address that 64-bit words would have.
struct Words(Vec<u32>);

impl Words {
    fn new(words: &[u32]) -> Self {
        let mut all = vec![0; words.len() + 2];
        let skew = Self::skew(&all);
        all[skew..skew + words.len()].copy_from_slice(words);
        Self(all)
    }

    fn skew(all: &[u32]) -> usize {
        usize::from(all.as_ptr().cast::<u64>().is_aligned())
    }

    fn view(&mut self) -> WordView {
        let (skew, length) = (Self::skew(&self.0), self.0.len() - 2);
        // SAFETY: the vector is longer than skew + length, and outlives the view in every test.
        unsafe { WordView::new(self.0.as_mut_ptr().add(skew), length) }
    }

    fn bits(&self) -> Vec<bool> {
        let skew = Self::skew(&self.0);
        let words = &self.0[skew..skew + self.0.len() - 2];
        (0..32 * words.len())
            .map(|bit| words[bit / 32] >> (bit % 32) & 1 == 1)
            .collect()
    }
}

/// Marsaglia's xorshift; long runs, empty words and random ones take turns.
fn sample(seed: u32, length: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut words = Vec::with_capacity(length);
    while words.len() < length {
        let (kind, repeat) = (next() % 4, 1 + next() as usize % 150);
        for _ in 0..repeat.min(length - words.len()) {
            words.push(match kind {
                0 => 0,
                1 => u32::MAX,
                2 => next(),
                _ => next() & next() & next() & next(),
            });
        }
    }
    words
}

fn samples() -> impl Iterator<Item = Vec<u32>> {
    (0..40).flat_map(|pairs| {
        (0..4).map(move |seed| sample(seed * 100 + pairs as u32, 2 * (pairs % 40) + 64 * (pairs % 5)))
    })
}

fn runs_of(bits: &[bool]) -> Vec<u32> {
    let mut runs = Vec::new();
    for (page, set) in bits.iter().enumerate() {
        match (set, page > 0 && bits[page - 1]) {
            (true, false) => runs.extend([page as u32, 1]),
            (true, true) => *runs.last_mut().expect("a run is open") += 1,
            _ => {}
        }
    }
    runs
}

fn count_of(bits: &[bool]) -> u64 {
    bits.iter().filter(|set| **set).count() as u64
}

#[test]
fn counts_runs_and_finds() {
    for isa in Isa::available() {
        let kernels = isa.kernels();
        for sample in samples() {
            let mut words = Words::new(&sample);
            let (view, bits) = (words.view(), words.bits());
            let expected = runs_of(&bits);
            // SAFETY: the processor has the instruction set, the view lives as long as words.
            unsafe {
                assert_eq!((kernels.count)(view), count_of(&bits), "{isa:?}");
                assert_eq!((kernels.run_count)(view), expected.len() as u64 / 2, "{isa:?}");
                for from in (0..bits.len() + 70).step_by(7) {
                    for (skipped, wanted) in [(0, true), (u64::MAX, false)] {
                        let found = (kernels.next_bit)(view, from, skipped);
                        assert_eq!(
                            found,
                            (from..bits.len()).find(|at| bits[*at] == wanted),
                            "{isa:?} from {from}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn fills_runs_up_to_the_last_page_and_never_beyond_the_output() {
    for isa in Isa::available() {
        for sample in samples().filter(|sample| !sample.is_empty()) {
            let mut words = Words::new(&sample);
            let (view, bits) = (words.view(), words.bits());
            for cut in [0, 1, 17, 63] {
                let page_count = bits.len() - cut;
                let expected = runs_of(&bits[..page_count]);
                for length in [expected.len(), expected.len().saturating_sub(1), expected.len() / 2, 0] {
                    let mut runs = vec![7; length + 1];
                    // SAFETY: the processor has the instruction set, length numbers are writable.
                    let written =
                        unsafe { (isa.kernels().fill_runs)(view, page_count as u64, runs.as_mut_ptr(), length) };
                    assert_eq!(written, length / 2 * 2, "{isa:?}");
                    assert_eq!(runs[..written], expected[..written], "{isa:?}");
                    assert_eq!(runs[length], 7);
                }
            }
        }
    }
}

#[test]
fn joins_and_compares() {
    for isa in Isa::available() {
        let kernels = isa.kernels();
        for (seed, left) in samples().enumerate() {
            let right = sample(seed as u32 + 5_000, left.len());
            let joins: [(Join, BitJoin); 3] = [
                (kernels.or, |left, right| left | right),
                (kernels.and, |left, right| left & right),
                (kernels.subtract, |left, right| left & !right),
            ];
            for (join, expected) in joins {
                let (mut words, mut others) = (Words::new(&left), Words::new(&right));
                let (before, other_bits) = (words.bits(), others.bits());
                // SAFETY: the processor has the instruction set, the views are equally long.
                unsafe { join(words.view(), others.view()) };
                let wanted: Vec<_> = before
                    .iter()
                    .zip(&other_bits)
                    .map(|(one, other)| expected(*one, *other))
                    .collect();
                assert_eq!(words.bits(), wanted, "{isa:?}");
                assert_eq!(others.bits(), other_bits, "{isa:?}");
                // SAFETY: as above.
                let same = unsafe { (kernels.equal)(words.view(), others.view()) };
                assert_eq!(same, words.bits() == other_bits, "{isa:?}");
                // SAFETY: as above; both views are of the same words.
                assert!(unsafe { (kernels.equal)(words.view(), words.view()) }, "{isa:?}");
            }
        }
    }
}

#[test]
fn fetches_and_clears() {
    for isa in Isa::available() {
        let kernels = isa.kernels();
        for (seed, left) in samples().enumerate() {
            let right = sample(seed as u32 + 9_000, left.len());
            for fetch in [kernels.fetch_and_clear, kernels.fetch_and_clear_shared] {
                let (mut words, mut marks) = (Words::new(&left), Words::new(&right));
                let (before, mark_bits) = (words.bits(), marks.bits());
                // SAFETY: the processor has the instruction set, the views are equally long and apart.
                let fetched = unsafe { fetch(words.view(), marks.view()) };
                assert_eq!(fetched, count_of(&mark_bits), "{isa:?}");
                let wanted: Vec<_> = before.iter().zip(&mark_bits).map(|(one, other)| one | other).collect();
                assert_eq!(words.bits(), wanted, "{isa:?}");
                assert_eq!(count_of(&marks.bits()), 0, "{isa:?}");
            }
        }
    }
}

#[test]
fn loses_no_mark_that_is_set_meanwhile() {
    const WORDS: usize = 64;
    const ROUNDS: u32 = 2_000;
    for isa in Isa::available() {
        let marks: Vec<AtomicU32> = (0..WORDS).map(|_| AtomicU32::new(0)).collect();
        let mut words = vec![0u32; WORDS];
        let mut fetched = 0;
        thread::scope(|scope| {
            let marker = scope.spawn(|| {
                let mut marked = 0u64;
                for round in 0..ROUNDS {
                    for word in &marks {
                        let before = word.fetch_or(1 << (round % 32), Ordering::SeqCst);
                        marked += u64::from(before >> (round % 32) & 1 == 0);
                    }
                }
                marked
            });
            let mut fetch = || {
                // SAFETY: the processor has the instruction set; both hold as many words, and marks are written
                // atomically only.
                fetched += unsafe {
                    let words = WordView::new(words.as_mut_ptr(), WORDS);
                    (isa.kernels().fetch_and_clear_shared)(words, WordView::new(marks[0].as_ptr(), WORDS))
                };
            };
            while !marker.is_finished() {
                fetch();
            }
            fetch();
            let marked = marker.join().expect("the marker does not panic");
            assert_eq!(fetched, marked, "{isa:?}");
        });
    }
}
