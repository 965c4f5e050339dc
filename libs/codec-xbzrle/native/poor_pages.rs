//! The pages of which deltas do not pay, and for how long no further one is tried.
//!
//! A page whose delta was poor several times in a row is left alone for some sends, and for twice as many if the next try
//! is poor too: binary exponential back-off, as R. Metcalfe and D. Boggs gave Ethernet ("Ethernet: distributed packet
//! switching for local computer networks", CACM 1976).

use crate::page_store::zeros;
use crate::spread::spread;

/// Each page of the cache brings room for one page here.
pub const POOR_PAGE_BYTES: usize = 8;

const LEVEL_BITS: u32 = 4;
const LEVEL_MAX: u64 = (1 << LEVEL_BITS) - 1;
const PAUSE_BITS: u32 = 12;
const PAUSE_MAX: u64 = (1 << PAUSE_BITS) - 1;
const STATE_BITS: u32 = LEVEL_BITS + PAUSE_BITS;
/// Pages from here on have no entry.
const PAGE_END: u64 = (1 << (u64::BITS - STATE_BITS)) - 1;
/// The first pause, in sends of the page.
const PAUSE_FIRST: u64 = 4;

/// When a page is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Poor deltas in a row before the first pause: 1 to 8.
    pub tries: u32,
    /// The longest pause, in sends of the page: 4 to 4,095.
    pub pause_max: u32,
    /// A delta of more bytes is poor.
    pub paying_bytes_max: usize,
}

impl BackOff {
    pub fn is_valid(&self) -> bool {
        (1..=8).contains(&self.tries) && (PAUSE_FIRST..=PAUSE_MAX).contains(&u64::from(self.pause_max))
    }
}

/// Direct-mapped: a page may push out what is known of another, which is then tried as if it were new.
pub struct PoorPages {
    back_off: BackOff,
    /// The page plus one, then how many of its sends are still to be left alone, then its poor deltas in a row.
    entries: Box<[u64]>,
}

impl PoorPages {
    /// `None` where there is not enough memory.
    pub fn new(back_off: BackOff, entry_count: usize) -> Option<Self> {
        Some(Self {
            back_off,
            entries: zeros(entry_count)?,
        })
    }

    pub fn back_off(&self) -> BackOff {
        self.back_off
    }

    /// Whether a page that is about to be sent is to be left alone; counts the send.
    pub fn leaves_alone(&mut self, page: u64) -> bool {
        let entry = &mut self.entries[spread(page, self.entries.len())];
        let pause = *entry >> LEVEL_BITS & PAUSE_MAX;
        if *entry >> STATE_BITS != page.wrapping_add(1) || pause == 0 {
            return false;
        }
        *entry -= 1 << LEVEL_BITS;
        true
    }

    /// Learns what became of a page: a delta of so many bytes (0 where it was unchanged), or `None` for an overflow. Returns
    /// whether the page is left alone from now on; the cache must then forget it, as it is sent around it.
    pub fn learn(&mut self, page: u64, delta_bytes: Option<usize>) -> bool {
        if page >= PAGE_END {
            return false;
        }
        let is_poor = delta_bytes.is_none_or(|bytes| bytes > self.back_off.paying_bytes_max);
        let entry = &mut self.entries[spread(page, self.entries.len())];
        let is_known = *entry >> STATE_BITS == page + 1;
        if !is_poor {
            if is_known {
                *entry = 0;
            }
            return false;
        }
        let level = if is_known { (*entry & LEVEL_MAX) + 1 } else { 1 }.min(LEVEL_MAX);
        let pause = match level.checked_sub(u64::from(self.back_off.tries)) {
            Some(doublings) => (PAUSE_FIRST << doublings).min(u64::from(self.back_off.pause_max)),
            None => 0,
        };
        *entry = (page + 1) << STATE_BITS | pause << LEVEL_BITS | level;
        pause > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poor_pages() -> PoorPages {
        let back_off = BackOff {
            tries: 2,
            pause_max: 10,
            paying_bytes_max: 3072,
        };
        PoorPages::new(back_off, 64).expect("a few bytes")
    }

    fn pause_of(pages: &mut PoorPages, page: u64) -> usize {
        std::iter::repeat_with(|| pages.leaves_alone(page))
            .take_while(|&alone| alone)
            .count()
    }

    #[test]
    fn backs_off_longer_and_longer_and_returns_at_once() {
        let mut pages = poor_pages();
        assert!(!pages.learn(7, None));
        assert_eq!(pause_of(&mut pages, 7), 0);
        for pause in [4, 8, 10, 10] {
            assert!(pages.learn(7, Some(3073)));
            assert_eq!(pause_of(&mut pages, 7), pause);
        }
        for _ in 0..20 {
            assert!(pages.learn(7, None));
        }
        assert!(!pages.learn(7, Some(3072)));
        assert_eq!(pause_of(&mut pages, 7), 0);
        assert!(!pages.learn(7, None));
    }

    #[test]
    fn confuses_no_pages() {
        let mut pages = poor_pages();
        pages.learn(7, None);
        assert!(pages.learn(7, None));
        for page in (0..10_000).filter(|&page| page != 7) {
            assert!(!pages.leaves_alone(page), "{page}");
        }
        for page in [PAGE_END, u64::MAX - 1, u64::MAX] {
            for _ in 0..5 {
                assert!(!pages.learn(page, None));
            }
            assert!(!pages.leaves_alone(page));
        }
    }
}
