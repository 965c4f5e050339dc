//! A delta applied to the page it was made against.

use std::mem::MaybeUninit;

use crate::copy::copy_short;
use crate::format::{length_bytes_max, take_length};

/// Bytes that are no delta for such a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedDelta;

/// A run of new bytes: where in the page, where in the delta, how many.
#[derive(Clone, Copy)]
struct Run {
    page_at: u32,
    delta_at: u32,
    length: u32,
}

/// Where a walk over the runs of a delta has come to.
#[derive(Clone, Copy)]
struct Place {
    delta_at: usize,
    page_at: usize,
}

/// Runs that are remembered while a delta is checked, so that applying them need not read the lengths again. Longer deltas
/// are read again from there.
const REMEMBERED_RUNS: usize = 512;

/// Applies `delta` to `page`, which is untouched where the delta is malformed: empty (an unchanged page has no delta), cut
/// off, beyond the end of the page, with an empty run, or with a length not in its shortest form.
///
/// # Panics
/// Where the page size is not one that [`crate::format::is_page_size`] takes.
pub fn decode(delta: &[u8], page: &mut [u8]) -> Result<(), MalformedDelta> {
    assert!(crate::format::is_page_size(page.len()), "a page of another size");
    // SAFETY: both are borrowed.
    unsafe { decode_raw(delta, page.as_mut_ptr(), page.len()) }
}

/// As [`decode`], for a page that others may read or write meanwhile: no byte of it is read, and no more of it written
/// than the delta says. A delta that others write meanwhile makes some page.
///
/// # Safety
/// A page at `page` is writable; its size is one that [`crate::format::is_page_size`] takes.
pub unsafe fn decode_raw(delta: &[u8], page: *mut u8, page_bytes: usize) -> Result<(), MalformedDelta> {
    // Each length covers at least as many bytes of the page as it has itself, but for the first.
    if delta.is_empty() || delta.len() > 2 * page_bytes + 1 {
        return Err(MalformedDelta);
    }
    let mut runs = [const { MaybeUninit::<Run>::uninit() }; REMEMBERED_RUNS];
    let (count, mut place) = if length_bytes_max(page_bytes) == 2 {
        check::<2>(delta, page_bytes, &mut runs)?
    } else {
        check::<3>(delta, page_bytes, &mut runs)?
    };
    let apply = |run: Run| {
        // SAFETY: the check found the run within the delta and the page, both of which the caller vouches for.
        unsafe {
            let from = delta.as_ptr().add(run.delta_at as usize);
            copy_short(from, page.add(run.page_at as usize), run.length as usize);
        }
    };
    for run in &runs[..count] {
        // SAFETY: the check has written so many.
        apply(unsafe { run.assume_init() });
    }
    while place.delta_at < delta.len() {
        let run = place.next::<3>(delta)?.run;
        // Checked once more, as others may have written the delta since.
        if place.delta_at > delta.len() || place.page_at > page_bytes {
            return Err(MalformedDelta);
        }
        apply(run);
    }
    Ok(())
}

/// Checks a delta; returns how many of its runs it remembered, and where the others begin.
#[inline(always)]
fn check<const LENGTH_BYTES_MAX: usize>(
    delta: &[u8],
    page_bytes: usize,
    runs: &mut [MaybeUninit<Run>; REMEMBERED_RUNS],
) -> Result<(usize, Place), MalformedDelta> {
    let mut place = Place {
        delta_at: 0,
        page_at: 0,
    };
    let first = place.next::<LENGTH_BYTES_MAX>(delta)?;
    runs[0].write(first.run);
    let mut count = 1;
    let mut rest = place;
    let mut is_empty = first.run.length == 0;
    while place.delta_at < delta.len() {
        let Step { equal, run } = place.next::<LENGTH_BYTES_MAX>(delta)?;
        // Runs are as long as they can be, so only the first one may follow upon no equal bytes.
        is_empty |= equal == 0 || run.length == 0;
        if count < REMEMBERED_RUNS {
            runs[count].write(run);
            count += 1;
            rest = place;
        }
    }
    // Both only grow, and nothing is written before they have been looked at.
    if is_empty || place.delta_at > delta.len() || place.page_at > page_bytes {
        return Err(MalformedDelta);
    }
    Ok((count, rest))
}

