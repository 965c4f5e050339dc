//! The sender's half: deltas against what was sent last, for JavaScript and behind the capsule.

use std::sync::{Arc, Mutex, MutexGuard};

use godwit_ports::{CapsuleError, Codec, Coded, CodedPage};

use crate::cache::{Lookup, PageCache, SLOT_OVERHEAD_BYTES};
use crate::encode::{DeltaEncoder, Encoded};
use crate::isa::Isa;
use crate::page_store::{ALIGNMENT_BYTES, PageStore};
use crate::poor_pages::{BackOff, POOR_PAGE_BYTES, PoorPages};
use crate::statistics::EncoderStatistics;

/// What an encoder is to be like.
#[derive(Debug, Clone, Copy)]
pub struct EncoderOptions {
    /// One that [`crate::format::is_page_size`] takes.
    pub page_size_bytes: usize,
    /// All that the cache takes.
    pub cache_bytes: usize,
    pub isa: Isa,
    /// A longer delta is an overflow: at most a byte less than a page, as a delta that saves nothing is none.
    pub delta_bytes_max: usize,
    /// Where pages whose deltas do not pay are left alone for a while.
    pub back_off: Option<BackOff>,
}

impl EncoderOptions {
    /// The usual ones.
    pub fn new(page_size_bytes: usize, cache_bytes: usize, isa: Isa) -> Self {
        Self {
            page_size_bytes,
            cache_bytes,
            isa,
            delta_bytes_max: page_size_bytes - 1,
            back_off: None,
        }
    }

    /// How many pages a cache of so many bytes holds.
    pub fn slot_count_of(&self, cache_bytes: usize) -> usize {
        let poor_page_bytes = if self.back_off.is_some() { POOR_PAGE_BYTES } else { 0 };
        PageCache::slot_count_of(self.page_size_bytes, SLOT_OVERHEAD_BYTES + poor_page_bytes, cache_bytes)
    }
}

/// Encodes pages of one size against a cache of what was sent. Clones share the cache.
#[derive(Clone)]
pub struct XbzrleEncoder {
    options: EncoderOptions,
    /// `None` once it is closed.
    state: Arc<Mutex<Option<State>>>,
}

struct State {
    cache: PageCache,
    poor_pages: Option<PoorPages>,
    delta_encoder: DeltaEncoder,
    delta_bytes_max: usize,
    staging: Staging,
    statistics: EncoderStatistics,
}

/// A page for copies of those that cannot be encoded where they are.
struct Staging(PageStore);

impl Staging {
    /// Copies a page here; returns where it is now. A page that is here stays.
    ///
    /// # Safety
    /// A page at `current` is readable.
    unsafe fn take(&mut self, current: *const u8) -> *const u8 {
        let page = self.0.page_mut(0);
        if page.as_ptr() != current {
            // SAFETY: the caller vouches for the page; a copy by raw pointers makes no claim that a guest leaves it alone.
            unsafe { std::ptr::copy_nonoverlapping(current, page.as_mut_ptr(), page.len()) };
        }
        page.as_ptr()
    }
}

impl XbzrleEncoder {
    /// `None` where there is not enough memory, or the cache holds no page.
    pub fn new(options: EncoderOptions) -> Option<Self> {
        let slot_count = options.slot_count_of(options.cache_bytes);
        let state = State {
            cache: PageCache::new(options.page_size_bytes, slot_count)?,
            poor_pages: match options.back_off {
                Some(back_off) => Some(PoorPages::new(back_off, slot_count)?),
                None => None,
            },
            delta_encoder: DeltaEncoder::new(options.page_size_bytes, options.isa),
            delta_bytes_max: options.delta_bytes_max.min(options.page_size_bytes - 1),
            staging: Staging(PageStore::new(options.page_size_bytes, 1)?),
            statistics: EncoderStatistics::default(),
        };
        Some(Self {
            options,
            state: Arc::new(Mutex::new(Some(state))),
        })
    }

    pub fn page_size_bytes(&self) -> usize {
        self.options.page_size_bytes
    }

