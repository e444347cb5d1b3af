//! A server that is stopped by SIGSTOP: it keeps its connections and says nothing.

use std::time::Duration;

use herd_integration_tests::{Herd, eventually};
use tokio::time::Instant;

use crate::{NAMES, TIME, UCLA, ids};

/// A server that is silent counts as gone after 10 s.
const SURELY_NOT_GONE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_neighbour_delays_no_other_and_catches_up() {
    let mut herd = Herd::five().await;
    let others = ["Hill", "Jaquez", "Campbell", "Singleton"];
    let marks = others.map(|name| herd.log(name).end());
    herd.server_mut("Smith").stop();
    let stopped = Instant::now();

    let mut reported = Vec::new();
    let mut answered_before_it_is_lost = 0;
    let is_known_lost = |herd: &Herd| {
        ["Hill", "Campbell", "Singleton"]
            .iter()
            .all(|name| !herd.server(name).links().contains(&"Smith".to_owned()))
    };
    // From the stop until its neighbours have noticed, and a little beyond.
    let mut rounds_left = 5;
    while rounds_left > 0 {
        if is_known_lost(&herd) {
            rounds_left -= 1;
        }
        let mut told = Vec::new();
        for from in others {
            let id = format!("{from}-{}", reported.len());
            let mut client = herd.client(from).await;
            let line = client.report(&id, UCLA, TIME).await;
            assert_eq!(client.find(&id).await.as_ref(), Some(&line));
            if !is_known_lost(&herd) {
                answered_before_it_is_lost += 1;
            }
            reported.push(id.clone());
            told.push((id, line));
        }
        // On the only way left: Hill - Jaquez - Singleton - Campbell.
        for (id, line) in &told {
            for at in others {
                herd.knows(at, id, line).await;
            }
        }
        assert!(
            reported.len() < 4_000,
            "no server notices that Smith is stopped"
        );
    }
    // No reply waits until the stopped neighbour is given up.
    assert!(answered_before_it_is_lost >= others.len());
    for (name, mark) in others
        .into_iter()
        .zip(marks)
        .filter(|(name, _)| *name != "Jaquez")
    {
        let lost = herd
            .log(name)
            .wait_for(mark, &["link lost neighbour=Smith", "reason="]);
        let lost = lost.await;
        assert!(!lost.ends_with("reason="), "{lost}");
    }

    herd.server_mut("Smith").resume();
    let stopped_for = stopped.elapsed();
    herd.agree(&NAMES, &reported).await;
    herd.linked().await;
    // That was not long enough to be gone, on a machine that is not very slow.
    for name in NAMES.iter().filter(|_| stopped_for < SURELY_NOT_GONE) {
        let gone = herd.log(name).lines_with(0, &["gone:"]);
        assert!(gone.is_empty(), "{name}: {gone:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_stopped_until_gone_comes_back() {
    let mut herd = Herd::five().await;
    let clients = ids("away", 300);
    herd.client("Singleton")
        .await
        .report_all(&clients, UCLA, TIME)
        .await;
    herd.agree(&NAMES, &clients).await;
    herd.server_mut("Singleton").stop();
    let others = ["Hill", "Jaquez", "Smith", "Campbell"];
    for name in others {
        herd.log(name).wait_for(0, &["gone:", "Singleton/"]).await;
    }
    // Some of its clients move while it is away.
    let moved = &clients[..100];
    let lines = herd
        .client("Hill")
        .await
        .report_all(moved, "+60.2+024.9", "1520023935")
        .await;
    herd.agree(&others, &clients).await;

    herd.server_mut("Singleton").resume();
    herd.linked().await;
    let answers = herd.agree(&NAMES, &clients).await;
    assert_eq!(answers[..100], lines);
    for name in others {
        herd.log(name).wait_for(0, &["back", "Singleton/"]).await;
    }
    // It is heard again, and hears.
    let mut singleton = herd.client("Singleton").await;
    let line = singleton.report("after", UCLA, TIME).await;
    for name in others {
        herd.knows(name, "after", &line).await;
    }
    let hill = herd.client("Hill").await.report("too", UCLA, TIME).await;
    eventually("Singleton hears", async || {
        singleton.find("too").await.as_ref() == Some(&hill)
    })
    .await;
}
