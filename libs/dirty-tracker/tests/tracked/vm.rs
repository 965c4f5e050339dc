//! A VM of one processor that stores to random pages at privilege level 3, for ever.

use std::os::fd::AsRawFd;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use godwit_ports::{Capsule, MemorySlot, MemoryTable};
use kvm_bindings::{
    KVM_CAP_DIRTY_LOG_RING_ACQ_REL, KVM_EXIT_DIRTY_RING_FULL, KVM_MAX_CPUID_ENTRIES, kvm_enable_cap, kvm_segment,
    kvm_userspace_memory_region,
};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};

use crate::tracked::{Backing, PAGE_BYTES, SharedHarvester, map, memory};

/// Two slots with a hole between them; the second begins at a page that is no multiple of 64.
pub const PAGE_COUNT: usize = LOW_PAGES + HIGH_PAGES;
const LOW_PAGES: usize = 1000;
const HIGH_PAGES: usize = 4096;
const HIGH_ADDRESS: u64 = 4 << 30;
const CODE_ADDRESS: u64 = 0x8000;
/// Pages that the program writes.
pub const TARGETS: [std::ops::Range<usize>; 2] = [LOW_TARGET, LOW_PAGES..LOW_PAGES + 2048];
const LOW_TARGET: std::ops::Range<usize> = 16..16 + 512;

pub struct Vm {
    pub memory: Capsule<MemoryTable>,
    vcpu: Option<VcpuFd>,
    harvester: SharedHarvester,
    ring_exits: Arc<AtomicU64>,
    _vm: VmFd,
}

/// The processor while it runs.
pub struct Running {
    thread: JoinHandle<VcpuFd>,
    stopping: Arc<AtomicBool>,
}

impl Vm {
    /// Says why where this machine has no KVM.
    pub fn new(backing: Backing) -> Result<Self, String> {
        let kvm = Kvm::new().map_err(|error| format!("/dev/kvm: {error}"))?;
        let vm = kvm.create_vm().map_err(|error| format!("KVM_CREATE_VM: {error}"))?;
        if let Some(ring_bytes) = backing.ring_bytes {
            let capability = kvm_enable_cap {
                cap: KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
                args: [ring_bytes, 0, 0, 0],
                ..Default::default()
            };
            vm.enable_cap(&capability)
                .map_err(|error| format!("KVM_CAP_DIRTY_LOG_RING_ACQ_REL: {error}"))?;
        }
        let vcpu = vm.create_vcpu(0).map_err(|error| format!("KVM_CREATE_VCPU: {error}"))?;
        let base = map(PAGE_COUNT);
        let slots = vec![
            MemorySlot {
                slot: 0,
                reserved: 0,
                first_page: 0,
                page_count: LOW_PAGES as u64,
                guest_physical_address: 0,
            },
            MemorySlot {
                slot: 1,
                reserved: 0,
                first_page: LOW_PAGES as u64,
                page_count: HIGH_PAGES as u64,
                guest_physical_address: HIGH_ADDRESS,
            },
        ];
        let harvester = SharedHarvester::default();
        let backing = Backing {
            vm_fd: Some(vm.as_raw_fd()),
            slots: slots.clone(),
            vcpu_fds: vec![vcpu.as_raw_fd()],
            harvester: Arc::clone(&harvester),
            ..backing
        };
        let memory = memory(base, PAGE_COUNT, backing)?;
        for slot in slots {
            let region = kvm_userspace_memory_region {
                slot: slot.slot,
                flags: 0,
                guest_phys_addr: slot.guest_physical_address,
                memory_size: slot.page_count * PAGE_BYTES as u64,
                userspace_addr: base as u64 + slot.first_page * PAGE_BYTES as u64,
            };
            // SAFETY: the mapping lives until the capsule is dropped, which is after the processor has ended.
            unsafe { vm.set_user_memory_region(region) }.map_err(|error| format!("memory slot: {error}"))?;
        }
        load_program(base);
        let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).unwrap();
        vcpu.set_cpuid2(&cpuid).unwrap();
        set_long_mode(&vcpu);
        Ok(Self {
            memory,
            vcpu: Some(vcpu),
            harvester,
            ring_exits: Arc::default(),
            _vm: vm,
        })
    }

    pub fn run(&mut self) -> Running {
        let mut vcpu = self.vcpu.take().unwrap();
        let stopping = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopping);
        let (harvester, ring_exits) = (Arc::clone(&self.harvester), Arc::clone(&self.ring_exits));
        // SAFETY: the handler does nothing; it is there so that the signal interrupts KVM_RUN.
        unsafe { libc::signal(libc::SIGUSR1, ignore as *const () as libc::sighandler_t) };
        let thread = thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                match vcpu.run() {
                    Err(error) if error.errno() == libc::EINTR => {}
                    Ok(VcpuExit::Intr) => {}
                    Ok(VcpuExit::Unsupported(KVM_EXIT_DIRTY_RING_FULL)) => {
                        ring_exits.fetch_add(1, Ordering::Relaxed);
                        if let Some(harvester) = &*harvester.read().unwrap() {
                            harvester.harvest();
                        }
                    }
                    exit => panic!("the guest stopped: {exit:?}"),
                }
            }
            vcpu
        });
        Running { thread, stopping }
    }

    pub fn halted(&mut self, running: Running) {
        running.stopping.store(true, Ordering::Relaxed);
        // Again and again, as the signal may come just before KVM_RUN.
        while !running.thread.is_finished() {
            // SAFETY: the thread was not joined yet, so its handle is valid.
            unsafe { libc::pthread_kill(running.thread.as_pthread_t(), libc::SIGUSR1) };
            thread::yield_now();
        }
        self.vcpu = Some(running.thread.join().unwrap());
    }

    /// How many stores the program of a halted processor has made.
    pub fn write_count(&self) -> u64 {
        2 * self.vcpu.as_ref().unwrap().get_regs().unwrap().r9
    }

    /// How often the processor met a full ring.
    pub fn ring_exits(&self) -> u64 {
        self.ring_exits.load(Ordering::Relaxed)
    }
}

