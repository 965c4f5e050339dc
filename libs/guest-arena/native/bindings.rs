//! The addon's functions. The guest itself is the class that all native guests share.

use godwit_guest_host::{Call, NativeGuest, NativeOptions, recording_unavailable_because};
use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;

use crate::arena;
use crate::clock::tsc_khz;

/// Whether guests can be made here: nothing, or the reason why not.
#[napi]
pub fn unavailable_because() -> Option<String> {
    recording_unavailable_because()
}

/// Makes a guest, beside the JavaScript thread.
#[napi]
pub fn create_guest(options: NativeOptions) -> AsyncTask<Call<NativeGuest>> {
    NativeGuest::make(move || {
        let blueprint = options.to_blueprint(false, tsc_khz())?;
        Ok(arena::make(blueprint)?)
    })
}
