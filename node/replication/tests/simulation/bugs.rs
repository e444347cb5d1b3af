//! Notes what the code under simulation itself calls a defect: a message that begins with `BUG:`, or the end of
//! a gossip engine. With `HERD_SIM_LOG` set, everything that it logs is printed too.

use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

use super::trace::Trace;

/// Set to see the log.
const LOG_VARIABLE: &str = "HERD_SIM_LOG";

/// What was found so far, on this thread.
#[derive(Clone, Default)]
pub(super) struct Bugs {
    found: Arc<Mutex<Vec<String>>>,
    trace: Trace,
}

struct Watcher {
    bugs: Bugs,
    level: Level,
}

impl Bugs {
    /// What is logged goes into the trace too.
    pub(super) fn traced(trace: &Trace) -> Self {
        Bugs {
            found: Arc::default(),
            trace: trace.clone(),
        }
    }

    /// Watches everything that this thread logs until the guard is dropped.
    pub(super) fn watch(&self) -> DefaultGuard {
        let level = match std::env::var_os(LOG_VARIABLE) {
            Some(_) => Level::DEBUG,
            None if self.trace.is_on() => Level::INFO,
            None => Level::WARN,
        };
        tracing::subscriber::set_default(Watcher {
            bugs: self.clone(),
            level,
        })
    }

    /// The first one.
    pub(super) fn first(&self) -> Option<String> {
        self.found.lock().first().cloned()
    }
}

impl Subscriber for Watcher {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with("herd")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        self.bugs
            .trace
            .add(|| format!("{}{}", text.message, text.fields));
        if self.level == Level::DEBUG {
            let at = tokio::time::Instant::now();
            println!(
                "{at:?} {} {}{}",
                event.metadata().level(),
                text.message,
                text.fields
            );
        }
        let is_bug = text.message.starts_with("BUG") || text.message.starts_with("gossip failed");
        if is_bug {
            let mut found = self.bugs.found.lock();
            found.push(format!("{}{}", text.message, text.fields));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[test]
fn lines_that_say_bug_are_found_and_other_errors_are_not() {
    let bugs = Bugs::default();
    let _watching = bugs.watch();
    tracing::error!(target: "herd_replication", "the store has failed");
    assert_eq!(bugs.first(), None);
    tracing::error!(target: "herd_replication", slot = 3, "BUG: a slot holds no group");
    assert_eq!(
        bugs.first().as_deref(),
        Some("BUG: a slot holds no group slot=3")
    );
}
