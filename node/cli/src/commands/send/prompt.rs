//! The prompt for a person at a terminal: it is shown when the replies to all lines are there.

use std::io::Write as _;
use std::sync::mpsc::SyncSender;

/// The way to the thread that reads lines.
pub(super) struct Prompt {
    /// Each message lets it read one line.
    permits: SyncSender<()>,
    shown: bool,
}

impl Prompt {
    pub(super) fn new(permits: SyncSender<()>) -> Self {
        let shown = false;
        Prompt { permits, shown }
    }

    /// Lets the person type, unless that is so already.
    pub(super) fn show(&mut self) {
        if !self.shown {
            // One that waits already is as good, and a thread that has ended needs none.
            let _ = self.permits.try_send(());
            self.shown = true;
        }
    }

    /// Says that a line was typed behind the prompt.
    pub(super) fn answered(&mut self) {
        self.shown = false;
    }

    /// Leaves the line that the prompt stands on.
    pub(super) fn leave(&mut self) {
        if std::mem::take(&mut self.shown) {
            // A terminal that is gone needs no line.
            let _ = std::io::stderr().write_all(b"\n");
        }
    }
}
