//! The commands of the README and the examples of the protocol, as they stand there.

mod blocks;
mod http;
mod pattern;

use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use self::blocks::{Block, blocks};
use self::pattern::{ANY_LINES, matches};
use crate::process::{self, Herd, PATIENCE, POLL, free_ports, herd};

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
const WELCOME: &str = "Ctrl-C stops all servers.";

/// The ports that a document names, and those that stand for them in a test.
struct Ports {
    builtin: u16,
    own: u16,
}

impl Ports {
    fn free() -> Self {
        Ports {
            builtin: free_ports(20),
            own: free_ports(8),
        }
    }

    fn replace(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (kind, first) in (0..).zip([12_000_u16, 13_000, 14_000, 15_000]) {
            for place in 0..5 {
                let port = self.builtin + 5 * kind + place;
                text = text.replace(&(first + place).to_string(), &port.to_string());
            }
            for place in 0..2 {
                let port = self.own + 2 * kind + place;
                text = text.replace(&(first + 10 + place).to_string(), &port.to_string());
            }
        }
        text
    }

    /// The options with which the built-in herd runs there.
    fn options(&self) -> [String; 4] {
        let base = self.builtin;
        let (resp, peer) = (base + 15, base + 10);
        [
            ("client", base),
            ("http", base + 5),
            ("peer", peer),
            ("resp", resp),
        ]
        .map(|(kind, port)| format!("--{kind}-port-base={port}"))
    }
}

/// A reader who types the commands of the README.
struct Reader {
    folder: tempfile::TempDir,
    ports: Ports,
    /// A process in a terminal of its own.
    running: Vec<Herd>,
}

impl Reader {
    async fn do_block(&mut self, command: &Block, expected: Option<&Block>) {
        let text = command.text.replace("./target/release/herd ", "herd ");
        let text = text.replace("cargo run --release -- ", "herd ");
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            // Most likely the command that runs this very test.
            ["cargo", "test", "--workspace", ..] => {
                assert!(include_str!("../../../../.ci/run").contains(command.text.trim()));
            }
            ["herd", "local"] => {
                let options = self.ports.options();
                let arguments: Vec<&str> = std::iter::once("local")
                    .chain(options.iter().map(String::as_str))
                    .collect();
                self.run_on(&arguments, WELCOME).await;
            }
            ["herd", "local", options @ ..] => {
                let arguments = [&["local"], options].concat();
                self.run_on(&arguments, WELCOME).await;
            }
            _ => self.type_lines(&text, expected, command.line).await,
        }
    }

    async fn run_on(&mut self, arguments: &[&str], ready: &str) {
        let mut started = herd(arguments).in_folder(self.folder.path()).start();
        started.wait_for(ready).await;
        self.running.push(started);
    }

    /// Types `text` until the reply is `expected`, because reports take a moment to spread.
    async fn type_lines(&mut self, text: &str, expected: Option<&Block>, line: usize) {
        let script = self.ports.replace(text);
        let expected = expected.map_or("...\n", |block| &block.text);
        let expected = self.ports.replace(expected);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = shell(&script, self.folder.path(), self.ports.builtin).await;
            if matches(expected.as_bytes(), &output) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "README.md line {line}:\n{script}\nshould give\n{expected}\nbut gives\n{}",
                String::from_utf8_lossy(&output)
            );
            sleep(POLL).await;
        }
    }
}

