//! How far a dump or load is, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often it is drawn anew.
const TICK: Duration = Duration::from_millis(500);

/// A line on standard error, if that is a terminal. It is gone when this is dropped.
pub(super) struct TransferProgress(ProgressBar);

impl TransferProgress {
    /// Shows a count, as in `template`; nothing if it is not `wanted`.
    pub(super) fn new(template: &str, wanted: bool) -> Self {
        if !wanted {
            return TransferProgress(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        TransferProgress(bar)
    }

    /// So much more was done.
    pub(super) fn add(&self, count: u64) {
        self.0.inc(count);
    }
}

impl Drop for TransferProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
