use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pump_error::PumpError;

/// What became of one epoch at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Undecided,
    /// The guest was started; it happens at most once.
    Started,
    /// It never will be.
    Renounced,
}

/// Decides once whether the guest of an epoch starts here. A COMMIT and a QUERY may race for it, on two connections.
///
/// With a journal each decision is written before it takes effect, so that it can be known after this process died: a
/// journal without `started` proves that the guest never ran here.
pub struct StartGate {
    fate: Mutex<Fate>,
    started_at_ns: AtomicU64,
    journal: Option<(Mutex<File>, String)>,
}

impl StartGate {
    /// `session` names the lines of this gate in the journal.
    pub fn new(journal_path: Option<&str>, session: &str) -> Result<Self, PumpError> {
        let journal = match journal_path {
            None => None,
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let file = file.map_err(|error| {
                    PumpError::new(
                        "ERR_GODWIT_NATIVE_FAILED",
                        format!("opening the journal {path}: {error}"),
                    )
                })?;
                Some((Mutex::new(file), session.to_owned()))
            }
        };
        Ok(Self {
            fate: Mutex::new(Fate::Undecided),
            started_at_ns: AtomicU64::new(0),
            journal,
        })
    }

    /// True if the guest shall start now; false if it was renounced, or started before.
    pub fn start(&self, epoch: u64) -> Result<bool, PumpError> {
        self.decide(Fate::Started, "started", epoch)
            .map(|(_, decided_now)| decided_now)
    }

    /// Renounces unless it was started; tells which.
    pub fn renounce(&self, epoch: u64) -> Result<Fate, PumpError> {
        self.decide(Fate::Renounced, "renounced", epoch).map(|(fate, _)| fate)
    }

    /// Notes when the processors were let go, on CLOCK_MONOTONIC.
    pub fn note_start(&self, started_at_ns: u64) {
        self.started_at_ns.store(started_at_ns, Ordering::Release);
    }

    /// When the guest was started here; 0 if it was not, or is just about to be.
    pub fn started_at_ns(&self) -> u64 {
        self.started_at_ns.load(Ordering::Acquire)
    }

    /// After `start`, for a guest that could not be let go and so has not run: the epoch is renounced after all.
    pub fn take_back(&self, epoch: u64) -> Result<(), PumpError> {
        let mut fate = self.fate.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.write("renounced", epoch)?;
        *fate = Fate::Renounced;
        Ok(())
    }

    fn decide(&self, wanted: Fate, word: &str, epoch: u64) -> Result<(Fate, bool), PumpError> {
        let mut fate = self.fate.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if *fate != Fate::Undecided {
            return Ok((*fate, false));
        }
        self.write(word, epoch)?;
        *fate = wanted;
        Ok((wanted, true))
    }

    fn write(&self, word: &str, epoch: u64) -> Result<(), PumpError> {
        let Some((file, session)) = &self.journal else {
            return Ok(());
        };
        let mut file = file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // One write: it is in the page cache when it returns, which outlives this process.
        file.write_all(format!("{session} {epoch} {word}\n").as_bytes())
            .map_err(|error| PumpError::new("ERR_GODWIT_NATIVE_FAILED", format!("writing the journal: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_starts_once_or_never() {
        let gate = StartGate::new(None, "s").unwrap();
        assert!(gate.start(1).unwrap());
        assert!(!gate.start(1).unwrap());
        assert_eq!(gate.renounce(1).unwrap(), Fate::Started);
        let gate = StartGate::new(None, "s").unwrap();
        assert_eq!(gate.renounce(1).unwrap(), Fate::Renounced);
        assert!(!gate.start(1).unwrap());
        let gate = StartGate::new(None, "s").unwrap();
        assert!(gate.start(1).unwrap());
        gate.take_back(1).unwrap();
        assert_eq!(gate.renounce(1).unwrap(), Fate::Renounced);
        assert!(!gate.start(1).unwrap());
    }

    #[test]
    fn the_journal_names_what_was_decided() {
        let path = std::env::temp_dir().join(format!("godwit-journal-{}", std::process::id()));
        let name = path.to_str().unwrap();
        StartGate::new(Some(name), "a").unwrap().start(1).unwrap();
        StartGate::new(Some(name), "b").unwrap().renounce(2).unwrap();
        let journal = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(journal, "a 1 started\nb 2 renounced\n");
    }

    #[test]
    fn a_race_has_one_winner() {
        for _ in 0..200 {
            let gate = StartGate::new(None, "s").unwrap();
            let (started, fate) = std::thread::scope(|scope| {
                let start = scope.spawn(|| gate.start(1).unwrap());
                let renounce = scope.spawn(|| gate.renounce(1).unwrap());
                (start.join().unwrap(), renounce.join().unwrap())
            });
            assert_eq!(started, fate == Fate::Started);
        }
    }
}
