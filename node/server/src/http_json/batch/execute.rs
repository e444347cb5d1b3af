//! Reports that have come are taken in together.

use std::ops::Range;

use herd_acknowledgement::Ticket;

use super::answers::{Answer, Answers, Chunk};
use super::split::Splitter;
use crate::access::Principal;
use crate::http_json::api::HttpApi;
use crate::http_json::problem::{Kind, Problem};
use crate::http_json::report::ReportTexts;

/// Reports of a turn: as many as the lines of a turn of a connection.
pub(in crate::http_json) const REPORTS_PER_TURN: usize = 128;

/// The ticket of a turn, and the number of its reports.
pub(super) type Confirming = (Ticket, u64);

/// Takes in the reports of a turn, and keeps their answers.
pub(super) fn execute(
    api: &HttpApi,
    principal: &Principal,
    splitter: &Splitter,
    reports: &[Range<usize>],
    answers: &mut Answers,
) -> Confirming {
    let received_ns = api.clock.now_ns();
    let read = |report: &Range<usize>| ReportTexts::read(splitter.bytes(report.clone()), None);
    let read: Vec<Result<ReportTexts<'_>, Problem>> = reports.iter().map(read).collect();
    let clients = read.iter().flatten().map(ReportTexts::client);
    let locations = api.service.locations();
    locations.prefetch_clients(clients, reports.len());
    let mut chunk = Chunk {
        received_ns,
        answers: Vec::with_capacity(read.len()),
    };
    let mut taken = 0;
    let mut batch = api.service.begin_batch(received_ns);
    for texts in read {
        let reported = texts.and_then(|texts| {
            let (heard_ns, now) = texts.received(&mut batch, received_ns);
            let operands = texts.operands(&now)?;
            let taken = batch.report_received(principal, &operands, heard_ns);
            // The difference that is told is that of the record.
            let ahead_ns = heard_ns.saturating_sub(received_ns);
            let time_ns = operands.sent().ns().saturating_sub(ahead_ns);
            Ok((taken.map(|_| ()), time_ns))
        });
        chunk.answers.push(match reported {
            Ok((Ok(()), time_ns)) => {
                taken += 1;
                Answer::Taken(time_ns)
            }
            Ok((Err(refusal), _)) => Answer::Refused(Kind::from(refusal)),
            Err(problem) => answers.refused(problem),
        });
    }
    let ticket = batch.finish();
    api.count(taken, reports.len() as u64 - taken);
    answers.push(chunk);
    (ticket, taken)
}
