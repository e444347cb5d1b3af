//! Two processes of one name.

use std::time::Duration;

use herd_replication::run::ReplicationEnd;

use super::harness::Herd;

#[tokio::test(start_paused = true)]
async fn of_two_processes_of_one_name_the_newer_stays() {
    let mut herd = Herd::start(&["Hill", "Smith"], &[(0, 1)]);
    herd.linked().await;
    herd.server(0).report("old", 1);
    herd.all_hold(1).await;
    // A process that is itself only just up does not give way: it takes a later generation.
    tokio::time::sleep(Duration::from_secs(11)).await;
    let newer = herd.run(0);
    let older = herd.servers[0].replace(newer).unwrap();
    assert_eq!(older.end().await, ReplicationEnd::Superseded);
    herd.server(0).report("new", 1);
    herd.all_hold(2).await;
}
