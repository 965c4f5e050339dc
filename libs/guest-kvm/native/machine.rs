//! Makes a guest of a VM: memory in slots, and virtual processors.

use std::sync::Arc;

use godwit_guest_host::{Blueprint, Failure, GuestMemory, Machine, Parts};
use godwit_guest_programs::Plan;
use kvm_ioctls::{Kvm, VmFd};

use crate::boot;
use crate::vcpu::Vcpu;
use crate::vcpu_rings::{VcpuRings, enable_dirty_rings};
use crate::vcpus::Vcpus;
use crate::vm_memory::VmMemory;

const STATE_MAGIC: [u8; 4] = *b"GWKS";

/// Makes a guest, paused. One that is not empty has its program, its rings and its resident content.
pub fn make(blueprint: Blueprint) -> Result<Machine, Failure> {
    let Blueprint { plan, empty, .. } = blueprint;
    if boot::PROGRAM.is_empty() {
        return Err(Failure(
            "ERR_GODWIT_UNSUPPORTED: guests of this package run on x86-64 processors".into(),
        ));
    }
    let kvm = Kvm::new().map_err(Failure::while_trying("/dev/kvm"))?;
    let vm = kvm.create_vm().map_err(Failure::while_trying("KVM_CREATE_VM"))?;
    if blueprint.dirty_ring_bytes > 0 {
        enable_dirty_rings(&vm, blueprint.dirty_ring_bytes)?;
    }
    let mut memory = VmMemory::new(vm, plan.memory_bytes, blueprint.huge_pages, blueprint.record_writes)
        .map_err(Failure::while_trying("guest memory"))?;
    if !empty {
        boot::prepare(memory.host(), plan.memory_bytes);
        memory
            .host()
            .fill(&plan)
            .map_err(Failure::while_trying("guest memory"))?;
    }
    let vcpus = make_vcpus(&kvm, memory.vm(), &plan, empty)?;
    if blueprint.dirty_ring_bytes > 0 {
        let rings = VcpuRings::new(blueprint.dirty_ring_bytes, &vcpus);
        memory.add_rings(rings.map_err(Failure::while_trying("dirty rings"))?);
    }
    let processors = Vcpus::new(&kvm, vcpus).map_err(Failure::while_trying("processor state"))?;
    let parts = Parts {
        memory: Arc::new(memory),
        processors: Arc::new(processors),
        state_magic: STATE_MAGIC,
    };
    Machine::new(blueprint, parts)
}

fn make_vcpus(kvm: &Kvm, vm: &VmFd, plan: &Plan, empty: bool) -> Result<Vec<Vcpu>, Failure> {
    let features = kvm
        .get_supported_cpuid(kvm_bindings::KVM_MAX_CPUID_ENTRIES)
        .map_err(Failure::while_trying("supported features"))?;
    let mut vcpus = Vec::new();
    for index in 0..plan.control.vcpu_count {
        let vcpu = vm
            .create_vcpu(u64::from(index))
            .map_err(Failure::while_trying("KVM_CREATE_VCPU"))?;
        vcpu.set_cpuid2(&features)
            .map_err(Failure::while_trying("KVM_SET_CPUID2"))?;
        if !empty {
            let mut special = vcpu.get_sregs().map_err(Failure::while_trying("KVM_GET_SREGS"))?;
            boot::enter_long_mode(&mut special);
            vcpu.set_sregs(&special)
                .map_err(Failure::while_trying("KVM_SET_SREGS"))?;
            vcpu.set_regs(&boot::registers(index))
                .map_err(Failure::while_trying("KVM_SET_REGS"))?;
        }
        vcpu.set_mp_state(kvm_bindings::kvm_mp_state {
            mp_state: kvm_bindings::KVM_MP_STATE_RUNNABLE,
        })
        .map_err(Failure::while_trying("KVM_SET_MP_STATE"))?;
        vcpus.push(Vcpu::new(vcpu));
    }
    Ok(vcpus)
}
