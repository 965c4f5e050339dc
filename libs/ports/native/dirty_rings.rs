use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The dirty rings of a VM, one for each processor. Whoever tracks writes maps them from the descriptors,
/// `KVM_DIRTY_LOG_PAGE_OFFSET` pages in. [`Capsule::dirty_rings`](crate::Capsule) reads it safely.
#[repr(C)]
#[derive(Debug)]
pub struct DirtyRings {
    /// Of each ring, as it was given to `KVM_ENABLE_CAP`.
    pub ring_bytes: u64,
    pub vcpu_count: u64,
    /// `vcpu_count` open descriptors.
    pub vcpu_fds: *const i32,
}

// SAFETY: plain numbers; what the pointer points at is vouched for by the unsafe trait that hands the value out.
unsafe impl Send for DirtyRings {}
// SAFETY: as above.
unsafe impl Sync for DirtyRings {}

type Call = unsafe extern "C" fn(*mut c_void);

/// Makes room in the rings of a VM. Called by the threads of its processors, possibly by several at once.
pub struct RingHarvester {
    context: *mut c_void,
    harvest: Call,
    release: Option<Call>,
}

// SAFETY: made of a `Send + Sync` closure here, or by a caller of the C table, which demands that `harvest` may be called
// by any thread, also by several at once.
unsafe impl Send for RingHarvester {}
// SAFETY: as above.
unsafe impl Sync for RingHarvester {}

impl RingHarvester {
    /// One that calls `harvest`.
    pub fn new<F: Fn() + Send + Sync + 'static>(harvest: F) -> Self {
        Self {
            context: Box::into_raw(Box::new(harvest)).cast(),
            harvest: call::<F>,
            release: Some(release::<F>),
        }
    }

    /// Makes room, or fails in silence: the processor will ask again.
    pub fn harvest(&self) {
        // SAFETY: the parts belong together and the harvester was not released, which happens in drop.
        unsafe { (self.harvest)(self.context) };
    }

    pub(crate) fn into_parts(harvester: Option<Self>) -> (*mut c_void, Option<Call>, Option<Call>) {
        harvester.map_or((std::ptr::null_mut(), None, None), |harvester| {
            let harvester = std::mem::ManuallyDrop::new(harvester);
            (harvester.context, Some(harvester.harvest), harvester.release)
        })
    }

    /// None where there is no `harvest`.
    ///
    /// # Safety
    /// The parts belong together, and are this value's alone from now on.
    pub(crate) unsafe fn from_parts(
        context: *mut c_void,
        harvest: Option<Call>,
        release: Option<Call>,
    ) -> Option<Self> {
        harvest.map(|harvest| Self {
            context,
            harvest,
            release,
        })
    }
}

impl Drop for RingHarvester {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: called once, by the only owner of the parts.
            unsafe { release(self.context) };
        }
    }
}

unsafe extern "C" fn call<F: Fn()>(context: *mut c_void) {
    // SAFETY: the context is the boxed closure of `new`, not released yet.
    let harvest = unsafe { &*context.cast::<F>() };
    let _ = catch_unwind(AssertUnwindSafe(harvest));
}

unsafe extern "C" fn release<F>(context: *mut c_void) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the context is the boxed closure of `new`, and this is its release.
        drop(unsafe { Box::from_raw(context.cast::<F>()) });
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::{Capsule, CapsuleError, Memory, MemoryTable};

    struct Rings {
        rings: Option<DirtyRings>,
        harvester: std::sync::RwLock<Option<RingHarvester>>,
    }

    // SAFETY: there is no memory; the array of descriptors is static, and nobody uses them.
    unsafe impl Memory for Arc<Rings> {
        fn base(&self) -> *mut u8 {
            std::ptr::null_mut()
        }
        fn length_bytes(&self) -> u64 {
            0
        }
        fn page_size_bytes(&self) -> u64 {
            4096
        }
        fn dirty_rings(&self) -> Option<&DirtyRings> {
            self.rings.as_ref()
        }
        fn set_ring_harvester(&self, harvester: Option<RingHarvester>) -> Result<(), CapsuleError> {
            self.rings.as_ref().ok_or(CapsuleError::Unsupported)?;
            *self.harvester.write().unwrap() = harvester;
            Ok(())
        }
        fn present(&self, _: u64, _: u64, _: &mut [u64]) -> Result<u64, CapsuleError> {
            Ok(0)
        }
        fn discard(&self, _: u64, _: u64) -> Result<(), CapsuleError> {
            Ok(())
        }
    }

    fn counting() -> (Arc<AtomicU64>, RingHarvester) {
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        let harvester = RingHarvester::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        (calls, harvester)
    }

    #[test]
    fn a_harvester_is_called_until_it_is_replaced_and_then_dropped() {
        static FDS: [i32; 2] = [-1, -2];
        let owner = Arc::new(Rings {
            rings: Some(DirtyRings {
                ring_bytes: 65536,
                vcpu_count: 2,
                vcpu_fds: FDS.as_ptr(),
            }),
            harvester: Default::default(),
        });
        let capsule = Capsule::<MemoryTable>::export(Arc::clone(&owner));
        assert_eq!(capsule.dirty_rings(), Some((65536, &FDS[..])));
        let (calls, harvester) = counting();
        capsule.set_ring_harvester(Some(harvester)).unwrap();
        owner.harvester.read().unwrap().as_ref().unwrap().harvest();
        assert_eq!((calls.load(Ordering::Relaxed), Arc::strong_count(&calls)), (1, 2));
        capsule
            .set_ring_harvester(Some(RingHarvester::new(|| panic!("caught"))))
            .unwrap();
        assert_eq!(Arc::strong_count(&calls), 1);
        owner.harvester.read().unwrap().as_ref().unwrap().harvest();
        capsule.set_ring_harvester(None).unwrap();
        assert!(owner.harvester.read().unwrap().is_none());
    }

    #[test]
    fn a_memory_without_rings_takes_no_harvester_and_drops_it() {
        let capsule = Capsule::<MemoryTable>::export(Arc::new(Rings {
            rings: None,
            harvester: Default::default(),
        }));
        assert!(capsule.dirty_rings().is_none());
        let (calls, harvester) = counting();
        assert_eq!(
            capsule.set_ring_harvester(Some(harvester)),
            Err(CapsuleError::Unsupported)
        );
        assert_eq!(Arc::strong_count(&calls), 1);
    }
}
