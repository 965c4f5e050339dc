//! Pages without a cache, one by one and by the batch, for JavaScript.

use godwit_ports::{CapsuleError, JsView, ViewElement};
use napi::Result;
use napi_derive::napi;

use crate::decode::decode_raw;
use crate::encode::{DeltaEncoder, Encoded};
use crate::format::is_page_size;
use crate::js_failure::{failure, failure_of, invalid, wanted_isa};

/// Whether two views share bytes.
fn overlap<One: ViewElement, Other: ViewElement>(one: &JsView<One>, other: &JsView<Other>) -> bool {
    let (one_start, other_start) = (one.pointer().addr(), other.pointer().addr());
    one_start < other_start + other.length() * size_of::<Other>()
        && other_start < one_start + one.length() * size_of::<One>()
}

/// Which pages of a region a batch is about.
struct Pages {
    /// `None` for the first ones in their order.
    indexes: Option<JsView<u32>>,
    count: usize,
}

impl Pages {
    /// Checks that there are as many as results, and that the region has them all.
    fn new(indexes: Option<JsView<u32>>, count: usize, page_count: usize) -> Result<Self> {
        let pages = Self { indexes, count };
        let given = pages.indexes.as_ref().map_or(page_count, JsView::length);
        if given != count || (0..count).any(|entry| pages.at(entry) >= page_count) {
            return Err(invalid(
                "a page lies outside the memory, or the numbers of pages and lengths differ",
            ));
        }
        Ok(pages)
    }

    fn at(&self, entry: usize) -> usize {
        match &self.indexes {
            // SAFETY: entries are below the view's length, checked in `new`; the view is valid for this call.
            Some(indexes) => unsafe { indexes.pointer().add(entry).read() as usize },
            None => entry,
        }
    }
}

/// Encodes pages of one size without a cache.
#[napi]
pub struct NativePageEncoder {
    encoder: DeltaEncoder,
}

#[napi]
impl NativePageEncoder {
    #[napi(constructor)]
    pub fn new(page_size_bytes: u32, isa: Option<String>) -> Result<Self> {
        let page_bytes = page_size_bytes as usize;
        if !is_page_size(page_bytes) {
            return Err(invalid("a page size is a power of two between 512 bytes and 1 MiB"));
        }
        let encoder = DeltaEncoder::new(page_bytes, wanted_isa(isa)?);
        Ok(Self { encoder })
    }

    /// The delta from one page to another: its length, 0 where they are equal, -1 where it does not fit.
    #[napi]
    pub fn encode_page(&mut self, old: JsView<u8>, current: JsView<u8>, into: JsView<u8>) -> Result<i32> {
        let page_bytes = self.encoder.page_bytes();
        if old.length() != page_bytes || current.length() != page_bytes {
            return Err(invalid("both pages have the encoder's size"));
        }
        if overlap(&into, &old) || overlap(&into, &current) {
            return Err(invalid("the output overlaps a page"));
        }
        // SAFETY: the view is valid for this call, and overlaps neither page.
        let into = unsafe { std::slice::from_raw_parts_mut(into.pointer(), into.length()) };
        let delta_bytes_max = into.len();
        // SAFETY: both views have a page.
        Ok(unsafe { self.encode_at(&old, &current, 0, into, delta_bytes_max) })
    }

    /// The deltas of pages of two regions, one behind the other in `into`; `lengths_bytes` gets each one's length, 0 where
    /// the page is unchanged, -1 where its delta does not fit or is longer than `delta_bytes_max`. Returns the bytes used.
    #[napi]
    pub fn encode_pages(
        &mut self,
        old: JsView<u8>,
        current: JsView<u8>,
        pages: Option<JsView<u32>>,
        into: JsView<u8>,
        lengths_bytes: JsView<i32>,
        delta_bytes_max: u32,
    ) -> Result<f64> {
        let page_bytes = self.encoder.page_bytes();
        if old.length() != current.length() || !old.length().is_multiple_of(page_bytes) {
            return Err(invalid("both regions are equally long, a whole number of pages"));
        }
        if overlap(&into, &old) || overlap(&into, &current) {
            return Err(invalid("the output overlaps a region"));
        }
        if overlap(&lengths_bytes, &old) || overlap(&lengths_bytes, &current) || overlap(&lengths_bytes, &into) {
            return Err(invalid("the lengths overlap a region or the output"));
        }
        if let Some(pages) = &pages
            && (overlap(pages, &into) || overlap(pages, &lengths_bytes))
        {
            return Err(invalid("the page indexes overlap what is written"));
        }
        let page_count = old.length() / page_bytes;
        let pages = Pages::new(pages, lengths_bytes.length(), page_count)?;
        // SAFETY: the view is valid for this call, and overlaps none of the others.
        let out = unsafe { std::slice::from_raw_parts_mut(into.pointer(), into.length()) };
        let mut used = 0;
        for entry in 0..pages.count {
            // A worker may have written the index since it was checked.
            let at = pages.at(entry).min(page_count - 1) * page_bytes;
            // SAFETY: the page lies within both regions.
            let length_bytes =
                unsafe { self.encode_at(&old, &current, at, &mut out[used..], delta_bytes_max as usize) };
            used += length_bytes.max(0) as usize;
            // SAFETY: the view has as many elements as there are pages.
            unsafe { lengths_bytes.pointer().add(entry).write(length_bytes) };
        }
        Ok(used as f64)
    }

