use super::super::document::{
    CertificateStatus, ClientStatus, LinkStatus, MapStatus, OtherServer, PlacesStatus,
    ProcessStatus, STATUS_VERSION, SearchStatus, StorageStatus, TopologyStatus, WatchStatus,
};
use super::*;

const NAMES: [&str; 3] = ["Hill", "Jaquez", "Smith"];

fn other(name: &str) -> OtherServer {
    OtherServer {
        name: name.to_owned(),
        alive: true,
        incarnation: Some(format!("of {name}")),
        version_known: 9,
        version_merged: 9,
        lag_groups: Some(0),
        last_heard_ms: Some(100),
        records: 1,
        links: Vec::new(),
    }
}

fn link(neighbour: &str) -> LinkStatus {
    LinkStatus {
        neighbour: neighbour.to_owned(),
        address: "127.0.0.1:14000".to_owned(),
        dials: true,
        up: true,
        since_s: 60,
        last_reason: None,
        incarnation: None,
        protocol_version: Some(2),
        protocol_features: Some("0x0".to_owned()),
        lag_groups: Some(0),
        reported_ms: Some(10),
        clock_offset_ms: Some(0),
        reconnects: 0,
        dropped: 0,
        rounds: 0,
        pushes: 0,
        rounds_timed_out: 0,
        frames_out: 0,
        frames_in: 0,
        bytes_out: 0,
        bytes_in: 0,
    }
}

/// Every one of three servers, linked to both others and well.
fn well(server: &str) -> Status {
    let others = || NAMES.into_iter().filter(|name| *name != server);
    Status {
        version: STATUS_VERSION,
        cluster: "herd".to_owned(),
        server: server.to_owned(),
        program: "0.1.0".to_owned(),
        incarnation: format!("of {server}"),
        time: "2026-11-26T00:00:00.000Z".to_owned(),
        uptime_s: 60,
        ready: true,
        not_ready_because: None,
        map: MapStatus {
            clients: 3,
            tombstones: 0,
            updates: 3,
            pending: 0,
            slowed: false,
        },
        topology: TopologyStatus {
            servers: NAMES.map(str::to_owned).into(),
            links: [("Hill", "Jaquez"), ("Hill", "Smith"), ("Jaquez", "Smith")]
                .map(|(a, b)| [a.to_owned(), b.to_owned()])
                .into(),
        },
        servers: others().map(other).collect(),
        links: others().map(link).collect(),
        storage: StorageStatus {
            state: "open".to_owned(),
            error: None,
            ack: "memory".to_owned(),
        },
        places: PlacesStatus {
            provider: "embedded".to_owned(),
            fallback: None,
        },
        clients: ClientStatus::default(),
        process: ProcessStatus::default(),
        certificates: CertificateStatus {
            links_end: Some("2026-11-28T00:00:00.000Z".to_owned()),
            clients_end: None,
        },
        searches: SearchStatus::default(),
        watches: WatchStatus::default(),
    }
}

fn answer(status: Status) -> StatusAnswer {
    StatusAnswer {
        at: format!("at-{}:1", status.server),
        name: Some(status.server.clone()),
        status: Some(status),
        reached: true,
        error: None,
    }
}

fn all() -> Vec<StatusAnswer> {
    NAMES.map(|name| answer(well(name))).into()
}

/// The troubles after one change of Hill's status.
fn troubles(change: impl FnOnce(&mut Status)) -> Vec<String> {
    let mut answers = all();
    change(answers[0].status.as_mut().unwrap());
    compare(&answers).troubles
}

#[test]
fn a_herd_that_is_well_has_no_troubles() {
    let comparison = compare(&all());
    assert_eq!(comparison.clusters, ["herd"]);
    assert_eq!(comparison.troubles, [""; 0]);
    assert_eq!(
        comparison.rows[1],
        ServerRow {
            server: "Jaquez".to_owned(),
            state: "ready",
            uptime_s: Some(60),
            clients: Some(3),
            links: Some((2, 2)),
            lag_groups: Some(0),
            store: Some("open".to_owned()),
            certificate_left_s: Some(172_800),
            alive_to: (2, 2),
        }
    );
}

