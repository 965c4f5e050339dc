//! The body of DELTA: count u32, then count x {page u32, length u32}, then the deltas in order.

use godwit_ports::{CapsuleError, Coded, CodedPage};

use crate::frame::u32_at;

/// The body of DELTA.
pub fn encode(deltas: &[&CodedPage], encoded: &[u8], body: &mut Vec<u8>) {
    body.clear();
    body.extend_from_slice(&(deltas.len() as u32).to_le_bytes());
    for delta in deltas {
        body.extend_from_slice(&(delta.page as u32).to_le_bytes());
        body.extend_from_slice(&delta.length_bytes.to_le_bytes());
    }
    for delta in deltas {
        body.extend_from_slice(delta.bytes(encoded).unwrap_or_default());
    }
}

/// Reads the table of a DELTA frame; offsets come out relative to the body. Lengths must add up exactly, no delta may be
/// empty or longer than a page, and every page lies inside the memory.
pub fn decode(
    body: &[u8],
    memory_pages: u64,
    page_size_bytes: usize,
    coded: &mut Vec<CodedPage>,
) -> Result<(), CapsuleError> {
    coded.clear();
    if body.len() < 4 {
        return Err(CapsuleError::Malformed);
    }
    let count = u32_at(body, 0) as usize;
    let mut offset = count
        .checked_mul(8)
        .and_then(|bytes| bytes.checked_add(4))
        .ok_or(CapsuleError::Malformed)?;
    let table = body.get(4..offset).ok_or(CapsuleError::Malformed)?;
    for entry in table.chunks_exact(8) {
        let (page, length) = (u64::from(u32_at(entry, 0)), u32_at(entry, 4) as usize);
        if page >= memory_pages {
            return Err(CapsuleError::OutOfRange);
        }
        if length == 0 || length > page_size_bytes || length > body.len() - offset {
            return Err(CapsuleError::Malformed);
        }
        coded.push(CodedPage::new(page, Coded::Delta, offset as u32, length as u32));
        offset += length;
    }
    if offset == body.len() {
        Ok(())
    } else {
        Err(CapsuleError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta_body(entries: &[(u32, u32)], payload_bytes: usize) -> Vec<u8> {
        let mut body = (entries.len() as u32).to_le_bytes().to_vec();
        for (page, length) in entries {
            body.extend_from_slice(&page.to_le_bytes());
            body.extend_from_slice(&length.to_le_bytes());
        }
        body.resize(body.len() + payload_bytes, 7);
        body
    }

    #[test]
    fn delta_tables_must_add_up() {
        let mut coded = Vec::new();
        let mut seen = |entries: &[(u32, u32)], payload| {
            decode(&delta_body(entries, payload), 10, 4096, &mut coded).map(|()| coded.clone())
        };
        let good = seen(&[(1, 3), (9, 4)], 7).unwrap();
        assert_eq!((good[0].offset_bytes, good[1].offset_bytes), (20, 23));
        assert_eq!(seen(&[(10, 1)], 1), Err(CapsuleError::OutOfRange));
        for (entries, payload) in [
            (vec![(1, 3)], 2),
            (vec![(1, 3)], 4),
            (vec![(1, 0)], 0),
            (vec![(1, 4097)], 4097),
        ] {
            assert_eq!(seen(&entries, payload), Err(CapsuleError::Malformed));
        }
        assert_eq!(
            decode(&u32::MAX.to_le_bytes(), 10, 4096, &mut coded),
            Err(CapsuleError::Malformed)
        );
        assert_eq!(decode(&[], 10, 4096, &mut coded), Err(CapsuleError::Malformed));
    }
}
