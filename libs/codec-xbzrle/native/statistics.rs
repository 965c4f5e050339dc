//! What an encoder did so far.

/// Every page sent is a hit, a miss or skipped; every hit is unchanged, a delta or an overflow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncoderStatistics {
    pub hit_pages: u64,
    pub miss_pages: u64,
    /// Misses that the cache did not take in.
    pub refused_pages: u64,
    /// Pages that the adaptive mode left alone.
    pub skipped_pages: u64,
    pub unchanged_pages: u64,
    pub delta_pages: u64,
    pub overflow_pages: u64,
    pub delta_bytes: u64,
}
