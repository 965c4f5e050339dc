//! XBZRLE encoder, decoder and page cache in QEMU's wire format, native and in TypeScript.
//!
//! [`format`] says what a delta looks like. This file and the `js_*` ones are the JavaScript side.

mod cache;
mod copy;
mod decode;
mod decoder;
mod edges;
#[cfg(target_arch = "x86_64")]
mod edges_avx2;
#[cfg(target_arch = "x86_64")]
mod edges_avx512;
mod encode;
mod encoder;
mod format;
mod isa;
pub mod js_codec;
pub mod js_encoder;
mod js_failure;
pub mod js_pages;
mod page_store;
mod poor_pages;
mod runs;
mod spread;
mod statistics;

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod scarce_memory;

pub use cache::{Lookup, PageCache, SLOT_OVERHEAD_BYTES};
pub use decode::{MalformedDelta, decode};
pub use encode::{DeltaEncoder, Encoded};
pub use encoder::{EncoderOptions, XbzrleEncoder};
pub use isa::Isa;
pub use poor_pages::BackOff;
pub use statistics::EncoderStatistics;
