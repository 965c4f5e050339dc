use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

/// Work for a thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// A thread for one direction of a connection, started with the first job. Transfers wait for the peer, so they run on
/// neither the JavaScript thread nor libuv's pool, of whose four threads two waiting connections would take all.
pub struct Lane {
    name: &'static str,
    jobs: Mutex<Option<Sender<Job>>>,
}

impl Lane {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            jobs: Mutex::default(),
        }
    }

    /// Runs `job` after the jobs before it.
    pub fn submit(&self, job: Job) -> io::Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match jobs.as_ref() {
            None => job,
            Some(sender) => match sender.send(job) {
                Ok(()) => return Ok(()),
                Err(unsent) => unsent.0,
            },
        };
        let (sender, receiver) = channel::<Job>();
        std::thread::Builder::new().name(self.name.into()).spawn(move || {
            for job in receiver {
                job();
            }
        })?;
        let sent = sender.send(job);
        *jobs = Some(sender);
        sent.map_err(|_| io::Error::other("the thread ended"))
    }

    /// Lets the thread end when its jobs are done.
    pub fn end(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Runs `job` on a thread of its own.
pub fn detach(job: Job) -> io::Result<()> {
    std::thread::Builder::new()
        .name("godwit-tcp".into())
        .spawn(job)
        .map(drop)
}
