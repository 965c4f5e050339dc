//! The virtual processors of a guest. Their state is written as the kernel's structures are, one processor after the
//! other, so both hosts must be of one processor architecture.

use godwit_guest_host::{Processors, Surroundings};
use godwit_ports::CapsuleError;
use kvm_ioctls::Kvm;

use crate::vcpu::{Vcpu, run_until_stopped};
use crate::vcpu_state::{VcpuState, savable_msrs};

/// All processors of a guest, at least one.
pub struct Vcpus {
    vcpus: Vec<Vcpu>,
    msr_indexes: Vec<u32>,
    /// What they go back to when a state is refused.
    initial: Vec<VcpuState>,
}

impl Vcpus {
    /// Takes processors over, about to begin.
    pub fn new(kvm: &Kvm, vcpus: Vec<Vcpu>) -> Result<Self, kvm_ioctls::Error> {
        let msr_indexes = savable_msrs(kvm, &vcpus[0].fd());
        let initial = capture(&vcpus, &msr_indexes)?;
        Ok(Self {
            vcpus,
            msr_indexes,
            initial,
        })
    }
}

fn capture(vcpus: &[Vcpu], msr_indexes: &[u32]) -> Result<Vec<VcpuState>, kvm_ioctls::Error> {
    vcpus
        .iter()
        .map(|vcpu| VcpuState::capture(&vcpu.fd(), msr_indexes))
        .collect()
}

// SAFETY: the flag lies in the processor's run structure, which is mapped as long as its descriptor lives in self.
unsafe impl Processors for Vcpus {
    fn run_until_stopped(&self, index: usize, surroundings: &Surroundings) -> Result<(), String> {
        run_until_stopped(&mut self.vcpus[index].fd(), index, surroundings)
    }

    fn immediate_exit(&self, index: usize) -> *mut u8 {
        &raw mut self.vcpus[index].fd().get_kvm_run().immediate_exit
    }

    fn state_bytes_max(&self) -> usize {
        self.vcpus.len() * VcpuState::encoded_bytes(self.msr_indexes.len())
    }

    fn save(&self, out: &mut Vec<u8>) -> Result<(), CapsuleError> {
        let states = capture(&self.vcpus, &self.msr_indexes).map_err(|error| CapsuleError::Os(error.errno()))?;
        for state in states {
            state.encode(out);
        }
        Ok(())
    }

    fn load(&self, state: &[u8]) -> Result<(), CapsuleError> {
        let mut rest = state;
        let states: Option<Vec<_>> = (0..self.vcpus.len())
            .map(|_| VcpuState::decode(&mut rest, &self.msr_indexes))
            .collect();
        let states = states.filter(|_| rest.is_empty()).ok_or(CapsuleError::Malformed)?;
        for (vcpu, state) in self.vcpus.iter().zip(&states) {
            if state.apply(&vcpu.fd()).is_err() {
                self.unload()?;
                return Err(CapsuleError::Malformed);
            }
        }
        Ok(())
    }

    fn unload(&self) -> Result<(), CapsuleError> {
        for (vcpu, state) in self.vcpus.iter().zip(&self.initial) {
            state
                .apply(&vcpu.fd())
                .map_err(|error| CapsuleError::Os(error.errno()))?;
        }
        Ok(())
    }
}
