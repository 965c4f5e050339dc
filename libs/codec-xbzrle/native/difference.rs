//! Where two pages differ, one bit a byte: what every instruction set computes, and the kernel for all of them.

/// Bytes that one mask covers.
pub const MASK_BYTES: usize = 64;

/// Sets bit `i` of `masks[m]` where byte `64 * m + i` of the two pages differs, and clears the others. Returns whether
/// any differs. The pages are equally long, `masks.len() * 64` bytes.
///
/// # Safety
/// The processor has the kernel's instruction set.
pub type FindDifferences = unsafe fn(old: &[u8], new: &[u8], masks: &mut [u64]) -> bool;

/// Eight bytes at a time, on every processor. A [`FindDifferences`].
pub fn find_differences(old: &[u8], new: &[u8], masks: &mut [u64]) -> bool {
    let mut any = 0;
    let blocks = old.chunks_exact(MASK_BYTES).zip(new.chunks_exact(MASK_BYTES));
    for (mask, (old, new)) in masks.iter_mut().zip(blocks) {
        *mask = 0;
        let (old, _) = old.as_chunks::<8>();
        let (new, _) = new.as_chunks::<8>();
        for (lane, (old, new)) in old.iter().zip(new).enumerate() {
            let difference = u64::from_le_bytes(*old) ^ u64::from_le_bytes(*new);
            if difference != 0 {
                *mask |= byte_mask(difference) << (8 * lane);
            }
        }
        any |= *mask;
    }
    any != 0
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
    use crate::isa::Isa;

    #[test]
    fn every_isa_sees_what_a_look_at_each_byte_sees() {
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 24
        };
        for isa in Isa::available() {
            for density in [0, 1, 8, 128, 256] {
                let old: Vec<u8> = (0..1024).map(|_| random() as u8).collect();
                let mut new = old.clone();
                for byte in &mut new {
                    if random() < density {
                        *byte = random() as u8;
                    }
                }
                let expected: Vec<u64> = (old.chunks(64).zip(new.chunks(64)))
                    .map(|(old, new)| (0..64).fold(0, |mask, at| mask | (u64::from(old[at] != new[at]) << at)))
                    .collect();
                let mut masks = vec![!0; 16];
                // SAFETY: the instruction set is available.
                let any = unsafe { isa.kernel()(&old, &new, &mut masks) };
                assert_eq!(masks, expected, "{isa:?}");
                assert_eq!(any, old != new);
            }
        }
    }
}
