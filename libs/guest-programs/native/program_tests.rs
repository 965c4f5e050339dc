//! The programs on plain memory, as a host without KVM runs them.

extern crate std;

use core::sync::atomic::Ordering::Relaxed;
use std::vec::Vec;
use std::{format, vec};

use crate::appmembench::Pattern;
use crate::content::{Content, Page, check_page, generate};
use crate::control::ErrorKind;
use crate::layout::{CONTROL_ADDRESS, FORWARDER_ADDRESS, HOLE_END, HOLE_START, PAGE_BYTES, RINGS_ADDRESS};
use crate::plan::{PlanError, Wanted};
use crate::pool::POOL_BYTES;
use crate::program::{Command, Host};
use crate::random::Random;
use crate::{Memory, Plan, VcpuBlock, Workload, l2fwd, layout, step};

const MEMORY_BYTES: u64 = 64 << 20;

/// Counts what the programs ask for.
#[derive(Default)]
struct Listener {
    polls: u64,
    waits: u64,
}

impl Host for Listener {
    fn doorbell(&mut self, command: Command) {
        assert_eq!(Command::from_word(command.to_word()), Some(command));
        match command {
            Command::PollNic => self.polls += 1,
            Command::Wait { .. } => self.waits += 1,
        }
    }
}

struct Guest {
    bytes: Vec<u64>,
    plan: Plan,
    listener: Listener,
}

fn wanted(workload: Workload) -> Wanted {
    Wanted {
        memory_bytes: MEMORY_BYTES,
        hole: false,
        vcpu_count: 1,
        workload,
        resident_bytes: 8 << 20,
        content: Content::Mixed,
        seed: 11,
        tsc_khz: 2_000_000,
    }
}

fn writer(whole_pages: bool, pattern: Pattern) -> Workload {
    Workload::Appmembench {
        working_set_bytes: 1 << 20,
        pages_per_second: 0,
        whole_pages,
        pattern,
    }
}

impl Guest {
    fn new(wanted: &Wanted) -> Self {
        let plan = Plan::new(wanted).unwrap();
        let mut guest = Self {
            bytes: vec![0; (MEMORY_BYTES / 8) as usize],
            plan,
            listener: Listener::default(),
        };
        plan.prepare(guest.memory());
        guest
    }

    fn memory(&mut self) -> Memory {
        // SAFETY: the vector has all of the memory, and lives as long as the guest.
        unsafe { Memory::new(self.bytes.as_mut_ptr().cast(), 0) }
    }

    fn steps(&mut self, count: u32) {
        let memory = self.memory();
        for _ in 0..count {
            for vcpu_index in 0..self.plan.control.vcpu_count {
                step(memory, &self.plan.control, vcpu_index, &mut self.listener);
            }
        }
    }

    fn block(&mut self) -> &'static VcpuBlock {
        VcpuBlock::of(self.memory(), 0)
    }

    fn errors(&mut self) -> (u64, u64) {
        let block = self.block();
        (block.errors.load(Relaxed), block.first_error.load(Relaxed) >> 56)
    }

    fn page(&mut self, address: u64) -> &mut [u64] {
        &mut self.bytes[(address / 8) as usize..][..(PAGE_BYTES / 8) as usize]
    }
}

#[test]
fn every_content_is_told_from_every_other_page_and_from_itself_with_one_bit_changed() {
    for content in [Content::Text, Content::Code, Content::Random] {
        let mut page: Page = [0; 4096];
        let mut other: Page = [0; 4096];
        generate(&mut page, content, 1, 2);
        generate(&mut other, content, 1, 3);
        assert_ne!(page, other, "{content:?}");
        // SAFETY: a page of our own.
        let holds = |page: &Page| unsafe { check_page(page.as_ptr(), content, 1, 2) };
        for position in [0, 1, 2047, 4095] {
            assert!(holds(&page));
            page[position] ^= 1;
            assert!(!holds(&page), "{content:?} at {position}");
            page[position] ^= 1;
        }
    }
    let mut pages = [[0; 4096]; 200];
    for (index, page) in pages.iter_mut().enumerate() {
        generate(page, Content::Mixed, 5, index as u64);
    }
    let zero_pages = pages.iter().filter(|page| page.iter().all(|&byte| byte == 0)).count();
    assert!((5..50).contains(&zero_pages), "{zero_pages} of 200 are zero");
    let mut page: Page = [1; 4096];
    generate(&mut page, Content::Zero, 1, 1);
    assert_eq!(page, [0; 4096]);
}

#[test]
fn plans_use_memory_on_both_sides_of_the_hole_and_fit() {
    let plan = Plan::new(&Wanted {
        memory_bytes: 8 << 30,
        hole: true,
        resident_bytes: 256 << 20,
        ..wanted(Workload::L2fwd)
    });
    let area = plan.unwrap().control.resident;
    assert_eq!(area.high_address, HOLE_END);
    assert_eq!(area.low_pages, area.high_pages + area.page_count() % 2);
    assert!(area.page_count() * PAGE_BYTES + POOL_BYTES < 256 << 20);
    assert!(area.page_count() * PAGE_BYTES + POOL_BYTES > 254 << 20);
    assert!(area.address(area.low_pages - 1) < HOLE_START);
    assert_eq!(area.address(area.low_pages), HOLE_END);
    let refused = |change: fn(&mut Wanted)| {
        let mut wanted = wanted(writer(true, Pattern::Sweep));
        change(&mut wanted);
        Plan::new(&wanted).unwrap_err()
    };
    assert_eq!(refused(|wanted| wanted.memory_bytes += 4096), PlanError::MemoryBytes);
    assert_eq!(refused(|wanted| wanted.memory_bytes = 0), PlanError::MemoryBytes);
    assert_eq!(refused(|wanted| wanted.memory_bytes = u64::MAX), PlanError::MemoryBytes);
    assert_eq!(refused(|wanted| wanted.vcpu_count = 17), PlanError::VcpuCount);
    assert_eq!(
        refused(|wanted| wanted.resident_bytes = 60 << 20),
        PlanError::DoesNotFit
    );
    assert_eq!(
        refused(|wanted| wanted.resident_bytes = u64::MAX),
        PlanError::DoesNotFit
    );
    assert_eq!(
        refused(|wanted| wanted.workload = Workload::Idle {
            beat_microseconds: u64::MAX
        }),
        PlanError::Rate
    );
}

