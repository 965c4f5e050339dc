//! Where things lie in a guest's memory. Addresses are guest-physical and, in the guest, virtual too (identity mapped).

/// Size of a page.
pub const PAGE_BYTES: u64 = 4096;
/// Where the guest's page tables begin: the root, then the second level, then the tables of 2 MiB entries.
pub const PAGE_TABLES_ADDRESS: u64 = 0x1000;
/// The control block; behind it one page for each virtual processor.
pub const CONTROL_ADDRESS: u64 = 0x10_0000;
/// The program's first instruction.
pub const PROGRAM_ADDRESS: u64 = 0x20_0000;
/// Room for the program.
pub const PROGRAM_BYTES_MAX: u64 = 0x10_0000;
/// The stacks of the virtual processors, one behind the other.
pub const STACKS_ADDRESS: u64 = 0x30_0000;
/// Size of one stack.
pub const STACK_BYTES: u64 = 0x1_0000;
/// The most virtual processors there is room for.
pub const VCPU_COUNT_MAX: u32 = 16;
/// The rings of the network card: RX and TX of port 0, RX and TX of port 1.
pub const RINGS_ADDRESS: u64 = 0x40_0000;
/// What l2fwd remembers: which buffer lies where.
pub const FORWARDER_ADDRESS: u64 = 0x42_0000;
/// The buffers of l2fwd.
pub const POOL_ADDRESS: u64 = 0x80_0000;
/// Resident content and working set begin here.
pub const AREA_ADDRESS: u64 = 0x200_0000;
/// Memory ends here and goes on at [`HOLE_END`].
pub const HOLE_START: u64 = 0xC000_0000;
/// End of the hole in the address space.
pub const HOLE_END: u64 = 0x1_0000_0000;
/// A store of a command to this address (in the hole) calls the host.
pub const DOORBELL_ADDRESS: u64 = 0xD000_0000;
/// Memory is a multiple of this, and mapped in pages of this size.
pub const BLOCK_BYTES: u64 = 0x20_0000;
/// The least memory of a guest.
pub const MEMORY_BYTES_MIN: u64 = 64 << 20;
/// The most memory of a guest: what the page tables below the control block can map.
pub const MEMORY_BYTES_MAX: u64 = 63 << 30;

/// Address of the RX ring of a port.
pub const fn rx_ring_address(port: usize) -> u64 {
    RINGS_ADDRESS + (port as u64) * 2 * RING_BYTES
}

/// Address of the TX ring of a port.
pub const fn tx_ring_address(port: usize) -> u64 {
    rx_ring_address(port) + RING_BYTES
}

const RING_BYTES: u64 = crate::nic_layout::RING_ENTRY_COUNT as u64 * crate::nic_layout::DESCRIPTOR_BYTES;
const _: () = assert!(RINGS_ADDRESS + 4 * RING_BYTES <= FORWARDER_ADDRESS);
