use std::ffi::OsString;
use std::io::Write;
use std::time::Duration;

use super::*;

/// Settings from a file's text, flags and variables.
fn load(
    file: Option<&str>,
    flags: &[(Setting, &str)],
    variables: &[(&str, &str)],
) -> Result<ServeSettings, String> {
    let mut flags: Vec<(Setting, Option<String>)> = flags
        .iter()
        .map(|&(setting, text)| (setting, Some(text.to_owned())))
        .collect();
    let file = file.map(|text| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        flags.push((Setting::Config, Some(path.clone())));
        (file, path)
    });
    let variables = variables
        .iter()
        .map(|&(name, value)| (OsString::from(name), OsString::from(value)));
    let loaded = ServeSettings::load(&Flags::new(flags), &Environment::new(variables));
    loaded.map_err(|error| match &file {
        Some((_, path)) => error.to_string().replace(path, "FILE"),
        None => error.to_string(),
    })
}

#[test]
fn the_name_alone_is_enough() {
    let settings = load(None, &[(Setting::Name, "Smith")], &[]).unwrap();
    assert_eq!(&*settings.name, "Smith");
    assert_eq!(settings.client_listen.to_string(), "127.0.0.1:12002");
    assert_eq!(settings.http.listen.unwrap().to_string(), "127.0.0.1:13002");
    assert!(!settings.http.shows_locations);
    assert_eq!(settings.peer_listen.to_string(), "127.0.0.1:14002");
    assert_eq!(
        settings.values.max_clock_skew,
        Some(Duration::from_secs(7_200))
    );
    assert_eq!(settings.values.wire_log, None);
    assert_eq!(settings.values.drain_delay, Duration::from_secs(5));
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let file = Some("name = \"Hill\"\nmax_clock_skew = \"1s\"\nwire_log = \"file.log\"\n");
    let skew = |flags: &[(Setting, &str)], variables: &[(&str, &str)]| {
        let settings = load(file, flags, variables).unwrap();
        settings.values.max_clock_skew.map(|limit| limit.as_secs())
    };
    let flag = [(Setting::MaxClockSkew, "2s")];
    assert_eq!(skew(&[], &[]), Some(1));
    assert_eq!(skew(&flag, &[]), Some(2));
    assert_eq!(skew(&[], &[("HERD_MAX_CLOCK_SKEW", "3s")]), Some(3));
    assert_eq!(skew(&flag, &[("HERD_MAX_CLOCK_SKEW", "3s")]), Some(2));
    assert_eq!(skew(&[], &[("HERD_MAX_CLOCK_SKEW", "0")]), None);
    assert_eq!(skew(&[], &[("HERD_MAX_CLOCK_SKEW", "")]), Some(1));
    assert_eq!(skew(&flag, &[("HERD_MAX_CLOCK_SKEW", "")]), Some(2));
}

#[test]
fn the_configuration_file_can_be_named_by_the_environment() {
    let error = load(None, &[], &[("HERD_CONFIG", "/nonexistent/herd.toml")]).unwrap_err();
    assert_eq!(
        error,
        "2 mistakes in the settings\n  \
         HERD_CONFIG: cannot read /nonexistent/herd.toml: No such file or directory (os error 2)\
         \n  no name is given: set --name, HERD_NAME or `name` in the configuration file"
    );
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let error = load(
        Some("colour = 1\nlog_format = \"xml\"\nhttp_port_base = 12003\n"),
        &[
            (Setting::Name, "Hall"),
            (Setting::ClientListen, "localhost:1"),
            (Setting::MaxClockSkew, "soon"),
        ],
        &[("HERD_LOG", "loud")],
    )
    .unwrap_err();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "6 mistakes in the settings",
            "  FILE line 1: `colour` is not a setting",
            "  --client-listen: `localhost:1` is not an IP address with a port, such as \
             127.0.0.1:12000, 0.0.0.0:12000 or [::]:12000",
            "  --max-clock-skew: `soon` is not a duration such as `800ms` or `2h`: expected number \
             at 0",
            "  HERD_LOG: `loud` is neither a level (error, warn, info, debug, trace, off) nor \
             TARGET=LEVEL",
            "  FILE line 2: `xml` is neither `text` nor `json`",
            "  port bases 12000 and 12003 lie less than 5 ports apart",
        ]
    );
}

