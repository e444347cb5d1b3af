//! Lines of a client that reports and searches: every answer is that of a look at all records, and index and map agree.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_crdt::Record;
use herd_grid::{Area, Circle, Rectangle};
use herd_locations::{Found, Locations, Walk};
use herd_places::{NearbyQuery, Places};
use herd_protocol::{Center, Command, Nearby, Within};
use herd_server::access::Principal;
use herd_server::location_service::{LocationService, ServiceSettings};
use herd_server::settings::Values;

/// Lines beyond these are left out.
const LINES_MAX: usize = 64;

/// Nobody asks for places here.
pub(super) struct NoPlaces;

#[async_trait::async_trait]
impl Places for NoPlaces {
    fn nearby_at_once(&self, _query: &NearbyQuery) -> Option<Bytes> {
        None
    }

    async fn nearby(&self, _query: NearbyQuery) -> Bytes {
        Bytes::new()
    }
}

thread_local! {
    /// One for all inputs of a thread: starting one takes longer than an input does.
    static RUNTIME: RefCell<Option<tokio::runtime::Runtime>> = const { RefCell::new(None) };
}

pub(super) fn run(bytes: &[u8]) {
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime.get_or_insert_with(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap_or_else(|error| panic!("no runtime: {error}"))
        });
        runtime.block_on(talk(bytes));
    });
}

async fn talk(bytes: &[u8]) {
    let locations = Arc::new(Locations::default());
    let acknowledgements = Acknowledgements::new(AckLevel::Memory, Duration::from_secs(1));
    let service = LocationService::new(
        ServiceSettings::new("Hill".into(), &Values::default()),
        Arc::clone(&locations),
        Arc::new(acknowledgements),
        Arc::new(NoPlaces),
    );
    let anyone = Principal::Anyone;
    for line in bytes.split(|&byte| byte == b'\n').take(LINES_MAX) {
        match Command::parse(line) {
            Ok(Some(Command::Iamat(iamat))) => {
                let mut batch = service.begin_batch(0);
                let _ = batch.report(&anyone, &iamat.operands);
                let _ = batch.finish();
            }
            Ok(Some(Command::Nearby(nearby))) => {
                let found = service.nearby(&anyone, &nearby).answer().await.ok();
                let found = found.map(|answer| answer.found);
                compare(found, around(&locations, &nearby));
            }
            Ok(Some(Command::Within(within))) => {
                let found = service.within(&anyone, &within).answer().await.ok();
                let found = found.map(|answer| answer.found);
                compare(found, between(&locations, &within));
            }
            _ => {}
        }
    }
    assert_eq!(locations.index_fault(), None);
}

/// Distances and ids in the order of the answer, and whether there are more.
type Expected = (Vec<(f64, Vec<u8>)>, bool);

fn compare(found: Option<Found>, expected: Option<Expected>) {
    let found = found.map(|found| {
        let hits = found.hits.iter();
        let hits = hits.map(|hit| (hit.distance_m, hit.record.client().to_vec()));
        (hits.collect(), found.more)
    });
    assert_eq!(found, expected);
}

fn around(locations: &Locations, nearby: &Nearby<'_>) -> Option<Expected> {
    let radius_m = nearby.radius.map(|radius| radius.metres());
    let (center, except) = match nearby.center {
        Center::Point(point) => (point.coordinates(), None),
        Center::Client(client) => {
            let record = locations.find(client)?;
            (record.location()?.coordinates(), Some(client))
        }
    };
    let area = Area::Circle(Circle::new(center, radius_m));
    Some(by_looking_at_all(locations, &area, nearby.limit, except))
}

fn between(locations: &Locations, within: &Within<'_>) -> Option<Expected> {
    let Ok(rectangle) = Rectangle::new(within.southwest, within.northeast) else {
        panic!("a box that is none");
    };
    let area = Area::Rectangle(rectangle);
    Some(by_looking_at_all(locations, &area, within.limit, None))
}

fn by_looking_at_all(
    locations: &Locations,
    area: &Area,
    limit: usize,
    except: Option<&[u8]>,
) -> Expected {
    let mut walk = Walk::default();
    let mut hits = Vec::new();
    while let Some(piece) = walk.next_piece(locations) {
        let hit = |record: &Record| {
            let (distance_m, _) = area.distance(&record.location()?)?;
            Some((distance_m, record.client().to_vec()))
        };
        hits.extend(piece.iter().filter_map(hit));
    }
    hits.retain(|(_, client)| except != Some(client));
    hits.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let more = hits.len() > limit;
    hits.truncate(limit);
    (hits, more)
}
