use std::sync::atomic::AtomicI64;

use super::*;
use herd_clock::clock::WallClock;

/// A text that is fine unless it says `bad`, for as many seconds as it says.
struct Note(Mutex<String>);

struct Fixed(AtomicI64);

impl WallClock for Fixed {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst) * 1_000_000_000
    }
}

impl Material for Note {
    type Texts = String;
    type Ready = i64;

    const FOR: &'static str = "a test";
    const OUT_OF_TIME: &'static str = "nothing";

    fn read(&self) -> Result<String, Vec<TlsError>> {
        Ok(self.0.lock().clone())
    }

    fn prepare(&self, texts: &String, _clock: &SharedClock) -> Result<i64, Vec<TlsError>> {
        texts
            .parse()
            .map_err(|_| vec![TlsError::NoKey(texts.clone())])
    }

    fn out_of_time(ready: &i64) -> Option<&str> {
        (*ready == 0).then_some("it is over")
    }

    fn validity_s(ready: &i64) -> (i64, i64) {
        (0, *ready)
    }

    fn stale_s(ready: &i64) -> i64 {
        *ready
    }
}

fn live(text: &str) -> (Arc<Live<Note>>, Arc<Fixed>) {
    let clock = Arc::new(Fixed(AtomicI64::new(0)));
    let note = Note(Mutex::new(text.to_owned()));
    (Live::load(note, clock.clone()).unwrap(), clock)
}

#[test]
fn a_change_is_taken_when_it_has_stayed_for_two_looks() {
    let (live, _) = live("10");
    let mut look = FileLook::default();
    assert!(!live.look(&mut look));
    "20".clone_into(&mut live.material.0.lock());
    assert!(!live.look(&mut look));
    // Not the same for two looks.
    "30".clone_into(&mut live.material.0.lock());
    assert!(!live.look(&mut look));
    assert_eq!(*live.current(), 10);
    assert!(live.look(&mut look));
    assert_eq!(
        (*live.current(), live.reloads(), live.failures()),
        (30, 1, 0)
    );
    assert!(!live.look(&mut look));
}

#[test]
fn unusable_files_leave_the_old_ones_in_use_and_are_told_once() {
    let (live, _) = live("10");
    let mut look = FileLook::default();
    "bad".clone_into(&mut live.material.0.lock());
    for _ in 0..10 {
        assert!(!live.look(&mut look));
    }
    assert_eq!((*live.current(), live.failures()), (10, 1));
    // Back again: nothing has changed. Bad again: told again.
    "10".clone_into(&mut live.material.0.lock());
    assert!(!live.look(&mut look));
    "bad".clone_into(&mut live.material.0.lock());
    for _ in 0..10 {
        live.look(&mut look);
    }
    assert_eq!((live.reloads(), live.failures()), (0, 2));
    "20".clone_into(&mut live.material.0.lock());
    assert!(!live.look(&mut look) && live.look(&mut look));
    assert_eq!(*live.current(), 20);
}

#[test]
fn stale_material_is_made_anew_without_a_change() {
    let (live, clock) = live("10");
    let mut look = FileLook::default();
    clock.0.store(11, Ordering::SeqCst);
    assert!(!live.look(&mut look) && live.look(&mut look));
    assert_eq!(live.reloads(), 1);
}

#[test]
fn the_end_is_warned_of_thirty_days_ahead_or_sooner_if_all_is_short() {
    let month_s = i64::try_from(EXPIRY_WARNING.as_secs()).unwrap();
    let year_s = 12 * month_s;
    for (end_s, now_s, warned) in [
        (year_s, 0, false),
        (year_s, year_s - month_s, false),
        (year_s, year_s - month_s + 1, true),
        (year_s, 2 * year_s, true),
        (300, 200, false),
        (300, 201, true),
    ] {
        let (live, clock) = live(&end_s.to_string());
        clock.0.store(now_s, Ordering::SeqCst);
        assert_eq!(live.warn_of_expiry(), warned, "{now_s} of {end_s}");
    }
}

#[tokio::test(start_paused = true)]
async fn watching_takes_changes_and_ends_when_told() {
    let (live, _) = live("10");
    let stop = CancellationToken::new();
    let watching = tokio::spawn(live.clone().watch(stop.clone()));
    let mut changes = live.subscribe();
    "20".clone_into(&mut live.material.0.lock());
    changes.changed().await.unwrap();
    assert_eq!(**changes.borrow(), 20);
    stop.cancel();
    watching.await.unwrap();
}

#[test]
fn expired_certificates_are_used_at_the_start_only() {
    let (live, _) = live("0");
    assert_eq!(live.out_of_time().as_deref(), Some("it is over"));
    assert!(live.warn_of_expiry());
    let mut look = FileLook::default();
    "20".clone_into(&mut live.material.0.lock());
    assert!(!live.look(&mut look));
    assert!(live.look(&mut look));
    assert_eq!(live.out_of_time(), None);
    "0".clone_into(&mut live.material.0.lock());
    for _ in 0..4 {
        assert!(!live.look(&mut look));
    }
    assert_eq!((*live.current(), live.failures()), (20, 1));
}
