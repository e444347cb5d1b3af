//! The operations without any interface.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::FutureExt as _;
use herd_crdt::{Location, Operands};

use super::*;
use crate::access::{Access, Grant, Principal, Token, Tokens, grant_line};
use crate::settings::Values;
use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_locations::{ListQuery, Locations};
use herd_places::{NearbyQuery, Places};
use herd_protocol::{Center, Command, Nearby, Whatsat};
use std::sync::Arc;
use std::time::Duration;

/// A provider that never answers.
struct Silent;

#[async_trait::async_trait]
impl Places for Silent {
    fn nearby_at_once(&self, _query: &NearbyQuery) -> Option<Bytes> {
        None
    }

    async fn nearby(&self, _query: NearbyQuery) -> Bytes {
        std::future::pending().await
    }
}

fn service(set: impl FnOnce(&mut ServiceSettings)) -> LocationService {
    let mut settings = ServiceSettings::new("Hill".into(), &Values::default());
    set(&mut settings);
    let acknowledgements = Acknowledgements::new(AckLevel::Memory, Duration::from_secs(1));
    LocationService::new(
        settings,
        Arc::new(Locations::default()),
        Arc::new(acknowledgements),
        Arc::new(Silent),
    )
}

fn report(service: &LocationService, client: &str, location: &str) {
    let operands = Operands::check(client.as_bytes(), location.as_bytes(), b"1").unwrap();
    let mut batch = service.begin_batch(0);
    batch.report(&Principal::Anyone, &operands).unwrap();
    let _ = batch.finish();
}

fn nearby(line: &str) -> Nearby<'_> {
    match Command::parse(line.as_bytes()) {
        Ok(Some(Command::Nearby(nearby))) => nearby,
        other => panic!("no NEARBY: {other:?}"),
    }
}

/// The clients that a search finds, and whether there are more.
async fn clients(
    service: &LocationService,
    principal: &Principal,
    line: &str,
) -> (Vec<String>, bool) {
    let searched = service.nearby(principal, &nearby(line)).answer().await;
    let found = searched.unwrap().found;
    let clients = found
        .hits
        .iter()
        .map(|hit| String::from_utf8(hit.record.client().to_vec()).unwrap());
    (clients.collect(), found.more)
}

