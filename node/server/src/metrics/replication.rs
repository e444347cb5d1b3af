//! Other servers, the links to neighbours, and publications, as families.

use std::sync::atomic::AtomicU64;

use super::family::{Family, flag, gauge, label, load};
use crate::status::Status;
use herd_gossip::link::counts::LinkCounts;
use herd_gossip::links::Links;
use herd_replication::figures::Figures;

pub(super) fn others(families: &mut Vec<Family>, status: &Status, replication: &Figures) {
    let servers = &status.servers;
    let of = |value: fn(&crate::status::OtherServer) -> Option<f64>| {
        let figures = servers
            .iter()
            .filter_map(|server| Some((label("origin", &server.name), value(server)?)));
        figures.collect::<Vec<_>>()
    };
    let travels = replication.propagation().iter();
    let travels = travels.map(|(name, histogram)| (label("origin", name), histogram.view()));
    families.extend([
        Family::Gauge(
            "herd_server_alive",
            "1 if the other server counts as alive here, else 0.",
            of(|server| Some(flag(server.alive))),
        ),
        Family::Gauge(
            "herd_server_last_heard_seconds",
            "Age of the other server's last sign of life; missing if there was none.",
            of(|server| server.last_heard_ms.map(|ms| ms as f64 / 1e3)),
        ),
        Family::Gauge(
            "herd_origin_lag_groups",
            "Groups of the other server that this server or a neighbour knows of and that are not merged here.",
            of(|server| server.lag_groups.map(|groups| groups as f64)),
        ),
        Family::Histogram(
            "herd_propagation_seconds",
            "Time from the receipt of a report at its server to its receipt here, for each group that changed the map.",
            travels.collect(),
        ),
    ]);
}

/// A figure of each link.
type LinkFigure = (&'static str, &'static str, fn(&LinkCounts) -> &AtomicU64);

const LINK_FIGURES: [LinkFigure; 12] = [
    (
        "herd_link_connects",
        "Times that the link was made.",
        |counts| &counts.connects,
    ),
    (
        "herd_link_dropped_messages",
        "Messages that were dropped because the link was down or too slow.",
        |counts| &counts.messages_dropped,
    ),
    (
        "herd_link_rounds",
        "Rounds of gossip that this server began.",
        |counts| &counts.rounds,
    ),
    (
        "herd_link_pushes",
        "Times that this server sent new groups without a round.",
        |counts| &counts.pushes,
    ),
    (
        "herd_link_rounds_timed_out",
        "Rounds that this server began and that did not end in time.",
        |counts| &counts.rounds_timed_out,
    ),
    (
        "herd_link_sent_deltas",
        "Messages with a delta that were sent.",
        |counts| &counts.deltas_sent,
    ),
    (
        "herd_link_received_deltas",
        "Messages with a delta that were received.",
        |counts| &counts.deltas_received,
    ),
    ("herd_link_sent_frames", "Frames sent.", |counts| {
        &counts.frames_sent
    }),
    ("herd_link_received_frames", "Frames received.", |counts| {
        &counts.frames_received
    }),
    (
        "herd_link_skipped_frames",
        "Frames received and skipped, of kinds that this version does not know.",
        |counts| &counts.frames_skipped,
    ),
    ("herd_link_sent_bytes", "Bytes sent in frames.", |counts| {
        &counts.bytes_sent
    }),
    (
        "herd_link_received_bytes",
        "Bytes received in frames.",
        |counts| &counts.bytes_received,
    ),
];

pub(super) fn links(families: &mut Vec<Family>, status: &Status, links: &Links) {
    let of = |value: fn(&crate::status::LinkStatus) -> Option<f64>| {
        let figures = status
            .links
            .iter()
            .filter_map(|link| Some((label("neighbour", &link.neighbour), value(link)?)));
        figures.collect::<Vec<_>>()
    };
    families.extend([
        Family::Gauge(
            "herd_link_up",
            "1 while there is a connection to the neighbour, else 0.",
            of(|link| Some(flag(link.up))),
        ),
        Family::Gauge(
            "herd_link_protocol_version",
            "The version of the link protocol that is spoken with the neighbour; none while the link is down.",
            of(|link| link.protocol_version.map(f64::from)),
        ),
        Family::Gauge(
            "herd_link_lag_groups",
            "Groups of this server that the neighbour has not merged; missing until it reports.",
            of(|link| link.lag_groups.map(|groups| groups as f64)),
        ),
        Family::Gauge(
            "herd_link_clock_offset_seconds",
            "The neighbour's wall clock minus this server's; missing until it reports.",
            of(|link| link.clock_offset_ms.map(|ms| ms as f64 / 1e3)),
        ),
    ]);
    for (name, help, count) in LINK_FIGURES {
        let figures = links.neighbours().iter().map(|neighbour| {
            let labels = label("neighbour", &neighbour.config.name);
            (labels, load(count(&neighbour.counts)))
        });
        families.push(Family::Counter(name, help, figures.collect()));
    }
}

pub(super) fn publishing(families: &mut Vec<Family>, replication: &Figures, links: &Links) {
    let slots = replication.slots();
    let replication = replication.status();
    let by_state = [("used", slots.slots - slots.free), ("free", slots.free)]
        .map(|(state, count)| (label("state", state), count as f64));
    families.extend([
        Family::Gauge(
            "herd_slots",
            "Slots of this server: used, with live records in them, or free.",
            by_state.into(),
        ),
        gauge(
            "herd_slot_live_records",
            "Live records in the slots of this server.",
            slots.live_records as f64,
        ),
        Family::Counter(
            "herd_published_groups",
            "Groups that this incarnation published.",
            vec![(Vec::new(), slots.version as f64)],
        ),
        Family::Counter(
            "herd_adopted_records",
            "Records that this incarnation took over from servers that were gone.",
            vec![(Vec::new(), replication.adopted as f64)],
        ),
        Family::Counter(
            "herd_given_up_records",
            "Publications that this incarnation gave up to servers of lower rank.",
            vec![(Vec::new(), replication.given_up as f64)],
        ),
        gauge(
            "herd_known_incarnations",
            "Incarnations of other servers that gossip knows, dead ones included.",
            replication.members.len() as f64,
        ),
        gauge(
            "herd_buried_incarnations",
            "Dead incarnations that gossip knows and whose copies are empty here.",
            replication.buried.len() as f64,
        ),
        Family::Counter(
            "herd_refused_incarnations",
            "Times that a neighbour named a new incarnation for which gossip had no room.",
            vec![(Vec::new(), links.ids_refused() as f64)],
        ),
        Family::Counter(
            "herd_suppressed_messages",
            "Messages of gossip that were for no neighbour, or not yet allowed.",
            vec![(Vec::new(), links.suppressed() as f64)],
        ),
    ]);
}
