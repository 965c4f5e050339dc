//! The card itself.

use crate::announcement::announcement_frame;
use crate::cable::{Cable, NIC_PORT_COUNT};
use crate::counters::PortCounters;
use crate::descriptor::DESCRIPTOR_BYTES;
use crate::descriptor_ring::DescriptorRing;
use crate::frame_backlog::{BACKLOG_BYTES_MAX, FrameBacklog};
use crate::frame_ring::MAX_FRAME_BYTES;
use crate::guest_dma::GuestDma;

/// Where the driver of one port has put its rings. Both sides of a migration must say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// The port's hardware address.
    pub mac: [u8; 6],
    /// Guest-physical address of the receive ring, a multiple of 16.
    pub rx_ring_address: u64,
    /// Guest-physical address of the transmit ring, a multiple of 16.
    pub tx_ring_address: u64,
    /// Entries of each ring, a power of two up to 32,768.
    pub entry_count: u32,
}

/// The card's fixed properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NicConfig {
    /// The two ports.
    pub ports: [PortConfig; NIC_PORT_COUNT],
    /// Bytes of every buffer; a frame may be as long, up to [`MAX_FRAME_BYTES`].
    pub buffer_bytes: usize,
}

pub(crate) struct Port {
    pub config: PortConfig,
    pub rx: DescriptorRing,
    pub tx: DescriptorRing,
    pub counters: PortCounters,
    pub backlog: FrameBacklog,
    /// The announcement found the cable full and is sent at the next poll.
    announcement_due: bool,
}

/// A network card with two ports whose descriptor rings are in guest memory. It has no thread: its owner polls it, and
/// stops polling before the last collection of dirty pages and before [`Nic::save`].
pub struct Nic {
    pub(crate) ports: [Port; NIC_PORT_COUNT],
    pub(crate) cable: Option<Cable>,
    frame_bytes_max: usize,
}

impl Nic {
    /// A card with empty rings. The link stays down until [`Nic::announce`] (or [`Nic::connect`]); without a cable it
    /// stays down for good.
    ///
    /// # Panics
    /// When an entry count is no power of two up to 32,768, a ring address is no multiple of 16 or overflows, or
    /// `buffer_bytes` is zero: mistakes of the host, not of the guest.
    pub fn new(config: NicConfig, cable: Option<Cable>) -> Self {
        assert!(config.buffer_bytes > 0, "buffers must have room");
        let port = |config: PortConfig| {
            assert!(
                config.entry_count.is_power_of_two() && config.entry_count <= 32_768,
                "a power of two"
            );
            let ring = |guest_physical: u64| {
                let bytes = u64::from(config.entry_count) * DESCRIPTOR_BYTES as u64;
                assert!(
                    guest_physical.is_multiple_of(DESCRIPTOR_BYTES as u64),
                    "rings are aligned to 16 bytes"
                );
                assert!(
                    guest_physical.checked_add(bytes).is_some(),
                    "a ring ends inside the address space"
                );
                DescriptorRing {
                    guest_physical,
                    entry_count: config.entry_count,
                    next: 0,
                }
            };
            Port {
                config,
                rx: ring(config.rx_ring_address),
                tx: ring(config.tx_ring_address),
                counters: PortCounters::default(),
                backlog: FrameBacklog::new(BACKLOG_BYTES_MAX / NIC_PORT_COUNT),
                announcement_due: false,
            }
        };
        Self {
            ports: config.ports.map(port),
            cable,
            frame_bytes_max: config.buffer_bytes.min(MAX_FRAME_BYTES),
        }
    }

    /// What a port has counted since the guest was made, on whatever host.
    ///
    /// # Panics
    /// When there is no such port.
    pub fn counters(&self, port: usize) -> PortCounters {
        self.ports[port].counters
    }

    /// Whether this card's link is up.
    pub fn is_connected(&self) -> bool {
        self.cable.as_ref().is_some_and(Cable::is_attached_here)
    }

    /// Whether the other end broke the rules of the cable, which is dead since.
    pub fn is_cable_damaged(&self) -> bool {
        self.cable.as_ref().is_some_and(Cable::is_damaged)
    }

    /// Plugs the card in, when it is not: frames that were left in the cable from before are thrown away.
    pub fn connect(&mut self) {
        if let Some(cable) = self.cable.as_mut() {
            cable.attach();
        }
    }

    /// Pulls the card out: for a source whose guest has gone, after the last [`Nic::drain_late`]. Dropping the card does
    /// the same.
    pub fn disconnect(&mut self) {
        if let Some(cable) = self.cable.as_mut() {
            cable.detach();
        }
    }

