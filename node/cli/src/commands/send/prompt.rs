//! The prompt for a person at a terminal.

use std::io::Write as _;

use herd_text::printable::Printable;

/// Writes to standard error, so that standard output holds replies only.
pub(super) struct Prompt {
    text: String,
    shown: bool,
}

impl Prompt {
    pub(super) fn new(to: &str) -> Self {
        Prompt {
            text: format!("{}> ", Printable(to.as_bytes())),
            shown: false,
        }
    }

    /// Shows the prompt, unless it stands there already.
    pub(super) fn show(&mut self) {
        if !self.shown {
            self.write(&self.text);
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
            self.write("\n");
        }
    }

    fn write(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        // A terminal that is gone needs no prompt.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
