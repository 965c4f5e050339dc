use godwit_ports::CapsuleError;

use crate::frame::u32_at;

/// Pages `[first_page, first_page + page_count)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub first_page: u64,
    pub page_count: u64,
}

/// Appends a page to a list of runs, growing the last one where it can.
pub fn push_page(runs: &mut Vec<Run>, page: u64) {
    match runs.last_mut() {
        Some(run) if run.first_page + run.page_count == page => run.page_count += 1,
        _ => runs.push(Run {
            first_page: page,
            page_count: 1,
        }),
    }
}

/// The body of PAGES and ZERO.
pub fn encode(runs: &[Run], body: &mut Vec<u8>) {
    body.clear();
    body.extend_from_slice(&(runs.len() as u32).to_le_bytes());
    for run in runs {
        body.extend_from_slice(&(run.first_page as u32).to_le_bytes());
        body.extend_from_slice(&(run.page_count as u32).to_le_bytes());
    }
}

/// Reads the body of PAGES or ZERO: every run is non-empty and lies inside a memory of `memory_pages` pages, there are no
/// more pages than it has, and the length is exactly right.
pub fn decode(body: &[u8], memory_pages: u64, runs: &mut Vec<Run>) -> Result<(), CapsuleError> {
    runs.clear();
    if body.len() < 4 || body.len() - 4 != u32_at(body, 0) as usize * 8 {
        return Err(CapsuleError::Malformed);
    }
    let mut named_pages = 0;
    for entry in body[4..].chunks_exact(8) {
        let run = Run {
            first_page: u64::from(u32_at(entry, 0)),
            page_count: u64::from(u32_at(entry, 4)),
        };
        if run.page_count == 0 {
            return Err(CapsuleError::Malformed);
        }
        if run.first_page + run.page_count > memory_pages {
            return Err(CapsuleError::OutOfRange);
        }
        // A page is named once. Without the bound a frame of 2 MiB could ask for 262,144 times all of memory.
        named_pages += run.page_count;
        if named_pages > memory_pages {
            return Err(CapsuleError::Malformed);
        }
        runs.push(run);
    }
    Ok(())
}

/// The set bits of a bitmap, as runs.
pub fn of_bitmap(bitmap: &[u64]) -> Vec<Run> {
    let mut runs = Vec::new();
    for (index, &word) in bitmap.iter().enumerate() {
        let base = index as u64 * 64;
        if word == u64::MAX {
            match runs.last_mut() {
                Some(Run { first_page, page_count }) if *first_page + *page_count == base => *page_count += 64,
                _ => runs.push(Run {
                    first_page: base,
                    page_count: 64,
                }),
            }
            continue;
        }
        let mut rest = word;
        while rest != 0 {
            push_page(&mut runs, base + u64::from(rest.trailing_zeros()));
            rest &= rest - 1;
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back_and_bad_ones_do_not() {
        let runs = [
            Run {
                first_page: 3,
                page_count: 2,
            },
            Run {
                first_page: 90,
                page_count: 10,
            },
        ];
        let (mut body, mut seen) = (Vec::new(), Vec::new());
        encode(&runs, &mut body);
        decode(&body, 100, &mut seen).unwrap();
        assert_eq!(seen, runs);
        assert_eq!(decode(&body, 99, &mut seen), Err(CapsuleError::OutOfRange));
        assert_eq!(
            decode(&body[..body.len() - 1], 100, &mut seen),
            Err(CapsuleError::Malformed)
        );
        assert_eq!(decode(&[], 100, &mut seen), Err(CapsuleError::Malformed));
        encode(
            &[Run {
                first_page: 3,
                page_count: 0,
            }],
            &mut body,
        );
        assert_eq!(decode(&body, 100, &mut seen), Err(CapsuleError::Malformed));
        let whole = Run {
            first_page: 0,
            page_count: 100,
        };
        encode(&[whole, whole], &mut body);
        assert_eq!(decode(&body, 100, &mut seen), Err(CapsuleError::Malformed));
    }

    #[test]
    fn a_bitmap_becomes_its_runs() {
        let mut bitmap = [0_u64; 4];
        bitmap[0] = 1 << 63 | 0b1011;
        bitmap[1] = u64::MAX;
        bitmap[2] = 1;
        let run = |first_page, page_count| Run { first_page, page_count };
        assert_eq!(of_bitmap(&bitmap), [run(0, 2), run(3, 1), run(63, 66)]);
    }
}