#[test]
fn a_name_that_is_not_in_the_topology_is_refused() {
    let error = load(None, &[], &[("HERD_NAME", "Hall")]).unwrap_err();
    assert_eq!(
        error,
        "one mistake in the settings\n  HERD_NAME: the topology has no server `Hall`; it has Hill, \
         Jaquez, Smith, Campbell, Singleton"
    );
}

#[test]
fn one_address_for_two_purposes_is_refused() {
    let error = load(
        None,
        &[
            (Setting::Name, "Hill"),
            (Setting::PeerListen, "127.0.0.1:12000"),
        ],
        &[],
    )
    .unwrap_err();
    assert_eq!(
        error,
        "one mistake in the settings\n  \
         client_listen and peer_listen would both listen on 127.0.0.1:12000"
    );
    // Port 0 is another port each time.
    let free = "127.0.0.1:0";
    let listens = [
        Setting::ClientListen,
        Setting::PeerListen,
        Setting::HttpListen,
    ];
    let mut flags: Vec<(Setting, &str)> = listens.map(|setting| (setting, free)).into();
    flags.push((Setting::Name, "Hill"));
    assert!(load(None, &flags, &[]).is_ok());
}

#[test]
fn a_topology_with_mistakes_is_reported_line_by_line() {
    let mut topology = tempfile::NamedTempFile::new().unwrap();
    topology
        .write_all(b"cluster c\nlink A B\nsever A\n")
        .unwrap();
    let path = topology.path().to_str().unwrap();
    let error = load(
        None,
        &[(Setting::Topology, path), (Setting::ClientPortBase, "1")],
        &[("HERD_NAME", "A")],
    )
    .unwrap_err();
    let error = error.replace(path, "FILE");
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "2 mistakes in the settings",
            "  client_port_base (--client-port-base) and topology (--topology) contradict each \
             other: a topology file says the ports itself",
            "  --topology: topology FILE is not valid",
            "    FILE line 1: there is no server; add lines `server NAME client ADDRESS peer \
             ADDRESS http ADDRESS`",
            "    FILE line 2: no server is called A",
            "    FILE line 2: no server is called B",
            "    FILE line 3: `sever` is unknown; a line starts with `cluster`, `server`, `link` \
             or `#`",
        ]
    );
}

#[test]
fn a_host_name_listens_on_every_interface() {
    let mut topology = tempfile::NamedTempFile::new().unwrap();
    topology
        .write_all(b"cluster c\nserver h-0 client h-0:1 peer h-0.herd:2 http 127.0.0.1:3\n")
        .unwrap();
    let path = topology.path().to_str().unwrap();
    let settings = load(
        None,
        &[(Setting::Topology, path), (Setting::Name, "h-0")],
        &[],
    )
    .unwrap();
    assert_eq!(settings.client_listen, Listen::EveryInterface { port: 1 });
    assert_eq!(settings.peer_listen, Listen::EveryInterface { port: 2 });
    assert_eq!(settings.http.listen.unwrap().to_string(), "127.0.0.1:3");
}

