//! `GEOADD` and `ZREM`.

use herd_crdt::Operands;
use herd_protocol::resp::{Arguments, Encoder, Geoadd, InvalidRequest, ReportCondition};

use super::execute::Speaker;
use super::members::{client_of, waiting_bytes};
use super::refusals;
use crate::access::Principal;
use crate::frontend::replies::Arrived;
use crate::frontend::statistics::{CommandOutcome, Word};
use crate::frontend::turn::Turn;
use crate::location_service::{ForgetRefusal, Forgetting, Later, Placed, PlacingRefusal, ReportIf};

/// The reply to a report that is not as safe as promised: the same in both versions of RESP.
fn refusal() -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(&mut out, Default::default()).error(refusals::UNCONFIRMED);
    out
}

/// Why a `GEOADD` was not carried out, or not wholly.
struct NotPlaced {
    text: String,
    outcome: CommandOutcome,
    /// The number of members before it that were taken in.
    taken: usize,
}

impl NotPlaced {
    fn invalid(invalid: &InvalidRequest) -> Self {
        NotPlaced {
            text: invalid.to_string(),
            outcome: CommandOutcome::GeoaddInvalid,
            taken: 0,
        }
    }
}

/// `GEOADD`.
pub(super) fn geoadd(
    geoadd: &Geoadd<'_>,
    principal: &Principal,
    speaker: &mut Speaker,
    turn: &mut Turn<'_>,
) {
    let members = geoadd.len();
    speaker.records = members;
    turn.commands += members - 1;
    match placed(geoadd, principal, speaker, turn) {
        Ok(placing) if placing.superseded == members => {
            let text = refusals::superseded(members, members);
            speaker.error(turn, &text, CommandOutcome::GeoaddRefused);
        }
        Ok(placing) if placing.superseded > 0 => {
            turn.batch.count(CommandOutcome::GeoaddRefused);
            let text = refusals::superseded(placing.superseded, members);
            let taken = members - placing.superseded;
            taken_but(&text, (Word::Geoadd, taken), speaker, turn);
        }
        Ok(placing) => {
            turn.batch.count(CommandOutcome::GeoaddTaken);
            let Speaker { identity, out, .. } = speaker;
            out.clear();
            identity.encoder(out).integer(placing.counted);
            if turn.service.operations.holds_replies() {
                turn.taken(&**out, &refusal(), (Word::Geoadd, members));
            } else {
                turn.taken(&**out, &[], (Word::Geoadd, members));
            }
        }
        Err(not) if not.taken > 0 => {
            turn.batch.count(not.outcome);
            let (text, taken) = (not.text, not.taken);
            let text = format!("{text}; the {taken} members before this one were taken in");
            taken_but(&text, (Word::Geoadd, taken), speaker, turn);
        }
        Err(not) => speaker.error(turn, &not.text, not.outcome),
    }
    speaker.placed.shrink();
}

/// What a `GEOADD` has done that was not stopped.
#[derive(Default)]
struct Placing {
    /// The number for the reply.
    counted: i64,
    /// How many members are as they were, since their known records are later.
    superseded: usize,
}

/// Reports the members.
fn placed(
    geoadd: &Geoadd<'_>,
    principal: &Principal,
    speaker: &mut Speaker,
    turn: &mut Turn<'_>,
) -> Result<Placing, NotPlaced> {
    if geoadd.len() > 1 {
        check_all(geoadd, principal, speaker)?;
    }
    let condition = match geoadd.condition {
        ReportCondition::Always => ReportIf::Always,
        ReportCondition::Unknown => ReportIf::Unknown,
        ReportCondition::Known => ReportIf::Known,
    };
    let mut done = Placing::default();
    for (taken, member) in geoadd.members().enumerate() {
        let placing = &mut speaker.placed;
        placing
            .set(geoadd.key, &member)
            .map_err(|invalid| NotPlaced::invalid(&invalid))?;
        let reports = &mut turn.batch.reports;
        let placed = reports.report_now(principal, &placing.client, &placing.location, condition);
        let placed = placed.map_err(|refusal| NotPlaced {
            text: refusals::placing(&refusal, &member),
            outcome: match refusal {
                PlacingRefusal::Invalid(_) => CommandOutcome::GeoaddInvalid,
                _ => CommandOutcome::GeoaddRefused,
            },
            taken,
        })?;
        match placed {
            Placed::Added => done.counted += 1,
            Placed::Moved => done.counted += i64::from(geoadd.counts_changed),
            Placed::Confirmed | Placed::NotMeant => {}
            Placed::Superseded => done.superseded += 1,
        }
    }
    Ok(done)
}

