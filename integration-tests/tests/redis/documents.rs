//! The examples of docs/redis.md, typed.

use std::process::Stdio;

use herd_integration_tests::redis::skipped;
use herd_integration_tests::within;
use tokio::process::Command;

/// A command line that the document shows, and what it prints.
struct Example {
    command: String,
    printed: String,
}

/// Blocks of kind `sh`, each with the block of kind `text` behind it.
fn examples(document: &str) -> Vec<Example> {
    let mut parts = document.split("```").skip(1).step_by(2).peekable();
    let mut examples = Vec::new();
    while let Some(block) = parts.next() {
        let Some(command) = block.strip_prefix("sh\n") else {
            continue;
        };
        let printed = parts.next_if(|next| next.starts_with("text\n"));
        examples.push(Example {
            command: command.to_owned(),
            printed: printed.map_or(String::new(), |block| block["text\n".len()..].to_owned()),
        });
    }
    examples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_document_hold() {
    if skipped() {
        return;
    }
    let herd = crate::herd().await;
    let address = crate::hill(&herd);
    let here = format!("redis-cli -h {} -p {}", address.ip(), address.port());
    let mut typed = 0;
    for example in examples(include_str!("../../../docs/redis.md")) {
        let command = example.command.replace("redis-cli -p 15000", &here);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &command])
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let output = within(&example.command, shell.output()).await.unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, example.printed, "{command}");
        typed += 1;
    }
    assert!(typed >= 5, "only {typed} examples were found");
}
