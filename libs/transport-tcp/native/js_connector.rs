use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;

use crate::address::Target;
use crate::connector::Connector;
use crate::failure::{Failure, NATIVE_FAILED};
use crate::js_connection::NativeConnection;
use crate::lane::detach;
use crate::promise::promise;
use crate::stream::NO_TIMEOUT_MS;

/// An address as JavaScript has read it: host and port, or a path.
#[napi(object)]
pub struct NativeTarget {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub path: Option<String>,
}

impl From<NativeTarget> for Target {
    fn from(target: NativeTarget) -> Self {
        match target.path {
            Some(path) => Self::Unix { path: path.into() },
            None => Self::Tcp {
                host: target.host.unwrap_or_default(),
                port: target.port.unwrap_or_default(),
            },
        }
    }
}

/// One attempt to connect. Whoever works on it holds it, so that its descriptor goes with the attempt and not with this
/// object, which the garbage collector may leave for long.
#[napi]
pub struct NativeConnector {
    waiting: Mutex<Option<Arc<Connector>>>,
    attempt: Weak<Connector>,
}

#[napi]
impl NativeConnector {
    #[napi(constructor)]
    pub fn new() -> Result<Self> {
        let connector = Connector::new().map_err(|error| Failure::new(NATIVE_FAILED, error.to_string()))?;
        let connector = Arc::new(connector);
        Ok(Self {
            attempt: Arc::downgrade(&connector),
            waiting: Mutex::new(Some(connector)),
        })
    }

    #[napi(ts_return_type = "Promise<NativeConnection>")]
    pub fn connect<'env>(
        &self,
        env: &'env Env,
        target: NativeTarget,
        allow_insecure: bool,
        timeout_ms: u32,
        link_bytes_per_second: f64,
    ) -> Result<Object<'env>> {
        let connector = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let connector = connector.ok_or_else(|| Failure::new(NATIVE_FAILED, "a second attempt".to_owned()))?;
        let target = Target::from(target);
        let timeout = (timeout_ms != NO_TIMEOUT_MS).then(|| Duration::from_millis(timeout_ms.into()));
        promise(env, detach, move || {
            NativeConnection::new(
                connector.connect(&target, allow_insecure, timeout)?,
                link_bytes_per_second,
            )
        })
    }

    #[napi]
    pub fn cancel(&self) {
        if let Some(connector) = self.attempt.upgrade() {
            connector.cancel();
        }
    }
}
