use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, Result};

use crate::failure::{Failure, NATIVE_FAILED};
use crate::lane::Job;

type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T>>;

/// A promise for what `work` returns; `run` puts the work on a thread.
pub fn promise<T: ToNapiValue + Send + 'static>(
    env: &Env,
    run: impl FnOnce(Job) -> io::Result<()>,
    work: impl FnOnce() -> std::result::Result<T, Failure> + Send + 'static,
) -> Result<Object<'_>> {
    let (deferred, promise) = env.create_deferred::<T, Resolver<T>>()?;
    run(Box::new(move || {
        let outcome = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(Failure::new(NATIVE_FAILED, "the transport panicked")));
        deferred.resolve(Box::new(move |_| outcome.map_err(Into::into)));
    }))
    .map_err(|error| Failure::new(NATIVE_FAILED, format!("no thread for the transport: {error}")))?;
    Ok(promise)
}
