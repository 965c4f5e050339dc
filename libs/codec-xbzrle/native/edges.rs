//! Where the runs of differing bytes of two pages begin and end: what every instruction set computes, and the kernel for
//! all of them.

use crate::format::PAGE_BYTES_MIN;

/// Bytes whose differences are one word of bits.
pub const LINE_BYTES: usize = 64;

/// Every page is some whole blocks of so many bytes.
pub const BLOCK_BYTES: usize = 512;
const _: () = assert!(PAGE_BYTES_MIN.is_multiple_of(BLOCK_BYTES));

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
    positions: *mut u32,
    count: usize,
    changed_bytes: usize,
    /// 1 where the last byte of the line before differs.
    open: u64,
}

impl Walk {
    fn new(comparison: &Comparison) -> Self {
        Self {
            positions: comparison.positions,
            count: 0,
            changed_bytes: 0,
            open: 0,
        }
    }

    /// Notes a line of which the bits in `differing` differ.
    ///
    /// # Safety
    /// The line at `at` comes right after those noted before, and lies within the page.
    #[inline(always)]
    pub unsafe fn note(&mut self, at: usize, differing: u64) {
        // SAFETY: the caller vouches for the line; the positions have the room.
        unsafe { self.note_with(at, differing, |positions, edges| write_some(positions, at, edges)) };
    }

    /// As [`Walk::note`]; `write_many` writes the positions of more than two edges, for which there is room, and slack.
    ///
    /// # Safety
    /// As for [`Walk::note`].
    #[inline(always)]
    pub unsafe fn note_with(&mut self, at: usize, differing: u64, write_many: impl Fn(*mut u32, u64)) {
        let edges = differing ^ ((differing << 1) | self.open);
        self.open = differing >> 63;
        self.changed_bytes += differing.count_ones() as usize;
        if edges == 0 {
            return;
        }
        // SAFETY: the caller vouches that there are no more edges so far than bytes, for which there is room.
        let positions = unsafe { self.positions.add(self.count) };
        let count = edges.count_ones() as usize;
        if count > 2 {
            write_many(positions, edges);
        } else {
            let second = edges & (edges - 1);
            // SAFETY: as above, with slack.
            unsafe {
                positions.write(at as u32 + edges.trailing_zeros());
                positions.add(1).write(at as u32 + second.trailing_zeros());
            }
        }
        self.count += count;
    }

    /// Notes lines that are equal, from `at` on.
    ///
    /// # Safety
    /// As for [`Walk::note`].
    #[inline(always)]
    pub unsafe fn note_equal(&mut self, at: usize) {
        if self.open != 0 {
            // SAFETY: as the caller says.
            unsafe { self.note(at, 0) };
        }
    }

    /// No delta is shorter: the bytes that differ, and a length for each edge.
    fn delta_bytes_min(&self) -> usize {
        self.changed_bytes + self.count
    }

