//! Histories that are made up, for the tests of checkers.

use std::time::Duration;

use super::{
    Call, ClientCommand, ClientReply, Harm, HarmKind, History, Level, ServerIndex, ServerRun,
};

/// How long each call takes.
const CALL: Duration = Duration::from_millis(100);

/// Three servers in a row, Hill, Smith and Campbell, that began to run at 0 s. The wall clock was at 1,000,000 s. The
/// herd is quiet from 90 s on.
pub(super) struct Sample {
    pub(super) history: History,
}

/// An AT line for a place that is always the same.
pub(super) fn at(server: &str, client: &str, time: &str) -> String {
    format!("AT {server} +0.000000000 {client} +1+1 {time}")
}

impl Sample {
    pub(super) fn new() -> Sample {
        let mut sample = Sample {
            history: History {
                names: ["Hill", "Smith", "Campbell"].map(str::to_owned).to_vec(),
                links: vec![(0, 1), (1, 2)],
                level: Level::Memory,
                has_disks: true,
                ack_timeout: Duration::from_secs(2),
                clock_skew_max: Duration::from_secs(7_200),
                began_ns: 1_000_000 * 1_000_000_000,
                calls: Vec::new(),
                harms: Vec::new(),
                quiet_from: Duration::from_secs(90),
                dumps: Vec::new(),
            },
        };
        for server in 0..3 {
            sample.harm(server, 0, HarmKind::ProcessBegan(1));
        }
        sample
    }

    pub(super) fn harm(&mut self, server: ServerIndex, at_ms: u64, kind: HarmKind) {
        let at = Duration::from_millis(at_ms);
        self.history.harms.push(Harm {
            server,
            from: at,
            to: at,
            kind,
        });
    }

    /// Kiwi is reported with this time, and refused or acknowledged.
    pub(super) fn report(
        &mut self,
        server: ServerIndex,
        number: u32,
        at_ms: u64,
        time: &str,
        reply: Option<&str>,
    ) {
        let command = ClientCommand::Report {
            client: b"kiwi".to_vec(),
            location: "+1+1".to_owned(),
            time: time.to_owned(),
        };
        self.call(ServerRun { server, number }, at_ms, command, reply);
    }

    /// Somebody asks after kiwi.
    pub(super) fn question(
        &mut self,
        server: ServerIndex,
        number: u32,
        at_ms: u64,
        reply: Option<&str>,
    ) {
        let client = b"kiwi".to_vec();
        let command = ClientCommand::Question { client };
        self.call(ServerRun { server, number }, at_ms, command, reply);
    }

    fn call(
        &mut self,
        process: ServerRun,
        at_ms: u64,
        command: ClientCommand,
        reply: Option<&str>,
    ) {
        let invoked = Duration::from_millis(at_ms);
        let reply = match reply {
            Some(line) => ClientReply::At(line.as_bytes().to_vec()),
            None => ClientReply::Refused([b"? ".as_slice(), &command.line()].concat()),
        };
        self.history.calls.push(Call {
            process,
            connection: 100 + self.history.calls.len() as u64,
            sequence: 0,
            command,
            invoked,
            completed: invoked + CALL,
            reply,
        });
    }

    /// In the end all servers hold these.
    pub(super) fn dumps(&mut self, lines: &[&str]) {
        let dump: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        self.history.dumps = vec![dump; self.history.names.len()];
    }
}
