use std::ffi::c_void;

use crate::capsule::{check, guard};
use crate::{Capsule, CapsuleError, ExecutionTable};

/// What runs in a guest's memory: processors and devices.
pub trait Execution: Send + Sync {
    /// `save` never returns more, `load` never accepts more.
    fn state_bytes_max(&self) -> u64;
    /// Returns when no processor and no device of the guest writes memory any more. Idempotent.
    fn pause(&self) -> Result<(), CapsuleError>;
    /// Runs the guest on from its state. Idempotent.
    fn resume(&self) -> Result<(), CapsuleError>;
    /// Of a paused guest: appends the state of processors and devices.
    fn save(&self, state: &mut Vec<u8>) -> Result<(), CapsuleError>;
    /// Into a guest that has not run; `Malformed` leaves it untouched.
    fn load(&self, state: &[u8]) -> Result<(), CapsuleError>;
    /// Tells the outside world that the guest is here now.
    fn announce(&self) -> Result<(), CapsuleError>;
    /// Of a paused guest whose state was saved: appends what its devices received since (at most `state_bytes_max`), to be
    /// injected where it runs now. Appends nothing when nothing (more) came.
    fn drain_late(&self, _bytes: &mut Vec<u8>) -> Result<(), CapsuleError> {
        Ok(())
    }
    /// Gives the devices what was drained elsewhere, before anything newer; `Malformed` for bytes that no drain gave.
    fn inject_late(&self, _bytes: &[u8]) -> Result<(), CapsuleError> {
        Ok(())
    }
}

type Implementation = dyn Execution;

impl Capsule<ExecutionTable> {
    /// Offers an execution to other packages.
    pub fn export(execution: impl Execution + 'static) -> Self {
        let execution: Box<Implementation> = Box::new(execution);
        Self::new(execution, |header, execution| ExecutionTable {
            header,
            state_bytes_max: execution.state_bytes_max(),
            pause,
            resume,
            save,
            load,
            announce,
            drain_late,
            inject_late,
        })
    }

    pub fn state_bytes_max(&self) -> u64 {
        self.table().state_bytes_max
    }

    pub fn pause(&self) -> Result<(), CapsuleError> {
        // SAFETY: the table is live.
        check(i64::from(unsafe { (self.table().pause)(self.context()) })).map(drop)
    }

    pub fn resume(&self) -> Result<(), CapsuleError> {
        // SAFETY: the table is live.
        check(i64::from(unsafe { (self.table().resume)(self.context()) })).map(drop)
    }

    /// Appends the state to `state`.
    pub fn save(&self, state: &mut Vec<u8>) -> Result<(), CapsuleError> {
        self.append(state, self.table().save)
    }

    /// Appends what the devices of a paused guest received since its state was saved; see [`Execution::drain_late`].
    pub fn drain_late(&self, bytes: &mut Vec<u8>) -> Result<(), CapsuleError> {
        self.append(bytes, self.table().drain_late)
    }

    /// See [`Execution::inject_late`].
    pub fn inject_late(&self, bytes: &[u8]) -> Result<(), CapsuleError> {
        // SAFETY: the table is live; the bytes are as long as said.
        let code = unsafe { (self.table().inject_late)(self.context(), bytes.as_ptr(), bytes.len() as u64) };
        check(i64::from(code)).map(drop)
    }

    fn append(
        &self,
        bytes: &mut Vec<u8>,
        write: unsafe extern "C" fn(*mut c_void, *mut u8, u64) -> i64,
    ) -> Result<(), CapsuleError> {
        let old = bytes.len();
        bytes.reserve(self.state_bytes_max() as usize);
        let room = bytes.spare_capacity_mut();
        // SAFETY: the table is live; the room is as long as said.
        let written = check(unsafe { write(self.context(), room.as_mut_ptr().cast(), room.len() as u64) })?;
        if written > room.len() as u64 {
            return Err(CapsuleError::Malformed);
        }
        // SAFETY: the function wrote this many bytes of the room.
        unsafe { bytes.set_len(old + written as usize) };
        Ok(())
    }

