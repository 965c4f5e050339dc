//! The encoder, for JavaScript.

use godwit_ports::{Capsule, Codec, CodecTable, JsCapsule, JsView};
use napi::Result;
use napi_derive::napi;

use crate::cache::PageCache;
use crate::encoder::XbzrleEncoder;
use crate::format::is_page_size;
use crate::js_failure::{failure, invalid, unsupported, wanted_isa};

/// What an encoder did so far; numbers of pages unless the name says otherwise.
#[napi(object)]
pub struct NativeEncoderStatistics {
    pub hit_pages: f64,
    pub miss_pages: f64,
    pub refused_pages: f64,
    pub unchanged_pages: f64,
    pub delta_pages: f64,
    pub overflow_pages: f64,
    pub delta_bytes: f64,
}

/// The sender's half.
#[napi]
pub struct NativeEncoder {
    encoder: XbzrleEncoder,
}

#[napi]
impl NativeEncoder {
    #[napi(constructor)]
    pub fn new(page_size_bytes: u32, cache_bytes: f64, isa: Option<String>) -> Result<Self> {
        let (page_size_bytes, cache_bytes) = (page_size_bytes as usize, cache_bytes as usize);
        if !is_page_size(page_size_bytes) || PageCache::slot_count_of(page_size_bytes, cache_bytes) == 0 {
            return Err(invalid(
                "a page size is a power of two between 512 bytes and 1 MiB, and the cache holds one page",
            ));
        }
        let encoder = XbzrleEncoder::new(page_size_bytes, cache_bytes, wanted_isa(isa)?)
            .ok_or_else(|| unsupported("there is not enough memory for the cache"))?;
        Ok(Self { encoder })
    }

    /// The same encoder, with the same cache, for other native packages.
    #[napi]
    pub fn create_capsule(&self) -> JsCapsule<CodecTable> {
        JsCapsule(Capsule::<CodecTable>::export(self.encoder.clone()))
    }

    /// Returns the bytes written: 0 for an unchanged page, the page size for a raw one, else those of a delta.
    #[napi]
    pub fn encode(&self, page: u32, current: JsView<u8>, into: JsView<u8>) -> Result<u32> {
        let page_size_bytes = self.encoder.page_size_bytes();
        if current.length() != page_size_bytes || into.length() < page_size_bytes {
            return Err(invalid("the page and the output are a page long"));
        }
        // SAFETY: both views are a page long, and valid for this call.
        let coded = unsafe {
            self.encoder
                .encode_page(u64::from(page), current.pointer(), into.pointer())
        };
        coded.map(|(_, length_bytes)| length_bytes as u32).map_err(failure)
    }

    #[napi]
    pub fn forget(&self, page: u32) -> Result<()> {
        self.encoder.forget(&[u64::from(page)]).map_err(failure)
    }

    #[napi]
    pub fn statistics(&self) -> Result<NativeEncoderStatistics> {
        let statistics = self.encoder.statistics().map_err(failure)?;
        Ok(NativeEncoderStatistics {
            hit_pages: statistics.hit_pages as f64,
            miss_pages: statistics.miss_pages as f64,
            refused_pages: statistics.refused_pages as f64,
            unchanged_pages: statistics.unchanged_pages as f64,
            delta_pages: statistics.delta_pages as f64,
            overflow_pages: statistics.overflow_pages as f64,
            delta_bytes: statistics.delta_bytes as f64,
        })
    }

    #[napi]
    pub fn close(&self) -> Result<()> {
        self.encoder.close().map_err(failure)
    }
}
