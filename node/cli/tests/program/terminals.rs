//! The output at a terminal, and the end of a herd when the terminal is closed. `script` makes the terminal.

use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::process::{PATIENCE, POLL, command, free_ports, herd, wait_until_gone};

const PROGRAM: &str = env!("CARGO_BIN_EXE_herd");

/// Runs a command of the shell at a terminal of its own, in `folder`.
pub(crate) fn at_a_terminal(shell: &str, folder: &Path) -> Option<Command> {
    if !Path::new("/usr/bin/script").exists() {
        eprintln!("SKIPPED: there is no `script`");
        return None;
    }
    let mut script = command("/usr/bin/script");
    script
        .args(["-q", "-e", "-c", shell, "/dev/null"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    Some(script)
}

async fn wait_for(path: &Path, text: &str) -> String {
    let held = async {
        loop {
            match std::fs::read_to_string(path) {
                Ok(held) if held.contains(text) => return held,
                _ => sleep(POLL).await,
            }
        }
    };
    let held = timeout(PATIENCE, held).await;
    held.unwrap_or_else(|_| panic!("no {text:?}: {:?}", std::fs::read_to_string(path)))
}

/// Takes the terminal away, as a window that is closed does.
async fn close(mut script: Child) {
    script.kill().await.unwrap();
}

#[tokio::test]
async fn a_server_whose_terminal_is_closed_stops_in_good_order() {
    let folder = tempfile::tempdir().unwrap();
    let base = free_ports(3);
    let shell = format!(
        "exec {PROGRAM} serve --name=Hill --ephemeral --client-listen=127.0.0.1:{base} \
         --peer-listen=127.0.0.1:{} --http-listen=127.0.0.1:{} 2>log",
        base + 1,
        base + 2
    );
    let Some(mut script) = at_a_terminal(&shell, folder.path()) else {
        return;
    };
    let script = script.spawn().unwrap();
    let log = folder.path().join("log");
    wait_for(&log, " listening ").await;
    close(script).await;
    let said = wait_for(&log, " stopped\n").await;
    assert!(said.contains("SIGHUP: stopping"), "{said}");
}

#[tokio::test]
async fn a_hangup_while_a_server_stops_does_not_end_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let base = free_ports(3);
    let shell = format!(
        "echo $$ >pid; exec {PROGRAM} serve --name=Hill --ephemeral --client-listen=127.0.0.1:{base} \
         --peer-listen=127.0.0.1:{} --http-listen=127.0.0.1:{} 2>log",
        base + 1,
        base + 2
    );
    let Some(mut script) = at_a_terminal(&shell, folder.path()) else {
        return;
    };
    let _script = script.spawn().unwrap();
    let log = folder.path().join("log");
    wait_for(&log, " listening ").await;
    let pid = wait_for(&folder.path().join("pid"), "\n").await;
    let pid = Pid::from_raw(pid.trim().parse().unwrap());
    // A client that does not close its side holds the stop up for a second.
    let mut client = TcpStream::connect(("127.0.0.1", base)).await.unwrap();
    client.write_all(b"x\n").await.unwrap();
    client.read_exact(&mut [0; 4]).await.unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    wait_for(&log, "SIGHUP: stopping").await;
    // The shell tells it of a terminal that is closed, and so does the system.
    kill(pid, Signal::SIGHUP).unwrap();
    let said = wait_for(&log, " stopped\n").await;
    assert!(!said.contains("ending at once"), "{said}");
}

#[tokio::test]
async fn a_herd_whose_terminal_is_closed_stops_in_good_order() {
    let folder = tempfile::tempdir().unwrap();
    let base = free_ports(20);
    let shell = format!(
        "exec {PROGRAM} local --client-port-base={base} --http-port-base={} --peer-port-base={} --resp-port-base={}",
        base + 5,
        base + 10,
        base + 15
    );
    let Some(mut script) = at_a_terminal(&shell, folder.path()) else {
        return;
    };
    let script = script.spawn().unwrap();
    let data = folder.path().join("herd-data");
    let mut pids = Vec::new();
    for name in ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"] {
        wait_for(&data.join(format!("{name}.log")), " listening ").await;
        let lock = wait_for(&data.join(format!("{name}.data/lock")), "\n").await;
        pids.push(lock.trim().parse().unwrap());
    }
    close(script).await;
    for name in ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"] {
        let said = wait_for(&data.join(format!("{name}.log")), " stopped\n").await;
        assert!(said.contains("SIGTERM: stopping"), "{said}");
    }
    wait_until_gone(&pids).await;
}

