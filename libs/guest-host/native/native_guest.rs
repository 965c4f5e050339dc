//! The guest as JavaScript has it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use godwit_ports::{Capsule, CapsuleError, ExecutionTable, Lent, Loan, Memory, MemoryTable};
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

/// A guest that is not closed: its machine, and the capsules that stand for it elsewhere.
struct Open {
    machine: Arc<Machine>,
    memory: Lent<MemoryTable>,
    execution: Lent<ExecutionTable>,
}

impl Open {
    fn new(machine: Arc<Machine>) -> Self {
        let memory = SharedMemory(Arc::clone(machine.memory())).capsule();
        let execution = Capsule::<ExecutionTable>::export(SharedExecution(Arc::clone(&machine)));
        Self {
            machine,
            // SAFETY: exported just now.
            memory: unsafe { Lent::new(memory) },
            // SAFETY: exported just now.
            execution: unsafe { Lent::new(execution) },
        }
    }

    /// Closes every descriptor, unless somebody else still uses a capsule.
    ///
    /// # Safety
    /// This is the guest's JavaScript thread.
    unsafe fn end(self) {
        let Self {
            machine,
            memory,
            execution,
        } = self;
        drop(machine);
        // SAFETY: the caller vouches for the thread.
        unsafe {
            execution.end();
            memory.end();
        }
    }
}

/// A guest.
#[napi]
pub struct NativeGuest {
    open: Arc<Mutex<Option<Open>>>,
}

impl NativeGuest {
    /// Makes a guest, beside the JavaScript thread.
    pub fn make(work: impl FnOnce() -> Result<Machine> + Send + 'static) -> AsyncTask<Call<Self>> {
        Call::beside(move || {
            let open = Open::new(Arc::new(work()?));
            Ok(Self {
                open: Arc::new(Mutex::new(Some(open))),
            })
        })
    }

    fn with_open<Value>(&self, use_it: impl FnOnce(&Open) -> Value) -> Result<Value> {
        lock(&self.open).as_ref().map(use_it).ok_or_else(closed)
    }

    fn machine(&self) -> Result<Arc<Machine>> {
        self.with_open(|open| Arc::clone(&open.machine))
    }
}

/// The closing of a guest: its end beside the JavaScript thread, then on that thread that of its capsules.
pub struct Closing {
    open: Arc<Mutex<Option<Open>>>,
}

impl Task for Closing {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        let machine = lock(&self.open).as_ref().map(|open| Arc::clone(&open.machine));
        machine.map_or(Ok(()), |machine| machine.close().map_err(Error::from))
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        if let Some(open) = lock(&self.open).take() {
            // SAFETY: napi resolves a task on the thread that the guest belongs to.
            unsafe { open.end() };
        }
        Ok(())
    }
}

fn lock(open: &Mutex<Option<Open>>) -> MutexGuard<'_, Option<Open>> {
    // Whoever panicked under the lock only read, or had taken all there was.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> Error {
    Error::new(
        Status::GenericFailure,
        "ERR_GODWIT_CLOSED: the guest was closed".to_owned(),
    )
}

#[napi]
impl NativeGuest {
    /// The memory capsule.
    #[napi]
    pub fn memory_capsule(&self) -> Result<Loan<MemoryTable>> {
        self.with_open(|open| open.memory.loan())
    }

    /// The execution capsule.
    #[napi]
    pub fn execution_capsule(&self) -> Result<Loan<ExecutionTable>> {
        self.with_open(|open| open.execution.loan())
    }

    #[napi(getter)]
    pub fn state_bytes_max(&self) -> Result<u32> {
        Ok(self.machine()?.state_bytes_max() as u32)
    }

    #[napi(getter)]
    pub fn running(&self) -> Result<bool> {
        Ok(self.machine()?.is_running())
    }

    /// Why the guest cannot go on, if it cannot.
    #[napi]
    pub fn failure(&self) -> Result<Option<String>> {
        Ok(self.machine()?.failure())
    }

