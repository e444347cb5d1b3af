//! Lines of the control socket: a record that is read says the same again.

use herd_server::control::{ControlRequest, ReportLine, parse_end, parse_record, write_record};

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
    write_record(&record, &mut written);
    written.pop();
    assert_eq!(parse_record(&written, |name| name.into()), Ok(record));
}
