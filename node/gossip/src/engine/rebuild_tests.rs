use std::sync::Arc;
use std::time::Duration;

use chitchat::{ChitchatMessage, Serializable as _};
use herd_crdt::group::GroupFormat;
use herd_crdt::{ServerName, SlotGroup, SlotId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::digests::{Entry, digest_bytes_max, syn_ack_of};
use crate::entropy::Entropy;
use crate::link::offer::Offer;
use crate::links::{HerdView, Links};
use crate::neighbour::NeighbourConfig;
use crate::timing::{CHITCHAT_TICK, IDS_MAX};
use crate::timing::{MESSAGE_BYTES_MAX, STRANGERS_MAX};
use herd_clock::clock::SystemClock;
use herd_replica::known_ids::Admission;
use herd_replica::timing::IDS_PER_SERVER_MAX;
use herd_topology::NAME_BYTES_MAX;

fn incarnation(server: &str, generation: u64) -> Incarnation {
    Incarnation {
        server: server.into(),
        generation,
    }
}

/// Hill, whose neighbour is Smith.
pub(in crate::engine) async fn hill() -> (Engine, Arc<Links>) {
    hill_of(Vec::new()).await
}

/// The same, in a topology with these servers besides.
async fn hill_of(mut servers: Vec<ServerName>) -> (Engine, Arc<Links>) {
    servers.extend(["Hill".into(), "Smith".into()]);
    let neighbour = NeighbourConfig {
        name: "Smith".into(),
        address: "Smith".to_owned(),
        dials: true,
    };
    let view = HerdView {
        cluster: "herd".to_owned(),
        me: "Hill".into(),
        servers,
        neighbours: vec![neighbour],
    };
    let links = Arc::new(Links::new(
        view,
        Entropy::new(Arc::new(SystemClock), 1),
        None,
    ));
    let engine = Engine::start(links.incarnation(), &links, GroupFormat::PRESENT)
        .await
        .unwrap();
    (engine, links)
}

/// A digest of these, with this heartbeat, reaches the engine.
async fn tell(links: &Links, told: &[Incarnation], heartbeat: u64) {
    let entries = told.iter().map(|incarnation| Entry {
        incarnation,
        heartbeat,
        last_gc_version: 0,
        version: 0,
    });
    links.hand_in_own(syn_ack_of(entries).unwrap()).await;
}

async fn known(engine: &Engine) -> Vec<Incarnation> {
    let sightings = engine.sightings().await;
    sightings.into_iter().map(|s| s.incarnation).collect()
}

pub(in crate::engine) fn group(slot: u32, bytes: usize) -> SlotGroup {
    // Nothing that could be packed.
    let mut state = u64::from(slot) + 1;
    let group: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect();
    SlotGroup {
        slot: SlotId(slot),
        group,
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_stays_away_and_the_rest_goes_on() {
    let (engine, links) = hill().await;
    let version = engine.set_groups(&[group(0, 100), group(1, 100)]).await;
    let smiths: Vec<Incarnation> = (1..=3).map(|one| incarnation("Smith", one)).collect();
    for heartbeat in 1..=8 {
        tell(&links, &smiths[..2], 1).await;
        tell(&links, &smiths[2..], heartbeat).await;
        sleep(Duration::from_millis(450)).await;
    }
    assert_eq!(known(&engine).await, smiths);
    engine.forget(&smiths[..2].iter().cloned().collect()).await;
    assert_eq!(links.reported_on("Smith", 2), None);
    assert_eq!(links.reported_on("Smith", 3), Some(smiths[2].clone()));
    // Neighbours go on speaking of them.
    tell(&links, &smiths[..2], 2).await;
    sleep(CHITCHAT_TICK * 2).await;
    let sightings = engine.sightings().await;
    let [smith] = sightings.as_slice() else {
        panic!("{sightings:?}");
    };
    assert_eq!(smith.incarnation, smiths[2]);
    assert!(smith.live, "nobody noticed");
    assert_eq!(smith.heartbeat, 8);
    // Its own state is what it was.
    assert_eq!(engine.set_groups(&[group(0, 100)]).await, version);
    assert_eq!(engine.set_groups(&[group(1, 200)]).await, version + 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_with_all_ids_there_can_be_has_room_for_a_group() {
    let told: Vec<Incarnation> = (0..IDS_MAX as u64 + 100)
        .map(|number| incarnation(&format!("{number:0>NAME_BYTES_MAX$}"), 1))
        .collect();
    let servers = told.iter().map(|told| told.server.clone());
    let (engine, links) = hill_of(servers.collect()).await;
    engine.set_groups(&[group(0, 12_000)]).await;
    for told in told.chunks(100) {
        tell(&links, told, 1).await;
    }
    let smith = links.neighbour("Smith").unwrap();
    let protocol = Offer::PRESENT.agree(Offer::PRESENT).unwrap();
    smith.connected(&incarnation("Smith", 1), protocol, CancellationToken::new());
    // Smith begins a round.
    let ChitchatMessage::SynAck { digest, .. } = syn_ack_of([].into_iter()).unwrap() else {
        panic!("it is a SYN-ACK");
    };
    let cluster_id = "herd".to_owned();
    let syn = ChitchatMessage::Syn { cluster_id, digest };
    links.inbox.hand_in(smith.gossip_address, syn).await;
    let answer = smith.outbound.pop().await;
    let ChitchatMessage::SynAck { digest, delta } = &answer else {
        panic!("{answer:?}");
    };
    assert_eq!(known(&engine).await.len(), IDS_MAX - 1, "and Hill");
    assert!(digest.serialized_len() > digest_bytes_max(IDS_MAX - 1));
    assert!(
        delta.serialized_len() > 12_000,
        "{}",
        delta.serialized_len()
    );
    assert!(answer.serialized_len() <= MESSAGE_BYTES_MAX);
    assert_eq!(links.ids_refused(), 101);
}

#[tokio::test(start_paused = true)]
async fn the_newest_incarnations_of_a_server_have_room() {
    let (engine, links) = hill().await;
    let max = IDS_PER_SERVER_MAX as u64;
    let smiths: Vec<Incarnation> = (1..=max + 5).map(|one| incarnation("Smith", one)).collect();
    tell(&links, &smiths, 1).await;
    sleep(CHITCHAT_TICK).await;
    assert_eq!(known(&engine).await, smiths[5..]);
    assert_eq!(links.ids_refused(), 5);
}

#[tokio::test(start_paused = true)]
async fn forgotten_strangers_make_room_for_others() {
    let (engine, links) = hill().await;
    let strange = |number: usize| incarnation(&format!("new-{number}"), 1);
    let strangers: Vec<Incarnation> = (0..=STRANGERS_MAX).map(strange).collect();
    tell(&links, &strangers, 1).await;
    sleep(CHITCHAT_TICK).await;
    assert_eq!(known(&engine).await.len(), STRANGERS_MAX);
    engine.recount().await;
    assert_eq!(
        links.ids.lock().admit(&incarnation("one-more", 1)),
        Admission::Full
    );
    // Each was heard of once, and never again.
    sleep(DEAD_GRACE + CHITCHAT_TICK * 2).await;
    assert_eq!(known(&engine).await.len(), 0);
    engine.recount().await;
    assert_eq!(
        links.ids.lock().admit(&incarnation("one-more", 1)),
        Admission::Admitted
    );
}
