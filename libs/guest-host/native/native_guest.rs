//! The guest as JavaScript has it.

use std::sync::Arc;

use godwit_ports::{Capsule, CapsuleError, ExecutionTable, JsCapsule, Memory, MemoryTable};
use napi::bindgen_prelude::{AsyncTask, Buffer, ToNapiValue, TypeName, Uint32Array};
use napi::{Env, Error, Result, Status, Task};
use napi_derive::napi;

use crate::counters::{NativeCounters, read};
use crate::execution::SharedExecution;
use crate::failure::Failure;
use crate::guest_memory::SharedMemory;
use crate::machine::Machine;

/// A call that runs beside the JavaScript thread.
pub struct Call<Value> {
    work: Option<Box<dyn FnOnce() -> Result<Value> + Send>>,
}

impl<Value> Call<Value> {
    /// Does the work on a thread of Node.js's pool.
    pub fn beside(work: impl FnOnce() -> Result<Value> + Send + 'static) -> AsyncTask<Self>
    where
        Value: ToNapiValue + TypeName + Send + 'static,
    {
        AsyncTask::new(Self {
            work: Some(Box::new(work)),
        })
    }
}

impl<Value: ToNapiValue + TypeName + Send + 'static> Task for Call<Value> {
    type Output = Value;
    type JsValue = Value;

    fn compute(&mut self) -> Result<Value> {
        self.work
            .take()
            .map_or_else(|| Err(native("called twice")), |work| work())
    }

    fn resolve(&mut self, _env: Env, value: Value) -> Result<Value> {
        Ok(value)
    }
}

fn native(message: &str) -> Error {
    Error::new(Status::GenericFailure, format!("ERR_GODWIT_NATIVE_FAILED: {message}"))
}

impl From<Failure> for Error {
    fn from(Failure(message): Failure) -> Self {
        Self::new(Status::GenericFailure, message)
    }
}

fn from_capsule(error: CapsuleError, what: &str) -> Error {
    let code = match error {
        CapsuleError::Malformed => "ERR_GODWIT_STATE_INVALID",
        CapsuleError::Closed => "ERR_GODWIT_GUEST_STOPPED",
        CapsuleError::OutOfRange => "ERR_GODWIT_PAGE_RANGE",
        _ => "ERR_GODWIT_NATIVE_FAILED",
    };
    Error::new(Status::GenericFailure, format!("{code}: {what}: {error}"))
}

/// A guest.
#[napi]
pub struct NativeGuest {
    machine: Arc<Machine>,
}

impl NativeGuest {
    /// Makes a guest, beside the JavaScript thread.
    pub fn make(work: impl FnOnce() -> Result<Machine> + Send + 'static) -> AsyncTask<Call<Self>> {
        Call::beside(move || {
            let machine = Arc::new(work()?);
            Ok(Self { machine })
        })
    }
}

#[napi]
impl NativeGuest {
    /// The memory capsule.
    #[napi]
    pub fn memory_capsule(&self) -> JsCapsule<MemoryTable> {
        JsCapsule(SharedMemory(Arc::clone(self.machine.memory())).capsule())
    }

    /// The execution capsule.
    #[napi]
    pub fn execution_capsule(&self) -> JsCapsule<ExecutionTable> {
        JsCapsule(Capsule::<ExecutionTable>::export(SharedExecution(Arc::clone(
            &self.machine,
        ))))
    }

    #[napi(getter)]
    pub fn state_bytes_max(&self) -> u32 {
        self.machine.state_bytes_max() as u32
    }

    #[napi(getter)]
    pub fn running(&self) -> bool {
        self.machine.is_running()
    }

    /// Why the guest cannot go on, if it cannot.
    #[napi]
    pub fn failure(&self) -> Option<String> {
        self.machine.failure()
    }

    #[napi]
    pub fn pause(&self) -> AsyncTask<Call<()>> {
        let machine = Arc::clone(&self.machine);
        Call::beside(move || {
            machine.pause();
            Ok(())
        })
    }