    pub fn load(&self, state: &[u8]) -> Result<(), CapsuleError> {
        if state.len() as u64 > self.state_bytes_max() {
            return Err(CapsuleError::Malformed);
        }
        // SAFETY: the table is live; the state is as long as said.
        check(i64::from(unsafe {
            (self.table().load)(self.context(), state.as_ptr(), state.len() as u64)
        }))
        .map(drop)
    }

    pub fn announce(&self) -> Result<(), CapsuleError> {
        // SAFETY: the table is live.
        check(i64::from(unsafe { (self.table().announce)(self.context()) })).map(drop)
    }
}

unsafe extern "C" fn pause(context: *mut c_void) -> i32 {
    // SAFETY: called through a live execution table, so context is ours.
    unsafe { guard::<ExecutionTable, Implementation>(context, |execution| execution.pause().map(|()| 0)) as i32 }
}

unsafe extern "C" fn resume(context: *mut c_void) -> i32 {
    // SAFETY: called through a live execution table, so context is ours.
    unsafe { guard::<ExecutionTable, Implementation>(context, |execution| execution.resume().map(|()| 0)) as i32 }
}

unsafe extern "C" fn save(context: *mut c_void, state: *mut u8, capacity_bytes: u64) -> i64 {
    // SAFETY: called through a live execution table, so context is ours; the caller's buffer is as long as it says.
    unsafe { write_out(context, state, capacity_bytes, |execution, saved| execution.save(saved)) }
}

unsafe extern "C" fn drain_late(context: *mut c_void, bytes: *mut u8, capacity_bytes: u64) -> i64 {
    // SAFETY: called through a live execution table, so context is ours; the caller's buffer is as long as it says.
    unsafe {
        write_out(context, bytes, capacity_bytes, |execution, drained| {
            execution.drain_late(drained)
        })
    }
}

unsafe extern "C" fn inject_late(context: *mut c_void, bytes: *const u8, length_bytes: u64) -> i32 {
    // SAFETY: called through a live execution table, so context is ours; the caller's buffer is as long as it says.
    unsafe {
        guard::<ExecutionTable, Implementation>(context, |execution| {
            execution
                .inject_late(std::slice::from_raw_parts(bytes, length_bytes as usize))
                .map(|()| 0)
        }) as i32
    }
}

/// # Safety
/// `context` belongs to a live execution table and `out` has room for `capacity_bytes`.
unsafe fn write_out(
    context: *mut c_void,
    out: *mut u8,
    capacity_bytes: u64,
    fill: impl FnOnce(&Implementation, &mut Vec<u8>) -> Result<(), CapsuleError>,
) -> i64 {
    // SAFETY: the caller vouches for context and room.
    unsafe {
        guard::<ExecutionTable, Implementation>(context, |execution| {
            let mut bytes = Vec::new();
            fill(execution, &mut bytes)?;
            if bytes.len() as u64 > capacity_bytes {
                return Err(CapsuleError::TooSmall);
            }
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), out, bytes.len());
            Ok(bytes.len() as i64)
        })
    }
}

unsafe extern "C" fn load(context: *mut c_void, state: *const u8, length_bytes: u64) -> i32 {
    // SAFETY: called through a live execution table, so context is ours; the caller's buffer is as long as it says.
    unsafe {
        guard::<ExecutionTable, Implementation>(context, |execution| {
            if length_bytes > execution.state_bytes_max() {
                return Err(CapsuleError::Malformed);
            }
            execution
                .load(std::slice::from_raw_parts(state, length_bytes as usize))
                .map(|()| 0)
        }) as i32
    }
}

unsafe extern "C" fn announce(context: *mut c_void) -> i32 {
    // SAFETY: called through a live execution table, so context is ours.
    unsafe { guard::<ExecutionTable, Implementation>(context, |execution| execution.announce().map(|()| 0)) as i32 }
}
