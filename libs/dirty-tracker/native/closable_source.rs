use std::sync::{Mutex, MutexGuard, PoisonError};

use godwit_ports::{Capsule, CapsuleError, DirtyTable};

/// A source that its owner can close: it is stopped then, and stays so, also where a start that was asked for before comes
/// only afterwards. Native code of others that holds the source is not bound by that.
pub struct ClosableSource {
    source: Capsule<DirtyTable>,
    /// Held during all work, so that none is under way when the source was closed.
    closed: Mutex<bool>,
}

impl ClosableSource {
    /// Open.
    pub const fn new(source: Capsule<DirtyTable>) -> Self {
        Self {
            source,
            closed: Mutex::new(false),
        }
    }

    fn closed(&self) -> MutexGuard<'_, bool> {
        // It is set before anything that could panic.
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn while_open<Done>(
        &self,
        work: impl FnOnce(&Capsule<DirtyTable>) -> Result<Done, CapsuleError>,
    ) -> Result<Done, CapsuleError> {
        let closed = self.closed();
        if *closed {
            return Err(CapsuleError::Closed);
        }
        work(&self.source)
    }

    /// Starts the source.
    pub fn start(&self) -> Result<(), CapsuleError> {
        self.while_open(Capsule::<DirtyTable>::start)
    }

    /// What was found, in a bitmap of its own, and how many pages that are.
    pub fn collect(&self) -> Result<(Vec<u64>, u64), CapsuleError> {
        self.while_open(|source| {
            let mut words = vec![0; source.page_count().div_ceil(64) as usize];
            let page_count = source.collect(&mut words)?;
            Ok((words, page_count))
        })
    }

    /// Stops the source; one that is closed is stopped.
    pub fn stop(&self) -> Result<(), CapsuleError> {
        let closed = self.closed();
        if *closed { Ok(()) } else { self.source.stop() }
    }

    /// Stops the source for good. Closed it is also where that fails.
    pub fn close(&self) -> Result<(), CapsuleError> {
        let mut closed = self.closed();
        if std::mem::replace(&mut *closed, true) {
            return Ok(());
        }
        self.source.stop()
    }
}
