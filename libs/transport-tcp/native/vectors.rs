use libc::iovec;

/// The kernel's IOV_MAX: more vectors in one call are refused with EINVAL.
pub const VECTORS_MAX: usize = 1024;

/// The vectors of a transfer that are still to be moved.
pub struct Vectors {
    entries: Vec<iovec>,
    first: usize,
    remaining_bytes: u64,
}

impl Vectors {
    pub fn new(spans: impl Iterator<Item = (*mut u8, usize)>) -> Self {
        let entries: Vec<iovec> = spans
            .filter(|(_, length)| *length > 0)
            .map(|(base, length)| iovec {
                iov_base: base.cast(),
                iov_len: length,
            })
            .collect();
        let remaining_bytes = entries.iter().map(|entry| entry.iov_len as u64).sum();
        Self {
            entries,
            first: 0,
            remaining_bytes,
        }
    }

    pub fn remaining_bytes(&self) -> u64 {
        self.remaining_bytes
    }

    /// Offers the next vectors, of together at most `limit_bytes`, to `transfer`, which answers how many bytes it moved
    /// (or a negative number, which is passed on).
    pub fn offer(&mut self, limit_bytes: usize, transfer: impl FnOnce(&mut [iovec]) -> isize) -> isize {
        let mut bytes = 0;
        let mut end = self.first;
        while end < self.entries.len() && end - self.first < VECTORS_MAX && bytes < limit_bytes {
            bytes += self.entries[end].iov_len;
            end += 1;
        }
        let excess = bytes.saturating_sub(limit_bytes);
        let window = &mut self.entries[self.first..end];
        if let Some(last) = window.last_mut() {
            last.iov_len -= excess;
        }
        let moved = transfer(window);
        if let Some(last) = window.last_mut() {
            last.iov_len += excess;
        }
        if let Ok(moved) = usize::try_from(moved) {
            self.advance(moved);
        }
        moved
    }

    fn advance(&mut self, moved: usize) {
        self.remaining_bytes -= moved as u64;
        let mut left = moved;
        while left > 0 {
            let entry = &mut self.entries[self.first];
            if left < entry.iov_len {
                entry.iov_base = entry.iov_base.cast::<u8>().wrapping_add(left).cast();
                entry.iov_len -= left;
                return;
            }
            left -= entry.iov_len;
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lengths: &[usize]) -> Vectors {
        Vectors::new(
            lengths
                .iter()
                .map(|length| (std::ptr::without_provenance_mut(1 << 20), *length)),
        )
    }

    #[test]
    fn offers_at_most_the_limit_and_restores_what_it_cut() {
        let mut vectors = of(&[10, 0, 20, 30]);
        assert_eq!(vectors.remaining_bytes(), 60);
        let moved = vectors.offer(25, |window| {
            assert_eq!(window.iter().map(|v| v.iov_len).collect::<Vec<_>>(), [10, 15]);
            12
        });
        assert_eq!(moved, 12);
        vectors.offer(usize::MAX, |window| {
            assert_eq!(window.iter().map(|v| v.iov_len).collect::<Vec<_>>(), [18, 30]);
            assert_eq!(window[0].iov_base as usize, (1 << 20) + 2);
            -1
        });
        assert_eq!(vectors.offer(usize::MAX, |_| 48), 48);
        assert_eq!(vectors.remaining_bytes(), 0);
    }

    #[test]
    fn never_offers_more_vectors_than_the_kernel_takes() {
        let mut vectors = of(&[1; 3000]);
        let mut calls = 0;
        while vectors.remaining_bytes() > 0 {
            vectors.offer(usize::MAX, |window| {
                assert!(window.len() <= VECTORS_MAX);
                window.len() as isize
            });
            calls += 1;
        }
        assert_eq!(calls, 3);
    }
}
