use std::path::PathBuf;

use godwit_nic_sim::{DEFAULT_RING_BYTES, announcement_frame};

use super::*;
use crate::account::WindowReport;
use crate::mirror::Mirror;

const MACS: [Mac; FLOW_COUNT] = [[2, 0, 0, 0, 1, 0], [2, 0, 0, 0, 1, 1]];
const RATE: u64 = 100_000;
const TICK_NS: u64 = 50_000;

/// A world on a virtual clock with the hosts' ends of its cables.
struct Bench {
    world: World,
    hosts: Vec<Cable>,
    now_ns: u64,
}

fn paths(name: &str) -> [PathBuf; 2] {
    [0, 1].map(|host| {
        PathBuf::from(format!(
            "/dev/shm/godwit-world-test-{}-{name}-{host}",
            std::process::id()
        ))
    })
}

fn world(paths: &[PathBuf; 2]) -> World {
    let cables = paths
        .iter()
        .map(|path| Cable::create(path, DEFAULT_RING_BYTES).unwrap())
        .collect();
    World::new(
        cables,
        MACS,
        Generator::new(RATE, 64, 2 * TICK_NS, 0),
        Account::new(1_000_000),
        0,
    )
}

impl Bench {
    fn new(name: &str) -> Self {
        let paths = paths(name);
        let world = world(&paths);
        let hosts = paths.iter().map(|path| Cable::open(path).unwrap()).collect();
        Self {
            world,
            hosts,
            now_ns: 0,
        }
    }

    fn turn(&mut self) {
        self.now_ns += TICK_NS;
        while self.world.turn(self.now_ns) {}
    }

    fn announce(&mut self, host: usize) {
        self.hosts[host].attach();
        for (port, mac) in MACS.into_iter().enumerate() {
            assert!(self.hosts[host].from_guest(port).push(&announcement_frame(mac)));
        }
    }

    /// Takes frames from a host's cable as its guest would send them on.
    fn take(&mut self, host: usize) -> Vec<(usize, Vec<u8>)> {
        let mut buffer = [0; MAX_FRAME_BYTES];
        let mut frames = Vec::new();
        for port in 0..NIC_PORT_COUNT {
            while let Some(length) = self.hosts[host].to_guest(port).pop(&mut buffer) {
                let mut frame = buffer[..length].to_vec();
                frame[..12].rotate_left(6);
                frames.push((1 - port, frame));
            }
        }
        frames
    }

    fn give(&mut self, host: usize, frames: &[(usize, Vec<u8>)]) {
        for (port, frame) in frames {
            assert!(self.hosts[host].from_guest(*port).push(frame));
        }
    }

    fn bounce(&mut self, host: usize, turns: usize) {
        for _ in 0..turns {
            self.turn();
            let frames = self.take(host);
            self.give(host, &frames);
        }
    }

    fn report(&mut self) -> WindowReport {
        assert!(self.world.account.end(self.now_ns));
        self.turn();
        self.world.account.take_report(self.now_ns + 2_000_000).unwrap()
    }
}

fn sum(report: &WindowReport, of: impl Fn(&crate::flow_account::FlowCounts) -> u64) -> u64 {
    report.flows.iter().map(|flow| of(&flow.counts)).sum()
}

#[test]
fn everything_that_is_offered_returns_at_the_rate_that_was_asked_for() {
    let mut bench = Bench::new("returns");
    bench.announce(0);
    bench.bounce(0, 10);
    assert!(bench.world.account.begin(bench.now_ns) && !bench.world.account.begin(bench.now_ns));
    bench.bounce(0, 20_000);
    let report = bench.report();
    assert_eq!(sum(&report, |counts| counts.offered), RATE);
    assert_eq!(sum(&report, |counts| counts.returned), RATE);
    assert_eq!(
        sum(&report, |counts| counts.duplicated
            + counts.reordered
            + counts.corrupted),
        0
    );
    assert_eq!(report.latency.max_ns(), TICK_NS);
    assert!(report.flows.iter().all(|flow| flow.longest_gap_ns == TICK_NS));
}

