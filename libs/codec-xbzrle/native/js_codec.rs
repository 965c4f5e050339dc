//! Single pages and the decoder's capsule, for JavaScript.

use std::cell::RefCell;

use godwit_ports::{Capsule, CapsuleError, CodecTable, JsCapsule, JsView};
use napi::Result;
use napi_derive::napi;

use crate::decode::decode;
use crate::decoder::XbzrleDecoder;
use crate::encode::{DeltaEncoder, Encoded};
use crate::format::is_page_size;
use crate::isa::Isa;
use crate::js_failure::{failure, invalid, wanted_isa};

thread_local! {
    /// The encoder of the last call, for the next one of the same page size.
    static ENCODER: RefCell<Option<(usize, Isa, DeltaEncoder)>> = const { RefCell::new(None) };
}

/// The instruction sets that this processor has and this build knows, fastest first.
#[napi]
pub fn isas() -> Vec<String> {
    Isa::available().map(|isa| isa.name().to_owned()).collect()
}

/// The delta from one page to another: its length, 0 where they are equal, -1 where it does not fit.
#[napi]
pub fn encode_page(old: JsView<u8>, current: JsView<u8>, into: JsView<u8>, isa: Option<String>) -> Result<i32> {
    let page_size_bytes = old.length();
    if !is_page_size(page_size_bytes) || current.length() != page_size_bytes {
        return Err(invalid(
            "both pages have the same size, a power of two between 512 bytes and 1 MiB",
        ));
    }
    if overlap(&into, &old) || overlap(&into, &current) {
        return Err(invalid("the output overlaps a page"));
    }
    let isa = wanted_isa(isa)?;
    // SAFETY: the views are valid for this call, and the output overlaps neither page. JavaScript of this thread does not
    // run meanwhile; a caller that lets other threads write shared pages meanwhile gets some delta, of checked bounds.
    let (old, current, into) = unsafe {
        (
            std::slice::from_raw_parts(old.pointer(), page_size_bytes),
            std::slice::from_raw_parts(current.pointer(), page_size_bytes),
            std::slice::from_raw_parts_mut(into.pointer(), into.length()),
        )
    };
    Ok(ENCODER.with_borrow_mut(|encoder| {
        let (_, _, encoder) = match encoder {
            Some(known) if known.0 == page_size_bytes && known.1 == isa => known,
            other => other.insert((page_size_bytes, isa, DeltaEncoder::new(page_size_bytes, isa))),
        };
        match encoder.encode(old, current, into) {
            Encoded::Unchanged => 0,
            Encoded::Delta(delta_bytes) => delta_bytes as i32,
            Encoded::Overflow => -1,
        }
    }))
}

/// Applies a delta to a page, which is untouched where the delta is malformed.
#[napi]
pub fn decode_page(delta: JsView<u8>, page: JsView<u8>) -> Result<()> {
    if !is_page_size(page.length()) {
        return Err(invalid("a page is a power of two between 512 bytes and 1 MiB long"));
    }
    if overlap(&delta, &page) {
        return Err(invalid("the delta overlaps the page"));
    }
    // SAFETY: the views are valid for this call and do not overlap. JavaScript of this thread does not run meanwhile; a
    // caller that lets other threads write a shared delta meanwhile gets some page, as every access is checked.
    let (delta, page) = unsafe {
        (
            std::slice::from_raw_parts(delta.pointer(), delta.length()),
            std::slice::from_raw_parts_mut(page.pointer(), page.length()),
        )
    };
    decode(delta, page).map_err(|_| failure(CapsuleError::Malformed))
}

/// A decoder for other native packages.
#[napi]
pub fn create_decoder_capsule(page_size_bytes: u32) -> Result<JsCapsule<CodecTable>> {
    if !is_page_size(page_size_bytes as usize) {
        return Err(invalid("a page size is a power of two between 512 bytes and 1 MiB"));
    }
    let decoder = XbzrleDecoder::new(page_size_bytes as usize);
    Ok(JsCapsule(Capsule::<CodecTable>::export(decoder)))
}

fn overlap(one: &JsView<u8>, other: &JsView<u8>) -> bool {
    let (one_start, other_start) = (one.pointer() as usize, other.pointer() as usize);
    one_start < other_start + other.length() && other_start < one_start + one.length()
}
