//! The thread on which a world runs, and the requests it answers between two turns.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;

use crate::account::{OwnFaults, WindowReport};
use godwit_nic_sim::polling_thread::{pin_to, sleep_exactly, wake_early};

use crate::clock::{now_ns, run_in_real_time, sleep_until};
use crate::flow_account::FlowCounts;
use crate::generator::FLOW_COUNT;
use crate::switch::Location;
use crate::world::World;

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorldError {
    /// The thread is not running.
    Stopped,
    /// A window is open already, or the last one is not reported yet.
    WindowOpen,
    /// No window is open.
    NoWindow,
}

impl fmt::Display for WorldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Stopped => "the world is not running",
            Self::WindowOpen => "a window is open already",
            Self::NoWindow => "no window is open",
        })
    }
}

impl std::error::Error for WorldError {}

/// Where things stand since the start.
#[derive(Clone)]
pub struct Standing {
    pub flows: [FlowCounts; FLOW_COUNT],
    pub own_faults: OwnFaults,
    pub locations: Vec<Location>,
    pub damaged_hosts: Vec<usize>,
}

enum Request {
    Begin(SyncSender<Result<u64, WorldError>>),
    End(SyncSender<Result<WindowReport, WorldError>>),
    Stand(SyncSender<Standing>),
    SetRate(u64, SyncSender<()>),
    Stop,
}

/// How the thread runs.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Time between two turns.
    pub tick_ns: u64,
    /// The processor to stay on.
    pub cpu: Option<usize>,
    /// Whether the thread has real-time priority: fewer stalls of its own on a busy machine.
    pub real_time: bool,
}

/// Turns in a row without a sleep, however far behind: a thread with real-time priority starves others by that.
const TURNS_WITHOUT_SLEEP_MAX: u32 = 16;

/// A world that is running. Dropping it stops it and removes its cables.
pub struct WorldThread {
    requests: Sender<Request>,
    thread: Option<JoinHandle<()>>,
}

/// The highest weight of an ordinary thread: whoever measures others must not be late itself.
const NICE: i32 = -20;

impl WorldThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no thread, or it cannot be tied to the processor.
    pub fn start(world: World, pace: Pace) -> io::Result<Self> {
        let (requests, inbox) = channel();
        let (ready, is_ready) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("godwit-world".to_owned())
            .spawn(move || {
                sleep_exactly();
                wake_early(NICE);
                let placed = pace.cpu.is_none_or(pin_to) && (!pace.real_time || run_in_real_time());
                ready.send((!placed).then(io::Error::last_os_error)).ok();
                if placed {
                    run(world, pace.tick_ns, &inbox);
                }
            })?;
        if let Ok(Some(error)) = is_ready.recv() {
            return Err(error);
        }
        Ok(Self {
            requests,
            thread: Some(thread),
        })
    }

    fn ask<T>(&self, request: impl FnOnce(SyncSender<T>) -> Request) -> Result<Receiver<T>, WorldError> {
        let (answer, answered) = sync_channel(1);
        self.requests.send(request(answer)).map_err(|_| WorldError::Stopped)?;
        Ok(answered)
    }

    /// Opens a measuring window and gives its begin.
    pub fn begin_window(&self) -> Result<u64, WorldError> {
        self.ask(Request::Begin)?.recv().unwrap_or(Err(WorldError::Stopped))
    }

    /// Ends the window; the report comes once its frames are back or its grace is over.
    pub fn end_window(&self) -> Result<Receiver<Result<WindowReport, WorldError>>, WorldError> {
        self.ask(Request::End)
    }

    /// Where things stand.
    pub fn standing(&self) -> Result<Standing, WorldError> {
        self.ask(Request::Stand)?.recv().map_err(|_| WorldError::Stopped)
    }

    /// Another rate over all flows, from the next turn on.
    pub fn set_rate(&self, frames_per_second: u64) -> Result<(), WorldError> {
        self.ask(|answer| Request::SetRate(frames_per_second, answer))?
            .recv()
            .map_err(|_| WorldError::Stopped)
    }
}

impl Drop for WorldThread {
    fn drop(&mut self) {
        self.requests.send(Request::Stop).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn run(mut world: World, tick_ns: u64, inbox: &Receiver<Request>) {
    let mut reporting: Option<SyncSender<Result<WindowReport, WorldError>>> = None;
    let mut next_ns = now_ns();
    let mut turns_without_sleep = 0;
    loop {
        let more = world.turn(now_ns());
        loop {
            match inbox.try_recv() {
                Ok(Request::Stop) | Err(TryRecvError::Disconnected) => return,
                Ok(request) => answer(&mut world, request, &mut reporting),
                Err(TryRecvError::Empty) => break,
            }
        }
        if let Some(waiting) = reporting.take() {
            match world.account.take_report(now_ns()) {
                Some(report) => waiting.send(Ok(report)).unwrap_or(()),
                None => reporting = Some(waiting),
            }
        }
        let now_ns = now_ns();
        next_ns += tick_ns;
        if (more || next_ns <= now_ns) && turns_without_sleep < TURNS_WITHOUT_SLEEP_MAX {
            turns_without_sleep += 1;
            next_ns = now_ns;
        } else {
            turns_without_sleep = 0;
            next_ns = next_ns.max(now_ns + tick_ns / 2);
            sleep_until(next_ns);
        }
    }
}

fn answer(world: &mut World, request: Request, reporting: &mut Option<SyncSender<Result<WindowReport, WorldError>>>) {
    let now_ns = now_ns();
    match request {
        Request::Begin(answer) => {
            let begun = if world.account.begin(now_ns) {
                Ok(now_ns)
            } else {
                Err(WorldError::WindowOpen)
            };
            answer.send(begun).ok();
        }
        Request::End(answer) => {
            if world.account.end(now_ns) {
                *reporting = Some(answer);
            } else {
                answer.send(Err(WorldError::NoWindow)).ok();
            }
        }
        Request::Stand(answer) => {
            let (flows, own_faults) = world.account.totals();
            let locations = world.switch.locations().to_vec();
            answer
                .send(Standing {
                    flows,
                    own_faults,
                    locations,
                    damaged_hosts: world.damaged_hosts(),
                })
                .ok();
        }
        Request::SetRate(frames_per_second, answer) => {
            world.generator.set_rate(frames_per_second, now_ns);
            answer.send(()).ok();
        }
        Request::Stop => {}
    }
}
