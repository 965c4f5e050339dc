//! The execution state of a guest as bytes, little-endian: magic, version, number of processors, bytes of memory, length
//! of what follows for the card; then the processors, then the card's own state. The kernel's structures are written as they are, so both
//! hosts must be of one processor architecture.

use godwit_nic_sim::Nic;

use crate::vcpu_state::{VcpuState, take};

const MAGIC: [u8; 4] = *b"GWKS";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 4 + 2 + 2 + 8 + 4;

/// The most bytes of a state without the card's.
pub const fn bytes_max(vcpu_count: usize, msr_count: usize) -> usize {
    HEADER_BYTES + vcpu_count * VcpuState::encoded_bytes(msr_count)
}

/// Appends the state of processors and card.
pub fn encode(memory_bytes: u64, vcpus: &[VcpuState], nic: &mut Nic, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(vcpus.len() as u16).to_le_bytes());
    out.extend_from_slice(&memory_bytes.to_le_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    for vcpu in vcpus {
        vcpu.encode(out);
    }
    let nic_at = out.len();
    nic.save(out);
    let nic_bytes = (out.len() - nic_at) as u32;
    out[length_at..length_at + 4].copy_from_slice(&nic_bytes.to_le_bytes());
}

/// The processors and the bytes of the card; none if anything is not as it must be.
pub fn decode<'a>(
    bytes: &'a [u8],
    memory_bytes: u64,
    vcpu_count: usize,
    msr_indexes: &[u32],
) -> Option<(Vec<VcpuState>, &'a [u8])> {
    let mut rest = bytes;
    let header = take(&mut rest)? == MAGIC
        && u16::from_le_bytes(take(&mut rest)?) == VERSION
        && usize::from(u16::from_le_bytes(take(&mut rest)?)) == vcpu_count
        && u64::from_le_bytes(take(&mut rest)?) == memory_bytes;
    let nic_bytes = u32::from_le_bytes(take(&mut rest)?) as usize;
    if !header {
        return None;
    }
    let states = (0..vcpu_count)
        .map(|_| VcpuState::decode(&mut rest, msr_indexes))
        .collect::<Option<_>>()?;
    (rest.len() == nic_bytes).then_some((states, rest))
}
