//! Bitmaps over pages as the capsules have them: page i is bit `i % 64` of word `i / 64`.

use std::ops::Range;

/// Sets the bits `[first, first + count)`.
pub(crate) fn set_run(words: &mut [u64], first: u64, count: u64) {
    let end = first + count;
    let mut page = first;
    while page < end {
        let bit = page % 64;
        let run = (64 - bit).min(end - page);
        words[(page / 64) as usize] |= (u64::MAX >> (64 - run)) << bit;
        page += run;
    }
}

/// Adds `source`, a bitmap over `page_count` pages of which the first is page `first_page` of `words`.
pub(crate) fn add_at(words: &mut [u64], first_page: u64, source: &[u64], page_count: u64) {
    let (start, shift) = ((first_page / 64) as usize, first_page % 64);
    for (index, &word) in source.iter().enumerate() {
        let left = page_count.saturating_sub(index as u64 * 64);
        let word = if left < 64 { word & ((1 << left) - 1) } else { word };
        if word == 0 {
            continue;
        }
        words[start + index] |= word << shift;
        if shift != 0 && word >> (64 - shift) != 0 {
            words[start + index + 1] |= word >> (64 - shift);
        }
    }
}

/// The next words from `from` on that hold bits, as many as it takes for `bits_max` of them (and at most 63 more); none
/// where there are no bits. Begins and ends with a word that is not empty.
pub(crate) fn next_chunk(words: &[u64], from: usize, bits_max: u32) -> Option<Range<usize>> {
    let start = from + words.get(from..)?.iter().position(|&word| word != 0)?;
    let (mut end, mut bits) = (start, 0);
    for (index, word) in words.iter().enumerate().skip(start) {
        if *word != 0 {
            bits += word.count_ones();
            end = index + 1;
        }
        if bits >= bits_max {
            break;
        }
    }
    Some(start..end)
}

/// Moves the bits of `fresh` into `into`; returns how many there were. Leaves `fresh` empty.
pub(crate) fn drain(fresh: &mut [u64], into: &mut [u64]) -> u64 {
    let mut count = 0;
    for (fresh, into) in fresh.iter_mut().zip(into) {
        if *fresh != 0 {
            count += u64::from(fresh.count_ones());
            *into |= *fresh;
            *fresh = 0;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(words: &[u64]) -> Vec<u64> {
        (0..words.len() as u64 * 64)
            .filter(|&page| words[(page / 64) as usize] >> (page % 64) & 1 == 1)
            .collect()
    }

    #[test]
    fn runs_set_exactly_their_bits() {
        for first in 0..130 {
            for count in 0..130 {
                let mut words = [0; 5];
                set_run(&mut words, first, count);
                assert_eq!(bits(&words), (first..first + count).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_part_is_added_at_any_place() {
        let source = [0x8000_0000_0000_0001, 0xffff_0000_1234_5678, u64::MAX];
        for first in 0..130 {
            for count in [1, 63, 64, 65, 128, 150, 192] {
                let mut words = [0; 6];
                add_at(&mut words, first, &source, count);
                let expected: Vec<u64> = bits(&source)
                    .into_iter()
                    .filter(|&page| page < count)
                    .map(|page| page + first)
                    .collect();
                assert_eq!(bits(&words), expected, "first {first}, count {count}");
            }
        }
    }

    #[test]
    fn chunks_cover_all_bits_in_order_and_none_has_too_many() {
        let mut words = vec![0u64; 1000];
        for page in (0..64_000).filter(|page| page % 7 == 0 || (20_000..24_000).contains(page)) {
            words[page / 64] |= 1 << (page % 64);
        }
        words[700..900].fill(0);
        let (mut from, mut seen, mut chunks) = (0, 0, 0);
        while let Some(chunk) = next_chunk(&words, from, 256) {
            let bits: u32 = words[chunk.clone()].iter().map(|word| word.count_ones()).sum();
            assert!(chunk.start >= from && bits < 256 + 64);
            assert!(words[chunk.start] != 0 && words[chunk.end - 1] != 0);
            seen += bits;
            chunks += 1;
            from = chunk.end;
        }
        assert_eq!(seen, words.iter().map(|word| word.count_ones()).sum());
        assert!(
            chunks > seen / 320 && chunks <= seen / 256 + 1,
            "{chunks} chunks of {seen}"
        );
        assert_eq!(next_chunk(&words, 1000, 1), None);
        assert_eq!(next_chunk(&[], 0, 1), None);
    }

    #[test]
    fn draining_counts_only_what_is_new_to_the_caller_or_not() {
        let (mut fresh, mut into) = ([0b1011, 1 << 63], [0b0001, 0]);
        assert_eq!(drain(&mut fresh, &mut into), 4);
        assert_eq!(into, [0b1011, 1 << 63]);
        assert_eq!(fresh, [0, 0]);
    }
}
