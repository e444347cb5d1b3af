//! `COMMAND` and `INFO`: what clients and tools ask to find their way.

use std::sync::atomic::Ordering;

use herd_protocol::resp::{Arguments, COMMANDS, CommandEntry, CommandQuestion, Encoder, entry_of};

use crate::frontend::service::Service;

/// The Redis whose replies are the model: tools ask for a version.
const REDIS_VERSION: &str = "7.0.0";

/// `COMMAND INFO` tells of no more commands at a time: each takes some 90 bytes, and a name 3.
const NAMES_MAX: usize = 128;

/// `COMMAND`.
pub(super) fn command(question: &CommandQuestion<'_>, encoder: &mut Encoder<'_>) {
    match question {
        CommandQuestion::Count => encoder.integer(COMMANDS.len() as i64),
        CommandQuestion::All => {
            encoder.array(COMMANDS.len());
            for entry in COMMANDS {
                tell(entry, encoder);
            }
        }
        CommandQuestion::List => {
            encoder.array(COMMANDS.len());
            for entry in COMMANDS {
                encoder.bulk(entry.name.as_bytes());
            }
        }
        CommandQuestion::Info(names) if names.is_empty() => {
            command(&CommandQuestion::All, encoder);
        }
        CommandQuestion::Info(names) if names.len() > NAMES_MAX => {
            encoder.error(&format!("ERR COMMAND INFO takes {NAMES_MAX} names at most"));
        }
        CommandQuestion::Info(names) => {
            encoder.array(names.len());
            for name in names.iter() {
                match entry_of(name) {
                    Some(entry) => tell(entry, encoder),
                    None => encoder.nil(),
                }
            }
        }
        CommandQuestion::Docs(names) => docs(names, encoder),
    }
}

/// As Redis 7 has it: name, arity, flags, places of keys, and four lists that herd leaves empty.
fn tell(entry: &CommandEntry, encoder: &mut Encoder<'_>) {
    encoder.array(10);
    encoder.bulk(entry.name.as_bytes());
    encoder.integer(entry.arity);
    encoder.set(entry.flags.len());
    for flag in entry.flags {
        encoder.status(flag);
    }
    for place in entry.keys {
        encoder.integer(place);
    }
    encoder.set(0);
    for _ in 0..3 {
        encoder.array(0);
    }
}

fn docs(names: &Arguments<'_>, encoder: &mut Encoder<'_>) {
    let is_asked = |entry: &&CommandEntry| {
        let mut names = names.iter();
        names.any(|name| name.eq_ignore_ascii_case(entry.name.as_bytes()))
    };
    let entries = COMMANDS.iter();
    let asked: Vec<&CommandEntry> = if names.is_empty() {
        entries.collect()
    } else {
        entries.filter(is_asked).collect()
    };
    encoder.map(asked.len());
    for entry in asked {
        encoder.bulk(entry.name.as_bytes());
        encoder.map(2);
        for (key, text) in [("summary", entry.summary), ("group", entry.group)] {
            encoder.bulk(key.as_bytes());
            encoder.bulk(text.as_bytes());
        }
    }
}

/// `INFO`: the sections that are asked for, or all.
pub(super) fn info(sections: &Arguments<'_>, service: &Service, encoder: &mut Encoder<'_>) {
    let statistics = &service.statistics;
    let loading = service.operations.locations().loading().is_running();
    let all = [
        (
            "Server",
            format!(
                "redis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\nherd_version:{}\r\nherd_server:{}\r\n",
                env!("CARGO_PKG_VERSION"),
                service.operations.server(),
            ),
        ),
        (
            "Clients",
            format!(
                "connected_clients:{}\r\nmaxclients:{}\r\n",
                statistics.connections_open.load(Ordering::Relaxed),
                statistics.connections_max.load(Ordering::Relaxed),
            ),
        ),
        ("Persistence", format!("loading:{}\r\n", u8::from(loading))),
        ("Replication", "role:master\r\n".to_owned()),
    ];
    let is = |section: &[u8], name: &str| section.eq_ignore_ascii_case(name.as_bytes());
    let is_asked = |name: &str| {
        let mut sections = sections.iter();
        sections.any(|section| {
            let groups = ["all", "default", "everything"];
            is(section, name) || groups.iter().any(|group| is(section, group))
        })
    };
    let mut text = String::new();
    for (name, lines) in all {
        if sections.is_empty() || is_asked(name) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text.push_str(&format!("# {name}\r\n{lines}"));
        }
    }
    encoder.verbatim(&text);
}
