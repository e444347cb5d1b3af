//! `GEOPOS`, `GEODIST`, `GEOSEARCH`, and the counts of keys.

use std::sync::Arc;

use herd_crdt::Record;
use herd_grid::Circle;
use herd_protocol::resp::{
    Arguments, Encoder, Geosearch, LengthUnit, MEMBERS_MAX, RespVersion, SearchCenter, SearchOrder,
    SearchShape, decimal_text, degrees_of,
};

use super::execute::Speaker;
use super::members::{asked_client_of, client_of, prefix_of, waiting_clients_bytes};
use super::refusals;
use crate::access::Principal;
use crate::frontend::replies::Arrived;
use crate::frontend::statistics::{CommandOutcome, Word};
use crate::frontend::turn::Turn;
use crate::frontend::weights::{HITS_PER_COMMAND, SEARCH_COMMANDS};
use crate::location_service::{
    AnswerBytes, Around, AroundCenter, AroundShape, Asked, Later, LocationService, SearchAnswer,
    SearchRefusal, Searched,
};
use herd_locations::Found;

/// `EXISTS` looks at no more keys at a time, for each takes a walk over all clients.
const KEYS_MAX: usize = 16;

/// What is told of records that were asked for.
#[derive(Clone, Copy)]
pub(super) enum Told {
    /// Where each is.
    Positions,
    /// How far two are apart.
    Distance(LengthUnit),
}

/// `GEOPOS` or `GEODIST`.
pub(super) fn locate(
    clients: &[Vec<u8>],
    told: Told,
    principal: &Principal,
    speaker: &mut Speaker,
    turn: &mut Turn<'_>,
) {
    // One whose ID is too long is not there.
    let mut possible = clients.iter().filter(|client| !client.is_empty());
    let forbidden = possible.find(|client| !principal.may_ask(client));
    if let Some(client) = forbidden {
        let text = refusals::forbidden_question(client);
        return speaker.error(turn, &text, CommandOutcome::GeoposInvalid);
    }
    speaker.records = clients.len();
    turn.commands += clients.len().saturating_sub(1);
    turn.batch.count(CommandOutcome::GeoposAnswered);
    let operations = &turn.service.operations;
    let version = speaker.identity.version;
    let bytes = operations.answer_bytes();
    match operations.locate_all(principal, clients.iter().map(Vec::as_slice)) {
        Asked::Now(records) => {
            let (out, bytes) = told_records(&records, told, version, bytes);
            turn.commands += 1;
            turn.replies.push_found(&*out, bytes);
        }
        Asked::Later(later) | Asked::AfterLoading(later) => {
            let waiting_bytes = waiting_clients_bytes(clients);
            let reply = async move {
                let (out, bytes) = told_records(&later.await, told, version, bytes);
                Arrived::Written(out, Some(bytes))
            };
            turn.later(Box::pin(reply), Word::Geopos, waiting_bytes);
        }
    }
}

/// The reply, which counts among the answers of searches: a short request may name one client many times.
fn told_records(
    records: &[Option<Record>],
    told: Told,
    version: RespVersion,
    mut bytes: AnswerBytes,
) -> (Vec<u8>, AnswerBytes) {
    let mut out = Vec::new();
    write_records(records, told, &mut Encoder::new(&mut out, version));
    if !bytes.set(out.len()) {
        let text = refusals::search(SearchRefusal::TooMany);
        out = Vec::new();
        Encoder::new(&mut out, version).error(&text);
        // An error is short enough not to count.
        let _ = bytes.set(out.len());
    }
    (out, bytes)
}

fn write_records(records: &[Option<Record>], told: Told, encoder: &mut Encoder<'_>) {
    match told {
        Told::Positions => {
            encoder.array(records.len());
            for record in records {
                match record {
                    Some(record) => write_position(record, encoder),
                    None => encoder.nil_array(),
                }
            }
        }
        Told::Distance(unit) => match distance_m(records) {
            Some(metres) => write_distance(metres, unit, encoder),
            None => encoder.nil(),
        },
    }
}

fn distance_m(records: &[Option<Record>]) -> Option<f64> {
    let [Some(a), Some(b)] = records else {
        return None;
    };
    let everything = Circle::new(a.location()?.coordinates(), None);
    let (metres, _) = everything.distance(&b.location()?)?;
    Some(metres)
}

