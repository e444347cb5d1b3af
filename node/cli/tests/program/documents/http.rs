//! The examples of docs/http.md and docs/phones.md, sent as `curl` would send them.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::blocks::{Block, blocks};
use super::pattern;
use super::{Ports, WELCOME};
use crate::process::{PATIENCE, POLL, herd};
use nix::sys::signal::Signal;

/// A request that `curl` would send.
#[derive(Debug, Default)]
struct Curl {
    method: String,
    headers: Vec<String>,
    url: String,
    body: String,
}

impl Curl {
    fn of(words: &[String]) -> Self {
        let mut curl = Curl::default();
        let mut words = words.iter();
        assert_eq!(words.next().map(String::as_str), Some("curl"));
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap().clone();
            match word.as_str() {
                "-X" => curl.method = value(),
                "-H" => curl.headers.push(value()),
                "-N" => {}
                "--json" => {
                    curl.headers
                        .push("Content-Type: application/json".to_owned());
                    curl.body = value();
                }
                "--data-binary" => curl.body = value(),
                url => curl.url = url.to_owned(),
            }
        }
        if curl.method.is_empty() {
            curl.method = if curl.body.is_empty() { "GET" } else { "POST" }.to_owned();
        }
        curl
    }

    /// Sends it, and returns the body of the answer until `is_enough` says so, or its end.
    async fn send(&self, is_enough: impl Fn(&str) -> bool) -> String {
        let rest = self.url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let mut head = format!("{} /{path} HTTP/1.0\r\nHost: {host}\r\n", self.method);
        for header in &self.headers {
            head += &format!("{header}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        loop {
            let text = String::from_utf8(answer.clone()).unwrap();
            let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
            if let Some(body) = body.as_ref().filter(|body| is_enough(body)) {
                return body.clone();
            }
            if stream.read_buf(&mut answer).await.unwrap() == 0 {
                return body.unwrap_or_else(|| panic!("no answer: {text}"));
            }
        }
    }
}

/// The commands of a block, in words as a shell makes them of it.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let (mut in_word, mut quoted) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => (quoted, in_word) = (!quoted, true),
            _ if quoted => word.push(character),
            '\\' if characters.peek() == Some(&'\n') => {
                characters.next();
            }
            ' ' | '\n' => {
                let command = commands.last_mut().unwrap();
                if std::mem::take(&mut in_word) {
                    command.push(std::mem::take(&mut word));
                }
                if character == '\n' && !command.is_empty() {
                    commands.push(Vec::new());
                }
            }
            _ => {
                word.push(character);
                in_word = true;
            }
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// Whether a JSON text is as a document shows it.
fn json_matches(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(pattern), _) if pattern.starts_with('<') => match (pattern.as_str(), actual)
        {
            ("<number>", Value::Number(_)) | ("<text>", Value::String(_)) => true,
            (_, Value::String(text)) => pattern::matches(pattern.as_bytes(), text.as_bytes()),
            _ => false,
        },
        (Value::Array(expected), Value::Array(actual)) => {
            let mut both = expected.iter().zip(actual);
            expected.len() == actual.len() && both.all(|(a, b)| json_matches(a, b))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            let mut members = expected.iter();
            expected.len() == actual.len()
                && members.all(|(name, value)| {
                    actual
                        .get(name)
                        .is_some_and(|actual| json_matches(value, actual))
                })
        }
        _ => expected == actual,
    }
}

/// Lines that are JSON, or begin with a name and are JSON then.
fn lines_match(expected: &str, actual: &str) -> bool {
    let parsed = |text: &str| -> Vec<(String, Option<Value>)> {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("retry:"));
        let lines = lines.filter(|line| !line.starts_with(':'));
        let parse = |line: &str| {
            let at = line.find('{').unwrap_or(line.len());
            let json = serde_json::from_str(&line[at..]).ok();
            (line[..at].to_owned(), json)
        };
        lines.map(parse).collect()
    };
    // A line that is too long for a document goes on in the next one.
    let expected = expected.replace("\n  ", " ");
    let (expected, actual) = (parsed(&expected), parsed(actual));
    expected.len() == actual.len()
        && expected.iter().zip(&actual).all(|(expected, actual)| {
            let same_json = match (&expected.1, &actual.1) {
                (Some(expected), Some(actual)) => json_matches(expected, actual),
                (None, None) => true,
                _ => false,
            };
            expected.0 == actual.0 && same_json
        })
}

