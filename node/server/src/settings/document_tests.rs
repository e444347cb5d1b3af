//! docs/configuration.md repeats the table of settings between marks.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::*;
use crate::config::ServeSettings;

/// With this variable set, the test writes the document instead of comparing it.
pub(super) const RENEW: &str = "HERD_RENEW_DOCUMENTS";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md")
}

/// The document with `made` between the marks of this name.
fn with_part(document: &str, name: &str, made: &str) -> String {
    let begin = format!("<!-- {name}: made from the table of settings -->\n");
    let end = format!("<!-- end of {name} -->\n");
    let (before, rest) = document
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
    format!("{before}{begin}{made}{end}{after}")
}

/// The report of `herd check-config`, indented.
fn report() -> String {
    let flags = Flags::new([(Setting::Name, Some("Hill".to_owned()))]);
    let environment = Environment::new([("HERD_LOG".into(), "debug".into())]);
    let report = ServeSettings::load(&flags, &environment)
        .unwrap()
        .to_string();
    let command = "    $ HERD_LOG=debug herd check-config --name Hill\n".to_owned();
    report
        .lines()
        .fold(command, |text, line| text + "    " + line + "\n")
}

/// A table for each group.
fn tables() -> String {
    let mut text = String::new();
    for group in Group::ALL {
        writeln!(text, "\n### {}\n", group.heading()).unwrap();
        text += "| in the file | flag | variable | for | value | default | meaning |\n";
        text += "|---|---|---|---|---|---|---|\n";
        for setting in Setting::ALL
            .iter()
            .filter(|setting| setting.group() == group)
        {
            text += &row(*setting);
        }
    }
    text + "\n"
}

fn row(setting: Setting) -> String {
    let or_none = |is_there: bool, name: String| match is_there {
        true => format!("`{name}`"),
        false => "-".to_owned(),
    };
    let commands: Vec<&str> = setting
        .commands()
        .iter()
        .flat_map(|command| command.names())
        .copied()
        .filter(|name| *name != "check-config")
        .collect();
    let value = match setting.range() {
        range if range.is_empty() => format!("`{}`", setting.unit()).replace('|', "`, `"),
        range => range,
    };
    let first = setting.commands()[0];
    let meaning = match (setting.text(first), setting.more()) {
        (text, "") => text.to_owned(),
        (text, more) => format!("{text}. {}", more.trim_end_matches('.')),
    };
    format!(
        "| {} | {} | `{}` | {} | {value} | {} | {meaning} |\n",
        or_none(setting.is_in_file(), setting.key().to_owned()),
        or_none(setting.has_flag(), setting.flag()),
        setting.variable(),
        commands.join(", "),
        setting.default_text(),
    )
}

#[test]
fn the_document_has_every_setting() {
    let document = std::fs::read_to_string(path()).unwrap();
    let renewed = with_part(&document, "the report", &report());
    let renewed = with_part(&renewed, "the settings", &tables());
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(path(), renewed).unwrap();
        return;
    }
    let differs = document
        .lines()
        .zip(renewed.lines())
        .find(|(old, new)| old != new);
    assert!(
        document == renewed,
        "docs/configuration.md differs from the table of settings: {differs:?}\nTo renew it:\n    {RENEW}=1 cargo \
         test -p herd-server --lib the_document_has_every_setting"
    );
}