fn write_position(record: &Record, encoder: &mut Encoder<'_>) {
    match degrees_of(record.location_text()) {
        Some((latitude, longitude)) => {
            encoder.array(2);
            encoder.double(&decimal_text(longitude));
            encoder.double(&decimal_text(latitude));
        }
        None => encoder.nil_array(),
    }
}

fn write_distance(metres: f64, unit: LengthUnit, encoder: &mut Encoder<'_>) {
    encoder.bulk(format!("{:.4}", metres / unit.metres()).as_bytes());
}

/// What an answer to a `GEOSEARCH` holds.
#[derive(Clone, Copy)]
struct Form {
    /// The bytes of the key, and what follows it.
    prefix_bytes: usize,
    unit: LengthUnit,
    order: SearchOrder,
    count: Option<usize>,
    with_coordinates: bool,
    with_distances: bool,
}

/// `GEOSEARCH`.
pub(super) fn geosearch(
    search: &Geosearch<'_>,
    principal: &Principal,
    speaker: &mut Speaker,
    turn: &mut Turn<'_>,
) {
    let prefix = prefix_of(search.key);
    let member;
    let center = match &search.center {
        SearchCenter::Member(name) => {
            member = client_of(search.key, name);
            if !principal.may_ask(&member) {
                let text = refusals::forbidden_question(&member);
                return speaker.error(turn, &text, CommandOutcome::GeosearchInvalid);
            }
            AroundCenter::Client(&member)
        }
        SearchCenter::Point(text) => match refusals::checked_point(text) {
            Ok(point) => AroundCenter::Point(point),
            Err(invalid) => {
                let text = invalid.to_string();
                return speaker.error(turn, &text, CommandOutcome::GeosearchInvalid);
            }
        },
    };
    let form = Form::of(search, prefix.len());
    let around = Around {
        prefix: &prefix,
        center,
        shape: match search.shape {
            SearchShape::Radius(radius_m) => AroundShape::Circle { radius_m },
            SearchShape::Box(width_m, height_m) => AroundShape::Box { width_m, height_m },
        },
        limit: form.limit(),
    };
    match turn.service.operations.around(principal, &around) {
        Asked::Now(Ok(answer)) => tell_at_once(form, answer, speaker, turn),
        Asked::Now(Err(refusal)) => {
            if refusal == SearchRefusal::TooMany {
                turn.weigh_long_search();
            }
            let text = refusals::search(refusal);
            speaker.error(turn, &text, CommandOutcome::GeosearchRefused);
        }
        Asked::Later(searched) | Asked::AfterLoading(searched) => {
            turn.batch.count(CommandOutcome::GeosearchAnswered);
            let told = tell_later(form, searched, speaker.identity.version);
            turn.later(Box::pin(told), Word::Geosearch, prefix.len());
        }
    }
}

/// Answers a search that is over.
fn tell_at_once(form: Form, answer: SearchAnswer, speaker: &mut Speaker, turn: &mut Turn<'_>) {
    let SearchAnswer { found, bytes } = answer;
    turn.weigh_search(SEARCH_COMMANDS + found.hits.len() / HITS_PER_COMMAND);
    let Some(found) = form.selected(found) else {
        let text = refusals::too_many_members();
        return speaker.error(turn, &text, CommandOutcome::GeosearchRefused);
    };
    turn.batch.count(CommandOutcome::GeosearchAnswered);
    let Speaker { identity, out, .. } = speaker;
    out.clear();
    form.write(&found, &mut identity.encoder(out));
    turn.commands += 1;
    turn.replies.push_found(&**out, bytes);
    speaker.shrink();
}

/// Answers a search when it is over.
async fn tell_later(form: Form, searched: Later<Searched>, version: RespVersion) -> Arrived {
    let refused = |text: &str| arrived(version, |encoder| encoder.error(text));
    match searched.await {
        Ok(SearchAnswer { found, bytes }) => match form.selected(found) {
            Some(found) => {
                let mut out = Vec::new();
                form.write(&found, &mut Encoder::new(&mut out, version));
                Arrived::Written(out, Some(bytes))
            }
            None => refused(&refusals::too_many_members()),
        },
        Err(refusal) => refused(&refusals::search(refusal)),
    }
}

