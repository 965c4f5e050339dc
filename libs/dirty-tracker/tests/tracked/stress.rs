//! Very many writes, none of which may be lost: what is checked after every collection is each page, not only the end.
//!
//! A page that is not reported by a collection was not written between the copy that was made of it and the beginning of
//! that collection. So before each collection every page's counters are read, and where the page is not reported they must
//! be those of the copy. A lost write shows in that collection or in the next, unless its page was written once more and
//! reported before. Therefore writers that can, write a random half of the pages in each round, each page once: every lost
//! write is then seen with a probability of at least one half, and of a tracker that loses one write in a billion a run
//! of n billion writes misses it with at most 2^-n. `GODWIT_STRESS_SECONDS` makes such runs; a tracker that loses one page
//! in one collection of a run is caught (`the_stress_sees_one_lost_page`).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use godwit_ports::{Capsule, CapsuleError, DirtySource, MemoryTable};

use crate::tracked::{PAGE_WORDS, words};

/// Words of each page that writers count in.
pub const COUNTERS: usize = 3;

/// What a run saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub collections: u64,
    /// Pages reported: writes that the tracker itself had to see.
    pub reported: u64,
    /// Pages that were written and not reported, in which collection.
    pub lost: Vec<(u64, usize)>,
}

/// How long a run lasts: `GODWIT_STRESS_SECONDS`, or a moment.
pub fn duration() -> Duration {
    let seconds = std::env::var("GODWIT_STRESS_SECONDS").ok();
    Duration::from_secs_f64(seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(1.5))
}

fn counters(memory: &Capsule<MemoryTable>, page: usize) -> [u64; COUNTERS] {
    std::array::from_fn(|index| words(memory)[page * PAGE_WORDS + index].load(Ordering::Acquire))
}

/// Collects for as long as said, at an uneven pace, while somebody writes the counters of `pages`. The number of the
/// round, for the writers, is `round`.
pub fn run(
    memory: &Capsule<MemoryTable>,
    source: &dyn DirtySource,
    pages: &[usize],
    duration: Duration,
    round: &AtomicU64,
) -> Seen {
    let mut seen = Seen::default();
    let mut bitmap = vec![0u64; memory.page_count().div_ceil(64) as usize];
    source.start().unwrap();
    let mut copy: Vec<_> = pages.iter().map(|&page| counters(memory, page)).collect();
    let mut before = copy.clone();
    let end = Instant::now() + duration;
    let mut random = 1u64;
    while Instant::now() < end {
        // Sometimes at once, so that writes and collections meet; sometimes later, so that there are many writes.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let pause = Duration::from_micros((random >> 33) % 8 * ((random >> 40) % 200));
        let until = Instant::now() + pause;
        while Instant::now() < until {
            std::thread::yield_now();
        }
        for (before, &page) in before.iter_mut().zip(pages) {
            *before = counters(memory, page);
        }
        bitmap.fill(0);
        seen.reported += source.collect(&mut bitmap).unwrap();
        for ((copy, before), &page) in copy.iter_mut().zip(&before).zip(pages) {
            if bitmap[page / 64] >> (page % 64) & 1 == 1 {
                *copy = counters(memory, page);
            } else if copy != before {
                seen.lost.push((seen.collections, page));
                *copy = *before;
            }
        }
        seen.collections += 1;
        round.fetch_add(1, Ordering::Release);
    }
    seen
}

/// A tracker that drops one page of one collection.
pub struct Forgetful<Source> {
    source: Source,
    collections: AtomicU64,
    forgotten: Mutex<Option<usize>>,
}

impl<Source: DirtySource> Forgetful<Source> {
    pub fn over(source: Source) -> Self {
        Self {
            source,
            collections: AtomicU64::new(0),
            forgotten: Mutex::new(None),
        }
    }

    pub fn forgotten_page(&self) -> Option<usize> {
        *self.forgotten.lock().unwrap()
    }
}

impl<Source: DirtySource> DirtySource for Forgetful<Source> {
    fn page_count(&self) -> u64 {
        self.source.page_count()
    }

    fn start(&self) -> Result<(), CapsuleError> {
        self.source.start()
    }

    fn collect(&self, bitmap: &mut [u64]) -> Result<u64, CapsuleError> {
        let count = self.source.collect(bitmap)?;
        let mut forgotten = self.forgotten.lock().unwrap();
        let collections = self.collections.fetch_add(1, Ordering::Relaxed);
        if collections >= 10
            && forgotten.is_none()
            && let Some((index, word)) = bitmap.iter_mut().enumerate().rfind(|(_, word)| **word != 0)
        {
            *forgotten = Some(index * 64 + word.trailing_zeros() as usize);
            *word &= *word - 1;
        }
        Ok(count)
    }

    fn stop(&self) -> Result<(), CapsuleError> {
        self.source.stop()
    }
}
