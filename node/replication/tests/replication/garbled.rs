//! A group that nobody can read is never confirmed: over a link, the report stops below it until it is superseded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use herd_acknowledgement::AckLevel;
use herd_crdt::group::{GroupBuilder, GroupFormat};
use herd_gossip::link::frame::{Frame, FrameStream, Received, admit_all, framed};
use herd_gossip::link::handshake::answer;
use herd_gossip::link::network::{LinkStream, Network as _};
use herd_gossip::links::{HerdView, Links};
use herd_gossip::neighbour::NeighbourConfig;
use herd_gossip::slot_value::SlotValues;
use herd_replica::report::{Applied, AppliedReport};
use herd_topology::Incarnation;
use herd_topology::gossip_address;
use tokio::time::{Instant, timeout, timeout_at};

use super::harness::{Herd, entropy, eventually, record};

/// Several reports are sent in this time, news or not.
const SEVERAL_REPORTS: Duration = Duration::from_secs(5);

/// The kind of a frame with a message of gossip.
const GOSSIP_FRAME: u8 = 3;
/// Kinds of such messages.
const SYN: u8 = 0;
const ACK: u8 = 2;

/// Smith, which this test plays: what it publishes comes to Hill over a link.
struct Smith {
    frames: FrameStream<Box<dyn LinkStream>>,
    me: Incarnation,
    values: SlotValues,
}

impl Smith {
    /// Takes Hill's connection.
    async fn of(herd: &Herd) -> Smith {
        let view = HerdView {
            cluster: "test".to_owned(),
            me: "Smith".into(),
            servers: vec!["Hill".into(), "Smith".into()],
            neighbours: vec![NeighbourConfig {
                name: "Hill".into(),
                address: "Hill".to_owned(),
                dials: false,
            }],
        };
        let links = Arc::new(Links::new(view, entropy(), None));
        let endpoint = herd.network.endpoint("Smith");
        let mut frames = framed(endpoint.accept().await.unwrap().stream);
        answer(&mut frames, &links, None).await.unwrap();
        admit_all(&mut frames);
        let mut smith = Smith {
            frames,
            me: links.incarnation(),
            values: SlotValues::new().unwrap(),
        };
        // Before Hill begins a round, its gossip takes nothing.
        while smith.next().await.is_some() {}
        smith.introduce().await;
        smith
    }

    /// The text of a group with this one client.
    fn group_of(&self, client: &str) -> String {
        let mut group = GroupBuilder::new(GroupFormat::PRESENT);
        assert!(group.try_push(&record(&self.me.server, client, 1)));
        self.values.text_of(&group.finish())
    }

    /// The id of this incarnation, as gossip writes it.
    fn id(&self) -> Vec<u8> {
        let mut id = Vec::new();
        text(&mut id, &self.me.server);
        id.extend(self.me.generation.to_le_bytes());
        let address = gossip_address(&self.me.server);
        let std::net::IpAddr::V6(ip) = address.ip() else {
            panic!("not an IPv6 address");
        };
        id.push(6);
        id.extend(ip.octets());
        id.extend(address.port().to_le_bytes());
        id
    }

    /// Begins a round, in which Hill hears of this incarnation: its heartbeat is 1, and it has published nothing.
    async fn introduce(&mut self) {
        let mut message = 1_u16.to_le_bytes().to_vec();
        message.extend(self.id());
        for number in [1_u64, 0, 0] {
            message.extend(number.to_le_bytes());
        }
        text(&mut message, "test");
        self.say(SYN, &message).await;
    }

    /// Publishes: a slot, its value and the version of that. The last message of a round.
    async fn publish(&mut self, slots: &[(u32, &str, u64)]) {
        let mut operations = [vec![0], self.id()].concat();
        // Nothing was collected, and what follows is all.
        operations.extend([0; 16]);
        for &(slot, value, version) in slots {
            operations.push(1);
            text(&mut operations, &format!("slot/{slot:08x}"));
            text(&mut operations, value);
            operations.extend(version.to_le_bytes());
            operations.push(0);
        }
        let length = u16::try_from(operations.len()).unwrap().to_le_bytes();
        // A block that is not compressed, and no more.
        let blocks = [&[2], &length[..], &operations, &[0]].concat();
        self.say(ACK, &blocks).await;
    }

