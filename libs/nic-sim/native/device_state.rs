//! The card's state as it travels, and the frames that follow it.
//!
//! All numbers are little-endian. State: magic `GWNS`, `u16` version, `u16` port count; for each port: hardware address
//! (6 bytes), `u16` zero, `u64` receive ring, `u64` transmit ring, `u32` entries, `u32` next receive entry, `u32` next
//! transmit entry, five `u64` counters; then frames. Frames (also alone, when they are forwarded later): magic `GWNF`,
//! then for each port a `u32` of bytes and so many bytes of records, each a `u32` length and the frame.

use std::fmt;

use crate::cable::NIC_PORT_COUNT;
use crate::counters::{COUNTER_COUNT, PortCounters};
use crate::device::Nic;
use crate::frame_backlog::{BACKLOG_BYTES_MAX, FrameBacklog, LENGTH_BYTES, first_frame, is_sequence};
use crate::frame_ring::MAX_FRAME_BYTES;

const STATE_MAGIC: [u8; 4] = *b"GWNS";
const FRAMES_MAGIC: [u8; 4] = *b"GWNF";
const VERSION: u16 = 1;
const PORT_BYTES: usize = 8 + 16 + 12 + 8 * COUNTER_COUNT;
const FRAMES_BYTES_MAX: usize = 4 + NIC_PORT_COUNT * 4 + BACKLOG_BYTES_MAX;

/// Why a state or a block of frames was refused; the card is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// It does not begin like one, or has another version.
    Unknown,
    /// It ends too early, has bytes left, or a length or position that cannot be.
    Malformed,
    /// It belongs to a card with other ports, addresses or rings.
    OtherCard,
}

impl fmt::Display for StateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unknown => "not the state of a network card, or of another version",
            Self::Malformed => "the state of the network card is damaged",
            Self::OtherCard => "the state belongs to a network card with other ports or rings",
        })
    }
}

impl std::error::Error for StateError {}

/// Takes numbers from the front of bytes from outside.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(StateError::Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], StateError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(StateError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, StateError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, StateError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, StateError> {
        self.array().map(u64::from_le_bytes)
    }
}

fn read_frames<'a>(reader: &mut Reader<'a>) -> Result<[&'a [u8]; NIC_PORT_COUNT], StateError> {
    if reader.array()? != FRAMES_MAGIC {
        return Err(StateError::Unknown);
    }
    let mut frames: [&[u8]; NIC_PORT_COUNT] = [&[]; NIC_PORT_COUNT];
    for encoded in &mut frames {
        let length = reader.u32()? as usize;
        *encoded = reader.bytes(length)?;
        if length > BACKLOG_BYTES_MAX / NIC_PORT_COUNT || !is_sequence(encoded) {
            return Err(StateError::Malformed);
        }
    }
    if reader.0.is_empty() {
        Ok(frames)
    } else {
        Err(StateError::Malformed)
    }
}

fn write_frames(frames: [&[u8]; NIC_PORT_COUNT], out: &mut Vec<u8>) {
    out.extend_from_slice(&FRAMES_MAGIC);
    for encoded in frames {
        out.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
        out.extend_from_slice(encoded);
    }
}

/// Appends frames to a backlog and gives how many found no room.
fn append(backlog: &mut FrameBacklog, mut encoded: &[u8]) -> u64 {
    let mut dropped = 0;
    while let Some(frame) = first_frame(encoded) {
        dropped += u64::from(!backlog.push(frame));
        encoded = &encoded[LENGTH_BYTES + frame.len()..];
    }
    dropped
}

impl Nic {
    /// The most bytes that [`Nic::save`] or [`Nic::drain_late`] append.
    pub const fn state_bytes_max() -> usize {
        8 + NIC_PORT_COUNT * PORT_BYTES + FRAMES_BYTES_MAX
    }

