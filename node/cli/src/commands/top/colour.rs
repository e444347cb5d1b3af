//! Colours of a picture, line by line: troubles are red, their absence is green, heads are bold.

use std::env;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As it is.
    Plain,
    /// A head of columns, or the first line.
    Head,
    /// All is well.
    Well,
    /// Something is wrong.
    Trouble,
}

impl Look {
    /// The look of the line at this place.
    pub(super) fn of(place: usize, line: &str) -> Self {
        let is_down = line.contains("  down  ") || line.contains("  not ready  ");
        if line.starts_with("! ") || is_down || line.contains("  no answer  ") {
            Look::Trouble
        } else if line == "No trouble." {
            Look::Well
        } else if place == 0 || line.starts_with("SERVER ") || line.starts_with("LINK ") {
            Look::Head
        } else {
            Look::Plain
        }
    }

    /// What begins and what ends it on a terminal (ECMA-48, SGR).
    pub(super) fn marks(self) -> (&'static str, &'static str) {
        match self {
            Look::Plain => ("", ""),
            Look::Head => ("\x1b[1m", "\x1b[0m"),
            Look::Well => ("\x1b[32m", "\x1b[0m"),
            Look::Trouble => ("\x1b[31m", "\x1b[0m"),
        }
    }
}

/// Whether the terminal has colours and the user wants them: <https://no-color.org>.
pub(super) fn are_wanted() -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
    let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    !refused && !is_dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_looks() {
        for (place, line, look) in [
            (0, "herd top  herd", Look::Head),
            (2, "No trouble.", Look::Well),
            (2, "! The herd is in 2 parts: Hill | Smith", Look::Trouble),
            (4, "SERVER  STATE", Look::Head),
            (5, "Hill    ready      1m", Look::Plain),
            (5, "Hill    not ready  1m", Look::Trouble),
            (9, "Hill - Smith  down   1m", Look::Trouble),
        ] {
            assert_eq!(Look::of(place, line), look, "{line}");
        }
    }
}
