//! `herd dump` and `herd load` against servers that run.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixListener};
use tokio::time::{sleep, timeout};

use crate::process::{self, Herd, PATIENCE, POLL, free_ports, herd};

/// A server that is alone, with a control socket in a folder of its own.
struct Server {
    process: Herd,
    folder: tempfile::TempDir,
    client_port: u16,
}

impl Server {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    async fn start_in(folder: tempfile::TempDir) -> Self {
        let base = free_ports(3);
        let listen = |place: u16| format!("127.0.0.1:{}", base + place);
        let socket = format!("--control-socket={}", folder.path().join("s").display());
        let mut process = herd(&["serve", "--name=Hill", &socket])
            .env("HERD_CLIENT_LISTEN", &listen(0))
            .env("HERD_PEER_LISTEN", &listen(1))
            .env("HERD_HTTP_LISTEN", &listen(2))
            .start();
        process.wait_for("listening").await;
        Server {
            process,
            folder,
            client_port: base,
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// A file in the server's folder.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn dump(&self) -> Vec<u8> {
        let (code, stdout, stderr) = run("dump", &self.socket(), &[]).await;
        assert_eq!(code, 0, "{stderr}");
        stdout
    }
}

/// Exit code, standard output and standard error of `herd dump` or `herd load`.
async fn run(command: &str, socket: &Path, more: &[&str]) -> (i32, Vec<u8>, String) {
    let mut command = {
        let mut herd = process::command(env!("CARGO_BIN_EXE_herd"));
        herd.args([command, "--control-socket"]).arg(socket);
        herd
    };
    let output = command.args(more).stdin(Stdio::null()).output();
    let output = timeout(PATIENCE, output).await.unwrap().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), output.stdout, stderr)
}

/// `herd load` of a file: exit code, standard output and standard error.
async fn load(socket: &Path, file: &Path) -> (i32, String, String) {
    let (code, stdout, stderr) = run("load", socket, &[file.to_str().unwrap()]).await;
    (code, String::from_utf8(stdout).unwrap(), stderr)
}

/// All that a server answers to these lines.
async fn ask(port: u16, lines: &[u8]) -> Vec<u8> {
    let asking = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut read_half, mut write_half) = stream.split();
        let mut received = Vec::new();
        let (sent, read) = tokio::join!(
            async {
                write_half.write_all(lines).await?;
                write_half.shutdown().await
            },
            read_half.read_to_end(&mut received)
        );
        sent.unwrap();
        read.unwrap();
        received
    };
    timeout(PATIENCE, asking).await.unwrap()
}

/// The lines without the last, the end; sorted.
fn records(dump: &[u8]) -> Vec<Vec<u8>> {
    let text = dump.strip_suffix(b"\n").unwrap();
    let mut lines: Vec<Vec<u8>> = text.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    let end = lines.pop().unwrap();
    assert_eq!(end, format!("END {}", lines.len()).into_bytes());
    lines.sort();
    lines
}

/// IDs of every byte that one can have, and of the longest kind.
fn clients() -> Vec<Vec<u8>> {
    let mut clients: Vec<Vec<u8>> = (0..=255_u8)
        .filter(|byte| !b" \t\r\n\x0b\x0c".contains(byte))
        .map(|byte| vec![byte, b'x', byte])
        .collect();
    clients.push(vec![b'y'; 8_192]);
    clients.extend((0..2_000).map(|number| format!("client{number}").into_bytes()));
    clients
}

async fn report_all(port: u16, clients: &[Vec<u8>]) {
    let mut lines = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        lines.extend_from_slice(b"IAMAT ");
        lines.extend_from_slice(client);
        let time = 1_520_023_934 + number;
        lines.extend_from_slice(format!(" +34.0{number}-118.40 {time}.50\n").as_bytes());
    }
    let replies = ask(port, &lines).await;
    assert!(
        replies
            .split(|&b| b == b'\n')
            .all(|line| !line.starts_with(b"?"))
    );
}

