//! The ends of servers of a herd on this machine, and of the herd: what a person hears of them.

use super::LocalError;
use super::certificates::Certificates;
use super::orders::Answer;
use super::process::{End, Ended};
use super::supervisor::{EndWaiter, HerdProcesses};
use crate::exit_code;

/// Exit statuses of a server that found at its start that it cannot run.
const NEVER_STARTED: [i32; 2] = [exit_code::USAGE as i32, exit_code::UNAVAILABLE as i32];

impl HerdProcesses {
    /// Reports one end. One that shows that the herd cannot start ends the others, and is returned.
    pub(super) fn note_end(&mut self, ended: Ended) -> Option<LocalError> {
        let name = ended.name.clone();
        self.running.remove(&name);
        self.links.note_end(&name);
        let status = ended.status.as_ref().ok().and_then(|status| status.code());
        let herd_stops = self.stop.told.is_cancelled();
        if ended.end == End::Killed && herd_stops {
            self.killed.push(name.to_string());
        }
        let is_first_start = !self.started_by_order.contains(&name);
        let never_started = status.filter(|code| NEVER_STARTED.contains(code));
        if let (End::Itself, Some(code), true, false) =
            (ended.end, never_started, is_first_start, herd_stops)
        {
            self.stop.told.cancel();
            return Some(LocalError::NotStarted {
                server: name,
                status: u8::try_from(code).unwrap_or(exit_code::INTERNAL),
            });
        }
        let end = end_words(&ended, status);
        self.tell_waiters(&name, &end);
        let sentence = if herd_stops {
            end
        } else if matches!(self.certificates, Certificates::Memory(_)) {
            format!("{end}; it cannot be started again, since this herd is ephemeral")
        } else {
            format!("{end}; start it again with: {}", self.start_command(&name))
        };
        self.console.note(&sentence);
        None
    }

    /// Tells those who wait for the end of a server.
    fn tell_waiters(&mut self, name: &str, sentence: &str) {
        let all = std::mem::take(&mut self.waiting_for_end);
        for (server, waiter) in all {
            if *server != *name {
                self.waiting_for_end.push((server, waiter));
                continue;
            }
            // Who waited may be gone.
            match waiter {
                EndWaiter::Ending(answer) => {
                    drop(answer.send(Answer::Done(Ok(sentence.to_owned()))));
                }
                EndWaiter::Starting(ended) => drop(ended.send(sentence.to_owned())),
            }
        }
    }

    /// How the herd has ended.
    pub(super) fn ending(&mut self) -> Result<(), LocalError> {
        if self.stop.kill.is_cancelled() {
            return Err(LocalError::Interrupted);
        }
        if !self.killed.is_empty() {
            return Err(LocalError::Killed(std::mem::take(&mut self.killed)));
        }
        if !self.stop.told.is_cancelled() {
            return Err(LocalError::NoServerLeft);
        }
        Ok(())
    }
}

/// How a server ended.
fn end_words(ended: &Ended, status: Option<i32>) -> String {
    let Ended { name, pid, .. } = ended;
    match (ended.end, status) {
        (End::Told, Some(0)) => format!("{name} stopped"),
        (End::Told, _) => format!("{name} (process {pid}), told to stop, {}", ended.describe()),
        (End::Killed, _) => format!("{name} (process {pid}) did not stop and was killed"),
        (End::Itself, _) => format!("{name} {}", ended.describe()),
    }
}
