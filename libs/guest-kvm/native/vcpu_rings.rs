//! Dirty rings: where the processors record which pages they write, for a tracker that asked for it beforehand.

use std::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{PoisonError, RwLock};

use godwit_guest_host::Failure;
use godwit_ports::{DirtyRings, RingHarvester};
use kvm_bindings::{KVM_CAP_DIRTY_LOG_RING, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, kvm_enable_cap};
use kvm_ioctls::VmFd;

use crate::vcpu::Vcpu;

/// Gives each processor of a VM a ring. Before the first is made.
pub fn enable_dirty_rings(vm: &VmFd, ring_bytes: u32) -> std::result::Result<(), Failure> {
    let offered = |capability| vm.check_extension_raw(u64::from(capability)).max(0) as u32;
    // The second is for kernels before 6.1, and promises the same on this processor architecture.
    let capability = [KVM_CAP_DIRTY_LOG_RING_ACQ_REL, KVM_CAP_DIRTY_LOG_RING]
        .into_iter()
        .find(|&capability| offered(capability) >= ring_bytes);
    let Some(capability) = capability else {
        return Err(Failure(format!(
            "ERR_GODWIT_UNSUPPORTED: this KVM has no dirty rings of {ring_bytes} bytes (Linux 5.11)"
        )));
    };
    vm.enable_cap(&kvm_enable_cap {
        cap: capability,
        args: [u64::from(ring_bytes), 0, 0, 0],
        ..Default::default()
    })
    .map_err(Failure::while_trying("dirty rings"))
}

/// The rings of all processors.
pub struct VcpuRings {
    rings: DirtyRings,
    harvester: RwLock<Option<RingHarvester>>,
    /// What `rings` points at, and what keeps those open.
    _numbers: Box<[i32]>,
    _descriptors: Vec<OwnedFd>,
}

impl VcpuRings {
    /// The rings, of so many bytes each, of processors made since they were enabled.
    pub fn new(ring_bytes: u32, vcpus: &[Vcpu]) -> Result<Self> {
        let descriptors = vcpus
            .iter()
            .map(|vcpu| {
                let vcpu = vcpu.fd();
                // SAFETY: the descriptor is open as long as the processor is, whose lock is held.
                unsafe { BorrowedFd::borrow_raw(vcpu.as_raw_fd()) }.try_clone_to_owned()
            })
            .collect::<Result<Vec<_>>>()?;
        let numbers: Box<[i32]> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        Ok(Self {
            rings: DirtyRings {
                ring_bytes: u64::from(ring_bytes),
                vcpu_count: numbers.len() as u64,
                vcpu_fds: numbers.as_ptr(),
            },
            harvester: RwLock::new(None),
            _numbers: numbers,
            _descriptors: descriptors,
        })
    }

    /// The rings as other packages see them.
    pub const fn as_ref(&self) -> &DirtyRings {
        &self.rings
    }

    /// Who empties the rings; returns when the one before is called no more.
    pub fn set_harvester(&self, harvester: Option<RingHarvester>) {
        // Whoever panicked under the lock had replaced it or not.
        let mut place = self.harvester.write().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *place, harvester);
        drop(place);
        drop(former);
    }

    /// Has the rings emptied. Without anybody to do that a processor asks again and again; a tracker leaves none full.
    pub fn empty(&self) {
        match &*self.harvester.read().unwrap_or_else(PoisonError::into_inner) {
            Some(harvester) => harvester.harvest(),
            None => std::thread::yield_now(),
        }
    }
}