#[tokio::test]
async fn a_dump_restores_the_same_server() {
    let first = Server::start().await;
    let clients = clients();
    report_all(first.client_port, &clients).await;
    let dump = first.dump().await;
    let mut lines = Vec::new();
    for client in &clients {
        lines.extend_from_slice(&[b"WHATSAT ", &client[..], b" 0 0\n"].concat());
    }
    let answers = ask(first.client_port, &lines).await;
    let mut told: Vec<Vec<u8>> = answers
        .split(|&b| b == b'\n')
        .filter(|line| line.starts_with(b"AT "))
        .map(<[u8]>::to_vec)
        .collect();
    told.sort();
    assert_eq!(told.len(), clients.len());
    assert!(records(&dump) == told, "the dump differs from the answers");

    let second = Server::start().await;
    let file = first.file("dump");
    std::fs::write(&file, &dump).unwrap();
    let count = clients.len();
    let (code, said, stderr) = load(&second.socket(), &file).await;
    assert_eq!((code, &*stderr), (0, ""));
    assert_eq!(
        said,
        format!(
            "{count} records: {count} new, 0 newer than known, 0 known, 0 older than known; 0 invalid lines\n"
        )
    );
    assert!(records(&second.dump().await) == told);
    assert_eq!(ask(second.client_port, &lines).await, answers);
    let (code, said, _) = load(&second.socket(), &file).await;
    assert_eq!(code, 0);
    assert_eq!(
        said,
        format!(
            "{count} records: 0 new, 0 newer than known, {count} known, 0 older than known; 0 invalid lines\n"
        )
    );
}

#[tokio::test]
async fn a_dump_file_is_complete_private_and_new() {
    let server = Server::start().await;
    report_all(server.client_port, &clients()).await;
    let file = server.file("dump");
    let output = format!("--output={}", file.display());
    let (code, stdout, stderr) = run("dump", &server.socket(), &[&output]).await;
    assert_eq!((code, &*stdout), (0, &b""[..]), "{stderr}");
    let said = format!(
        "herd: {} records written to {}\n",
        clients().len(),
        file.display()
    );
    assert_eq!(stderr, said);
    let written = std::fs::read(&file).unwrap();
    assert!(records(&written) == records(&server.dump().await));
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let (code, _, stderr) = run("dump", &server.socket(), &[&output]).await;
    assert_eq!(code, 74, "{stderr}");
    assert!(stderr.contains("it is there already"), "{stderr}");
    assert_eq!(std::fs::read(&file).unwrap(), written);
}

/// A server that ends the session behind the first record, or says that there is one more.
async fn stand_in(listener: UnixListener, last: &'static [u8]) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await.unwrap();
    assert_eq!(request, "DUMP 1\n");
    let record = b"AT Hill +1.000000000 kiwi +1+1 1\n";
    stream.write_all(record).await.unwrap();
    stream.write_all(last).await.unwrap();
}

#[tokio::test]
async fn a_dump_that_is_cut_off_is_noticed_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, last, message) in [
        (
            "a",
            &b""[..],
            "the dump is not complete; try again: the server closed the connection",
        ),
        ("b", b"AT Hill +1.0000", "the dump is not complete"),
        ("c", b"END 2\n", "the server's answer is not understood"),
        (
            "d",
            b"ERROR the server stops\n",
            "the server refuses: the server stops",
        ),
    ] {
        let socket = folder.path().join(name);
        let task = tokio::spawn(stand_in(UnixListener::bind(&socket).unwrap(), last));
        let file = folder.path().join("dump");
        let output = format!("--output={}", file.display());
        let (code, _, stderr) = run("dump", &socket, &[&output]).await;
        assert!(code == 74 || (code == 69 && name == "d"), "{code} {stderr}");
        assert!(stderr.contains(message), "{stderr}");
        task.await.unwrap();
    }
    // The four sockets, and nothing else.
    assert_eq!(folder.path().read_dir().unwrap().count(), 4);
}