extern "C" fn ignore(_signal: i32) {}

/// Page tables with the user bit at every level, and the program.
fn load_program(base: *mut u8) {
    const PRESENT_WRITE_USER: u64 = 0b111 | 1 << 5 /* accessed */;
    const LARGE: u64 = 1 << 7 | 1 << 6 /* dirty */;
    let put = |address: u64, value: u64| {
        // SAFETY: the addresses lie in the low slot, at the mapping's beginning, which nobody uses yet.
        unsafe { base.add(address as usize).cast::<u64>().write(value) }
    };
    put(0x1000, 0x2000 | PRESENT_WRITE_USER);
    put(0x2000, 0x3000 | PRESENT_WRITE_USER);
    put(0x2000 + 4 * 8, 0x4000 | PRESENT_WRITE_USER);
    for entry in 0..2 {
        put(0x3000 + entry * 8, entry << 21 | PRESENT_WRITE_USER | LARGE);
    }
    for entry in 0..8 {
        put(
            0x4000 + entry * 8,
            (HIGH_ADDRESS + (entry << 21)) | PRESENT_WRITE_USER | LARGE,
        );
    }
    #[rustfmt::skip]
    let code = [
        0x49, 0xba, 0x2d, 0x7f, 0x95, 0x4c, 0x2d, 0xf4, 0x51, 0x58, // mov r10, 6364136223846793005
        0x49, 0xbb, 0x4f, 0x81, 0x67, 0xf7, 0x7e, 0x7b, 0x05, 0x14, // mov r11, 1442695040888963407
        0x4d, 0x0f, 0xaf, 0xc2,                                     // next: imul r8, r10
        0x4d, 0x01, 0xd8,                                           // add r8, r11
        0x49, 0xff, 0xc1,                                           // inc r9
        0x4c, 0x89, 0xc0,                                           // mov rax, r8
        0x48, 0xc1, 0xe8, 0x28,                                     // shr rax, 40
        0x25, 0xff, 0x07, 0x00, 0x00,                               // and eax, 2047
        0x48, 0xc1, 0xe0, 0x0c,                                     // shl rax, 12
        0x48, 0x01, 0xf8,                                           // add rax, rdi
        0x48, 0xff, 0x00,                                           // inc qword [rax]
        0x4c, 0x89, 0xc0,                                           // mov rax, r8
        0x48, 0xc1, 0xe8, 0x34,                                     // shr rax, 52
        0x25, 0xff, 0x01, 0x00, 0x00,                               // and eax, 511
        0x48, 0xc1, 0xe0, 0x0c,                                     // shl rax, 12
        0x48, 0xff, 0x04, 0x30,                                     // inc qword [rax + rsi]
        0xeb, 0xca,                                                 // jmp next
    ];
    assert_eq!(code.len() - 20, 0x100 - 0xca, "the jump reaches the loop's beginning");
    // SAFETY: the code's page lies in the low slot, which nobody uses yet.
    unsafe {
        base.add(CODE_ADDRESS as usize)
            .copy_from_nonoverlapping(code.as_ptr(), code.len())
    };
}

fn set_long_mode(vcpu: &VcpuFd) {
    let segment = |selector, type_, long| kvm_segment {
        base: 0,
        limit: u32::MAX,
        selector,
        type_,
        present: 1,
        dpl: 3,
        db: 1 - long,
        s: 1,
        l: long,
        g: 1,
        ..Default::default()
    };
    let mut special = vcpu.get_sregs().unwrap();
    special.cs = segment(0x33, 11, 1);
    let data = segment(0x2b, 3, 0);
    (special.ds, special.es, special.fs, special.gs, special.ss) = (data, data, data, data, data);
    (special.cr0, special.cr3, special.cr4, special.efer) = (0x8005_0033, 0x1000, 0x620, 0xd01);
    vcpu.set_sregs(&special).unwrap();
    let mut registers = vcpu.get_regs().unwrap();
    (registers.rip, registers.rflags, registers.r8, registers.r9) = (CODE_ADDRESS, 2, 1, 0);
    (registers.rdi, registers.rsi) = (HIGH_ADDRESS, (LOW_TARGET.start * PAGE_BYTES) as u64);
    vcpu.set_regs(&registers).unwrap();
}
