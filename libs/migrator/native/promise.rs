use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, Error, Result};

use crate::pump_error::PumpError;

type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;

/// Runs `work` on a thread of its own and gives JavaScript a promise of its result. A pump blocks for as long as a
/// migration takes, so it must not sit in the pool that Node.js shares with everything else.
pub fn on_thread<'env, T, F>(env: &'env Env, name: &str, work: F) -> Result<Object<'env>>
where
    T: ToNapiValue + Send + 'static,
    F: FnOnce() -> std::result::Result<T, PumpError> + Send + 'static,
{
    let (deferred, promise) = env.create_deferred::<T, Resolver<T>>()?;
    let spawned =
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(value)) => deferred.resolve(Box::new(move |_| Ok(value))),
                Ok(Err(error)) => deferred.reject(error.into()),
                Err(_) => deferred.reject(Error::from_reason("ERR_GODWIT_NATIVE_FAILED: the pump panicked")),
            });
    spawned.map_err(|error| Error::from_reason(format!("ERR_GODWIT_NATIVE_FAILED: starting a thread: {error}")))?;
    Ok(promise)
}
