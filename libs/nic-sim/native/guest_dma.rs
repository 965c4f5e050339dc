//! What the card needs of guest memory.

/// Guest memory as the card sees it.
///
/// Every byte the card writes is marked **after** it was written, and the order matters. A tracker fetches and clears
/// marks while the guest runs and then copies the pages it found. Write, mark, collect: the copy has the write. Write,
/// collect, mark: this collect misses the page, but the mark stays and the next one finds it. Marked first, a collect
/// in between would take the mark, copy the page as it was before the write, and no mark would ever tell of the write:
/// lost. Whoever collects for the last time must have stopped polling the card before, as then no write is unmarked.
pub trait GuestDma {
    /// The address in this process of `length` bytes from a guest-physical address; none when any of them is not
    /// memory of the guest, or when they are not contiguous here. The memory must stay mapped while the card is polled.
    fn at(&self, guest_physical: u64, length: usize) -> Option<*mut u8>;

    /// Marks the pages of a range dirty. An implementation publishes the mark with release ordering (an atomic
    /// read-modify-write with `Release` or stronger), so that who sees the mark sees the bytes.
    fn mark_dirty(&self, guest_physical: u64, length: usize);
}
