use std::sync::atomic::{AtomicU8, Ordering};

use crate::pump_error::PumpError;

const OPEN: u8 = 0;
const CANCELLED: u8 = 1;
const COMMITTED: u8 = 2;

/// Whether a migration may still be taken back. It is decided once: either it was cancelled, or it was committed.
#[derive(Default)]
pub struct Cancellation {
    state: AtomicU8,
}

impl Cancellation {
    /// True if this call, or one before, came before the commit.
    pub fn cancel(&self) -> bool {
        self.decide(CANCELLED)
    }

    /// False if it was cancelled before.
    pub fn commit(&self) -> bool {
        self.decide(COMMITTED)
    }

    fn decide(&self, wanted: u8) -> bool {
        match self
            .state
            .compare_exchange(OPEN, wanted, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => true,
            Err(decided) => decided == wanted,
        }
    }

    /// Fails once it was cancelled.
    pub fn check(&self) -> Result<(), PumpError> {
        if self.state.load(Ordering::Acquire) == CANCELLED {
            return Err(PumpError::new("ERR_GODWIT_INTERRUPTED", "the migration was cancelled"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_decision_stands() {
        let cancelled = Cancellation::default();
        assert!(cancelled.cancel() && cancelled.cancel() && !cancelled.commit());
        assert!(cancelled.check().is_err());
        let committed = Cancellation::default();
        assert!(committed.commit() && !committed.cancel());
        assert!(committed.check().is_ok());
    }
}
