//! The sender's half: deltas against what was sent last, for JavaScript and behind the capsule.

use std::sync::{Arc, Mutex, MutexGuard};

use godwit_ports::{CapsuleError, Codec, Coded, CodedPage};

use crate::cache::{Lookup, PageCache};
use crate::encode::{DeltaEncoder, Encoded};
use crate::isa::Isa;
use crate::statistics::EncoderStatistics;

/// Encodes pages of one size against a cache of what was sent. Clones share the cache.
#[derive(Clone)]
pub struct XbzrleEncoder {
    page_size_bytes: usize,
    /// `None` once it is closed.
    state: Arc<Mutex<Option<State>>>,
}

struct State {
    cache: PageCache,
    delta_encoder: DeltaEncoder,
    /// Where a delta grows while its page's snapshot still lies in the output. One byte short of a page, as a delta that
    /// saves nothing is none.
    delta: Box<[u8]>,
    /// A page of output for callers that have no private one.
    staging: Box<[u8]>,
    statistics: EncoderStatistics,
}

impl XbzrleEncoder {
    /// `None` where there is not enough memory. The page size is one that [`crate::format::is_page_size`] takes.
    pub fn new(page_size_bytes: usize, cache_bytes: usize, isa: Isa) -> Option<Self> {
        let state = State {
            cache: PageCache::new(page_size_bytes, cache_bytes)?,
            delta_encoder: DeltaEncoder::new(page_size_bytes, isa),
            delta: vec![0; page_size_bytes - 1].into_boxed_slice(),
            staging: vec![0; page_size_bytes].into_boxed_slice(),
            statistics: EncoderStatistics::default(),
        };
        Some(Self {
            page_size_bytes,
            state: Arc::new(Mutex::new(Some(state))),
        })
    }

    pub fn page_size_bytes(&self) -> usize {
        self.page_size_bytes
    }

    /// Encodes one page into `into`; returns what is to be sent and how many bytes of it there are.
    ///
    /// # Safety
    /// A page at `current` is readable, a page at `into` writable. Others may write both meanwhile.
    pub unsafe fn encode_page(
        &self,
        page: u64,
        current: *const u8,
        into: *mut u8,
    ) -> Result<(Coded, usize), CapsuleError> {
        let mut state = self.lock()?;
        let state = state.as_mut().ok_or(CapsuleError::Closed)?;
        let mut staging = std::mem::take(&mut state.staging);
        // SAFETY: the caller vouches for the page at `current`.
        let (coded, length_bytes) = unsafe { state.encode(page, current, &mut staging) };
        // SAFETY: the caller vouches for a page at `into`, and nothing written is longer; a copy by raw pointers makes no
        // claim that others leave it alone.
        unsafe { std::ptr::copy(staging.as_ptr(), into, length_bytes) };
        state.staging = staging;
        Ok((coded, length_bytes))
    }

    pub fn statistics(&self) -> Result<EncoderStatistics, CapsuleError> {
        Ok(self.lock()?.as_ref().ok_or(CapsuleError::Closed)?.statistics)
    }

    /// Gives the cache's memory back; later calls end in [`CapsuleError::Closed`].
    pub fn close(&self) -> Result<(), CapsuleError> {
        self.lock()?.take();
        Ok(())
    }

    fn lock(&self) -> Result<MutexGuard<'_, Option<State>>, CapsuleError> {
        // Poisoned by a panic: the cache may not be what was sent.
        self.state.lock().map_err(|_| CapsuleError::Panic)
    }
}

impl State {
    /// Writes what is to be sent for a page to the beginning of `out`, which is a page long.
    ///
    /// # Safety
    /// A page at `current` is readable; a guest may write it meanwhile.
    unsafe fn encode(&mut self, page: u64, current: *const u8, out: &mut [u8]) -> (Coded, usize) {
        // The output is the snapshot: from here on nobody looks at the live page.
        // SAFETY: the caller vouches for a page at `current`; the copy by raw pointers makes no claim that a guest leaves
        // it alone, and takes overlapping memory too.
        unsafe { std::ptr::copy(current, out.as_mut_ptr(), out.len()) };
        let statistics = &mut self.statistics;
        let slot = match self.cache.look_up(page) {
            Lookup::Hit(slot) => slot,
            Lookup::Stored(slot) => {
                statistics.miss_pages += 1;
                self.cache.page_mut(slot).copy_from_slice(out);
                return (Coded::Raw, out.len());
            }
            Lookup::Refused => {
                statistics.miss_pages += 1;
                statistics.refused_pages += 1;
                return (Coded::Raw, out.len());
            }
        };
        statistics.hit_pages += 1;
        match self.delta_encoder.encode(self.cache.page(slot), out, &mut self.delta) {
            Encoded::Unchanged => {
                statistics.unchanged_pages += 1;
                (Coded::Unchanged, 0)
            }
            Encoded::Delta(delta_bytes) => {
                statistics.delta_pages += 1;
                statistics.delta_bytes += delta_bytes as u64;
                self.cache.page_mut(slot).copy_from_slice(out);
                out[..delta_bytes].copy_from_slice(&self.delta[..delta_bytes]);
                (Coded::Delta, delta_bytes)
            }
            Encoded::Overflow => {
                statistics.overflow_pages += 1;
                self.cache.page_mut(slot).copy_from_slice(out);
                (Coded::Raw, out.len())
            }
        }
    }
}

impl Codec for XbzrleEncoder {
    fn page_size_bytes(&self) -> u64 {
        self.page_size_bytes as u64
    }

    unsafe fn encode(
        &self,
        base: *const u8,
        pages: &[u64],
        out: &mut [u8],
        coded: &mut [CodedPage],
    ) -> Result<u64, CapsuleError> {
        let batch_bytes = pages.len().checked_mul(self.page_size_bytes);
        // Offsets have 32 bits.
        if batch_bytes.is_none_or(|bytes| bytes > u32::MAX as usize) {
            return Err(CapsuleError::OutOfRange);
        }
        if coded.len() < pages.len() || batch_bytes.is_none_or(|bytes| out.len() < bytes) {
            return Err(CapsuleError::TooSmall);
        }
        let mut state = self.lock()?;
        let state = state.as_mut().ok_or(CapsuleError::Closed)?;
        let mut used = 0;
        for (&page, coded) in pages.iter().zip(coded) {
            // SAFETY: the caller vouches that the page is readable.
            let (outcome, length_bytes) = unsafe {
                let current = base.add(page as usize * self.page_size_bytes);
                state.encode(page, current, &mut out[used..used + self.page_size_bytes])
            };
            *coded = CodedPage::new(page, outcome, used as u32, length_bytes as u32);
            used += length_bytes;
        }
        Ok(used as u64)
    }

    fn forget(&self, pages: &[u64]) -> Result<(), CapsuleError> {
        let mut state = self.lock()?;
        let cache = &mut state.as_mut().ok_or(CapsuleError::Closed)?.cache;
        for &page in pages {
            cache.forget(page);
        }
        Ok(())
    }
}
