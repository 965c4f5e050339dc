//! A whole guest: memory, processors and card.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use godwit_guest_programs::Plan;
use godwit_nic_sim::{Cable, Nic};
use godwit_ports::CapsuleError;
use kvm_ioctls::{Kvm, VmFd};

use crate::boot;
use crate::gate::{Gate, prepare_kicks};
use crate::guest_memory::GuestMemory;
use crate::network::Network;
use crate::state;
use crate::vcpu::{Surroundings, Vcpu, run};
use crate::vcpu_state::{VcpuState, savable_msrs};

/// What a guest is made of.
pub struct Blueprint {
    /// Memory, processors and program. Of an empty guest only the sizes matter.
    pub plan: Plan,
    /// Hardware addresses of the card's ports.
    pub macs: [[u8; 6]; 2],
    /// The file of the cable to the outside world.
    pub cable_path: Option<PathBuf>,
    /// Processors of the host, in turn for the guest's.
    pub cpus: Vec<usize>,
    /// A guest that waits for its memory and state.
    pub empty: bool,
    /// Huge pages where whole blocks of 2 MiB are filled.
    pub huge_pages: bool,
    /// Record writes by userfaultfd, for a tracker that scans page tables.
    pub record_writes: bool,
    /// Sleep between two polls of the card.
    pub idle_poll: Duration,
}

/// What went wrong, in words.
#[derive(Debug)]
pub struct Failure(pub String);

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names what was tried.
fn failed<Error: Display>(what: &'static str) -> impl Fn(Error) -> Failure {
    move |error| Failure(format!("ERR_GODWIT_NATIVE_FAILED: {what}: {error}"))
}

/// A guest. Made paused.
pub struct Machine {
    memory: Arc<GuestMemory>,
    vcpus: Arc<Vec<Vcpu>>,
    gate: Arc<Gate>,
    network: Arc<Network>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    plan: Plan,
    msr_indexes: Vec<u32>,
    /// What the processors of an empty guest go back to when they refuse a state.
    initial: Vec<VcpuState>,
    has_run: AtomicBool,
    ready: AtomicBool,
    fresh: AtomicBool,
}

impl Machine {
    /// Makes a guest. One that is not empty has its program, its rings and its resident content.
    pub fn new(blueprint: Blueprint) -> Result<Self, Failure> {
        let Blueprint { plan, empty, .. } = blueprint;
        if boot::PROGRAM.is_empty() {
            return Err(Failure(
                "ERR_GODWIT_UNSUPPORTED: guests of this package run on x86-64 processors".into(),
            ));
        }
        prepare_kicks();
        let kvm = Kvm::new().map_err(failed("/dev/kvm"))?;
        let vm = kvm.create_vm().map_err(failed("KVM_CREATE_VM"))?;
        let memory = GuestMemory::new(vm, plan.memory_bytes, blueprint.huge_pages, blueprint.record_writes);
        let memory = Arc::new(memory.map_err(failed("guest memory"))?);
        if !empty {
            fill(&memory, &plan).map_err(failed("guest memory"))?;
        }
        let vcpus = make_vcpus(&kvm, memory.vm(), &plan, empty)?;
        let msr_indexes = savable_msrs(&kvm, &vcpus[0].fd());
        let initial = vcpus
            .iter()
            .map(|vcpu| VcpuState::capture(&vcpu.fd(), &msr_indexes))
            .collect::<Result<_, _>>();
        let initial = initial.map_err(failed("processor state"))?;
        let cable = blueprint.cable_path.map(|path| Cable::open(&path)).transpose();
        let cable = cable.map_err(failed("the cable"))?;
        let network = Arc::new(Network::new(blueprint.macs, cable, blueprint.idle_poll));
        let machine = Self {
            gate: Arc::new(Gate::new(vcpus.len())),
            vcpus: Arc::new(vcpus),
            memory,
            network,
            threads: Mutex::default(),
            plan,
            msr_indexes,
            initial,
            has_run: AtomicBool::new(false),
            ready: AtomicBool::new(!empty),
            fresh: AtomicBool::new(!empty),
        };
        machine.start_threads(&blueprint.cpus)?;
        Ok(machine)
    }