#[test]
fn limits_are_numbers_times_or_off() {
    let set = |setting, text| load(None, &[(Setting::Name, "Hill"), (setting, text)], &[]);
    let limits = |setting, text| set(setting, text).unwrap().limits;
    let values = |setting, text| set(setting, text).unwrap().values;
    assert_eq!(values(Setting::MaxClients, "off").max_clients, Some(None));
    assert_eq!(values(Setting::MaxClients, "7").max_clients, Some(Some(7)));
    let bytes = values(Setting::MaxClientBytes, "off");
    assert_eq!(bytes.max_client_bytes, Some(None));
    assert_eq!(bytes.max_clients, None, "it follows the memory");
    let ids = values(Setting::ClientIdBytesMax, "64");
    assert_eq!(ids.client_id_bytes_max, 64);
    let searches = values(Setting::SearchesInFlightMax, "7");
    assert_eq!(searches.searches_in_flight_max, 7);
    let replies = limits(Setting::ReplyBytesMax, "1048576").clients;
    assert_eq!(replies.reply_bytes_max, 1 << 20);
    assert_eq!(limits(Setting::ConnectionsMax, "3").connections_max, 3);
    assert_eq!(values(Setting::LineBytesMax, "1024").line_bytes_max, 1_024);
    let rate = limits(Setting::CommandsPerSecondPerAddress, "9").clients;
    assert_eq!(
        rate.commands_per_second_per_address.map(|rate| rate.get()),
        Some(9)
    );
    assert_eq!(values(Setting::ClientThreads, "auto").client_threads, None);
    assert_eq!(values(Setting::ClientThreads, "3").client_threads, Some(3));
    let idle = limits(Setting::IdleTimeout, "90s").clients.idle_timeout;
    assert_eq!(idle, Some(Duration::from_secs(90)));
}

#[test]
fn limits_out_of_their_range_are_refused_with_it() {
    for (setting, text, reason) in [
        (
            Setting::ClientThreads,
            "0",
            "is not `auto` and is not a whole number from 1 to 1024",
        ),
        (
            Setting::ConnectionsMax,
            "off",
            "is not a whole number from 1 to",
        ),
        (
            Setting::ConnectionsMax,
            "0",
            "is not a whole number from 1 to",
        ),
        (
            Setting::MaxClients,
            "0",
            "is not `off` and is not a whole number from 1 to",
        ),
        (
            Setting::ClientIdBytesMax,
            "8193",
            "is not a whole number of bytes from 1 to 8192",
        ),
        (
            Setting::LineBytesMax,
            "1023",
            "is not a whole number of bytes from 1024 to",
        ),
        (
            Setting::HalfLineTimeout,
            "8days",
            "is not `off` and is not from 1ms to 7days",
        ),
    ] {
        let set = &[(Setting::Name, "Hill"), (setting, text)];
        let error = load(None, set, &[]).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_tokens_file_is_checked_and_told_without_its_text() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"van some-secret-token\n").unwrap();
    let path = file.path().to_str().unwrap();
    let error = load(
        None,
        &[(Setting::Name, "Hill"), (Setting::Tokens, path)],
        &[],
    );
    assert_eq!(
        error.unwrap_err().replace(path, "FILE"),
        "one mistake in the settings\n  --tokens: tokens file FILE: line 1: the second word is not \
         `sha256:` and 64 hexadecimal digits"
    );
}

#[test]
fn the_report_says_where_each_value_came_from() {
    let settings = load(
        Some("name = \"Hill\"\n"),
        &[(Setting::WireLog, "w.log")],
        &[("HERD_LOG", "debug"), ("HERD_MAX_CLOCK_SKEW", "0")],
    )
    .unwrap();
    let report = settings.to_string();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "server Hill of cluster herd: 5 servers, 6 links",
            "  linked to Jaquez at 127.0.0.1:14001",
            "  linked to Smith at 127.0.0.1:14002",
        ]
    );
    assert!(lines[3].starts_with("config           ") && lines[3].ends_with("  (--config)"));
    assert!(lines[4].starts_with("name             Hill  ("), "{report}");
    assert!(lines[4].ends_with(" line 1)"), "{report}");
    // docs/configuration.md has the whole report, and a test that compares.
    for line in [
        "topology         built-in  (default)",
        "client_port_base 12000  (default)",
        "client_listen    127.0.0.1:12000  (topology)",
        "max_clock_skew   no limit  (HERD_MAX_CLOCK_SKEW)",
        "expire_after     off  (default)",
        "log              debug  (HERD_LOG)",
        "wire_log         w.log  (--wire-log)",
        "data_dir         herd-data/Hill.data  (default)",
        "control_socket   herd-data/Hill.data/control.sock  (default)",
        "connections_per_address_max      12288  (default)",
    ] {
        assert!(lines.contains(&line), "{line}: {report}");
    }
    let given = Setting::of(Command::Serve).filter(|setting| report.contains(setting.key()));
    assert!(given.count() >= 40, "{report}");
}