#[tokio::test]
async fn a_reader_may_leave_a_dump_early() {
    let server = Server::start().await;
    report_all(server.client_port, &clients()).await;
    let script = format!(
        "'{}' dump --control-socket '{}' | head -n 1; echo \"${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_herd"),
        server.socket().display()
    );
    let shell = process::command("bash").args(["-c", &script]).output();
    let output = timeout(PATIENCE, shell).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.stdout.starts_with(b"AT Hill ") && output.stdout.ends_with(b"\n74\n"));
}

#[tokio::test]
async fn bad_lines_are_named_and_the_others_are_taken_in() {
    let server = Server::start().await;
    let file = server.file("records");
    let mut text = b"AT Hill +1.000000000 a\xff +1+1 9\nAT Hill +1 b +1+1 9\n".to_vec();
    text.extend_from_slice(b"AT Hill +0.000000000 c +1+1 9000000000\nEND 3\n");
    std::fs::write(&file, text).unwrap();
    let (code, said, stderr) = load(&server.socket(), &file).await;
    assert_eq!(code, 65, "{stderr}");
    assert_eq!(
        said,
        "1 records: 1 new, 0 newer than known, 0 known, 0 older than known; 2 invalid lines\n"
    );
    assert_eq!(
        stderr,
        "herd: line 2: difference is not a sign, digits, a dot and nine digits\n\
         herd: line 3: time is further ahead of the server's clock than max_clock_skew allows\n"
    );
    assert_eq!(
        server.dump().await,
        b"AT Hill +1.000000000 a\xff +1+1 9\nEND 1\n"
    );
    // The dump of a server that was cut off in the middle of a line.
    std::fs::write(
        &file,
        "AT Hill +1.000000000 d +1+1 9\nAT Hill +1.000000000 e +1+1 1",
    )
    .unwrap();
    let (code, _, stderr) = load(&server.socket(), &file).await;
    assert_eq!(code, 65, "{stderr}");
    assert!(
        stderr.contains("line 2: the line has no line end"),
        "{stderr}"
    );
}

#[tokio::test]
async fn the_socket_is_private_and_ends_with_its_server() {
    let server = Server::start().await;
    let metadata = server.socket().symlink_metadata().unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    let socket = format!("--control-socket={}", server.socket().display());
    let rival = [
        "serve",
        "--name=Smith",
        &socket,
        "--client-listen=127.0.0.1:0",
    ];
    let rival = [
        &rival[..],
        &["--peer-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0"],
    ]
    .concat();
    let (code, output) = herd(&rival).run().await;
    assert_eq!(code, 69, "{output}");
    assert!(
        output.contains("another process listens on the control socket"),
        "{output}"
    );
    server.dump().await;

    let Server {
        process, folder, ..
    } = server;
    process.signal(Signal::SIGKILL);
    process.end().await;
    let path = folder.path().join("s");
    assert!(path.symlink_metadata().is_ok(), "there is nothing stale");
    let (code, _, stderr) = run("dump", &path, &[]).await;
    assert_eq!(code, 69, "{stderr}");
    assert!(stderr.contains("start it again"), "{stderr}");

    let server = Server::start_in(folder).await;
    assert_eq!(server.dump().await, b"END 0\n");
    let Server {
        process, folder, ..
    } = server;
    process.signal(Signal::SIGTERM);
    let (code, output) = process.end().await;
    assert_eq!(code, 0, "{output}");
    assert!(folder.path().join("s").symlink_metadata().is_err());
}

