//! A delta applied to the page it was made against.

use crate::format::{length_bytes_max, take_length};

/// Bytes that are no delta for such a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedDelta;

/// A run of new bytes: where in the page, where in the delta, how many.
struct Run {
    page_at: usize,
    delta_at: usize,
    length: usize,
}

/// Walks over the runs of a delta, checking each.
struct Runs<'a> {
    delta: &'a [u8],
    delta_at: usize,
    page_at: usize,
    page_size_bytes: usize,
}

impl<'a> Runs<'a> {
    fn new(delta: &'a [u8], page_size_bytes: usize) -> Self {
        Self {
            delta,
            delta_at: 0,
            page_at: 0,
            page_size_bytes,
        }
    }

    /// `None` at the end of the delta.
    fn next(&mut self) -> Result<Option<Run>, MalformedDelta> {
        if self.delta_at == self.delta.len() {
            return Ok(None);
        }
        let is_first = self.delta_at == 0;
        let equal = self.take_length()?;
        let length = self.take_length()?;
        // Runs are as long as they can be, so only the first one may follow upon no equal bytes.
        if length == 0 || (equal == 0 && !is_first) {
            return Err(MalformedDelta);
        }
        let run = Run {
            page_at: self.page_at + equal,
            delta_at: self.delta_at,
            length,
        };
        self.page_at = run.page_at + length;
        self.delta_at += length;
        if self.page_at > self.page_size_bytes || self.delta_at > self.delta.len() {
            return Err(MalformedDelta);
        }
        Ok(Some(run))
    }

    fn take_length(&mut self) -> Result<usize, MalformedDelta> {
        let bytes_max = length_bytes_max(self.page_size_bytes);
        let (length, taken) = take_length(&self.delta[self.delta_at..], bytes_max).ok_or(MalformedDelta)?;
        self.delta_at += taken;
        Ok(length)
    }
}

/// Applies `delta` to `page`, which is untouched where the delta is malformed: empty (an unchanged page has no delta), cut
/// off, beyond the end of the page, with an empty run, or with a length not in its shortest form.
pub fn decode(delta: &[u8], page: &mut [u8]) -> Result<(), MalformedDelta> {
    if delta.is_empty() {
        return Err(MalformedDelta);
    }
    let mut runs = Runs::new(delta, page.len());
    while runs.next()?.is_some() {}
    let mut runs = Runs::new(delta, page.len());
    while let Some(run) = runs.next()? {
        let bytes = &delta[run.delta_at..run.delta_at + run.length];
        page[run.page_at..run.page_at + run.length].copy_from_slice(bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_hostile_deltas_and_leaves_the_page_alone() {
        let hostile: &[&[u8]] = &[
            &[],
            &[0],
            &[0, 0],
            &[0x80],
            &[0x80, 0, 1, 7],
            &[0, 0x81, 0, 7],
            &[0, 1],
            &[0, 2, 7],
            &[0, 1, 7, 0, 1, 7],
            &[0, 1, 7, 5],
            &[0, 1, 7, 5, 0],
            &[0xff, 0x7f, 1, 7],
            &[0x80, 0x04, 1, 7],
            &[0xff, 0x03, 2, 7, 7],
            &[0xff, 0xff, 0xff, 1, 7],
        ];
        for delta in hostile {
            let mut page = [1; 512];
            assert_eq!(decode(delta, &mut page), Err(MalformedDelta), "{delta:02x?}");
            assert_eq!(page, [1; 512], "{delta:02x?}");
        }
        let mut page = [1; 512];
        assert_eq!(decode(&[0xff, 0x03, 1, 7], &mut page), Ok(()));
        assert_eq!(page[510..], [1, 7]);
    }
}
