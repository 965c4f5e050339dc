use crate::page_runs;
use crate::pump_error::PumpError;
use crate::source_pump::SourcePump;

/// One turn of the approach: what was sent, and how long until the destination had installed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApproachTurn {
    pub pages: u64,
    pub bytes: u64,
    pub ns: u64,
}

/// More pages than this are a round for the strategy to decide on.
const PAGES_MAX: u64 = 4096;
/// Fewer are cheaper to send with the guest stopped than to send twice.
const PAGES_ENOUGH: u64 = 32;
const TURNS_MAX: usize = 16;
/// One turn may be flat by chance, as when the scheduler took the processor away.
const FLAT_TURNS_MAX: u32 = 2;

impl SourcePump {
    /// Just before the guest is stopped: re-sends what it writes meanwhile, turn after turn, until two turns in a row leave
    /// more than three quarters of what the one before left. A turn takes a fraction of the milliseconds of a round,
    /// because no JavaScript runs in between, so the last dirty set is that much smaller. `pending` becomes what is left.
    pub fn approach(&mut self, pending: &mut Vec<u64>, encode: bool) -> Result<Vec<ApproachTurn>, PumpError> {
        let mut turns = Vec::new();
        let mut before = u64::MAX;
        let mut flat_turns = 0;
        while turns.len() < TURNS_MAX {
            self.collect_into(pending)?;
            let pages = pending.iter().map(|word| u64::from(word.count_ones())).sum();
            flat_turns = if pages > before / 4 * 3 { flat_turns + 1 } else { 0 };
            if !(PAGES_ENOUGH..=PAGES_MAX).contains(&pages) || flat_turns == FLAT_TURNS_MAX {
                break;
            }
            before = pages;
            let (started_at, bytes_before) = (self.now_ns(), self.parts.link.counters().bytes_sent);
            let runs = page_runs::of_bitmap(pending);
            pending.fill(0);
            self.send(&runs, encode)?;
            turns.push(ApproachTurn {
                pages,
                bytes: self.parts.link.counters().bytes_sent - bytes_before,
                ns: self.now_ns() - started_at,
            });
        }
        Ok(turns)
    }

    /// Adds the pages written since the last collect to `pending`.
    pub(crate) fn collect_into(&mut self, pending: &mut Vec<u64>) -> Result<(), PumpError> {
        let dirty = self.collect()?;
        pending.resize(dirty.len(), 0);
        for (word, dirty) in pending.iter_mut().zip(&dirty) {
            *word |= dirty;
        }
        Ok(())
    }
}
