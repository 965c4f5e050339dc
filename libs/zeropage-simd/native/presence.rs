//! Which pages of the operating system are populated, over a part of a region.

use std::ops::Range;

/// What is known of a range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// No byte of it was ever written since it was mapped: all are zero.
    Nowhere,
    Everywhere,
    /// Only islands of it.
    Partly,
}

/// One bit for each page of the operating system in a range of addresses.
pub struct Presence {
    os_page_bytes: usize,
    first_os_page: usize,
    os_page_count: usize,
    words: Vec<u64>,
}

impl Presence {
    pub fn new(os_page_bytes: usize) -> Self {
        Self {
            os_page_bytes,
            first_os_page: 0,
            os_page_count: 0,
            words: Vec::new(),
        }
    }

    /// Begins anew over the pages that a range of addresses touches: none of them is populated.
    pub fn cover(&mut self, addresses: &Range<usize>) -> Range<usize> {
        self.first_os_page = addresses.start / self.os_page_bytes;
        self.os_page_count = addresses.end.div_ceil(self.os_page_bytes) - self.first_os_page;
        self.words.clear();
        self.words.resize(self.os_page_count.div_ceil(64), 0);
        let start = self.first_os_page * self.os_page_bytes;
        start..start + self.os_page_count * self.os_page_bytes
    }

    /// Notes that the pages of a range of addresses are populated, as far as they are covered.
    pub fn add(&mut self, addresses: Range<usize>) {
        let from = (addresses.start / self.os_page_bytes).max(self.first_os_page) - self.first_os_page;
        let to = addresses
            .end
            .div_ceil(self.os_page_bytes)
            .saturating_sub(self.first_os_page);
        let to = to.min(self.os_page_count);
        let mut page = from;
        while page < to {
            let count = (64 - page % 64).min(to - page);
            self.words[page / 64] |= (u64::MAX >> (64 - count)) << (page % 64);
            page += count;
        }
    }

    /// What is known of a range of addresses, which is covered and not empty.
    pub fn touched(&self, addresses: &Range<usize>) -> Touched {
        let from = addresses.start / self.os_page_bytes - self.first_os_page;
        let to = addresses.end.div_ceil(self.os_page_bytes) - self.first_os_page;
        let (mut some, mut all) = (false, true);
        let mut page = from;
        while page < to && (all || !some) {
            let count = (64 - page % 64).min(to - page);
            let mask = (u64::MAX >> (64 - count)) << (page % 64);
            let bits = self.words[page / 64] & mask;
            some |= bits != 0;
            all &= bits == mask;
            page += count;
        }
        match (some, all) {
            (false, _) => Touched::Nowhere,
            (true, true) => Touched::Everywhere,
            (true, false) => Touched::Partly,
        }
    }

    /// The populated parts of a range of addresses, which is covered.
    pub fn islands(&self, addresses: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut at = addresses.start;
        std::iter::from_fn(move || {
            while at < addresses.end && !self.has(at) {
                at = self.next_os_page(at);
            }
            let start = at;
            while at < addresses.end && self.has(at) {
                at = self.next_os_page(at);
            }
            (start < addresses.end).then(|| start..at.min(addresses.end))
        })
    }

    fn has(&self, address: usize) -> bool {
        let page = address / self.os_page_bytes - self.first_os_page;
        self.words[page / 64] >> (page % 64) & 1 == 1
    }

    fn next_os_page(&self, address: usize) -> usize {
        (address / self.os_page_bytes + 1) * self.os_page_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_islands_at_any_address() {
        let mut presence = Presence::new(4096);
        // Neither end lies at a page's border.
        assert_eq!(presence.cover(&(0x10010..0x70010)), 0x10000..0x71000);
        assert_eq!(presence.touched(&(0x10010..0x70010)), Touched::Nowhere);
        presence.add(0x0..0x11000);
        presence.add(0x20000..0x23000);
        presence.add(0x70000..0x90000);
        assert_eq!(presence.touched(&(0x20010..0x22010)), Touched::Everywhere);
        assert_eq!(presence.touched(&(0x1f010..0x20010)), Touched::Partly);
        assert_eq!(presence.touched(&(0x1e010..0x1f010)), Touched::Nowhere);
        let islands: Vec<_> = presence.islands(0x10010..0x70010).collect();
        assert_eq!(islands, [0x10010..0x11000, 0x20000..0x23000, 0x70000..0x70010]);
        assert_eq!(presence.islands(0x30000..0x31000).count(), 0);
    }
}
