use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

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

    /// Starts the guest by `let_go`, which returns when (CLOCK_MONOTONIC, ns) it did; `None` if the epoch was decided
    /// before. Whoever asks meanwhile waits for the outcome. Where `let_go` fails the guest has not run, and the epoch is
    /// renounced after all.
    pub fn start(&self, epoch: u64, let_go: impl FnOnce() -> Result<u64, PumpError>) -> Result<Option<u64>, PumpError> {
        let mut fate = self.lock();
        if *fate != Fate::Undecided {
            return Ok(None);
        }
        self.write("started", epoch)?;
        match let_go() {
            Ok(started_at_ns) => {
                self.started_at_ns.store(started_at_ns, Ordering::Release);
                *fate = Fate::Started;
                Ok(Some(started_at_ns))
            }
            Err(error) => {
                *fate = Fate::Renounced;
                // Should this line be lost, the journal says `started`: a guest called lost, never two that run.
                let _ = self.write("renounced", epoch);
                Err(error)
            }
        }
    }

    /// Renounces unless it was started; tells which. A journal that cannot be written changes nothing: without `started`
    /// it says the same.
    pub fn renounce(&self, epoch: u64) -> Fate {
        let mut fate = self.lock();
        if *fate == Fate::Undecided {
            *fate = Fate::Renounced;
            let _ = self.write("renounced", epoch);
        }
        *fate
    }

    /// When the guest was started here; 0 if it was not, or is just about to be.
    pub fn started_at_ns(&self) -> u64 {
        self.started_at_ns.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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
        assert_eq!(gate.start(1, || Ok(7)).unwrap(), Some(7));
        assert_eq!(gate.start(1, || Ok(8)).unwrap(), None);
        assert_eq!((gate.renounce(1), gate.started_at_ns()), (Fate::Started, 7));
        let gate = StartGate::new(None, "s").unwrap();
        assert_eq!(gate.renounce(1), Fate::Renounced);
        assert_eq!(gate.start(1, || Ok(7)).unwrap(), None);
        let gate = StartGate::new(None, "s").unwrap();
        let failed = gate.start(1, || Err(PumpError::protocol("it does not run")));
        assert!(failed.is_err());
        assert_eq!(gate.renounce(1), Fate::Renounced);
        assert_eq!(gate.start(1, || Ok(7)).unwrap(), None);
    }

    #[test]
    fn the_journal_names_what_was_decided() {
        let path = std::env::temp_dir().join(format!("godwit-journal-{}", std::process::id()));
        let name = path.to_str().unwrap();
        StartGate::new(Some(name), "a").unwrap().start(1, || Ok(7)).unwrap();
        StartGate::new(Some(name), "b").unwrap().renounce(2);
        let journal = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(journal, "a 1 started\nb 2 renounced\n");
    }

    #[test]
    fn a_journal_that_cannot_be_written_starts_nothing_and_freezes_nobody() {
        // Every write to it ends with ENOSPC.
        let gate = StartGate::new(Some("/dev/full"), "s").unwrap();
        assert!(gate.start(1, || panic!("let go without its line")).is_err());
        assert_eq!(gate.renounce(1), Fate::Renounced);
        assert_eq!(gate.start(1, || Ok(7)).unwrap(), None);
    }

    #[test]
    fn a_race_has_one_winner() {
        for _ in 0..200 {
            let gate = StartGate::new(None, "s").unwrap();
            let (started, fate) = std::thread::scope(|scope| {
                let start = scope.spawn(|| gate.start(1, || Ok(7)).unwrap().is_some());
                let renounce = scope.spawn(|| gate.renounce(1));
                (start.join().unwrap(), renounce.join().unwrap())
            });
            assert_eq!(started, fate == Fate::Started);
        }
    }
}
