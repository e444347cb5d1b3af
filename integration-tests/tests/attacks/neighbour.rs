//! A neighbour of the topology, whose hello is accepted, does its worst to a server of a herd on disks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use herd_integration_tests::{Client, Herd, Topology, eventually, series, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::evil::{Attack, End, Generations, attacks};
use crate::peers;
use crate::speaker::Speaker;

const UCLA: &str = "+34.068930-118.445127";
const TIME: &str = "1600000000";

/// The maximal rise of the peak of the attacked server's memory by all attacks, in KiB.
const ADDED_KIB_MAX: u64 = 96 * 1024;

/// Why links end of a server that leaves an incarnation of which somebody claims more than it has published.
const ANEW: &str = "this server takes a new incarnation";

/// The peak of the memory that a process had in use.
fn peak_kib(herd: &mut Herd, server: &str) -> u64 {
    let pid = herd.server_mut(server).process().id();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse().unwrap()
}

async fn is_healthy(herd: &Herd, server: &str) {
    let http = herd.server(server).addresses().http;
    let asking = async {
        let mut stream = TcpStream::connect(http).await.unwrap();
        let request = b"GET /healthz HTTP/1.0\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    };
    let reply = within("/healthz", asking).await;
    assert!(reply.starts_with("HTTP/1.0 200 "), "{server}: {reply}");
}

/// Reports of honest clients at the attacked server, each of which must be acknowledged, until it is over.
async fn report_on(mut client: Client, prefix: &str, over: Arc<AtomicBool>) -> Vec<String> {
    let mut reported = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let id = format!("{prefix}-{}", reported.len());
        client.report(&id, UCLA, TIME).await;
        reported.push(id);
    }
    reported
}

/// Hill's place is taken; Smith is attacked; Campbell is behind it.
struct Siege {
    herd: Herd,
    known: Generations,
    /// Where the logs of the honest ended when it began.
    marks: [usize; 2],
    /// The peaks of their memory until then, in KiB.
    peaks: [u64; 2],
    /// All clients that were acknowledged.
    ids: Vec<String>,
}

const HONEST: [&str; 2] = ["Smith", "Campbell"];
const ALL: [&str; 3] = ["Hill", "Smith", "Campbell"];

impl Siege {
    async fn begin() -> Siege {
        let links = [("Hill", "Smith"), ("Smith", "Campbell")];
        let mut herd = Herd::builder(Topology::new(&ALL, &links))
            .on_disk()
            .argument("--ack=disk")
            .start()
            .await;
        let mut hill = herd.client("Hill").await;
        let early = hill.report("early", UCLA, TIME).await;
        herd.knows("Campbell", "early", &early).await;
        let hill = peers::generation(&herd, "Smith", "Hill").await + 1;
        let campbell = peers::generation(&herd, "Smith", "Campbell").await;
        herd.server_mut("Hill").kill();
        let log = herd.log("Smith");
        log.wait_for(0, &["link lost", "neighbour=Hill"]).await;
        let smith = ("Smith", herd.server("Smith").peer_address());
        let known = Generations {
            hill,
            smith: Speaker::link(smith, "Hill", hill).await.other,
            campbell,
        };
        Siege {
            marks: HONEST.map(|name| herd.log(name).end()),
            peaks: HONEST.map(|name| peak_kib(&mut herd, name)),
            herd,
            known,
            ids: vec!["early".to_owned()],
        }
    }

    /// Carries out an attack while honest clients report.
    async fn attack(&mut self, attack: &Attack) {
        let over = Arc::new(AtomicBool::new(false));
        let client = self.herd.client("Smith").await;
        let honest = report_on(client, attack.name, over.clone());
        let attacking = async {
            let said = self.say_all(attack).await;
            over.store(true, Ordering::Relaxed);
            said
        };
        let (reported, frames) = tokio::join!(honest, attacking);
        let honest = reported.len();
        println!("{}: {frames} frames, {honest} honest reports", attack.name);
        self.herd.agree(&HONEST, &reported).await;
        self.ids.extend(reported);
        self.stands(attack.name).await;
    }

