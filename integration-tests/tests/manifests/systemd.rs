//! The unit of systemd fits the program, is hardened, and the program tells systemd how it is.

use std::process::Command;

use herd_integration_tests::binary;
use tokio::net::UnixDatagram;

use crate::file;

/// The highest exposure that `systemd-analyze security` may find; 10 is a service without any protection.
const EXPOSURE_MAX: f64 = 2.0;

/// Makes a missing systemd a failure.
const REQUIRE: &str = "HERD_REQUIRE_SYSTEMD";

/// The values of a key of the unit, in order.
fn values(key: &str) -> Vec<String> {
    let unit = file("packaging/systemd/herd.service");
    let lines = unit.lines();
    let of_key = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    of_key.map(str::to_owned).collect()
}

fn seconds(key: &str) -> u64 {
    values(key)[0].parse().unwrap()
}

#[test]
fn the_unit_fits_the_program() {
    let start = &values("ExecStart")[0];
    let mut words = start.split_whitespace();
    assert_eq!(
        (words.next(), words.next()),
        (Some("/usr/bin/herd"), Some("serve"))
    );
    // Each argument is one of the program, which accepts the settings with those of the example in the unit.
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let topology = path("topology");
    std::fs::write(&topology, file("k8s/topology")).unwrap();
    herd_integration_tests::herd_certs("new", topology.as_ref(), path("certs").as_ref());
    // The unit's folders are this one here.
    let here = |text: &str| {
        let folders = ["/etc/herd", "/run/herd", "/var/lib/herd"].into_iter();
        let own = folder.path().display().to_string();
        folders.fold(text.to_owned(), |text, there| text.replace(there, &own))
    };
    let unit = file("packaging/systemd/herd.service");
    let example = unit.lines().filter_map(|line| line.strip_prefix("#     "));
    let example: Vec<&str> = example.filter(|line| line.contains(" = ")).collect();
    assert_eq!(example.len(), 3);
    std::fs::write(path("herd.toml"), here(&example.join("\n"))).unwrap();
    let arguments: Vec<String> = words.map(here).collect();
    let mut check = Command::new(binary::herd());
    let output = check
        .arg("check-config")
        .args(&arguments)
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("server Hill of cluster herd"), "{said}");
    // It writes to the folders that the unit makes.
    for folder in [
        ("StateDirectory", "/var/lib/"),
        ("RuntimeDirectory", "/run/"),
    ] {
        let made = format!("{}{}", folder.1, values(folder.0)[0]);
        assert!(start.contains(&made), "{made}");
    }
    // 5 s of drain and 8 s to stop: docs/configuration.md.
    assert!(seconds("TimeoutStopSec") > 13);
    let statuses = file("docs/configuration.md");
    for status in values("RestartPreventExitStatus")[0].split_whitespace() {
        assert!(statuses.contains(&format!("| {status} |")), "{status}");
    }
    let user = &values("User")[0];
    assert!(file("packaging/systemd/herd.sysusers").contains(&format!("u {user} ")));
}

#[test]
fn the_unit_is_hardened() {
    let unit =
        herd_integration_tests::containers::folder().join("../packaging/systemd/herd.service");
    let mut analyze = Command::new("systemd-analyze");
    let output = analyze
        .args(["security", "--offline=yes", "--no-pager"])
        .arg(&unit)
        .output();
    let Ok(output) = output else {
        let required = std::env::var_os(REQUIRE).is_some_and(|value| value == "1");
        assert!(!required, "there is no systemd-analyze");
        eprintln!("the unit is not looked at: there is no systemd-analyze (Debian: systemd)");
        return;
    };
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let line = said
        .lines()
        .find(|line| line.contains("Overall exposure level"));
    let level = line.and_then(|line| line.split(": ").nth(1)?.split(' ').next());
    let level: f64 = level.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    assert!(level < EXPOSURE_MAX, "{said}");
}

#[tokio::test]
async fn the_program_tells_the_manager_that_it_serves_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let heard = UnixDatagram::bind(&path).unwrap();
    let topology = folder.path().join("topology");
    let alone = "cluster alone\nserver A client 127.0.0.1:1 peer 127.0.0.1:2 http 127.0.0.1:3\n";
    std::fs::write(&topology, alone).unwrap();
    let mut serve = tokio::process::Command::new(binary::herd());
    serve
        .args([
            "serve",
            "--name=A",
            "--ephemeral=true",
            "--http-listen=off",
            "--drain-delay=0s",
        ])
        .args(["--client-listen=127.0.0.1:0", "--peer-listen=127.0.0.1:0"])
        .arg(format!("--topology={}", topology.display()))
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true);
    let mut child = serve.spawn().unwrap();
    let mut buffer = [0; 1024];
    let mut next = async || {
        let length = herd_integration_tests::within("a message", heard.recv(&mut buffer)).await;
        String::from_utf8_lossy(&buffer[..length.unwrap()]).into_owned()
    };
    assert_eq!(next().await, "READY=1\n");
    let mut seen = next().await;
    while seen != "STATUS=ready\n" {
        seen = next().await;
    }
    assert_eq!(next().await, "WATCHDOG=1\n");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    while !seen.starts_with("STOPPING=1\n") {
        seen = next().await;
    }
    let ended = herd_integration_tests::within("its end", child.wait()).await;
    assert!(ended.unwrap().success());
}
