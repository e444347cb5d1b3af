//! The clients themselves: the crate `redis`, redis-py, redis-cli and redis-benchmark.

use std::net::SocketAddr;
use std::path::Path;

use herd_integration_tests::redis::{python, skipped};
use herd_integration_tests::{Client, within};
use redis::geo::{Coord, Unit};
use redis::{Commands as _, Connection, RedisResult};
use tokio::process::Command;

use crate::Both;

/// What a program prints.
async fn said(program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    let name = program.display().to_string();
    let output = within(&name, command.output()).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn host_and_port(address: SocketAddr) -> [String; 2] {
    [address.ip().to_string(), address.port().to_string()]
}

/// What the crate gets; decimals are rounded, in which a geohash and another radius of the earth differ.
fn by_the_crate(address: SocketAddr, protocol: &str) -> Vec<String> {
    let client = redis::Client::open(format!("redis://{address}/?protocol={protocol}")).unwrap();
    let mut to = client.get_connection().unwrap();
    let added: i64 = to
        .geo_add(
            "rs",
            &[
                (Coord::lon_lat(13.361_389, 38.115_556), "Palermo"),
                (Coord::lon_lat(15.087_269, 37.502_669), "Catania"),
            ],
        )
        .unwrap();
    let positions: Vec<Option<Coord<f64>>> = to.geo_pos("rs", &["Palermo", "nobody"]).unwrap();
    let positions = positions
        .into_iter()
        .map(|at| at.map(|at| (at.longitude.round(), at.latitude.round())));
    let distance: Option<f64> = to
        .geo_dist("rs", "Palermo", "Catania", Unit::Kilometers)
        .unwrap();
    let pipelined: Vec<i64> = pipelined(&mut to).unwrap();
    let removed: i64 = to.zrem("rs", &["Palermo", "nobody"]).unwrap();
    let wrong: RedisResult<i64> = to.geo_add("rs", (Coord::lon_lat(200.0, 1.0), "x"));
    let left: i64 = to.zcard("rs").unwrap();
    vec![
        format!("{added} {removed} {left}"),
        format!("{:?}", positions.collect::<Vec<_>>()),
        format!("{:?}", distance.map(f64::round)),
        format!("{}", pipelined.iter().sum::<i64>()),
        format!("{:?}", wrong.unwrap_err().kind()),
    ]
}

/// A thousand reports in one write.
fn pipelined(to: &mut Connection) -> RedisResult<Vec<i64>> {
    let mut pipe = redis::pipe();
    for number in 0..1_000 {
        pipe.cmd("GEOADD")
            .arg("pipe")
            .arg(f64::from(number) / 10.0)
            .arg(1)
            .arg(format!("van{number}"));
    }
    pipe.query(to)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crate_redis_gets_the_same_from_both() {
    if skipped() {
        return;
    }
    let both = Both::start().await;
    let [herd, redis] = both.addresses();
    for protocol in ["resp2", "resp3"] {
        let told = by_the_crate(herd, protocol);
        assert_eq!(
            told[0],
            if protocol == "resp2" {
                "2 1 1"
            } else {
                "1 1 1"
            }
        );
        assert_eq!(told, by_the_crate(redis, protocol), "{protocol}");
    }
    // What one server heard over RESP the other answers as a line, with its texts.
    let line = both
        .herd
        .client("Hill")
        .await
        .find("rs/Catania")
        .await
        .unwrap();
    assert!(line.contains(" rs/Catania +37.502669+15.087269 "), "{line}");
    both.herd.knows("Jaquez", "rs/Catania", &line).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_by_a_line_is_found_over_resp() {
    let herd = crate::herd().await;
    let mut lines = Client::connect(herd.server("Hill").client_address()).await;
    lines
        .report(
            "fleet/van7",
            "+34.068930-118.445127",
            "1520023934.918963997",
        )
        .await;
    let mut resp = crate::speaking::Speaking::connect(crate::hill(&herd));
    let told = format!("{:?}", resp.ask("GEOPOS fleet van7"));
    assert_eq!(told, "*[*[$-118.445127, $34.068930]]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_py_gets_the_same_from_both() {
    let Some(python) = (!skipped()).then(python).flatten() else {
        return;
    };
    let both = Both::start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redis/redis_py.py");
    let script = script.to_str().unwrap();
    for protocol in ["2", "3"] {
        let mut told = Vec::new();
        for address in both.addresses() {
            let [host, port] = host_and_port(address);
            told.push(said(&python, &[script, &host, &port, protocol]).await);
        }
        let [herd, redis] = &told[..] else {
            unreachable!("there are two");
        };
        assert!(
            herd.contains("ping True\n") && herd.contains("\nloading 0\n"),
            "{herd}"
        );
        assert_eq!(herd, redis, "protocol {protocol}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_gets_the_same_from_both() {
    if skipped() {
        return;
    }
    let both = Both::start().await;
    for arguments in [
        &["GEOADD", "cli", "13.361389", "38.115556", "Palermo"][..],
        &["GEOADD", "cli", "15.087269", "37.502669", "Catania"],
        &[
            "GEOSEARCH",
            "cli",
            "FROMLONLAT",
            "15",
            "37",
            "BYRADIUS",
            "200",
            "km",
            "ASC",
        ],
        &["-3", "ZCARD", "cli"],
        &["ZREM", "cli", "Palermo"],
        &["-2", "GEOPOS", "cli", "Palermo"],
        &["GEOADD", "cli", "200", "1", "x"],
    ] {
        let mut told = Vec::new();
        for address in both.addresses() {
            let [host, port] = host_and_port(address);
            let all = [&["-h", &host, "-p", &port], arguments].concat();
            told.push(said(Path::new("redis-cli"), &all).await);
        }
        assert_eq!(told[0], told[1], "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_benchmark_runs_unchanged() {
    if skipped() {
        return;
    }
    let herd = crate::herd().await;
    let [host, port] = host_and_port(crate::hill(&herd));
    for depth in ["1", "16", "128"] {
        let load = ["-n", "4000", "-r", "1000", "-c", "20", "-P", depth, "--csv"];
        let report = [
            "GEOADD",
            "bench",
            "2.__rand_int__",
            "48.5",
            "van__rand_int__",
        ];
        let all = [&["-h", &host, "-p", &port][..], &load, &report].concat();
        let told = said(Path::new("redis-benchmark"), &all).await;
        assert!(told.contains("GEOADD"), "{told}");
    }
    let mut resp = crate::speaking::Speaking::connect(crate::hill(&herd));
    let told = format!("{:?}", resp.ask("ZCARD bench"));
    let members: u32 = told.trim_start_matches(':').parse().unwrap();
    // All of a thousand, or nearly.
    assert!((900..=1_000).contains(&members), "{told}");
}