    /// A message of gossip.
    async fn say(&mut self, kind: u8, message: &[u8]) {
        let header = [GOSSIP_FRAME, 0x53, 0xb0, 0, kind];
        let frame = Bytes::from([&header, message].concat());
        self.frames.send(frame).await.unwrap();
    }

    /// What Hill says next: how far it has got with Smith, or something else. Shows Hill that the link lives.
    async fn next(&mut self) -> Option<Applied> {
        let bytes = self.frames.next().await.unwrap().unwrap();
        let any = |server: &str, generation| {
            let server = server.into();
            Some(Incarnation { server, generation })
        };
        let Received::Report { report, clock_ns } = Received::decode(&bytes, any).unwrap() else {
            return None;
        };
        // Whoever speaks of no incarnation has no gossip, and gets none.
        let own = (self.me.clone(), Applied::default());
        let alive = Frame::Report {
            report: AppliedReport::new([own]),
            clock_ns,
        };
        let alive = alive.encode().unwrap();
        self.frames.send(alive).await.unwrap();
        Some(report.of(&self.me))
    }

    async fn next_report(&mut self) -> Applied {
        loop {
            if let Some(applied) = self.next().await {
                return applied;
            }
        }
    }

    /// Waits until Hill reports this version, merged and on its disk.
    async fn is_confirmed(&mut self, version: u64) {
        let confirmed = async {
            let all = Applied {
                merged: version,
                durable: version,
            };
            while self.next_report().await != all {}
        };
        let confirmed = timeout(Duration::from_secs(60), confirmed).await;
        assert!(confirmed.is_ok(), "version {version} is not confirmed");
    }

    /// For a while Hill reports nothing above this version.
    async fn is_not_confirmed_beyond(&mut self, version: u64) {
        let until = Instant::now() + SEVERAL_REPORTS;
        let mut reports = 0;
        while let Ok(applied) = timeout_at(until, self.next_report()).await {
            assert!(applied.merged <= version, "{applied:?}");
            assert!(applied.durable <= version, "{applied:?}");
            reports += 1;
        }
        assert!(reports >= 5, "{reports}");
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}

async fn known(herd: &Herd, client: &str) {
    let what = format!("Hill knows {client}");
    eventually(&what, || herd.server(0).time_of(client).is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn an_applied_report_stops_below_a_garbled_group() {
    let values = SlotValues::new().unwrap();
    let cut_short = {
        let mut group = GroupBuilder::new(GroupFormat::PRESENT);
        assert!(group.try_push(&record(&"Smith".into(), "lost", 1)));
        let mut bytes = group.finish();
        bytes.pop();
        values.text_of(&bytes)
    };
    // No text of bytes, nothing, no packed bytes, and bytes that are no group.
    for garbled in ["!", "", "~AAAA", &*cut_short] {
        let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
        herd.keep_on_disk(AckLevel::Disk);
        herd.restart(0);
        let mut smith = Smith::of(&herd).await;
        let [kiwi, emu, moa, owl] = ["kiwi", "emu", "moa", "owl"].map(|id| smith.group_of(id));
        smith.publish(&[(0, &kiwi, 1)]).await;
        smith.is_confirmed(1).await;

        // What is published behind it is merged, and not confirmed either.
        smith.publish(&[(1, garbled, 2), (2, &emu, 3)]).await;
        known(&herd, "emu").await;
        smith.is_not_confirmed_beyond(1).await;
        smith.publish(&[(3, &moa, 4)]).await;
        known(&herd, "moa").await;
        smith.is_not_confirmed_beyond(1).await;

        // Another garbled one in its place moves the bound, and one that can be read takes it away.
        smith.publish(&[(1, garbled, 5)]).await;
        smith.is_confirmed(4).await;
        smith.is_not_confirmed_beyond(4).await;
        smith.publish(&[(1, &owl, 6)]).await;
        smith.is_confirmed(6).await;
        known(&herd, "owl").await;
        herd.stop(0).await;
    }
}
