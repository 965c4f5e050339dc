//! What was sent last of the pages that are worth remembering.
//!
//! A set-associative cache of fixed size. A page that was used within a lifetime is never evicted: a writer that sweeps
//! over more than the cache holds would otherwise evict each page just before its turn, and nothing would ever be found.
//! (QEMU has the same idea in its page cache, there with direct mapping and counted in rounds.)

use crate::page_store::PageStore;

/// Beside its page a slot has a tag and the moment of its last use.
pub const SLOT_OVERHEAD_BYTES: usize = 16;
const WAYS: usize = 8;
/// A slot's lifetime, in lookups for each slot of the cache.
const LIFETIME_LOOKUPS: u64 = 4;
/// 2^32 divided by the golden ratio: spreads neighbouring pages evenly (D. Knuth, TAOCP 3, section 6.4).
const SPREAD: u32 = 0x9e37_79b1;

/// What a look into the cache finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The page is in this slot.
    Hit(usize),
    /// It was not; this slot is now its own, and waits for its content.
    Stored(usize),
    /// It was not, and every slot it may have holds a page that was used lately.
    Refused,
}

pub struct PageCache {
    store: PageStore,
    /// The page in each slot, plus one; 0 where the slot is free.
    tags: Box<[u64]>,
    used_at: Box<[u64]>,
    set_count: usize,
    ways: usize,
    lookups: u64,
}

impl PageCache {
    /// How many pages such a cache holds: whole sets only.
    pub fn slot_count_of(page_size_bytes: usize, cache_bytes: usize) -> usize {
        let slots = cache_bytes / (page_size_bytes + SLOT_OVERHEAD_BYTES);
        if slots < WAYS { slots } else { slots - slots % WAYS }
    }

    /// `None` where there is not that much memory, or not enough for one page.
    pub fn new(page_size_bytes: usize, cache_bytes: usize) -> Option<Self> {
        let slot_count = Self::slot_count_of(page_size_bytes, cache_bytes);
        let store = PageStore::new(page_size_bytes, slot_count)?;
        let ways = slot_count.min(WAYS);
        Some(Self {
            store,
            tags: vec![0; slot_count].into_boxed_slice(),
            used_at: vec![0; slot_count].into_boxed_slice(),
            set_count: slot_count / ways,
            ways,
            lookups: 0,
        })
    }

    /// Looks for a page, and makes room for it where it is not there.
    pub fn look_up(&mut self, page: u64) -> Lookup {
        self.lookups += 1;
        let set = self.set_of(page);
        let mut oldest = set.start;
        for slot in set {
            if self.tags[slot] == page + 1 {
                self.used_at[slot] = self.lookups;
                return Lookup::Hit(slot);
            }
            if self.used_at[slot] < self.used_at[oldest] {
                oldest = slot;
            }
        }
        let lifetime = LIFETIME_LOOKUPS * self.tags.len() as u64;
        if self.tags[oldest] != 0 && self.lookups - self.used_at[oldest] <= lifetime {
            return Lookup::Refused;
        }
        self.tags[oldest] = page + 1;
        self.used_at[oldest] = self.lookups;
        Lookup::Stored(oldest)
    }

    pub fn page(&self, slot: usize) -> &[u8] {
        self.store.page(slot)
    }

    pub fn page_mut(&mut self, slot: usize) -> &mut [u8] {
        self.store.page_mut(slot)
    }

    pub fn forget(&mut self, page: u64) {
        for slot in self.set_of(page) {
            if self.tags[slot] == page + 1 {
                self.tags[slot] = 0;
                self.used_at[slot] = 0;
            }
        }
    }

    fn set_of(&self, page: u64) -> std::ops::Range<usize> {
        let spread = (page as u32 ^ (page >> 32) as u32).wrapping_mul(SPREAD);
        let set = ((u64::from(spread) * self.set_count as u64) >> 32) as usize;
        set * self.ways..(set + 1) * self.ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_of(slot_count: usize) -> PageCache {
        PageCache::new(512, slot_count * (512 + SLOT_OVERHEAD_BYTES)).expect("a small cache")
    }

    #[test]
    fn holds_what_fits_and_protects_what_is_in_use() {
        let mut cache = cache_of(8);
        for page in 0..8 {
            assert!(matches!(cache.look_up(page), Lookup::Stored(_)));
        }
        for _ in 0..20 {
            for page in 0..8 {
                assert!(matches!(cache.look_up(page), Lookup::Hit(_)));
            }
            assert_eq!(cache.look_up(99), Lookup::Refused);
        }
    }

    #[test]
    fn evicts_what_was_not_used_for_a_lifetime() {
        let mut cache = cache_of(2);
        assert!(matches!(cache.look_up(1), Lookup::Stored(_)));
        let Lookup::Stored(slot) = cache.look_up(2) else {
            panic!()
        };
        for _ in 0..8 {
            assert!(matches!(cache.look_up(1), Lookup::Hit(_)));
        }
        assert_eq!(cache.look_up(3), Lookup::Stored(slot));
    }

    #[test]
    fn forgets() {
        let mut cache = cache_of(64);
        let page = u64::MAX - 1;
        let Lookup::Stored(slot) = cache.look_up(page) else {
            panic!()
        };
        cache.page_mut(slot).fill(7);
        assert_eq!(cache.look_up(page), Lookup::Hit(slot));
        assert_eq!(cache.page(slot), [7; 512]);
        cache.forget(page);
        assert!(matches!(cache.look_up(page), Lookup::Stored(_)));
    }

    #[test]
    fn needs_room_for_one_page() {
        assert!(PageCache::new(4096, 4096).is_none());
        assert!(PageCache::new(4096, 4112).is_some());
        assert!(PageCache::new(4096, usize::MAX).is_none());
    }
}
