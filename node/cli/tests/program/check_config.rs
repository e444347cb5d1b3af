//! Settings and arguments that are right or wrong, before anything runs.

use crate::process::herd;

#[tokio::test]
async fn valid_settings_are_shown_with_their_origin() {
    let (code, output) = herd(&[
        "check-config",
        "--name",
        "Campbell",
        "--max-clock-skew",
        "5m",
    ])
    .env("HERD_NAME", "Hall")
    .env("HERD_DRAIN_DELAY", "7s")
    .run()
    .await;
    assert_eq!(code, 0, "{output}");
    for line in [
        "server Campbell of cluster herd: 5 servers, 6 links\n",
        "name             Campbell  (--name)\n",
        "client_listen    127.0.0.1:12003  (topology)\n",
        "max_clock_skew   5m  (--max-clock-skew)\n",
        "drain_delay      7s  (HERD_DRAIN_DELAY)\n",
    ] {
        assert!(output.contains(line), "{line}: {output}");
    }
}

#[tokio::test]
async fn every_mistake_is_shown_with_the_usage_status() {
    for command in ["check-config", "serve"] {
        let start = herd(&[command, "--config", "herd.toml", "--topology", "topology"])
            .env("HERD_LOG", "loud");
        std::fs::write(start.folder().join("herd.toml"), "colour = 1\n").unwrap();
        std::fs::write(start.folder().join("topology"), "cluster c\nlink A B\n").unwrap();
        let (code, output) = start.run().await;
        assert_eq!(code, 64, "{output}");
        assert_eq!(
            output,
            "herd: 4 mistakes in the settings\n  \
             herd.toml line 1: `colour` is not a setting\n  \
             HERD_LOG: `loud` is neither a level (error, warn, info, debug, trace, off) nor \
             TARGET=LEVEL\n  \
             no name is given: set --name, HERD_NAME or `name` in the configuration file\n  \
             --topology: topology topology is not valid\n    \
             topology line 1: there is no server; add lines `server NAME client ADDRESS peer \
             ADDRESS http ADDRESS`\n    \
             topology line 2: no server is called A\n    \
             topology line 2: no server is called B\n"
        );
    }
}

#[tokio::test]
async fn an_unknown_variable_is_a_warning() {
    let (code, output) = herd(&["check-config", "--name", "Hill"])
        .env("HERD_NAMES", "Hill")
        .run()
        .await;
    assert_eq!(code, 0, "{output}");
    let warning = "herd: warning: HERD_NAMES is not read by this command; HERD_NAME would be\n";
    assert!(output.contains(warning), "{output}");
}

#[tokio::test]
async fn wrong_arguments_and_requests_for_help() {
    for (arguments, expected) in [
        (&[][..], 64),
        (&["walk"], 64),
        (&["serve", "--colour"], 64),
        (&["serve", "--name"], 64),
        (&["local", "--client-port-base", "70000"], 64),
        (&["local", "--topology", "x", "--http-port-base", "1"], 64),
        (&["--help"], 0),
        (&["help", "serve"], 0),
        (&["--version"], 0),
    ] {
        let (code, output) = herd(arguments).run().await;
        assert_eq!(code, expected, "{arguments:?}: {output}");
    }
}