#[test]
fn troubles_that_a_server_reports_of_itself() {
    assert_eq!(
        troubles(|hill| {
            hill.ready = false;
            hill.not_ready_because = Some("catching up with Smith".to_owned());
            hill.storage.error = Some("full".to_owned());
            hill.map.slowed = true;
            hill.links[0].up = false;
            hill.links[0].last_reason = Some("nothing heard for 5 s".to_owned());
            hill.certificates.links_end = Some("2026-11-26T00:10:00.000Z".to_owned());
            hill.certificates.clients_end = Some("2026-11-25T23:00:00.000Z".to_owned());
            hill.links[1].clock_offset_ms = Some(-90_000);
            hill.servers[1].lag_groups = Some(LAG_TROUBLE_GROUPS + 1);
        }),
        [
            "Hill is not ready: catching up with Smith",
            "Hill has lost its store: full",
            "Hill slows its clients down, since its neighbours do not keep up",
            "Hill lags 101 groups behind Smith",
            "the certificate of Hill for links ends in 10m",
            "the certificate of Hill for the client port ended 1h ago",
            "Hill and Jaquez have had no link for 1m: nothing heard for 5 s",
            "the clock of Hill is 1m 30s ahead of that of Smith",
        ]
    );
}

#[test]
fn troubles_that_servers_report_of_each_other() {
    assert_eq!(
        troubles(|hill| hill.map.clients = 2),
        ["servers know different numbers of clients: 2 at Hill; 3 at Jaquez, Smith"]
    );
    let lags = troubles(|hill| {
        hill.map.clients = 2;
        hill.servers[0].lag_groups = Some(1);
    });
    assert_eq!(lags, [""; 0], "a lag explains it");
    assert_eq!(
        troubles(|hill| hill.servers[1].alive = false),
        ["Smith is dead to Hill"]
    );
    assert_eq!(
        troubles(|hill| hill.servers[1].incarnation = Some("older".to_owned())),
        ["Hill knows another incarnation of Smith than the one that answers"]
    );
    assert_eq!(
        troubles(|hill| hill.cluster = "flock".to_owned()),
        ["servers of several herds: flock, herd"]
    );
    let topologies = troubles(|hill| hill.topology.servers.truncate(2));
    assert_eq!(
        topologies,
        ["Hill and Jaquez have different topologies: give all servers the same file"]
    );
}

#[test]
fn the_parts_of_a_herd_are_the_first_trouble() {
    let mut answers = all();
    for answer in &mut answers {
        let status = answer.status.as_mut().unwrap();
        let is_hill = status.server == "Hill";
        for link in &mut status.links {
            link.up = !is_hill && link.neighbour != "Hill";
        }
        for other in &mut status.servers {
            other.alive = !is_hill && other.name != "Hill";
        }
        status.map.clients += u64::from(is_hill);
    }
    assert_eq!(
        compare(&answers).troubles,
        [
            "The herd is in 2 parts: Hill | Jaquez, Smith",
            "Hill and Jaquez have had no link for 1m",
            "Hill and Smith have had no link for 1m",
        ]
    );
}

#[test]
fn a_server_that_does_not_run_is_one_trouble_and_no_part() {
    let mut answers = all();
    answers[2].status = None;
    answers[2].reached = false;
    answers[2].error = Some("connection refused".to_owned());
    for answer in &mut answers[..2] {
        let status = answer.status.as_mut().unwrap();
        status.links[1].up = false;
        status.servers[1].alive = false;
    }
    let comparison = compare(&answers);
    assert_eq!(
        comparison.troubles,
        ["Smith does not answer at at-Smith:1: connection refused"]
    );
    assert_eq!(comparison.rows[2].alive_to, (0, 2));
}

#[test]
fn a_server_that_does_not_tell_is_no_dead_one() {
    let mut answers = all();
    answers[2].status = None;
    answers[2].error = Some("HTTP 403: start it with --http-locations".to_owned());
    let comparison = compare(&answers);
    assert_eq!(
        comparison.troubles,
        ["Smith does not tell at at-Smith:1: HTTP 403: start it with --http-locations"]
    );
    assert_eq!(comparison.rows[2].state, "does not tell");
    assert_eq!(comparison.links[1].up, Some(true));
}

#[test]
fn a_silent_server_is_in_the_table() {
    let mut answers = all();
    answers[2].status = None;
    answers[2].reached = false;
    answers[2].error = Some("connection refused".to_owned());
    let comparison = compare(&answers);
    assert_eq!(
        comparison.troubles,
        ["Smith does not answer at at-Smith:1: connection refused"]
    );
    let smith = &comparison.rows[2];
    assert_eq!((smith.state, smith.alive_to), ("no answer", (2, 2)));
    let asked_alone = compare(&answers[..1]);
    assert_eq!(asked_alone.troubles, [""; 0]);
    let states: Vec<&str> = asked_alone.rows.iter().map(|row| row.state).collect();
    assert_eq!(states, ["ready", "not asked", "not asked"]);
}

#[test]
fn a_wrong_server_at_an_address_is_a_trouble() {
    let mut answers = all();
    answers[0].name = Some("Smith".to_owned());
    let troubles = compare(&answers).troubles;
    assert_eq!(
        troubles,
        ["at at-Hill:1 answers Hill, where Smith should be"]
    );
}
