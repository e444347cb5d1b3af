//! A watch, folded: what one knows who remembers the last line for each client.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What a watcher knows.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// The AT line of each client that matches, or that is inside.
    pub known: BTreeMap<String, String>,
    /// The AT line of the client in the middle.
    pub centre: Option<String>,
    /// Whether all that was so at the beginning was told.
    pub is_live: bool,
    /// The reason of the last line.
    pub ended: Option<String>,
    /// How many lines came.
    pub lines: usize,
    /// The time of each client's last record, in nanoseconds.
    times_ns: BTreeMap<String, i128>,
    /// Lines that break a rule of the protocol.
    pub faults: Vec<String>,
}

/// A watch over one connection, read until its end.
#[derive(Debug)]
pub struct Watching {
    folded: Arc<Mutex<Folded>>,
    reading: JoinHandle<()>,
}

impl Folded {
    /// Takes a line.
    pub fn take(&mut self, line: &str) {
        self.lines += 1;
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            ["AT", _, _, id, _, time] => {
                self.note_time(line, id, time);
                if !self.is_live && self.known.contains_key(id) {
                    self.faults.push(format!("twice at the beginning: {line}"));
                }
                self.known.insert(id.to_owned(), line.to_owned());
            }
            ["ENTER", "AT", _, _, id, _, time] => {
                self.note_time(line, id, time);
                let at = line["ENTER ".len()..].to_owned();
                if self.known.insert(id.to_owned(), at).is_some() {
                    self.faults.push(format!("it was inside: {line}"));
                }
            }
            ["LEAVE", "AT", _, _, id, _, time] => {
                self.note_time(line, id, time);
                if self.known.remove(id).is_none() || !self.is_live {
                    self.faults.push(format!("it was not inside: {line}"));
                }
            }
            ["CENTRE", "AT", _, _, id, _, time] => {
                self.note_time(line, id, time);
                self.centre = Some(line["CENTRE ".len()..].to_owned());
            }
            ["GONE", id] => {
                self.known.remove(id);
                let is_centre = |at: &mut String| at.split(' ').nth(3) == Some(id);
                self.centre.take_if(is_centre);
            }
            ["LIVE", clients] => {
                if self.is_live || clients != self.known.len().to_string() {
                    self.faults
                        .push(format!("{} clients: {line}", self.known.len()));
                }
                self.is_live = true;
            }
            ["ALIVE", _, _] => {}
            ["END", reason] => self.ended = Some(reason.to_owned()),
            _ => self.faults.push(format!("no line of a watch: {line}")),
        }
    }

    /// For one client nothing goes back.
    fn note_time(&mut self, line: &str, id: &str, time: &str) {
        let time_ns = nanoseconds(time);
        let before = self.times_ns.insert(id.to_owned(), time_ns);
        if before.is_some_and(|before| before > time_ns) {
            self.faults.push(format!("it goes back: {line}"));
        }
    }
}

/// Of a time in seconds with at most nine decimals.
fn nanoseconds(time: &str) -> i128 {
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{whole}{fraction:0<9}")
        .parse()
        .unwrap_or(i128::MIN)
}

impl Watching {
    /// Begins a watch, such as `ALL`.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub async fn begin(address: SocketAddr, subject: &str) -> io::Result<Watching> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream
            .write_all(format!("WATCH {subject}\n").as_bytes())
            .await?;
        let folded = Arc::<Mutex<Folded>>::default();
        let into = Arc::clone(&folded);
        let reading = tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                lock(&into).take(&line);
            }
        });
        Ok(Watching { folded, reading })
    }

    /// What the watcher knows now.
    #[must_use]
    pub fn folded(&self) -> Folded {
        lock(&self.folded).clone()
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.reading.is_finished()
    }

    /// Leaves out one line, as if it had not come: for tests of checks.
    pub fn forget(&self, id: &str) {
        lock(&self.folded).known.remove(id);
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn lock(folded: &Mutex<Folded>) -> MutexGuard<'_, Folded> {
    folded.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(lines: &[&str]) -> usize {
        let mut folded = Folded::default();
        lines.iter().for_each(|line| folded.take(line));
        folded.faults.len()
    }

    #[test]
    fn each_rule_is_checked() {
        let at = |time: &str| format!("AT Hill +0.000000000 kiwi +1+1 {time}");
        let (one, two) = (at("1"), at("1.5"));
        let (enter, leave) = (format!("ENTER {one}"), format!("LEAVE {two}"));
        assert_eq!(
            faults(&[&enter, "LIVE 1", &two, &leave, "GONE kiwi", "END slow"]),
            0
        );
        assert_eq!(faults(&[&two, "LIVE 1", &one]), 1, "back");
        assert_eq!(faults(&[&one, &two]), 1, "twice at the beginning");
        assert_eq!(faults(&["LIVE 1"]), 1, "a wrong count");
        assert_eq!(faults(&["LIVE 0", &leave]), 1, "from outside");
        assert_eq!(faults(&[&enter, &enter]), 1, "into inside");
        assert_eq!(faults(&["hello"]), 1);
    }
}
