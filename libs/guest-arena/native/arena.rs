//! Makes a guest of an arena: memory without anything underneath, and threads.

use std::sync::Arc;

use godwit_guest_host::{Blueprint, Failure, HostMemory, Machine, Parts};

use crate::workload_threads::WorkloadThreads;

const STATE_MAGIC: [u8; 4] = *b"GWAS";

/// Makes a guest, paused. One that is not empty has its program's memory and its resident content.
pub fn make(blueprint: Blueprint) -> Result<Machine, Failure> {
    let Blueprint {
        plan,
        huge_pages,
        record_writes,
        ..
    } = blueprint;
    let failed = Failure::while_trying("guest memory");
    let memory = HostMemory::new(plan.memory_bytes, plan.hole_bytes, huge_pages, record_writes).map_err(&failed)?;
    if !blueprint.empty {
        memory.fill(&plan).map_err(&failed)?;
    }
    let parts = Parts {
        memory: Arc::new(memory),
        processors: Arc::new(WorkloadThreads {
            program: plan.control.program,
        }),
        state_magic: STATE_MAGIC,
    };
    Machine::new(blueprint, parts)
}
