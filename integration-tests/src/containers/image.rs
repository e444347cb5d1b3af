//! The image under test: never a stale one.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use super::typed::folder;

/// Name and tag of the image that the tests build. A local tag is never pulled.
pub const IMAGE: (&str, &str) = ("herd", "test");

/// How long a build from nothing may take, on a slow machine.
const BUILD_MAX: Duration = Duration::from_secs(30 * 60);

/// The time from one word about a build to the next.
const WORD_GAP: Duration = Duration::from_secs(30);

/// Builds the image, or finds that it is built: once in each process, by the documented command. Cargo and Docker do
/// not repeat work for files that did not change.
pub(super) async fn build() {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    BUILT
        .get_or_init(async || {
            let built = tokio::select! {
                built = run_script() => built,
                never = tell() => never,
            };
            if let Err(reason) = built {
                panic!("cannot build the image {}:{}: {reason}", IMAGE.0, IMAGE.1);
            }
        })
        .await;
}

/// Prints the current step again and again, even where the test runner hides the output of tests. A build that ends
/// before the first line had little to do.
async fn tell<T>() -> T {
    let begun = Instant::now();
    loop {
        sleep(WORD_GAP).await;
        let seconds = begun.elapsed().as_secs();
        // Not `eprintln!`, which the test runner catches.
        let _ = writeln!(
            std::io::stderr(),
            "tests of containers build the image {}:{} ({seconds} s so far; some minutes in a fresh clone)",
            IMAGE.0,
            IMAGE.1
        );
    }
}

async fn run_script() -> Result<(), String> {
    let mut script = Command::new("bash");
    script
        .arg(folder().join("image/build"))
        .arg(format!("{}:{}", IMAGE.0, IMAGE.1))
        .env("HERD_IMAGE_PROFILE", "image")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut script = script.spawn().map_err(|error| error.to_string())?;
    let mut said = String::new();
    let ended = timeout(BUILD_MAX, async {
        if let Some(mut stderr) = script.stderr.take() {
            let _ = stderr.read_to_string(&mut said).await;
        }
        script.wait().await
    });
    match ended.await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{status}\n{said}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("not within {BUILD_MAX:?}")),
    }
}
