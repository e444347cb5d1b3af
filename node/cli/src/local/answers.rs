//! What servers on this machine say over HTTP: whether they are there, whose they are, and how many clients they know.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use herd_server::listeners::Listen;
use herd_topology::Server;

/// How long servers may take to answer before the herd is shown anyway, with a note.
pub(super) const READY_GRACE: Duration = Duration::from_secs(10);
/// How long servers that answer may take to be ready.
const CATCH_UP_GRACE: Duration = Duration::from_secs(5);
/// The pause between two looks at a server that does not answer yet.
const READY_POLL: Duration = Duration::from_millis(20);
/// How long one look may take.
const LOOK_WAIT_MAX: Duration = Duration::from_secs(1);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// What was found when a herd had started.
#[derive(Debug)]
pub(super) struct Found {
    /// Servers that do not answer yet.
    pub(super) silent: Vec<String>,
    /// Clients that are known.
    pub(super) clients: Option<u64>,
}

/// Waits until the servers answer and are ready, not for ever, and asks for the number of clients.
pub(super) async fn find(servers: &[Server]) -> Found {
    let silent = wait_until_ready(servers).await;
    let all_ready = async {
        for server in servers {
            while get(http_address(server), "/readyz").await.is_none() {
                sleep(READY_POLL).await;
            }
        }
    };
    // Servers that catch up with others may take longer; the herd is shown all the same.
    let _ = timeout(CATCH_UP_GRACE, all_ready).await;
    let clients = clients(servers).await;
    Found { silent, clients }
}

/// Waits until every server accepts connections, and returns the names of those that do not in
/// time. Asks at the HTTP port, where a connection without a request leaves no trace.
async fn wait_until_ready(servers: &[Server]) -> Vec<String> {
    let mut silent: Vec<&Server> = servers.iter().collect();
    let all_answer = async {
        while let Some(server) = silent.last() {
            let connecting = TcpStream::connect(http_address(server));
            if matches!(timeout(LOOK_WAIT_MAX, connecting).await, Ok(Ok(_))) {
                silent.pop();
            } else {
                sleep(READY_POLL).await;
            }
        }
    };
    if timeout(READY_GRACE, all_answer).await.is_ok() {
        return Vec::new();
    }
    silent
        .iter()
        .map(|server| server.name.to_string())
        .collect()
}

/// The most clients that one of the servers knows; `None` if none says so.
async fn clients(servers: &[Server]) -> Option<u64> {
    let mut most = None;
    for server in servers {
        let answer = get(http_address(server), "/metrics").await;
        most = most.max(answer.as_deref().and_then(clients_of));
    }
    most
}

/// The figure of `herd_clients` among the metrics of a server.
fn clients_of(metrics: &str) -> Option<u64> {
    let is_figure =
        |line: &&str| line.starts_with("herd_clients{") || line.starts_with("herd_clients ");
    let line = metrics.lines().find(is_figure)?;
    let value: f64 = line.rsplit(' ').next()?.parse().ok()?;
    // As many clients as fit into a machine are a whole number here.
    Some(value as u64)
}

/// The herd and the name of the server that listens for HTTP there, if it is one of herd's that says so.
pub(super) async fn who(address: SocketAddr) -> Option<(String, String)> {
    let status = get(address, "/status").await?;
    let status: serde_json::Value = serde_json::from_str(&status).ok()?;
    let text = |name: &str| Some(status.get(name)?.as_str()?.to_owned());
    Some((text("cluster")?, text("server")?))
}

/// The body of the answer to one request; `None` without one in time, or with an error.
async fn get(address: SocketAddr, path: &str) -> Option<String> {
    let asked = timeout(LOOK_WAIT_MAX, async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        let mut bounded = stream.take(ANSWER_BYTES_MAX);
        bounded.read_to_end(&mut answer).await.ok()?;
        String::from_utf8(answer).ok()
    });
    let answer = asked.await.ok()??;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let is_well = head.split(' ').nth(1) == Some("200");
    is_well.then(|| body.to_owned())
}

/// The address to connect to for HTTP of a server of this machine.
pub(super) fn http_address(server: &Server) -> SocketAddr {
    dial(Listen::from(&server.http))
}

/// The address to connect to for a server of this machine that listens there.
fn dial(listen: Listen) -> SocketAddr {
    match listen {
        Listen::Address(address) if !address.ip().is_unspecified() => address,
        Listen::Address(address) if address.is_ipv6() => {
            SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()))
        }
        Listen::Address(address) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        Listen::EveryInterface { port } => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_clients_is_found_among_the_metrics() {
        let metrics = "# TYPE herd_clients gauge\nherd_clients_bytes 7\nherd_clients 3.0\n";
        assert_eq!(clients_of(metrics), Some(3));
        assert_eq!(clients_of("herd_clients{server=\"Hill\"} 1\n"), Some(1));
        assert_eq!(clients_of(""), None);
    }
}
