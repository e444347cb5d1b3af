//! Any bytes: none panic the guard, and none that pass end chitchat.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::engines::Node;
use super::forge::*;

/// Messages that have something of everything, and break something now and then.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    let names = prop_oneof![Just("Hill"), Just("Smith"), Just("Jaquez"), Just("New")];
    let numbers = prop_oneof![0..12_u64, Just(u64::MAX), any::<u64>()];
    let entry = (names.clone(), 0..4_u64, numbers.clone(), 0..12_u64)
        .prop_map(|(name, generation, one, two)| entry(name, generation, [one, two, two]));
    let operation = prop_oneof![
        2 => (names, 0..4_u64, 0..9_u64, 0..9_u64)
            .prop_map(|(name, generation, gc, from)| node(name, generation, gc, from)),
        4 => (0..3_u8, 0..12_u64).prop_map(|(key, version)| set(&format!("slot/0000000{key}"), b"x", version)),
        1 => numbers.prop_map(max_version),
    ];
    let entries = vec(entry, 0..4).prop_map(|mut entries| {
        entries.sort();
        digest(&entries)
    });
    (0..3_u8, entries, vec(operation, 0..8)).prop_map(|(kind, digest, operations)| {
        let delta = delta(&operations);
        let mut cluster = Vec::new();
        text(&mut cluster, CLUSTER.as_bytes());
        match kind {
            SYN => message(SYN, &[&digest, &cluster]),
            SYN_ACK => message(SYN_ACK, &[&digest, &delta]),
            _ => message(ACK, &[&delta]),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_end_an_engine(
        messages in vec((forged(), vec((any::<Index>(), any::<u8>()), 0..2)), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            let mut hill = Node::start(me(), &["Hill", "Smith", "Jaquez"]).await;
            hill.set("slot/00000000", "mine").await;
            for (mut bytes, mutations) in messages {
                for (at, byte) in mutations {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                let _ = hill.take("Smith", &bytes).await;
                hill.settle().await;
            }
            // Nobody has changed what it publishes.
            let (version, held) = hill.held(&me()).await;
            assert_eq!((version, held.len()), (1, 1));
        });
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300), kind in 0..4_u8) {
        let guard = guard();
        let _ = check(&guard, &bytes);
        let _ = check(&guard, &message(kind, &[&bytes]));
    }
}
