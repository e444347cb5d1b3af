//! Every AT line repeats a report, byte for byte, at the server that it names, with the difference that this server
//! gave then.

use std::collections::HashMap;
use std::time::Duration;

use super::super::{Call, ClientCommand, ClientReply, History, Record, show};
use super::{Finding, about};

const NAME: &str = "truth";

/// The identity of a report: server, client, location, time.
type Operands<'a> = (&'a [u8], &'a [u8], &'a [u8], &'a [u8]);

pub(super) fn check(history: &History) -> Vec<Finding> {
    let reports = Reports::of(history);
    let mut found = Vec::new();
    for call in &history.calls {
        let wrong = match (&call.reply, &call.command) {
            (ClientReply::Unknown, _) => Ok(()),
            (ClientReply::Refused(line), _) => is_copy(line, call),
            (ClientReply::At(line), ClientCommand::Report { .. }) => is_echo(history, line, call),
            (ClientReply::At(line), ClientCommand::Question { client }) => {
                reports.know(line, client, call.completed)
            }
        };
        if let Err(text) = wrong {
            let text = format!("{text}\n{}", call.show(&history.names));
            found.push(about(NAME, call.command.client(), text));
        }
    }
    for (name, dump) in history.names.iter().zip(&history.dumps) {
        for line in dump {
            let client = Record::parse(line).map(|record| record.client);
            let client = client.unwrap_or_default();
            if let Err(text) = reports.know(line, &client, Duration::MAX) {
                found.push(about(
                    NAME,
                    &client,
                    format!("{text}, in the dump of {name}"),
                ));
            }
        }
    }
    found
}

/// The error reply is `? ` and the command.
fn is_copy(line: &[u8], call: &Call) -> Result<(), String> {
    let expected = [b"? ".as_slice(), &call.command.line()].concat();
    if line == expected {
        Ok(())
    } else {
        Err("the error reply is not a copy of the command".to_owned())
    }
}

/// The reply to a report: the server that was asked, and the operands.
fn is_echo(history: &History, line: &[u8], call: &Call) -> Result<(), String> {
    let record = Record::parse(line).ok_or("not the form of an AT line")?;
    let command = [b"IAMAT", &*record.client, &*record.location, &*record.time].join(&b' ');
    if record.server != history.names[call.process.server].as_bytes() {
        return Err("the reply names another server".to_owned());
    }
    if command != call.command.line() {
        return Err("the reply has other operands".to_owned());
    }
    let skew_max = history.clock_skew_max.as_nanos() as i128;
    if record.difference_ns < -skew_max {
        return Err("a report from too far ahead was taken in".to_owned());
    }
    Ok(())
}

/// All that was reported.
struct Reports<'a> {
    by_operands: HashMap<Operands<'a>, Vec<&'a Call>>,
}

impl<'a> Reports<'a> {
    fn of(history: &'a History) -> Self {
        let mut by_operands: HashMap<Operands<'a>, Vec<&Call>> = HashMap::new();
        for call in &history.calls {
            if let ClientCommand::Report {
                client,
                location,
                time,
            } = &call.command
            {
                let server = history.names[call.process.server].as_bytes();
                let operands = (server, &**client, location.as_bytes(), time.as_bytes());
                by_operands.entry(operands).or_default().push(call);
            }
        }
        Reports { by_operands }
    }

    /// Whether somebody had reported this by then.
    fn know(&self, line: &[u8], client: &[u8], by: Duration) -> Result<(), String> {
        let record = Record::parse(line)
            .ok_or_else(|| format!("not the form of an AT line: {}", show(line)))?;
        if record.client != client {
            return Err("another client than was asked about".to_owned());
        }
        let operands = (&*record.server, client, &*record.location, &*record.time);
        let calls = self.by_operands.get(&operands);
        let mut calls = calls
            .into_iter()
            .flatten()
            .filter(|call| call.invoked <= by)
            .peekable();
        if calls.peek().is_none() {
            return Err(format!("nobody had reported {}", show(line)));
        }
        // Without the reply, only the server knows the difference of a report.
        let may_be = |call: &&Call| match &call.reply {
            ClientReply::At(told) => told == line,
            ClientReply::Refused(_) | ClientReply::Unknown => true,
        };
        if calls.any(may_be) {
            Ok(())
        } else {
            Err(format!(
                "no client got this reply to its report: {}",
                show(line)
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{Sample, at};
    use super::*;

    /// Kiwi is reported at Hill, and the reply is seen; emu is, and it is not.
    fn sample() -> Sample {
        let mut sample = Sample::new();
        sample.report(0, 1, 1_000, "2", Some(&at("Hill", "kiwi", "2")));
        sample.report(0, 1, 1_000, "2", None);
        sample.history.calls[1].reply = ClientReply::Unknown;
        let ClientCommand::Report { client, .. } = &mut sample.history.calls[1].command else {
            unreachable!("it is a report");
        };
        *client = b"emu".to_vec();
        sample
    }

    #[test]
    fn an_answer_without_a_report_is_found() {
        let (told, other) = (at("Hill", "kiwi", "2"), "AT Hill +7.000000000 kiwi +1+1 2");
        let mut right = sample();
        right.question(1, 1, 3_000, Some(&told));
        right.dumps(&[&told, "AT Hill +7.000000000 emu +1+1 2"]);
        assert_eq!(check(&right.history), []);
        for wrong in [
            other,
            &at("Hill", "kiwi", "2.0"),
            &at("Smith", "kiwi", "2"),
            &at("Hill", "emu", "2"),
            "AT Hill +0.000000000 kiwi +1+2 2",
            "AT Hill +0.000000000  kiwi +1+1 2",
            "AT Hill +0.0 kiwi +1+1 2",
        ] {
            let mut sample = sample();
            sample.question(1, 1, 3_000, Some(wrong));
            assert_eq!(check(&sample.history).len(), 1, "{wrong}");
        }
        for wrong in [other, &at("Smith", "kiwi", "2")] {
            let mut sample = sample();
            sample.dumps(&[wrong]);
            assert_eq!(check(&sample.history).len(), 3, "{wrong}");
        }
    }

    #[test]
    fn an_answer_from_the_future_is_found() {
        let mut sample = sample();
        sample.question(1, 1, 500, Some(&at("Hill", "kiwi", "2")));
        assert_eq!(check(&sample.history).len(), 1);
    }

    #[test]
    fn a_reply_that_is_no_echo_is_found() {
        for wrong in [
            at("Smith", "kiwi", "2"),
            at("Hill", "kiwi", "2.0"),
            at("Hill", "emu", "2"),
            "AT Hill -7200.000000001 kiwi +1+1 2".to_owned(),
        ] {
            let mut sample = sample();
            sample.report(0, 1, 5_000, "2", Some(&wrong));
            assert_eq!(check(&sample.history).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn an_error_reply_that_is_no_copy_is_found() {
        let mut sample = sample();
        sample.report(0, 1, 5_000, "2", None);
        assert_eq!(check(&sample.history), []);
        sample.history.calls[2].reply = ClientReply::Refused(b"? IAMAT kiwi +1+1  2".to_vec());
        assert_eq!(check(&sample.history).len(), 1);
    }
}
