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
use crate::location_service::{Forgetting, Later, Placed, PlacingRefusal, ReportIf};

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
        Ok(counted) => {
            turn.batch.count(CommandOutcome::GeoaddTaken);
            let Speaker { identity, out, .. } = speaker;
            out.clear();
            identity.encoder(out).integer(counted);
            if turn.service.operations.holds_replies() {
                turn.taken(&**out, &refusal(), (Word::Geoadd, members));
            } else {
                turn.taken(&**out, &[], (Word::Geoadd, members));
            }
        }
        Err(not) => {
            let text = if not.taken > 0 {
                let (text, taken) = (not.text, not.taken);
                format!("{text}; the {taken} members before this one were taken in")
            } else {
                not.text
            };
            speaker.error(turn, &text, not.outcome);
        }
    }
    speaker.placed.shrink();
}

/// Reports the members; returns the number for the reply.
fn placed(
    geoadd: &Geoadd<'_>,
    principal: &Principal,
    speaker: &mut Speaker,
    turn: &mut Turn<'_>,
) -> Result<i64, NotPlaced> {
    if geoadd.len() > 1 {
        check_all(geoadd, principal, speaker)?;
    }
    let condition = match geoadd.condition {
        ReportCondition::Always => ReportIf::Always,
        ReportCondition::Unknown => ReportIf::Unknown,
        ReportCondition::Known => ReportIf::Known,
    };
    let mut counted = 0;
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
        counted += i64::from(match placed {
            Placed::Added => true,
            Placed::Moved => geoadd.counts_changed,
            Placed::Confirmed | Placed::Nothing => false,
        });
    }
    Ok(counted)
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
    let mut known = 0;
    let mut later = Vec::new();
    for (taken, member) in members.iter().enumerate() {
        let client = client_of(key, member);
        match turn.batch.reports.forget_now(principal, &client) {
            Ok(Forgetting::Now(gone)) => known += i64::from(gone.was_known),
            Ok(Forgetting::AfterLoading(gone)) => later.push(gone),
            Err(refusal) => {
                let mut text = refusals::forgetting(refusal);
                if taken > 0 {
                    text += &format!("; the {taken} members before this one are forgotten");
                }
                return speaker.error(turn, &text, CommandOutcome::ZremRefused);
            }
        }
    }
    turn.batch.count(CommandOutcome::ZremTaken);
    if !later.is_empty() {
        let version = speaker.identity.version;
        let bytes = waiting_bytes(key, members);
        let reply = async move {
            let mut out = Vec::new();
            let mut encoder = Encoder::new(&mut out, version);
            match all_known(later).await {
                Some(more) => encoder.integer(known + more),
                None => encoder.error(refusals::UNCONFIRMED),
            }
            Arrived::of(&*out)
        };
        return turn.later(Box::pin(reply), Word::Zrem, bytes);
    }
    let Speaker { identity, out, .. } = speaker;
    out.clear();
    identity.encoder(out).integer(known);
    turn.taken(&**out, &refusal(), (Word::Zrem, members.len()));
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
