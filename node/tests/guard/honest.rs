//! What chitchats with states of ours say to each other passes, and means the same.

use herd_node::replication::slot_value::SlotValues;

use super::engines::Node;
use super::forge::incarnation;

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(test)
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