    #[napi]
    pub fn resume(&self) -> AsyncTask<Call<()>> {
        let machine = Arc::clone(&self.machine);
        Call::beside(move || {
            let resumed = machine.resume();
            resumed.map_err(|error| match machine.failure() {
                Some(reason) => Error::new(Status::GenericFailure, format!("ERR_GODWIT_GUEST_STOPPED: {reason}")),
                None if error == CapsuleError::Unsupported => {
                    from_capsule(CapsuleError::Malformed, "an empty guest has no state yet")
                }
                None => from_capsule(error, "resume"),
            })
        })
    }

    #[napi]
    pub fn save(&self) -> AsyncTask<Call<Buffer>> {
        let machine = Arc::clone(&self.machine);
        Call::beside(move || {
            let mut state = Vec::new();
            machine
                .save(&mut state)
                .map_err(|error| from_capsule(error, "only a paused guest can be saved"))?;
            Ok(state.into())
        })
    }

    #[napi]
    pub fn load(&self, state: Buffer) -> AsyncTask<Call<()>> {
        let machine = Arc::clone(&self.machine);
        let state = state.to_vec();
        Call::beside(move || {
            machine
                .load(&state)
                .map_err(|error| from_capsule(error, "the guest refused its state"))
        })
    }

    #[napi]
    pub fn announce(&self) {
        self.machine.announce();
    }

    /// Sets the bits of the populated pages in a bitmap over the whole memory.
    #[napi]
    pub fn present(&self, mut words: Uint32Array) -> Result<f64> {
        // SAFETY: JavaScript is inside this call, so nobody else uses the array meanwhile.
        let words = unsafe { words.as_mut() };
        let memory = SharedMemory(Arc::clone(self.machine.memory()));
        let page_count = memory.length_bytes() / memory.page_size_bytes();
        if (words.len() as u64) < page_count.div_ceil(64) * 2 {
            return Err(Error::new(
                Status::InvalidArg,
                "the bitmap is smaller than the memory".to_owned(),
            ));
        }
        let mut bitmap = vec![0; page_count.div_ceil(64) as usize];
        let count = memory
            .present(0, page_count, &mut bitmap)
            .map_err(|error| from_capsule(error, "populated pages"))?;
        for (pair, word) in words.as_chunks_mut::<2>().0.iter_mut().zip(bitmap) {
            pair[0] |= word as u32;
            pair[1] |= (word >> 32) as u32;
        }
        Ok(count as f64)
    }

    #[napi]
    pub fn counters(&self) -> NativeCounters {
        read(&self.machine)
    }

    /// Copies bytes of memory out.
    #[napi]
    pub fn read_memory(&self, offset_bytes: f64, mut into: Buffer) -> Result<()> {
        let inside = self.machine.memory().host().read(offset_bytes as u64, &mut into);
        inside
            .then_some(())
            .ok_or_else(|| from_capsule(CapsuleError::OutOfRange, "reading memory"))
    }

    /// Copies bytes into memory.
    #[napi]
    pub fn write_memory(&self, offset_bytes: f64, from: Buffer) -> Result<()> {
        let inside = self.machine.memory().host().write(offset_bytes as u64, &from);
        inside
            .then_some(())
            .ok_or_else(|| from_capsule(CapsuleError::OutOfRange, "writing memory"))
    }

    /// Frames that reached the cable after the state was saved; none is an empty buffer.
    #[napi]
    pub fn drain_late_frames(&self) -> Buffer {
        let mut frames = Vec::new();
        self.machine.network().nic().drain_late(&mut frames);
        frames.into()
    }

    /// Queues frames another host's `drainLateFrames` gave; returns how many found no room.
    #[napi]
    pub fn inject_frames(&self, frames: Buffer) -> Result<f64> {
        let injected = self.machine.network().nic().inject(&frames);
        injected
            .map(|dropped| dropped as f64)
            .map_err(|_| from_capsule(CapsuleError::Malformed, "damaged frames"))
    }

    #[napi]
    pub fn close(&self) -> AsyncTask<Call<()>> {
        let machine = Arc::clone(&self.machine);
        Call::beside(move || machine.close().map_err(Error::from))
    }
}
