//! A comparison as a table for people.

use std::fmt::Write;

use super::comparison::{Comparison, ServerRow};
use herd_text::printable::Printable;

/// The columns. The first is as wide as it needs to be.
const HEADS: [&str; 8] = [
    "SERVER", "STATE", "UP", "CLIENTS", "LINKS", "LAG", "STORE", "ALIVE TO",
];

/// Columns of numbers, which end at the same place.
const RIGHT_ALIGNED: [bool; 8] = [false, false, true, true, true, true, false, true];

/// The text for an unknown value.
const UNKNOWN: &str = "-";

/// One more column: its head, and its cell for the server of a name.
pub type MoreColumn<'a> = (&'a str, &'a dyn Fn(&str) -> String);

/// The table, with the columns of `more` behind it, and the troubles below it. Every line ends with an LF.
#[must_use]
pub fn table(comparison: &Comparison, more: &[MoreColumn<'_>]) -> String {
    let mut heads: Vec<String> = HEADS.map(str::to_owned).into();
    let mut right = RIGHT_ALIGNED.to_vec();
    for (head, _) in more {
        heads.push((*head).to_owned());
        right.push(true);
    }
    let mut lines = vec![heads];
    for row in &comparison.rows {
        let mut cells: Vec<String> = cells(row)
            .map(|cell| Printable(cell.as_bytes()).to_string())
            .into();
        cells.extend(more.iter().map(|(_, cell)| cell(&row.server)));
        lines.push(cells);
    }
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..right.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut written = String::new();
        for ((cell, width), right) in line.iter().zip(&widths).zip(&right) {
            // Writing to a string cannot fail.
            let _ = if *right {
                write!(written, "{cell:>width$}  ")
            } else {
                write!(written, "{cell:<width$}  ")
            };
        }
        let _ = writeln!(text, "{}", written.trim_end());
    }
    text.push('\n');
    if comparison.troubles.is_empty() {
        text.push_str("No trouble.\n");
    }
    for trouble in &comparison.troubles {
        let _ = writeln!(text, "! {}", Printable(trouble.as_bytes()));
    }
    text
}

fn cells(row: &ServerRow) -> [String; 8] {
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
    let (alive, asked) = row.alive_to;
    [
        row.server.clone(),
        row.state.to_owned(),
        or_unknown(row.uptime_s.map(short_duration)),
        or_unknown(row.clients.map(|clients| clients.to_string())),
        or_unknown(row.links.map(|(up, all)| format!("{up}/{all}"))),
        or_unknown(row.lag_groups.map(|lag| lag.to_string())),
        or_unknown(row.store.clone()),
        format!("{alive}/{asked}"),
    ]
}

/// A time in at most two units, such as `3d 4h`.
fn short_duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let parts = units.iter().scan(seconds, |left, (size, unit)| {
        let count = *left / size;
        *left %= size;
        Some((count, unit))
    });
    let parts: Vec<String> = parts
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if parts.is_empty() {
        "0s".to_owned()
    } else {
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let shown = [0, 59, 60, 3_661, 86_400 + 59, 2 * 86_400 + 3_600].map(short_duration);
        assert_eq!(shown, ["0s", "59s", "1m", "1h 1m", "1d", "2d 1h"]);
    }

    #[test]
    fn columns_line_up_and_fit_a_terminal() {
        let row = |server: &str, clients| ServerRow {
            server: server.to_owned(),
            state: "not ready",
            uptime_s: Some(90_000),
            clients,
            links: Some((1, 2)),
            lag_groups: Some(12),
            store: Some("ephemeral".to_owned()),
            alive_to: (3, 4),
        };
        let mut comparison = Comparison {
            clusters: vec!["herd".to_owned()],
            rows: vec![row("Hill", Some(1_000_000)), row("Singleton", None)],
            troubles: Vec::new(),
        };
        let rate = |server: &str| server.len().to_string();
        let text = table(&comparison, &[("NEWS/S", &rate)]);
        assert_eq!(
            text,
            "SERVER     STATE         UP  CLIENTS  LINKS  LAG  STORE      ALIVE TO  NEWS/S\n\
             Hill       not ready  1d 1h  1000000    1/2   12  ephemeral       3/4       4\n\
             Singleton  not ready  1d 1h        -    1/2   12  ephemeral       3/4       9\n\
             \n\
             No trouble.\n"
        );
        assert!(text.lines().all(|line| line.len() <= 80));
        comparison.troubles = vec!["Hill is on\x1b[31m fire\u{202e}\r".to_owned()];
        assert!(
            table(&comparison, &[])
                .ends_with("\n\n! Hill is on\\x1b[31m fire\\xe2\\x80\\xae\\x0d\n")
        );
    }
}
