//! The state of one processor: everything KVM lets us read and write back.

use kvm_bindings::{
    Msrs, kvm_debugregs, kvm_mp_state, kvm_msr_entry, kvm_regs, kvm_sregs, kvm_vcpu_events, kvm_xcrs, kvm_xsave,
};
use kvm_ioctls::{Kvm, VcpuFd};

/// The most registers of the model-specific kind that a state may hold.
pub const MSR_COUNT_MAX: usize = 512;

/// Every field as the kernel lays it out; `msrs` in the order of [`savable_msrs`].
pub struct VcpuState {
    registers: kvm_regs,
    special: kvm_sregs,
    extended: Box<kvm_xsave>,
    extended_control: kvm_xcrs,
    events: kvm_vcpu_events,
    debug: kvm_debugregs,
    run_state: kvm_mp_state,
    msrs: Vec<(u32, u64)>,
}

/// A structure of the kernel that is nothing but integers.
///
/// # Safety
/// `repr(C)`, every bit pattern is a value, and no byte of it is padding.
unsafe trait Plain: Sized {
    fn write(&self, out: &mut Vec<u8>) {
        // SAFETY: no byte is padding, so all of them may be read.
        out.extend_from_slice(unsafe { std::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>()) });
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (own, rest) = bytes.split_at_checked(size_of::<Self>())?;
        *bytes = rest;
        // SAFETY: the bytes are as many as the type has, and every bit pattern is a value.
        Some(unsafe { own.as_ptr().cast::<Self>().read_unaligned() })
    }
}

// SAFETY: sixteen registers, the instruction pointer and the flags, 64 bits each.
unsafe impl Plain for kvm_regs {}
// SAFETY: the kernel's structure names its padding; all fields are integers.
unsafe impl Plain for kvm_sregs {}
// SAFETY: 1,024 words of 32 bits; the flexible array behind them is empty.
unsafe impl Plain for kvm_xsave {}
// SAFETY: the kernel's structure names its padding; all fields are integers.
unsafe impl Plain for kvm_xcrs {}
// SAFETY: 64 bytes of integers and reserved bytes without a gap.
unsafe impl Plain for kvm_vcpu_events {}
// SAFETY: sixteen words of 64 bits.
unsafe impl Plain for kvm_debugregs {}
// SAFETY: one word of 32 bits.
unsafe impl Plain for kvm_mp_state {}

const FIXED_BYTES: usize = size_of::<kvm_regs>()
    + size_of::<kvm_sregs>()
    + size_of::<kvm_xsave>()
    + size_of::<kvm_xcrs>()
    + size_of::<kvm_vcpu_events>()
    + size_of::<kvm_debugregs>()
    + size_of::<kvm_mp_state>();
const MSR_BYTES: usize = 12;

/// The model-specific registers that a processor lets us read and write back unchanged.
pub fn savable_msrs(kvm: &Kvm, vcpu: &VcpuFd) -> Vec<u32> {
    let Ok(list) = kvm.get_msr_index_list() else {
        return Vec::new();
    };
    let savable = |index: &u32| {
        let entry = kvm_msr_entry {
            index: *index,
            ..Default::default()
        };
        let Ok(mut one) = Msrs::from_entries(&[entry]) else {
            return false;
        };
        vcpu.get_msrs(&mut one).is_ok_and(|count| count == 1) && vcpu.set_msrs(&one).is_ok_and(|count| count == 1)
    };
    list.as_slice()
        .iter()
        .copied()
        .filter(savable)
        .take(MSR_COUNT_MAX)
        .collect()
}

impl VcpuState {
    /// Bytes of an encoded state with so many model-specific registers.
    pub const fn encoded_bytes(msr_count: usize) -> usize {
        FIXED_BYTES + 4 + msr_count * MSR_BYTES
    }

