//! What a service manager such as systemd is told, as sd_notify(3) says: that the server serves, whether it is ready,
//! that its loops make progress, that it stops.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::http::Health;

/// The longest time between two looks.
const LOOK_GAP_MAX: Duration = Duration::from_secs(5);

/// A message that finds the manager's queue full is left out: the next one says the same or more.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// Within which time it wants to hear that the server makes progress, if at all.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The manager that these variables name: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. Nothing without one.
    ///
    /// # Errors
    /// If there is one that cannot be talked to.
    pub fn of(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> io::Result<Option<Self>> {
        let Some(path) = variable("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Ok(None);
        };
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&us| us > 0 && is_ours);
        let socket = UnixDatagram::unbound()?;
        // The manager may be busy, and the server waits for nobody.
        socket.set_nonblocking(true)?;
        Ok(Some(ServiceManager {
            socket,
            address: address(&path)?,
            watchdog: watchdog.map(Duration::from_micros),
        }))
    }

    fn tell(&self, message: &str) {
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.address);
        if let Err(error) = sent
            && error.kind() != io::ErrorKind::WouldBlock
        {
            warn!(%error, "cannot tell the service manager");
        }
    }

    /// Says that the server serves, then how it is, until `stop`. While a loop hangs the watchdog hears nothing, so
    /// the manager ends the server.
    pub async fn follow(self: Arc<Self>, health: Arc<Health>, stop: CancellationToken) {
        self.tell("READY=1\n");
        let gap = self.watchdog.map_or(LOOK_GAP_MAX, |watchdog| watchdog / 3);
        // A gap of nothing is none.
        let mut looks = interval(gap.clamp(Duration::from_millis(1), LOOK_GAP_MAX));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = String::new();
        while stop.run_until_cancelled(looks.tick()).await.is_some() {
            let status = match health.ready() {
                Ok(()) => "STATUS=ready\n".to_owned(),
                Err(reason) => format!("STATUS=not ready: {}\n", one_line(&reason.to_string())),
            };
            if told != status {
                self.tell(&status);
                told = status;
            }
            if self.watchdog.is_some() && health.stalled().is_empty() {
                self.tell("WATCHDOG=1\n");
            }
        }
        self.tell("STOPPING=1\nSTATUS=stopping\n");
    }
}

/// Where the manager listens: a path, or a name without a file behind `@`.
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        if let Some(name) = path.as_encoded_bytes().strip_prefix(b"@") {
            return SocketAddr::from_abstract_name(name);
        }
    }
    SocketAddr::from_pathname(path)
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use herd_telemetry::watchdog::Watchdog;

    use super::*;

    fn manager(variables: &[(&str, &str)]) -> io::Result<Option<ServiceManager>> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        ServiceManager::of(|name| variables.get(name).map(OsString::from))
    }

    #[test]
    fn without_a_socket_there_is_no_manager() {
        assert!(manager(&[]).unwrap().is_none());
        assert!(manager(&[("NOTIFY_SOCKET", "")]).unwrap().is_none());
        let long = "x".repeat(200);
        assert!(manager(&[("NOTIFY_SOCKET", &long)]).is_err());
    }

    #[test]
    fn the_watchdog_of_another_process_is_not_ours() {
        let of = |more: &[(&str, &str)]| {
            let variables = [&[("NOTIFY_SOCKET", "/nonexistent")], more].concat();
            manager(&variables).unwrap().unwrap().watchdog
        };
        let usec = ("WATCHDOG_USEC", "3000000");
        assert_eq!(of(&[usec]), Some(Duration::from_secs(3)));
        assert_eq!(of(&[usec, ("WATCHDOG_PID", "1")]), None);
        assert_eq!(of(&[("WATCHDOG_USEC", "soon")]), None);
        assert_eq!(of(&[("WATCHDOG_USEC", "0")]), None);
    }

    #[tokio::test]
    async fn the_manager_hears_of_start_progress_and_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = tokio::net::UnixDatagram::bind(&path).unwrap();
        let text = path.to_str().unwrap();
        let variables = [("NOTIFY_SOCKET", text), ("WATCHDOG_USEC", "30000")];
        let manager = Arc::new(manager(&variables).unwrap().unwrap());
        let watchdog = Watchdog::new("a loop");
        let facts = Box::new(herd_replica::readiness::Facts::default);
        let health = Health::new(vec![watchdog], facts);
        let stop = CancellationToken::new();
        let following = tokio::spawn(manager.follow(health, stop.clone()));
        let mut buffer = [0; 1024];
        let mut next = async || {
            let length = heard.recv(&mut buffer).await.unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!(next().await, "READY=1\n");
        assert!(next().await.starts_with("STATUS="));
        assert_eq!(next().await, "WATCHDOG=1\n");
        assert_eq!(next().await, "WATCHDOG=1\n");
        stop.cancel();
        let mut last = next().await;
        while last == "WATCHDOG=1\n" {
            last = next().await;
        }
        assert_eq!(last, "STOPPING=1\nSTATUS=stopping\n");
        following.await.unwrap();
    }
}
