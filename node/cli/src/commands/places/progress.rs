//! How far an import is, on a terminal.

use std::io::Read;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{bar:30} {percent:>3} %  {bytes} of {total_bytes}, {eta} left";

/// How often the bar is drawn anew while nothing is read.
const TICK: Duration = Duration::from_millis(500);

/// A bar on standard error, if that is a terminal. It is gone when this is dropped.
pub(super) struct ImportProgress(ProgressBar);

impl ImportProgress {
    /// A bar for `bytes` to be read.
    pub(super) fn new(bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        ImportProgress(bar)
    }

    /// A reader that moves the bar.
    pub(super) fn watch<R: Read>(&self, input: R) -> impl Read + use<R> {
        self.0.wrap_read(input)
    }
}

impl Drop for ImportProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
