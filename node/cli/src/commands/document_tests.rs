//! Documents name commands, flags and exit statuses that the program has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use super::Cli;
use crate::exit_code;

/// Flags in documents that are those of other programs.
const FOREIGN_FLAGS: [&str; 4] = [
    "--from-file",
    "--from-literal",
    "--server-side",
    "--set-file",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The documents for users, each with its name. The changes tell of former names too.
fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md"), root().join("k8s/README.md")];
    let entries = std::fs::read_dir(root().join("docs")).unwrap();
    paths.extend(entries.map(|entry| entry.unwrap().path()));
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    assert!(paths.len() > 20, "{paths:?}");
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

/// The commands in a line of code: texts from `herd` on, up to the end of the command.
fn commands_in(line: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    for (at, _) in line.match_indices("herd ") {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|c| !" `/(".contains(c)) {
            continue;
        }
        let text = &line[at + "herd ".len()..];
        let end = text
            .find(['`', '#', '|', ';', '<', '>', '"', '\''])
            .unwrap_or(text.len());
        commands.push(&text[..end]);
    }
    commands
}

/// The parts of a document that are code: spans between backticks, indented lines and those of fenced blocks.
fn code(document: &str) -> Vec<String> {
    let mut code = Vec::new();
    let mut fenced = false;
    for line in document.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            code.push(line.to_owned());
        } else {
            code.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    code
}

/// The flags among words, without their values.
fn flags_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split([' ', '[', ']', '(', ')', ',']);
    words.filter_map(|word| {
        let word = word.split('=').next()?;
        let name = word.strip_prefix("--")?;
        let is_flag = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        is_flag.then_some(word)
    })
}

fn flags_of(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_long);
    let mut flags: BTreeSet<String> = own.map(|flag| format!("--{flag}")).collect();
    flags.extend(command.get_subcommands().flat_map(flags_of));
    flags.insert("--help".to_owned());
    flags.insert("--version".to_owned());
    flags
}

#[test]
fn commands_and_their_flags_in_documents_are_there() {
    let all = Cli::command();
    let mut found = 0;
    for (name, document) in documents() {
        for line in code(&document) {
            for (place, text) in commands_in(&line).into_iter().enumerate() {
                let Some(word) = text.split(' ').next().filter(|word| !word.starts_with('-'))
                else {
                    continue;
                };
                // Also the name of the herd and of scrape jobs.
                let Some(command) = all.find_subcommand(word) else {
                    let begins = ["$ herd ", "./target/release/herd ", "herd "];
                    let is_begin = begins
                        .iter()
                        .any(|begin| line.trim_start().starts_with(begin));
                    let is_command = place == 0 && is_begin;
                    let is_word = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                    assert!(
                        !is_command || !is_word || word.is_empty(),
                        "{name}: herd {word}: {line}"
                    );
                    continue;
                };
                found += 1;
                let flags = flags_of(command);
                for flag in flags_in(text) {
                    assert!(
                        flags.contains(flag),
                        "{name}: herd {word} has no {flag}: {line}"
                    );
                }
            }
        }
    }
    assert!(found > 100, "only {found} commands");
}

#[test]
fn flags_alone_in_documents_are_there() {
    let flags = flags_of(&Cli::command());
    let mut found = 0;
    // The documents of measurements name the flags of their scripts.
    let of_herd = documents()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("performance"));
    for (name, document) in of_herd {
        for span in code(&document) {
            // Those behind a program's name belong to it.
            if !span.starts_with("--") {
                continue;
            }
            for flag in flags_in(&span) {
                found += 1;
                let is_known = flags.contains(flag) || FOREIGN_FLAGS.contains(&flag);
                assert!(is_known, "{name}: there is no {flag}: {span}");
            }
        }
    }
    assert!(found > 50, "only {found} flags");
}

#[test]
fn the_document_has_every_exit_status() {
    let document = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let (_, table) = document.split_once("## Exit status").unwrap();
    let documented: BTreeSet<u8> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    let known = [
        exit_code::OK,
        1,
        exit_code::USAGE,
        exit_code::DATA,
        exit_code::UNAVAILABLE,
        exit_code::INTERNAL,
        exit_code::SYSTEM,
        exit_code::IO,
        exit_code::UNCONFIRMED,
        exit_code::SUPERSEDED,
        exit_code::DATA_FOLDER,
        exit_code::INTERRUPTED,
    ];
    assert_eq!(documented, BTreeSet::from(known));
}

/// The help of a command that says how it exits says so of every status that its like has.
#[test]
fn help_that_tells_of_statuses_tells_of_wrong_arguments() {
    fn check(command: &clap::Command, path: &str) {
        let help = command
            .get_long_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        if help.contains("xit status") {
            assert!(help.contains("64"), "{path}: {help}");
        }
        for more in command.get_subcommands() {
            check(more, &format!("{path} {}", more.get_name()));
        }
    }
    check(&Cli::command(), "herd");
}
