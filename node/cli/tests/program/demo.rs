//! `herd demo` at a `herd local`.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::local::{WELCOME, local};
use crate::process::{self, herd};

#[tokio::test]
async fn a_demo_moves_vans_until_it_is_stopped() {
    let (base, start) = local(&["--ephemeral"]);
    let mut local = start.start();
    local.wait_for(WELCOME).await;
    let to = format!("--to=127.0.0.1:{base},127.0.0.1:{}", base + 1);
    let mut demo = herd(&["demo", &to, "--vans=4", "--interval=50ms"]).start();
    demo.wait_for("4 vans, demo-van-1 to demo-van-4, drive through Berlin")
        .await;
    let server = format!("127.0.0.1:{}", base + 4);
    let mut seen = BTreeSet::new();
    let moving = async {
        while seen.len() < 3 {
            let ask = ["send", "--to", &server, "WHATSAT demo-van-4 0 0"];
            let (_, said) = herd(&ask).run().await;
            seen.extend(
                said.split(' ')
                    .nth(4)
                    .filter(|_| said.starts_with("AT "))
                    .map(str::to_owned),
            );
        }
    };
    tokio::time::timeout(process::PATIENCE, moving)
        .await
        .expect("demo-van-4 stands still");
    demo.signal(Signal::SIGINT);
    let (code, said) = demo.end().await;
    assert_eq!(code, 0, "{said}");
    let (_, forget) = said.split_once("to remove them: ").expect("a command");
    let forgetting = async {
        // Servers that have just started refuse until they have heard each other.
        loop {
            let mut shell = tokio::process::Command::new("sh");
            let ended = shell.args(["-c", forget.trim_end()]).output().await;
            let said = String::from_utf8(ended.unwrap().stdout).unwrap();
            if said.matches("GONE ").count() == 4 {
                return;
            }
        }
    };
    tokio::time::timeout(process::PATIENCE, forgetting)
        .await
        .expect(forget);
    local.signal(Signal::SIGTERM);
    assert_eq!(local.end().await.0, 0);
}
