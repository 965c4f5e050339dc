use twox_hash::XxHash3_64;

/// XXH3 (Yann Collet, 64 bits, seed 0) of a page, never 0: 0 stands for a page that reads as zero.
///
/// # Safety
/// `page..page + page_size_bytes` is readable.
pub unsafe fn hash_page(page: *const u8, page_size_bytes: usize) -> u64 {
    // SAFETY: the caller vouches for the bytes. Nobody writes them meanwhile where the hash is to mean anything: the
    // guest is frozen at the source, and not yet started at the destination.
    let bytes = unsafe { std::slice::from_raw_parts(page, page_size_bytes) };
    XxHash3_64::oneshot(bytes).max(1)
}

/// What each page held when it was last installed: its hash, or 0 for one that was never installed or is zero.
///
/// The table is a mapping of zeroes that costs memory only where pages were installed (8 bytes a page).
pub struct PageHashes {
    hashes: Vec<u64>,
}

impl PageHashes {
    pub fn new(page_count: u64) -> Self {
        // vec![0; n] asks the allocator for zeroed memory, which is mapped but not touched.
        Self {
            hashes: vec![0; page_count as usize],
        }
    }

    pub fn set(&mut self, page: u64, hash: u64) {
        self.hashes[page as usize] = hash;
    }

    pub fn get(&self, page: u64) -> u64 {
        self.hashes[page as usize]
    }

    /// How many pages hold something else than zeroes.
    pub fn nonzero_count(&self) -> u64 {
        self.hashes.iter().filter(|&&hash| hash != 0).count() as u64
    }
}
