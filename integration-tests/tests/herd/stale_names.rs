//! Servers that come back at another address while their names stand for the old one, as pods do where resolvers remember
//! answers; and links that only one end can make.

use std::net::SocketAddr;

use herd_integration_tests::{Client, Herd, Passage, Topology, eventually};
use tokio::sync::Mutex;

use crate::{NAMES, TIME, UCLA};

/// For so many restarts the name of a server that has moved stands for its old address: some 30 s in a cluster.
const RESTARTS_REMEMBERED: usize = 3;

/// As in Kubernetes: every two servers have a link.
fn all_linked() -> Topology {
    let pairs = NAMES.iter().enumerate();
    let links: Vec<_> = pairs
        .flat_map(|(position, &one)| NAMES[position + 1..].iter().map(move |&other| (one, other)))
        .collect();
    Topology::new(&NAMES, &links)
}

/// Status and text of `/readyz`.
async fn readyz(herd: &Herd, name: &str) -> Option<(u16, String)> {
    let at = herd.server(name).addresses().http;
    let reply = reqwest::get(format!("http://{at}/readyz")).await.ok()?;
    Some((reply.status().as_u16(), reply.text().await.ok()?))
}

async fn ready(herd: &Herd, name: &str) {
    eventually(format!("{name} is ready"), async || {
        readyz(herd, name)
            .await
            .is_some_and(|(status, _)| status == 200)
    })
    .await;
}

/// The servers that clients are sent to, as a service has them. A report holds it, so a server that leaves has answered.
struct Service(Mutex<Vec<SocketAddr>>);