    /// # Safety
    /// Both views have a page at that offset.
    unsafe fn encode_at(
        &mut self,
        old: &JsView<u8>,
        current: &JsView<u8>,
        at: usize,
        out: &mut [u8],
        delta_bytes_max: usize,
    ) -> i32 {
        let page_bytes = self.encoder.page_bytes();
        // SAFETY: the caller vouches for the pages, whose views are valid for this call. JavaScript of this thread does not
        // run meanwhile; a caller that lets other threads write shared pages meanwhile gets some delta, of checked bounds.
        let (old, new) = unsafe {
            (
                std::slice::from_raw_parts(old.pointer().add(at), page_bytes),
                std::slice::from_raw_parts(current.pointer().add(at), page_bytes),
            )
        };
        match self.encoder.encode_within(old, new, out, delta_bytes_max) {
            Encoded::Unchanged => 0,
            Encoded::Delta(delta_bytes) => delta_bytes as i32,
            Encoded::Overflow => -1,
        }
    }
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
    let decoded = unsafe {
        let delta = std::slice::from_raw_parts(delta.pointer(), delta.length());
        decode_raw(delta, page.pointer(), page.length())
    };
    decoded.map_err(|_| failure(CapsuleError::Malformed))
}

/// Applies deltas that lie one behind the other to pages of a memory; those of length 0 and below are left out. Returns how
/// many were applied. Where one is malformed its page is untouched, those before it are done.
#[napi]
pub fn decode_pages(
    deltas: JsView<u8>,
    lengths_bytes: JsView<i32>,
    pages: Option<JsView<u32>>,
    memory: JsView<u8>,
    page_size_bytes: u32,
) -> Result<u32> {
    let page_bytes = page_size_bytes as usize;
    if !is_page_size(page_bytes) || !memory.length().is_multiple_of(page_bytes) {
        return Err(invalid("the memory is a whole number of pages"));
    }
    if overlap(&deltas, &memory) {
        return Err(invalid("the deltas overlap the memory"));
    }
    if overlap(&lengths_bytes, &memory) || pages.as_ref().is_some_and(|pages| overlap(pages, &memory)) {
        return Err(invalid("the lengths or the page indexes overlap the memory"));
    }
    let page_count = memory.length() / page_bytes;
    let pages = Pages::new(pages, lengths_bytes.length(), page_count)?;
    // SAFETY: the view is valid for this call.
    let length_of = |entry: usize| unsafe { lengths_bytes.pointer().add(entry).read() }.max(0) as usize;
    let total = (0..pages.count).fold(0_usize, |total, entry| total.saturating_add(length_of(entry)));
    if total > deltas.length() {
        return Err(invalid("the lengths say more than there is of deltas"));
    }
    // SAFETY: the view is valid for this call, and does not overlap the memory.
    let mut rest = unsafe { std::slice::from_raw_parts(deltas.pointer(), deltas.length()) };
    let mut applied = 0;
    for entry in 0..pages.count {
        let length_bytes = length_of(entry);
        if length_bytes == 0 {
            continue;
        }
        // A worker may have written lengths and indexes since they were checked.
        let at = pages.at(entry).min(page_count - 1) * page_bytes;
        let delta = rest.split_off(..length_bytes.min(rest.len())).unwrap_or_default();
        // SAFETY: the page lies within the memory, whose view is valid for this call.
        let decoded = unsafe { decode_raw(delta, memory.pointer().add(at), page_bytes) };
        if decoded.is_err() {
            return Err(failure_of(
                CapsuleError::Malformed,
                &format!("the delta of entry {entry} is malformed"),
            ));
        }
        applied += 1;
    }
    Ok(applied)
}
