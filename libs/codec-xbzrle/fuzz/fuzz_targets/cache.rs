//! Any use of the page cache against a map: what a hit finds is what was stored last, what was forgotten is not found,
//! and no more pages are found than there are slots.
#![no_main]

use std::collections::HashMap;

use arbitrary::Arbitrary;
use godwit_codec_xbzrle::{Lookup, PageCache};
use libfuzzer_sys::fuzz_target;

const PAGE_BYTES: usize = 512;

#[derive(Debug, Arbitrary)]
enum Step {
    LookUp { page: u8, content: u8 },
    LookUpFar { page: u64, content: u8 },
    Rewrite { page: u8, content: u8 },
    Forget { page: u8 },
    Again { page: u8, times: u8 },
    Resize { slots: u8 },
}

#[derive(Debug, Arbitrary)]
struct Input {
    slots: u8,
    steps: Vec<Step>,
}

fuzz_target!(|input: Input| {
    let mut cache = PageCache::new(PAGE_BYTES, slot_count_of(input.slots)).expect("a small cache");
    let mut stored = HashMap::new();
    for step in input.steps {
        match step {
            Step::LookUp { page, content } => look_up(&mut cache, &mut stored, u64::from(page), content),
            Step::LookUpFar { page, content } => look_up(&mut cache, &mut stored, page, content),
            Step::Resize { slots } => {
                let before = cache.slot_count();
                let found = contents(&cache, &stored);
                cache = cache.resized(PAGE_BYTES, slot_count_of(slots)).expect("a small cache");
                let kept = contents(&cache, &stored);
                assert!(
                    kept.iter().all(|page| found.contains(page)),
                    "a page that was not there"
                );
                assert!(kept.len() <= cache.slot_count());
                if cache.slot_count() == before {
                    assert!(kept.len() == found.len(), "a page was lost for nothing");
                }
            }
            Step::Rewrite { page, content } => {
                let page = u64::from(page);
                if let Lookup::Hit(slot) = cache.look_up(page) {
                    check(&cache, slot, &stored, page);
                    cache.page_mut(slot).fill(content);
                    stored.insert(page, content);
                } else {
                    cache.forget(page);
                    stored.remove(&page);
                }
            }
            Step::Forget { page } => {
                cache.forget(u64::from(page));
                stored.remove(&u64::from(page));
            }
            Step::Again { page, times } => {
                for _ in 0..times % 64 {
                    look_up(&mut cache, &mut stored, u64::from(page), page);
                }
            }
        }
    }
    for page in contents(&cache, &stored) {
        cache.forget(page);
        assert!(cache.slot_of(page).is_none(), "a forgotten page was found");
    }
});

/// As many as there may be: whole sets, or fewer than one.
fn slot_count_of(slots: u8) -> usize {
    let slots = 1 + usize::from(slots % 40);
    PageCache::slot_count_of(PAGE_BYTES, 0, slots * PAGE_BYTES)
}

/// The pages that are in the cache, each with what was stored last.
fn contents(cache: &PageCache, stored: &HashMap<u64, u8>) -> Vec<u64> {
    let mut pages: Vec<u64> = stored.keys().copied().collect();
    pages.retain(|&page| {
        let slot = cache.slot_of(page);
        if let Some(slot) = slot {
            check(cache, slot, stored, page);
        }
        slot.is_some()
    });
    assert!(pages.len() <= cache.slot_count());
    pages
}

fn look_up(cache: &mut PageCache, stored: &mut HashMap<u64, u8>, page: u64, content: u8) {
    match cache.look_up(page) {
        Lookup::Hit(slot) => check(cache, slot, stored, page),
        Lookup::Stored(slot) => {
            cache.page_mut(slot).fill(content);
            stored.insert(page, content);
        }
        Lookup::Refused => {
            stored.remove(&page);
        }
    }
}

fn check(cache: &PageCache, slot: usize, stored: &HashMap<u64, u8>, page: u64) {
    let content = stored.get(&page).expect("a hit for a page that was never stored");
    assert!(
        *cache.page(slot) == [*content; PAGE_BYTES],
        "something else was stored last"
    );
}