    /// Encodes one page into `into`; returns what is to be sent and how many bytes of it there are. All of the page at
    /// `into` may be overwritten.
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
        let length_bytes = self.options.page_size_bytes;
        let is_apart = current.addr() + length_bytes <= into.addr() || into.addr() + length_bytes <= current.addr();
        let mut current = current;
        if !is_apart {
            // SAFETY: the caller vouches for the page.
            current = unsafe { state.staging.take(current) };
        }
        // SAFETY: the caller vouches for both pages, which are apart now. Nothing is read back from the output, so that
        // whoever else writes it spoils nothing but that.
        Ok(unsafe {
            let into = std::slice::from_raw_parts_mut(into, length_bytes);
            state.encode(page, current, into)
        })
    }

    /// Gives the cache another size; the pages used last stay where they fit. Calls of other threads wait meanwhile. `None`
    /// where there is not enough memory for both caches, or the new one holds no page: it then stays as it is.
    pub fn resize(&self, cache_bytes: usize) -> Result<Option<()>, CapsuleError> {
        let slot_count = self.options.slot_count_of(cache_bytes);
        let mut state = self.lock()?;
        let state = state.as_mut().ok_or(CapsuleError::Closed)?;
        Ok(state.resize(self.options.page_size_bytes, slot_count))
    }

    pub fn statistics(&self) -> Result<EncoderStatistics, CapsuleError> {
        Ok(self.lock()?.as_ref().ok_or(CapsuleError::Closed)?.statistics)
    }

    /// What the cache takes, of what it may take, in bytes.
    pub fn cache_size_bytes(&self) -> Result<usize, CapsuleError> {
        let slot_count = self.lock()?.as_ref().ok_or(CapsuleError::Closed)?.cache.slot_count();
        let poor_page_bytes = if self.options.back_off.is_some() {
            POOR_PAGE_BYTES
        } else {
            0
        };
        Ok(slot_count * (self.options.page_size_bytes + SLOT_OVERHEAD_BYTES + poor_page_bytes))
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
    /// Writes what is to be sent for a page to the beginning of `out`, which is a page long. The page may be written
    /// meanwhile: each byte of it that matters is read once.
    ///
    /// # Safety
    /// A page at `current` is readable, and does not overlap the output.
    unsafe fn encode(&mut self, page: u64, current: *const u8, out: &mut [u8]) -> (Coded, usize) {
        if self.poor_pages.as_mut().is_some_and(|pages| pages.leaves_alone(page)) {
            self.statistics.skipped_pages += 1;
            // SAFETY: the caller vouches for the page; a copy by raw pointers makes no claim that a guest leaves it alone.
            unsafe { std::ptr::copy_nonoverlapping(current, out.as_mut_ptr(), out.len()) };
            return (Coded::Raw, out.len());
        }
        match self.cache.look_up(page) {
            // SAFETY: the caller vouches for the page.
            Lookup::Hit(slot) => unsafe { self.encode_hit(page, slot, current, out) },
            Lookup::Stored(slot) => {
                self.statistics.miss_pages += 1;
                // SAFETY: the caller vouches for the page, of which the cache takes the one snapshot.
                unsafe { self.snapshot(slot, current, out) };
                (Coded::Raw, out.len())
            }
            Lookup::Refused => {
                self.statistics.miss_pages += 1;
                self.statistics.refused_pages += 1;
                // SAFETY: as for a page that is left alone.
                unsafe { std::ptr::copy_nonoverlapping(current, out.as_mut_ptr(), out.len()) };
                (Coded::Raw, out.len())
            }
        }
    }

    /// # Safety
    /// As for [`State::encode`]; the page is in the slot.
    unsafe fn encode_hit(&mut self, page: u64, slot: usize, current: *const u8, out: &mut [u8]) -> (Coded, usize) {
        self.statistics.hit_pages += 1;
        let mut live = current;
        if !current.addr().is_multiple_of(ALIGNMENT_BYTES) {
            // SAFETY: the caller vouches for the page.
            live = unsafe { self.staging.take(current) };
        }
        let cached = self.cache.page_mut(slot);
        // SAFETY: the page is the caller's, or our aligned copy.
        let encoded = unsafe { self.delta_encoder.encode_live(cached, live, out, self.delta_bytes_max) };
        let (coded, delta_bytes) = match encoded {
            Encoded::Unchanged => {
                self.statistics.unchanged_pages += 1;
                ((Coded::Unchanged, 0), Some(0))
            }
            Encoded::Delta(delta_bytes) => {
                self.statistics.delta_pages += 1;
                self.statistics.delta_bytes += delta_bytes as u64;
                ((Coded::Delta, delta_bytes), Some(delta_bytes))
            }
            Encoded::Overflow => {
                self.statistics.overflow_pages += 1;
                // SAFETY: as above. The cached page became the new one in part: another snapshot is as good.
                unsafe { self.snapshot(slot, live, out) };
                ((Coded::Raw, out.len()), None)
            }
        };
        if let Some(pages) = &mut self.poor_pages
            && pages.learn(page, delta_bytes)
        {
            self.cache.forget(page);
        }
        coded
    }

    /// Copies a page to its slot and from there to the output.
    ///
    /// # Safety
    /// As for [`State::encode`].
    unsafe fn snapshot(&mut self, slot: usize, current: *const u8, out: &mut [u8]) {
        let cached = self.cache.page_mut(slot);
        // SAFETY: the caller vouches for the page, which is not in the cache; a copy by raw pointers makes no claim that a
        // guest leaves it alone.
        unsafe { std::ptr::copy_nonoverlapping(current, cached.as_mut_ptr(), cached.len()) };
        out.copy_from_slice(cached);
    }

    fn resize(&mut self, page_size_bytes: usize, slot_count: usize) -> Option<()> {
        // What is known of poor pages is not worth keeping: they are tried again.
        let poor_pages = match &self.poor_pages {
            Some(pages) => Some(PoorPages::new(pages.back_off(), slot_count)?),
            None => None,
        };
        self.cache = self.cache.resized(page_size_bytes, slot_count)?;
        self.poor_pages = poor_pages;
        Some(())
    }
}

impl Codec for XbzrleEncoder {
    fn page_size_bytes(&self) -> u64 {
        self.options.page_size_bytes as u64
    }

    unsafe fn encode(
        &self,
        base: *const u8,
        pages: &[u64],
        out: &mut [u8],
        coded: &mut [CodedPage],
    ) -> Result<u64, CapsuleError> {
        let page_size_bytes = self.options.page_size_bytes;
        let batch_bytes = pages.len().checked_mul(page_size_bytes);
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
                let current = base.add(page as usize * page_size_bytes);
                state.encode(page, current, &mut out[used..used + page_size_bytes])
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