impl Service {
    /// Reports one client after the other until `rolled`, each to the next server; returns the replies.
    async fn reports(&self, rolled: &Mutex<bool>) -> Vec<(String, String)> {
        let mut told: Vec<(String, String)> = Vec::new();
        while !*rolled.lock().await {
            let servers = self.0.lock().await;
            let address = servers[told.len() % servers.len()];
            let id = format!("client{}", told.len());
            let mut client = Client::try_connect(address).await.unwrap();
            let reply = client.try_report(&id, UCLA, TIME).await.unwrap();
            assert!(reply.starts_with("AT "), "refused: {reply}");
            told.push((id, reply));
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_past_stale_names_refuses_nothing() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut herd = Herd::builder(all_linked())
        .proxied()
        .on_disk()
        .argument("--ack=disk,peer")
        .start()
        .await;
    let clients = NAMES.map(|name| herd.server(name).client_address());
    let service = Service(Mutex::new(clients.to_vec()));
    let rolled = Mutex::new(false);
    let order: Vec<&str> = NAMES.into_iter().rev().collect();
    let rolling = async {
        for (turn, name) in order.iter().enumerate() {
            let remembers = |other: usize| other < turn && other + RESTARTS_REMEMBERED > turn;
            if let Some(known_again) = turn.checked_sub(RESTARTS_REMEMBERED) {
                herd.found_again(order[known_again]);
                herd.linked_to(order[known_again], &order).await;
            }
            let address = herd.server(name).client_address();
            service.0.lock().await.retain(|other| *other != address);
            assert_eq!(herd.server_mut(name).terminate().await.code(), Some(0));
            herd.move_away(name);
            herd.server_mut(name).restart().await;
            ready(&herd, name).await;
            // Whoever has not moved lately is found by it, though nobody finds it.
            let unmoved = (0..order.len()).filter(|&other| other != turn && !remembers(other));
            let unmoved: Vec<&str> = unmoved.map(|other| order[other]).collect();
            herd.linked_to(name, &unmoved).await;
            // Ready means that it knows what was acknowledged, and that what it hears is heard.
            let id = format!("by-{name}");
            let at = herd.client(name).await.report(&id, UCLA, TIME).await;
            for other in NAMES {
                herd.knows(other, &id, &at).await;
            }
            let address = herd.server(name).client_address();
            service.0.lock().await.push(address);
        }
        *rolled.lock().await = true;
    };
    let (told, ()) = tokio::join!(service.reports(&rolled), rolling);
    assert!(told.len() >= 50, "only {} reports", told.len());
    let ids: Vec<String> = told.iter().map(|(id, _)| id.clone()).collect();
    let answers = herd.agree(&NAMES, &ids).await;
    let replies: Vec<String> = told.into_iter().map(|(_, reply)| reply).collect();
    assert_eq!(answers, replies);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_made_from_whichever_end_can_make_it() {
    let two = Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]);
    let herd = Herd::builder(two).proxied().start().await;
    for (round, (blocked, open)) in [("Hill", "Smith"), ("Smith", "Hill")]
        .into_iter()
        .enumerate()
    {
        let marks = [blocked, open].map(|name| herd.log(name).end());
        // First nobody reaches the other, then one does.
        herd.set_link("Hill", "Smith", Passage::Cut);
        for (name, mark) in [blocked, open].into_iter().zip(marks) {
            herd.log(name).wait_for(mark, &["link lost"]).await;
        }
        herd.set_connections(open, blocked, Passage::Open);
        herd.linked_to(open, &[blocked]).await;
        let id = format!("client{round}");
        for (number, from) in ["Hill", "Smith"].into_iter().enumerate() {
            let id = format!("{id}-{number}");
            let at = herd.client(from).await.report(&id, UCLA, TIME).await;
            for to in ["Hill", "Smith"] {
                herd.knows(to, &id, &at).await;
            }
        }
        // The end that was blocked finds the link that there is.
        let mark = herd.log(open).end();
        herd.set_connections(blocked, open, Passage::Open);
        let at = herd.client(blocked).await.report(&id, UCLA, TIME).await;
        herd.knows(open, &id, &at).await;
        let lost = herd.log(open).lines_with(mark, &["link lost"]);
        assert_eq!(lost, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_its_neighbours_do_not_know_is_not_ready() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for encrypted in [false, true] {
        let three = Topology::new(
            &["Hill", "Smith", "Jaquez"],
            &[("Hill", "Smith"), ("Hill", "Jaquez"), ("Smith", "Jaquez")],
        );
        let builder = Herd::builder(three.clone());
        let builder = match encrypted {
            true => builder.encrypted(),
            false => builder,
        };
        let mut herd = builder.start().await;
        herd.server_mut("Jaquez").terminate().await;
        let two = Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]);
        for name in ["Hill", "Smith"] {
            herd.use_topology(name, &two);
            herd.server_mut(name).terminate().await;
            herd.server_mut(name).restart().await;
        }
        let at = herd.client("Hill").await.report("kiwi", UCLA, TIME).await;
        herd.server_mut("Jaquez").restart().await;
        let unknown =
            "not ready: unknown to Hill, Smith: their topology has no link to this server\n";
        eventually("Jaquez hears that nobody knows it", async || {
            readyz(&herd, "Jaquez").await == Some((503, unknown.to_owned()))
        })
        .await;
        let http = herd.server("Jaquez").addresses().http;
        let metrics = reqwest::get(format!("http://{http}/metrics"))
            .await
            .unwrap();
        let metrics = metrics.text().await.unwrap();
        let reason =
            |line: &str| line.starts_with("herd_not_ready{") && line.contains("\"unknown\"");
        let line = metrics.lines().find(|line| reason(line));
        assert!(line.is_some_and(|line| line.ends_with(" 1.0")), "{line:?}");
        // The first one that learns of it is enough.
        herd.use_topology("Hill", &three);
        herd.server_mut("Hill").terminate().await;
        herd.server_mut("Hill").restart().await;
        ready(&herd, "Jaquez").await;
        assert!(
            herd.has("Jaquez", "kiwi", &at).await,
            "it is ready without it"
        );
    }
}
