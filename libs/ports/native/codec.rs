use std::ffi::c_void;

use crate::abi::{CODED_DELTA, CODED_RAW, CODED_UNCHANGED};
use crate::capsule::{check, guard};
use crate::{Capsule, CapsuleError, CodecTable};

/// What an encoder made of one page; the layout is `godwit_coded_page`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodedPage {
    pub page: u64,
    /// In the batch's buffer.
    pub offset_bytes: u32,
    pub length_bytes: u32,
    outcome: u32,
    reserved: u32,
}

/// What is to be sent for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coded {
    /// It equals what was sent last: nothing.
    Unchanged,
    /// A delta against what was sent last.
    Delta,
    /// A private copy of the page, as it is.
    Raw,
}

impl CodedPage {
    pub fn new(page: u64, outcome: Coded, offset_bytes: u32, length_bytes: u32) -> Self {
        let outcome = match outcome {
            Coded::Unchanged => CODED_UNCHANGED,
            Coded::Delta => CODED_DELTA,
            Coded::Raw => CODED_RAW,
        };
        Self {
            page,
            offset_bytes,
            length_bytes,
            outcome,
            reserved: 0,
        }
    }

    /// `None` for a number that is no outcome.
    pub fn outcome(&self) -> Option<Coded> {
        match self.outcome {
            CODED_UNCHANGED => Some(Coded::Unchanged),
            CODED_DELTA => Some(Coded::Delta),
            CODED_RAW => Some(Coded::Raw),
            _ => None,
        }
    }

    /// The bytes of this page in the batch's buffer; `None` if it points outside.
    pub fn bytes<'a>(&self, buffer: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.offset_bytes as usize;
        buffer.get(start..start.checked_add(self.length_bytes as usize)?)
    }
}

/// Deltas against what was last sent, for one direction of one migration. An encoder implements `encode` and `forget`,
/// a decoder `decode`. Calls come from one thread at a time.
pub trait Codec: Send + Sync {
    fn page_size_bytes(&self) -> u64;

    /// Encodes `pages` into `out` (at least `pages.len()` pages long); fills `coded[i]` for `pages[i]`. The guest may
    /// write meanwhile: work on a private snapshot and remember exactly that. Returns the bytes used in `out`.
    ///
    /// # Safety
    /// Every named page of the memory at `base` is readable.
    unsafe fn encode(
        &self,
        _base: *const u8,
        _pages: &[u64],
        _out: &mut [u8],
        _coded: &mut [CodedPage],
    ) -> Result<u64, CapsuleError> {
        Err(CapsuleError::Unsupported)
    }

    /// The receiver holds something else than this encoder remembers of these pages.
    fn forget(&self, _pages: &[u64]) -> Result<(), CapsuleError> {
        Err(CapsuleError::Unsupported)
    }

    /// Applies deltas to pages of the memory at `base`; on `Malformed` the damaged page and those behind it are
    /// untouched.
    ///
    /// # Safety
    /// Every named page of the memory at `base` is readable and writable and written by nobody else.
    unsafe fn decode(&self, _base: *mut u8, _coded: &[CodedPage], _input: &[u8]) -> Result<(), CapsuleError> {
        Err(CapsuleError::Unsupported)
    }
}

type Implementation = dyn Codec;

impl Capsule<CodecTable> {
    /// Offers an encoder or a decoder to other packages.
    pub fn export(codec: impl Codec + 'static) -> Self {
        let codec: Box<Implementation> = Box::new(codec);
        Self::new(codec, |header, codec| CodecTable {
            header,
            page_size_bytes: codec.page_size_bytes(),
            encode: Some(encode),
            forget: Some(forget),
            decode: Some(decode),
        })
    }

    pub fn page_size_bytes(&self) -> u64 {
        self.table().page_size_bytes
    }

