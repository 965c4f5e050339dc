//! Where the runs of differing bytes of two pages begin and end: what every instruction set computes, and the kernel for
//! all of them.

use crate::format::PAGE_BYTES_MIN;

/// Bytes whose differences are one word of bits.
pub const LINE_BYTES: usize = 64;

/// Bytes of which a kernel remembers the edges before it writes down where they are: as many lines as a word has bits.
pub const CHUNK_BYTES: usize = 64 * LINE_BYTES;

/// Every page is some whole blocks of so many bytes.
pub const BLOCK_BYTES: usize = 512;
const _: () = assert!(PAGE_BYTES_MIN.is_multiple_of(BLOCK_BYTES) && CHUNK_BYTES.is_multiple_of(BLOCK_BYTES));

/// A kernel writes up to so many positions more than it reports, which mean nothing.
pub const EDGE_SLACK: usize = LINE_BYTES;

/// Two pages, and where to write what a kernel finds out about them.
#[derive(Clone, Copy)]
pub struct Comparison {
    pub old: *const u8,
    pub new: *const u8,
    pub page_bytes: usize,
    /// The old page itself where it is to become the new one, which may be written meanwhile: what differs is stored
    /// from the very load that was compared. Null where it is to stay.
    pub become_new: *mut u8,
    /// Room for `page_bytes + 1 + EDGE_SLACK` positions.
    pub positions: *mut u32,
    /// Where a delta is sure to be longer the kernel may stop.
    pub delta_bytes_max: usize,
}

/// What a kernel found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    /// The first `count` positions are where runs of differing bytes begin and end, in turn; an even number, none where
    /// the pages are equal. `changed_bytes` differ.
    Found { count: usize, changed_bytes: usize },
    /// A delta has more than `delta_bytes_max` bytes. The old page may have become the new one in part.
    TooMany,
}

/// # Safety
/// The processor has the kernel's instruction set. A page at `old` is readable and written by nobody else; so is one at
/// `new`, which others may write and which is aligned to [`LINE_BYTES`] where `become_new` is not null; `become_new` is
/// null, or `old` and writable; `positions` has the room that [`Comparison`] demands.
pub type FindEdges = unsafe fn(comparison: Comparison) -> Edges;

/// What is known while a kernel goes over a page.
pub struct Walk {
    pub count: usize,
    pub changed_bytes: usize,
    /// 1 where the last byte of the line before differs.
    open: u64,
}

/// The edges in a chunk of a page.
pub struct Chunk {
    /// Bit `i` of a line's word: byte `i` is an edge. Those of other lines than `lines` tells of mean nothing.
    pub edges: [u64; 64],
    /// Bit `i`: line `i` has edges.
    pub lines: u64,
}

impl Walk {
    pub const fn new() -> Self {
        Self {
            count: 0,
            changed_bytes: 0,
            open: 0,
        }
    }

    /// Notes a line of which the bits in `differing` differ.
    #[inline(always)]
    pub fn note(&mut self, chunk: &mut Chunk, line: usize, differing: u64) {
        let edges = differing ^ ((differing << 1) | self.open);
        self.open = differing >> 63;
        self.changed_bytes += differing.count_ones() as usize;
        self.count += edges.count_ones() as usize;
        chunk.edges[line] = edges;
        chunk.lines |= u64::from(edges != 0) << line;
    }

    /// Notes lines that are equal, from `line` on.
    #[inline(always)]
    pub fn note_equal(&mut self, chunk: &mut Chunk, line: usize) {
        if self.open != 0 {
            self.note(chunk, line, 0);
        }
    }

    /// No delta is shorter: the bytes that differ, and a length for each edge.
    #[inline(always)]
    pub fn delta_bytes_min(&self) -> usize {
        self.changed_bytes + self.count
    }

    /// What was found, after the last chunk.
    ///
    /// # Safety
    /// The positions noted so far have been written.
    #[inline(always)]
    pub unsafe fn finish(mut self, comparison: &Comparison) -> Edges {
        if self.open != 0 {
            // SAFETY: there are no more edges so far than bytes, and room for one more.
            unsafe { comparison.positions.add(self.count).write(comparison.page_bytes as u32) };
            self.count += 1;
        }
        if self.delta_bytes_min() > comparison.delta_bytes_max {
            return Edges::TooMany;
        }
        Edges::Found {
            count: self.count,
            changed_bytes: self.changed_bytes,
        }
    }
}