    /// What was found, after the last line.
    ///
    /// # Safety
    /// The whole page was noted.
    unsafe fn finish(mut self, comparison: &Comparison) -> Edges {
        if self.open != 0 {
            // SAFETY: there are no more edges so far than bytes, and room for one more.
            unsafe { self.positions.add(self.count).write(comparison.page_bytes as u32) };
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

/// Writes the positions of edges of the line at `at`.
///
/// # Safety
/// There is room for them, and [`EDGE_SLACK`] more.
#[inline(always)]
unsafe fn write_some(positions: *mut u32, at: usize, mut edges: u64) {
    const AT_ONCE: usize = 4;
    let count = edges.count_ones() as usize;
    let mut written = 0;
    // Four at once, whether there are so many or not: how many is hard to predict. (G. Langdale, D. Lemire, "Parsing
    // gigabytes of JSON per second", VLDB Journal 2019, section 3.1.5, do the same.)
    while written < count {
        for index in written..written + AT_ONCE {
            // SAFETY: the caller vouches for the room.
            unsafe { positions.add(index).write(at as u32 + edges.trailing_zeros()) };
            edges &= edges.wrapping_sub(1);
        }
        written += AT_ONCE;
    }
}

/// Goes over a page in parts of `part_bytes`, of which a block has a whole number. `find` notes the part at an offset.
///
/// # Safety
/// See [`FindEdges`].
#[inline(always)]
pub unsafe fn walk_with(comparison: &Comparison, part_bytes: usize, find: impl Fn(&mut Walk, usize)) -> Edges {
    let mut walk = Walk::new(comparison);
    for at in (0..comparison.page_bytes).step_by(part_bytes) {
        find(&mut walk, at);
        if walk.delta_bytes_min() > comparison.delta_bytes_max {
            return Edges::TooMany;
        }
    }
    // SAFETY: the whole page was noted.
    unsafe { walk.finish(comparison) }
}

/// Eight bytes at a time, on every processor.
///
/// # Safety
/// See [`FindEdges`].
pub unsafe fn find_edges(comparison: Comparison) -> Edges {
    // SAFETY: the caller vouches for all that the walk and its parts demand.
    unsafe { walk_with(&comparison, LINE_BYTES, |walk, at| find_in_line(&comparison, walk, at)) }
}

#[inline(always)]
unsafe fn find_in_line(comparison: &Comparison, walk: &mut Walk, at: usize) {
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
            return walk.note_equal(at);
        }
        if !comparison.become_new.is_null() {
            comparison.become_new.add(at).cast::<[u64; 8]>().write_unaligned(new);
        }
        let differing = (0..8).fold(0, |bits, lane| {
            bits | (byte_mask(u64::from_le(old[lane]) ^ u64::from_le(new[lane])) << (8 * lane))
        });
        walk.note(at, differing);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    /// Begin and end of each run, by a look at each byte, and how many differ.
    fn expected(old: &[u8], new: &[u8]) -> (Vec<u32>, usize) {
        let differs = |at: usize| old.get(at) != new.get(at);
        let edges = (0..=old.len()).filter(|&at| differs(at) != (at > 0 && differs(at - 1)));
        let changed_bytes = (0..old.len()).filter(|&at| differs(at)).count();
        (edges.map(|at| at as u32).collect(), changed_bytes)
    }

    /// A page at an address that is a multiple of a line's length and some bytes.
    fn page_in(bytes: &mut Vec<u8>, content: &[u8], shift: usize) -> *mut u8 {
        *bytes = vec![0; content.len() + 2 * LINE_BYTES];
        let from = bytes.as_ptr().align_offset(LINE_BYTES) + shift;
        bytes[from..from + content.len()].copy_from_slice(content);
        bytes[from..].as_mut_ptr()
    }

    #[test]
    fn every_isa_sees_what_a_look_at_each_byte_sees() {
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 24
        };
        for (page_bytes, density, shift) in [512, 4096, 8192]
            .into_iter()
            .flat_map(|size| [0, 1, 3, 8, 40, 128, 250, 256].map(|density| (size, density)))
            .flat_map(|(size, density)| [0, 1, 16].map(|shift| (size, density, shift)))
        {
            let old: Vec<u8> = (0..page_bytes).map(|_| random() as u8).collect();
            let mut new = old.clone();
            for byte in &mut new {
                if random() < density {
                    *byte ^= 1 + (random() % 255) as u8;
                }
            }
            let (edges, changed_bytes) = expected(&old, &new);
            for (isa, is_live) in Isa::available().flat_map(|isa| [(isa, false), (isa, true)]) {
                let (mut old_bytes, mut new_bytes) = (Vec::new(), Vec::new());
                let old_page = page_in(&mut old_bytes, &old, shift);
                let new_page = page_in(&mut new_bytes, &new, if is_live { 0 } else { shift / 2 });
                let mut positions = vec![0; page_bytes + 1 + EDGE_SLACK];
                let mut find = |delta_bytes_max| {
                    let comparison = Comparison {
                        old: old_page,
                        new: new_page,
                        page_bytes,
                        become_new: if is_live { old_page } else { std::ptr::null_mut() },
                        positions: positions.as_mut_ptr(),
                        delta_bytes_max,
                    };
                    // SAFETY: the instruction set is available; both pages lie within their vectors, the new one aligned
                    // where it is live, and the positions have the room.
                    unsafe { isa.find_edges()(comparison) }
                };
                let least = changed_bytes + edges.len();
                if least > 0 && !is_live {
                    assert_eq!(find(least - 1), Edges::TooMany, "{isa:?}");
                }
                let count = edges.len();
                assert_eq!(find(least), Edges::Found { count, changed_bytes }, "{isa:?}");
                assert_eq!(positions[..count], edges, "{isa:?}");
                // SAFETY: a page lies there.
                let old_now = unsafe { std::slice::from_raw_parts(old_page, page_bytes) };
                assert!(old_now == if is_live { &new[..] } else { &old[..] }, "{isa:?}");
            }
        }
    }
}
