use std::os::fd::OwnedFd;
use std::sync::Arc;

use godwit_ports::{Capsule, Channel, ChannelTable, JsCapsule, Slice, SliceMut};
use napi::bindgen_prelude::{Buffer, Object, Uint8Array};
use napi::{Env, Result};
use napi_derive::napi;

use crate::failure::{Failure, NATIVE_FAILED};
use crate::lane::{Lane, detach};
use crate::promise::promise;
use crate::stream::{SharedStream, Stream};

/// What went over a connection.
#[napi(object)]
pub struct NativeCounters {
    pub bytes_sent: f64,
    pub bytes_received: f64,
}

/// A connected stream, for JavaScript and (through its capsule) for native code.
#[napi]
pub struct NativeConnection {
    stream: SharedStream,
    capsule: Capsule<ChannelTable>,
    remote_address: String,
    sends: Lane,
    receives: Lane,
}

impl NativeConnection {
    pub fn new(
        (socket, remote_address): (OwnedFd, String),
        link_bytes_per_second: f64,
    ) -> std::result::Result<Self, Failure> {
        let stream = Stream::new(socket, link_bytes_per_second as u64)
            .map_err(|error| Failure::new(NATIVE_FAILED, format!("cannot set up the connection: {error}")))?;
        let stream = SharedStream(Arc::new(stream));
        Ok(Self {
            capsule: Capsule::<ChannelTable>::export(stream.clone()),
            stream,
            remote_address,
            sends: Lane::new("godwit-send"),
            receives: Lane::new("godwit-receive"),
        })
    }
}

#[napi]
impl NativeConnection {
    #[napi(getter)]
    pub fn remote_address(&self) -> String {
        self.remote_address.clone()
    }

    #[napi(getter, ts_return_type = "object")]
    pub fn capsule(&self) -> JsCapsule<ChannelTable> {
        JsCapsule(self.capsule.clone())
    }

    /// The bytes are copied here, on the JavaScript thread: no other thread ever looks into JavaScript's memory.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn send<'env>(&self, env: &'env Env, chunks: Vec<Uint8Array>, timeout_ms: u32) -> Result<Object<'env>> {
        let bytes = chunks.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>().concat();
        let (stream, remote) = (self.stream.clone(), self.remote_address.clone());
        promise(
            env,
            |job| self.sends.submit(job),
            move || match stream.send(&[Slice::new(&bytes)], timeout_ms) {
                Ok(_) => Ok(()),
                Err(error) => Err(Failure::of_transfer(error, &remote)),
            },
        )
    }

    #[napi(ts_return_type = "Promise<Uint8Array>")]
    pub fn receive<'env>(&self, env: &'env Env, length_bytes: u32, timeout_ms: u32) -> Result<Object<'env>> {
        let (stream, remote) = (self.stream.clone(), self.remote_address.clone());
        promise(
            env,
            |job| self.receives.submit(job),
            move || {
                let mut bytes = vec![0; length_bytes as usize];
                match stream.receive(&[SliceMut::new(&mut bytes)], timeout_ms) {
                    Ok(_) => Ok(Buffer::from(bytes)),
                    Err(error) => Err(Failure::of_transfer(error, &remote)),
                }
            },
        )
    }

    #[napi]
    pub fn counters(&self) -> NativeCounters {
        let counters = self.stream.counters();
        NativeCounters {
            bytes_sent: counters.bytes_sent as f64,
            bytes_received: counters.bytes_received as f64,
        }
    }

    /// Zero lifts the cap.
    #[napi]
    pub fn set_link_bytes_per_second(&self, bytes_per_second: f64) {
        self.stream.0.set_link_bytes_per_second(bytes_per_second as u64);
    }

    #[napi]
    pub fn interrupt(&self) {
        self.stream.interrupt();
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.sends.end();
        self.receives.end();
        let stream = self.stream.clone();
        promise(env, detach, move || {
            stream.0.close();
            Ok(())
        })
    }
}
