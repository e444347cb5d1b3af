//! One run of a scenario against real processes.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use herd_integration_tests::history::{History, Scenario, Step};
use herd_integration_tests::{FakeClock, Herd, LoopDisk};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::books::Books;
use crate::ending::{ask_all, settled};
use crate::nemesis::Nemesis;
use crate::reporters::{Directory, report};

/// The server's default is named, for the checkers count on it.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// The same.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(2 * 3_600);

/// Runs a scenario to its end.
///
/// # Errors
/// Failures that are not about replies to clients.
pub(crate) async fn run(scenario: &Scenario) -> Result<History, String> {
    let folder = TempDir::with_prefix("herd-history-").map_err(|error| error.to_string())?;
    let clocks: Vec<FakeClock> = match scenario.sets_clocks {
        true => names(scenario)
            .map(|name| FakeClock::new(&folder.path().join(format!("{name}.clock"))))
            .collect(),
        false => Vec::new(),
    };
    let mut herd = start(scenario, &clocks).await;
    // Dropped before the herd, because a process that waits for a frozen disk cannot end.
    let disks: Vec<LoopDisk> = std::mem::take(&mut herd.1);
    let mut herd = herd.0;
    let books = Arc::new(Books::new(scenario.shape.names.len()));
    let began = wall_clock();
    let directory = Directory {
        addresses: names(scenario)
            .map(|name| herd.server(name).client_address())
            .collect(),
        ids: Arc::new(scenario.clients.clone()),
        began_s: began.as_secs().cast_signed(),
    };
    let mut reporters = JoinSet::new();
    for steps in dealt(&scenario.steps) {
        reporters.spawn(report(books.clone(), directory.clone(), steps));
    }
    let mut nemesis = Nemesis {
        scenario,
        books: &books,
        herd: &mut herd,
        disks: &disks,
        clocks: &clocks,
    };
    nemesis.play().await?;
    books.finish();
    while let Some(ended) = reporters.join_next().await {
        ended.map_err(|error| format!("a reporter failed: {error}"))?;
    }
    nemesis.heal().await?;
    nemesis.look()?;
    let dumps = settled(&mut herd, scenario).await?;
    let quiet_from = books.now();
    ask_all(&books, &directory).await?;
    let (calls, harms) = books.take();
    Ok(History {
        names: names(scenario).map(str::to_owned).collect(),
        links: scenario.shape.links.to_vec(),
        level: scenario.level,
        has_disks: scenario.has_disks,
        ack_timeout: ACK_TIMEOUT,
        clock_skew_max: CLOCK_SKEW_MAX,
        began_ns: began.as_nanos().cast_signed(),
        calls,
        harms,
        quiet_from,
        dumps,
    })
}

fn names(scenario: &Scenario) -> impl Iterator<Item = &'static str> {
    scenario.shape.names.iter().copied()
}

/// The herd of a scenario, running and linked, and the disks of its servers.
async fn start(scenario: &Scenario, clocks: &[FakeClock]) -> (Herd, Vec<LoopDisk>) {
    let mut builder = Herd::builder(scenario.shape.topology())
        .proxied()
        .controlled()
        .argument(&format!("--ack={}", scenario.level))
        .argument(&format!("--ack-timeout={}s", ACK_TIMEOUT.as_secs()))
        .argument(&format!("--max-clock-skew={}s", CLOCK_SKEW_MAX.as_secs()));
    if scenario.has_disks {
        builder = builder.on_disk();
    }
    let mut disks = Vec::new();
    for name in names(scenario).filter(|_| scenario.has_own_disks) {
        // They could be had a moment ago.
        let Some(disk) = LoopDisk::mount() else {
            panic!("no disk for {name}");
        };
        builder = builder.data_folder(name, disk.path().join(name));
        disks.push(disk);
    }
    for (name, clock) in names(scenario).zip(clocks) {
        builder = builder.environment(name, clock.environment());
    }
    (builder.start().await, disks)
}

/// The steps of each reporter.
fn dealt(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut dealt: Vec<Vec<Step>> = Vec::new();
    for step in steps {
        if dealt.len() <= step.reporter {
            dealt.resize(step.reporter + 1, Vec::new());
        }
        dealt[step.reporter].push(step.clone());
    }
    dealt
}

#[expect(
    clippy::disallowed_methods,
    reason = "servers are real and have the machine's clock"
)]
fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
