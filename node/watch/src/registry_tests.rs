//! Which watchers a change marks.

use std::task::Waker;

use herd_crdt::Location;
use herd_grid::{Circle, Rectangle};

use super::super::budget::Budget;
use super::*;

fn at(text: &str) -> Option<QuantizedLocation> {
    Some(Location::parse(text.as_bytes()).unwrap().quantized())
}

fn register(watchers: &Arc<Watchers>) -> Registration {
    watchers.register(1_000, Budget::new(1_000).share())
}

fn circle(center: &str, radius_m: f64) -> Area {
    let center = Location::parse(center.as_bytes()).unwrap();
    Area::Circle(Circle::new(center.coordinates(), Some(radius_m)))
}

fn is_marked(registration: &Registration) -> bool {
    !registration.take_marks().is_empty()
}

fn change(watchers: &Watchers, client: &str, from: Option<&str>, to: Option<&str>) {
    let change = Change {
        client: client.as_bytes(),
        from: from.and_then(at),
        to: to.and_then(at),
    };
    watchers.changed(&change).wake();
}

#[test]
fn each_interest_is_found_and_forgotten() {
    let watchers = Arc::<Watchers>::default();
    assert!(watchers.is_empty());
    let [mut client, mut prefix, mut all, mut area] = [0; 4].map(|_| register(&watchers));
    client.watch_client(&b"kiwi"[..].into());
    prefix.watch_prefix(&b"ki"[..].into());
    all.watch_all();
    area.watch_area(Some(&circle("+34.07-118.44", 1_000.0)));
    assert_eq!(watchers.len(), 4);
    let marked = || [&client, &prefix, &all, &area].map(is_marked);
    change(&watchers, "kiwi", None, Some("+34.07-118.44"));
    assert_eq!(marked(), [true; 4]);
    assert_eq!(marked(), [false; 4]);
    change(&watchers, "kite", None, Some("+1+1"));
    assert_eq!(marked(), [false, true, true, false]);
    change(&watchers, "emu", Some("+34.075-118.44"), Some("+1+1"));
    assert_eq!(marked(), [false, false, true, true]);
    change(&watchers, "emu", Some("+34.075-118.44"), None);
    assert_eq!(marked(), [false, false, true, true]);
    change(
        &watchers,
        "emu",
        Some("+34.09-118.44"),
        Some("+34.0801-118.44"),
    );
    assert_eq!(marked(), [false, false, true, false]);
    change(&watchers, "kiwi", None, None);
    assert_eq!(marked(), [false; 4], "it was nowhere, and is");
    drop((client, prefix, all, area));
    assert!(watchers.is_empty());
    let index = watchers.index.read();
    assert!(index.by_client.is_empty() && index.of_all.is_empty());
    assert_eq!(
        format!("{:?}", index.areas),
        format!("{:?}", Areas::default())
    );
}

#[test]
fn an_area_that_moves_is_found_where_it_is() {
    let watchers = Arc::<Watchers>::default();
    let mut moving = register(&watchers);
    moving.watch_area(Some(&circle("+10+10", 5_000.0)));
    moving.watch_area(Some(&circle("-10+179.99", 5_000.0)));
    change(&watchers, "emu", None, Some("+10+10"));
    assert!(!is_marked(&moving));
    // Across 180 degrees.
    change(&watchers, "emu", None, Some("-10-179.99"));
    assert!(is_marked(&moving));
    moving.watch_area(None);
    change(&watchers, "emu", None, Some("-10-179.99"));
    assert!(!is_marked(&moving));
}

#[test]
fn a_box_is_found_by_its_squares() {
    let watchers = Arc::<Watchers>::default();
    let mut boxed = register(&watchers);
    let rectangle = Rectangle::new(b"+80+170", b"+90-170").unwrap();
    boxed.watch_area(Some(&Area::Rectangle(rectangle)));
    for (inside, place) in [(true, "+85+180"), (true, "+90+17"), (false, "+85+160")] {
        change(&watchers, "emu", None, Some(place));
        assert_eq!(is_marked(&boxed), inside, "{place}");
    }
}

#[test]
fn one_that_waits_is_woken_once() {
    struct Count(AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let context = Context::from_waker(&waker);
    let watchers = Arc::<Watchers>::default();
    let mut one = register(&watchers);
    one.watch_client(&b"kiwi"[..].into());
    assert_eq!(one.poll_marked(&context), Poll::Pending);
    for _ in 0..3 {
        change(&watchers, "kiwi", None, Some("+1+1"));
    }
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(one.poll_marked(&context), Poll::Ready(()));
    assert_eq!(one.take_marks().len(), 1);
    assert_eq!(one.poll_marked(&context), Poll::Pending);
}

/// Those of a crowd in one place go in any order, and the others stay.
#[test]
fn a_crowd_in_one_place_goes_one_by_one() {
    let watchers = Arc::<Watchers>::default();
    let mut crowd: Vec<Registration> = (0..200).map(|_| register(&watchers)).collect();
    for (number, one) in crowd.iter_mut().enumerate() {
        // Of some sizes, so that they share some of their squares.
        let radius_m = 1_000.0 * (1 + number % 5) as f64;
        one.watch_area(Some(&circle("+34.07-118.44", radius_m)));
    }
    while let Some(left) = crowd.len().checked_sub(1) {
        change(&watchers, "kiwi", None, Some("+34.07-118.44"));
        assert_eq!(
            crowd.iter().filter(|one| is_marked(one)).count(),
            crowd.len()
        );
        // One moves away, and another one ends.
        crowd[left / 3].watch_area(Some(&circle("-10+10", 1_000.0)));
        change(&watchers, "kiwi", None, Some("+34.07-118.44"));
        let marked: Vec<bool> = crowd.iter().map(is_marked).collect();
        let others = (0..crowd.len()).filter(|&place| place != left / 3);
        assert!(!marked[left / 3] && others.into_iter().all(|place| marked[place]));
        crowd.swap_remove(left / 3);
        if !crowd.is_empty() {
            crowd.swap_remove(left * 7 % crowd.len());
        }
    }
    assert!(watchers.is_empty());
}
