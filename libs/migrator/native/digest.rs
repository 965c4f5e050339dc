//! The arrival digest: the destination's hash of each page as it was last installed, against the source's hash of its
//! frozen memory. It compares neither with what was sent, so that a write that was lost, a page that was torn and one
//! that was left stale all show.

use crate::destination_pump::DestinationPump;
use crate::frame::{FrameType, u32_at, u64_at};
use crate::page_hashes::hash_page;
use crate::page_runs;
use crate::pump_error::PumpError;
use crate::source_pump::SourcePump;

const ENTRY_BYTES: usize = 16;
const ENTRIES_MAX: usize = 65_536;
/// How many differing pages are named.
const NAMED_PAGES_MAX: usize = 16;

/// What came of the comparison.
#[derive(Debug, Clone, Default)]
pub struct Verification {
    pub compared_pages: u64,
    pub mismatched_pages: u64,
    /// The first few that differ.
    pub named_pages: Vec<u64>,
}

impl SourcePump {
    /// Hashes the frozen memory, sends the hashes and hears the verdict. After RUNNING, outside the blackout.
    pub fn verify(&mut self) -> Result<Verification, PumpError> {
        self.forward_late();
        let page_size_bytes = self.parts.memory.page_size_bytes() as usize;
        let zero_page = vec![0_u8; page_size_bytes];
        // SAFETY: the buffer is a page long.
        let zero_page_hash = unsafe { hash_page(zero_page.as_ptr(), page_size_bytes) };
        let mut entries = Vec::with_capacity(ENTRIES_MAX * ENTRY_BYTES);
        let mut named_count = 0_u64;
        for run in page_runs::of_bitmap(&self.present()?) {
            for page in run.first_page..run.first_page + run.page_count {
                let bytes = self.parts.memory.base().wrapping_add(page as usize * page_size_bytes);
                // SAFETY: a page of the memory that the bitmap of the memory itself named; the guest is frozen.
                let hash = unsafe { hash_page(bytes, page_size_bytes) };
                if hash == zero_page_hash {
                    continue;
                }
                entries.extend_from_slice(&(page as u32).to_le_bytes());
                entries.extend_from_slice(&[0; 4]);
                entries.extend_from_slice(&hash.to_le_bytes());
                named_count += 1;
                if entries.len() == ENTRIES_MAX * ENTRY_BYTES {
                    self.send_digest(&entries)?;
                    entries.clear();
                }
            }
        }
        self.send_digest(&entries)?;
        self.parts
            .link
            .send(FrameType::DigestEnd, &named_count.to_le_bytes(), &[])
            .map_err(|error| self.broken(error))?;
        self.expect_reply(FrameType::Verified, &[])?;
        if self.body.len() < 16 || !self.body.len().is_multiple_of(8) {
            return Err(PumpError::protocol("a VERIFIED frame of a wrong length"));
        }
        if u64_at(&self.body, 0) < named_count {
            return Err(PumpError::protocol(
                "the destination compared fewer pages than it was told of",
            ));
        }
        Ok(Verification {
            compared_pages: u64_at(&self.body, 0),
            mismatched_pages: u64_at(&self.body, 8),
            named_pages: self.body[16..]
                .chunks_exact(8)
                .take(NAMED_PAGES_MAX)
                .map(|page| u64_at(page, 0))
                .collect(),
        })
    }

    /// Instead of `verify`: tells the destination that no digest follows.
    pub fn finish(&mut self) -> Result<(), PumpError> {
        self.forward_late();
        self.parts
            .link
            .send(FrameType::Done, &[], &[])
            .map_err(|error| self.broken(error))
    }

    fn send_digest(&mut self, entries: &[u8]) -> Result<(), PumpError> {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        body.extend_from_slice(&((entries.len() / ENTRY_BYTES) as u32).to_le_bytes());
        body.extend_from_slice(entries);
        let sent = self.parts.link.send(FrameType::Digest, &body, &[]);
        self.body = body;
        sent.map_err(|error| self.broken(error))
    }
}

impl DestinationPump {
    /// While the guest runs here already: takes late frames and answers the source's digest; `None` if none comes.
    pub fn finish(&mut self) -> Result<Option<Verification>, PumpError> {
        let page_count = self.parts.memory.page_count();
        let mut compared = vec![0_u64; page_count.div_ceil(64) as usize];
        let mut verification = Verification::default();
        let mut body = Vec::new();
        loop {
            let header = self
                .parts
                .link
                .receive(&mut body)
                .map_err(|error| PumpError::link(error, "waiting for the source's digest"))?;
            match header.kind {
                FrameType::Late => {
                    let injected = self.parts.execution.inject_late(&body);
                    injected.map_err(|error| PumpError::link(error, "late frames from the source"))?;
                }
                FrameType::Done => return Ok(None),
                FrameType::Digest => {
                    let hashes = self.hashes.as_ref().ok_or_else(not_agreed)?;
                    if body.len() < 4 || body.len() - 4 != u32_at(&body, 0) as usize * ENTRY_BYTES {
                        return Err(PumpError::protocol("a DIGEST frame of a wrong length"));
                    }
                    for entry in body[4..].chunks_exact(ENTRY_BYTES) {
                        let (page, hash) = (u64::from(u32_at(entry, 0)), u64_at(entry, 8));
                        if page >= page_count {
                            return Err(PumpError::new(
                                "ERR_GODWIT_PAGE_RANGE",
                                "a DIGEST names a page outside memory",
                            ));
                        }
                        let (word, bit) = (&mut compared[page as usize / 64], 1 << (page % 64));
                        if *word & bit != 0 {
                            return Err(PumpError::protocol("a digest that names a page twice"));
                        }
                        *word |= bit;
                        verification.compare(page, hashes.get(page) == hash);
                    }
                }
                FrameType::DigestEnd if body.len() == 8 => {
                    if u64_at(&body, 0) == verification.compared_pages {
                        break;
                    }
                    return Err(PumpError::protocol("a digest of fewer or more pages than it says"));
                }
                FrameType::Failed => return Err(PumpError::from_peer(&body)),
                kind => {
                    return Err(PumpError::protocol(format!(
                        "the source sent {kind:?} instead of its digest"
                    )));
                }
            }
        }
        // They stay: should the answer get lost, the source asks again over another connection.
        let hashes = self.hashes.as_ref().ok_or_else(not_agreed)?;
        // Pages that hold something here and are zero, or not there, at the source.
        if hashes.nonzero_count() != verification.compared_pages || verification.mismatched_pages > 0 {
            for page in 0..page_count {
                if hashes.get(page) != 0 && compared[page as usize / 64] >> (page % 64) & 1 == 0 {
                    verification.compare(page, false);
                }
            }
        }
        self.answer(&verification)?;
        Ok(Some(verification))
    }

    fn answer(&mut self, verification: &Verification) -> Result<(), PumpError> {
        let mut body = verification.compared_pages.to_le_bytes().to_vec();
        body.extend_from_slice(&verification.mismatched_pages.to_le_bytes());
        for page in &verification.named_pages {
            body.extend_from_slice(&page.to_le_bytes());
        }
        self.parts
            .link
            .send(FrameType::Verified, &body, &[])
            .map_err(|error| PumpError::link(error, "answering the source's digest"))
    }
}

fn not_agreed() -> PumpError {
    PumpError::protocol("a digest that was not agreed on")
}

impl Verification {
    fn compare(&mut self, page: u64, equal: bool) {
        self.compared_pages += 1;
        if !equal {
            self.mismatched_pages += 1;
            if self.named_pages.len() < NAMED_PAGES_MAX {
                self.named_pages.push(page);
            }
        }
    }
}