/// Looks at all members before the first is reported, so that a mistake in one changes nothing.
fn check_all(
    geoadd: &Geoadd<'_>,
    principal: &Principal,
    speaker: &mut Speaker,
) -> Result<(), NotPlaced> {
    let placing = &mut speaker.placed;
    for member in geoadd.members() {
        let invalid = |invalid| NotPlaced::invalid(&invalid);
        placing.set(geoadd.key, &member).map_err(invalid)?;
        Operands::check(&placing.client, &placing.location, b"0")
            .map_err(|broken| invalid(refusals::invalid_member(&member, &broken)))?;
        if !principal.may_report(&placing.client) {
            let refusal = PlacingRefusal::Refused(crate::location_service::Refusal::Forbidden);
            return Err(NotPlaced {
                text: refusals::placing(&refusal, &member),
                outcome: CommandOutcome::GeoaddRefused,
                taken: 0,
            });
        }
    }
    Ok(())
}

/// Adds an error to a command of which only so many members were taken in, when these are as safe as promised.
fn taken_but(text: &str, (word, taken): (Word, usize), speaker: &mut Speaker, turn: &mut Turn<'_>) {
    let Speaker { identity, out, .. } = speaker;
    out.clear();
    identity.encoder(out).error(text);
    turn.taken(&**out, &refusal(), (word, taken));
    speaker.shrink();
}

/// `ZREM`.
pub(super) fn zrem(
    key: &[u8],
    members: Arguments<'_>,
    principal: &Principal,
    speaker: &mut Speaker,
    turn: &mut Turn<'_>,
) {
    speaker.records = members.len();
    turn.commands += members.len() - 1;
    let removal = match removed(key, members, principal, turn) {
        Ok(removal) => removal,
        Err(refusal) => {
            let text = refusals::forgetting(refusal);
            return speaker.error(turn, &text, CommandOutcome::ZremRefused);
        }
    };
    turn.batch.count(if removal.refused.is_some() {
        CommandOutcome::ZremRefused
    } else {
        CommandOutcome::ZremTaken
    });
    let (known, refused, taken) = (removal.known, removal.refused, removal.taken);
    if !removal.later.is_empty() {
        let version = speaker.identity.version;
        let reply = async move {
            let mut out = Vec::new();
            let mut encoder = Encoder::new(&mut out, version);
            match (all_known(removal.later).await, refused) {
                (None, _) => encoder.error(refusals::UNCONFIRMED),
                (Some(_), Some(text)) => encoder.error(&text),
                (Some(more), None) => encoder.integer(known + more),
            }
            Arrived::of(&*out)
        };
        return turn.later(Box::pin(reply), Word::Zrem, waiting_bytes(key, members));
    }
    if let Some(text) = refused {
        return taken_but(&text, (Word::Zrem, taken), speaker, turn);
    }
    let Speaker { identity, out, .. } = speaker;
    out.clear();
    identity.encoder(out).integer(known);
    turn.taken(&**out, &refusal(), (Word::Zrem, taken));
}

/// What a `ZREM` has done.
#[derive(Default)]
struct Removal {
    /// How many members are forgotten.
    taken: usize,
    /// How many of those were known, not counting `later`.
    known: i64,
    /// Those of which that is not known yet.
    later: Vec<GoneLater>,
    /// Why the next member was not forgotten.
    refused: Option<String>,
}

/// Forgets the members, in their order.
///
/// # Errors
/// If nothing was changed.
fn removed(
    key: &[u8],
    members: Arguments<'_>,
    principal: &Principal,
    turn: &mut Turn<'_>,
) -> Result<Removal, ForgetRefusal> {
    let reports = &mut turn.batch.reports;
    if members.len() > 1 {
        // All of them before the first is forgotten, so that a mistake in one changes nothing.
        for member in members.iter() {
            reports.check_forget(principal, &client_of(key, member))?;
        }
    }
    let mut removal = Removal::default();
    for member in members.iter() {
        match reports.forget_now(principal, &client_of(key, member)) {
            Ok(Forgetting::Now(gone)) => removal.known += i64::from(gone.was_known),
            Ok(Forgetting::AfterLoading(gone)) => removal.later.push(gone),
            Err(refusal) if removal.taken == 0 => return Err(refusal),
            Err(refusal) => {
                let (text, taken) = (refusals::forgetting(refusal), removal.taken);
                let text = format!("{text}; the {taken} members before this one are forgotten");
                removal.refused = Some(text);
                break;
            }
        }
        removal.taken += 1;
    }
    Ok(removal)
}

type GoneLater = Later<Option<crate::location_service::Gone<herd_crdt::ServerName>>>;

/// How many of these were known; nothing if one is not as safe as promised.
async fn all_known(later: Vec<GoneLater>) -> Option<i64> {
    let mut known = 0;
    let mut all_safe = true;
    for gone in later {
        match gone.await {
            Some(gone) => known += i64::from(gone.was_known),
            None => all_safe = false,
        }
    }
    all_safe.then_some(known)
}