fn is_answered(expected: &Block, answer: &str) -> bool {
    match expected.kind.as_str() {
        "json" => {
            let shown: Value = serde_json::from_str(&expected.text).unwrap();
            serde_json::from_str(answer).is_ok_and(|answer| json_matches(&shown, &answer))
        }
        "ndjson" | "events" => lines_match(&expected.text, answer),
        "text" => expected.text == answer,
        kind => panic!("line {}: {kind}", expected.line),
    }
}

/// Sends the requests of a block until the last answer is the one that is shown, because reports take a moment to spread.
async fn hold(document: &str, block: &Block, expected: Option<&Block>, ports: &Ports) {
    let commands = commands(&ports.replace(&block.text));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut answer = String::new();
        for command in &commands {
            let curl = Curl::of(command);
            let is_enough = |body: &str| {
                let events = expected.filter(|expected| expected.kind == "events");
                events.is_some_and(|expected| is_answered(expected, body))
            };
            let sent = timeout(PATIENCE, curl.send(is_enough)).await;
            answer = sent.unwrap_or_else(|_| panic!("{document} line {}: no answer", block.line));
        }
        if expected.is_none_or(|expected| is_answered(expected, &answer)) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{document} line {} should give\n{}\nbut gives\n{answer}",
            block.line,
            expected.map_or("", |expected| &expected.text)
        );
        sleep(POLL).await;
    }
}

/// Sends the examples of a document to a herd.
pub(super) async fn hold_examples(name: &str, document: &str, at_least: usize) {
    let ports = Ports::free();
    let built_in = ports.options();
    let mut arguments = vec!["local", "--ephemeral"];
    arguments.extend(built_in.iter().map(String::as_str));
    let mut running = herd(&arguments).start();
    running.wait_for(WELCOME).await;
    let mut examples = 0;
    let found = blocks(document);
    let mut found = found.iter().peekable();
    while let Some(block) = found.next() {
        if block.kind != "sh" {
            continue;
        }
        let expected = found.next_if(|next| next.kind != "sh" && next.follows);
        hold(name, block, expected, &ports).await;
        examples += 1;
    }
    assert!(examples >= at_least, "only {examples} examples were found");
    running.signal(Signal::SIGTERM);
    let (code, output) = running.end().await;
    assert_eq!(code, 0, "{output}");
}

#[test]
fn commands_are_words_as_a_shell_makes_them() {
    let text = "curl -X PUT --json '{\"a\": 1}' \\\n  http://h/x\ncurl 'http://h/y?a=1&b' ''\n";
    let expected = [
        vec!["curl", "-X", "PUT", "--json", "{\"a\": 1}", "http://h/x"],
        vec!["curl", "http://h/y?a=1&b", ""],
    ];
    assert_eq!(commands(text), expected);
}

#[test]
fn json_of_documents_matches_only_its_meaning() {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let shown = json("{\"a\": \"<number>\", \"b\": [\"<time>\", 1.0]}");
    assert!(json_matches(&shown, &json("{\"b\":[\"1.5\",1.0],\"a\":7}")));
    for other in [
        "{\"a\":7}",
        "{\"b\":[\"1.5\",1.0],\"a\":\"7\"}",
        "{\"b\":[\"x\",1.0],\"a\":7}",
        "{\"b\":[\"1.5\"],\"a\":7}",
    ] {
        assert!(!json_matches(&shown, &json(other)), "{other}");
    }
}
