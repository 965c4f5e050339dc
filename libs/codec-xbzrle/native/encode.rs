//! The delta from one page to another.

use crate::edges::{Comparison, EDGE_SLACK, Edges, FindEdges, LINE_BYTES};
use crate::format::length_bytes_max;
use crate::isa::Isa;
use crate::runs::{Runs, WriteRuns, write_runs_checked};

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// Both pages are equal.
    Unchanged,
    /// A delta of this many bytes.
    Delta(usize),
    /// The delta does not fit into the room given, or is longer than it may be.
    Overflow,
}

/// Bytes that a [`WriteRuns`] may write behind a delta.
const WRITE_SLACK_BYTES: usize = 64;

/// Encodes pages of one size; keeps what it needs for that, so that no page allocates.
pub struct DeltaEncoder {
    find_edges: FindEdges,
    write_runs: WriteRuns,
    page_bytes: usize,
    positions: Box<[u32]>,
}

impl DeltaEncoder {
    /// `isa` must be one of [`Isa::available`], the page size one that [`crate::format::is_page_size`] takes.
    pub fn new(page_size_bytes: usize, isa: Isa) -> Self {
        Self {
            find_edges: isa.find_edges(),
            write_runs: isa.write_runs(),
            page_bytes: page_size_bytes,
            positions: vec![0; page_size_bytes + 1 + EDGE_SLACK].into_boxed_slice(),
        }
    }

    pub fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Writes the delta from `old` to `new`, both of the encoder's page size, to the beginning of `out`; whatever the
    /// outcome, all of `out` may be overwritten. It fits if there is room for the longest length wherever one may follow.
    ///
    /// # Panics
    /// Where the pages have another size.
    pub fn encode(&mut self, old: &[u8], new: &[u8], out: &mut [u8]) -> Encoded {
        let delta_bytes_max = out.len();
        self.encode_within(old, new, out, delta_bytes_max)
    }

    /// As [`DeltaEncoder::encode`]; a delta of more than `delta_bytes_max` bytes is an overflow too.
    ///
    /// # Panics
    /// Where the pages have another size.
    pub fn encode_within(&mut self, old: &[u8], new: &[u8], out: &mut [u8], delta_bytes_max: usize) -> Encoded {
        assert!(
            old.len() == self.page_bytes && new.len() == self.page_bytes,
            "a page of another size"
        );
        let delta_bytes_max = delta_bytes_max.min(out.len());
        // SAFETY: both pages have the encoder's size and are borrowed.
        let edges = unsafe { self.find_edges(old.as_ptr(), new.as_ptr(), std::ptr::null_mut(), delta_bytes_max) };
        self.write(edges, new, out, delta_bytes_max)
    }

    /// As [`DeltaEncoder::encode_within`] for a page that a guest may write meanwhile. `old` becomes what the delta makes
    /// of it; after an overflow it may be anything.
    ///
    /// # Safety
    /// A page at `live` is readable, aligned to [`LINE_BYTES`].
    ///
    /// # Panics
    /// Where the old page has another size.
    pub unsafe fn encode_live(
        &mut self,
        old: &mut [u8],
        live: *const u8,
        out: &mut [u8],
        delta_bytes_max: usize,
    ) -> Encoded {
        assert!(old.len() == self.page_bytes, "a page of another size");
        debug_assert!(live.cast::<[u8; LINE_BYTES]>().addr().is_multiple_of(LINE_BYTES));
        let delta_bytes_max = delta_bytes_max.min(out.len());
        let become_new = old.as_mut_ptr();
        // SAFETY: the old page has the encoder's size and is ours alone; the caller vouches for the live one.
        let edges = unsafe { self.find_edges(become_new, live, become_new, delta_bytes_max) };
        self.write(edges, old, out, delta_bytes_max)
    }

    /// # Safety
    /// As [`FindEdges`] demands of the pages.
    unsafe fn find_edges(
        &mut self,
        old: *const u8,
        new: *const u8,
        become_new: *mut u8,
        delta_bytes_max: usize,
    ) -> Edges {
        let comparison = Comparison {
            old,
            new,
            page_bytes: self.page_bytes,
            become_new,
            positions: self.positions.as_mut_ptr(),
            delta_bytes_max,
        };
        // SAFETY: `new` demands an instruction set that is there and makes the room; the caller vouches for the pages.
        unsafe { (self.find_edges)(comparison) }
    }

    fn write(&self, edges: Edges, new: &[u8], out: &mut [u8], delta_bytes_max: usize) -> Encoded {
        let Edges::Found { count, changed_bytes } = edges else {
            return Encoded::Overflow;
        };
        if count == 0 {
            return Encoded::Unchanged;
        }
        let runs = Runs {
            positions: &self.positions[..count],
            new: new.as_ptr(),
            page_bytes: self.page_bytes,
        };
        let length_bytes_max = length_bytes_max(self.page_bytes);
        let delta_bytes_most = changed_bytes + (count + 1) * length_bytes_max;
        if delta_bytes_most <= delta_bytes_max && delta_bytes_most + WRITE_SLACK_BYTES <= out.len() {
            // SAFETY: the positions are a kernel's; the page is borrowed; the longest delta fits, with the slack.
            return Encoded::Delta(unsafe { (self.write_runs)(runs, out.as_mut_ptr()) });
        }
        match write_runs_checked(runs, &mut out[..delta_bytes_max]) {
            Some(delta_bytes) => Encoded::Delta(delta_bytes),
            None => Encoded::Overflow,
        }
    }
}
