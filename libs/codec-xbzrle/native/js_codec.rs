//! What the processor has, and the decoder's capsule, for JavaScript.

use godwit_ports::{Capsule, CodecTable, JsCapsule};
use napi::Result;
use napi_derive::napi;

use crate::decoder::XbzrleDecoder;
use crate::format::is_page_size;
use crate::isa::Isa;
use crate::js_failure::invalid;

/// The instruction sets that this processor has and this build knows, fastest first.
#[napi]
pub fn isas() -> Vec<String> {
    Isa::available().map(|isa| isa.name().to_owned()).collect()
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
