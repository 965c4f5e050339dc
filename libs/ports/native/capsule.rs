use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use crate::{ABI_VERSION, CapsuleError, CapsuleHeader, KIND_CLOSED};

/// One kind of table: its number and its Rust layout.
///
/// # Safety
/// The type is `repr(C)`, begins with a [`CapsuleHeader`], and is the layout the header file gives for `KIND`.
pub unsafe trait Table: Sized + 'static {
    const KIND: u32;
    const NAME: &'static str;
}

macro_rules! tables {
    ($($table:ident = $kind:ident, $name:literal;)*) => {$(
        // SAFETY: abi.rs declares the table repr(C) with the header first, as the header file does for this kind.
        unsafe impl Table for crate::$table {
            const KIND: u32 = crate::$kind;
            const NAME: &'static str = $name;
        }
    )*};
}
tables! {
    MemoryTable = KIND_MEMORY, "memory";
    ExecutionTable = KIND_EXECUTION, "execution";
    DirtyTable = KIND_DIRTY, "dirty";
    ScannerTable = KIND_SCANNER, "scanner";
    CodecTable = KIND_CODEC, "codec";
    ChannelTable = KIND_CHANNEL, "channel";
}

/// A retained reference to a table of kind `T`. Cloning retains, dropping releases.
pub struct Capsule<T: Table> {
    table: NonNull<T>,
}

// SAFETY: the header file demands that every function of every table may be called from any thread, and that the table
// outlives the thread that made it; the exporter upholds it (the traits require Send + Sync).
unsafe impl<T: Table> Send for Capsule<T> {}
// SAFETY: as above; functions that want one caller at a time say so and their wrappers serialise.
unsafe impl<T: Table> Sync for Capsule<T> {}

/// What an exported table's `context` points at: the table itself, counted, with the implementation behind it.
#[repr(C)]
pub(crate) struct Exported<T: Table, I: ?Sized> {
    table: T,
    /// Ends this very export; see [`crate::Lent`].
    end: unsafe fn(*mut c_void, usize) -> bool,
    /// Emptied only by `end`, which runs when nobody can call the table any more.
    implementation: UnsafeCell<Option<Box<I>>>,
}

impl<T: Table> Capsule<T> {
    /// Puts an implementation behind a table. `build` receives the finished header and returns the table.
    pub(crate) fn new<I: Send + Sync + ?Sized + 'static>(
        implementation: Box<I>,
        build: impl FnOnce(CapsuleHeader, &I) -> T,
    ) -> Self {
        let header = CapsuleHeader {
            abi_version: ABI_VERSION,
            kind: T::KIND,
            size_bytes: size_of::<T>() as u64,
            context: std::ptr::null_mut(),
            retain: retain::<T, I>,
            release: release::<T, I>,
        };
        let exported = Exported {
            table: build(header, &implementation),
            end: end::<T, I>,
            implementation: UnsafeCell::new(Some(implementation)),
        };
        let exported = Arc::into_raw(Arc::new(exported)) as *mut Exported<T, I>;
        // SAFETY: nobody else knows the Arc yet, so writing the context is not a race; the table begins with the header.
        unsafe { (*(exported as *mut CapsuleHeader)).context = exported as *mut c_void };
        // SAFETY: Arc::into_raw never returns null; Exported is repr(C) and begins with the table.
        let table = unsafe { NonNull::new_unchecked(exported as *mut T) };
        Self { table }
    }

    /// Takes a table somebody else made: checks version, kind and size, and retains it.
    ///
    /// # Safety
    /// `table` points at a live capsule table (a napi External with the capsule's type tag guarantees it).
    pub unsafe fn from_raw(table: *mut c_void) -> Result<Self, String> {
        let Some(header) = NonNull::new(table as *mut CapsuleHeader) else {
            return Err("the capsule is null".into());
        };
        // SAFETY: the caller vouches for a live table, and every table begins with the header.
        let seen = unsafe { header.as_ref() };
        if seen.abi_version != ABI_VERSION {
            return Err(format!(
                "capsule ABI version {} where this package speaks {ABI_VERSION}; install packages of the same major version",
                seen.abi_version
            ));
        }
        if seen.kind == KIND_CLOSED {
            return Err(format!("the {} behind this capsule was closed", T::NAME));
        }
        if seen.kind != T::KIND {
            return Err(format!(
                "a capsule of kind {} where one of kind {} ({}) is wanted",
                seen.kind,
                T::KIND,
                T::NAME
            ));
        }
        if seen.size_bytes < size_of::<T>() as u64 {
            return Err(format!(
                "the {} capsule has {} bytes where {} are wanted; install packages of the same version",
                T::NAME,
                seen.size_bytes,
                size_of::<T>()
            ));
        }
        // SAFETY: the table is live, so its retain may be called with its context.
        unsafe { (seen.retain)(seen.context) };
        Ok(Self { table: header.cast() })
    }

    /// The table; stays valid while `self` lives.
    pub fn table(&self) -> &T {
        // SAFETY: this capsule retained the table and releases it only when dropped.
        unsafe { self.table.as_ref() }
    }

    pub(crate) fn context(&self) -> *mut c_void {
        self.header().context
    }

    /// Ends the export behind this capsule, if besides it there are only the references of napi Externals.
    ///
    /// # Safety
    /// The capsule came from `export` of this very build of the crate; `externals` refer to it, and this is the JavaScript
    /// thread that has them, which alone could make further references of them.
    pub(crate) unsafe fn end(&self, externals: usize) -> bool {
        let exported = self.context() as *const Exported<T, ()>;
        // SAFETY: the caller vouches for an export of this build; `end` lies before whatever the implementation is.
        unsafe { ((*exported).end)(self.context(), externals) }
    }

    fn header(&self) -> &CapsuleHeader {
        // SAFETY: every table begins with the header, and the table is live while self is.
        unsafe { self.table.cast::<CapsuleHeader>().as_ref() }
    }

    /// Gives up this reference as a raw pointer; [`Capsule::from_raw`] followed by a release takes it back.
    pub fn into_raw(self) -> *mut c_void {
        let raw = self.table.as_ptr() as *mut c_void;
        std::mem::forget(self);
        raw
    }

    /// Releases a reference given up with [`Capsule::into_raw`].
    ///
    /// # Safety
    /// `table` came from `into_raw` of a capsule of this kind and is used no more.
    pub unsafe fn release_raw(table: *mut c_void) {
        // SAFETY: the caller vouches that the reference is theirs to give, so it is not null.
        let table = unsafe { NonNull::new_unchecked(table as *mut T) };
        drop(Self { table });
    }
}