#[test]
fn one_address_gets_three_quarters_of_whatever_is_set() {
    for (connections_max, share) in [("1", 1), ("2", 1), ("4", 3), ("1000", 750)] {
        let flags = [
            (Setting::Name, "Hill"),
            (Setting::ConnectionsMax, connections_max),
            (Setting::HttpConnectionsMax, connections_max),
        ];
        let limits = load(None, &flags, &[]).unwrap().limits;
        assert_eq!(limits.http.connections_per_address_max, Some(share));
        assert_eq!(limits.clients.connections_per_address_max, Some(share));
    }
    let flags = [
        (Setting::Name, "Hill"),
        (Setting::HttpConnectionsMax, "4"),
        (Setting::HttpConnectionsPerAddressMax, "off"),
        (Setting::ConnectionsMax, "4"),
        (Setting::ConnectionsPerAddressMax, "9"),
    ];
    let limits = load(None, &flags, &[]).unwrap().limits;
    assert_eq!(limits.http.connections_per_address_max, None);
    assert_eq!(limits.clients.connections_per_address_max, Some(9));
}

#[test]
fn the_number_of_a_pod_picks_its_server() {
    let pod = |name| load(None, &[], &[("HERD_POD_NAME", name)]);
    let settings = pod("herd-0").unwrap();
    assert_eq!(&*settings.name, "Hill");
    assert!(
        settings
            .to_string()
            .contains("name             Hill  (HERD_POD_NAME)\n")
    );
    assert_eq!(&*pod("my-herd-4").unwrap().name, "Singleton");
    assert_eq!(
        pod("herd-5").unwrap_err(),
        "one mistake in the settings\n  HERD_POD_NAME: pod `herd-5` would be server number 6 of the \
         topology, which has 5: give the topology a line for it, or run fewer pods"
    );
    assert!(pod("herd").unwrap_err().contains("`herd-0`"));
}

#[test]
fn name_and_pod_name_contradict_each_other() {
    let both = load(
        None,
        &[(Setting::Name, "Hill")],
        &[("HERD_POD_NAME", "herd-0")],
    );
    assert!(
        both.unwrap_err()
            .contains("pod_name (HERD_POD_NAME) and name (--name) contradict each other")
    );
    let in_file = load(Some("pod_name = \"herd-0\"\n"), &[], &[]).unwrap_err();
    assert!(in_file.contains("FILE line 1: `pod_name` differs from pod to pod"));
}

#[test]
fn the_drain_delay_has_bounds() {
    let delay = |text| {
        load(
            None,
            &[(Setting::Name, "Hill"), (Setting::DrainDelay, text)],
            &[],
        )
    };
    assert_eq!(delay("0").unwrap().values.drain_delay, Duration::ZERO);
    assert_eq!(
        delay("10m").unwrap().values.drain_delay,
        Duration::from_secs(600)
    );
    assert!(delay("11m").unwrap_err().contains("is not from 0s to 10m"));
}

#[test]
fn http_can_be_off_and_then_shows_nothing() {
    let http = |locations| {
        let flags = [
            (Setting::Name, "Hill"),
            (Setting::HttpListen, "off"),
            (Setting::HttpLocations, locations),
        ];
        load(None, &flags, &[])
    };
    let settings = http("false").unwrap();
    assert_eq!(settings.http.listen, None);
    assert!(
        settings
            .to_string()
            .contains("http_listen      off  (--http-listen)\n")
    );
    assert!(http("true").unwrap_err().contains(
        "http_listen (--http-listen) and http_locations (--http-locations) contradict each other"
    ));
}
