//! The C tables, field for field as in `include/godwit_capsule.h`; `tests/layout.rs` compares the two.

use std::ffi::c_void;

pub const ABI_VERSION: u32 = 1;
/// Type tag of the napi External that carries a capsule.
pub const CAPSULE_TAG: (u64, u64) = (0x6f67_c0de_7769_7431, 0x9a3e_51c7_b2d0_4f68);

/// Of a capsule behind which there is nothing any more; only a napi External still refers to it.
pub const KIND_CLOSED: u32 = 0;
pub const KIND_MEMORY: u32 = 1;
pub const KIND_EXECUTION: u32 = 2;
pub const KIND_DIRTY: u32 = 3;
pub const KIND_SCANNER: u32 = 4;
pub const KIND_CODEC: u32 = 5;
pub const KIND_CHANNEL: u32 = 6;

pub const CODED_UNCHANGED: u32 = 1;
pub const CODED_DELTA: u32 = 2;
pub const CODED_RAW: u32 = 3;

#[repr(C)]
pub struct CapsuleHeader {
    pub abi_version: u32,
    pub kind: u32,
    pub size_bytes: u64,
    pub context: *mut c_void,
    pub retain: unsafe extern "C" fn(*mut c_void),
    pub release: unsafe extern "C" fn(*mut c_void),
}

#[repr(C)]
pub struct MemoryTable {
    pub header: CapsuleHeader,
    pub base: *mut u8,
    pub length_bytes: u64,
    pub page_size_bytes: u64,
    pub userfault_fd: i32,
    pub vm_fd: i32,
    pub pagemap_fd: i32,
    pub slot_count: u32,
    pub slots: *const crate::MemorySlot,
    pub device_marks: *mut u64,
    pub present: unsafe extern "C" fn(*mut c_void, u64, u64, *mut u64) -> i64,
    pub expect: unsafe extern "C" fn(*mut c_void, u64, u64) -> i32,
    pub discard: unsafe extern "C" fn(*mut c_void, u64, u64) -> i32,
    pub dirty_rings: *const crate::DirtyRings,
    pub set_ring_harvester: unsafe extern "C" fn(
        *mut c_void,
        *mut c_void,
        Option<unsafe extern "C" fn(*mut c_void)>,
        Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> i32,
}

#[repr(C)]
pub struct ExecutionTable {
    pub header: CapsuleHeader,
    pub state_bytes_max: u64,
    pub pause: unsafe extern "C" fn(*mut c_void) -> i32,
    pub resume: unsafe extern "C" fn(*mut c_void) -> i32,
    pub save: unsafe extern "C" fn(*mut c_void, *mut u8, u64) -> i64,
    pub load: unsafe extern "C" fn(*mut c_void, *const u8, u64) -> i32,
    pub announce: unsafe extern "C" fn(*mut c_void) -> i32,
    pub drain_late: unsafe extern "C" fn(*mut c_void, *mut u8, u64) -> i64,
    pub inject_late: unsafe extern "C" fn(*mut c_void, *const u8, u64) -> i32,
}

#[repr(C)]
pub struct DirtyTable {
    pub header: CapsuleHeader,
    pub page_count: u64,
    pub start: unsafe extern "C" fn(*mut c_void) -> i32,
    pub collect: unsafe extern "C" fn(*mut c_void, *mut u64, u64) -> i64,
    pub stop: unsafe extern "C" fn(*mut c_void) -> i32,
}

#[repr(C)]
pub struct ScannerTable {
    pub header: CapsuleHeader,
    pub scan: unsafe extern "C" fn(*mut c_void, *const u8, u64, *const u64, u64, *mut u8) -> i64,
}

#[repr(C)]
pub struct CodecTable {
    pub header: CapsuleHeader,
    pub page_size_bytes: u64,
    pub encode: Option<
        unsafe extern "C" fn(*mut c_void, *const u8, *const u64, u64, *mut u8, u64, *mut crate::CodedPage) -> i64,
    >,
    pub forget: Option<unsafe extern "C" fn(*mut c_void, *const u64, u64) -> i32>,
    pub decode: Option<unsafe extern "C" fn(*mut c_void, *mut u8, *const crate::CodedPage, u64, *const u8, u64) -> i32>,
}

#[repr(C)]
pub struct ChannelTable {
    pub header: CapsuleHeader,
    pub send: unsafe extern "C" fn(*mut c_void, *const crate::Slice, u64, u32) -> i64,
    pub receive: unsafe extern "C" fn(*mut c_void, *const crate::SliceMut, u64, u32) -> i64,
    pub interrupt: unsafe extern "C" fn(*mut c_void) -> i32,
    pub counters: unsafe extern "C" fn(*mut c_void, *mut crate::ChannelCounters) -> i32,
}
