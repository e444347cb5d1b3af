use super::super::DOTS_MAX;
use super::*;
use herd_topology::{PortBases, builtin};

fn surveyor() -> Surveyor {
    let topology = Arc::new(builtin(PortBases::default()));
    Surveyor::new(Arc::default(), topology)
}

fn report(surveyor: &Surveyor, client: &str, location: &str, time: u64) {
    let (client, time) = (client.as_bytes(), time.to_string());
    let record = Record::new(
        client,
        location.as_bytes(),
        time.as_bytes(),
        "Smith".into(),
        0,
    );
    surveyor.locations.report(record.unwrap());
}

async fn scene(surveyor: &Surveyor, view: &str, zoom: &str) -> Scene {
    let viewport = PageViewport::parse(view).unwrap().at_zoom(zoom).unwrap();
    surveyor.scene(viewport, |_, _| {}).await
}

#[tokio::test]
async fn few_clients_are_a_dot_each() {
    let surveyor = surveyor();
    for (client, location) in [("kiwi", "+5+5"), ("emu", "+5+5"), ("rhea", "-5+5")] {
        report(&surveyor, client, location, 7);
    }
    let scene = scene(&surveyor, "0,0,10,10", "4").await;
    assert_eq!((scene.clients, scene.counted), (3, false));
    let labels: Vec<&str> = scene.dots.values().map(|dot| &*dot.label).collect();
    assert!(labels.len() == 2 && labels.contains(&"kiwi") && labels.contains(&"emu"));
    let dots = scene.dots.values();
    assert!(
        dots.into_iter()
            .all(|dot| (dot.count, dot.server, dot.time_s) == (1, Some(2), Some(7)))
    );
}

#[tokio::test]
async fn a_crowd_is_circles_with_numbers_that_open_on_zoom() {
    let surveyor = surveyor();
    for number in 0..3_000_u64 {
        let location = format!(
            "+60.{:03}+24.{:03}",
            100 + number % 50 * 2,
            900 + number / 50
        );
        report(&surveyor, &format!("van{number}"), &location, 100 + number);
    }
    let sum = |scene: &Scene| -> usize { scene.dots.values().map(|dot| dot.count).sum() };
    let world = scene(&surveyor, "-85,-180,85,180", "2").await;
    assert!(world.counted);
    assert_eq!((world.dots.len(), sum(&world)), (1, 3_000));
    let city = scene(&surveyor, "59.9,24.5,60.5,25.5", "11").await;
    assert_eq!(sum(&city), 3_000);
    assert!(
        (4..100).contains(&city.dots.len()),
        "{} dots",
        city.dots.len()
    );
    // Some 15 by 15 of them.
    let street = scene(&surveyor, "60.1,24.9,60.13,24.915", "15").await;
    assert!(!street.counted);
    assert!(street.dots.values().all(|dot| dot.count == 1));
    assert_eq!(street.clients, 3_000);
}

#[tokio::test]
async fn no_more_dots_are_sent_than_may_be() {
    let surveyor = surveyor();
    let golden = 0.618_033_988_749_895_f64;
    for number in 0..20_000_u32 {
        let latitude = f64::from(number) / 20_000.0 * 170.0 - 85.0;
        let longitude = (f64::from(number) * golden).fract() * 360.0 - 180.0;
        report(
            &surveyor,
            &format!("c{number}"),
            &format!("{latitude:+.4}{longitude:+.4}"),
            1,
        );
    }
    for zoom in ["1", "3", "9"] {
        let scene = scene(&surveyor, "-85,-180,85,180", zoom).await;
        let sum: usize = scene.dots.values().map(|dot| dot.count).sum();
        assert_eq!(sum, 20_000);
        assert!(
            scene.dots.len() <= DOTS_MAX,
            "{} at {zoom}",
            scene.dots.len()
        );
    }
}

#[tokio::test]
async fn circles_stay_where_they_are_while_one_client_moves_a_little() {
    let surveyor = surveyor();
    for number in 0..600_u64 {
        report(&surveyor, &format!("van{number}"), "+60.17+24.94", 50);
    }
    let before = scene(&surveyor, "-85,-180,85,180", "3").await;
    report(&surveyor, "van7", "+60.18+24.95", 52);
    let after = scene(&surveyor, "-85,-180,85,180", "3").await;
    assert_eq!(before, after);
    let dot = before.dots.values().next().unwrap();
    assert_eq!((dot.count, dot.time_s, &*dot.label), (600, Some(50), ""));
}
