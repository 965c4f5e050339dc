//! The outside world, one turn at a time: switch, generator and account between the cables of all hosts.

use std::mem::take;

use godwit_nic_sim::{Cable, MAX_FRAME_BYTES, NIC_PORT_COUNT, announcement_mac};

use crate::account::Account;
use crate::flow_account::Delivery;
use crate::generator::{FLOW_COUNT, GENERATOR_MACS, Generator};
use crate::switch::{Switch, is_group};
use crate::test_frame::Mac;

/// Frames taken from one ring in one turn: a host that never stops sending doesn't stop the world.
const DRAIN_MAX: usize = 8192;

/// Everything but the thread and the clock: given the same moments and frames it does the same.
pub struct World {
    cables: Vec<Cable>,
    guest_macs: [Mac; FLOW_COUNT],
    pub switch: Switch,
    pub generator: Generator,
    pub account: Account,
    /// Announcements that were read but not yet believed.
    announced: Vec<(Mac, usize)>,
    last_turn_ns: u64,
}

fn mac_at(frame: &[u8], at: usize) -> Option<Mac> {
    frame.get(at..at + 6)?.try_into().ok()
}

impl World {
    pub fn new(
        cables: Vec<Cable>,
        guest_macs: [Mac; FLOW_COUNT],
        generator: Generator,
        account: Account,
        now_ns: u64,
    ) -> Self {
        let (switch, announced) = (Switch::default(), Vec::new());
        Self {
            cables,
            guest_macs,
            switch,
            generator,
            account,
            announced,
            last_turn_ns: now_ns,
        }
    }

    /// The moment from which frames are due.
    pub fn begin_at(&mut self, now_ns: u64) {
        self.generator.restart(now_ns);
        self.last_turn_ns = now_ns;
    }

    /// One turn: takes in what the guests sent, then sends what is due. All of it is stamped with `now_ns`. True while
    /// more is due than one turn may send.
    pub fn turn(&mut self, now_ns: u64) -> bool {
        self.account.note_turn(now_ns.saturating_sub(self.last_turn_ns));
        self.last_turn_ns = now_ns;
        self.drain(now_ns);
        if !self.announced.is_empty() {
            // Before an announcement is believed, everything that the old host sent before it is taken in: such frames
            // are in its ring by now, and learned from later they would send the traffic back to where nobody is.
            let announced = take(&mut self.announced);
            self.drain(now_ns);
            for (mac, host) in announced {
                self.switch.learn(mac, host, now_ns);
            }
        }
        let mut more = false;
        for flow in 0..FLOW_COUNT {
            more |= self.send(flow, now_ns);
        }
        more
    }

    fn drain(&mut self, now_ns: u64) {
        let mut frame = [0; MAX_FRAME_BYTES];
        for host in 0..self.cables.len() {
            for port in 0..NIC_PORT_COUNT {
                for _ in 0..DRAIN_MAX {
                    let Some(length) = self.cables[host].from_guest(port).pop(&mut frame) else {
                        break;
                    };
                    self.take_in(&frame[..length], host, port, now_ns);
                }
            }
        }
    }

    fn take_in(&mut self, frame: &[u8], host: usize, port: usize, now_ns: u64) {
        let (Some(destination), Some(source)) = (mac_at(frame, 0), mac_at(frame, 6)) else {
            return;
        };
        if let Some(mac) = announcement_mac(frame) {
            // Not passed on: no RARP server lives here, and a guest that forwards blindly would send it round for ever.
            return self.announced.push((mac, host));
        }
        self.switch.learn(source, host, now_ns);
        if destination == GENERATOR_MACS[0] || destination == GENERATOR_MACS[1] {
            return self.account.arrived(frame, port, now_ns);
        }
        match self.switch.host_of(destination).filter(|_| !is_group(destination)) {
            // A switch never sends a frame back to where it came from.
            Some(target) if target == host => {}
            Some(target) => {
                self.put(target, port, frame);
            }
            None => {
                self.flood(Some(host), port, frame);
            }
        }
    }

    fn put(&mut self, host: usize, port: usize, frame: &[u8]) -> Delivery {
        let cable = &mut self.cables[host];
        if !cable.is_attached() || cable.is_damaged() {
            Delivery::NoLink
        } else if cable.to_guest(port).push(frame) {
            Delivery::Carried
        } else {
            Delivery::RingFull
        }
    }

    /// To every host but one; carried when any took it.
    fn flood(&mut self, except: Option<usize>, port: usize, frame: &[u8]) -> Delivery {
        let mut best = Delivery::NoLink;
        for host in (0..self.cables.len()).filter(|host| Some(*host) != except) {
            match self.put(host, port, frame) {
                Delivery::Carried => best = Delivery::Carried,
                Delivery::RingFull if best == Delivery::NoLink => best = Delivery::RingFull,
                Delivery::RingFull | Delivery::NoLink => {}
            }
        }
        best
    }

    /// Sends what is due in a flow: from the generator's port to the guest's port of the same number.
    fn send(&mut self, flow: usize, now_ns: u64) -> bool {
        let burst = self.generator.take(flow, now_ns);
        self.account.note_burst(burst);
        let destination = self.guest_macs[flow];
        for _ in 0..burst.frames {
            let frame = self
                .account
                .offer(flow, now_ns)
                .encode(destination, GENERATOR_MACS[flow]);
            let delivery = match self.switch.host_of(destination) {
                Some(host) => self.put(host, flow, &frame),
                None => self.flood(None, flow, &frame),
            };
            self.account.delivered(flow, delivery);
        }
        burst.left > 0
    }

    /// Which cables' other ends broke the rules.
    pub fn damaged_hosts(&self) -> Vec<usize> {
        (0..self.cables.len())
            .filter(|host| self.cables[*host].is_damaged())
            .collect()
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