    /// Plugs the card in and sends a RARP announcement from every port, so that the switch sends its frames here. One
    /// that finds the cable full is sent by a later poll. To be called whenever the guest begins to run
    /// here, also when it goes on at its source after a migration that failed.
    pub fn announce(&mut self) {
        self.connect();
        for index in 0..NIC_PORT_COUNT {
            self.ports[index].announcement_due = true;
            self.send_due_announcement(index);
        }
    }

    fn send_due_announcement(&mut self, index: usize) {
        let port = &mut self.ports[index];
        if let Some(cable) = self.cable.as_mut().filter(|_| port.announcement_due) {
            let ring = cable.from_guest(index);
            port.announcement_due = !ring.push(&announcement_frame(port.config.mac)) && !ring.is_damaged();
        }
    }

    /// Moves at most `burst` frames in each direction of each port: from the guest to the cable, and to the guest first
    /// from the backlog, then from the cable. Gives the frames moved. A descriptor with an address outside the guest's
    /// memory or an impossible length is counted and given back. Where the cable is full a frame waits in its ring.
    pub fn poll<M: GuestDma + ?Sized>(&mut self, memory: &M, burst: usize) -> usize {
        let connected = self.is_connected();
        let mut moved = 0;
        for index in 0..NIC_PORT_COUNT {
            if connected {
                self.send_due_announcement(index);
            }
            moved += self.transmit(index, memory, burst, connected) + self.receive(index, memory, burst, connected);
        }
        moved
    }

    fn transmit<M: GuestDma + ?Sized>(&mut self, index: usize, memory: &M, burst: usize, connected: bool) -> usize {
        let Port { tx, counters, .. } = &mut self.ports[index];
        let Some(mut ring) = tx.open(memory) else {
            counters.descriptor_errors += 1;
            return 0;
        };
        let mut cable = self.cable.as_mut().filter(|_| connected);
        let mut moved = 0;
        for _ in 0..burst {
            let Some((address, length)) = ring.next() else { break };
            let frame = memory
                .at(address, length)
                .filter(|_| length > 0 && length <= self.frame_bytes_max);
            match (frame, cable.as_mut().map(|cable| cable.from_guest(index))) {
                (None, _) => counters.descriptor_errors += 1,
                (Some(frame), Some(target)) if !target.is_damaged() => {
                    // SAFETY: `at` gave `length` readable bytes of guest memory, which is not the cable's; the guest
                    // may write them meanwhile and tears only its own frame.
                    if !unsafe { target.push_from(frame, length) } {
                        break;
                    }
                    counters.sent_frames += 1;
                    moved += 1;
                }
                (Some(_), _) => counters.send_dropped_frames += 1,
            }
            ring.give_back(None);
        }
        moved
    }

    fn receive<M: GuestDma + ?Sized>(&mut self, index: usize, memory: &M, burst: usize, connected: bool) -> usize {
        let Port {
            rx, counters, backlog, ..
        } = &mut self.ports[index];
        let Some(mut ring) = rx.open(memory) else {
            counters.descriptor_errors += 1;
            return 0;
        };
        let mut cable = self.cable.as_mut().filter(|_| connected);
        let mut from_cable = [0; MAX_FRAME_BYTES];
        let mut moved = 0;
        for _ in 0..burst {
            let Some((address, _)) = ring.next() else { break };
            // Before a frame is taken: a bad buffer costs the guest that buffer, not the frame.
            if memory.at(address, self.frame_bytes_max).is_none() {
                counters.descriptor_errors += 1;
                ring.give_back(Some(0));
                continue;
            }
            let in_backlog = backlog.front();
            let frame = match (in_backlog, cable.as_mut()) {
                (Some(frame), _) => frame,
                (None, Some(cable)) => match cable.to_guest(index).pop(&mut from_cable) {
                    Some(length) => &from_cable[..length],
                    None => break,
                },
                (None, None) => break,
            };
            let from_backlog = in_backlog.is_some();
            match memory
                .at(address, frame.len())
                .filter(|_| frame.len() <= self.frame_bytes_max)
            {
                Some(buffer) => {
                    // SAFETY: `at` gave room for the frame in guest memory; the frame is in private memory.
                    unsafe { std::ptr::copy_nonoverlapping(frame.as_ptr(), buffer, frame.len()) };
                    memory.mark_dirty(address, frame.len());
                    counters.received_frames += 1;
                    moved += 1;
                    ring.give_back(Some(frame.len()));
                }
                // Longer than the guest's buffers: nobody can take it.
                None => counters.backlog_dropped_frames += 1,
            }
            if from_backlog {
                backlog.pop();
            }
        }
        moved
    }
}

#[cfg(test)]
#[path = "device_tests.rs"]
pub(crate) mod tests;
