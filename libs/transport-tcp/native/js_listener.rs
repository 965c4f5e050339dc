use std::sync::Arc;

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;

use crate::address::Target;
use crate::js_connection::NativeConnection;
use crate::js_connector::NativeTarget;
use crate::lane::detach;
use crate::listener::Listener;
use crate::promise::promise;

/// A listening socket.
#[napi]
pub struct NativeListener {
    listener: Arc<Listener>,
}

#[napi]
impl NativeListener {
    /// Binds and listens.
    #[napi(ts_return_type = "Promise<NativeListener>")]
    pub fn listen(env: &Env, target: NativeTarget, allow_insecure: bool) -> Result<Object<'_>> {
        let target = Target::from(target);
        promise(env, detach, move || {
            let listener = Listener::listen(&target, allow_insecure)?;
            Ok(Self {
                listener: Arc::new(listener),
            })
        })
    }

    #[napi(getter)]
    pub fn address(&self) -> String {
        self.listener.address().to_owned()
    }

    /// The next connection.
    #[napi(ts_return_type = "Promise<NativeConnection>")]
    pub fn accept<'env>(&self, env: &'env Env, link_bytes_per_second: f64) -> Result<Object<'env>> {
        let listener = self.listener.clone();
        promise(env, detach, move || {
            NativeConnection::new(listener.accept()?, link_bytes_per_second)
        })
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let listener = self.listener.clone();
        promise(env, detach, move || {
            listener.close();
            Ok(())
        })
    }
}