/// Eight bytes at a time, on every processor.
///
/// # Safety
/// See [`FindEdges`].
pub unsafe fn find_edges(comparison: Comparison) -> Edges {
    // SAFETY: the caller vouches for all that the walk demands.
    unsafe {
        walk_with(&comparison, LINE_BYTES, |walk, chunk, line, at| {
            find_in_line(&comparison, walk, chunk, line, at)
        })
    }
}

/// Goes over a page chunk by chunk. `find` notes the edges of `part_bytes` bytes at an offset, of which it is given the line
/// too.
///
/// # Safety
/// See [`FindEdges`]; the parts make up a block.
#[inline(always)]
pub unsafe fn walk_with(
    comparison: &Comparison,
    part_bytes: usize,
    find: impl Fn(&mut Walk, &mut Chunk, usize, usize),
) -> Edges {
    let mut walk = Walk::new();
    let mut chunk = Chunk {
        edges: [0; 64],
        lines: 0,
    };
    let mut positions = comparison.positions;
    for chunk_at in (0..comparison.page_bytes).step_by(CHUNK_BYTES) {
        chunk.lines = 0;
        let end = comparison.page_bytes.min(chunk_at + CHUNK_BYTES);
        for at in (chunk_at..end).step_by(part_bytes) {
            find(&mut walk, &mut chunk, (at - chunk_at) / LINE_BYTES, at);
        }
        if walk.delta_bytes_min() > comparison.delta_bytes_max {
            return Edges::TooMany;
        }
        // SAFETY: there are no more edges than bytes, for which there is room.
        positions = unsafe { write_positions(&chunk, chunk_at, positions) };
    }
    // SAFETY: all positions have been written.
    unsafe { walk.finish(comparison) }
}

/// Writes down the edges of the chunk at a page offset; returns where the next ones go.
///
/// # Safety
/// The positions have room for all of them, and for [`EDGE_SLACK`] more.
#[inline(always)]
unsafe fn write_positions(chunk: &Chunk, chunk_at: usize, mut positions: *mut u32) -> *mut u32 {
    const AT_ONCE: usize = 4;
    let mut lines = chunk.lines;
    while lines != 0 {
        let line = lines.trailing_zeros() as usize;
        lines &= lines - 1;
        let at = (chunk_at + line * LINE_BYTES) as u32;
        let mut edges = chunk.edges[line];
        let count = edges.count_ones() as usize;
        let mut written = 0;
        // Four at once, whether there are so many or not: how many is hard to predict. (G. Langdale, D. Lemire, "Parsing
        // gigabytes of JSON per second", VLDB Journal 2019, section 3.1.5, do the same.)
        while written < count {
            for index in written..written + AT_ONCE {
                // SAFETY: the caller vouches for the room.
                unsafe { positions.add(index).write(at + edges.trailing_zeros()) };
                edges &= edges.wrapping_sub(1);
            }
            written += AT_ONCE;
        }
        // SAFETY: as above.
        positions = unsafe { positions.add(count) };
    }
    positions
}

#[inline(always)]
unsafe fn find_in_line(comparison: &Comparison, walk: &mut Walk, chunk: &mut Chunk, line: usize, at: usize) {
    // SAFETY: the line lies within both pages, for which the caller vouches.
    unsafe {
        let old = comparison.old.add(at).cast::<[u64; 8]>().read_unaligned();
        let new = if comparison.become_new.is_null() {
            comparison.new.add(at).cast::<[u64; 8]>().read_unaligned()
        } else {
            let new = comparison.new.add(at).cast::<u64>();
            // Each word is loaded once, whatever the compiler would rather do: a guest may write it.
            std::array::from_fn(|lane| new.add(lane).read_volatile())
        };
        if (0..8).fold(0, |any, lane| any | (old[lane] ^ new[lane])) == 0 {
            return walk.note_equal(chunk, line);
        }
        if !comparison.become_new.is_null() {
            comparison.become_new.add(at).cast::<[u64; 8]>().write_unaligned(new);
        }
        let differing = (0..8).fold(0, |bits, lane| {
            bits | (byte_mask(u64::from_le(old[lane]) ^ u64::from_le(new[lane])) << (8 * lane))
        });
        walk.note(chunk, line, differing);
    }
}

/// Bit `i` tells whether byte `i` is not zero.
fn byte_mask(bytes: u64) -> u64 {
    const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // The top bit of each byte that is not zero: adding 0x7f carries into it from any lower bit, and never beyond it.
    let top_bits = (((bytes & LOW_SEVEN) + LOW_SEVEN) | bytes) & !LOW_SEVEN;
    // The product brings bit 8 * i to bit 56 + i, and nothing else to the eight bits at the top.
    (top_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