    #[napi]
    pub fn pause(&self) -> Result<AsyncTask<Call<()>>> {
        let machine = self.machine()?;
        Ok(Call::beside(move || {
            machine.pause();
            Ok(())
        }))
    }

    #[napi]
    pub fn resume(&self) -> Result<AsyncTask<Call<()>>> {
        let machine = self.machine()?;
        Ok(Call::beside(move || {
            let resumed = machine.resume();
            resumed.map_err(|error| match machine.failure() {
                Some(reason) => Error::new(Status::GenericFailure, format!("ERR_GODWIT_GUEST_STOPPED: {reason}")),
                None if error == CapsuleError::Unsupported => {
                    from_capsule(CapsuleError::Malformed, "an empty guest has no state yet")
                }
                None => from_capsule(error, "resume"),
            })
        }))
    }

    #[napi]
    pub fn save(&self) -> Result<AsyncTask<Call<Buffer>>> {
        let machine = self.machine()?;
        Ok(Call::beside(move || {
            let mut state = Vec::new();
            machine
                .save(&mut state)
                .map_err(|error| from_capsule(error, "only a paused guest can be saved"))?;
            Ok(state.into())
        }))
    }

    #[napi]
    pub fn load(&self, state: Buffer) -> Result<AsyncTask<Call<()>>> {
        let machine = self.machine()?;
        let state = state.to_vec();
        Ok(Call::beside(move || {
            machine
                .load(&state)
                .map_err(|error| from_capsule(error, "the guest refused its state"))
        }))
    }

    #[napi]
    pub fn announce(&self) -> Result<()> {
        self.machine()?.announce();
        Ok(())
    }

    /// Sets the bits of the populated pages in a bitmap over the whole memory.
    #[napi]
    pub fn present(&self, mut words: Uint32Array) -> Result<f64> {
        // SAFETY: JavaScript is inside this call, so nobody else uses the array meanwhile.
        let words = unsafe { words.as_mut() };
        let memory = SharedMemory(Arc::clone(self.machine()?.memory()));
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
    pub fn counters(&self) -> Result<NativeCounters> {
        Ok(read(&*self.machine()?))
    }

    /// Copies bytes of memory out.
    #[napi]
    pub fn read_memory(&self, offset_bytes: f64, mut into: Buffer) -> Result<()> {
        let inside = self.machine()?.memory().host().read(offset_bytes as u64, &mut into);
        inside
            .then_some(())
            .ok_or_else(|| from_capsule(CapsuleError::OutOfRange, "reading memory"))
    }

    /// Copies bytes into memory.
    #[napi]
    pub fn write_memory(&self, offset_bytes: f64, from: Buffer) -> Result<()> {
        let machine = self.machine()?;
        let inside = machine.memory().host().write(offset_bytes as u64, &from);
        if inside {
            machine.memory().mark_written(offset_bytes as u64, from.len());
        }
        inside
            .then_some(())
            .ok_or_else(|| from_capsule(CapsuleError::OutOfRange, "writing memory"))
    }

    /// Frames that reached the cable after the state was saved; none is an empty buffer.
    #[napi]
    pub fn drain_late_frames(&self) -> Result<Buffer> {
        let mut frames = Vec::new();
        self.machine()?.network().nic().drain_late(&mut frames);
        Ok(frames.into())
    }

    /// Queues frames another host's `drainLateFrames` gave; returns how many found no room.
    #[napi]
    pub fn inject_frames(&self, frames: Buffer) -> Result<f64> {
        let injected = self.machine()?.network().nic().inject(&frames);
        injected
            .map(|dropped| dropped as f64)
            .map_err(|_| from_capsule(CapsuleError::Malformed, "damaged frames"))
    }

    #[napi]
    pub fn close(&self) -> AsyncTask<Closing> {
        AsyncTask::new(Closing {
            open: Arc::clone(&self.open),
        })
    }
}