/// May ask about `van-*`.
fn holder() -> Principal {
    let mut grant = Grant::new("vans").unwrap();
    grant.ask.add("van-*").unwrap();
    let text = grant_line(&grant, &Token::random().hash());
    let tokens = Tokens::parse(text.as_bytes()).unwrap();
    Principal::Holder {
        access: Access::new("tokens".into(), tokens),
        grant: Some(Arc::new(grant)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_costs_no_record() {
    let service = service(|_| {});
    report(&service, "kiwi", "+1+1");
    let Ok(Some(Command::Whatsat(whatsat))) = Command::parse(b"WHATSAT kiwi 1 1") else {
        panic!("no WHATSAT");
    };
    let Asked::Later(near) = service.places(&Principal::Anyone, &whatsat) else {
        panic!("not later");
    };
    let near = near.await.unwrap();
    assert_eq!(near.record.client(), b"kiwi");
    let json: serde_json::Value = serde_json::from_slice(&near.json).unwrap();
    assert_eq!(json["status"], "UNKNOWN_ERROR");
    assert_eq!(json["results"], serde_json::json!([]));
    assert_eq!(json["html_attributions"], serde_json::json!([]));
    assert_eq!(
        service.statistics().places_timeouts.load(Ordering::Relaxed),
        1
    );
    let unknown = Whatsat {
        client: b"emu",
        ..whatsat
    };
    assert!(
        service
            .places(&Principal::Anyone, &unknown)
            .answer()
            .await
            .is_none()
    );
}

#[tokio::test]
async fn nobody_sees_clients_beyond_a_token() {
    let service = service(|_| {});
    for client in ["van-1", "bus-1", "van-2", "bus-2"] {
        report(&service, client, "+1+1");
    }
    let (anyone, vans) = (Principal::Anyone, holder());
    let around = "NEARBY POINT +1+1 0 2";
    let of = |clients: [&str; 2]| clients.map(String::from).to_vec();
    assert_eq!(
        clients(&service, &anyone, around).await,
        (of(["bus-1", "bus-2"]), true)
    );
    assert_eq!(
        clients(&service, &vans, around).await,
        (of(["van-1", "van-2"]), false)
    );
    let asked = service.nearby(&vans, &nearby("NEARBY CLIENT bus-1 1 1"));
    assert!(matches!(
        asked,
        Asked::Now(Err(SearchRefusal::UnknownCenter))
    ));
    let one = clients(&service, &vans, "NEARBY CLIENT van-1 1 5").await;
    assert_eq!(one, (vec!["van-2".to_owned()], false));
}

#[tokio::test]
async fn searches_wait_for_the_store_like_questions_about_one_client() {
    let service = service(|_| {});
    let locations = service.locations();
    locations.loading().begin();
    let lines = ["NEARBY POINT +1+1 0 5", "NEARBY CLIENT kiwi 0 5"];
    for line in lines {
        let Asked::AfterLoading(mut searched) = service.nearby(&Principal::Anyone, &nearby(line))
        else {
            panic!("it does not wait");
        };
        assert!((&mut searched).now_or_never().is_none());
    }
    let Asked::AfterLoading(searched) = service.nearby(&Principal::Anyone, &nearby(lines[1]))
    else {
        panic!("it does not wait");
    };
    let Asked::AfterLoading(record) = service.locate(&Principal::Anyone, b"kiwi") else {
        panic!("it does not wait");
    };
    // The clients come from the store meanwhile.
    report(&service, "kiwi", "+1+1");
    report(&service, "emu", "+1+1");
    locations.loading().end();
    assert_eq!(
        searched.await.unwrap().found.hits[0].record.client(),
        b"emu"
    );
    assert_eq!(record.await.unwrap().client(), b"kiwi");
}

#[tokio::test]
async fn long_searches_are_few_and_give_way() {
    let service = service(|settings| settings.searches_in_flight_max = 1);
    // One place: all have to be compared by their ids.
    for number in 0..3_000 {
        report(&service, &format!("c{number:05}"), "+1+1");
    }
    // Else the first search makes it, and the others wait for it too.
    service.locations().make_index();
    let line = "NEARBY POINT +1+1 * 3";
    let Asked::Later(first) = service.nearby(&Principal::Anyone, &nearby(line)) else {
        panic!("not long");
    };
    assert_eq!(service.searches_in_flight(), 1);
    let second = service.nearby(&Principal::Anyone, &nearby(line));
    assert!(matches!(second, Asked::Now(Err(SearchRefusal::TooMany))));
    // A small one is answered all the same.
    let small = service.nearby(&Principal::Anyone, &nearby("NEARBY POINT +50+50 1 3"));
    assert!(matches!(small, Asked::Now(Ok(_))));
    let mut first = first;
    let mut polls = 0;
    let found = loop {
        polls += 1;
        match (&mut first).now_or_never() {
            Some(answer) => break answer.unwrap().found,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(polls > 5, "it gave way {polls} times");
    let ids: Vec<_> = found
        .hits
        .iter()
        .map(|hit| hit.record.client().to_vec())
        .collect();
    assert_eq!(ids, [b"c00000", b"c00001", b"c00002"]);
    assert!(found.more);
    assert_eq!(service.searches_in_flight(), 0);
    let searches = &service.statistics().searches;
    assert_eq!(searches.refused.load(Ordering::Relaxed), 1);
    assert_eq!(searches.long.load(Ordering::Relaxed), 1);
    assert_eq!(searches.hits.load(Ordering::Relaxed), 3);
    assert!(searches.candidates.load(Ordering::Relaxed) >= 3_000);
    assert_eq!(searches.durations.view().count, 2);
    // A dropped search gives its place back.
    drop(service.nearby(&Principal::Anyone, &nearby(line)));
    assert_eq!(service.searches_in_flight(), 0);
}

#[tokio::test]
async fn a_point_is_searched_around_as_text_says() {
    let service = service(|_| {});
    report(&service, "here", "+90+12");
    let point = Location::parse(b"+90.0-77").unwrap();
    let nearby = Nearby {
        center: Center::Point(point),
        radius: herd_protocol::Radius::parse(b"0"),
        limit: 0,
    };
    let searched = service.nearby(&Principal::Anyone, &nearby).answer().await;
    let found = searched.unwrap().found;
    assert!(found.hits.is_empty() && found.more);
}

#[tokio::test]
async fn large_answers_take_a_bounded_amount_of_memory() {
    let service = service(|_| {});
    // Each of a thousand takes 8 KiB.
    for number in 0..1_000 {
        report(&service, &format!("{number:08000}"), "+1+1");
    }
    let all = nearby("NEARBY POINT +1+1 0 1000");
    let mut kept = Vec::new();
    let refused = loop {
        match service.nearby(&Principal::Anyone, &all).answer().await {
            Ok(answer) => kept.push(answer),
            Err(refusal) => break refusal,
        }
        assert!(kept.len() < 10, "64 MiB are eight of them");
    };
    assert_eq!(refused, SearchRefusal::TooMany);
    assert!(kept.len() > 5);
    // Small questions are answered all the same, and large ones once some answers are told.
    let one = nearby("NEARBY POINT +1+1 0 1");
    assert!(
        service
            .nearby(&Principal::Anyone, &one)
            .answer()
            .await
            .is_ok()
    );
    kept.pop();
    assert!(
        service
            .nearby(&Principal::Anyone, &all)
            .answer()
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_not_read_in_time_refuses_to_forget() {
    let service = service(|_| {});
    let locations = service.locations();
    locations.loading().begin();
    let forget = || {
        let mut batch = service.begin_batch(7);
        let Ok(Forgetting::AfterLoading(gone)) = batch.forget(&Principal::Anyone, b"kiwi") else {
            panic!("it does not wait for the store");
        };
        let _ = batch.finish();
        gone
    };
    assert!(
        forget().await.is_none(),
        "the store may hold a later record"
    );
    assert!(
        locations
            .held(b"kiwi")
            .is_some_and(|held| held.is_tombstone())
    );
    // Repeated, and the store is read at last: it held a record from before, of a later time.
    let gone = forget();
    report(&service, "kiwi", "+1+1");
    locations.loading().end();
    assert_eq!(gone.await.unwrap().time.ns(), 1_000_000_001);
    assert!(locations.find(b"kiwi").is_none());
}

#[test]
fn of_two_reports_at_the_same_moment_both_are_taken_in() {
    let service = service(|_| {});
    let place = |batch: &mut Batch<'_>, client: &[u8], location: &[u8]| {
        batch.report_now(&Principal::Anyone, client, location, ReportIf::Always)
    };
    let mut first = service.begin_batch(7);
    assert_eq!(place(&mut first, b"emu", b"+1+1"), Ok(Placed::Added));
    let mut second = service.begin_batch(7);
    assert_eq!(place(&mut second, b"kiwi", b"+2+2"), Ok(Placed::Added));
    assert_eq!(place(&mut first, b"kiwi", b"+3+3"), Ok(Placed::Moved));
    let known = service.locations().find(b"kiwi").unwrap();
    assert_eq!(known.location_text(), b"+2+2", "its time was given later");
    // A time that this server has not given.
    let ahead = Operands::check(b"kiwi", b"+4+4", b"60").unwrap();
    second.report(&Principal::Anyone, &ahead).unwrap();
    let placed = place(&mut second, b"kiwi", b"+5+5");
    assert_eq!(placed, Ok(Placed::Superseded));
    let _ = (first.finish(), second.finish());
}

#[tokio::test]
async fn a_list_has_what_a_token_may_ask_about() {
    let service = service(|settings| settings.searches_in_flight_max = 1);
    for number in 0..2_000 {
        report(&service, &format!("van-{number:04}"), "+1+1");
        report(&service, &format!("bus-{number:04}"), "+1+1");
    }
    let query = ListQuery {
        prefix: Box::default(),
        after: Some((*b"van-1996").into()),
        limit: 2,
    };
    for principal in [Principal::Anyone, holder()] {
        let page = service.list(&principal, query.clone()).answer().await;
        let listed = page.unwrap().listed;
        let ids: Vec<&[u8]> = listed
            .records
            .iter()
            .map(|record| record.client())
            .collect();
        assert_eq!(ids, [&b"van-1997"[..], b"van-1998"]);
        assert_eq!(listed.next.as_deref(), Some(&b"van-1998"[..]));
    }
    let all = ListQuery {
        limit: 1,
        ..ListQuery::default()
    };
    let first = service.list(&holder(), all.clone()).answer().await.unwrap();
    assert_eq!(first.listed.records[0].client(), b"van-0000");
    // It counts as a long search.
    let held = service.list(&Principal::Anyone, all.clone());
    let refused = service.list(&Principal::Anyone, all).answer().await;
    assert_eq!(refused.err(), Some(SearchRefusal::TooMany));
    assert!(held.answer().await.is_ok());
}
