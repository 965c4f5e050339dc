//! What the fuzz targets share: a decoder that is too simple to be wrong.

use std::collections::VecDeque;

/// Page sizes that a target takes from a byte: those of QEMU mostly, and some of the extension's.
pub fn page_size_of(selector: u8) -> usize {
    [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536][usize::from(selector % 8)]
}

/// A page whose bytes follow from a seed.
pub fn page_of(seed: u8, page_size_bytes: usize) -> Vec<u8> {
    (0..page_size_bytes)
        .map(|at| (at.wrapping_mul(usize::from(seed)) >> 3) as u8 ^ seed)
        .collect()
}

/// The page that a delta makes of another, byte by byte; `None` where it is malformed. Also tells whether every new byte
/// differs from the old one, so that the delta is the only one from this page to that.
pub fn decode(delta: &[u8], old: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut left: VecDeque<u8> = delta.iter().copied().collect();
    if left.is_empty() {
        return None;
    }
    let mut page = Vec::with_capacity(old.len());
    let mut is_only = true;
    while !left.is_empty() {
        let is_first = page.is_empty();
        let equal = take_length(&mut left, old.len())?;
        let changed = take_length(&mut left, old.len())?;
        if changed == 0 || (equal == 0 && !is_first) || page.len() + equal + changed > old.len() {
            return None;
        }
        page.extend_from_slice(&old[page.len()..page.len() + equal]);
        for _ in 0..changed {
            let byte = left.pop_front()?;
            is_only &= byte != old[page.len()];
            page.push(byte);
        }
    }
    page.extend_from_slice(&old[page.len()..]);
    Some((page, is_only))
}

fn take_length(left: &mut VecDeque<u8>, page_size_bytes: usize) -> Option<usize> {
    let bytes_max = if page_size_bytes <= 8192 { 2 } else { 3 };
    let mut length = 0;
    for index in 0..bytes_max {
        let byte = left.pop_front()?;
        length += usize::from(byte % 128) << (7 * index);
        if byte < 128 {
            return (byte > 0 || index == 0).then_some(length);
        }
    }
    None
}
