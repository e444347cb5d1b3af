//! What becomes of the records of a server that dies, and of the server when it comes back.

use std::time::Duration;

use super::harness::{Herd, eventually};
use super::network::Stretch;

const CLIENTS: usize = 500;

fn client(number: usize) -> String {
    format!("client{number}")
}

/// Every server has buried all incarnations of `name` but those that are live.
async fn buried_everywhere(herd: &Herd, name: &str) {
    for server in herd.running() {
        let what = format!("{} has buried {name}", server.name);
        eventually(&what, || {
            let status = server.figures.status();
            status
                .members
                .iter()
                .filter(|member| *member.sighting.incarnation.server == *name && member.gone)
                .all(|member| !member.sighting.holds_slots)
                && status.members.iter().any(|member| member.gone)
        })
        .await;
    }
}

/// Each of the first `clients` clients has exactly one publisher.
async fn one_publisher_each(herd: &Herd, clients: usize) {
    for number in 0..clients {
        let name = client(number);
        eventually(&format!("{name} has one publisher"), || {
            herd.publishers(&name).len() == 1
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn records_of_the_dead_outlive_all_who_knew_their_server() {
    let mut herd = Herd::five();
    for number in 0..CLIENTS {
        herd.server(0).report(&client(number), 1);
    }
    herd.all_hold(CLIENTS).await;
    herd.stop(0).await;
    one_publisher_each(&herd, CLIENTS).await;
    buried_everywhere(&herd, "Hill").await;
    // Adoption is spread over the servers, not left to one.
    for server in herd.running() {
        assert!(
            server.figures.status().adopted > 0,
            "{} adopted nothing",
            server.name
        );
    }
    // Each of the others loses its memory in turn; the adopters' copies carry the records on.
    for position in 1..5 {
        herd.stop(position).await;
        herd.restart(position);
        herd.all_hold(CLIENTS).await;
    }
    // A newcomer under the dead one's name learns them too, and publishes nothing that lives.
    herd.restart(0);
    herd.all_hold(CLIENTS).await;
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_adopts_nothing_that_lives() {
    let mut herd = Herd::start(&["Hill", "Smith", "Jaquez"], &[(0, 1), (1, 2)]);
    for number in 0..CLIENTS {
        herd.server(0).report(&client(number), 1);
    }
    herd.all_hold(CLIENTS).await;
    herd.stop(2).await;
    herd.restart(2);
    herd.all_hold(CLIENTS).await;
    // Longer than it takes to call someone gone, and every rank's turn.
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(herd.server(2).figures.status().adopted, 0);
    one_publisher_each(&herd, CLIENTS).await;
    assert_eq!(herd.publishers(&client(0)), ["Hill"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_buried_while_it_was_away_publishes_again() {
    let mut herd = Herd::start(&["Hill", "Smith", "Jaquez"], &[(0, 1), (0, 2), (1, 2)]);
    for number in 0..CLIENTS {
        herd.server(0).report(&client(number), 1);
    }
    for number in CLIENTS..2 * CLIENTS {
        herd.server(1).report(&client(number), 1);
    }
    herd.all_hold(2 * CLIENTS).await;
    let before = herd.server(0).links.incarnation();
    herd.isolate(0, Stretch::Cut);
    for position in [1, 2] {
        let server = herd.server(position);
        eventually("Hill is buried", || {
            server.figures.status().buried.contains(&before)
        })
        .await;
    }
    herd.server(0).report("alone", 1);
    herd.isolate(0, Stretch::Whole);
    herd.all_hold(2 * CLIENTS + 1).await;
    eventually("Hill takes a new incarnation", || {
        herd.server(0).links.incarnation().generation > before.generation
    })
    .await;
    // Its records are its own again: the adopters give them up to the server of rank 0. So are
    // Smith's, which Hill had adopted while it was alone.
    for number in 0..2 * CLIENTS {
        let name = client(number);
        let publisher = if number < CLIENTS { "Hill" } else { "Smith" };
        eventually(&format!("{publisher} alone publishes {name}"), || {
            herd.publishers(&name) == [publisher]
        })
        .await;
    }
    // The new incarnation of Hill still knows whose records are whose.
    herd.stop(1).await;
    one_publisher_each(&herd, 2 * CLIENTS).await;
    buried_everywhere(&herd, "Smith").await;
    herd.restart(1);
    herd.all_hold(2 * CLIENTS + 1).await;
}

#[tokio::test(start_paused = true)]
async fn ten_restarts_under_load_leave_nothing_but_ids() {
    let mut herd = Herd::five();
    let mut expected = 0;
    for restart in 0..10_u64 {
        herd.restart_or_start(4);
        for _ in 0..50 {
            herd.server(0).report(&client(expected), 1);
            expected += 1;
            herd.server(4).report(&client(expected), 1);
            expected += 1;
            herd.server(1).report("hot", restart + 1);
        }
        herd.all_hold(expected + 1).await;
        herd.stop(4).await;
    }
    herd.restart(4);
    herd.all_hold(expected + 1).await;
    buried_everywhere(&herd, "Singleton").await;
    one_publisher_each(&herd, expected).await;
}

impl Herd {
    /// Starts a server again if it does not run.
    fn restart_or_start(&mut self, position: usize) {
        if self.servers[position].is_none() {
            self.restart(position);
        }
    }
}
