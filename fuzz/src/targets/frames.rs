//! Bytes to frames of a link: a frame that was read is written, and read as the same again.

use herd_replication::link::frame::{Frame, Greeting, Received};
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
        Greeting::Hello(hello) => Frame::Hello(hello),
        Greeting::Refusal(refusal) => Frame::Refusal(refusal),
    };
    match Greeting::decode(&written(&frame)) {
        Ok(again) => assert_eq!(again, greeting),
        Err(error) => panic!("a frame of ours is not read: {error}"),
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
        Received::Refusal(refusal) => Frame::Refusal(refusal.clone()),
        Received::Report { report, clock_ns } => Frame::Report {
            report: report.clone(),
            clock_ns: *clock_ns,
        },
    };
    match Received::decode(&written(&frame), anybody) {
        Ok(again) => assert_eq!(again, received),
        Err(error) => panic!("a frame of ours is not read: {error}"),
    }
}
