//! Where the threads of the virtual processors wait while a guest is paused.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Paused,
    Running,
    Ended,
}

struct State {
    wish: Wish,
    parked: Vec<bool>,
    ended: Option<String>,
}

/// How to get hold of a thread that is inside its guest.
#[derive(Default)]
struct Handle {
    thread: AtomicU32,
    immediate_exit: AtomicPtr<u8>,
}

/// Lets the threads of a guest's processors pass or not. A thread passes only under the lock, so one that was told to
/// stop is either parked or will see `stop` (and its processor's `immediate_exit`) before it enters the guest: no kick is
/// lost, whenever it comes.
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    /// Not zero while the threads shall leave their guest; they sleep on it too.
    stop: AtomicU32,
    handles: Vec<Handle>,
}

impl Gate {
    /// A closed gate for so many threads, which count as parked until they pass.
    pub fn new(thread_count: usize) -> Self {
        Self {
            state: Mutex::new(State {
                wish: Wish::Paused,
                parked: vec![true; thread_count],
                ended: None,
            }),
            changed: Condvar::new(),
            stop: AtomicU32::new(1),
            handles: (0..thread_count).map(|_| Handle::default()).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock has changed nothing by halves: all writes are single fields.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the calling thread known as number `index`. `immediate_exit` is the flag of its processor's run structure,
    /// mapped for as long as the thread may pass.
    pub fn enlist(&self, index: usize, immediate_exit: *mut u8) {
        let _guard = self.lock();
        self.handles[index]
            .immediate_exit
            .store(immediate_exit, Ordering::Relaxed);
        // SAFETY: asks for the caller's own thread id.
        self.handles[index]
            .thread
            .store(unsafe { libc::gettid() } as u32, Ordering::Relaxed);
    }

    /// Parks the calling thread until the guest shall run (true) or has ended (false).
    pub fn pass(&self, index: usize) -> bool {
        let mut state = self.lock();
        state.parked[index] = true;
        self.changed.notify_all();
        while state.wish == Wish::Paused || (state.wish == Wish::Running && state.ended.is_some()) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.wish == Wish::Ended {
            return false;
        }
        state.parked[index] = false;
        self.set_immediate_exit(index, 0);
        true
    }

    /// Whether threads shall leave their guest now.
    #[inline]
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    /// Sleeps for so long, or until threads shall leave their guest.
    pub fn sleep(&self, duration: Duration) {
        let timeout = libc::timespec {
            tv_sec: duration.as_secs() as i64,
            tv_nsec: i64::from(duration.subsec_nanos()),
        };
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word and the timeout live during the call. It returns early when `stop` changes, or for a signal.
        unsafe { libc::syscall(libc::SYS_futex, self.stop.as_ptr(), operation, 0, &raw const timeout) };
    }

    fn set_immediate_exit(&self, index: usize, value: u8) {
        let flag = self.handles[index].immediate_exit.load(Ordering::Relaxed);
        if !flag.is_null() {
            // SAFETY: enlist's caller keeps the run structure mapped; an atomic store, as the kernel reads it meanwhile.
            unsafe { AtomicU8::from_ptr(flag) }.store(value, Ordering::SeqCst);
        }
    }

    fn kick_all(&self, state: &State) {
        self.stop.store(1, Ordering::SeqCst);
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: wakes the sleepers on a word of ours.
        unsafe { libc::syscall(libc::SYS_futex, self.stop.as_ptr(), operation, i32::MAX) };
        for (index, handle) in self.handles.iter().enumerate() {
            let thread = handle.thread.load(Ordering::Relaxed);
            if !state.parked[index] && thread != 0 {
                self.set_immediate_exit(index, 1);
                // SAFETY: a thread that is not parked has not ended, so the id is its own; the handler does nothing.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, kick_signal()) };
            }
        }
    }

    /// Closes the gate and returns when every thread is parked.
    pub fn close(&self) {
        let mut state = self.lock();
        if state.wish == Wish::Running {
            state.wish = Wish::Paused;
        }
        self.kick_all(&state);
        while !state.parked.iter().all(|&parked| parked) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Opens the gate.
    pub fn open(&self) {
        let mut state = self.lock();
        if state.wish == Wish::Paused && state.ended.is_none() {
            state.wish = Wish::Running;
            self.stop.store(0, Ordering::SeqCst);
            self.changed.notify_all();
        }
    }

    /// The guest cannot go on: stops all its threads. Called by one of them, which parks next.
    pub fn fail(&self, reason: String) {
        let mut state = self.lock();
        state.ended.get_or_insert(reason);
        if state.wish == Wish::Running {
            state.wish = Wish::Paused;
        }
        self.kick_all(&state);
    }

    /// Ends all threads.
    pub fn end(&self) {
        let mut state = self.lock();
        state.wish = Wish::Ended;
        self.kick_all(&state);
        self.changed.notify_all();
    }

    /// Why the guest cannot go on, if it cannot.
    pub fn failure(&self) -> Option<String> {
        self.lock().ended.clone()
    }

    /// Whether the guest shall run.
    pub fn is_open(&self) -> bool {
        self.lock().wish == Wish::Running
    }

    /// Whether every thread is parked and the gate is closed.
    pub fn is_closed(&self) -> bool {
        let state = self.lock();
        state.wish != Wish::Running && state.parked.iter().all(|&parked| parked)
    }
}

/// The signal that gets a thread out of its guest: the first real-time signal nobody uses, with a handler that does
/// nothing.
fn kick_signal() -> i32 {
    static SIGNAL: OnceLock<i32> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        extern "C" fn nothing(_: i32) {}
        for signal in libc::SIGRTMIN() + 3..=libc::SIGRTMAX() {
            // SAFETY: all zero is a valid sigaction: the default action without flags.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: reads the present action into a structure of ours.
            let known = unsafe { libc::sigaction(signal, null_mut(), &raw mut action) } == 0;
            if known && action.sa_sigaction == libc::SIG_DFL {
                action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
                // SAFETY: the handler does nothing, which is safe at any moment; without SA_RESTART, so that the run call
                // returns.
                unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
                return signal;
            }
        }
        libc::SIGRTMAX()
    })
}

/// To be called before the first thread passes.
pub fn prepare_kicks() {
    kick_signal();
}
