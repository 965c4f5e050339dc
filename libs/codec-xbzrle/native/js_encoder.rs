//! The encoder, for JavaScript.

use godwit_ports::{Capsule, Codec, CodecTable, JsCapsule, JsView};
use napi::Result;
use napi_derive::napi;

use crate::encoder::{EncoderOptions, XbzrleEncoder};
use crate::format::is_page_size;
use crate::js_failure::{failure, invalid, unsupported, wanted_isa};
use crate::poor_pages::BackOff;

/// When pages whose deltas do not pay are left alone.
#[napi(object)]
pub struct NativeBackOff {
    pub tries: u32,
    pub pause_max: u32,
    pub paying_bytes_max: u32,
}

/// What an encoder did so far; numbers of pages unless the name says otherwise.
#[napi(object)]
pub struct NativeEncoderStatistics {
    pub cache_size_bytes: f64,
    pub hit_pages: f64,
    pub miss_pages: f64,
    pub refused_pages: f64,
    pub skipped_pages: f64,
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
    pub fn new(
        page_size_bytes: u32,
        cache_bytes: f64,
        delta_bytes_max: u32,
        back_off: Option<NativeBackOff>,
        isa: Option<String>,
    ) -> Result<Self> {
        let page_size_bytes = page_size_bytes as usize;
        if !is_page_size(page_size_bytes) {
            return Err(invalid("a page size is a power of two between 512 bytes and 1 MiB"));
        }
        let back_off = back_off.map(|given| BackOff {
            tries: given.tries,
            pause_max: given.pause_max,
            paying_bytes_max: given.paying_bytes_max as usize,
        });
        if back_off.is_some_and(|back_off| !back_off.is_valid()) {
            return Err(invalid(
                "there are 1 to 8 tries, and a pause ends after 4 to 4,095 sends",
            ));
        }
        let options = EncoderOptions {
            delta_bytes_max: delta_bytes_max as usize,
            back_off,
            ..EncoderOptions::new(page_size_bytes, cache_bytes as usize, wanted_isa(isa)?)
        };
        if options.slot_count_of(options.cache_bytes) == 0 {
            return Err(invalid("the cache holds at least one page"));
        }
        let encoder =
            XbzrleEncoder::new(options).ok_or_else(|| unsupported("there is not enough memory for the cache"))?;
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

    /// Gives the cache another size, keeping the pages used last; where there is no memory for that it stays as it is.
    #[napi]
    pub fn resize(&self, cache_bytes: f64) -> Result<()> {
        let resized = self.encoder.resize(cache_bytes as usize).map_err(failure)?;
        resized.ok_or_else(|| unsupported("there is not enough memory for a cache of that size beside the old one"))
    }

    #[napi]
    pub fn statistics(&self) -> Result<NativeEncoderStatistics> {
        let statistics = self.encoder.statistics().map_err(failure)?;
        Ok(NativeEncoderStatistics {
            cache_size_bytes: self.encoder.cache_size_bytes().map_err(failure)? as f64,
            hit_pages: statistics.hit_pages as f64,
            miss_pages: statistics.miss_pages as f64,
            refused_pages: statistics.refused_pages as f64,
            skipped_pages: statistics.skipped_pages as f64,
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