    /// Sends all frames of an attack, and checks the effect. Returns the number of frames sent.
    async fn say_all(&self, attack: &Attack) -> usize {
        let address = self.herd.server("Smith").peer_address();
        let link = || Speaker::link(("Smith", address), "Hill", self.known.hill);
        let frames = (0..attack.rounds).flat_map(|_| &attack.frames);
        let mut said = 0;
        match attack.end {
            End::CutOff => {
                for frame in frames {
                    let mut speaker = link().await;
                    speaker.say(frame).await;
                    speaker.cut_off().await;
                    said += 1;
                }
            }
            End::Taken => {
                let mut speaker = link().await;
                let before = self.received().await;
                for frame in frames {
                    assert!(speaker.say(frame).await, "{}: cut off", attack.name);
                    said += 1;
                }
                eventually("all of it is taken", async || {
                    self.received().await >= before + said as f64
                })
                .await;
                assert!(speaker.is_linked(), "{}: cut off", attack.name);
            }
            End::After(seconds) => {
                let mut speaker = link().await;
                let saying = async {
                    for frame in frames {
                        speaker.say(frame).await;
                        said += 1;
                    }
                };
                let _ = timeout(Duration::from_secs(seconds), saying).await;
                assert!(speaker.is_linked(), "{}: cut off", attack.name);
            }
        }
        said
    }

    /// How many frames Smith has taken off its link to Hill.
    async fn received(&self) -> f64 {
        let http = self.herd.server("Smith").addresses().http;
        series(http, "herd_link_received_frames_total{neighbour=\"Hill\"}").await
    }

    /// All is as it was before.
    async fn stands(&mut self, attack: &str) {
        let back = format!("back-{attack}");
        let mut campbell = self.herd.client("Campbell").await;
        let at = campbell.report(&back, UCLA, TIME).await;
        self.herd.knows("Smith", &back, &at).await;
        self.ids.push(back);
        for (index, name) in HONEST.into_iter().enumerate() {
            is_healthy(&self.herd, name).await;
            let added = peak_kib(&mut self.herd, name).saturating_sub(self.peaks[index]);
            println!("  {name}: {added} KiB above the peak before");
            assert!(added <= ADDED_KIB_MAX, "{name}, {attack}: {added} KiB");
            let mut lost = self.herd.server(name).links_lost(self.marks[index]);
            lost.retain(|line| !line.contains("neighbour=Hill ") && !line.contains(ANEW));
            assert!(lost.is_empty(), "{name}, {attack}: {lost:?}");
        }
    }

    /// The true Hill comes back and is heard, after all messages in its name.
    async fn hill_returns(&mut self) {
        self.herd.server_mut("Hill").restart().await;
        // The log may have left out the last lines about links, because many were made and lost.
        let http = self.herd.server("Smith").addresses().http;
        eventually("Smith is linked to Hill", async || {
            series(http, "herd_link_up{neighbour=\"Hill\"}").await == 1.0
        })
        .await;
        let mut hill = self.herd.client("Hill").await;
        let late = hill.report("late", UCLA, TIME).await;
        self.herd.knows("Campbell", "late", &late).await;
        self.ids.push("late".to_owned());
    }

    /// Every store opens again, with all that was acknowledged.
    async fn stores_open(mut self) {
        let answers = self.herd.agree(&ALL, &self.ids).await;
        for name in ALL {
            let panics = self.herd.log(name).lines_with(0, &["panicked"]);
            assert!(panics.is_empty(), "{name}: {panics:?}");
            let server = self.herd.server_mut(name);
            assert_eq!(server.terminate().await.code(), Some(0), "{name}");
        }
        // One after the other: none learns from another what its own store should have.
        for name in ALL {
            self.herd.server_mut(name).restart().await;
            let found = self.herd.client(name).await.find_all(&self.ids).await;
            assert!(found.into_iter().flatten().eq(answers.clone()), "{name}");
            let said = self.herd.server(name).log_since_start();
            assert!(!said.contains("is damaged"), "{said}");
            self.herd.server_mut(name).terminate().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_neighbour_costs_no_memory_service_or_store() {
    let mut siege = Siege::begin().await;
    for attack in attacks(siege.known) {
        siege.attack(&attack).await;
    }
    siege.hill_returns().await;
    siege.stores_open().await;
}
