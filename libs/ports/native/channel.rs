use std::ffi::c_void;
use std::marker::PhantomData;

use crate::capsule::{check, guard};
use crate::{Capsule, CapsuleError, ChannelTable};

/// Bytes to send; the layout is `godwit_slice`. They may be guest memory that changes while it is read.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    bytes: *const u8,
    length_bytes: u64,
    lifetime: PhantomData<&'a [u8]>,
}

impl<'a> Slice<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.as_ptr(),
            length_bytes: bytes.len() as u64,
            lifetime: PhantomData,
        }
    }

    /// # Safety
    /// The bytes stay readable for `'a`.
    pub unsafe fn from_raw(bytes: *const u8, length_bytes: usize) -> Self {
        Self {
            bytes,
            length_bytes: length_bytes as u64,
            lifetime: PhantomData,
        }
    }

    pub fn as_ptr(&self) -> *const u8 {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.length_bytes as usize
    }

    pub fn is_empty(&self) -> bool {
        self.length_bytes == 0
    }
}

/// Room to receive into; the layout is `godwit_slice`.
#[repr(C)]
#[derive(Debug)]
pub struct SliceMut<'a> {
    bytes: *mut u8,
    length_bytes: u64,
    lifetime: PhantomData<&'a mut [u8]>,
}

impl<'a> SliceMut<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self {
            bytes: bytes.as_mut_ptr(),
            length_bytes: bytes.len() as u64,
            lifetime: PhantomData,
        }
    }

    /// # Safety
    /// The bytes stay writable for `'a` and are written by nobody else.
    pub unsafe fn from_raw(bytes: *mut u8, length_bytes: usize) -> Self {
        Self {
            bytes,
            length_bytes: length_bytes as u64,
            lifetime: PhantomData,
        }
    }

    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.length_bytes as usize
    }

    pub fn is_empty(&self) -> bool {
        self.length_bytes == 0
    }
}

/// What went over a channel so far, counted at the socket (or what stands for one).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChannelCounters {
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub send_calls: u64,
    pub receive_calls: u64,
}

/// A reliable, ordered stream of bytes: one sender and one receiver at a time, those two concurrently.
pub trait Channel: Send + Sync {
    /// Sends all bytes of all slices in order. `Timeout` when nothing moved for `timeout_ms`.
    fn send(&self, slices: &[Slice<'_>], timeout_ms: u32) -> Result<u64, CapsuleError>;
    /// Fills all slices completely, in order. `Timeout` when nothing moved for `timeout_ms`.
    fn receive(&self, slices: &[SliceMut<'_>], timeout_ms: u32) -> Result<u64, CapsuleError>;
    /// Ends calls in progress and all later ones with `Interrupted`.
    fn interrupt(&self);
    fn counters(&self) -> ChannelCounters;
}

type Implementation = dyn Channel;

impl Capsule<ChannelTable> {
    /// Offers a channel to other packages.
    pub fn export(channel: impl Channel + 'static) -> Self {
        let channel: Box<Implementation> = Box::new(channel);
        Self::new(channel, |header, _| ChannelTable {
            header,
            send,
            receive,
            interrupt,
            counters,
        })
    }

    /// See [`Channel::send`].
    pub fn send(&self, slices: &[Slice<'_>], timeout_ms: u32) -> Result<u64, CapsuleError> {
        // SAFETY: the table is live; the slices are readable for the call.
        check(unsafe { (self.table().send)(self.context(), slices.as_ptr().cast(), slices.len() as u64, timeout_ms) })
    }

    /// See [`Channel::receive`].
    pub fn receive(&self, slices: &[SliceMut<'_>], timeout_ms: u32) -> Result<u64, CapsuleError> {
        // SAFETY: the table is live; the slices are writable for the call.
        check(unsafe {
            (self.table().receive)(self.context(), slices.as_ptr().cast(), slices.len() as u64, timeout_ms)
        })
    }

    /// Ends calls in progress and all later ones with `Interrupted`.
    pub fn interrupt(&self) {
        // SAFETY: the table is live.
        let _ = unsafe { (self.table().interrupt)(self.context()) };
    }

    pub fn counters(&self) -> ChannelCounters {
        let mut counters = ChannelCounters::default();
        // SAFETY: the table is live; the counters are ours.
        let _ = unsafe { (self.table().counters)(self.context(), &mut counters) };
        counters
    }
}

unsafe extern "C" fn send(context: *mut c_void, slices: *const Slice<'_>, count: u64, timeout_ms: u32) -> i64 {
    // SAFETY: called through a live channel table, so context is ours; the caller's slices are readable for the call.
    unsafe {
        guard::<ChannelTable, Implementation>(context, |channel| {
            channel
                .send(std::slice::from_raw_parts(slices, count as usize), timeout_ms)
                .map(|bytes| bytes as i64)
        })
    }
}

unsafe extern "C" fn receive(context: *mut c_void, slices: *const SliceMut<'_>, count: u64, timeout_ms: u32) -> i64 {
    // SAFETY: called through a live channel table, so context is ours; the caller's slices are writable for the call.
    unsafe {
        guard::<ChannelTable, Implementation>(context, |channel| {
            channel
                .receive(std::slice::from_raw_parts(slices, count as usize), timeout_ms)
                .map(|bytes| bytes as i64)
        })
    }
}

unsafe extern "C" fn interrupt(context: *mut c_void) -> i32 {
    // SAFETY: called through a live channel table, so context is ours.
    unsafe {
        guard::<ChannelTable, Implementation>(context, |channel| {
            channel.interrupt();
            Ok(0)
        }) as i32
    }
}

unsafe extern "C" fn counters(context: *mut c_void, counters: *mut ChannelCounters) -> i32 {
    // SAFETY: called through a live channel table, so context is ours; the caller's struct is writable.
    unsafe {
        guard::<ChannelTable, Implementation>(context, |channel| {
            counters.write(channel.counters());
            Ok(0)
        }) as i32
    }
}
