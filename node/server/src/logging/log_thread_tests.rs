use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::*;
use crate::line_queue::LOSSES_WAIT;
use crate::logging::LogFormat;

fn shape() -> LineShape {
    LineShape {
        format: LogFormat::Text,
        ansi: false,
        server: "Hill".to_owned(),
    }
}

#[derive(Clone, Default)]
struct WrittenBytes(Arc<Mutex<Vec<u8>>>);

impl WrittenBytes {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

/// Says that it was asked, and takes nothing before it is told to.
struct Slow {
    written: WrittenBytes,
    asked: SyncSender<()>,
    go_on: Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.asked.try_send(());
        // Everything passes once the test has dropped its end.
        let _ = self.go_on.recv();
        self.written.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_hanging_sink_costs_lines_and_delays_nothing() {
    let written = WrittenBytes::default();
    let (asked, is_asked) = sync_channel(1);
    let (go_on, waits) = sync_channel(0);
    let slow = Slow {
        written: written.clone(),
        asked,
        go_on: waits,
    };
    let (thread, lines) = LogThread::start(slow, shape()).unwrap();
    lines.push(b"first\n");
    is_asked.recv().unwrap();
    let line = [vec![b'x'; 1_023], vec![b'\n']].concat();
    let dropped = || statistics().no_room.load(Ordering::Relaxed);
    let before = dropped();
    let sent = 2 * LOG_QUEUE_BYTES_MAX / line.len();
    for _ in 0..sent {
        lines.push(&line);
    }
    let lost = dropped() - before;
    let held = LOG_QUEUE_BYTES_MAX / line.len();
    assert!(lost >= (sent - held) as u64, "{lost} of {sent}");
    drop(go_on);
    lines.push(b"last\n");
    thread.close();
    let text = written.text();
    assert!(text.starts_with("first\n"), "{text}");
    let notice = format!(" {lost} log lines are missing here");
    let taken = text.lines().filter(|line| line.starts_with('x')).count() as u64;
    assert_eq!(taken + lost, sent as u64);
    // The last line may have found no room either.
    assert!(
        text.contains(&notice) || text.contains("log lines are missing"),
        "{text}"
    );
}

/// Fails until it is mended.
#[derive(Clone)]
struct Failing {
    written: WrittenBytes,
    is_mended: Arc<Mutex<bool>>,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !*self.is_mended.lock() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.written.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_lost_to_a_full_disk_are_reported_later() {
    let queue = Arc::new(Queue::new(BOUNDS));
    let lines = LogLines {
        queue,
        shape: Arc::new(shape()),
    };
    let disk = Failing {
        written: WrittenBytes::default(),
        is_mended: Arc::default(),
    };
    let mut out = LineWriter::new(disk.clone(), false);
    let chunk = |lost_before, bytes: &[u8]| Chunk {
        lost_before,
        bytes: bytes.to_vec(),
    };
    assert_eq!(lines.write_chunk(&mut out, &chunk(0, b"one\ntwo\n")), 2);
    assert_eq!(lines.write_chunk(&mut out, &chunk(2, b"three\n")), 3);
    *disk.is_mended.lock() = true;
    assert_eq!(lines.write_chunk(&mut out, &chunk(3, b"four\n")), 0);
    let text = disk.written.text();
    assert!(
        text.contains("WARN herd_server::logging: 3 log lines are missing here"),
        "{text}"
    );
    assert!(text.ends_with("\nfour\n"), "{text}");
}

/// A full disk, which fails at once.
#[derive(Clone, Default)]
struct FullSink(Arc<AtomicU64>);

impl Write for FullSink {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_is_not_asked_again_and_again() {
    let full = FullSink::default();
    let (thread, lines) = LogThread::start(full.clone(), shape()).unwrap();
    let begun = Instant::now();
    lines.push(b"lost\n");
    let asked = || full.0.load(Ordering::Relaxed);
    while asked() < 3 {
        assert!(begun.elapsed() < 20 * LOG_PATIENCE, "asked {}", asked());
        thread::sleep(Duration::from_millis(5));
    }
    // The first time at once.
    let pauses = u32::try_from(asked()).unwrap() - 1;
    assert!(begun.elapsed() >= pauses * LOSSES_WAIT, "{pauses}");
    thread.close();
}
