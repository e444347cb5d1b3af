//! A record reaches every server, and all agree which of several is the newest.

use herd_integration_tests::Herd;

use crate::{NAMES, TIME, UCLA, ids};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_reported_at_each_server_is_answered_at_every_other() {
    let herd = Herd::five().await;
    for at in NAMES {
        let id = format!("from-{at}");
        let line = herd.client(at).await.report(&id, UCLA, TIME).await;
        for other in NAMES {
            herd.knows(other, &id, &line).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_times_end_as_one_record_everywhere() {
    let herd = Herd::five().await;
    let clients = ids("tie", 200);
    reported_at_once(&herd, &clients, |_| TIME.to_owned()).await;
    let answers = herd.agree(&NAMES, &clients).await;
    // Of equal times the record of the server with the greatest name stays.
    for (id, answer) in clients.iter().zip(&answers) {
        assert!(answer.starts_with("AT Smith "), "{answer}");
        assert!(
            answer.ends_with(&format!(" {id} {UCLA} {TIME}")),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_one_nanosecond_later_wins_everywhere() {
    let herd = Herd::five().await;
    let clients = ids("close", 200);
    reported_at_once(&herd, &clients, |server| {
        format!("1520023934.91896399{server}")
    })
    .await;
    let answers = herd.agree(&NAMES, &clients).await;
    for answer in &answers {
        assert!(answer.starts_with("AT Singleton "), "{answer}");
        assert!(answer.ends_with(".918963994"), "{answer}");
    }
}

/// Reports all of `clients` at all servers at the same time, with a time for each server.
async fn reported_at_once(herd: &Herd, clients: &[String], time: impl Fn(usize) -> String) {
    let report = async |position: usize, server: &str| {
        let mut client = herd.client(server).await;
        client.report_all(clients, UCLA, &time(position)).await;
    };
    let [hill, jaquez, smith, campbell, singleton] = NAMES;
    tokio::join!(
        report(0, hill),
        report(1, jaquez),
        report(2, smith),
        report(3, campbell),
        report(4, singleton),
    );
}
