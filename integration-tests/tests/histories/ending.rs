//! The end of a run: the herd is whole again and undisturbed, and its maps are read.

use std::time::Duration;

use herd_integration_tests::Herd;
use herd_integration_tests::history::Scenario;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::books::Books;
use crate::reporters::{Directory, ReporterConnection};

/// How long a herd that is whole may take until all is as it should: orphans that turn up late wait a minute, each rank
/// two seconds, and the machine may be busy.
const SETTLED_WITHIN: Duration = Duration::from_secs(180);

const LOOK_INTERVAL: Duration = Duration::from_millis(300);

const HTTP_WAIT: Duration = Duration::from_secs(10);

/// Questions that are asked at once in the end.
const QUESTIONS: usize = 20;

/// Waits until every server is ready, every link is up and all maps are equal; returns the maps.
///
/// # Errors
/// The condition that is not met in the end.
pub(crate) async fn settled(
    herd: &mut Herd,
    scenario: &Scenario,
) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let begin = Instant::now();
    loop {
        let missing = match is_whole(herd, scenario).await {
            Ok(()) => match same_dumps(herd).await {
                Ok(dumps) => return Ok(dumps),
                Err(missing) => missing,
            },
            Err(missing) => missing,
        };
        if begin.elapsed() > SETTLED_WITHIN {
            return Err(format!(
                "{SETTLED_WITHIN:?} after all was healed: {missing}"
            ));
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// Whether every server is ready and has all its links.
async fn is_whole(herd: &mut Herd, scenario: &Scenario) -> Result<(), String> {
    for name in scenario.shape.names {
        if let Some(status) = herd.server_mut(name).has_ended() {
            return Err(format!("{name} ended by itself: {status}"));
        }
        let server = herd.server(name);
        let mut up = server.links();
        up.sort();
        let topology = herd.topology();
        let mut neighbours = topology.neighbours(name);
        neighbours.sort_unstable();
        if up != neighbours {
            return Err(format!("{name} has links to {up:?} only"));
        }
        let reply = readyz(server.addresses().http).await;
        if !reply.starts_with("HTTP/1.1 200 ") {
            return Err(format!("{name} is not ready: {reply:?}"));
        }
    }
    Ok(())
}

async fn readyz(address: std::net::SocketAddr) -> String {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        let head = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        Ok::<_, std::io::Error>(reply)
    };
    match timeout(HTTP_WAIT, asking).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no reply within {HTTP_WAIT:?}"),
    }
}

/// The dumps of all servers, if they hold the same records.
async fn same_dumps(herd: &Herd) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let mut dumps: Vec<Vec<Vec<u8>>> = Vec::new();
    for server in herd.servers() {
        let mut dump = server.dump().await?;
        dump.sort();
        if let Some(first) = dumps.first()
            && *first != dump
        {
            let (here, there) = (first.len(), dump.len());
            let one = first.iter().find(|line| !dump.contains(line));
            let other = dump.iter().find(|line| !first.contains(line));
            let line = one.or(other).map(|line| line.escape_ascii().to_string());
            return Err(format!(
                "{} holds {there} records, and another server {here}, which differ: {line:?}",
                server.name()
            ));
        }
        dumps.push(dump);
    }
    Ok(dumps)
}

/// Asks every server about every client.
///
/// # Errors
/// If one does not answer.
pub(crate) async fn ask_all(books: &Books, directory: &Directory) -> Result<(), String> {
    for server in 0..directory.addresses.len() {
        let nobody = || format!("server {server} does not answer in the end");
        let connection = ReporterConnection::open(books, directory, server).await;
        let mut connection = connection.ok_or_else(nobody)?;
        let clients: Vec<usize> = (0..directory.ids.len()).collect();
        for clients in clients.chunks(QUESTIONS) {
            let questions = clients.iter().map(|client| directory.question(*client));
            if !connection.ask(books, questions.collect()).await {
                return Err(nobody());
            }
        }
    }
    Ok(())
}
