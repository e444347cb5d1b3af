use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::AtomicI64;

use tokio::time::Instant;

use super::super::ConnectionLog;
use super::super::place::FILE_MODE;
use super::*;
use crate::frontend::Protocol;
use herd_clock::clock::WallClock;

const PATIENCE: Duration = Duration::from_secs(20);

struct TestClock(AtomicI64);

impl WallClock for TestClock {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn clock() -> SharedClock {
    Arc::new(TestClock(AtomicI64::new(1_520_023_934_918_963_997)))
}

fn connection(log: &WireLog) -> ConnectionLog {
    ConnectionLog::new(
        log.clone(),
        "127.0.0.1:5000".parse().unwrap(),
        Protocol::Text,
    )
}

#[tokio::test]
async fn each_line_is_one_record_with_time_peer_and_direction() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hill.log");
    let (log, writer) = WireLog::open(&path, clock(), None).unwrap();
    let mut lines = connection(&log);
    lines.begin(0);
    lines.line_in(b"IAMAT \xff");
    lines.cut_line_in(b"aaa");
    lines.lines_out(b"AT x\n{}\n\n? y\n");
    lines.hand_over();
    log.peer_connected("Jaquez", "127.0.0.1:14001");
    log.peer_disconnected("Jaquez", "127.0.0.1:14001", "reset\nby peer");
    writer.close(PATIENCE).await.unwrap();
    let expected = "\
1970-01-01T00:00:00.000000Z 127.0.0.1:5000 < IAMAT \\xff
1970-01-01T00:00:00.000000Z 127.0.0.1:5000 < aaa\\...
1970-01-01T00:00:00.000000Z 127.0.0.1:5000 > AT x
1970-01-01T00:00:00.000000Z 127.0.0.1:5000 > {}
1970-01-01T00:00:00.000000Z 127.0.0.1:5000 > \n\
1970-01-01T00:00:00.000000Z 127.0.0.1:5000 > ? y
2018-03-02T20:52:14.918963Z 127.0.0.1:14001 connect Jaquez
2018-03-02T20:52:14.918963Z 127.0.0.1:14001 disconnect Jaquez: reset\\x0aby peer
";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(log.statistics().lines_taken.load(Ordering::Relaxed), 8);
    assert_eq!(log.statistics().lines_dropped.load(Ordering::Relaxed), 0);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, FILE_MODE);
}

#[tokio::test]
async fn the_file_is_appended_to_and_a_torn_line_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hill.log");
    std::fs::write(&path, "whole\ntor").unwrap();
    for _ in 0..2 {
        let (log, writer) = WireLog::open(&path, clock(), None).unwrap();
        log.peer_connected("Smith", "-");
        writer.close(PATIENCE).await.unwrap();
    }
    let line = "2018-03-02T20:52:14.918963Z - connect Smith\n";
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, format!("whole\ntor\n{line}{line}"));
}

#[tokio::test]
async fn lines_reach_the_file_without_a_close() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hill.log");
    let (log, _writer) = WireLog::open(&path, clock(), None).unwrap();
    log.peer_connected("Smith", "-");
    let deadline = Instant::now() + PATIENCE;
    while std::fs::read(&path).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "nothing was written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_log_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
    let (log, writer) = WireLog::open(&path, clock(), None).unwrap();
    std::fs::rename(&path, &moved).unwrap();
    log.reopen();
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "it was not opened");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    log.peer_connected("Smith", "-");
    writer.close(PATIENCE).await.unwrap();
    assert_eq!(std::fs::read(&moved).unwrap(), b"");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.ends_with(" - connect Smith\n"), "{text}");
}

#[tokio::test]
async fn a_log_that_was_renamed_is_noticed_with_the_next_line() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("log"), folder.path().join("log.old"));
    let (log, writer) = WireLog::open(&path, clock(), None).unwrap();
    std::fs::rename(&path, &moved).unwrap();
    log.peer_connected("Smith", "-");
    writer.close(PATIENCE).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.ends_with(" - connect Smith\n"), "{text}");
    assert_eq!(std::fs::read(&moved).unwrap(), b"");
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("log"), folder.path().join("other"));
    std::fs::write(&other, "precious\n").unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    let Err(error) = WireLog::open(&path, clock(), None) else {
        panic!("opened");
    };
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert_eq!(std::fs::read(&other).unwrap(), b"precious\n");
}

#[tokio::test]
async fn a_pipe_that_dev_links_to_is_written_to() {
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;

    let (mut reader, other) = io::pipe().unwrap();
    let path = format!("/dev/fd/{}", other.as_raw_fd());
    let (log, writer) = WireLog::open(Path::new(&path), clock(), None).unwrap();
    drop(other);
    log.peer_connected("Smith", "-");
    writer.close(PATIENCE).await.unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.ends_with(" - connect Smith\n"), "{text}");
}

#[tokio::test]
async fn lines_after_the_close_are_counted_as_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (log, writer) = WireLog::open(&folder.path().join("log"), clock(), None).unwrap();
    writer.close(PATIENCE).await.unwrap();
    log.peer_connected("Smith", "-");
    assert_eq!(log.statistics().lines_dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_path_that_cannot_be_opened_is_named() {
    let Err(error) = WireLog::open(Path::new("/nonexistent/hill.log"), clock(), None) else {
        panic!("opened");
    };
    assert!(error.to_string().contains("/nonexistent/hill.log"));
}

/// A disk that takes `room` bytes and is full then.
struct SmallDisk {
    taken: Vec<u8>,
    room: usize,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.room);
        if len == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= len;
        self.taken.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_lost_to_a_full_disk_are_counted_and_reported() {
    let shared = Arc::new(Shared {
        queue: Queue::new(BOUNDS),
        clock: clock(),
        statistics: WireLogStatistics::default(),
        reopen: AtomicBool::new(false),
    });
    let mut sink = Sink {
        shared: Arc::clone(&shared),
        path: PathBuf::from("log"),
        out: LineWriter::new(
            SmallDisk {
                taken: Vec::new(),
                room: 9,
            },
            false,
        ),
    };
    let chunk = |lost_before, bytes: &[u8]| Chunk {
        lost_before,
        bytes: bytes.to_vec(),
    };
    assert_eq!(sink.write_chunk(&chunk(0, b"first\nsecond\nthird\n")), 2);
    assert_eq!(sink.write_chunk(&chunk(2, b"fourth\n")), 3);
    sink.out.out.room = 1_000;
    assert_eq!(sink.write_chunk(&chunk(3, b"fifth\n")), 0);
    let text = String::from_utf8(sink.out.out.taken).unwrap();
    let notice = "2018-03-02T20:52:14.918963Z - dropped 3 lines";
    assert_eq!(text, format!("first\nsec\n{notice}\nfifth\n"));
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(count(&shared.statistics.lines_dropped), 3);
    assert_eq!(count(&shared.statistics.write_errors), 2);
    assert_eq!(
        count(&shared.statistics.bytes_written),
        text.len() as u64 - 1
    );
}