    /// Appends the card's state to `out`: ring positions, counters, and every frame that waits for the guest. Those in
    /// the cable are taken into the card first, and stay in it: a card that is polled again goes on with them, so a
    /// migration that fails loses none. What is beyond the bound stays in the cable, for [`Nic::drain_late`].
    pub fn save(&mut self, out: &mut Vec<u8>) {
        let connected = self.is_connected();
        let mut frame = [0; MAX_FRAME_BYTES];
        for (index, port) in self.ports.iter_mut().enumerate() {
            if let Some(cable) = self.cable.as_mut().filter(|_| connected) {
                let ring = cable.to_guest(index);
                while port.backlog.has_room()
                    && let Some(length) = ring.pop(&mut frame)
                {
                    port.backlog.push(&frame[..length]);
                }
            }
        }
        let waiting: usize = self.ports.iter().map(|port| port.backlog.encoded().len()).sum();
        out.reserve(Self::state_bytes_max() - BACKLOG_BYTES_MAX + waiting);
        out.extend_from_slice(&STATE_MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(NIC_PORT_COUNT as u16).to_le_bytes());
        for port in &self.ports {
            out.extend_from_slice(&port.config.mac);
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&port.config.rx_ring_address.to_le_bytes());
            out.extend_from_slice(&port.config.tx_ring_address.to_le_bytes());
            for number in [port.config.entry_count, port.rx.next, port.tx.next] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            for counter in port.counters.to_array() {
                out.extend_from_slice(&counter.to_le_bytes());
            }
        }
        write_frames(self.ports.each_ref().map(|port| port.backlog.encoded()), out);
    }

    /// Takes over a state that [`Nic::save`] made on a card with the same configuration. The frames in it reach the
    /// guest before any newer one from the cable.
    ///
    /// # Errors
    /// [`StateError`]; the card is then unchanged.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut reader = Reader(bytes);
        if reader.array()? != STATE_MAGIC || reader.u16()? != VERSION {
            return Err(StateError::Unknown);
        }
        if usize::from(reader.u16()?) != NIC_PORT_COUNT {
            return Err(StateError::OtherCard);
        }
        let mut loaded = [(0, 0, PortCounters::default()); NIC_PORT_COUNT];
        for (port, (rx_next, tx_next, counters)) in self.ports.iter().zip(&mut loaded) {
            let same = reader.array()? == port.config.mac
                && reader.u16()? == 0
                && reader.u64()? == port.config.rx_ring_address
                && reader.u64()? == port.config.tx_ring_address
                && reader.u32()? == port.config.entry_count;
            if !same {
                return Err(StateError::OtherCard);
            }
            (*rx_next, *tx_next) = (reader.u32()?, reader.u32()?);
            if *rx_next >= port.config.entry_count || *tx_next >= port.config.entry_count {
                return Err(StateError::Malformed);
            }
            let mut values = [0; COUNTER_COUNT];
            for value in &mut values {
                *value = reader.u64()?;
            }
            *counters = PortCounters::from_array(values);
        }
        let frames = read_frames(&mut reader)?;
        for ((port, (rx_next, tx_next, counters)), encoded) in self.ports.iter_mut().zip(loaded).zip(frames) {
            port.rx.next = rx_next;
            port.tx.next = tx_next;
            port.counters = counters;
            port.backlog = FrameBacklog::new(BACKLOG_BYTES_MAX / NIC_PORT_COUNT);
            append(&mut port.backlog, encoded);
        }
        Ok(())
    }

    /// Takes the frames that reached this card's cable after [`Nic::save`] and appends them to `out`, for
    /// [`Nic::inject`] at the new host. Gives how many; when it is zero, nothing was appended.
    pub fn drain_late(&mut self, out: &mut Vec<u8>) -> usize {
        if !self.is_connected() {
            return 0;
        }
        let mut frame = [0; MAX_FRAME_BYTES];
        let mut count = 0;
        let mut late = [const { Vec::new() }; NIC_PORT_COUNT];
        if let Some(cable) = self.cable.as_mut() {
            for (index, encoded) in late.iter_mut().enumerate() {
                let mut backlog = FrameBacklog::new(BACKLOG_BYTES_MAX / NIC_PORT_COUNT);
                while backlog.has_room()
                    && let Some(length) = cable.to_guest(index).pop(&mut frame)
                {
                    backlog.push(&frame[..length]);
                    count += 1;
                }
                encoded.extend_from_slice(backlog.encoded());
            }
        }
        if count > 0 {
            write_frames(late.each_ref().map(Vec::as_slice), out);
        }
        count
    }

    /// Queues frames that [`Nic::drain_late`] took at the old host: they reach the guest before newer ones from the
    /// cable. Gives how many frames found no room; they are counted.
    ///
    /// # Errors
    /// [`StateError`]; then none was queued.
    pub fn inject(&mut self, bytes: &[u8]) -> Result<u64, StateError> {
        let frames = read_frames(&mut Reader(bytes))?;
        let mut dropped_in_all = 0;
        for (port, encoded) in self.ports.iter_mut().zip(frames) {
            let dropped = append(&mut port.backlog, encoded);
            port.counters.backlog_dropped_frames += dropped;
            dropped_in_all += dropped;
        }
        Ok(dropped_in_all)
    }
}

#[cfg(test)]
#[path = "device_state_tests.rs"]
mod tests;
