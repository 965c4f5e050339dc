//! Frames for the guest that the card holds itself: those that travelled with its state or were forwarded later.

use crate::frame_ring::MAX_FRAME_BYTES;

/// The most bytes of frames (with their lengths) that a card holds or sends along, over all ports.
pub const BACKLOG_BYTES_MAX: usize = 512 * 1024;

pub(crate) const LENGTH_BYTES: usize = 4;

/// A bounded queue of frames in one flat buffer, so that restoring thousands of them in the blackout allocates once.
/// Encoded as it is stored: a little-endian `u32` length, then the frame, and so on.
pub(crate) struct FrameBacklog {
    bytes: Vec<u8>,
    /// Where the oldest frame begins in `bytes`.
    start: usize,
    bytes_max: usize,
}

impl FrameBacklog {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            bytes_max,
        }
    }

    /// What waits, encoded.
    pub fn encoded(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Whether any frame still fits.
    pub fn has_room(&self) -> bool {
        self.encoded().len() + LENGTH_BYTES + MAX_FRAME_BYTES <= self.bytes_max
    }

    /// Appends a frame; false when it does not fit.
    pub fn push(&mut self, frame: &[u8]) -> bool {
        if frame.is_empty()
            || frame.len() > MAX_FRAME_BYTES
            || self.encoded().len() + LENGTH_BYTES + frame.len() > self.bytes_max
        {
            return false;
        }
        if self.start > 0 && self.bytes.len() + LENGTH_BYTES + frame.len() > self.bytes.capacity() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(frame);
        true
    }

    /// The oldest frame.
    pub fn front(&self) -> Option<&[u8]> {
        first_frame(self.encoded())
    }

    /// Takes the oldest frame away.
    pub fn pop(&mut self) {
        if let Some(frame) = first_frame(self.encoded()) {
            self.start += LENGTH_BYTES + frame.len();
        }
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }
}

/// The first frame of an encoded sequence; none when the sequence is empty, or damaged at its begin.
pub(crate) fn first_frame(encoded: &[u8]) -> Option<&[u8]> {
    let (length, rest) = encoded.split_first_chunk::<LENGTH_BYTES>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || length > MAX_FRAME_BYTES {
        return None;
    }
    rest.get(..length)
}

/// Whether bytes from outside are a whole sequence of frames.
pub(crate) fn is_sequence(mut encoded: &[u8]) -> bool {
    while let Some(frame) = first_frame(encoded) {
        encoded = &encoded[LENGTH_BYTES + frame.len()..];
    }
    encoded.is_empty()
}
