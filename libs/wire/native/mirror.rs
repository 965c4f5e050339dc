//! A host without a guest: it bounces every frame as the guest's forwarder would. For tests, and for measuring the world
//! itself.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use godwit_nic_sim::polling_thread::sleep_exactly;
use godwit_nic_sim::{Cable, MAX_FRAME_BYTES, NIC_PORT_COUNT, announcement_frame};

use crate::clock::{now_ns, sleep_until};
use crate::test_frame::Mac;

const POLL_INTERVAL_NS: u64 = 20_000;
const BURST: usize = 256;

/// What happens to the next frames, before they are bounced: each count is used up frame by frame, in this order.
#[derive(Clone, Copy, Default)]
pub struct Mischief {
    pub drop_frames: u64,
    pub duplicate_frames: u64,
    pub corrupt_frames: u64,
    /// Frames that are sent after the one that follows them.
    pub swap_frames: u64,
}

impl Mischief {
    fn is_done(&self) -> bool {
        self.drop_frames + self.duplicate_frames + self.corrupt_frames + self.swap_frames == 0
    }
}

type Frame = Vec<u8>;

struct State {
    cable: Cable,
    held: bool,
    mischief: Mischief,
    bounced_frames: u64,
    /// Frames to bounce before those of the cable: forwarded from another host.
    injected: [VecDeque<Frame>; NIC_PORT_COUNT],
    /// Bounced frames that found the cable full, by the port they leave from.
    leaving: [VecDeque<Frame>; NIC_PORT_COUNT],
    /// A frame that waits for its follower, by the port it leaves from.
    swapped: [Option<Frame>; NIC_PORT_COUNT],
}

/// A running mirror. Dropping it unplugs it.
pub struct Mirror {
    state: Arc<Mutex<State>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl State {
    fn turn(&mut self) -> usize {
        if self.held {
            return 0;
        }
        let mut moved = 0;
        let mut buffer = [0; MAX_FRAME_BYTES];
        for port in 0..NIC_PORT_COUNT {
            let exit = NIC_PORT_COUNT - 1 - port;
            for _ in 0..BURST {
                if !self.flush(exit) {
                    break;
                }
                let frame = match self.injected[port].pop_front() {
                    Some(frame) => frame,
                    None => match self.cable.to_guest(port).pop(&mut buffer) {
                        Some(length) => buffer[..length].to_vec(),
                        None => break,
                    },
                };
                moved += 1;
                self.bounce(frame, exit);
            }
            self.flush(exit);
        }
        moved
    }

    fn flush(&mut self, exit: usize) -> bool {
        while let Some(frame) = self.leaving[exit].front() {
            if !self.cable.from_guest(exit).push(frame) {
                return false;
            }
            self.leaving[exit].pop_front();
        }
        true
    }

    fn bounce(&mut self, mut frame: Frame, exit: usize) {
        if frame.len() < 14 {
            return;
        }
        let (destination, rest) = frame.split_at_mut(6);
        destination.swap_with_slice(&mut rest[..6]);
        self.bounced_frames += 1;
        let mischief = &mut self.mischief;
        if mischief.drop_frames > 0 {
            mischief.drop_frames -= 1;
        } else if mischief.duplicate_frames > 0 {
            mischief.duplicate_frames -= 1;
            self.leaving[exit].push_back(frame.clone());
            self.leaving[exit].push_back(frame);
        } else if mischief.corrupt_frames > 0 {
            mischief.corrupt_frames -= 1;
            if let Some(last) = frame.last_mut() {
                *last ^= 0x10;
            }
            self.leaving[exit].push_back(frame);
        } else if mischief.swap_frames > 0 && self.swapped[exit].is_none() {
            mischief.swap_frames -= 1;
            self.swapped[exit] = Some(frame);
        } else {
            self.leaving[exit].push_back(frame);
            self.leaving[exit].extend(self.swapped[exit].take());
        }
    }
}

impl Mirror {
    /// Opens the host's end of a cable and plugs in.
    ///
    /// # Errors
    /// When the path is no cable, or there can be no thread.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut cable = Cable::open(path)?;
        cable.attach();
        let state = Arc::new(Mutex::new(State {
            cable,
            held: false,
            mischief: Mischief::default(),
            bounced_frames: 0,
            injected: Default::default(),
            leaving: Default::default(),
            swapped: Default::default(),
        }));
        let stopping = Arc::new(AtomicBool::new(false));
        let (own_state, own_stopping) = (Arc::clone(&state), Arc::clone(&stopping));
        let thread = std::thread::Builder::new()
            .name("godwit-mirror".to_owned())
            .spawn(move || {
                sleep_exactly();
                while !own_stopping.load(Ordering::Acquire) {
                    if own_state.lock().unwrap_or_else(PoisonError::into_inner).turn() == 0 {
                        sleep_until(now_ns() + POLL_INTERVAL_NS);
                    }
                }
            })?;
        Ok(Self {
            state,
            stopping,
            thread: Some(thread),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces these addresses, one from each port.
    pub fn announce(&self, macs: [Mac; NIC_PORT_COUNT]) {
        let mut state = self.state();
        for (port, mac) in macs.into_iter().enumerate() {
            state.leaving[port].push_back(announcement_frame(mac).to_vec());
            state.flush(port);
        }
    }

    /// Stops bouncing; when this returns, no frame is bounced any more.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// Goes on.
    pub fn release(&self) {
        self.state().held = false;
    }

    /// What happens to the next frames.
    pub fn arrange(&self, mischief: Mischief) {
        self.state().mischief = mischief;
    }

    /// Whether everything that was arranged has happened.
    pub fn is_mischief_done(&self) -> bool {
        let state = self.state();
        state.mischief.is_done() && state.swapped.iter().all(Option::is_none)
    }

    /// Frames bounced so far, dropped ones too.
    pub fn bounced_frames(&self) -> u64 {
        self.state().bounced_frames
    }

    /// Gives the frames that wait here to another mirror, which bounces them before those of its own cable. Gives how many.
    pub fn forward_waiting(&self, other: &Self) -> usize {
        let mut taken: [VecDeque<Frame>; NIC_PORT_COUNT] = Default::default();
        let mut buffer = [0; MAX_FRAME_BYTES];
        {
            let mut state = self.state();
            for (port, frames) in taken.iter_mut().enumerate() {
                frames.append(&mut state.injected[port]);
                while let Some(length) = state.cable.to_guest(port).pop(&mut buffer) {
                    frames.push_back(buffer[..length].to_vec());
                }
            }
        }
        let count = taken.iter().map(VecDeque::len).sum();
        let mut state = other.state();
        for (port, frames) in taken.iter_mut().enumerate() {
            state.injected[port].append(frames);
        }
        count
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
