use std::time::Duration;

use crate::approach::ApproachTurn;
use crate::frame::{FrameType, u64_at};
use crate::page_runs;
use crate::pump_error::PumpError;
use crate::source_pump::SourcePump;

/// How long the source looks for late frames after RUNNING: until none came for so many turns.
const LATE_TURN: Duration = Duration::from_micros(200);
const LATE_QUIET_TURNS: u32 = 5;
const LATE_TURNS_MAX: u32 = 100;

/// How long each part of the blackout took, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Switchover {
    /// What was sent just before the stop; not part of the blackout.
    pub approach: Vec<ApproachTurn>,
    /// From the call that stops the processors here to the moment they run there.
    pub blackout_ns: u64,
    pub pause_ns: u64,
    pub collect_ns: u64,
    pub send_ns: u64,
    pub state_ns: u64,
    pub start_ns: u64,
    /// Everything that left during the blackout.
    pub wire_bytes: u64,
    pub state_bytes: u64,
    pub pages: u64,
    pub destination_cpu_us: u64,
    /// When the processors were told to stop, and when COMMIT left, on this machine's CLOCK_MONOTONIC.
    pub paused_at_ns: u64,
    pub committed_at_ns: u64,
}

/// Where a switchover that did not succeed leaves the guest.
#[derive(Debug)]
pub enum SwitchoverFailure {
    /// It runs here again, as if nothing had happened.
    Resumed(PumpError),
    /// COMMIT left, and RUNNING did not come: it may run there. Here it stays frozen. With what was measured so far.
    InDoubt(PumpError, Box<Switchover>),
}

impl SourcePump {
    /// Stops the guest here and starts it there: one critical section without a JavaScript turn.
    ///
    /// (`approach`: see [`SourcePump::approach`]) - pause - collect the last dirty set - send it - save and send the execution state - READY - COMMIT - RUNNING.
    /// Whatever fails before COMMIT resumes the guest here at once.
    pub fn switchover(
        &mut self,
        pending: &mut Vec<u64>,
        encode: bool,
        approach: bool,
        epoch: u64,
    ) -> Result<Switchover, SwitchoverFailure> {
        let mut timing = Switchover::default();
        // A page can only be torn that has changed since it was sent: that fault needs a last dirty set worth the name.
        if approach && self.parts.dirty.is_some() && self.parts.torn.is_none() {
            timing.approach = self.approach(pending, encode).map_err(SwitchoverFailure::Resumed)?;
        }
        let paused_at = self.now_ns();
        timing.paused_at_ns = paused_at;
        if let Err(error) = self.move_everything(pending, encode, epoch, paused_at, &mut timing) {
            return Err(SwitchoverFailure::Resumed(self.resume_after(error)));
        }
        if !self.cancellation.commit() {
            let cancelled = self.cancellation.check().err();
            let error = cancelled.unwrap_or_else(|| PumpError::protocol("committed twice"));
            return Err(SwitchoverFailure::Resumed(self.resume_after(error)));
        }
        let committed_at = self.now_ns();
        timing.committed_at_ns = committed_at;
        if let Err(error) = self.commit(epoch) {
            return Err(SwitchoverFailure::InDoubt(error, Box::new(timing)));
        }
        let heard_at = self.now_ns();
        // RUNNING: epoch, start time there, CPU time there. What it says of the time can only lie in between.
        let started_at = match u64_at(&self.body, 8) {
            there if self.parts.same_clock && (committed_at..=heard_at).contains(&there) => there,
            _ => heard_at,
        };
        timing.destination_cpu_us = u64_at(&self.body, 16);
        timing.start_ns = started_at.saturating_sub(committed_at);
        timing.blackout_ns = started_at.saturating_sub(paused_at);
        Ok(timing)
    }

    fn move_everything(
        &mut self,
        pending: &mut Vec<u64>,
        encode: bool,
        epoch: u64,
        paused_at: u64,
        timing: &mut Switchover,
    ) -> Result<(), PumpError> {
        let wire_before = self.parts.link.counters().bytes_sent;
        self.parts
            .execution
            .pause()
            .map_err(|error| PumpError::local(error, "pausing the guest"))?;
        let paused = self.now_ns();
        timing.pause_ns = paused - paused_at;

        if self.parts.dirty.is_some() {
            self.collect_into(pending)?;
        }
        let runs = page_runs::of_bitmap(pending);
        timing.pages = runs.iter().map(|run| run.page_count).sum();
        let collected = self.now_ns();
        timing.collect_ns = collected - paused;

        self.send_runs(&runs, encode, true)?;
        let sent = self.now_ns();
        timing.send_ns = sent - collected;

        let mut body = std::mem::take(&mut self.body);
        body.clear();
        body.extend_from_slice(&epoch.to_le_bytes());
        let saved = self.parts.execution.save(&mut body);
        timing.state_bytes = (body.len() - 8) as u64;
        let stated = saved
            .map_err(|error| PumpError::local(error, "saving the execution state"))
            .and_then(|()| {
                self.parts
                    .link
                    .send(FrameType::State, &body, &[])
                    .map_err(|error| self.broken(error))
            });
        self.body = body;
        stated?;
        self.expect_reply(FrameType::Ready, &epoch.to_le_bytes())?;
        timing.state_ns = self.now_ns() - sent;
        timing.wire_bytes = self.parts.link.counters().bytes_sent - wire_before;
        Ok(())
    }

    /// From here on only the destination knows whether the guest runs.
    fn commit(&mut self, epoch: u64) -> Result<(), PumpError> {
        let what = "the connection broke between COMMIT and RUNNING";
        self.parts
            .link
            .send(FrameType::Commit, &epoch.to_le_bytes(), &[])
            .map_err(|error| PumpError::link(error, what))?;
        self.expect_reply(FrameType::Running, &epoch.to_le_bytes())?;
        if self.body.len() == 24 {
            Ok(())
        } else {
            Err(PumpError::protocol("a RUNNING frame of a wrong length"))
        }
    }

    /// The world outside goes on sending here until it has heard where the guest is now; what comes meanwhile is forwarded.
    /// The guest runs, so nothing of this may fail the migration: at worst a frame is lost, as networks lose frames.
    pub(crate) fn forward_late(&mut self) {
        let mut quiet_turns = 0;
        for _ in 0..LATE_TURNS_MAX {
            self.body.clear();
            if self.parts.execution.drain_late(&mut self.body).is_err() {
                return;
            }
            if self.body.is_empty() {
                quiet_turns += 1;
                if quiet_turns == LATE_QUIET_TURNS {
                    return;
                }
                std::thread::sleep(LATE_TURN);
                continue;
            }
            quiet_turns = 0;
            if self.parts.link.send(FrameType::Late, &self.body, &[]).is_err() {
                return;
            }
        }
    }

    fn resume_after(&self, error: PumpError) -> PumpError {
        match self.parts.execution.resume() {
            Ok(()) => {
                // Whoever heard of a move that did not happen is told that the guest is here.
                let _ = self.parts.execution.announce();
                error
            }
            Err(resume_error) => PumpError::new(
                "ERR_GODWIT_GUEST_LOST",
                format!("the guest could not be resumed ({resume_error}) after: {error}"),
            ),
        }
    }
}