/// A client that would set the title of a terminal, clear it with a C1 control, and reverse the direction of the
/// following text.
const STEERING: &str = "a\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}z";

/// The same as a person is to see it.
const SHOWN: &str = r"a\x1b]0;owned\x07\xc2\x9b2J\xe2\x80\xaez";

/// The output of a shell command at a terminal, standard output and standard error.
async fn printed_at_a_terminal(shell: &str, folder: &Path) -> Option<String> {
    let mut script = at_a_terminal(shell, folder)?.spawn().unwrap();
    let mut said = String::new();
    let mut stdout = script.stdout.take().unwrap();
    let read = timeout(PATIENCE, stdout.read_to_string(&mut said)).await;
    read.unwrap().unwrap();
    Some(said)
}

#[tokio::test]
async fn a_terminal_shows_control_bytes_of_clients_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let base = free_ports(3);
    let mut server = herd(&[
        "serve",
        "--name=Hill",
        "--ephemeral",
        "--control-socket=socket",
        &format!("--client-listen=127.0.0.1:{base}"),
        &format!("--peer-listen=127.0.0.1:{}", base + 1),
        &format!("--http-listen=127.0.0.1:{}", base + 2),
    ])
    .in_folder(folder.path())
    .start();
    server.wait_for("listening").await;
    let to = format!("127.0.0.1:{base}");
    let line = format!("IAMAT {STEERING} +1+1 1");
    let (code, said) = herd(&["send", "--to", &to, &line]).run().await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(STEERING), "a pipe gets the bytes: {said:?}");
    let dump = ["dump", "--control-socket", "socket"];
    let (code, bytes) = herd(&dump).in_folder(folder.path()).run().await;
    assert!(code == 0 && bytes.contains(STEERING), "{bytes:?}");
    for shown in [
        "dump --control-socket socket",
        &format!("send --to {to} 'WHATSAT {STEERING} 1 1'"),
        &format!("send --to {to} 'no command: {STEERING}'"),
    ] {
        let Some(said) = printed_at_a_terminal(&format!("{PROGRAM} {shown}"), folder.path()).await
        else {
            return;
        };
        assert!(said.contains(SHOWN), "{shown:?}: {said:?}");
        assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{said:?}");
    }
}

#[tokio::test]
async fn a_terminal_shows_control_bytes_of_files_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("herd.toml");
    let escaped = r"a\u001B]0;owned\u0007\u009B2J\u202Ez";
    for (text, command) in [
        (
            format!("name = \"Hill\"\nwire_log = \"{escaped}\"\n"),
            "its settings",
        ),
        (
            format!("name = \"Hill\"\nlog = \"{escaped}\"\n"),
            "a mistake",
        ),
        (
            format!("name = \"Hill\"\n\"{escaped}\" = 1\n"),
            "an unknown key",
        ),
    ] {
        std::fs::write(&config, text).unwrap();
        let shell = format!("{PROGRAM} check-config --config herd.toml");
        let Some(said) = printed_at_a_terminal(&shell, folder.path()).await else {
            return;
        };
        assert!(said.contains(SHOWN), "{command}: {said:?}");
        assert!(
            !said.contains(['\u{1b}', '\u{9b}', '\u{202e}']),
            "{command}: {said:?}"
        );
    }
}
