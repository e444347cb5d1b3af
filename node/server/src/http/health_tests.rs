use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::to_bytes;
use axum::extract::State;
use axum::response::IntoResponse;

use super::super::routes;
use super::*;
use herd_replica::readiness::CatchUp;
use herd_telemetry::watchdog::STALLED_AFTER;

async fn answer(response: impl IntoResponse) -> (u16, String) {
    let response = response.into_response();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_hangs_is_named() {
    let (one, other) = (Watchdog::new("one"), Watchdog::new("other"));
    let health = Health::new(vec![one.clone(), other.clone()], Box::new(Facts::default));
    let healthz = async || answer(routes::healthz(State(health.clone())).await).await;
    let watched = (one.begin(), other.begin());
    assert_eq!(healthz().await, (200, "ok\n".to_owned()));
    tokio::time::advance(STALLED_AFTER).await;
    watched.0.heartbeat();
    assert_eq!(healthz().await, (503, "hangs: other\n".to_owned()));
    watched.1.heartbeat();
    assert_eq!(healthz().await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn readiness_comes_with_its_reason() {
    let waits = Arc::new(AtomicBool::new(true));
    let facts = {
        let waits = waits.clone();
        move || {
            let absent = waits.load(Ordering::Relaxed).then(|| "Hill".to_owned());
            Facts {
                catch_up: CatchUp {
                    absent: absent.into_iter().collect(),
                    ..CatchUp::default()
                },
                ..Facts::default()
            }
        }
    };
    let health = Health::new(Vec::new(), Box::new(facts));
    let readyz = async || answer(routes::readyz(State(health.clone())).await).await;
    assert_eq!(
        readyz().await,
        (503, "not ready: waiting for Hill\n".to_owned())
    );
    waits.store(false, Ordering::Relaxed);
    assert_eq!(readyz().await, (200, "ready\n".to_owned()));
    waits.store(true, Ordering::Relaxed);
    assert_eq!(
        readyz().await,
        (200, "ready\n".to_owned()),
        "once is enough"
    );
}
