use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use godwit_ports::{Capsule, CapsuleError, DirtySource, DirtyTable, JsCapsule, Lent, Loan, MemoryTable};
use napi::bindgen_prelude::{AsyncTask, Uint32Array};
use napi::{Env, Error, Result, Status, Task};
use napi_derive::napi;

use crate::failure::{Operation, failure};
use crate::{ClosableSource, KvmDirtyLog, KvmDirtyRing, PagemapScan};

/// A native tracker; its work runs on the thread pool.
#[napi]
pub struct NativeTracker {
    page_count: u64,
    open: Arc<Mutex<Option<Open>>>,
}

/// A tracker that is not closed: its source, and the capsule that stands for it elsewhere.
struct Open {
    source: Arc<ClosableSource>,
    lent: Lent<DirtyTable>,
}

fn lock(open: &Mutex<Option<Open>>) -> MutexGuard<'_, Option<Open>> {
    // Whoever panicked under the lock only read, or had taken all there was.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one collection found.
#[napi(object)]
pub struct CollectedPages {
    /// One bit a page.
    pub words: Uint32Array,
    pub page_count: f64,
}

/// Tracks by PAGEMAP_SCAN; throws `ERR_GODWIT_UNSUPPORTED` with what is missing.
#[napi]
pub fn create_pagemap_scan_tracker(memory: JsCapsule<MemoryTable>) -> Result<NativeTracker> {
    PagemapScan::new(memory.0).map(NativeTracker::over).map_err(unsupported)
}

/// Tracks by the KVM dirty log; throws `ERR_GODWIT_UNSUPPORTED` with what is missing.
#[napi]
pub fn create_kvm_dirty_log_tracker(memory: JsCapsule<MemoryTable>) -> Result<NativeTracker> {
    KvmDirtyLog::new(memory.0).map(NativeTracker::over).map_err(unsupported)
}

/// Tracks by KVM's dirty rings; throws `ERR_GODWIT_UNSUPPORTED` with what is missing.
#[napi]
pub fn create_kvm_dirty_ring_tracker(memory: JsCapsule<MemoryTable>) -> Result<NativeTracker> {
    KvmDirtyRing::new(memory.0)
        .map(NativeTracker::over)
        .map_err(unsupported)
}

#[napi]
impl NativeTracker {
    fn over(source: impl DirtySource + 'static) -> Self {
        let source = Capsule::<DirtyTable>::export(source);
        Self {
            page_count: source.page_count(),
            open: Arc::new(Mutex::new(Some(Open {
                source: Arc::new(ClosableSource::new(source.clone())),
                // SAFETY: exported just now, and lent once.
                lent: unsafe { Lent::new(source) },
            }))),
        }
    }

    fn source(&self) -> Result<Arc<ClosableSource>> {
        lock(&self.open)
            .as_ref()
            .map(|open| Arc::clone(&open.source))
            .ok_or_else(closed)
    }

    #[napi(getter)]
    pub fn page_count(&self) -> f64 {
        self.page_count as f64
    }

    /// The tracker for native code of other packages.
    #[napi(getter)]
    pub fn capsule(&self) -> Result<Loan<DirtyTable>> {
        lock(&self.open)
            .as_ref()
            .map(|open| open.lent.loan())
            .ok_or_else(closed)
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn start(&self) -> Result<AsyncTask<Switch>> {
        Ok(AsyncTask::new(Switch {
            source: self.source()?,
            on: true,
        }))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn stop(&self) -> Result<AsyncTask<Switch>> {
        Ok(AsyncTask::new(Switch {
            source: self.source()?,
            on: false,
        }))
    }

    #[napi(ts_return_type = "Promise<CollectedPages>")]
    pub fn collect(&self) -> Result<AsyncTask<Collect>> {
        Ok(AsyncTask::new(Collect { source: self.source()? }))
    }

    /// Stops, and lets go of the memory and its descriptors.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close(&self) -> AsyncTask<Closing> {
        AsyncTask::new(Closing {
            open: Arc::clone(&self.open),
        })
    }
}

pub struct Closing {
    open: Arc<Mutex<Option<Open>>>,
}

impl Task for Closing {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        let source = lock(&self.open).as_ref().map(|open| Arc::clone(&open.source));
        source.map_or(Ok(()), |source| {
            source.close().map_err(|error| failed(Operation::Stop, error))
        })
    }

    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        self.end();
        Ok(())
    }

    fn reject(&mut self, _env: Env, error: Error) -> Result<()> {
        self.end();
        Err(error)
    }
}

impl Closing {
    fn end(&self) {
        if let Some(Open { source, lent }) = lock(&self.open).take() {
            drop(source);
            // SAFETY: napi ends a task on the thread that the tracker belongs to.
            unsafe { lent.end() };
        }
    }
}

pub struct Switch {
    source: Arc<ClosableSource>,
    on: bool,
}

impl Task for Switch {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        if self.on {
            self.source.start().map_err(|error| failed(Operation::Start, error))
        } else {
            self.source.stop().map_err(|error| failed(Operation::Stop, error))
        }
    }

    fn resolve(&mut self, _env: Env, _output: ()) -> Result<()> {
        Ok(())
    }
}

pub struct Collect {
    source: Arc<ClosableSource>,
}

impl Task for Collect {
    type Output = (Vec<u32>, u64);
    type JsValue = CollectedPages;

    fn compute(&mut self) -> Result<Self::Output> {
        // Not into the caller's array: nothing keeps JavaScript from detaching it meanwhile.
        let (words, page_count) = self
            .source
            .collect()
            .map_err(|error| failed(Operation::Collect, error))?;
        Ok((
            words
                .iter()
                .flat_map(|&word| [word as u32, (word >> 32) as u32])
                .collect(),
            page_count,
        ))
    }

    fn resolve(&mut self, _env: Env, (words, page_count): Self::Output) -> Result<CollectedPages> {
        Ok(CollectedPages {
            words: words.into(),
            page_count: page_count as f64,
        })
    }
}

fn closed() -> Error {
    Error::new(
        Status::GenericFailure,
        "ERR_GODWIT_CLOSED: the tracker was closed".to_owned(),
    )
}

fn unsupported(missing: String) -> Error {
    Error::new(Status::GenericFailure, format!("ERR_GODWIT_UNSUPPORTED: {missing}"))
}

fn failed(operation: Operation, error: CapsuleError) -> Error {
    Error::new(Status::GenericFailure, failure(operation, error))
}
