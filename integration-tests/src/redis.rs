//! A real Redis beside a herd, and what its clients need.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::patience::eventually;
use crate::rights::required;
use crate::server::Server;

/// Makes a missing Redis, or a missing client of it, a failure.
const REQUIRE: &str = "HERD_REQUIRE_REDIS";

/// Names the Python that has the package `redis`.
const PYTHON: &str = "HERD_REDIS_PYTHON";

/// Programs that Debian's packages redis-server and redis-tools have.
const PROGRAMS: [&str; 3] = ["redis-server", "redis-cli", "redis-benchmark"];

/// Whether tests beside a real Redis have to be left out, because it is not there. Prints this, even where the test runner
/// hides the output of tests that pass. With `HERD_REQUIRE_REDIS=1` it fails the test instead.
pub fn skipped() -> bool {
    let missing = PROGRAMS.into_iter().find(|program| !is_there(program));
    missing.is_some_and(|missing| {
        left_out(&format!("{missing} (Debian: redis-server and redis-tools)"));
        true
    })
}

/// The Python that has redis-py, unless tests with it have to be left out, as in [`skipped`].
pub fn python() -> Option<PathBuf> {
    let python = std::env::var_os(PYTHON).map_or("python3".into(), PathBuf::from);
    let mut command = Command::new(&python);
    command.args(["-c", "import redis"]).stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    left_out(&format!(
        "redis-py (PyPI: redis; {PYTHON} names a Python that has it)"
    ));
    None
}

fn left_out(missing: &str) {
    if required(REQUIRE) {
        panic!("there is no {missing}, and {REQUIRE}=1 says that there must be");
    }
    // Not `eprintln!`, which the test runner catches.
    let _ = writeln!(
        std::io::stderr(),
        "tests beside Redis are skipped: there is no {missing}"
    );
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A Redis with nothing in it, which does not outlive its test.
#[derive(Debug)]
pub struct Redis {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Redis {
    /// Starts one.
    pub async fn start() -> Redis {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let address = listener.and_then(|listener| listener.local_addr());
        let (Ok(address), Ok(folder)) = (address, TempDir::new()) else {
            panic!("no free port, or no folder, for Redis");
        };
        let mut command = Command::new("redis-server");
        command
            .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
            .args(["--port", &address.port().to_string()])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let process = match command.spawn() {
            Ok(process) => process,
            Err(error) => panic!("cannot start redis-server: {error}"),
        };
        let redis = Redis {
            process,
            address,
            _folder: folder,
        };
        eventually("Redis answers", async || {
            TcpStream::connect(address).is_ok()
        })
        .await;
        redis
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a server listens for Redis clients, by its log.
pub fn resp_address(server: &Server) -> SocketAddr {
    let log = server.log_since_start();
    let mut parts = log.split(" resp=\"");
    let told = parts.nth(1).and_then(|behind| behind.split('"').next());
    match told.and_then(|address| address.parse().ok()) {
        Some(address) => address,
        None => panic!("{} serves no Redis clients: {log}", server.name()),
    }
}
