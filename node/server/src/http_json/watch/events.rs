//! The text of events.

use herd_locations::Said;
use herd_protocol::EndReason;
use serde::Serialize;

use crate::http_json::record_view::{ClientView, RecordView};
use crate::location_service::WatchListener;

/// Bytes of events that wait to be sent, beyond which no further ones are made: they are made of what is so when there is
/// room for them.
const WAITING_BYTES_MAX: usize = 16 * 1024;

/// The first bytes: a browser that lost the server comes back after this number of milliseconds.
pub(super) const HELLO: &[u8] = b"retry: 3000\n\n";

/// A line that says nothing but that the server is alive.
pub(super) const ALIVE: &[u8] = b": alive\n\n";

/// Events that wait to be sent.
pub(super) struct Events<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) now_ns: i64,
}

#[derive(Serialize)]
struct LiveView {
    clients: usize,
}

#[derive(Serialize)]
struct EndView {
    reason: &'static str,
}

/// Appends one event.
fn write(out: &mut Vec<u8>, name: &str, data: &impl Serialize) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // JSON on one line; writing to a Vec does not fail, and nothing of it can fail to become JSON.
    let _ = serde_json::to_writer(&mut *out, data);
    out.extend_from_slice(b"\n\n");
}

/// Appends the last event.
pub(super) fn write_end(out: &mut Vec<u8>, reason: EndReason) {
    let reason = reason.word();
    write(out, "end", &EndView { reason });
}

impl WatchListener for Events<'_> {
    fn has_room(&self) -> bool {
        self.out.len() < WAITING_BYTES_MAX
    }

    fn hear(&mut self, said: Said<'_>) {
        let (name, record) = match said {
            Said::At(record) => ("record", record),
            Said::Enter(record) => ("enter", record),
            Said::Leave(record) => ("leave", record),
            Said::Centre(record) => ("centre", record),
            Said::Gone(client) => return write(self.out, "gone", &ClientView::new(client)),
            Said::Live(clients) => return write(self.out, "live", &LiveView { clients }),
        };
        write(self.out, name, &RecordView::new(record, self.now_ns));
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::Record;

    use super::*;

    #[test]
    fn an_event_is_a_name_and_a_line_of_json() {
        let record = Record::new(b"ki\nwi".as_slice(), b"+1+1", b"1", "Hill".into(), 0);
        assert!(record.is_err(), "no id holds a line end");
        let record = Record::new(b"kiwi", b"+1+1", b"1", "Hill".into(), 0).unwrap();
        let mut out = Vec::new();
        let mut events = Events {
            out: &mut out,
            now_ns: 0,
        };
        for said in [Said::Enter(&record), Said::Gone(b"\xff"), Said::Live(1)] {
            events.hear(said);
        }
        write_end(&mut out, EndReason::Slow);
        let text = String::from_utf8(out).unwrap();
        let events: Vec<&str> = text.split_terminator("\n\n").collect();
        assert!(
            events[0].starts_with("event: enter\ndata: {\"client\":\"kiwi\","),
            "{text}"
        );
        assert_eq!(
            events[1..],
            [
                "event: gone\ndata: {\"client_base64\":\"/w==\"}",
                "event: live\ndata: {\"clients\":1}",
                "event: end\ndata: {\"reason\":\"slow\"}",
            ]
        );
        assert!(events.iter().all(|event| event.lines().count() == 2));
    }
}
