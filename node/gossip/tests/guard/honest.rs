//! Everything that chitchats with states of ours say to each other passes, and means the same.

use herd_gossip::slot_value::SlotValues;
use proptest::collection::vec;
use proptest::prelude::*;

use super::engines::Node;
use super::forge::incarnation;

/// Rounds until two have all of each other: each brings 64 KiB of what one publishes, and that is at most 256 KiB.
const ROUNDS_MAX: usize = 16;

/// A key that a server publishes, and its value.
type Publication = (String, String);

/// Bytes without patterns.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let next = |state: &u64| Some(state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
    let states = std::iter::successors(Some(seed), next);
    states
        .map(|state| (state >> 56) as u8)
        .take(length)
        .collect()
}

fn publication() -> impl Strategy<Value = Publication> {
    let slot = (0..40_u32, any::<u64>(), 0..12_000_usize, 0..4_u8);
    let slot = slot.prop_map(|(slot, seed, length, kind)| {
        let noise = noise(seed, length);
        let values = SlotValues::new().unwrap();
        let group = match kind {
            0 => Vec::new(),
            1 => vec![b'k'; noise.len()],
            2 => noise.iter().map(|byte| b'0' + byte % 10).collect(),
            _ => noise,
        };
        (format!("slot/{slot:08x}"), values.text_of(&group))
    });
    let said = |key: &'static str, text: &str| {
        let text = proptest::string::string_regex(text).unwrap();
        text.prop_map(move |text| (key.to_owned(), text))
    };
    let later = ("[a-z][a-z0-9_/-]{0,20}", ".{0,40}")
        .prop_filter("a slot is no key of a later version", |(key, _)| {
            !key.starts_with("slot/")
        });
    prop_oneof![
        6 => slot,
        1 => said("links", "[ -~\n]{0,300}"),
        1 => said("buried", "[0-9a-f]{16} Smith"),
        1 => said("settlement/told", ""),
        1 => said("settlement", "publishing|waiting|settled"),
        1 => later,
    ]
}

/// The longest name there is.
fn longest() -> String {
    "n".repeat(64)
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(test)
}

/// Two of these nodes, the first of which begins rounds, until each has all that the other publishes.
async fn exchange(nodes: &mut [Node], one: usize, other: usize) {
    let [one, other] = nodes.get_disjoint_mut([one, other]).unwrap();
    for round in 0.. {
        assert!(round < ROUNDS_MAX, "no end");
        one.round(other).await.unwrap();
        let is_at = one.held(&other.me).await == other.held(&other.me).await;
        if is_at && other.held(&one.me).await == one.held(&one.me).await {
            break;
        }
    }
}

async fn publish(node: &Node, published: &[Publication]) {
    for (key, value) in published {
        node.set(key, value).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn all_that_chitchats_say_passes(
        published in vec(vec(publication(), 0..16), 3),
        again in vec(vec(publication(), 0..4), 3),
        rounds in vec((0..3_usize, 0..3_usize), 1..5),
    ) {
        run(async {
            let longest = longest();
            let servers = ["Hill", "Jaquez", &longest];
            let mut nodes = Vec::new();
            for (number, server) in servers.iter().enumerate() {
                nodes.push(Node::start(incarnation(server, number as u64 + 1), &servers).await);
            }
            for published in [&published, &again] {
                for (node, values) in nodes.iter().zip(published) {
                    publish(node, values).await;
                }
                for &(one, other) in rounds.iter().chain(&[(0, 1), (1, 2), (2, 0)]) {
                    if one != other {
                        exchange(&mut nodes, one, other).await;
                    }
                }
            }
        });
    }

    #[test]
    fn the_buried_pass_in_whatever_state(
        before in vec(publication(), 0..16),
        after in vec(publication(), 0..16),
        own in vec(publication(), 0..16),
    ) {
        run(async {
            let longest = longest();
            let servers = ["Hill", "Jaquez", &longest];
            let superseded = incarnation(&longest, 3);
            let mut nodes = vec![
                Node::start(incarnation("Hill", 1), &servers).await,
                Node::start(incarnation("Jaquez", 2), &servers).await,
                Node::start(superseded.clone(), &servers).await,
            ];
            publish(&nodes[0], &own).await;
            publish(&nodes[2], &before).await;
            exchange(&mut nodes, 2, 0).await;
            // Jaquez has a part of it, or nothing, and it may never have published anything.
            let [hill, jaquez] = nodes.get_disjoint_mut([0, 1]).unwrap();
            hill.round(jaquez).await.unwrap();
            bury(hill, &superseded).await;
            let buried = hill.held(&superseded).await;
            assert!(buried.1.is_empty());

            nodes[2] = Node::start(incarnation(&longest, 4), &servers).await;
            publish(&nodes[2], &after).await;
            // Nobody has the old one's copy any more, and who knew nothing of it learns that it is empty.
            for (one, other) in [(2, 0), (0, 1), (1, 2), (2, 1), (0, 2)] {
                exchange(&mut nodes, one, other).await;
            }
            for node in &nodes {
                let (version, held) = node.held(&superseded).await;
                assert_eq!(version, buried.0);
                assert!(held.is_empty() || node.me.server.as_ref() == "Jaquez");
            }
        });
    }
}

/// As a server does with a copy that it needs no more.
async fn bury(by: &Node, whom: &herd_topology::Incarnation) {
    let is_it = |id: &chitchat::ChitchatId| {
        *id.node_id == *whom.server && id.generation_id == whom.generation
    };
    by.handle
        .with_chitchat(|chitchat| {
            let id = chitchat.node_states().keys().find(|id| is_it(id)).cloned();
            let id = id.unwrap();
            let version = chitchat.node_state(&id).unwrap().max_version();
            if version > 0 {
                chitchat.reset_node_state_if_update(&id, std::iter::empty(), version, version);
            }
        })
        .await;
}

/// Slots that were emptied are the most regular of all that a server publishes.
#[test]
fn a_herd_that_shrank_is_taken_in_some_rounds() {
    run(async {
        let servers = ["Hill", "Smith"];
        let mut hill = Node::start(incarnation("Hill", 1), &servers).await;
        let mut smith = Node::start(incarnation("Smith", 1), &servers).await;
        let empty = SlotValues::new()
            .unwrap()
            .text_of(&herd_crdt::group::empty_group());
        for slot in 0..20_000 {
            smith.set(&format!("slot/{slot:08x}"), &empty).await;
        }
        let mut rounds = 0;
        while hill.held(&smith.me).await != smith.held(&smith.me).await {
            hill.round(&mut smith).await.unwrap();
            rounds += 1;
            assert!(rounds < 10, "no end");
        }
    });
}
