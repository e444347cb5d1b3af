//! Lines of the control socket: a record that is read says the same again.

use herd_protocol::AtLine;
use herd_server::control::{ControlRequest, ReportLine, parse_end, parse_record};

pub(super) fn run(line: &[u8]) {
    let _ = ControlRequest::parse(line);
    let _ = parse_end(line);
    if let Some(report) = ReportLine::parse(line) {
        let again = ReportLine::parse(report.to_string().as_bytes());
        assert!(again.is_some(), "a line of ours is not read");
    }
    let Ok(record) = parse_record(line, |name| name.into()) else {
        return;
    };
    let mut written = Vec::new();
    AtLine::of(&record).write(&mut written);
    assert_eq!(parse_record(&written, |name| name.into()), Ok(record));
}
