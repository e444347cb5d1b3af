use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use herd_acknowledgement::Begun;
use herd_crdt::{CLIENT_ID_BYTES_MAX, Record};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use herd_clock::clock::WallClock;
use herd_locations::Locations;

const NOW_S: i64 = 1_600_000_000;

struct FixedClock;

impl WallClock for FixedClock {
    fn now_ns(&self) -> i64 {
        NOW_S * 1_000_000_000
    }
}

/// A control socket that is served.
struct Served {
    folder: tempfile::TempDir,
    locations: Arc<Locations>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    fn start(confirm: Arc<dyn Confirm>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = ControlSocket::bind(&folder.path().join(SOCKET_FILE)).unwrap();
        let locations = Arc::new(Locations::default());
        let control = Control::new(
            locations.clone(),
            Arc::new(FixedClock),
            Some(Duration::from_secs(60)),
            confirm,
        )
        .with_status(Arc::new(|| b"{\"version\":1}".to_vec()));
        let shutdown = CancellationToken::new();
        Served {
            folder,
            locations,
            task: tokio::spawn(control.serve(socket, shutdown.clone())),
            shutdown,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(SOCKET_FILE)
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.unwrap()
    }

    /// Everything that comes back when `sent` is sent and that direction closed.
    async fn ask(&self, sent: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        let (mut read_half, mut write_half) = stream.split();
        let mut received = Vec::new();
        let (sending, receiving) = tokio::join!(
            async {
                write_half.write_all(sent).await?;
                write_half.shutdown().await
            },
            read_half.read_to_end(&mut received)
        );
        sending.unwrap();
        receiving.unwrap();
        received
    }

    async fn load(&self, lines: &[u8]) -> String {
        let answer = self.ask(&[b"LOAD 1\n", lines].concat()).await;
        String::from_utf8(answer).unwrap()
    }

    fn report(&self, client: &[u8], time: &str) {
        let record = Record::new(client, b"+1+1", time.as_bytes(), "Hill".into(), 5).unwrap();
        self.locations.report(record);
    }
}

fn sorted(dump: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = dump.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn a_loaded_dump_gives_the_same_map() {
    let first = Served::start(Arc::new(AtOnce));
    let mut clients = vec![b"\xff\x00\x85".to_vec(), vec![b'x'; CLIENT_ID_BYTES_MAX]];
    clients.extend((0..3_000).map(|number| format!("client{number}").into_bytes()));
    for client in &clients {
        first.report(client, "-1.50");
    }
    let dump = first.ask(b"DUMP 1\n").await;
    assert!(dump.ends_with(b"\nEND 3002\n"));
    assert_eq!(sorted(&dump).len(), 3_002 + 2);

    let second = Served::start(Arc::new(AtOnce));
    assert_eq!(
        second.load(&dump).await,
        "LOADED 3002 0 0 0 0 1\nCONFIRMED\n"
    );
    assert_eq!(sorted(&second.ask(b"DUMP 1\n").await), sorted(&dump));
    assert_eq!(
        second.load(&dump).await,
        "LOADED 0 0 3002 0 0 1\nCONFIRMED\n"
    );
    for client in &clients {
        assert_eq!(second.locations.find(client), first.locations.find(client));
    }
    // They wait to be published from here.
    assert_eq!(second.locations.take_work().pending.len(), clients.len());
}

#[tokio::test]
async fn an_empty_map_is_dumped_and_loaded_too() {
    let served = Served::start(Arc::new(AtOnce));
    assert_eq!(served.ask(b"DUMP 1\n").await, b"END 0\n");
    assert_eq!(
        served.load(b"END 0\n").await,
        "LOADED 0 0 0 0 0 1\nCONFIRMED\n"
    );
    assert_eq!(served.load(b"").await, "LOADED 0 0 0 0 0 0\nCONFIRMED\n");
}

#[tokio::test]
async fn a_later_report_wins_over_a_load() {
    let served = Served::start(Arc::new(AtOnce));
    served.report(b"a", "10");
    served.report(b"b", "10");
    let answer = served
        .load(
            b"AT Hill +1.000000000 a +1+1 9\n\
              AT Hill +1.000000000 b +1+1 11\n\
              AT Anon +1.000000000 a +1+1 10\n\
              AT Zoe -5.000000000 a +1+1 10\n",
        )
        .await;
    assert_eq!(answer, "LOADED 0 2 0 2 0 0\nCONFIRMED\n");
    let found = served.locations.find(b"a").unwrap();
    assert_eq!(&**found.server(), "Zoe");
    assert_eq!(found.received_ns(), 5_000_000_000);
}

#[tokio::test]
async fn invalid_lines_are_reported_by_number_and_left_out() {
    let served = Served::start(Arc::new(AtOnce));
    let mut lines = b"AT Hill +1.000000000 a +1+1 9\n# no comments\n\n".to_vec();
    lines.extend_from_slice(b"AT Hill +1.000000000 b 1+1 9\n");
    lines.extend_from_slice(&vec![b'x'; 100_000]);
    lines.extend_from_slice(b"\nAT Hill +0.000000000 c +1+1 1600000060.000000001\n");
    lines.extend_from_slice(b"AT Hill +0.000000000 d +1+1 1600000060\n");
    lines.extend_from_slice(b"END 5\n\nAT Hill +1.000000000 e +1+1 9\n");
    lines.extend_from_slice(b"END 7\n");
    let answer = served.load(&lines).await;
    assert_eq!(
        answer,
        "INVALID 2 neither `AT server difference client location time` nor `GONE server difference client time`\n\
         INVALID 4 location is not a signed latitude followed by a signed longitude\n\
         INVALID 5 the line is too long\n\
         INVALID 6 time is further ahead of the server's clock than max_clock_skew allows\n\
         INVALID 8 END says 5 records, but 6 lines came before it\n\
         INVALID 10 the line stands behind an END line\n\
         INVALID 11 a second END line\n\
         LOADED 2 0 0 0 7 0\nCONFIRMED\n"
    );
    assert_eq!(served.locations.len(), 2);
}

#[tokio::test]
async fn a_last_line_that_may_be_cut_off_is_not_taken_in() {
    let served = Served::start(Arc::new(AtOnce));
    let answer = served
        .load(b"AT Hill +1.000000000 a +1+1 9\nAT Hill +1.000000000 b +1+1 1520")
        .await;
    assert_eq!(
        answer,
        "INVALID 2 the line has no line end, so it may be cut off\n\
         LOADED 1 0 0 0 1 0\nCONFIRMED\n"
    );
    assert_eq!(served.locations.find(b"b"), None);
    let answer = served.load(b"AT Hill +1.000000000 a +1+1 9\nEND 1").await;
    assert_eq!(answer, "LOADED 0 0 1 0 0 1\nCONFIRMED\n");
}

#[tokio::test]
async fn other_first_lines_are_refused() {
    let served = Served::start(Arc::new(AtOnce));
    let answer = served.ask(b"DUMP 2\n").await;
    assert!(answer.starts_with(b"ERROR this server speaks version 1 "));
    let answer = served.ask(b"IAMAT kiwi +1+1 1\n").await;
    assert_eq!(
        answer,
        b"ERROR the first line is none of DUMP, LOAD and STATUS with a version\n"
    );
    assert_eq!(served.ask(b"").await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_silent_control_client_is_disconnected() {
    let served = Served::start(Arc::new(AtOnce));
    let mut stream = served.connect().await;
    let mut received = String::new();
    stream.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "ERROR the other side did nothing for 10 s\n");
}

/// Fails once it is let go.
struct Later(Semaphore);

#[async_trait::async_trait]
impl Confirm for Later {
    fn begin(&self) -> Begun {
        Begun::default()
    }

    async fn confirm(&self, _: Begun) -> Result<(), String> {
        let _permit = self.0.acquire().await.unwrap();
        Err("Jaquez has\nno disk left".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_load_waits_for_its_confirmation() {
    let later = Arc::new(Later(Semaphore::new(0)));
    let served = Served::start(later.clone());
    let mut stream = served.connect().await;
    stream
        .write_all(b"LOAD 1\nAT Hill +1.000000000 a +1+1 9\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let expected = b"LOADED 1 0 0 0 0 0\nWAIT\nWAIT\n";
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(received, expected);
    later.0.add_permits(1);
    let mut received = String::new();
    stream.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "UNCONFIRMED Jaquez has no disk left\n");
}

#[tokio::test]
async fn sessions_are_few_and_a_stop_ends_them() {
    let served = Served::start(Arc::new(AtOnce));
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = served.connect().await;
        stream.write_all(b"LOAD 1\n").await.unwrap();
        open.push(stream);
    }
    let mut received = String::new();
    let mut fifth = served.connect().await;
    fifth.read_to_string(&mut received).await.unwrap();
    assert_eq!(
        received,
        "ERROR 4 dumps and loads are running; try again later\n"
    );
    served.shutdown.cancel();
    for mut stream in open {
        let mut received = String::new();
        stream.read_to_string(&mut received).await.unwrap();
        assert_eq!(received, "ERROR the server stops\n");
    }
    let path = served.path();
    served.task.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dump_that_is_cut_off_has_no_end_line() {
    let served = Served::start(Arc::new(AtOnce));
    for number in 0..20_000 {
        served.report(format!("client{number}").as_bytes(), "1");
    }
    let mut stream = served.connect().await;
    stream.write_all(b"DUMP 1\n").await.unwrap();
    let mut first = [0; 3];
    stream.read_exact(&mut first).await.unwrap();
    // It is in the middle of the map, and clients report and ask as before.
    for number in 0..20_000 {
        served.report(format!("client{number}").as_bytes(), "2");
    }
    served.shutdown.cancel();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(!rest.contains("END"));
    // A reason is given on a line of its own, or not at all.
    let reasons = rest.lines().filter(|line| line.contains("ERROR"));
    assert!(
        reasons
            .into_iter()
            .all(|line| line == "ERROR the server stops")
    );
}

#[tokio::test]
async fn a_status_is_one_line_of_json() {
    let served = Served::start(Arc::new(AtOnce));
    assert_eq!(served.ask(b"STATUS 1\n").await, b"{\"version\":1}\n");
}
