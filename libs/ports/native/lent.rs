use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Capsule, Table};

/// The exporter's hold on a capsule that it gives to JavaScript.
///
/// A napi External lives until the garbage collector takes it, which may be long after what it stands for was closed, and
/// would keep descriptors and machines open until then. With this the exporter ends what is behind the capsule as soon as
/// no other package refers to it; the External then stands for something closed, and is refused by whoever is given it.
pub struct Lent<T: Table> {
    capsule: Capsule<T>,
    /// How many Externals refer to it.
    externals: Arc<AtomicUsize>,
}

impl<T: Table> Lent<T> {
    /// # Safety
    /// `capsule` came from `export` of this very build of the crate and is not lent yet.
    pub unsafe fn new(capsule: Capsule<T>) -> Self {
        Self {
            capsule,
            externals: Arc::default(),
        }
    }

    /// What to give to JavaScript.
    pub fn loan(&self) -> Loan<T> {
        Loan {
            capsule: self.capsule.clone(),
            externals: Arc::clone(&self.externals),
        }
    }

    /// Drops what is behind the capsule, unless another package refers to it: then that one's last reference, and the
    /// garbage collector, will. Returns whether it is gone.
    ///
    /// # Safety
    /// This is the thread of the JavaScript that the loans were given to.
    pub unsafe fn end(self) -> bool {
        // SAFETY: `new` demands an export of this build; the caller vouches for the thread, on which Externals are made
        // and finalized too.
        unsafe { self.capsule.end(self.externals.load(Ordering::Relaxed)) }
    }
}

/// A lent capsule on its way into a napi External.
pub struct Loan<T: Table> {
    capsule: Capsule<T>,
    externals: Arc<AtomicUsize>,
}

impl<T: Table> Loan<T> {
    /// Counts an External, and gives up its references: to the table, and to the count.
    pub(crate) fn into_raw(self) -> (*mut c_void, *mut c_void) {
        self.externals.fetch_add(1, Ordering::Relaxed);
        (self.capsule.into_raw(), Arc::into_raw(self.externals).cast_mut().cast())
    }

    /// Takes back what `into_raw` gave up: the External is gone.
    ///
    /// # Safety
    /// Both came from one `into_raw` of this kind and are used no more.
    pub(crate) unsafe fn release_raw(table: *mut c_void, externals: *mut c_void) {
        // SAFETY: the caller vouches for both.
        unsafe {
            Capsule::<T>::release_raw(table);
            Arc::from_raw(externals as *const AtomicUsize).fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{CapsuleError, Scanner, ScannerTable};

    /// Finds as many zero pages as there are references to its count, which tell whether it is still there.
    struct Agreeing(Arc<()>);

    impl Scanner for Agreeing {
        unsafe fn scan(&self, _: *const u8, _: usize, _: &[u64], _: &mut [u8]) -> Result<u64, CapsuleError> {
            Ok(Arc::strong_count(&self.0) as u64)
        }
    }

    fn scan(capsule: &Capsule<ScannerTable>) -> Result<u64, CapsuleError> {
        // SAFETY: the scanner reads no memory.
        unsafe { capsule.scan(std::ptr::null(), 4096, &[0, 1], &mut [0, 0]) }
    }

    #[test]
    fn ends_when_only_javascript_is_left() {
        let there = Arc::new(());
        // SAFETY: exported here, and lent once.
        let lent = unsafe { Lent::new(Capsule::<ScannerTable>::export(Agreeing(Arc::clone(&there)))) };
        let (external, externals) = lent.loan().into_raw();
        // SAFETY: the table is alive.
        let user = unsafe { Capsule::<ScannerTable>::from_raw(external) }.unwrap();
        drop(user);
        assert_eq!(Arc::strong_count(&there), 2);
        // SAFETY: everything is on this thread.
        assert!(unsafe { lent.end() });
        assert_eq!(Arc::strong_count(&there), 1);
        // SAFETY: the table is alive, though nothing is behind it.
        let refused = unsafe { Capsule::<ScannerTable>::from_raw(external) }.err().unwrap();
        assert_eq!(refused, "the scanner behind this capsule was closed");
        // SAFETY: the External's reference, given up above.
        unsafe { Loan::<ScannerTable>::release_raw(external, externals) };
    }

    #[test]
    fn stays_for_whoever_still_uses_it() {
        let there = Arc::new(());
        // SAFETY: exported here, and lent once.
        let lent = unsafe { Lent::new(Capsule::<ScannerTable>::export(Agreeing(Arc::clone(&there)))) };
        let (external, externals) = lent.loan().into_raw();
        // SAFETY: the table is alive.
        let user = unsafe { Capsule::<ScannerTable>::from_raw(external) }.unwrap();
        // SAFETY: everything is on this thread.
        assert!(!unsafe { lent.end() });
        assert_eq!(scan(&user), Ok(2));
        drop(user);
        // SAFETY: the External's reference, given up above.
        unsafe { Loan::<ScannerTable>::release_raw(external, externals) };
        assert_eq!(Arc::strong_count(&there), 1);
    }

    #[test]
    fn stays_for_a_user_whose_external_is_gone() {
        let there = Arc::new(());
        // SAFETY: exported here, and lent once.
        let lent = unsafe { Lent::new(Capsule::<ScannerTable>::export(Agreeing(Arc::clone(&there)))) };
        let (external, externals) = lent.loan().into_raw();
        // SAFETY: the table is alive.
        let user = unsafe { Capsule::<ScannerTable>::from_raw(external) }.unwrap();
        // SAFETY: the External's references, given up above.
        unsafe { Loan::<ScannerTable>::release_raw(external, externals) };
        // SAFETY: everything is on this thread.
        assert!(!unsafe { lent.end() });
        assert_eq!(scan(&user), Ok(2));
        drop(user);
        assert_eq!(Arc::strong_count(&there), 1);
    }
}
