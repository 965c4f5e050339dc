//! The generator's frames: 64 bytes without check sequence, big-endian.
//!
//! `dst[6] src[6] 0x88b5 flow[2] magic[4] checksum[4] sequence[8] timestampNs[8] filler[24]`. The ethertype is the first
//! that IEEE 802 leaves to local experiments. The checksum covers everything after the addresses but itself, and the
//! filler follows from the sequence, so that a buffer torn between two frames is noticed.

/// Bytes of a test frame.
pub const FRAME_BYTES: usize = 64;
/// An Ethernet hardware address.
pub type Mac = [u8; 6];

const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
const MAGIC: u32 = 0x6777_6672;
const CHECKSUM: std::ops::Range<usize> = 20..24;

/// What a whole test frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestFrame {
    /// Which of the flows it belongs to.
    pub flow: u16,
    /// Its number in the flow, from 0.
    pub sequence: u64,
    /// When it was sent.
    pub timestamp_ns: u64,
}

/// The odd multiplier is 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 3, section 6.4).
fn mix(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

fn checksum(frame: &[u8; FRAME_BYTES]) -> u32 {
    let head = u64::from_be_bytes([
        frame[12], frame[13], frame[14], frame[15], frame[16], frame[17], frame[18], frame[19],
    ]);
    let (words, _) = frame[24..].as_chunks::<8>();
    let sum = words
        .iter()
        .fold(mix(1, head), |sum, word| mix(sum, u64::from_be_bytes(*word)));
    (sum >> 32) as u32 ^ sum as u32
}

impl TestFrame {
    /// The frame as it goes over the cable.
    pub fn encode(&self, destination: Mac, source: Mac) -> [u8; FRAME_BYTES] {
        let mut frame = [0; FRAME_BYTES];
        frame[0..6].copy_from_slice(&destination);
        frame[6..12].copy_from_slice(&source);
        frame[12..14].copy_from_slice(&ETHERTYPE);
        frame[14..16].copy_from_slice(&self.flow.to_be_bytes());
        frame[16..20].copy_from_slice(&MAGIC.to_be_bytes());
        frame[24..32].copy_from_slice(&self.sequence.to_be_bytes());
        frame[32..40].copy_from_slice(&self.timestamp_ns.to_be_bytes());
        for (index, filler) in frame[40..].chunks_exact_mut(8).enumerate() {
            filler.copy_from_slice(&mix(index as u64, self.sequence).to_be_bytes());
        }
        let sum = checksum(&frame);
        frame[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        frame
    }

    /// What bytes from outside say; none when they are no whole test frame.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let frame: &[u8; FRAME_BYTES] = bytes.try_into().ok()?;
        let whole = frame[12..14] == ETHERTYPE
            && frame[16..20] == MAGIC.to_be_bytes()
            && frame[CHECKSUM] == checksum(frame).to_be_bytes();
        whole.then(|| {
            let double_word = |at: usize| {
                frame[at..at + 8]
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
            };
            Self {
                flow: u16::from_be_bytes([frame[14], frame[15]]),
                sequence: double_word(24),
                timestamp_ns: double_word(32),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_what_was_put_in_and_any_change_is_noticed() {
        let frame = TestFrame {
            flow: 1,
            sequence: 0x0102_0304_0506,
            timestamp_ns: 77,
        };
        let bytes = frame.encode([1; 6], [2; 6]);
        assert_eq!(TestFrame::decode(&bytes), Some(frame));
        for index in 12..FRAME_BYTES {
            for bit in 0..8 {
                let mut changed = bytes;
                changed[index] ^= 1 << bit;
                assert_eq!(TestFrame::decode(&changed), None);
            }
        }
        let next = TestFrame {
            sequence: frame.sequence + 1,
            ..frame
        }
        .encode([1; 6], [2; 6]);
        for cut in 25..FRAME_BYTES {
            let mut torn = bytes;
            torn[cut..].copy_from_slice(&next[cut..]);
            assert!(torn == bytes || TestFrame::decode(&torn).is_none());
        }
        assert_eq!(TestFrame::decode(&bytes[..63]), None);
        assert_eq!(TestFrame::decode(&[]), None);
    }
}