#[test]
fn idle_notices_one_page_that_is_not_what_it_should_be() {
    let mut guest = Guest::new(&wanted(Workload::Idle { beat_microseconds: 5 }));
    let pages = guest.plan.control.resident.page_count();
    guest.steps(pages as u32 + 1);
    assert_eq!(guest.errors(), (0, 0));
    assert_eq!(guest.block().checked.load(Relaxed), pages);
    assert_eq!(guest.listener.waits, pages + 1);
    let address = guest.plan.control.resident.address(pages / 2);
    guest.page(address)[77] ^= 1 << 40;
    guest.steps(pages as u32);
    assert_eq!(guest.errors(), (1, ErrorKind::Content as u64));
}

#[test]
fn appmembench_notices_lost_and_torn_pages_whatever_the_pattern() {
    for whole_pages in [false, true] {
        for pattern in [Pattern::Sweep, Pattern::Random, Pattern::Zipf] {
            let what = format!("{pattern:?}, whole pages: {whole_pages}");
            let mut guest = Guest::new(&wanted(writer(whole_pages, pattern)));
            guest.steps(40);
            assert_eq!(guest.errors(), (0, 0), "{what}");
            assert!(guest.block().iterations.load(Relaxed) >= 19, "{what}");
            // The page that every pattern comes back to often.
            let address = guest.plan.control.working_set.address(0);
            let old = guest.page(address).to_vec();
            while guest.page(address) == old {
                guest.steps(1);
            }
            let new = guest.page(address).to_vec();
            guest.page(address)[256..].copy_from_slice(&old[256..]);
            while guest.errors().0 == 0 {
                guest.steps(1);
            }
            assert_eq!(guest.errors(), (1, ErrorKind::Torn as u64), "{what}");
            let mut guest = Guest::new(&wanted(writer(whole_pages, pattern)));
            guest.steps(40);
            while guest.page(address) != new {
                guest.steps(1);
            }
            guest.page(address).copy_from_slice(&old);
            while guest.errors().0 == 0 {
                guest.steps(1);
            }
            assert_eq!(guest.errors(), (1, ErrorKind::Stale as u64), "{what}");
        }
    }
}

#[test]
fn appmembench_notices_a_page_of_its_table_that_is_old() {
    let mut guest = Guest::new(&wanted(writer(false, Pattern::Sweep)));
    let address = guest.plan.control.shadow.address(0);
    guest.steps(3);
    let old = guest.page(address).to_vec();
    guest.steps(8);
    guest.page(address).copy_from_slice(&old);
    guest.steps(8);
    assert_eq!(guest.errors().1, ErrorKind::Stale as u64);
}

#[test]
fn two_processors_share_a_working_set() {
    let mut guest = Guest::new(&Wanted {
        vcpu_count: 3,
        ..wanted(writer(true, Pattern::Sweep))
    });
    guest.steps(50);
    for vcpu_index in 0..3 {
        let block = VcpuBlock::of(guest.memory(), vcpu_index);
        assert_eq!(block.errors.load(Relaxed), 0);
        assert!(block.iterations.load(Relaxed) > 0);
    }
}

#[test]
fn the_forwarder_keeps_all_buffers_when_nothing_comes() {
    let mut guest = Guest::new(&wanted(Workload::L2fwd));
    guest.steps(5000);
    let accounting = l2fwd::accounting(guest.memory());
    assert!(accounting.adds_up());
    assert_eq!((accounting.rx, accounting.tx), (2048, 0));
    assert_eq!(l2fwd::tally(guest.memory()), (accounting, 0));
    assert_eq!(guest.errors(), (0, 0));
    assert_eq!(guest.listener.polls, 5000);
    // One page of buffer headers that is old is found by the audit.
    guest.page(layout::POOL_ADDRESS + 100 * PAGE_BYTES).fill(0);
    guest.steps(5000);
    assert_eq!(guest.errors().1, ErrorKind::Canary as u64);
}

#[test]
fn memory_from_a_hostile_peer_leads_no_program_astray() {
    let mut random = Random::new(3);
    for round in 0..60 {
        let workload = match round % 3 {
            0 => Workload::L2fwd,
            1 => writer(round % 2 == 0, Pattern::Zipf),
            _ => Workload::Idle { beat_microseconds: 1 },
        };
        let mut guest = Guest::new(&wanted(workload));
        for (address, bytes) in [
            (CONTROL_ADDRESS, 3 * PAGE_BYTES),
            (RINGS_ADDRESS, 0x1_0000),
            (FORWARDER_ADDRESS, 0x1_0000),
        ] {
            for word in &mut guest.bytes[(address / 8) as usize..][..(bytes / 8) as usize] {
                if round < 30 || random.below(4) == 0 {
                    *word = if random.below(8) == 0 { u64::MAX } else { random.next() };
                }
            }
        }
        // All that is asked is that they come back and touch nothing beyond the memory.
        guest.steps(200);
    }
}
