//! The addon's functions. The guest itself is the class that all native guests share.

use std::path::Path;

use godwit_guest_host::{Call, Failure, NativeGuest, NativeOptions};
use kvm_ioctls::Kvm;
use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;

use crate::clock::tsc_khz;
use crate::machine;

/// Whether guests can be made here: nothing, or the reason why not.
#[napi]
pub fn unavailable_because() -> Option<String> {
    if crate::boot::PROGRAM.is_empty() {
        return Some("guests of this package run on x86-64 processors".into());
    }
    if !Path::new("/dev/kvm").exists() {
        return Some("there is no /dev/kvm: no virtualisation here, or it is switched off".into());
    }
    match Kvm::new() {
        Err(error) => Some(format!("/dev/kvm cannot be opened for reading and writing: {error}")),
        Ok(kvm) if kvm.get_api_version() != 12 => Some("/dev/kvm speaks another version than 12".into()),
        Ok(_) => None,
    }
}

/// Makes a guest, beside the JavaScript thread.
#[napi]
pub fn create_guest(options: NativeOptions) -> AsyncTask<Call<NativeGuest>> {
    NativeGuest::make(move || {
        let tsc_khz = tsc_khz().map_err(Failure::while_trying("the time stamp counter"))?;
        Ok(machine::make(options.to_blueprint(true, tsc_khz)?)?)
    })
}
