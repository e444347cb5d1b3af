//! Many seeds.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use herd_integration_tests::history::checkers::{self, Finding};
use herd_integration_tests::history::{ClientReply, Fault, History, Level, Means, Scenario};
use herd_integration_tests::{FakeClock, LoopDisk};

use crate::run::run;

/// The first seed, in place of [`FIRST_SEED`].
const SEED_VARIABLE: &str = "HERD_HISTORY_SEED";
/// How many seeds, in place of [`SEEDS`].
const SEEDS_VARIABLE: &str = "HERD_HISTORY_SEEDS";
/// For how long things go wrong in each, in place of [`SECONDS`].
const SECONDS_VARIABLE: &str = "HERD_HISTORY_SECONDS";

/// Four from here have all kinds of herds, and many faults in a short time.
const FIRST_SEED: u64 = 400;

/// One for each level of acknowledgement.
const SEEDS: u64 = 4;

/// As long as every run of the tests has time for.
const SECONDS: u64 = 8;

/// Runs at the same time.
const AT_ONCE: usize = 2;

/// Findings that are shown, and clients of which all is shown: the others are mostly the same.
const SHOWN_FINDINGS_MAX: usize = 12;
const SHOWN_CLIENTS_MAX: usize = 3;

/// A number from the environment.
fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => match text.parse() {
            Ok(number) => number,
            Err(_) => panic!("{name} is not a number: {text}"),
        },
        Err(_) => default,
    }
}

/// The result of one seed.
struct SeedResult {
    scenario: Scenario,
    result: Result<History, String>,
    findings: Vec<Finding>,
    outlived: usize,
}

fn outcome(scenario: Scenario) -> SeedResult {
    // A thread of its own, so that every failure in it is shown with its script.
    let running = scenario.clone();
    let ended = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        runtime.block_on(run(&running))
    });
    let result = match ended.join() {
        Ok(result) => result,
        Err(panic) => Err(match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(_) => "a thread failed".to_owned(),
        }),
    };
    let (findings, outlived) = match &result {
        Ok(history) => (checkers::all(history), checkers::outlived(history)),
        Err(_) => (Vec::new(), 0),
    };
    SeedResult {
        scenario,
        result,
        findings,
        outlived,
    }
}

impl SeedResult {
    fn failed(&self) -> bool {
        self.result.is_err() || !self.findings.is_empty()
    }

    /// A line about it.
    fn summary(&self) -> String {
        let scenario = &self.scenario;
        let ends = scenario
            .count(|fault| matches!(fault, Fault::Kill(_) | Fault::LosePower(_) | Fault::Stop(_)));
        let faults = scenario.faults.len();
        let mut line = format!(
            "seed {}, --ack {}, {} servers, {faults} faults, {ends} ends",
            scenario.seed,
            scenario.level,
            scenario.shape.names.len(),
        );
        match &self.result {
            Ok(history) => {
                let count = |is: fn(&ClientReply) -> bool| {
                    history.calls.iter().filter(|call| is(&call.reply)).count()
                };
                let at = count(|reply| matches!(reply, ClientReply::At(_)));
                let refused = count(|reply| matches!(reply, ClientReply::Refused(_)));
                let unknown = count(|reply| matches!(reply, ClientReply::Unknown));
                // Writing to a string cannot fail.
                let _ = write!(
                    line,
                    ": {at} AT lines, {refused} error replies, {unknown} without a reply, {} reports outlived an end, \
                     settled at {:.1} s, {} findings",
                    self.outlived,
                    history.quiet_from.as_secs_f64(),
                    self.findings.len(),
                );
            }
            Err(error) => {
                let _ = write!(line, ": {error}");
            }
        }
        line
    }

    /// Everything that helps to find out why.
    fn report(&self) -> String {
        let mut report = format!("{}\n", self.scenario);
        match &self.result {
            Err(error) => report.push_str(error),
            Ok(history) => {
                report.push_str(&history.harms_text());
                report.push('\n');
                let mut shown: Vec<&Vec<u8>> = Vec::new();
                for finding in self.findings.iter().take(SHOWN_FINDINGS_MAX) {
                    let _ = writeln!(report, "{}", finding.text);
                    if let Some(client) = &finding.client
                        && shown.len() < SHOWN_CLIENTS_MAX
                        && !shown.contains(&client)
                    {
                        shown.push(client);
                    }
                }
                for client in shown {
                    let _ = writeln!(
                        report,
                        "all about {}:\n{}",
                        client.escape_ascii(),
                        history.about(client)
                    );
                }
            }
        }
        let _ = writeln!(
            report,
            "\nthis one again: {SEED_VARIABLE}={} {SEEDS_VARIABLE}=1 {SECONDS_VARIABLE}={} cargo test -p \
             herd-integration-tests --test histories no_history -- --nocapture",
            self.scenario.seed,
            self.scenario.length.as_secs(),
        );
        report
    }

    fn tell(&self) {
        println!("{}", self.summary());
        if self.failed() {
            println!("{}", self.report());
            println!("with all steps: {}", self.write().display());
        }
    }

    /// Writes the report, and the steps of clients, to a file.
    fn write(&self) -> PathBuf {
        let name = format!("history-{}.txt", self.scenario.seed);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut text = self.report();
        for step in &self.scenario.steps {
            let _ = writeln!(text, "{step}");
        }
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("cannot write {}: {error}", path.display());
        }
        path
    }
}

#[test]
fn no_history_breaks_a_promise() {
    let first = variable(SEED_VARIABLE, FIRST_SEED);
    let count = variable(SEEDS_VARIABLE, SEEDS);
    let length = Duration::from_secs(variable(SECONDS_VARIABLE, SECONDS));
    let means = Means {
        own_disks: LoopDisk::mount().is_some(),
        clocks: FakeClock::can_be_had(),
    };
    let next = AtomicU64::new(first);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - first >= count {
                        return;
                    }
                    let outcome = outcome(Scenario::of(seed, length, means));
                    outcome.tell();
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes.push(outcome);
                    }
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_default();
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.failed())
        .map(SeedResult::summary)
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {count} seeds failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert_eq!(outcomes.len() as u64, count);
    if count >= SEEDS {
        enough_has_happened(&outcomes);
    }
}

/// A run in which nothing was said, or nothing went wrong, shows nothing.
fn enough_has_happened(outcomes: &[SeedResult]) {
    for level in Level::ALL {
        let of_level = outcomes
            .iter()
            .filter(|outcome| outcome.scenario.level == level);
        let histories = of_level.filter_map(|outcome| outcome.result.as_ref().ok());
        let calls = histories.flat_map(|history| &history.calls);
        let answered = calls.filter(|call| matches!(call.reply, ClientReply::At(_)));
        assert!(answered.count() > 100, "few replies under --ack {level}");
    }
    let outlived: usize = outcomes.iter().map(|outcome| outcome.outlived).sum();
    assert!(outlived > 0, "nothing had to outlive anything");
    let kills = |fault| matches!(fault, Fault::Kill(_) | Fault::LosePower(_));
    let killed: usize = outcomes
        .iter()
        .map(|outcome| outcome.scenario.count(kills))
        .sum();
    assert!(killed > 0, "no server was killed");
}
