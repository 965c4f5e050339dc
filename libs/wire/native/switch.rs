//! A learning switch: which host a hardware address lives at.
//!
//! A guest's port 0 and port 1 are in two segments; what is learned holds for both (shared VLAN learning, IEEE 802.1Q),
//! because a host's two ports move together.

use crate::test_frame::Mac;

/// Addresses the table holds; the oldest makes room for a new one.
const ADDRESS_COUNT_MAX: usize = 64;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    pub mac: Mac,
    pub host: usize,
    /// Since when it is there.
    pub since_ns: u64,
}

/// The switch's table.
#[derive(Default)]
pub struct Switch {
    locations: Vec<Location>,
}

/// Whether an address means many (broadcast and multicast).
pub fn is_group(mac: Mac) -> bool {
    mac[0] & 1 != 0
}

impl Switch {
    /// Notes that a frame from this address came from this host.
    pub fn learn(&mut self, mac: Mac, host: usize, now_ns: u64) {
        if is_group(mac) {
            return;
        }
        if let Some(known) = self.locations.iter_mut().find(|known| known.mac == mac) {
            if known.host != host {
                *known = Location {
                    mac,
                    host,
                    since_ns: now_ns,
                };
            }
            return;
        }
        if self.locations.len() == ADDRESS_COUNT_MAX {
            self.locations.remove(0);
        }
        self.locations.push(Location {
            mac,
            host,
            since_ns: now_ns,
        });
    }

    /// The host where an address lives.
    pub fn host_of(&self, mac: Mac) -> Option<usize> {
        self.locations
            .iter()
            .find(|known| known.mac == mac)
            .map(|known| known.host)
    }

    /// The whole table.
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_moves_and_the_table_stays_bounded() {
        let mut switch = Switch::default();
        switch.learn([2, 0, 0, 0, 0, 1], 0, 10);
        switch.learn([2, 0, 0, 0, 0, 1], 0, 20);
        assert_eq!(
            switch.locations(),
            [Location {
                mac: [2, 0, 0, 0, 0, 1],
                host: 0,
                since_ns: 10
            }]
        );
        switch.learn([2, 0, 0, 0, 0, 1], 1, 30);
        assert_eq!(switch.host_of([2, 0, 0, 0, 0, 1]), Some(1));
        switch.learn([0xff; 6], 1, 40);
        assert_eq!(switch.host_of([0xff; 6]), None);
        for index in 0..200 {
            switch.learn([2, 1, 0, 0, 0, index], 0, 50);
        }
        assert_eq!(switch.locations().len(), ADDRESS_COUNT_MAX);
        assert_eq!(switch.host_of([2, 1, 0, 0, 0, 199]), Some(0));
    }
}