/// A run and how many equal bytes lie before it.
struct Step {
    equal: usize,
    run: Run,
}

impl Place {
    /// Reads the two lengths here and goes on behind the run, which may end behind the delta and the page.
    #[inline(always)]
    fn next<const LENGTH_BYTES_MAX: usize>(&mut self, delta: &[u8]) -> Result<Step, MalformedDelta> {
        const MORE: u32 = 0x80;
        let (equal, length);
        match delta[self.delta_at..]
            .first_chunk::<4>()
            .map(|bytes| u32::from_le_bytes(*bytes))
        {
            Some(bytes) if bytes & (MORE | MORE << 8) == 0 => {
                (equal, length) = (bytes & 0xff, bytes >> 8 & 0xff);
                self.delta_at += 2;
            }
            // Two bytes, the second in its shortest form, then one.
            Some(bytes) if bytes & (MORE | MORE << 8 | MORE << 16) == MORE && bytes & 0x7f00 != 0 => {
                equal = bytes & 0x7f | bytes >> 1 & 0x3f80;
                length = bytes >> 16 & 0xff;
                self.delta_at += 3;
            }
            _ => {
                equal = self.take_length(delta, LENGTH_BYTES_MAX)?;
                length = self.take_length(delta, LENGTH_BYTES_MAX)?;
            }
        }
        let (equal, length) = (equal as usize, length as usize);
        let run = Run {
            page_at: (self.page_at + equal) as u32,
            delta_at: self.delta_at as u32,
            length: length as u32,
        };
        self.page_at += equal + length;
        self.delta_at += length;
        Ok(Step { equal, run })
    }

    #[inline(always)]
    fn take_length(&mut self, delta: &[u8], bytes_max: usize) -> Result<u32, MalformedDelta> {
        let rest = delta.get(self.delta_at..).ok_or(MalformedDelta)?;
        let (length, taken) = take_length(rest, bytes_max).ok_or(MalformedDelta)?;
        self.delta_at += taken;
        Ok(length as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta_of_runs(count: usize, equal: u8) -> Vec<u8> {
        (0..count).flat_map(|_| [equal, 1, 9]).collect()
    }

    #[test]
    fn applies_more_runs_than_it_remembers() {
        for count in [REMEMBERED_RUNS - 1, REMEMBERED_RUNS, REMEMBERED_RUNS + 1, 2000] {
            let mut page = vec![1; 4096];
            assert_eq!(decode(&delta_of_runs(count, 1), &mut page), Ok(()));
            for (at, &byte) in page.iter().enumerate() {
                assert_eq!(byte == 9, at % 2 == 1 && at < 2 * count, "{at}");
            }
            let mut untouched = vec![1; 4096];
            let mut delta = delta_of_runs(count, 1);
            delta.extend([1, 0]);
            assert_eq!(decode(&delta, &mut untouched), Err(MalformedDelta));
            assert_eq!(untouched, [1; 4096]);
        }
    }

    #[test]
    fn copies_runs_of_every_length() {
        for length in 1..600 {
            let mut delta = vec![3];
            let mut length_bytes = [0; 3];
            let taken = crate::format::put_length(&mut length_bytes, length);
            delta.extend(&length_bytes[..taken]);
            delta.extend((0..length).map(|at| at as u8 | 1));
            let mut page = vec![0; 1024];
            assert_eq!(decode(&delta, &mut page), Ok(()));
            let expected: Vec<u8> = (0..length).map(|at| at as u8 | 1).collect();
            assert_eq!(page[3..3 + length], expected);
            assert!(page[3 + length..].iter().chain(&page[..3]).all(|&byte| byte == 0));
        }
    }

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
            &[0; 2000],
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

    #[test]
    fn takes_the_longest_delta_there_is() {
        // Every other byte, beginning with the first.
        let delta: Vec<u8> = std::iter::once([0, 1, 9])
            .chain((1..256).map(|_| [1, 1, 9]))
            .flatten()
            .collect();
        let mut page = [1; 512];
        assert_eq!(decode(&delta, &mut page), Ok(()));
        assert_eq!(page.as_chunks::<2>().0, [[9, 1]; 256]);
    }
}
