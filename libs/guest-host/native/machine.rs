//! A whole guest: memory, processors and card.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use godwit_guest_programs::{Memory, Plan};
use godwit_nic_sim::{Cable, Nic};
use godwit_ports::CapsuleError;

use crate::blueprint::Blueprint;
use crate::failure::Failure;
use crate::gate::{Gate, prepare_kicks};
use crate::guest_memory::GuestMemory;
use crate::network::Network;
use crate::processors::{Processors, Surroundings, live};
use crate::state;

/// What a kind of guest brings.
pub struct Parts {
    /// Memory; filled, unless the guest is made empty.
    pub memory: Arc<dyn GuestMemory>,
    /// Processors, about to begin or empty.
    pub processors: Arc<dyn Processors>,
    /// What saved states of this kind begin with.
    pub state_magic: [u8; 4],
}

/// A guest. Made paused.
pub struct Machine {
    memory: Arc<dyn GuestMemory>,
    processors: Arc<dyn Processors>,
    gate: Arc<Gate>,
    network: Arc<Network>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    plan: Plan,
    state_magic: [u8; 4],
    has_run: AtomicBool,
    ready: AtomicBool,
    fresh: AtomicBool,
}

impl Machine {
    /// Plugs a card in and starts the threads of the processors.
    pub fn new(blueprint: Blueprint, parts: Parts) -> Result<Self, Failure> {
        prepare_kicks();
        let cable = blueprint.cable_path.map(|path| Cable::open(&path)).transpose();
        let cable = cable.map_err(Failure::while_trying("the cable"))?;
        let machine = Self {
            memory: parts.memory,
            processors: parts.processors,
            gate: Arc::new(Gate::new(blueprint.plan.control.vcpu_count as usize)),
            network: Arc::new(Network::new(blueprint.macs, cable, blueprint.idle_poll)),
            threads: Mutex::default(),
            plan: blueprint.plan,
            state_magic: parts.state_magic,
            has_run: AtomicBool::new(false),
            ready: AtomicBool::new(!blueprint.empty),
            fresh: AtomicBool::new(!blueprint.empty),
        };
        machine.start_threads(&blueprint.cpus)?;
        Ok(machine)
    }

    fn start_threads(&self, cpus: &[usize]) -> Result<(), Failure> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for index in 0..self.plan.control.vcpu_count as usize {
            let cpu = (!cpus.is_empty()).then(|| cpus[index % cpus.len()]);
            let processors = Arc::clone(&self.processors);
            let surroundings = Surroundings {
                gate: Arc::clone(&self.gate),
                memory: Arc::clone(&self.memory),
                network: Arc::clone(&self.network),
                plan: self.plan,
            };
            let builder = Builder::new().name(format!("godwit-vcpu{index}"));
            let thread = builder.spawn(move || live(&*processors, index, cpu, &surroundings));
            threads.push(thread.map_err(Failure::while_trying("a processor's thread"))?);
        }
        Ok(())
    }

    /// The memory.
    pub const fn memory(&self) -> &Arc<dyn GuestMemory> {
        &self.memory
    }

    /// The memory as guest programs see it.
    pub fn view(&self) -> Memory {
        self.memory.host().view()
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
        state::HEADER_BYTES + self.processors.state_bytes_max() + Nic::state_bytes_max()
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
        if self.memory.host().is_released() || self.failure().is_some() {
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
        state::encode(
            self.state_magic,
            &self.plan,
            &*self.processors,
            &mut self.network.nic(),
            out,
        )
    }

    /// Gives a guest that has not run its state. A state that is refused changes nothing.
    pub fn load(&self, bytes: &[u8]) -> Result<(), CapsuleError> {
        if self.has_run.load(Ordering::Acquire) || !self.gate.is_closed() {
            return Err(CapsuleError::Os(libc::EBUSY));
        }
        let (processors, nic) = state::decode(bytes, self.state_magic, &self.plan).ok_or(CapsuleError::Malformed)?;
        self.processors.load(processors)?;
        // The card checks all of its state before it takes any of it; the processors go back if it refuses.
        if self.network.nic().load(nic).is_err() {
            self.processors.unload()?;
            return Err(CapsuleError::Malformed);
        }
        self.ready.store(true, Ordering::Release);
        self.fresh.store(false, Ordering::Release);
        Ok(())
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
        self.memory
            .release()
            .map_err(Failure::while_trying("giving memory back"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Nobody is left to tell; the descriptors are closed next, which gives back what this could not.
        let _ = self.close();
    }
}
