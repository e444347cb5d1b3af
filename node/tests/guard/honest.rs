//! Everything that chitchats with states of ours say to each other passes, and means the same.

use herd_node::replication::slot_value::SlotValues;
use proptest::collection::vec;
use proptest::prelude::*;

use super::engines::Node;
use super::forge::incarnation;

/// Bytes without patterns.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let next = |state: &u64| Some(state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
    let states = std::iter::successors(Some(seed), next);
    states
        .map(|state| (state >> 56) as u8)
        .take(length)
        .collect()
}

/// A key that servers set, with a value of the kind.
fn publication() -> impl Strategy<Value = (String, String)> {
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
    let links = "[ -~\n]{0,300}".prop_map(|text| ("links".to_owned(), text));
    let buried = "[0-9a-f]{16} Smith".prop_map(|text| ("buried".to_owned(), text));
    let later = ("[a-z][a-z0-9_/-]{0,20}", ".{0,40}")
        .prop_filter("a slot is no key of a later version", |(key, _)| {
            !key.starts_with("slot/")
        });
    prop_oneof![6 => slot, 1 => links, 1 => buried, 1 => later]
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig {
        max_shrink_iters: 20,
        ..ProptestConfig::with_cases(6)
    })]

    #[test]
    fn all_that_chitchats_say_passes(
        published in vec(vec(publication(), 0..25), 3),
        rounds in vec((0..3_usize, 0..3_usize), 1..6),
        buries in any::<bool>(),
    ) {
        run(async {
            let servers = ["Hill", "Jaquez", "Smith"];
            let mut nodes = Vec::new();
            for (number, server) in servers.iter().enumerate() {
                nodes.push(Node::start(incarnation(server, number as u64 + 1), &servers).await);
            }
            for (node, values) in nodes.iter().zip(&published) {
                for (key, value) in values {
                    node.set(key, value).await;
                }
            }
            let (first, second) = (0, 1);
            for (one, other) in rounds.into_iter().chain([(0, 1), (1, 2), (0, 1), (1, 0)]) {
                if one == other {
                    continue;
                }
                let (low, high) = (one.min(other), one.max(other));
                let (left, right) = nodes.split_at_mut(high);
                let (a, b) = (&mut left[low], &mut right[0]);
                let (a, b) = if one < other { (a, b) } else { (b, a) };
                // As many as it takes until both have all of each other.
                for _ in 0..6 {
                    a.round(b).await.unwrap();
                }
                for (holder, of) in [(&*a, &*b), (&*b, &*a)] {
                    assert_eq!(holder.held(&of.me).await, of.held(&of.me).await);
                }
            }
            if buries {
                bury(&nodes[first], &nodes[second]).await;
                let (left, right) = nodes.split_at_mut(2);
                left[0].round(&mut right[0]).await.unwrap();
                right[0].round(&mut left[1]).await.unwrap();
            }
        });
    }
}

/// As a server does with a copy that it needs no more.
async fn bury(by: &Node, whom: &Node) {
    let id = whom.handle.chitchat_id().clone();
    by.handle
        .with_chitchat(|chitchat| {
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
