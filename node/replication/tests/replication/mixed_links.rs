//! Herds whose servers speak different versions of the link protocol: the former one, whose bytes are read here as
//! strictly as that program does, and one of a later program, which says more in every message.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use herd_crdt::codec;
use herd_gossip::link::offer::Offer;
use herd_gossip::links::Links;
use parking_lot::Mutex;

use super::harness::{Herd, eventually};
use super::network::Tap;

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
const CLIENTS: usize = 20;

/// Kinds of frames.
const HELLO: u8 = 1;
const REFUSAL: u8 = 2;
const GOSSIP: u8 = 3;
const REPORT: u8 = 4;

/// What the former program says to a hello in a layout that it does not read.
const FORMER_REFUSAL: [u8; 3] = [REFUSAL, 1, 0];

/// Cluster, sender, whom it wants, its generation, the greatest of the other that it knows.
type Sender<'a> = (&'a str, &'a str, &'a str, u64, u64);

/// Server, generation, version merged, version on disk.
type Entry<'a> = (&'a str, u64, u64, u64);

/// The version that is spoken over a link, and how many features; `None` while it is down.
fn spoken(links: &Links, neighbour: &str) -> Option<(u16, u64)> {
    let status = links
        .neighbour(neighbour)
        .unwrap()
        .status()
        .borrow()
        .clone();
    status.protocol.map(|p| (p.version, p.features.bits()))
}

/// Reports new clients to every running server, and says how many.
fn report_everywhere(herd: &Herd, kind: &str) -> usize {
    for server in herd.running() {
        for number in 0..CLIENTS {
            server.report(&format!("{kind}{number}-{}", server.name), 1);
        }
    }
    herd.running().count() * CLIENTS
}

/// The servers that run the former program. Whatever crosses a link of theirs has to be bytes of that program.
#[derive(Default)]
struct Former {
    names: Mutex<Vec<&'static str>>,
    /// Hellos that they could not read.
    refused: Mutex<usize>,
    /// Frames that the former program would not have taken, or not have sent.
    foreign: Mutex<Vec<String>>,
}

impl Former {
    fn is(&self, name: &str) -> bool {
        self.names.lock().contains(&name)
    }
}

