//! Lines of a watch among the replies.

use super::Replies;
use herd_protocol::StreamLine;

/// Lines of a watch are gathered up to this size, in bytes, and then these go out: a watcher that reads slowly is told
/// later, and then what is so then.
const LINES_BYTES_MAX: usize = 8 * 1024;

/// Room for a line of a watch with a long ID, in bytes.
const LINE_BYTES: usize = 512;

impl Replies {
    /// Whether lines of a watch may be added: all replies to commands before it are there, and the client has read most.
    pub(in crate::frontend) fn has_room_for_lines(&self) -> bool {
        self.later.is_empty() && self.ready.len() < LINES_BYTES_MAX
    }

    /// Adds a line of a watch. Not while replies wait.
    pub(in crate::frontend) fn push_line(&mut self, line: &StreamLine<'_>) {
        let len = self.ready.len();
        if len >= LINES_BYTES_MAX / 2 && self.ready.capacity() - len < LINE_BYTES {
            // Exactly: a vector by itself would reserve twice as much, and many watchers may read nothing.
            self.ready
                .reserve_exact(LINES_BYTES_MAX.saturating_sub(len) + LINE_BYTES);
        }
        line.write(&mut self.ready);
        self.count();
    }

    /// Leaves out all that is ready but the rest of a line whose beginning was sent. Not while a write of these bytes has to
    /// be repeated.
    pub(in crate::frontend) fn cut(&mut self) {
        let is_between_lines = self.sent == 0 || self.ready[self.sent - 1] == b'\n';
        let rest = memchr::memchr(b'\n', &self.ready[self.sent..]);
        let end = match rest {
            _ if is_between_lines => self.sent,
            Some(lf) => self.sent + lf + 1,
            None => self.ready.len(),
        };
        self.ready.truncate(end);
        self.logged = self.logged.min(end);
        self.count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::limits::ReplyBudget;

    #[test]
    fn lines_that_nobody_reads_take_no_more_memory_than_their_bound() {
        let mut replies = Replies::new(9, ReplyBudget::new(usize::MAX).share());
        while replies.has_room_for_lines() {
            replies.push_line(&StreamLine::Live(1_000_000));
        }
        assert!(replies.ready.capacity() <= LINES_BYTES_MAX + LINE_BYTES);
    }

    #[test]
    fn a_line_that_was_begun_is_the_last_before_the_end() {
        for (sent, left) in [(0, ""), (3, "E 1\n"), (7, ""), (8, "IVE 2\n"), (14, "")] {
            let mut replies = Replies::new(9, ReplyBudget::new(usize::MAX).share());
            replies.push_line(&StreamLine::Live(1));
            replies.push_line(&StreamLine::Live(2));
            replies.push_line(&StreamLine::Live(3));
            assert_eq!(replies.parts().0, b"LIVE 1\nLIVE 2\nLIVE 3\n");
            replies.sent(sent);
            replies.cut();
            assert_eq!(replies.parts().0, left.as_bytes(), "{sent} bytes were sent");
            replies.push_line(&StreamLine::Live(4));
            let text = format!("{left}LIVE 4\n");
            assert_eq!(replies.parts().0, text.as_bytes());
        }
    }
}
