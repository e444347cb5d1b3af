//! The terminal: taken when a [`Screen`] is made, and restored when it is dropped, in a panic too.

use std::io::{self, Stdout, Write};
use std::time::Duration;

use super::colour::{self, Look};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event};
use crossterm::style::Print;
use crossterm::terminal::{
    self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{execute, queue};

/// See the module.
pub(super) struct Screen {
    out: Stdout,
    colours: bool,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        enable_raw_mode()?;
        // From here on it is given back.
        let mut screen = Screen {
            out: io::stdout(),
            colours: colour::are_wanted(),
        };
        execute!(screen.out, EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Shows as much of the text for a terminal of so many columns as there is room for.
    pub(super) fn draw(&mut self, text: impl FnOnce(usize) -> String) -> io::Result<()> {
        let (columns, rows) = terminal::size()?;
        let text = text(columns.into());
        for (row, line) in (0..rows).zip(fit(&text, columns.into(), rows.into())) {
            let look = match self.colours {
                true => Look::of(row.into(), &line),
                false => Look::Plain,
            };
            let (begin, end) = look.marks();
            queue!(
                self.out,
                MoveTo(0, row),
                Print(begin),
                Print(line),
                Print(end),
                Clear(ClearType::UntilNewLine)
            )?;
        }
        queue!(self.out, Clear(ClearType::FromCursorDown))?;
        self.out.flush()
    }

    /// The key of the user, if one came in this time.
    pub(super) fn event(&mut self, patience: Duration) -> io::Result<Option<Event>> {
        if event::poll(patience)? {
            event::read().map(Some)
        } else {
            Ok(None)
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where the terminal is gone, an error has no reader.
        let _ = execute!(self.out, Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// The lines of a text, cut to a terminal of this size; the last line says how many lines have no room.
pub(super) fn fit(text: &str, columns: usize, rows: usize) -> Vec<String> {
    let cut = |line: &str| line.chars().take(columns).collect::<String>();
    let mut lines: Vec<String> = text.lines().map(cut).collect();
    if lines.len() > rows && rows > 0 {
        let left = lines.len() - (rows - 1);
        lines.truncate(rows - 1);
        lines.push(cut(&format!("... {left} more lines")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_the_terminal() {
        assert_eq!(fit("abc\nd\n", 2, 2), ["ab", "d"]);
        assert_eq!(fit("a\nb\nc\n", 80, 2), ["a", "... 2 more lines"]);
        assert_eq!(fit("äöü\n", 2, 1), ["äö"]);
        assert_eq!(fit("", 2, 1), [""; 0]);
    }
}
