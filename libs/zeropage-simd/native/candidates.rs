//! The pages that a scan looks at, in pieces that one thread looks at in one go.

use std::collections::TryReserveError;

/// A piece is at most this long, or one page: between two pieces a scan can be cancelled, and threads share them.
pub const PIECE_BYTES: usize = 16 << 20;

/// Neighbouring pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub first_page: usize,
    pub page_count: usize,
}

impl Piece {
    pub fn end(&self) -> usize {
        self.first_page + self.page_count
    }
}

/// Which pages of a region are looked at.
pub enum Candidates {
    All,
    /// Bit `i % 64` of word `i / 64`; bits beyond the region do not count.
    Set(Vec<u64>),
    /// Any pieces, in any order, also overlapping; no piece is empty or longer than [`pages_per_piece`].
    Runs(Vec<Piece>),
}

/// How many pages a piece has at most; a power of two.
pub fn pages_per_piece(page_size_bytes: usize) -> usize {
    (PIECE_BYTES / page_size_bytes).max(1)
}

impl Candidates {
    /// Of a bitmap in words of 32 bits, an even number of them, which it copies.
    pub fn of_set(words: impl ExactSizeIterator<Item = u32>) -> Result<Self, TryReserveError> {
        let mut set = Vec::new();
        set.try_reserve_exact(words.len() / 2)?;
        let mut words = words;
        while let (Some(low), Some(high)) = (words.next(), words.next()) {
            set.push(u64::from(high) << 32 | u64::from(low));
        }
        Ok(Self::Set(set))
    }

    /// Of runs `(first_page, page_count)`, which the caller has checked; empty ones are left out.
    pub fn of_runs(runs: impl Iterator<Item = (u32, u32)>, page_size_bytes: usize) -> Result<Self, TryReserveError> {
        let longest = pages_per_piece(page_size_bytes);
        let mut pieces = Vec::new();
        pieces.try_reserve(runs.size_hint().1.unwrap_or(0))?;
        for (first_page, page_count) in runs {
            let (mut first_page, mut rest) = (first_page as usize, page_count as usize);
            while rest > 0 {
                // Pieces end where words of the result do, so that threads meet at few of them.
                let page_count = rest.min(longest - (first_page & (longest - 1)));
                if pieces.len() == pieces.capacity() {
                    pieces.try_reserve(1)?;
                }
                pieces.push(Piece { first_page, page_count });
                first_page += page_count;
                rest -= page_count;
            }
        }
        Ok(Self::Runs(pieces))
    }

    pub fn piece_count(&self, region_pages: usize, page_size_bytes: usize) -> usize {
        match self {
            Self::All | Self::Set(_) => region_pages.div_ceil(pages_per_piece(page_size_bytes)),
            Self::Runs(pieces) => pieces.len(),
        }
    }

    pub fn piece(&self, index: usize, region_pages: usize, page_size_bytes: usize) -> Piece {
        match self {
            Self::All | Self::Set(_) => {
                let longest = pages_per_piece(page_size_bytes);
                let first_page = index * longest;
                Piece {
                    first_page,
                    page_count: longest.min(region_pages - first_page),
                }
            }
            Self::Runs(pieces) => pieces[index],
        }
    }

    /// Whether every page of every piece is a candidate.
    pub fn are_whole_pieces(&self) -> bool {
        matches!(self, Self::All | Self::Runs(_))
    }

    /// How many pages of a piece are candidates.
    pub fn count_in(&self, piece: Piece) -> usize {
        match self {
            Self::All | Self::Runs(_) => piece.page_count,
            Self::Set(_) => {
                let mut count = 0;
                let mut page = piece.first_page;
                while page < piece.end() {
                    let (bits, block_pages) = self.block(page, piece.end());
                    count += bits.count_ones() as usize;
                    page += block_pages;
                }
                count
            }
        }
    }

    /// How many pages are looked at.
    pub fn count(&self, region_pages: usize) -> usize {
        match self {
            Self::All => region_pages,
            Self::Set(_) => self.count_in(Piece {
                first_page: 0,
                page_count: region_pages,
            }),
            Self::Runs(pieces) => pieces.iter().map(|piece| piece.page_count).sum(),
        }
    }

    /// The candidates among the next pages, up to 64 of them, and how many pages those are: bit i stands for page
    /// `page + i`.
    pub fn block(&self, page: usize, end: usize) -> (u64, usize) {
        match self {
            Self::All | Self::Runs(_) => {
                let count = (end - page).min(64);
                (low_bits(count), count)
            }
            Self::Set(words) => {
                let count = (end - page).min(64 - page % 64);
                (words[page / 64] >> (page % 64) & low_bits(count), count)
            }
        }
    }
}

/// The lowest `count` bits of a word; all where there are more.
pub fn low_bits(count: usize) -> u64 {
    match count {
        0..64 => (1 << count) - 1,
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_region_once() {
        for (page_size_bytes, region_pages) in [(512, 100_000), (4096, 4096), (4096, 4097), (1 << 30, 3), (4096, 0)] {
            let pieces = Candidates::All.piece_count(region_pages, page_size_bytes);
            let mut next = 0;
            for index in 0..pieces {
                let piece = Candidates::All.piece(index, region_pages, page_size_bytes);
                assert_eq!(piece.first_page, next);
                assert!(piece.page_count > 0);
                next = piece.end();
            }
            assert_eq!(next, region_pages);
        }
    }

    #[test]
    fn long_runs_are_cut_and_empty_ones_left_out() {
        let runs = [(5, 3), (9, 0), (4000, 5000)];
        let Candidates::Runs(pieces) = Candidates::of_runs(runs.into_iter(), 4096).unwrap() else {
            panic!("runs are runs");
        };
        let ends: Vec<_> = pieces
            .iter()
            .map(|piece| (piece.first_page, piece.page_count))
            .collect();
        assert_eq!(ends, [(5, 3), (4000, 96), (4096, 4096), (8192, 808)]);
    }

    #[test]
    fn blocks_of_a_set_begin_anywhere() {
        let set = Candidates::of_set([0xf000_000f, 1, 2, 0].into_iter()).unwrap();
        assert_eq!(set.block(0, 128), (0x1_f000_000f, 64));
        assert_eq!(set.block(28, 33), (0b11111, 5));
        assert_eq!(set.block(64, 65), (0, 1));
        assert_eq!(set.block(65, 128), (1, 63));
        assert_eq!(set.count(128), 10);
    }

    #[test]
    fn a_copy_for_which_there_is_no_memory_is_an_error() {
        assert!(Candidates::of_set((0..usize::MAX).map(|_| 0)).is_err());
        assert!(Candidates::of_runs((0..usize::MAX).map(|_| (0, 1)), 4096).is_err());
        assert!(crate::scan_task::words_of(0, usize::MAX / 2).is_err());
    }
}
