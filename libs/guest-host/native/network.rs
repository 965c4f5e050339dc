//! The network card of a guest, and the polling of it. The card has no thread: the first processor polls it whenever its
//! program rings the doorbell, and waits there while nothing comes in. The polling is adaptive: short sleeps while
//! frames keep coming, longer ones when none came for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use godwit_guest_programs::layout::{rx_ring_address, tx_ring_address};
use godwit_guest_programs::nic_layout::{FRAME_BYTES_MAX, PORT_COUNT, RING_ENTRY_COUNT};
use godwit_nic_sim::{Cable, Nic, NicConfig, PortConfig};

use crate::gate::Gate;
use crate::guest_memory::GuestMemory;

/// Frames moved at once in each direction of each port.
const BURST: usize = 512;
/// The processor returns to its program after so long, even if nothing came.
const RETURN_AFTER: Duration = Duration::from_micros(1000);
/// Nothing came for so long: sleep longer.
const QUIET_AFTER: Duration = Duration::from_millis(20);
/// Sleeps are longer by this factor then.
const QUIET_FACTOR: u32 = 4;

/// A card and how it is polled.
pub struct Network {
    nic: Mutex<Nic>,
    idle_poll: Duration,
}

/// When the polling processor last saw a frame.
pub struct Activity {
    last_frame: Instant,
}

impl Default for Activity {
    /// Begins as if a frame had just come.
    fn default() -> Self {
        Self {
            last_frame: Instant::now(),
        }
    }
}

impl Network {
    /// A card with the rings where the programs have them.
    pub fn new(macs: [[u8; 6]; PORT_COUNT], cable: Option<Cable>, idle_poll: Duration) -> Self {
        let port = |index: usize| PortConfig {
            mac: macs[index],
            rx_ring_address: rx_ring_address(index),
            tx_ring_address: tx_ring_address(index),
            entry_count: RING_ENTRY_COUNT,
        };
        let config = NicConfig {
            ports: std::array::from_fn(port),
            buffer_bytes: FRAME_BYTES_MAX as usize,
        };
        Self {
            nic: Mutex::new(Nic::new(config, cable)),
            idle_poll,
        }
    }

    /// The card; held only for short.
    pub fn nic(&self) -> MutexGuard<'_, Nic> {
        // What a panicking poll left behind is a card whose counters may be behind; its rings are the guest's problem.
        self.nic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One doorbell: sends what the guest has queued, and returns when something came in, when the guest shall stop, or
    /// after a bounded wait.
    pub fn serve(&self, memory: &dyn GuestMemory, gate: &Gate, activity: &mut Activity) {
        let began = Instant::now();
        let mut now = began;
        loop {
            if self.poll_once(memory) {
                activity.last_frame = now;
                return;
            }
            if gate.stopping() || now - began >= RETURN_AFTER {
                return;
            }
            let quiet = now - activity.last_frame > QUIET_AFTER;
            gate.sleep(if quiet {
                self.idle_poll * QUIET_FACTOR
            } else {
                self.idle_poll
            });
            now = Instant::now();
        }
    }

    /// Moves frames; whether any came in.
    fn poll_once(&self, memory: &dyn GuestMemory) -> bool {
        let mut nic = self.nic();
        let received = |nic: &Nic| {
            (0..PORT_COUNT)
                .map(|port| nic.counters(port).received_frames)
                .sum::<u64>()
        };
        let before = received(&nic);
        nic.poll(memory, BURST);
        received(&nic) != before
    }
}