/// The standard output of a shell that knows `herd` and runs `script`.
async fn shell(script: &str, folder: &Path, client_port: u16) -> Vec<u8> {
    let program = env!("CARGO_BIN_EXE_herd");
    let mut shell = process::command("sh")
        .current_dir(folder)
        .env("HERD_TO", format!("127.0.0.1:{client_port}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let script = format!("herd() {{ '{program}' \"$@\" </dev/null; }}\n{script}");
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).await.unwrap();
    drop(stdin);
    let output = timeout(PATIENCE, shell.wait_with_output()).await;
    output.expect("the shell runs on").unwrap().stdout
}

#[tokio::test]
async fn the_tour_of_the_readme_works_as_typed() {
    let document = include_str!("../../../../README.md");
    let blocks = blocks(document);
    assert!(document.contains("nc 127.0.0.1 12004"));
    let mut reader = Reader {
        folder: tempfile::tempdir().unwrap(),
        ports: Ports::free(),
        running: Vec::new(),
    };
    let mut commands = 0;
    let mut blocks = blocks.iter().peekable();
    while let Some(block) = blocks.next() {
        assert_eq!(block.kind, "sh", "README.md line {}", block.line);
        let expected = blocks.next_if(|next| next.kind == "text" && next.follows);
        reader.do_block(block, expected).await;
        commands += 1;
    }
    assert!(commands >= 10, "only {commands} commands were found");
    for running in reader.running {
        running.signal(Signal::SIGINT);
        let (code, output) = running.end().await;
        assert_eq!(code, 0, "{output}");
    }
}

#[tokio::test]
async fn the_examples_of_the_protocol_hold_to_the_byte() {
    let ports = Ports::free();
    let options = ports.options();
    let arguments: Vec<&str> = ["local", "--ephemeral"]
        .into_iter()
        .chain(options.iter().map(String::as_str))
        .collect();
    let mut running = herd(&arguments).start();
    running.wait_for(WELCOME).await;
    let mut sessions = 0;
    for block in blocks(include_str!("../../../../docs/protocol.md")) {
        let name = block.kind.strip_prefix("session ").unwrap();
        let place = NAMES.iter().position(|known| *known == name).unwrap();
        let port = ports.builtin + u16::try_from(place).unwrap();
        hold(&block, port).await;
        sessions += 1;
    }
    assert!(sessions >= 4, "only {sessions} examples were found");
    running.signal(Signal::SIGTERM);
    let (code, output) = running.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn the_examples_of_http_are_answered_as_shown() {
    let document = include_str!("../../../../docs/http.md");
    http::hold_examples("docs/http.md", document, 9).await;
}

#[tokio::test]
async fn the_examples_of_phones_are_answered_as_shown() {
    let document = include_str!("../../../../docs/phones.md");
    http::hold_examples("docs/phones.md", document, 3).await;
}

/// Sends the commands of the block until the shown replies come back, because reports take a moment to spread.
async fn hold(block: &Block, port: u16) {
    let (mut sent, mut expected) = (Vec::new(), Vec::new());
    for line in block.text.lines() {
        let (to, text) = match line.split_at_checked(1) {
            Some((">", text)) => (&mut sent, text),
            Some(("<", text)) => (&mut expected, text),
            _ => {
                assert_eq!(line.as_bytes(), ANY_LINES);
                (&mut expected, line)
            }
        };
        append(to, text.strip_prefix(' ').unwrap_or(text));
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let received = timeout(PATIENCE, converse(&sent, port)).await;
        let received = received.expect("the server does not close");
        if matches(&expected, &received) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "docs/protocol.md line {} should give\n{}\nbut gives\n{}",
            block.line,
            String::from_utf8_lossy(&expected),
            String::from_utf8_lossy(&received)
        );
        sleep(POLL).await;
    }
}

async fn converse(sent: &[u8], port: u16) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    received
}

/// Appends the bytes that `text` stands for, and an LF unless it ends in `\c`.
fn append(bytes: &mut Vec<u8>, text: &str) {
    let (mut text, end) = match text.strip_suffix(r"\c") {
        Some(text) => (text, &b""[..]),
        None => (text, &b"\n"[..]),
    };
    while let Some((before, after)) = text.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, length) = match after.as_bytes() {
            [b't', ..] => (b'\t', 1),
            [b'r', ..] => (b'\r', 1),
            [b'f', ..] => (0x0c, 1),
            [b'v', ..] => (0x0b, 1),
            [b'x', ..] => (u8::from_str_radix(&after[1..3], 16).unwrap(), 3),
            // JSON has backslashes of its own.
            _ => (b'\\', 0),
        };
        bytes.push(byte);
        text = &after[length..];
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(end);
}
