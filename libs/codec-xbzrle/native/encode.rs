//! The delta from one page to another.

use crate::difference::{FindDifferences, MASK_BYTES};
use crate::format::{length_bytes_max, put_length};
use crate::isa::Isa;

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// Both pages are equal.
    Unchanged,
    /// A delta of this many bytes.
    Delta(usize),
    /// The delta does not fit into the room given.
    Overflow,
}

/// Runs up to this long are copied as if they were this long, where both sides have room for it.
const SHORT_RUN_BYTES: usize = 16;

/// Encodes pages of one size; keeps what it needs for that, so that no page allocates.
pub struct DeltaEncoder {
    find_differences: FindDifferences,
    masks: Box<[u64]>,
}

impl DeltaEncoder {
    /// `isa` must be one of [`Isa::available`], the page size one that [`crate::format::is_page_size`] takes.
    pub fn new(page_size_bytes: usize, isa: Isa) -> Self {
        Self {
            find_differences: isa.kernel(),
            masks: vec![0; page_size_bytes / MASK_BYTES].into_boxed_slice(),
        }
    }

    /// Writes the delta from `old` to `new`, both of the encoder's page size, to the beginning of `out`; whatever the
    /// outcome, all of `out` may be overwritten.
    ///
    /// # Panics
    /// Where the pages have another size.
    pub fn encode(&mut self, old: &[u8], new: &[u8], out: &mut [u8]) -> Encoded {
        let page_size_bytes = self.masks.len() * MASK_BYTES;
        assert!(
            old.len() == page_size_bytes && new.len() == page_size_bytes,
            "a page of another size"
        );
        // SAFETY: `new` demands an instruction set that is there; the three lengths agree.
        let any = unsafe { (self.find_differences)(old, new, &mut self.masks) };
        if !any {
            return Encoded::Unchanged;
        }
        if self.delta_bytes_min() > out.len() {
            return Encoded::Overflow;
        }
        match self.write(new, out) {
            Some(delta_bytes) => Encoded::Delta(delta_bytes),
            None => Encoded::Overflow,
        }
    }

    /// No delta is smaller: the bytes that differ, and two lengths of a byte for each of their runs.
    fn delta_bytes_min(&self) -> usize {
        let mut carried = 0;
        let mut bytes = 0;
        for &mask in &self.masks {
            let run_starts = mask & !((mask << 1) | carried);
            bytes += mask.count_ones() + 2 * run_starts.count_ones();
            carried = mask >> 63;
        }
        bytes as usize
    }

    fn write(&self, new: &[u8], out: &mut [u8]) -> Option<usize> {
        let length_bytes_max = length_bytes_max(new.len());
        let mut written = 0;
        let mut at = 0;
        while at < new.len() {
            if written + length_bytes_max > out.len() {
                return None;
            }
            let start = self.next(at, 0);
            if start == new.len() {
                break;
            }
            written += put_length(&mut out[written..], start - at);
            if written + length_bytes_max > out.len() {
                return None;
            }
            let end = self.next(start, u64::MAX);
            let run_bytes = end - start;
            written += put_length(&mut out[written..], run_bytes);
            if written + run_bytes > out.len() {
                return None;
            }
            let copied_bytes = if run_bytes <= SHORT_RUN_BYTES
                && start + SHORT_RUN_BYTES <= new.len()
                && written + SHORT_RUN_BYTES <= out.len()
            {
                SHORT_RUN_BYTES
            } else {
                run_bytes
            };
            out[written..written + copied_bytes].copy_from_slice(&new[start..start + copied_bytes]);
            written += run_bytes;
            at = end;
        }
        Some(written)
    }

    /// The first byte at or after `at` (below the page size) that differs; with `flip` all ones, that is equal. The page
    /// size where there is none.
    #[inline]
    fn next(&self, at: usize, flip: u64) -> usize {
        let mut index = at / MASK_BYTES;
        let mut mask = (self.masks[index] ^ flip) & (u64::MAX << (at % MASK_BYTES));
        while mask == 0 {
            index += 1;
            match self.masks.get(index) {
                Some(next) => mask = next ^ flip,
                None => return index * MASK_BYTES,
            }
        }
        index * MASK_BYTES + mask.trailing_zeros() as usize
    }
}
