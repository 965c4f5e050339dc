//! Each operation once, as a plain loop. [`crate::kernels`] compiles them for every instruction set; the compiler makes
//! vector code of them, down to the population count where the processor has one for vectors.

use crate::word_view::WordView;

/// Words that are looked at together before a branch: 256 bytes.
const BLOCK_WORDS: usize = 32;

#[inline(always)]
pub fn count(words: WordView) -> u64 {
    // SAFETY: the index is below the length.
    (0..words.length())
        .map(|at| u64::from(unsafe { words.get(at) }.count_ones()))
        .sum()
}

/// # Safety
/// Both views are equally long.
#[inline(always)]
pub unsafe fn join(words: WordView, others: WordView, join: impl Fn(u64, u64) -> u64) {
    for at in 0..words.length() {
        // SAFETY: the index is below the length of both.
        unsafe { words.set(at, join(words.get(at), others.get(at))) };
    }
}

/// # Safety
/// Both views are equally long.
#[inline(always)]
pub unsafe fn equal(words: WordView, others: WordView) -> bool {
    let length = words.length();
    let mut at = 0;
    while at + BLOCK_WORDS <= length {
        // SAFETY: the block ends at or before the length of both.
        let differing = (at..at + BLOCK_WORDS).fold(0, |sum, at| sum | unsafe { words.get(at) ^ others.get(at) });
        if differing != 0 {
            return false;
        }
        at += BLOCK_WORDS;
    }
    // SAFETY: the index is below the length of both.
    (at..length).all(|at| unsafe { words.get(at) == others.get(at) })
}

/// The first bit at or after `from` that differs from those of `skipped` (no bits or all).
#[inline(always)]
pub fn next_bit(words: WordView, from: usize, skipped: u64) -> Option<usize> {
    let length = words.length();
    let mut at = from / 64;
    if at >= length {
        return None;
    }
    // SAFETY: the index is below the length.
    let first = (unsafe { words.get(at) } ^ skipped) & (u64::MAX << (from % 64));
    if first != 0 {
        return Some(at * 64 + first.trailing_zeros() as usize);
    }
    at = skip_blocks(words, at + 1, skipped);
    while at < length {
        // SAFETY: the index is below the length.
        let word = unsafe { words.get(at) } ^ skipped;
        if word != 0 {
            return Some(at * 64 + word.trailing_zeros() as usize);
        }
        at += 1;
    }
    None
}

/// The beginning of the first block at or after `at` with a word other than `skipped`, or of the last, partial one.
#[inline(always)]
fn skip_blocks(words: WordView, mut at: usize, skipped: u64) -> usize {
    while at + BLOCK_WORDS <= words.length() {
        // SAFETY: the block ends at or before the length.
        let differing = (at..at + BLOCK_WORDS).fold(0, |sum, at| sum | (unsafe { words.get(at) } ^ skipped));
        if differing != 0 {
            break;
        }
        at += BLOCK_WORDS;
    }
    at
}

/// How many runs of set bits there are: one begins at every set bit whose lower neighbour is clear.
#[inline(always)]
pub fn run_count(words: WordView) -> u64 {
    if words.length() == 0 {
        return 0;
    }
    // SAFETY: there is a first word.
    let first = unsafe { words.get(0) };
    let rest: u64 = (1..words.length())
        .map(|at| {
            // SAFETY: both indexes are below the length.
            let [before, word] = unsafe { [words.get(at - 1), words.get(at)] };
            u64::from((word & !(word << 1 | before >> 63)).count_ones())
        })
        .sum();
    u64::from((first & !(first << 1)).count_ones()) + rest
}

/// Writes the runs as pairs of first page and page count, as many as fit, and returns how many numbers it wrote. A run
/// is cut at `page_count`, which lies in the last word.
///
/// # Safety
/// `length` numbers at `runs` are writable and no part of `words`.
#[inline(always)]
pub unsafe fn fill_runs(words: WordView, page_count: u64, runs: *mut u32, length: usize) -> usize {
    let mut written = 0;
    let mut first_page = 0;
    // All ones where the last bit before this word is set: a run is open.
    let mut open = 0u64;
    let mut at = 0;
    while at < words.length() {
        let skipped_to = skip_blocks(words, at, open);
        let end = (skipped_to + BLOCK_WORDS).min(words.length());
        at = skipped_to;
        while at < end {
            // SAFETY: the index is below the length.
            let word = unsafe { words.get(at) };
            let mut edges = word ^ (word << 1 | (open & 1));
            open = if word >> 63 == 1 { u64::MAX } else { 0 };
            while edges != 0 {
                let page = (at * 64) as u64 + u64::from(edges.trailing_zeros());
                if page >= page_count {
                    break;
                }
                edges &= edges - 1;
                let begins = written % 2 == 0;
                if begins && written + 2 > length {
                    return written;
                }
                // SAFETY: a pair is begun only where both of its numbers fit.
                unsafe {
                    runs.add(written)
                        .write(if begins { page } else { page - first_page } as u32)
                };
                first_page = page;
                written += 1;
            }
            at += 1;
        }
    }
    if written % 2 == 1 {
        // SAFETY: a pair is begun only where both of its numbers fit.
        unsafe { runs.add(written).write((page_count - first_page) as u32) };
        written += 1;
    }
    written
}

/// Moves the bits of `marks` into `words` and returns how many `marks` held.
///
/// # Safety
/// Both views are equally long and do not overlap.
#[inline(always)]
pub unsafe fn fetch_and_clear(words: WordView, marks: WordView) -> u64 {
    let mut fetched = 0;
    for at in 0..words.length() {
        // SAFETY: the index is below the length of both.
        unsafe {
            let mark = marks.get(at);
            words.set(at, words.get(at) | mark);
            marks.set(at, 0);
            fetched += u64::from(mark.count_ones());
        }
    }
    fetched
}

/// As [`fetch_and_clear`] from marks that other threads set meanwhile with atomic operations.
///
/// # Safety
/// Both views are equally long and do not overlap.
#[inline(always)]
pub unsafe fn fetch_and_clear_shared(words: WordView, marks: WordView) -> u64 {
    let mut fetched = 0;
    let mut at = 0;
    while at < words.length() {
        at = skip_blocks(marks, at, 0);
        for at in at..(at + BLOCK_WORDS).min(words.length()) {
            // SAFETY: the index is below the length of both.
            unsafe {
                if marks.get(at) == 0 {
                    continue;
                }
                let mark = marks.exchange_for_zero(at);
                words.set(at, words.get(at) | mark);
                fetched += u64::from(mark.count_ones());
            }
        }
        at += BLOCK_WORDS;
    }
    fetched
}
