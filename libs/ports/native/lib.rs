//! Safe Rust over the native capsules of `include/godwit_capsule.h`.
//!
//! A package that offers something implements one of the traits ([`Memory`], [`Execution`], [`DirtySource`],
//! [`Scanner`], [`Codec`], [`Channel`]) and turns it into a [`Capsule`] with `Capsule::export`; a package that uses it
//! receives a `Capsule` from JavaScript ([`JsCapsule`]) and calls the methods on it. Neither links the other.

mod abi;
mod capsule;
mod channel;
mod codec;
mod dirty;
mod dirty_rings;
mod error;
mod execution;
#[cfg(feature = "napi")]
mod js;
#[cfg(feature = "napi")]
mod js_view;
mod lent;
mod memory;
mod scanner;

pub use abi::*;
pub use capsule::{Capsule, Table};
pub use channel::{Channel, ChannelCounters, Slice, SliceMut};
pub use codec::{Codec, Coded, CodedPage};
pub use dirty::DirtySource;
pub use dirty_rings::{DirtyRings, RingHarvester};
pub use error::CapsuleError;
pub use execution::Execution;
#[cfg(feature = "napi")]
pub use js::JsCapsule;
#[cfg(feature = "napi")]
pub use js_view::{JsView, ViewElement};
pub use lent::{Lent, Loan};
pub use memory::{Memory, MemorySlot};
pub use scanner::Scanner;
