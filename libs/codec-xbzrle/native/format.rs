//! What XBZRLE looks like in bytes.
//!
//! A delta is a row of pairs: a run of bytes equal in both pages (its length), then a run of bytes that differ (its
//! length, then the new bytes). Runs are as long as they can be, so single equal bytes separate runs. Only the first run
//! of equal bytes may be empty. Equal bytes at the end of the page are not mentioned. Lengths are unsigned LEB128 in their
//! shortest form. QEMU's take at most two bytes, which is enough for pages up to 8 KiB; the third byte, for larger pages, is
//! Godwit's extension.
//!
//! Design: P. Svärd, B. Hudzia, J. Tordsson, E. Elmroth, "Evaluation of delta compression techniques for efficient live
//! migration of large virtual machines", VEE 2011; the encoding is the one QEMU documents and speaks.

/// Page sizes are powers of two.
pub const PAGE_BYTES_MIN: usize = 512;
pub const PAGE_BYTES_MAX: usize = 1 << 20;
/// The largest page of which no length needs a third byte: two bytes end at 16,383, and a page of 16 KiB that differs
/// wholly is one run of 16,384 bytes.
pub const QEMU_PAGE_BYTES_MAX: usize = 8192;

const LENGTH_BITS: u32 = 7;
const MORE: u8 = 0x80;

pub fn is_page_size(page_size_bytes: usize) -> bool {
    page_size_bytes.is_power_of_two() && (PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_size_bytes)
}

/// The most bytes that a length takes in a delta of such a page. As QEMU does, the encoder wants that much room for every
/// length, so that both overflow at the same deltas.
pub const fn length_bytes_max(page_size_bytes: usize) -> usize {
    if page_size_bytes <= QEMU_PAGE_BYTES_MAX { 2 } else { 3 }
}

/// Writes a length at the beginning of `out`, which has room for it; returns how many bytes it took.
pub fn put_length(out: &mut [u8], mut length: usize) -> usize {
    let mut written = 0;
    while length >= usize::from(MORE) {
        out[written] = length as u8 | MORE;
        length >>= LENGTH_BITS;
        written += 1;
    }
    out[written] = length as u8;
    written + 1
}

/// Reads a length at the beginning of `delta`: its value, and how many bytes it took. `None` for one that is cut off,
/// longer than `bytes_max` bytes, or not in its shortest form.
pub fn take_length(delta: &[u8], bytes_max: usize) -> Option<(usize, usize)> {
    let mut length = 0;
    for (index, &byte) in delta.iter().take(bytes_max).enumerate() {
        length |= usize::from(byte & !MORE) << (LENGTH_BITS * index as u32);
        if byte & MORE == 0 {
            return (byte != 0 || index == 0).then_some((length, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_back_in_their_shortest_form_only() {
        for length in [0, 1, 127, 128, 129, 300, 16_383, 16_384, 65_535, 1 << 20] {
            let mut out = [0; 3];
            let written = put_length(&mut out, length);
            assert_eq!(take_length(&out, 3), Some((length, written)));
            assert_eq!(take_length(&out[..written - 1], 3), None);
        }
        assert_eq!(take_length(&[0x80, 0x00], 2), None);
        assert_eq!(take_length(&[0xff, 0x80, 0x00], 3), None);
        assert_eq!(take_length(&[0x80, 0x80, 0x01], 2), None);
        assert_eq!(take_length(&[], 2), None);
    }
}
