/// 2^32 divided by the golden ratio: spreads neighbouring pages evenly (D. Knuth, TAOCP 3, section 6.4).
const SPREAD: u32 = 0x9e37_79b1;

/// Which of so many places is a page's.
pub fn spread(page: u64, place_count: usize) -> usize {
    let spread = (page as u32 ^ (page >> 32) as u32).wrapping_mul(SPREAD);
    ((u64::from(spread) * place_count as u64) >> 32) as usize
}