#[tokio::test]
async fn an_impossible_socket_path_prevents_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", folder.path().display(), "s".repeat(120));
    let (code, output) = herd(&["check-config", "--name=Hill", "--control-socket", &long])
        .run()
        .await;
    assert_eq!(code, 64, "{output}");
    assert!(output.contains("is longer than the 107 bytes"), "{output}");

    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let socket = format!("--control-socket={}", file.display());
    let arguments = [
        "serve",
        "--name=Hill",
        &socket,
        "--client-listen=127.0.0.1:0",
    ];
    let free = ["--peer-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0"];
    let (code, output) = herd(&[&arguments[..], &free].concat()).run().await;
    assert_eq!(code, 74, "{output}");
    assert!(
        output.contains("is in the way of the control socket"),
        "{output}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}

/// A herd of two, `a` and `b`, started by `herd local` in a folder; its first client port.
async fn herd_of_two(data_dir: &str) -> (Herd, u16) {
    let base = free_ports(6);
    let start = herd(&["local", "--topology", "two", "--data-dir", data_dir]);
    let mut text = "cluster c\nlink a b\n".to_owned();
    for (name, place) in [("a", 0), ("b", 1)] {
        let (client, peer, http) = (base + place, base + place + 2, base + place + 4);
        text.push_str(&format!(
            "server {name} client 127.0.0.1:{client} peer 127.0.0.1:{peer} http 127.0.0.1:{http}\n"
        ));
    }
    std::fs::write(start.folder().join("two"), text).unwrap();
    let mut local = start.start();
    local.wait_for("Ctrl-C stops all servers.").await;
    (local, base)
}

#[tokio::test]
async fn a_load_into_one_server_reaches_the_other() {
    let (local, base) = herd_of_two("herd-data").await;
    let record = "AT Elsewhere -7.000000000 kiwi\u{1f95d} +34.0-118.0 1520023934.50";
    std::fs::write(local.folder().join("records"), format!("{record}\nEND 1\n")).unwrap();
    // The default: the first server of the folder here.
    let (code, output) = herd(&["load", "records"])
        .in_folder(local.folder())
        .run()
        .await;
    assert_eq!(code, 0, "{output}");
    let expected = format!("{record}\n");
    let told = timeout(PATIENCE, async {
        loop {
            let answer = ask(base + 1, "WHATSAT kiwi\u{1f95d} 0 0\n".as_bytes()).await;
            if answer.starts_with(expected.as_bytes()) {
                return;
            }
            sleep(POLL).await;
        }
    });
    told.await.expect("the other server does not tell");
    let (code, output) = herd(&["dump", "--data-dir=herd-data/b.data"])
        .in_folder(local.folder())
        .run()
        .await;
    assert_eq!((code, output), (0, format!("{record}\nEND 1\n")));
    local.signal(Signal::SIGTERM);
    let (code, output) = local.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn a_herd_in_a_folder_far_down_goes_on_without_control_sockets() {
    let deep = format!("{}/{}", "d".repeat(100), "e".repeat(100));
    let (mut local, _) = herd_of_two(&deep).await;
    local.wait_for("no control socket: /").await;
    let data_dir = format!("--data-dir={deep}");
    let (code, output) = herd(&["dump", &data_dir])
        .in_folder(local.folder())
        .run()
        .await;
    assert_eq!(code, 69, "{output}");
    assert!(output.contains("there is no control socket in"), "{output}");
    local.signal(Signal::SIGTERM);
    let (code, output) = local.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn without_a_server_the_message_gives_advice() {
    for command in ["dump", "load"] {
        let (code, output) = herd(&[command]).run().await;
        assert_eq!(code, 69, "{output}");
        assert_eq!(
            output,
            "herd: there is no control socket in herd-data; name the data folder of a running \
             server or of `herd local` with --data-dir, or its socket with --control-socket\n"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("s");
    drop(StdListener::bind(&stale).unwrap());
    for command in ["dump", "load"] {
        let variable = stale.to_str().unwrap();
        let (code, output) = herd(&[command])
            .env("HERD_CONTROL_SOCKET", variable)
            .run()
            .await;
        assert_eq!(code, 69, "{output}");
        assert!(output.contains("no server listens on"), "{output}");
    }
}
