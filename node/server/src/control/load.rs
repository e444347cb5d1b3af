//! Records from lines, as if they had just been heard here.

use std::collections::BTreeSet;
use std::time::Duration;

use herd_acknowledgement::Begun;
use herd_crdt::{Outcome, Record, ServerName};
use tokio::time::timeout;

use super::listen::Control;
use super::session::{ControlSession, IDLE_MAX, SessionError};
use super::{
    DumpLoadReport, InvalidEndLine, InvalidRecordLine, ReportLine, parse_end, parse_record,
};
use herd_locations::TombstonesRead;
use herd_protocol::{Fields, Line};

/// How often the other side hears that the server is still at it.
const WAIT_LINE_GAP: Duration = Duration::from_secs(5);

/// The longest wait until a server that has just started knows whether the others read tombstones: less than the other
/// side waits for a sign of life.
const READERS_WAIT_MAX: Duration = Duration::from_secs(45);

/// Names of servers that are shared between records. A herd has far fewer.
const SHARED_NAMES_MAX: usize = 1_024;

/// Takes in all records up to the end of the stream, and answers with the counts.
pub(super) async fn run(session: &mut ControlSession) -> Result<(), SessionError> {
    let control = session.control.clone();
    let begun = control.confirm.begin();
    // If that is not known by then, tombstones are refused.
    let readers_known = control.locations.tombstone_readers_known();
    let _ = timeout(READERS_WAIT_MAX, readers_known).await;
    let mut intake = Intake::new(&control);
    loop {
        while let Some(line) = session.reader.next_line() {
            intake.take(line, true);
        }
        // Replication slows loads as it slows clients.
        control.locations.ready_for_more().await;
        tokio::task::yield_now().await;
        match timeout(IDLE_MAX, session.read()).await {
            Err(_) => return Err(SessionError::Idle(IDLE_MAX)),
            Ok(Err(error)) => return Err(error.into()),
            Ok(Ok(0)) => break,
            Ok(Ok(_)) => {}
        }
    }
    if let Some(line) = session.reader.finish() {
        intake.take(line, false);
    }
    let report = intake.report;
    let mut answer = String::new();
    for invalid in report.invalid {
        answer.push_str(&format!("{}\n", ReportLine::Invalid(invalid)));
    }
    answer.push_str(&format!("{}\n", ReportLine::Loaded(report.counts)));
    session.write(answer.as_bytes()).await?;
    let confirmed = match confirmed(session, &control, begun).await? {
        Ok(()) => ReportLine::Confirmed,
        Err(reason) => ReportLine::Unconfirmed(reason),
    };
    session.write(format!("{confirmed}\n").as_bytes()).await
}

async fn confirmed(
    session: &mut ControlSession,
    control: &Control,
    begun: Begun,
) -> Result<Result<(), String>, SessionError> {
    let mut confirming = control.confirm.confirm(begun);
    loop {
        match timeout(WAIT_LINE_GAP, &mut confirming).await {
            Ok(confirmed) => return Ok(confirmed),
            Err(_) => {
                let wait = format!("{}\n", ReportLine::Wait);
                session.write(wait.as_bytes()).await?;
            }
        }
    }
}

/// Takes in lines one by one.
struct Intake<'a> {
    control: &'a Control,
    /// Lines so far.
    lines: u64,
    /// Those of them that should be records.
    records: u64,
    /// Whether the end came.
    ended: bool,
    names: BTreeSet<ServerName>,
    report: DumpLoadReport,
}

impl<'a> Intake<'a> {
    fn new(control: &'a Control) -> Self {
        Intake {
            control,
            lines: 0,
            records: 0,
            ended: false,
            names: BTreeSet::new(),
            report: DumpLoadReport::default(),
        }
    }

    /// Takes in the next line. It is `whole` if a line end stood behind it.
    fn take(&mut self, line: Line<'_>, whole: bool) {
        self.lines += 1;
        let text = match line {
            Line::Text(text) => text,
            Line::Oversized(_) => {
                self.records += 1;
                return self.refuse(&InvalidRecordLine::TooLong);
            }
        };
        if Fields::new(text).next().is_none() {
            return;
        }
        if let Some(end) = parse_end(text) {
            return match end.and_then(|end| self.check_end(end.records)) {
                Ok(()) => self.report.counts.ended = true,
                Err(invalid) => self.refuse(&invalid.into()),
            };
        }
        self.records += 1;
        match self.record(text, whole) {
            Ok(record) => {
                let time_ns = record.time().ns();
                let outcome = self.control.locations.report(record);
                if outcome == Outcome::Expired && self.is_current(time_ns) {
                    return self.refuse(&InvalidRecordLine::KeptOut);
                }
                self.report.counts.count(outcome);
            }
            Err(invalid) => self.refuse(&invalid),
        }
    }

    /// Whether a record of this time has not expired by this server's clock.
    fn is_current(&self, time_ns: i64) -> bool {
        let now_ns = self.control.clock.now_ns();
        let expire_after = self.control.expire_after;
        expire_after.is_some_and(|after| after.is_current(time_ns, now_ns))
    }

    fn check_end(&mut self, told: u64) -> Result<(), InvalidEndLine> {
        let seen = self.records;
        if std::mem::replace(&mut self.ended, true) {
            return Err(InvalidEndLine::Second);
        }
        if told != seen {
            return Err(InvalidEndLine::Count { told, seen });
        }
        Ok(())
    }

    fn record(&mut self, text: &[u8], whole: bool) -> Result<Record, InvalidRecordLine> {
        if self.ended {
            return Err(InvalidRecordLine::BehindEnd);
        }
        if !whole {
            // A time that lost its last digits is a time as well.
            return Err(InvalidRecordLine::CutOff);
        }
        let names = &mut self.names;
        let record = parse_record(text, |name| shared(names, name))?;
        if let Some(skew) = self.control.max_clock_skew {
            let skew_ns = i64::try_from(skew.as_nanos()).unwrap_or(i64::MAX);
            let limit_ns = self.control.clock.now_ns().saturating_add(skew_ns);
            if record.time().ns() > limit_ns {
                return Err(InvalidRecordLine::Ahead);
            }
        }
        if record.is_tombstone() {
            match self.control.locations.tombstones_read() {
                TombstonesRead::ByAll => {}
                TombstonesRead::NotBy(_) => return Err(InvalidRecordLine::Unread),
                TombstonesRead::Unknown => return Err(InvalidRecordLine::ReadersUnknown),
            }
        }
        Ok(record)
    }

    fn refuse(&mut self, invalid: &InvalidRecordLine) {
        self.report.refuse(self.lines, invalid);
    }
}

/// The name, from those seen before if it is among them.
fn shared(names: &mut BTreeSet<ServerName>, name: &str) -> ServerName {
    if let Some(known) = names.get(name) {
        return known.clone();
    }
    let name = ServerName::from(name);
    if names.len() < SHARED_NAMES_MAX {
        names.insert(name.clone());
    }
    name
}