    /// See [`Codec::encode`].
    ///
    /// # Safety
    /// Every named page of the memory at `base` is readable.
    pub unsafe fn encode(
        &self,
        base: *const u8,
        pages: &[u64],
        out: &mut [u8],
        coded: &mut [CodedPage],
    ) -> Result<u64, CapsuleError> {
        let needed = (pages.len() as u64).saturating_mul(self.page_size_bytes());
        if coded.len() < pages.len() || (out.len() as u64) < needed {
            return Err(CapsuleError::TooSmall);
        }
        let encode = self.table().encode.ok_or(CapsuleError::Unsupported)?;
        // SAFETY: the table is live; the arrays are as long as said; the caller vouches for the pages.
        check(unsafe {
            encode(
                self.context(),
                base,
                pages.as_ptr(),
                pages.len() as u64,
                out.as_mut_ptr(),
                out.len() as u64,
                coded.as_mut_ptr(),
            )
        })
    }

    /// See [`Codec::forget`].
    pub fn forget(&self, pages: &[u64]) -> Result<(), CapsuleError> {
        let forget = self.table().forget.ok_or(CapsuleError::Unsupported)?;
        // SAFETY: the table is live; the array is as long as said.
        check(i64::from(unsafe {
            forget(self.context(), pages.as_ptr(), pages.len() as u64)
        }))
        .map(drop)
    }

    /// See [`Codec::decode`].
    ///
    /// # Safety
    /// Every named page of the memory at `base` is readable and writable and written by nobody else.
    pub unsafe fn decode(&self, base: *mut u8, coded: &[CodedPage], input: &[u8]) -> Result<(), CapsuleError> {
        let decode = self.table().decode.ok_or(CapsuleError::Unsupported)?;
        // SAFETY: the table is live; the arrays are as long as said; the caller vouches for the pages.
        let code = unsafe {
            decode(
                self.context(),
                base,
                coded.as_ptr(),
                coded.len() as u64,
                input.as_ptr(),
                input.len() as u64,
            )
        };
        check(i64::from(code)).map(drop)
    }
}

unsafe extern "C" fn encode(
    context: *mut c_void,
    base: *const u8,
    pages: *const u64,
    page_count: u64,
    out: *mut u8,
    out_capacity_bytes: u64,
    coded: *mut CodedPage,
) -> i64 {
    // SAFETY: called through a live codec table, so context is ours; the caller vouches for the pages and that the
    // arrays are as long as it says.
    unsafe {
        guard::<CodecTable, Implementation>(context, |codec| {
            if page_count.saturating_mul(codec.page_size_bytes()) > out_capacity_bytes {
                return Err(CapsuleError::TooSmall);
            }
            let pages = std::slice::from_raw_parts(pages, page_count as usize);
            let out = std::slice::from_raw_parts_mut(out, out_capacity_bytes as usize);
            let coded = std::slice::from_raw_parts_mut(coded, page_count as usize);
            codec.encode(base, pages, out, coded).map(|used| used as i64)
        })
    }
}

unsafe extern "C" fn forget(context: *mut c_void, pages: *const u64, page_count: u64) -> i32 {
    // SAFETY: called through a live codec table, so context is ours; the caller's array is as long as it says.
    unsafe {
        guard::<CodecTable, Implementation>(context, |codec| {
            codec
                .forget(std::slice::from_raw_parts(pages, page_count as usize))
                .map(|()| 0)
        }) as i32
    }
}

unsafe extern "C" fn decode(
    context: *mut c_void,
    base: *mut u8,
    coded: *const CodedPage,
    page_count: u64,
    input: *const u8,
    input_length_bytes: u64,
) -> i32 {
    // SAFETY: called through a live codec table, so context is ours; the caller vouches for the pages and that the
    // arrays are as long as it says.
    unsafe {
        guard::<CodecTable, Implementation>(context, |codec| {
            let coded = std::slice::from_raw_parts(coded, page_count as usize);
            let input = std::slice::from_raw_parts(input, input_length_bytes as usize);
            codec.decode(base, coded, input).map(|()| 0)
        }) as i32
    }
}