    /// Reads the state of a processor that does not run.
    pub fn capture(vcpu: &VcpuFd, msr_indexes: &[u32]) -> Result<Self, kvm_ioctls::Error> {
        let mut msrs = Vec::new();
        if !msr_indexes.is_empty() {
            let wanted: Vec<_> = msr_indexes
                .iter()
                .map(|&index| kvm_msr_entry {
                    index,
                    ..Default::default()
                })
                .collect();
            let mut entries = Msrs::from_entries(&wanted).map_err(|_| kvm_ioctls::Error::new(libc::E2BIG))?;
            if vcpu.get_msrs(&mut entries)? != msr_indexes.len() {
                return Err(kvm_ioctls::Error::new(libc::EIO));
            }
            msrs.extend(entries.as_slice().iter().map(|entry| (entry.index, entry.data)));
        }
        Ok(Self {
            run_state: vcpu.get_mp_state()?,
            registers: vcpu.get_regs()?,
            special: vcpu.get_sregs()?,
            extended: Box::new(vcpu.get_xsave()?),
            extended_control: vcpu.get_xcrs()?,
            debug: vcpu.get_debug_regs()?,
            events: vcpu.get_vcpu_events()?,
            msrs,
        })
    }

    /// Writes the state to a processor that does not run. A state the kernel refuses may be written in part.
    pub fn apply(&self, vcpu: &VcpuFd) -> Result<(), kvm_ioctls::Error> {
        vcpu.set_mp_state(self.run_state)?;
        vcpu.set_sregs(&self.special)?;
        vcpu.set_regs(&self.registers)?;
        vcpu.set_xcrs(&self.extended_control)?;
        // SAFETY: the kernel reads more than a kvm_xsave only for features that a process has to ask for first, which
        // this one never does.
        unsafe { vcpu.set_xsave(&self.extended)? };
        vcpu.set_debug_regs(&self.debug)?;
        vcpu.set_vcpu_events(&self.events)?;
        if !self.msrs.is_empty() {
            let entries: Vec<_> = self
                .msrs
                .iter()
                .map(|&(index, data)| kvm_msr_entry {
                    index,
                    data,
                    ..Default::default()
                })
                .collect();
            let entries = Msrs::from_entries(&entries).map_err(|_| kvm_ioctls::Error::new(libc::E2BIG))?;
            if vcpu.set_msrs(&entries)? != self.msrs.len() {
                return Err(kvm_ioctls::Error::new(libc::EINVAL));
            }
        }
        Ok(())
    }

    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.registers.write(out);
        self.special.write(out);
        self.extended.write(out);
        self.extended_control.write(out);
        self.events.write(out);
        self.debug.write(out);
        self.run_state.write(out);
        out.extend_from_slice(&(self.msrs.len() as u32).to_le_bytes());
        for (index, data) in &self.msrs {
            out.extend_from_slice(&index.to_le_bytes());
            out.extend_from_slice(&data.to_le_bytes());
        }
    }

    /// Takes a state off the front of `bytes`; none when it is too short or names a register that is not in `known`.
    pub fn decode(bytes: &mut &[u8], known: &[u32]) -> Option<Self> {
        let mut state = Self {
            registers: Plain::read(bytes)?,
            special: Plain::read(bytes)?,
            extended: Box::new(Plain::read(bytes)?),
            extended_control: Plain::read(bytes)?,
            events: Plain::read(bytes)?,
            debug: Plain::read(bytes)?,
            run_state: Plain::read(bytes)?,
            msrs: Vec::new(),
        };
        let msr_count = u32::from_le_bytes(take(bytes)?);
        if msr_count as usize > known.len() {
            return None;
        }
        for _ in 0..msr_count {
            let (index, data) = (u32::from_le_bytes(take(bytes)?), u64::from_le_bytes(take(bytes)?));
            state.msrs.push((index, data));
        }
        let all_known = state.msrs.iter().all(|(index, _)| known.contains(index));
        all_known.then_some(state)
    }
}

/// Takes so many bytes off the front.
pub fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (own, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*own)
}