#[test]
fn frames_of_the_old_host_do_not_undo_a_move() {
    let mut bench = Bench::new("move");
    bench.announce(0);
    bench.bounce(0, 10);
    bench.turn();
    // The old host's last frames and the new host's announcement wait at the same time, whichever ring is read first.
    for (from, to) in [(0, 1), (1, 0)] {
        let last = bench.take(from);
        assert!(!last.is_empty());
        bench.give(from, &last);
        bench.announce(to);
        bench.turn();
        assert!(
            bench
                .world
                .switch
                .locations()
                .iter()
                .filter(|known| MACS.contains(&known.mac))
                .all(|known| known.host == to)
        );
        assert!(bench.take(from).is_empty());
        bench.hosts[from].detach();
        bench.bounce(to, 3);
        bench.turn();
    }
}

#[test]
fn frames_without_a_host_and_into_a_full_ring_are_offered_and_lost() {
    let mut bench = Bench::new("lost");
    assert!(bench.world.account.begin(0));
    bench.turn();
    bench.announce(0);
    for _ in 0..4000 {
        bench.turn();
    }
    let report = bench.report();
    let carried = 2 * (DEFAULT_RING_BYTES as u64 / 72);
    assert_eq!(sum(&report, |counts| counts.offered), RATE / 5 + 4);
    assert_eq!(sum(&report, |counts| counts.dropped_without_link), 4);
    assert_eq!(sum(&report, |counts| counts.dropped_at_ring), RATE / 5 - carried);
    assert_eq!(report.flows[0].longest_gap_ns, 4001 * TICK_NS);
}

#[test]
fn unknown_addresses_are_flooded_and_nothing_goes_back_where_it_came_from() {
    let mut bench = Bench::new("flood");
    bench.hosts[0].attach();
    bench.hosts[1].attach();
    bench.turn();
    let (first, second) = (bench.take(0), bench.take(1));
    assert!(!first.is_empty() && first == second);
    bench.world.generator.set_rate(0, bench.now_ns);
    let mut frame = vec![0; 60];
    frame[..6].copy_from_slice(&[0xff; 6]);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 9, 9]);
    bench.give(0, &[(1, frame.clone())]);
    bench.turn();
    assert!(bench.take(0).is_empty());
    assert_eq!(bench.take(1).len(), 1);
    // A frame between two guests.
    frame[..12].rotate_left(6);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 9, 8]);
    bench.give(1, &[(0, frame.clone())]);
    bench.give(0, &[(0, frame)]);
    bench.turn();
    assert_eq!(bench.take(0).len(), 1);
    assert!(bench.take(1).is_empty());
    bench.give(0, &[(0, vec![1; 5])]);
    bench.turn();
}

#[test]
fn a_mirror_bounces_what_the_world_sends() {
    let paths = paths("mirror");
    let mut world = world(&paths);
    let mirror = Mirror::open(&paths[0]).unwrap();
    mirror.announce(MACS);
    assert!(world.account.begin(0));
    let mut now_ns = 0;
    while mirror.bounced_frames() < 20_000 {
        // The mirror has a thread of its own; the world waits for it instead of running ahead.
        let (flows, _) = world.account.totals();
        if flows.iter().map(|counts| counts.offered - counts.returned).sum::<u64>() < 256 {
            now_ns += TICK_NS;
        }
        world.turn(now_ns);
        std::thread::yield_now();
    }
    assert!(world.account.end(now_ns));
    let report = loop {
        world.turn(now_ns);
        if let Some(report) = world.account.take_report(now_ns) {
            break report;
        }
        std::thread::yield_now();
    };
    assert!(sum(&report, |counts| counts.offered) >= 20_000);
    assert_eq!(sum(&report, |counts| counts.offered - counts.returned), 0);
    drop(mirror);
    drop(world);
    assert!(!paths[0].exists() && !paths[1].exists());
}
