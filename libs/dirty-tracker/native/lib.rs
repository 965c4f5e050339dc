//! Tells which pages of a running memory were written: by PAGEMAP_SCAN, the KVM dirty log, or KVM's dirty rings.
//!
//! All trackers work over a memory capsule somebody else exports: they borrow its descriptors and never close them.

mod closable_source;
mod device_marks;
mod dirty_gfn_ring;
mod failure;
mod ioctl;
mod kvm_dirty_log;
mod kvm_dirty_ring;
mod kvm_ioctl;
mod kvm_slots;
mod page_words;
mod pagemap_ioctl;
mod pagemap_scan;
#[cfg(not(test))] // A test binary has no Node.js around it, and the exports below would be dead code.
mod tracker_js;

pub use closable_source::ClosableSource;
pub use kvm_dirty_log::KvmDirtyLog;
pub use kvm_dirty_ring::KvmDirtyRing;
pub use pagemap_scan::PagemapScan;
