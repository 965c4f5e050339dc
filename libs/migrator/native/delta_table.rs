//! The body of DELTA: count u32, then count x {page u32, length u32}, then the deltas in order.

use godwit_ports::{CapsuleError, Coded, CodedPage};

use crate::frame::{BODY_BYTES_MAX, u32_at};

/// Cuts a batch into what fits into one frame each.
pub fn frames<'a, 'b>(mut deltas: &'b [&'a CodedPage]) -> impl Iterator<Item = &'b [&'a CodedPage]> {
    std::iter::from_fn(move || {
        let mut body_bytes = 4;
        let fitting = deltas
            .iter()
            .take_while(|delta| {
                body_bytes += 8 + delta.length_bytes as usize;
                body_bytes <= BODY_BYTES_MAX
            })
            .count();
        let (frame, rest) = deltas.split_at(fitting);
        deltas = rest;
        (!frame.is_empty()).then_some(frame)
    })
}

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

    #[test]
    fn no_frame_is_longer_than_the_protocol_allows() {
        let pages: Vec<CodedPage> = (0..1200)
            .map(|page| CodedPage::new(page, Coded::Delta, 0, 4095))
            .collect();
        let deltas: Vec<&CodedPage> = pages.iter().collect();
        let cut: Vec<usize> = frames(&deltas).map(<[_]>::len).collect();
        assert_eq!(cut.iter().sum::<usize>(), 1200);
        for count in cut {
            assert!(count > 0 && 4 + count * (8 + 4095) <= BODY_BYTES_MAX);
        }
        assert_eq!(frames(&[]).count(), 0);
    }
}
