//! What a neighbour makes up about a third server costs that server neither its life nor its voice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use herd_gossip::guard::{NUMBER_MAX, OWN_HEARTBEAT_MAX};
use herd_topology::{Incarnation, gossip_address};
use parking_lot::Mutex;

use super::harness::{Herd, eventually};
use super::network::Tap;

/// The kind of a frame with a message of gossip.
const GOSSIP: u8 = 3;

/// The positions of the servers: Smith lies to Hill about Jaquez.
const HILL: usize = 0;
const SMITH: usize = 1;
const JAQUEZ: usize = 2;

/// Adds to the next message of Smith's for Hill one that Smith has made up.
#[derive(Default)]
struct Liar {
    lie: Mutex<Option<Vec<u8>>>,
    /// How often it lied.
    lies: AtomicU64,
}

impl Liar {
    fn tell(&self, lie: Vec<u8>) {
        *self.lie.lock() = Some(lie);
    }
}

impl Tap for Liar {
    fn pass(&self, from: &str, to: &str, frame: Vec<u8>) -> Vec<Vec<u8>> {
        if from != "Smith" || to != "Hill" || frame.first() != Some(&GOSSIP) {
            return vec![frame];
        }
        let Some(message) = self.lie.lock().take() else {
            return vec![frame];
        };
        self.lies.fetch_add(1, Ordering::Relaxed);
        vec![frame, [&[GOSSIP], message.as_slice()].concat()]
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}

/// A message of this kind: version 0, a SYN is 0 and an ACK 2.
fn message(kind: u8) -> Vec<u8> {
    const MAGIC_NUMBER: u16 = 45_139;
    let mut message = MAGIC_NUMBER.to_le_bytes().to_vec();
    message.extend([0, kind]);
    message
}

fn id(out: &mut Vec<u8>, of: &Incarnation) {
    text(out, &of.server);
    out.extend(of.generation.to_le_bytes());
    let address = gossip_address(&of.server);
    let std::net::IpAddr::V6(ip) = address.ip() else {
        panic!("not an IPv6 address");
    };
    out.push(6);
    out.extend(ip.octets());
    out.extend(address.port().to_le_bytes());
}

/// A SYN that knows this heartbeat of an incarnation.
fn heartbeat(of: &Incarnation, heartbeat: u64) -> Vec<u8> {
    let mut syn = message(0);
    syn.extend(1_u16.to_le_bytes());
    id(&mut syn, of);
    for number in [heartbeat, 0, 0] {
        syn.extend(number.to_le_bytes());
    }
    text(&mut syn, "test");
    syn
}

/// An ACK whose delta has an incarnation publish something at this version.
fn publication(of: &Incarnation, version: u64) -> Vec<u8> {
    let mut operations = vec![0_u8];
    id(&mut operations, of);
    operations.extend([0; 16]);
    operations.push(1);
    text(&mut operations, "slot/0000ffff");
    text(&mut operations, "");
    operations.extend(version.to_le_bytes());
    operations.push(0);
    let mut ack = message(2);
    ack.push(2);
    ack.extend(u16::try_from(operations.len()).unwrap().to_le_bytes());
    ack.extend(operations);
    ack.push(0);
    ack
}

/// Hill has a link to Smith, which lies, and one to Jaquez.
async fn herd_with_a_liar() -> (Herd, Arc<Liar>) {
    let mut herd = Herd::stopped(
        &["Hill", "Smith", "Jaquez"],
        &[(HILL, SMITH), (HILL, JAQUEZ)],
    );
    let liar = Arc::new(Liar::default());
    herd.network.set_tap(liar.clone());
    herd.start_all();
    herd.linked().await;
    herd.server(JAQUEZ).report("kiwi", 1);
    for position in [HILL, SMITH] {
        eventually("all know the kiwi", || {
            herd.server(position).time_of("kiwi").is_some()
        })
        .await;
    }
    (herd, liar)
}

/// Whether Hill counts an incarnation as gone.
fn is_gone(herd: &Herd, incarnation: &Incarnation) -> bool {
    let status = herd.server(HILL).figures.status();
    let mut members = status.members.iter();
    members.any(|member| member.sighting.incarnation == *incarnation && member.gone)
}

/// Watches Hill for a while; says whether it ever counts an incarnation as gone.
async fn is_ever_gone(herd: &Herd, incarnation: &Incarnation, seconds: u64) -> bool {
    for _ in 0..4 * seconds {
        tokio::time::sleep(Duration::from_millis(250)).await;
        if is_gone(herd, incarnation) {
            return true;
        }
    }
    false
}

async fn tells_hill(herd: &Herd, client: &str) {
    herd.server(JAQUEZ).report(client, 2);
    eventually("Hill hears Jaquez", || {
        herd.server(HILL).time_of(client).is_some()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_overstated_heartbeat_does_not_kill_its_server() {
    for claimed in [10_000, OWN_HEARTBEAT_MAX / 2] {
        let (herd, liar) = herd_with_a_liar().await;
        let jaquez = herd.server(JAQUEZ).links.incarnation();
        liar.tell(heartbeat(&jaquez, claimed));
        assert!(!is_ever_gone(&herd, &jaquez, 60).await, "{claimed}");
        assert_eq!(liar.lies.load(Ordering::Relaxed), 1);
        assert_eq!(herd.server(JAQUEZ).links.incarnation(), jaquez);
        tells_hill(&herd, "emu").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_too_high_to_go_on_from_costs_an_incarnation() {
    let (herd, liar) = herd_with_a_liar().await;
    let jaquez = herd.server(JAQUEZ).links.incarnation();
    liar.tell(heartbeat(&jaquez, NUMBER_MAX));
    eventually("Jaquez has begun anew", || {
        herd.server(JAQUEZ).links.incarnation().generation > jaquez.generation
    })
    .await;
    let jaquez = herd.server(JAQUEZ).links.incarnation();
    tells_hill(&herd, "emu").await;
    assert!(!is_ever_gone(&herd, &jaquez, 60).await);
    assert_eq!(herd.server(JAQUEZ).links.incarnation(), jaquez);
}

#[tokio::test(start_paused = true)]
async fn a_server_of_which_too_much_is_told_is_heard_again() {
    let (herd, liar) = herd_with_a_liar().await;
    let jaquez = herd.server(JAQUEZ).links.incarnation();
    liar.tell(publication(&jaquez, 1_000_000));
    eventually("Hill believes it", || {
        liar.lies.load(Ordering::Relaxed) == 1
    })
    .await;
    tells_hill(&herd, "emu").await;
    let anew = herd.server(JAQUEZ).links.incarnation();
    assert!(anew.generation > jaquez.generation);
    assert!(!is_ever_gone(&herd, &anew, 60).await);
    assert_eq!(herd.server(JAQUEZ).links.incarnation(), anew, "once");
}

/// Nobody can tell a lie about the dead from the news of a neighbour beyond. So a liar keeps a dead server alive for as
/// long as it lies, and no longer: what that server published is there meanwhile.
#[tokio::test(start_paused = true)]
async fn the_dead_live_on_for_as_long_as_somebody_lies() {
    let (mut herd, liar) = herd_with_a_liar().await;
    let jaquez = herd.server(JAQUEZ).links.incarnation();
    herd.stop(JAQUEZ).await;
    for beat in 0..120_u64 {
        liar.tell(heartbeat(&jaquez, 1_000_000 + beat));
        assert!(!is_ever_gone(&herd, &jaquez, 1).await);
    }
    assert!(herd.server(HILL).time_of("kiwi").is_some());
    eventually("its records have a publisher that lives", || {
        herd.publishers("kiwi").len() == 1
    })
    .await;
    assert!(is_gone(&herd, &jaquez));
}
