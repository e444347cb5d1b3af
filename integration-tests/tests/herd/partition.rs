//! A herd in two parts that cannot hear each other.

use herd_integration_tests::{Herd, Passage, Topology, eventually};

use crate::{NAMES, UCLA, ids};

const SIDES: [&[&str]; 2] = [&["Hill", "Jaquez"], &["Smith", "Campbell", "Singleton"]];
const BETWEEN: [(&str, &str); 2] = [("Hill", "Smith"), ("Jaquez", "Singleton")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_of_cut_links_serve_and_agree_when_healed() {
    separate_and_heal([Passage::Cut, Passage::Cut]).await;
}

/// A silent network ends no connection; a server finds out by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_of_silent_links_serve_and_agree_when_healed() {
    separate_and_heal([Passage::Frozen, Passage::Frozen]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_flap_lose_nothing() {
    let herd = Herd::builder(Topology::five()).proxied().start().await;
    let mut clients = Vec::new();
    for round in 0..20 {
        let (one, other) = BETWEEN[round % 2];
        let passage = if round % 4 < 2 {
            Passage::Cut
        } else {
            Passage::Frozen
        };
        herd.set_link(one, other, passage);
        for name in NAMES {
            let id = format!("{name}{round}");
            herd.client(name).await.report(&id, UCLA, "1").await;
            clients.push(id);
        }
        herd.set_link(one, other, Passage::Open);
    }
    herd.agree(&NAMES, &clients).await;
}

async fn separate_and_heal(passages: [Passage; 2]) {
    let mut herd = Herd::builder(Topology::five()).proxied().start().await;
    let common = ids("common", 50);
    herd.client("Hill")
        .await
        .report_all(&common, UCLA, "1")
        .await;
    herd.agree(&NAMES, &common).await;
    separate(&herd, passages).await;

    // Each side moves the common clients, the second one later, and gets new ones.
    let mut clients = common.clone();
    let mut side_answers = Vec::new();
    for (number, side) in SIDES.iter().enumerate() {
        let own = ids(&format!("side{number}-"), 50);
        let time = format!("{}", number + 2);
        side_answers.push(serve_alone(&herd, side, &common, &own, &time).await);
        clients.extend(own);
    }
    // Both sides have talked among themselves since; nothing came across.
    for (number, side) in SIDES.iter().enumerate() {
        let others = ids(&format!("side{}-", 1 - number), 50);
        for name in *side {
            let found = herd.client(name).await.find_all(&others).await;
            assert!(
                found.iter().all(Option::is_none),
                "{name} heard the other side"
            );
        }
    }

    for (one, other) in BETWEEN {
        herd.set_link(one, other, Passage::Open);
    }
    let mut answers = Vec::new();
    eventually("all have the later side's news", async || {
        answers = herd.agree(&NAMES, &clients).await;
        answers[..50] == side_answers[1][..50]
    })
    .await;
    assert_eq!(answers[50..100], side_answers[0][50..]);
    assert_eq!(answers[100..], side_answers[1][50..]);
    herd.linked().await;
}

/// Cuts the links between the sides, and waits until every server has noticed.
async fn separate(herd: &Herd, passages: [Passage; 2]) {
    for ((one, other), passage) in BETWEEN.into_iter().zip(passages) {
        herd.set_link(one, other, passage);
    }
    for (one, other) in BETWEEN {
        for (from, to) in [(one, other), (other, one)] {
            let server = herd.server(from);
            eventually(format!("{from} has lost {to}"), async || {
                !server.links().iter().any(|name| name == to)
            })
            .await;
        }
    }
}

/// Reports the common clients at one server of a side and its own clients at another. Returns the answers about all of
/// them, once the whole side has them.
async fn serve_alone(
    herd: &Herd,
    side: &[&str],
    common: &[String],
    own: &[String],
    time: &str,
) -> Vec<String> {
    let mut first = herd.client(side[0]).await;
    first.report_all(common, UCLA, time).await;
    let mut second = herd.client(side[1]).await;
    second.report_all(own, UCLA, time).await;
    let held = [common, own].concat();
    let mut answers = Vec::new();
    eventually(format!("{side:?} has its own news"), async || {
        answers = herd.agree(side, &held).await;
        let ending = format!(" {time}");
        answers.iter().all(|line| line.ends_with(&ending))
    })
    .await;
    answers
}
