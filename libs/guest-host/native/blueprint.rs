//! What a guest is made of.

use std::path::PathBuf;
use std::time::Duration;

use godwit_guest_programs::Plan;

/// A guest to be made.
pub struct Blueprint {
    /// Memory, processors and program. Of an empty guest only the sizes and the program matter.
    pub plan: Plan,
    /// Hardware addresses of the card's ports.
    pub macs: [[u8; 6]; 2],
    /// The file of the cable to the outside world.
    pub cable_path: Option<PathBuf>,
    /// Processors of the host, in turn for the guest's.
    pub cpus: Vec<usize>,
    /// A guest that waits for its memory and state.
    pub empty: bool,
    /// Huge pages where whole blocks of 2 MiB are filled.
    pub huge_pages: bool,
    /// Record writes by userfaultfd, for a tracker that scans page tables.
    pub record_writes: bool,
    /// Bytes of each processor's dirty ring, of guests whose processors have one; 0: none.
    pub dirty_ring_bytes: u32,
    /// Sleep between two polls of the card.
    pub idle_poll: Duration,
}
