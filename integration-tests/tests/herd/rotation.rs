//! Certificates and authority are replaced under load.

use herd_integration_tests::{Herd, Load, Topology, report_on};

const NAMES: [&str; 3] = ["Hill", "Smith", "Campbell"];

const IN_USE: &str = "new certificates for links between servers are in use";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_rotated_under_load_and_nothing_is_lost() {
    let links = [
        ("Hill", "Smith"),
        ("Smith", "Campbell"),
        ("Hill", "Campbell"),
    ];
    let topology = Topology::new(&NAMES, &links);
    let mut herd = Herd::builder(topology).encrypted().start().await;
    let addresses: Vec<_> = herd.servers().iter().map(|s| s.client_address()).collect();
    let load = Load::default();
    let reports = report_on(&addresses, "kiwi", 50, &load);
    let rotating = async {
        load.acknowledged(50).await;
        let start = NAMES.map(|name| herd.log(name).end());
        // Another authority is trusted, then it signs: links stay up.
        for step in ["rotate", "renew"] {
            let marks = NAMES.map(|name| herd.log(name).end());
            herd.certs(step);
            for (name, mark) in NAMES.iter().zip(marks) {
                herd.log(name).wait_for(mark, &[IN_USE]).await;
            }
        }
        for (name, mark) in NAMES.iter().zip(start) {
            let lost = herd.server(name).links_lost(mark);
            assert_eq!(lost, Vec::<String>::new(), "{name}");
        }
        // The first authority is not trusted any more: links that it vouched for are made anew.
        let marks = NAMES.map(|name| herd.log(name).end());
        herd.certs("retire");
        for (name, mark) in NAMES.iter().zip(marks) {
            herd.log(name).wait_for(mark, &[IN_USE]).await;
            herd.log(name).wait_for(mark, &["link made"]).await;
        }
        for (a, b) in links {
            let cut = [a, b].iter().zip([b, a]).any(|(own, other)| {
                let parts = ["link lost", other, "does not trust"];
                !herd.log(own).lines_with(0, &parts).is_empty()
            });
            assert!(cut, "the link of {a} and {b} was not cut");
        }
        load.stop();
    };
    let (ledger, ()) = tokio::join!(reports, rotating);
    herd.linked().await;
    assert_eq!((ledger.refusals, ledger.losses), (0, 0));
    let answers = herd.agree(&NAMES, &ledger.ids()).await;
    let broken = ledger.broken(answers.iter().map(|answer| Some(&**answer)));
    assert_eq!(broken, Vec::<String>::new());
}

/// Files that cannot be used change nothing, and are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_leaves_the_certificate_of_before_in_use() {
    let topology = Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]);
    let mut herd = Herd::builder(topology).encrypted().start().await;
    let marks = ["Hill", "Smith"].map(|name| herd.log(name).end());
    let file = herd.certificates().join("Smith.cert.pem");
    let good = std::fs::read(&file).unwrap();
    // Valid, and another server's.
    std::fs::copy(herd.certificates().join("Hill.cert.pem"), &file).unwrap();
    let said = herd
        .log("Smith")
        .wait_for(marks[1], &["cannot be used"])
        .await;
    assert!(
        said.contains("is for herd://test/Hill, and this server is"),
        "{said}"
    );
    std::fs::write(&file, good).unwrap();
    // A new link is made with the earlier, valid files.
    herd.server_mut("Hill").kill();
    herd.server_mut("Hill").restart().await;
    herd.linked().await;
    let renewed = herd.log("Smith").end();
    herd.certs("renew");
    herd.log("Smith").wait_for(renewed, &[IN_USE]).await;
}
