//! What was sent last of the pages that are worth remembering.
//!
//! A set-associative cache of fixed size. A page that was used within a lifetime is never evicted: a writer that sweeps
//! over more than the cache holds would otherwise evict each page just before its turn, and nothing would ever be found.
//! (QEMU has the same idea in its page cache, there with direct mapping and counted in rounds.)

use crate::page_store::{PageStore, zeros};
use crate::spread::spread;

/// Beside its page a slot has a tag and the moment of its last use.
pub const SLOT_OVERHEAD_BYTES: usize = 16;
const WAYS: usize = 8;
/// A slot's lifetime, in lookups for each slot of the cache.
const LIFETIME_LOOKUPS: u64 = 4;

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
    /// How many pages fit if each takes so many bytes beside its own: whole sets only.
    pub fn slot_count_of(page_size_bytes: usize, overhead_bytes: usize, cache_bytes: usize) -> usize {
        let slots = cache_bytes / (page_size_bytes + overhead_bytes);
        if slots < WAYS { slots } else { slots - slots % WAYS }
    }

    /// `None` where there is not that much memory, or no slot. The number of slots comes from
    /// [`PageCache::slot_count_of`].
    pub fn new(page_size_bytes: usize, slot_count: usize) -> Option<Self> {
        let store = PageStore::new(page_size_bytes, slot_count)?;
        let ways = slot_count.min(WAYS);
        Some(Self {
            store,
            tags: zeros(slot_count)?,
            used_at: zeros(slot_count)?,
            set_count: slot_count / ways,
            ways,
            lookups: 0,
        })
    }

    /// A cache of another size with the pages of this one that fit, those used last before others. `None` where there is
    /// not enough memory for both.
    pub fn resized(&self, page_size_bytes: usize, slot_count: usize) -> Option<Self> {
        let mut resized = Self::new(page_size_bytes, slot_count)?;
        resized.lookups = self.lookups;
        let is_used = |&slot: &usize| self.tags[slot] != 0;
        let mut slots = Vec::new();
        slots
            .try_reserve_exact((0..self.tags.len()).filter(is_used).count())
            .ok()?;
        slots.extend((0..self.tags.len()).filter(is_used));
        slots.sort_unstable_by_key(|&slot| std::cmp::Reverse(self.used_at[slot]));
        for slot in slots {
            let mut set = resized.set_of(self.tags[slot] - 1);
            if let Some(free) = set.find(|&slot| resized.tags[slot] == 0) {
                resized.tags[free] = self.tags[slot];
                resized.used_at[free] = self.used_at[slot];
                resized.page_mut(free).copy_from_slice(self.page(slot));
            }
        }
        Some(resized)
    }

    pub fn slot_count(&self) -> usize {
        self.tags.len()
    }

    /// Looks for a page, and makes room for it where it is not there.
    pub fn look_up(&mut self, page: u64) -> Lookup {
        self.lookups += 1;
        if page == u64::MAX {
            // Its tag would be that of a free slot.
            return Lookup::Refused;
        }
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

    /// Where a page is, without a claim that it was used.
    pub fn slot_of(&self, page: u64) -> Option<usize> {
        let tag = page.checked_add(1)?;
        self.set_of(page).find(|&slot| self.tags[slot] == tag)
    }

    pub fn page(&self, slot: usize) -> &[u8] {
        self.store.page(slot)
    }

    pub fn page_mut(&mut self, slot: usize) -> &mut [u8] {
        self.store.page_mut(slot)
    }

    pub fn forget(&mut self, page: u64) {
        if let Some(slot) = self.slot_of(page) {
            self.tags[slot] = 0;
            self.used_at[slot] = 0;
        }
    }

    fn set_of(&self, page: u64) -> std::ops::Range<usize> {
        let set = spread(page, self.set_count);
        set * self.ways..(set + 1) * self.ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_of(slot_count: usize) -> PageCache {
        PageCache::new(512, slot_count).expect("a small cache")
    }

    fn store(cache: &mut PageCache, page: u64) {
        let Lookup::Stored(slot) = cache.look_up(page) else {
            panic!("page {page} is not stored")
        };
        cache.page_mut(slot).fill(page as u8);
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
    fn keeps_the_pages_used_last_when_it_shrinks_and_all_when_it_grows() {
        let mut cache = cache_of(7);
        for page in 0..7 {
            store(&mut cache, page);
        }
        for page in [5, 1, 3] {
            assert!(matches!(cache.look_up(page), Lookup::Hit(_)));
        }
        let mut grown = cache.resized(512, 64).expect("a small cache");
        let mut shrunk = cache.resized(512, 3).expect("a small cache");
        for page in 0..7 {
            let Lookup::Hit(slot) = grown.look_up(page) else {
                panic!("page {page} was lost")
            };
            assert_eq!(grown.page(slot), [page as u8; 512]);
        }
        for page in [5, 1, 3] {
            let Lookup::Hit(slot) = shrunk.look_up(page) else {
                panic!("page {page} was lost")
            };
            assert_eq!(shrunk.page(slot), [page as u8; 512]);
        }
        assert_eq!(shrunk.look_up(0), Lookup::Refused);
    }

    #[test]
    fn takes_what_memory_there_is() {
        assert!(PageCache::new(4096, 0).is_none());
        assert!(PageCache::new(4096, 1).is_some());
        assert!(PageCache::new(4096, usize::MAX / 4096).is_none());
        assert!(PageCache::new(4096, usize::MAX).is_none());
        assert!(cache_of(4).resized(512, usize::MAX / 512 - 1).is_none());
        assert_eq!(PageCache::slot_count_of(4096, 16, 4111), 0);
        assert_eq!(PageCache::slot_count_of(4096, 16, 4112), 1);
        assert_eq!(PageCache::slot_count_of(4096, 16, 15 * 4112), 8);
    }
}
