//! Bytes to frames of a link: a frame that was read is written, and read as the same again. Bytes behind a message
//! change nothing.

use herd_gossip::link::frame::{Frame, Greeting, Received, SKIPPABLE_FROM};
use herd_replica::report::AppliedReport;
use herd_topology::Incarnation;

/// Reports may speak of anybody.
fn anybody(server: &str, generation: u64) -> Option<Incarnation> {
    let server = server.into();
    Some(Incarnation { server, generation })
}

fn written(frame: &Frame) -> Vec<u8> {
    match frame.encode() {
        Ok(bytes) => bytes.to_vec(),
        Err(error) => panic!("a frame that was read cannot be written: {error}"),
    }
}

fn run_greeting(bytes: &[u8]) {
    let Ok(greeting) = Greeting::decode(bytes) else {
        return;
    };
    let frame = match greeting.clone() {
        Greeting::Hello(hello) => {
            match Greeting::decode(&with_more(bytes)) {
                Ok(Greeting::Hello(longer)) => assert_eq!(longer, hello),
                other => panic!("a hello with more behind it is read as {other:?}"),
            }
            Frame::Hello(hello)
        }
        Greeting::Refusal(refusal) => Frame::Refusal(refusal),
    };
    match Greeting::decode(&written(&frame)) {
        Ok(again) => assert_eq!(again, greeting),
        Err(error) => panic!("a frame of ours is not read: {error}"),
    }
}

/// As a later program says it.
fn with_more(bytes: &[u8]) -> Vec<u8> {
    [bytes, b"and more"].concat()
}

/// The report of a frame, with the clock of its sender.
fn report_of(bytes: &[u8]) -> Option<(AppliedReport, i64)> {
    match Received::decode(bytes, anybody) {
        Ok(Received::Report { report, clock_ns }) => Some((report, clock_ns)),
        _ => None,
    }
}

pub(super) fn run(bytes: &[u8]) {
    run_greeting(bytes);
    let Ok(received) = Received::decode(bytes, anybody) else {
        return;
    };
    let frame = match &received {
        // The guard looks into it, which is a target of its own.
        Received::Gossip(_) | Received::Hello => return,
        Received::Skipped(kind) => {
            assert!(*kind >= SKIPPABLE_FROM);
            return;
        }
        Received::Refusal(refusal) => Frame::Refusal(*refusal),
        Received::Report { report, clock_ns } => {
            let longer = report_of(&with_more(bytes));
            assert_eq!(longer, Some((report.clone(), *clock_ns)));
            Frame::Report {
                report: report.clone(),
                clock_ns: *clock_ns,
            }
        }
    };
    match Received::decode(&written(&frame), anybody) {
        Ok(again) => assert_eq!(again, received),
        Err(error) => panic!("a frame of ours is not read: {error}"),
    }
}