impl Form {
    fn of(search: &Geosearch<'_>, prefix_bytes: usize) -> Self {
        Form {
            prefix_bytes,
            unit: search.unit,
            order: search.order,
            count: search.count,
            with_coordinates: search.with_coordinates,
            with_distances: search.with_distances,
        }
    }

    /// How many members have to be found.
    fn limit(&self) -> usize {
        match (self.order, self.count) {
            (SearchOrder::Ascending, Some(count)) => count,
            // All of them, or the farthest would not be known.
            _ => MEMBERS_MAX,
        }
    }

    /// The members of the answer in its order. Nothing if all are wanted and there are too many.
    fn selected(&self, mut found: Found) -> Option<Found> {
        let is_nearest = self.order == SearchOrder::Ascending && self.count.is_some();
        if found.more && !is_nearest {
            return None;
        }
        if self.order == SearchOrder::Descending {
            found.hits.reverse();
        }
        found.hits.truncate(self.count.unwrap_or(usize::MAX));
        Some(found)
    }

    fn write(&self, found: &Found, encoder: &mut Encoder<'_>) {
        let further = usize::from(self.with_distances) + usize::from(self.with_coordinates);
        encoder.array(found.hits.len());
        for hit in &found.hits {
            let client = hit.record.client();
            if further > 0 {
                encoder.array(1 + further);
            }
            encoder.bulk(client.get(self.prefix_bytes..).unwrap_or_default());
            if self.with_distances {
                write_distance(hit.distance_m, self.unit, encoder);
            }
            if self.with_coordinates {
                write_position(&hit.record, encoder);
            }
        }
    }
}

/// A question that takes a walk over all clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// `ZCARD`.
    Members,
    /// `EXISTS`.
    Keys,
    /// `TYPE`.
    Type,
}

/// `ZCARD`, `EXISTS` or `TYPE`.
pub(super) fn count(
    keys: Vec<Vec<u8>>,
    counted: Counted,
    principal: &Principal,
    speaker: &mut Speaker,
    turn: &mut Turn<'_>,
) {
    if keys.len() > KEYS_MAX {
        let text =
            format!("ERR EXISTS takes {KEYS_MAX} keys at most: each takes a walk over all clients");
        return speaker.error(turn, &text, CommandOutcome::CountRefused);
    }
    turn.batch.count(CommandOutcome::CountAnswered);
    speaker.records = keys.len();
    let (operations, principal) = (Arc::clone(&turn.service.operations), principal.clone());
    let version = speaker.identity.version;
    let bytes = keys.iter().map(Vec::len).sum();
    let reply = async move {
        let enough = if counted == Counted::Members {
            usize::MAX
        } else {
            1
        };
        let count = count_all(&operations, &principal, &keys, enough).await;
        arrived(version, |encoder| match (counted, count) {
            (_, Err(refusal)) => encoder.error(&refusals::search(refusal)),
            (Counted::Type, Ok(0)) => encoder.status("none"),
            (Counted::Type, Ok(_)) => encoder.status("zset"),
            (_, Ok(count)) => encoder.integer(i64::try_from(count).unwrap_or(i64::MAX)),
        })
    };
    turn.later(Box::pin(reply), Word::Count, bytes);
}

async fn count_all(
    operations: &LocationService,
    principal: &Principal,
    keys: &[Vec<u8>],
    enough: usize,
) -> Result<usize, SearchRefusal> {
    let mut all = 0;
    for key in keys {
        all += operations
            .count(principal, &prefix_of(key), enough)?
            .await?;
    }
    Ok(all)
}

/// The members of a key as clients.
pub(super) fn clients_of(key: &[u8], members: Arguments<'_>) -> Vec<Vec<u8>> {
    members
        .iter()
        .map(|member| asked_client_of(key, member))
        .collect()
}

fn arrived(version: RespVersion, write: impl FnOnce(&mut Encoder<'_>)) -> Arrived {
    let mut out = Vec::new();
    write(&mut Encoder::new(&mut out, version));
    Arrived::Written(out, None)
}
