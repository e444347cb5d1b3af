//! A comparison as text for people: troubles, then a table of servers and one of links.

use std::fmt::Write;

use super::comparison::{Comparison, ServerRow};
use super::duration::{short_offset, short_seconds};
use super::links::LinkRow;
use herd_text::printable::Printable;

/// The columns of servers. The first is as wide as it needs to be.
const HEADS: [&str; 9] = [
    "SERVER", "STATE", "UP", "CLIENTS", "LINKS", "LAG", "STORE", "ALIVE TO", "CERT",
];

/// Columns of numbers, which end at the same place.
const RIGHT_ALIGNED: [bool; 9] = [false, false, true, true, true, true, false, true, true];

/// The columns of links.
const LINK_HEADS: [&str; 6] = ["LINK", "STATE", "FOR", "LAG", "CLOCK", "LOST LAST BECAUSE"];
const LINK_RIGHT_ALIGNED: [bool; 6] = [false, false, true, true, true, false];

/// The text for an unknown value.
const UNKNOWN: &str = "-";

/// One more column: its head, and its cell for the server of a name.
pub type MoreColumn<'a> = (&'a str, &'a dyn Fn(&str) -> String);

/// The troubles, the servers with the columns of `more` behind the others, and the links. Columns of servers that have no
/// room in `width` characters are left out, the last ones first. Every line ends with an LF.
#[must_use]
pub fn table(comparison: &Comparison, more: &[MoreColumn<'_>], width: Option<usize>) -> String {
    let mut text = String::new();
    if comparison.troubles.is_empty() {
        text.push_str("No trouble.\n");
    }
    for trouble in &comparison.troubles {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "! {}", Printable(trouble.as_bytes()));
    }
    text.push('\n');
    let mut heads: Vec<String> = HEADS.map(str::to_owned).into();
    let mut right = RIGHT_ALIGNED.to_vec();
    for (head, _) in more {
        heads.push((*head).to_owned());
        right.push(true);
    }
    let mut lines = vec![heads];
    for row in &comparison.rows {
        let mut cells: Vec<String> = cells(row).into();
        cells.extend(more.iter().map(|(_, cell)| cell(&row.server)));
        lines.push(cells);
    }
    write_columns(&mut text, &lines, &right, width);
    if !comparison.links.is_empty() {
        text.push('\n');
        let heads: Vec<String> = LINK_HEADS.map(str::to_owned).into();
        let rows = comparison.links.iter().map(|link| link_cells(link).into());
        let lines: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
        write_columns(&mut text, &lines, &LINK_RIGHT_ALIGNED, None);
    }
    text
}

/// Writes lines of cells below each other, two spaces apart: as many columns as have room.
fn write_columns(text: &mut String, lines: &[Vec<String>], right: &[bool], width: Option<usize>) {
    let column_width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..right.len()).map(column_width).collect();
    let mut shown = right.len();
    let total = |shown: usize| widths[..shown].iter().map(|width| width + 2).sum::<usize>();
    while shown > 1 && width.is_some_and(|width| total(shown) > width + 2) {
        shown -= 1;
    }
    for line in lines {
        let mut written = String::new();
        let columns = line.iter().zip(&widths).zip(right).take(shown);
        for ((cell, width), right) in columns {
            // Writing to a string cannot fail.
            let _ = if *right {
                write!(written, "{cell:>width$}  ")
            } else {
                write!(written, "{cell:<width$}  ")
            };
        }
        let _ = writeln!(text, "{}", written.trim_end());
    }
}

fn or_unknown(text: Option<String>) -> String {
    text.map_or_else(
        || UNKNOWN.to_owned(),
        |text| Printable(text.as_bytes()).to_string(),
    )
}

fn cells(row: &ServerRow) -> [String; 9] {
    let (alive, asked) = row.alive_to;
    let certificate = row.certificate_left_s.map(|left_s| match left_s {
        0 => "ended".to_owned(),
        left_s => short_seconds(left_s),
    });
    [
        Printable(row.server.as_bytes()).to_string(),
        row.state.to_owned(),
        or_unknown(row.uptime_s.map(short_seconds)),
        or_unknown(row.clients.map(|clients| clients.to_string())),
        or_unknown(row.links.map(|(up, all)| format!("{up}/{all}"))),
        or_unknown(row.lag_groups.map(|lag| lag.to_string())),
        or_unknown(row.store.clone()),
        format!("{alive}/{asked}"),
        or_unknown(certificate),
    ]
}

fn link_cells(link: &LinkRow) -> [String; 6] {
    let [a, b] = &link.ends;
    let state = match link.up {
        Some(true) => "up",
        Some(false) => "down",
        None => "unknown",
    };
    [
        Printable(format!("{a} - {b}").as_bytes()).to_string(),
        state.to_owned(),
        or_unknown(link.since_s.map(short_seconds)),
        or_unknown(link.lag_groups.map(|lag| lag.to_string())),
        or_unknown(link.clock_offset_ms.map(short_offset)),
        or_unknown(link.last_reason.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(server: &str, clients: Option<u64>) -> ServerRow {
        ServerRow {
            server: server.to_owned(),
            state: "not ready",
            uptime_s: Some(90_000),
            clients,
            links: Some((1, 2)),
            lag_groups: Some(12),
            store: Some("ephemeral".to_owned()),
            certificate_left_s: Some(86_400),
            alive_to: (3, 4),
        }
    }

    #[test]
    fn columns_line_up_and_fit_a_terminal() {
        let mut comparison = Comparison {
            clusters: vec!["herd".to_owned()],
            rows: vec![row("Hill", Some(1_000_000)), row("Singleton", None)],
            links: vec![LinkRow {
                ends: ["Hill".to_owned(), "Smith".to_owned()],
                up: Some(false),
                since_s: Some(63),
                lag_groups: None,
                clock_offset_ms: Some(-2),
                last_reason: Some("connection failed: refused".to_owned()),
            }],
            troubles: Vec::new(),
        };
        let rate = |server: &str| server.len().to_string();
        let text = table(&comparison, &[("NEWS/S", &rate)], None);
        assert_eq!(
            text,
            "No trouble.\n\
             \n\
             SERVER     STATE         UP  CLIENTS  LINKS  LAG  STORE      ALIVE TO  CERT  NEWS/S\n\
             Hill       not ready  1d 1h  1000000    1/2   12  ephemeral       3/4    1d       4\n\
             Singleton  not ready  1d 1h        -    1/2   12  ephemeral       3/4    1d       9\n\
             \n\
             LINK          STATE    FOR  LAG  CLOCK  LOST LAST BECAUSE\n\
             Hill - Smith  down   1m 3s    -   -2ms  connection failed: refused\n"
        );
        let narrow = table(&comparison, &[("NEWS/S", &rate)], Some(80));
        assert!(narrow.lines().all(|line| line.len() <= 80), "{narrow}");
        assert!(
            !narrow.contains("NEWS/S") && narrow.contains("CERT"),
            "{narrow}"
        );
        comparison.troubles = vec!["Hill is on\x1b[31m fire\u{202e}\r".to_owned()];
        let text = table(&comparison, &[], None);
        assert!(
            text.starts_with("! Hill is on\\x1b[31m fire\\xe2\\x80\\xae\\x0d\n\nSERVER"),
            "{text}"
        );
    }
}
