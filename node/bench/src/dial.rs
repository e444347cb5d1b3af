//! Opening connections.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one attempt may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// How often a lost connection is tried again before it is given up.
pub(super) const REOPENS_MAX: u32 = 6;

/// The wait before the second attempt; it doubles with each.
const REOPEN_GAP: Duration = Duration::from_millis(100);

/// Opens a connection to `HOST:PORT`, without Nagle's delay.
pub(super) async fn dial(server: &str) -> io::Result<TcpStream> {
    let stream = match timeout(CONNECT_WAIT, TcpStream::connect(server)).await {
        Ok(connected) => connected?,
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The wait before attempt `attempt`, from 0.
pub(super) fn reopen_gap(attempt: u32) -> Duration {
    match attempt {
        0 => Duration::ZERO,
        _ => REOPEN_GAP * 2_u32.saturating_pow(attempt.min(REOPENS_MAX) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_grow_and_are_bounded() {
        let gaps = [0, 1, 2, 3, u32::MAX].map(|attempt| reopen_gap(attempt).as_millis());
        assert_eq!(gaps, [0, 100, 200, 400, 3_200]);
    }
}
