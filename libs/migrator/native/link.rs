use godwit_ports::{Capsule, CapsuleError, ChannelCounters, ChannelTable, Slice, SliceMut};

use crate::frame::{self, FrameHeader, FrameType, HEADER_BYTES};

/// Frames over a channel: counts them in both directions, checks what arrives.
pub struct Link {
    channel: Capsule<ChannelTable>,
    timeout_ms: u32,
    next_sent: u32,
    next_received: u32,
}

impl Link {
    /// The handshake went over the same connection before: `frames_sent` and `frames_received` of it are past.
    pub fn new(channel: Capsule<ChannelTable>, timeout_ms: u32, frames_sent: u32, frames_received: u32) -> Self {
        Self {
            channel,
            timeout_ms,
            next_sent: frames_sent,
            next_received: frames_received,
        }
    }

    pub fn counters(&self) -> ChannelCounters {
        self.channel.counters()
    }

    /// Sends one frame; raw pages leave straight from where they lie.
    pub fn send(&mut self, kind: FrameType, body: &[u8], raw: &[Slice<'_>]) -> Result<(), CapsuleError> {
        let raw_bytes: usize = raw.iter().map(Slice::len).sum();
        let header = frame::encode_header(kind, self.next_sent, body, raw_bytes);
        self.next_sent = self.next_sent.wrapping_add(1);
        let mut slices = Vec::with_capacity(2 + raw.len());
        slices.push(Slice::new(&header));
        if !body.is_empty() {
            slices.push(Slice::new(body));
        }
        slices.extend_from_slice(raw);
        self.channel.send(&slices, self.timeout_ms).map(drop)
    }

    /// Receives header and body of the next frame into `body`; its raw pages are still to come.
    pub fn receive(&mut self, body: &mut Vec<u8>) -> Result<FrameHeader, CapsuleError> {
        let mut bytes = [0; HEADER_BYTES];
        self.channel.receive(&[SliceMut::new(&mut bytes)], self.timeout_ms)?;
        let header = frame::decode_header(&bytes, self.next_received)?;
        self.next_received = self.next_received.wrapping_add(1);
        body.clear();
        body.resize(header.body_bytes, 0);
        if header.body_bytes > 0 {
            self.channel.receive(&[SliceMut::new(body)], self.timeout_ms)?;
        }
        frame::check_body(&bytes, &header, body)?;
        Ok(header)
    }

    /// Receives raw pages straight to where they belong.
    pub fn receive_raw(&mut self, slices: &[SliceMut<'_>]) -> Result<(), CapsuleError> {
        self.channel.receive(slices, self.timeout_ms).map(drop)
    }
}