impl<T: Table> Clone for Capsule<T> {
    fn clone(&self) -> Self {
        // SAFETY: the table is live, so its retain may be called with its context.
        unsafe { (self.header().retain)(self.context()) };
        Self { table: self.table }
    }
}

impl<T: Table> Drop for Capsule<T> {
    fn drop(&mut self) {
        // SAFETY: this capsule owns exactly one reference, given back here.
        unsafe { (self.header().release)(self.context()) };
    }
}

unsafe extern "C" fn retain<T: Table, I: ?Sized>(context: *mut c_void) {
    // SAFETY: context is the Arc made in Capsule::new and at least one reference is alive.
    unsafe { Arc::increment_strong_count(context as *const Exported<T, I>) };
}

unsafe extern "C" fn release<T: Table, I: ?Sized>(context: *mut c_void) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: context is the Arc made in Capsule::new; the caller gives back a reference it owns.
        unsafe { Arc::decrement_strong_count(context as *const Exported<T, I>) };
    }));
}

/// See [`Capsule::end`].
///
/// # Safety
/// `context` is the Arc made in [`Capsule::new`] with the same `T` and `I`; for the rest see [`Capsule::end`].
unsafe fn end<T: Table, I: ?Sized>(context: *mut c_void, externals: usize) -> bool {
    const LENDER: usize = 1;
    // SAFETY: the caller vouches for the context, and holds a reference, which is not given up here.
    let exported = ManuallyDrop::new(unsafe { Arc::from_raw(context as *const Exported<T, I>) });
    if Arc::strong_count(&exported) > externals + LENDER {
        return false;
    }
    // Pairs with the release of whoever referred to it until now: what they did has happened.
    fence(Ordering::Acquire);
    // SAFETY: of the references left those of Externals can only be used on this thread, which is here, and the lender's
    // is used for nothing else; so nobody reads the header or calls the table meanwhile.
    unsafe {
        (*(context as *mut CapsuleHeader)).kind = KIND_CLOSED;
        (*exported.implementation.get()).take();
    }
    true
}

/// Runs one function behind a table: finds the implementation, catches panics, turns the result into a number.
///
/// # Safety
/// `context` is the context of a live table exported by [`Capsule::new`] with the same `T` and `I`.
pub(crate) unsafe fn guard<T: Table, I: ?Sized>(
    context: *mut c_void,
    call: impl FnOnce(&I) -> Result<i64, CapsuleError>,
) -> i64 {
    // SAFETY: the caller vouches for the context; the reference lives as long as the call.
    let exported = unsafe { &*(context as *const Exported<T, I>) };
    // SAFETY: the cell is written only by `end`, and never while somebody may call the table.
    let Some(implementation) = (unsafe { &*exported.implementation.get() }) else {
        return i64::from(CapsuleError::Closed.code());
    };
    match catch_unwind(AssertUnwindSafe(|| call(implementation))) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => i64::from(error.code()),
        Err(_) => i64::from(CapsuleError::Panic.code()),
    }
}

/// The caller's side: a negative number is a failure.
pub(crate) fn check(code: i64) -> Result<u64, CapsuleError> {
    u64::try_from(code).map_err(|_| CapsuleError::from_code(code as i32))
}
