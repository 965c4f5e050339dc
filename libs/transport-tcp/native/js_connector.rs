use std::sync::Arc;
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

/// One attempt to connect.
#[napi]
pub struct NativeConnector {
    connector: Arc<Connector>,
}

#[napi]
impl NativeConnector {
    #[napi(constructor)]
    pub fn new() -> Result<Self> {
        let connector = Connector::new().map_err(|error| Failure::new(NATIVE_FAILED, error.to_string()))?;
        Ok(Self {
            connector: Arc::new(connector),
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
        let (connector, target) = (self.connector.clone(), Target::from(target));
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
        self.connector.cancel();
    }
}