    fn start_threads(&self, cpus: &[usize]) -> Result<(), Failure> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for index in 0..self.vcpus.len() {
            let cpu = (!cpus.is_empty()).then(|| cpus[index % cpus.len()]);
            let vcpus = Arc::clone(&self.vcpus);
            let surroundings = Surroundings {
                gate: Arc::clone(&self.gate),
                memory: Arc::clone(&self.memory),
                network: Arc::clone(&self.network),
            };
            let builder = Builder::new().name(format!("godwit-vcpu{index}"));
            let thread = builder.spawn(move || run(&vcpus[index], index, cpu, &surroundings));
            threads.push(thread.map_err(failed("a processor's thread"))?);
        }
        Ok(())
    }

    /// The memory.
    pub const fn memory(&self) -> &Arc<GuestMemory> {
        &self.memory
    }

    /// What it was made by.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The card.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// No saved state is longer.
    pub fn state_bytes_max(&self) -> usize {
        state::bytes_max(self.vcpus.len(), self.msr_indexes.len()) + Nic::state_bytes_max()
    }

    /// Whether the processors shall run.
    pub fn is_running(&self) -> bool {
        self.gate.is_open()
    }

    /// Why the guest cannot go on, if it cannot.
    pub fn failure(&self) -> Option<String> {
        self.gate.failure()
    }

    /// Stops all processors, and with them the card. Idempotent.
    pub fn pause(&self) {
        self.gate.close();
    }

    /// Lets the processors run.
    pub fn resume(&self) -> Result<(), CapsuleError> {
        if self.memory.is_released() || self.failure().is_some() {
            return Err(CapsuleError::Closed);
        }
        if !self.ready.load(Ordering::Acquire) {
            return Err(CapsuleError::Unsupported);
        }
        if !self.has_run.swap(true, Ordering::AcqRel) {
            if self.fresh.load(Ordering::Acquire) {
                // A guest that was made here is here from its beginning; one that moved says so when told to.
                self.announce();
            } else {
                // Before its processors run: what they forward without a link would be lost.
                self.network.nic().connect();
            }
        }
        self.gate.open();
        Ok(())
    }

    /// Appends the state of a paused guest.
    pub fn save(&self, out: &mut Vec<u8>) -> Result<(), CapsuleError> {
        if !self.gate.is_closed() {
            return Err(CapsuleError::Os(libc::EBUSY));
        }
        if !self.ready.load(Ordering::Acquire) || self.failure().is_some() {
            return Err(CapsuleError::Unsupported);
        }
        let capture = |vcpu: &Vcpu| VcpuState::capture(&vcpu.fd(), &self.msr_indexes);
        let vcpus = self.vcpus.iter().map(capture).collect::<Result<Vec<_>, _>>();
        let vcpus = vcpus.map_err(|error| CapsuleError::Os(error.errno()))?;
        state::encode(self.plan.memory_bytes, &vcpus, &mut self.network.nic(), out);
        Ok(())
    }

    /// Gives a guest that has not run its state. A state that is refused changes nothing.
    pub fn load(&self, bytes: &[u8]) -> Result<(), CapsuleError> {
        if self.has_run.load(Ordering::Acquire) || !self.gate.is_closed() {
            return Err(CapsuleError::Os(libc::EBUSY));
        }
        let (states, nic_state) = state::decode(bytes, self.plan.memory_bytes, self.vcpus.len(), &self.msr_indexes)
            .ok_or(CapsuleError::Malformed)?;
        for (vcpu, state) in self.vcpus.iter().zip(&states) {
            if state.apply(&vcpu.fd()).is_err() {
                return Err(self.refuse());
            }
        }
        // The card checks all of its state before it takes any of it; the processors go back if it refuses.
        if self.network.nic().load(nic_state).is_err() {
            return Err(self.refuse());
        }
        self.ready.store(true, Ordering::Release);
        self.fresh.store(false, Ordering::Release);
        Ok(())
    }

    fn refuse(&self) -> CapsuleError {
        for (vcpu, state) in self.vcpus.iter().zip(&self.initial) {
            if let Err(error) = state.apply(&vcpu.fd()) {
                return CapsuleError::Os(error.errno());
            }
        }
        CapsuleError::Malformed
    }

    /// Tells the outside world that the guest is here.
    pub fn announce(&self) {
        self.network.nic().announce();
    }

    /// Ends the guest and gives its memory back. Idempotent.
    pub fn close(&self) -> Result<(), Failure> {
        self.gate.end();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // Panics inside were caught and reported as the guest's failure.
            let _ = thread.join();
        }
        self.network.nic().disconnect();
        self.memory.release().map_err(failed("giving memory back"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Nobody is left to tell; the descriptors are closed next, which gives back what this could not.
        let _ = self.close();
    }
}

fn fill(memory: &GuestMemory, plan: &Plan) -> std::io::Result<()> {
    for area in [&plan.control.shadow, &plan.control.working_set, &plan.control.resident] {
        memory.expect_area(area)?;
    }
    boot::prepare(memory, plan.memory_bytes);
    plan.prepare(memory.view());
    Ok(())
}

fn make_vcpus(kvm: &Kvm, vm: &VmFd, plan: &Plan, empty: bool) -> Result<Vec<Vcpu>, Failure> {
    let features = kvm
        .get_supported_cpuid(kvm_bindings::KVM_MAX_CPUID_ENTRIES)
        .map_err(failed("supported features"))?;
    let mut vcpus = Vec::new();
    for index in 0..plan.control.vcpu_count {
        let vcpu = vm.create_vcpu(u64::from(index)).map_err(failed("KVM_CREATE_VCPU"))?;
        vcpu.set_cpuid2(&features).map_err(failed("KVM_SET_CPUID2"))?;
        if !empty {
            let mut special = vcpu.get_sregs().map_err(failed("KVM_GET_SREGS"))?;
            boot::enter_long_mode(&mut special);
            vcpu.set_sregs(&special).map_err(failed("KVM_SET_SREGS"))?;
            vcpu.set_regs(&boot::registers(index)).map_err(failed("KVM_SET_REGS"))?;
        }
        vcpu.set_mp_state(kvm_bindings::kvm_mp_state {
            mp_state: kvm_bindings::KVM_MP_STATE_RUNNABLE,
        })
        .map_err(failed("KVM_SET_MP_STATE"))?;
        vcpus.push(Vcpu::new(vcpu));
    }
    Ok(vcpus)
}
