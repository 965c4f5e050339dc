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

    /// Appends the state to `state`, which is grown once to `state_bytes_max` beforehand.
    pub fn save(&self, state: &mut Vec<u8>) -> Result<(), CapsuleError> {
        let old = state.len();
        state.resize(old + self.state_bytes_max() as usize, 0);
        let room = &mut state[old..];
        // SAFETY: the table is live; the room is as long as said.
        let saved = check(unsafe { (self.table().save)(self.context(), room.as_mut_ptr(), room.len() as u64) });
        state.truncate(old + saved.as_ref().map_or(0, |&length| length as usize));
        saved.map(drop)
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
    unsafe {
        guard::<ExecutionTable, Implementation>(context, |execution| {
            let mut saved = Vec::with_capacity(capacity_bytes as usize);
            execution.save(&mut saved)?;
            if saved.len() as u64 > capacity_bytes {
                return Err(CapsuleError::TooSmall);
            }
            std::ptr::copy_nonoverlapping(saved.as_ptr(), state, saved.len());
            Ok(saved.len() as i64)
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
