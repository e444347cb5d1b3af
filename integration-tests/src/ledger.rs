//! The acknowledgements to clients, and a check that the herd keeps them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::patience::eventually;

/// A server that does not answer within this is taken for dead, and the next is tried.
const REPLY_WAIT: Duration = Duration::from_secs(10);

/// The pause before a server that refused a connection is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// For each client the greatest time that an AT line acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    acknowledged: BTreeMap<String, u64>,
    /// AT lines.
    pub acknowledgements: usize,
    /// Error replies.
    pub refusals: usize,
    /// Connections that were lost or refused.
    pub losses: usize,
}

impl Ledger {
    /// The clients that were told anything.
    pub fn ids(&self) -> Vec<String> {
        self.acknowledged.keys().cloned().collect()
    }

    /// An AT line came for this client and time.
    pub fn note(&mut self, id: &str, time: u64) {
        self.acknowledgements += 1;
        let greatest = self.acknowledged.entry(id.to_owned()).or_insert(time);
        *greatest = time.max(*greatest);
    }

    /// Takes in another ledger.
    pub fn merge(&mut self, other: Ledger) {
        for (id, time) in other.acknowledged {
            let greatest = self.acknowledged.entry(id).or_insert(time);
            *greatest = time.max(*greatest);
        }
        self.acknowledgements += other.acknowledgements;
        self.refusals += other.refusals;
        self.losses += other.losses;
    }

    /// The broken promises: `answers` are AT lines for [`Ledger::ids`], in order.
    pub fn broken<'a>(&self, answers: impl IntoIterator<Item = Option<&'a str>>) -> Vec<String> {
        let mut broken = Vec::new();
        for ((id, acknowledged), answer) in self.acknowledged.iter().zip(answers) {
            let time = answer.and_then(|at| at.rsplit(' ').next()?.parse::<u64>().ok());
            if time.is_none_or(|time| time < *acknowledged) {
                broken.push(format!(
                    "{id}: acknowledged {acknowledged}, answered {answer:?}"
                ));
            }
        }
        broken
    }
}

/// The state that reporters and disturbers share.
#[derive(Debug, Default)]
pub struct Load {
    is_over: AtomicBool,
    acknowledgements: AtomicUsize,
}

impl Load {
    /// The reporters have stopped.
    pub fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Waits until `count` reports were acknowledged: even on a slow machine the next step then meets a herd at work.
    pub async fn acknowledged(&self, count: usize) {
        eventually(format!("{count} reports are acknowledged"), async || {
            self.acknowledgements.load(Ordering::Relaxed) >= count
        })
        .await;
    }
}

/// Reports clients of its own, one after the other with rising times, to one server after the other, regardless of
/// the replies, until `load` is over.
pub async fn report_on(
    servers: &[SocketAddr],
    prefix: &str,
    clients: usize,
    load: &Load,
) -> Ledger {
    let stop = || load.is_over.load(Ordering::Relaxed);
    let mut ledger = Ledger::default();
    let mut time: u64 = 1_520_000_000;
    let mut turn = 0;
    while !stop() {
        let address = servers[turn % servers.len()];
        turn += 1;
        let Ok(stream) = TcpStream::connect(address).await else {
            ledger.losses += 1;
            sleep(RETRY_PAUSE).await;
            continue;
        };
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        // Some reports through each server, then on to the next.
        for _ in 0..20 {
            if stop() {
                break;
            }
            let first = time;
            let mut commands = String::new();
            for number in 0..clients {
                time += 1;
                commands.push_str(&format!("IAMAT {prefix}{number} +34.0-118.0 {time}\n"));
            }
            let told = timeout(REPLY_WAIT, async {
                writer.write_all(commands.as_bytes()).await.ok()?;
                for number in 0..clients {
                    let line = lines.next_line().await.ok()??;
                    if line.starts_with("AT ") {
                        let sent = first + 1 + number as u64;
                        ledger.note(&format!("{prefix}{number}"), sent);
                        load.acknowledgements.fetch_add(1, Ordering::Relaxed);
                    } else {
                        ledger.refusals += 1;
                    }
                }
                Some(())
            });
            if told.await.ok().flatten().is_none() {
                ledger.losses += 1;
                break;
            }
        }
    }
    ledger
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_finds_missing_and_older_records() {
        let mut ledger = Ledger::default();
        for (id, time) in [("a", 5), ("b", 7), ("b", 6), ("c", 1)] {
            ledger.note(id, time);
        }
        let at = |id: &str, time: u64| format!("AT Hill +0.0 {id} +1+1 {time}");
        let (a, b) = (at("a", 9), at("b", 6));
        let broken = ledger.broken([Some(a.as_str()), Some(b.as_str()), None]);
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert!(broken[0].starts_with("b: acknowledged 7"), "{broken:?}");
        let b = at("b", 7);
        let c = at("c", 1);
        let whole = [Some(a.as_str()), Some(b.as_str()), Some(c.as_str())];
        assert!(ledger.broken(whole).is_empty());
    }
}