/// Reads a frame as strictly as the former program does.
fn is_of_former(frame: &[u8]) -> bool {
    let Some((&kind, content)) = frame.split_first() else {
        return false;
    };
    match kind {
        HELLO => content
            .strip_prefix(b"\x01")
            .is_some_and(|sender| codec::decode::<Sender<'_>>(sender).is_ok()),
        REFUSAL => codec::decode::<(u8, u64)>(content).is_ok(),
        GOSSIP => true,
        REPORT => codec::decode::<(i64, Vec<Entry<'_>>)>(content).is_ok(),
        _ => false,
    }
}

impl Tap for Former {
    fn pass(&self, from: &str, to: &str, frame: Vec<u8>) -> Vec<Vec<u8>> {
        if !self.is(from) && !self.is(to) {
            return vec![frame];
        }
        let is_ranged_hello = frame.starts_with(&[HELLO, 2]);
        if is_ranged_hello && !self.is(from) {
            // The first question of a present server; the answer is below.
            *self.refused.lock() += 1;
        } else if frame.starts_with(&FORMER_REFUSAL[..2]) && self.is(from) {
            return vec![FORMER_REFUSAL.to_vec()];
        } else if !is_of_former(&frame) {
            self.foreign
                .lock()
                .push(format!("{from} to {to}: {frame:?}"));
        }
        vec![frame]
    }
}

/// Waits until every link speaks the newest version that both of its ends know.
async fn links_speak(herd: &Herd, former: &Former) {
    for server in herd.running() {
        for neighbour in server.links.neighbours() {
            let name = &neighbour.config.name;
            let version = if former.is(&server.name) || former.is(name) {
                1
            } else {
                2
            };
            let what = format!("{} speaks version {version} with {name}", server.name);
            eventually(&what, || spoken(&server.links, name) == Some((version, 0))).await;
        }
    }
}

/// Every server is replaced in turn, while reports go on: no record is lost, and no server of the former program
/// gets a byte that it cannot read, whoever of the two connects.
#[tokio::test(start_paused = true)]
async fn former_and_present_servers_work_side_by_side() {
    let mut herd = Herd::five_stopped();
    let former = Arc::new(Former::default());
    herd.network.set_tap(former.clone());
    herd.offers = vec![Offer::FORMER; NAMES.len()];
    former.names.lock().extend(NAMES);
    herd.start_all();
    herd.linked().await;
    let mut clients = report_everywhere(&herd, "before");
    herd.all_hold(clients).await;
    assert_eq!(*former.refused.lock(), 0);
    for (is_upgrade, offer) in [(true, Offer::PRESENT), (false, Offer::FORMER)] {
        for (position, name) in NAMES.into_iter().enumerate() {
            let during = format!("during-{is_upgrade}-{position}-");
            clients += report_everywhere(&herd, &during);
            herd.stop(position).await;
            former.names.lock().retain(|former| *former != name);
            if !is_upgrade {
                former.names.lock().push(name);
            }
            herd.offers[position] = offer;
            herd.restart(position);
            links_speak(&herd, &former).await;
            clients += report_everywhere(&herd, &format!("after-{is_upgrade}-{position}-"));
            herd.all_hold(clients).await;
        }
    }
    assert!(
        *former.refused.lock() > 0,
        "no present server connected to a former one"
    );
    assert_eq!(*former.foreign.lock(), Vec::<String>::new());
}

/// The process that read no other layout was replaced between the two connections of an attempt.
#[tokio::test(start_paused = true)]
async fn a_link_in_the_former_layout_is_made_anew() {
    let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
    herd.offers[1] = Offer::FORMER;
    herd.start_all();
    herd.linked().await;
    assert_eq!(spoken(&herd.server(0).links, "Smith"), Some((1, 0)));
    herd.server(1).links.set_offer(Offer::PRESENT);
    tokio::time::sleep(Duration::from_secs(240)).await;
    assert_eq!(spoken(&herd.server(0).links, "Smith"), Some((1, 0)));
    for (own, other) in [(0, "Smith"), (1, "Hill")] {
        let links = &herd.server(own).links;
        eventually("they speak version 2", || {
            spoken(links, other) == Some((2, 0))
        })
        .await;
    }
    let connects = || {
        let neighbour = &herd.server(0).links.neighbours()[0];
        neighbour.counts.connects.load(Ordering::Relaxed)
    };
    assert_eq!(connects(), 2, "once in each layout");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(connects(), 2, "a link in the newest layout stays");
}

/// A server of a later program: its hello says a newer range and features that nobody here knows, every message
/// of the link protocol has bytes behind it, and frames of kinds that may be skipped lie between all others.
struct Later(&'static str);

const BEHIND: &[u8] = b"and what a later program says besides";

impl Tap for Later {
    fn pass(&self, from: &str, _: &str, frame: Vec<u8>) -> Vec<Vec<u8>> {
        if from != self.0 {
            return vec![frame];
        }
        match frame[0] {
            HELLO => {
                let sender = frame.strip_prefix(&[HELLO, 2, 1, 2, 0]).unwrap();
                // Versions 2 to 300, and all features but one.
                let mut hello = vec![HELLO, 2, 2, 251, 44, 1];
                codec::encode_into(&(u64::MAX - 1), &mut hello).unwrap();
                vec![[&hello, sender, BEHIND].concat()]
            }
            // A message of chitchat has no bytes behind it.
            GOSSIP => vec![skippable(128), frame, skippable(200)],
            _ => vec![[&frame, BEHIND].concat(), skippable(255)],
        }
    }
}

/// A frame of a kind that nobody knows here, and that may be skipped.
fn skippable(kind: u8) -> Vec<u8> {
    [&[kind], BEHIND].concat()
}

#[tokio::test(start_paused = true)]
async fn a_later_server_works_beside_present_ones() {
    for (position, name) in NAMES.into_iter().enumerate() {
        let mut herd = Herd::five_stopped();
        herd.network.set_tap(Arc::new(Later(name)));
        herd.start_all();
        herd.linked().await;
        let clients = report_everywhere(&herd, "first");
        herd.all_hold(clients).await;
        herd.change_offer(position, Offer::PRESENT).await;
        herd.linked().await;
        let clients = clients + report_everywhere(&herd, "second");
        herd.all_hold(clients).await;
        for server in herd.running() {
            for neighbour in server.links.neighbours() {
                let other = &neighbour.config.name;
                assert_eq!(
                    spoken(&server.links, other),
                    Some((2, 0)),
                    "{} {other}",
                    server.name
                );
                let skipped = neighbour.counts.frames_skipped.load(Ordering::Relaxed);
                assert_eq!(skipped > 0, **other == *name, "{skipped} frames of {other}");
                let lost = neighbour.counts.connects.load(Ordering::Relaxed);
                let is_restarted = **other == *name;
                assert_eq!(lost, 1 + u64::from(is_restarted), "{} {other}", server.name);
            }
        }
    }
}
