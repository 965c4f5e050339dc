//! The execution state of a guest as bytes, little-endian: magic of the guest's kind, version, number of processors,
//! bytes of memory, length of the last part; then the processors as their kind writes them, then the card's own state.

use godwit_guest_programs::Plan;
use godwit_nic_sim::Nic;
use godwit_ports::CapsuleError;

use crate::processors::Processors;

const VERSION: u16 = 1;
/// Bytes before the processors.
pub const HEADER_BYTES: usize = 4 + 2 + 2 + 8 + 4;

/// Appends the state of processors and card.
pub fn encode(
    magic: [u8; 4],
    plan: &Plan,
    processors: &dyn Processors,
    nic: &mut Nic,
    out: &mut Vec<u8>,
) -> Result<(), CapsuleError> {
    let begin = out.len();
    out.extend_from_slice(&magic);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(plan.control.vcpu_count as u16).to_le_bytes());
    out.extend_from_slice(&plan.memory_bytes.to_le_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    processors.save(out).inspect_err(|_| out.truncate(begin))?;
    let nic_at = out.len();
    nic.save(out);
    let nic_bytes = (out.len() - nic_at) as u32;
    out[length_at..length_at + 4].copy_from_slice(&nic_bytes.to_le_bytes());
    Ok(())
}

/// The bytes of the processors and those of the card; none if the header is not as it must be.
pub fn decode<'a>(bytes: &'a [u8], magic: [u8; 4], plan: &Plan) -> Option<(&'a [u8], &'a [u8])> {
    let mut rest = bytes;
    let same = take(&mut rest)? == magic
        && u16::from_le_bytes(take(&mut rest)?) == VERSION
        && u32::from(u16::from_le_bytes(take(&mut rest)?)) == plan.control.vcpu_count
        && u64::from_le_bytes(take(&mut rest)?) == plan.memory_bytes;
    let nic_bytes = u32::from_le_bytes(take(&mut rest)?) as usize;
    let split_at = rest.len().checked_sub(nic_bytes).filter(|_| same)?;
    Some(rest.split_at(split_at))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}
