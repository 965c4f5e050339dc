//! The receiver's half behind the capsule.

use godwit_ports::{CapsuleError, Codec, Coded, CodedPage};

use crate::decode::decode;

/// Applies deltas to pages of one size.
pub struct XbzrleDecoder {
    page_size_bytes: usize,
}

impl XbzrleDecoder {
    pub fn new(page_size_bytes: usize) -> Self {
        Self { page_size_bytes }
    }
}

impl Codec for XbzrleDecoder {
    fn page_size_bytes(&self) -> u64 {
        self.page_size_bytes as u64
    }

    unsafe fn decode(&self, base: *mut u8, coded: &[CodedPage], input: &[u8]) -> Result<(), CapsuleError> {
        for coded in coded {
            if coded.outcome() != Some(Coded::Delta) {
                return Err(CapsuleError::Malformed);
            }
            let delta = coded.bytes(input).ok_or(CapsuleError::Malformed)?;
            // SAFETY: the caller has checked the page index, and vouches that nobody else writes the page.
            let page = unsafe {
                let start = base.add(coded.page as usize * self.page_size_bytes);
                std::slice::from_raw_parts_mut(start, self.page_size_bytes)
            };
            decode(delta, page).map_err(|_| CapsuleError::Malformed)?;
        }
        Ok(())
    }
}
