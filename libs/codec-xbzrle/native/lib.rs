//! XBZRLE encoder, decoder and page cache in QEMU's wire format, native and in TypeScript.
//!
//! [`format`] says what a delta looks like. This file and the `js_*` ones are the JavaScript side.

mod cache;
mod decode;
mod decoder;
mod difference;
#[cfg(target_arch = "x86_64")]
mod difference_avx2;
#[cfg(target_arch = "x86_64")]
mod difference_avx512;
mod encode;
mod encoder;
mod format;
mod isa;
pub mod js_codec;
pub mod js_encoder;
mod js_failure;
mod page_store;
mod statistics;

#[cfg(test)]
mod batch_tests;
