//! One run: the scripts of a scenario's episodes, each followed by healing and quiet, with the checkers
//! looking on.

use std::time::Duration;

use herd_crdt::Record;
use tokio::time::{Instant, sleep, sleep_until};

use super::bugs::Bugs;
use super::checkers::Found;
use super::checkers::convergence::all_maps_are_equal;
use super::checkers::copies::{slots_are_bounded, the_superseded_are_buried};
use super::checkers::index::the_index_agrees;
use super::checkers::oblivion::nothing_comes_back;
use super::checkers::publication::each_has_one_publisher;
use super::checkers::survival::nothing_promised_is_lost;
use super::checkers::truth::nothing_is_made_up;
use super::herd::Herd;
use super::operation::Timed;
use super::promise::Held;
use super::scenario::Scenario;
use super::trace::Trace;
use super::watchers::{Heard, Watchers};

/// What servers answer is looked at this often, and after every operation.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A healed herd is left alone for this long: it is longer than it takes to count as gone.
const QUIET_MIN: Duration = Duration::from_secs(12);

/// And has to be as it should after this: orphans that turn up late wait a minute, and each rank two
/// seconds; a dead incarnation has to be buried.
const QUIET_MAX: Duration = Duration::from_secs(180);

/// A round's slots wait for the disk for this long, besides its stalls.
const SYNC_WAIT_MAX: Duration = Duration::from_millis(1_500);

/// What came of a run without a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The herd's own time that passed.
    pub(super) passed: Duration,
    pub(super) acked: usize,
    pub(super) unacknowledged: usize,
    /// Acknowledged records that had to outlive the end of a process or a disk.
    pub(super) outlived: usize,
    /// How long after each healing all was as it should be.
    pub(super) settled_after: Vec<Duration>,
    /// Frames' bytes between all servers.
    pub(super) bytes: u64,
    /// What watchers heard.
    pub(super) heard: Heard,
    /// Of everything that clients saw: which replies they got, and what was answered in the end.
    pub(super) digest: u64,
}

/// Runs a scenario to its end, on a runtime whose time is paused.
///
/// # Errors
/// What a checker found wrong, or what the code itself called a bug.
pub(super) async fn run(scenario: &Scenario, trace: &Trace) -> Result<Outcome, String> {
    let bugs = Bugs::traced(trace);
    let _watching = bugs.watch();
    let mut run = Run {
        herd: Herd::new(scenario, trace),
        watchers: Watchers::of(scenario),
        scenario,
        bugs,
        outcome: Outcome::default(),
    };
    for (number, episode) in scenario.episodes.iter().enumerate() {
        if scenario.loses_notification {
            run.watchers.lose_one();
        }
        let is_last = number + 1 == scenario.episodes.len();
        let in_episode = |error| format!("episode {number}: {error}");
        run.herd.set_weather(scenario.weather);
        run.play(episode).await.map_err(in_episode)?;
        run.settle(is_last)
            .await
            .map_err(|error| format!("after episode {number}: {error}"))?;
    }
    run.outcome.passed = run.herd.now();
    run.outcome.heard = run.watchers.end();
    Ok(run.outcome)
}

struct Run<'a> {
    herd: Herd,
    watchers: Watchers,
    scenario: &'a Scenario,
    bugs: Bugs,
    outcome: Outcome,
}

impl Run<'_> {
    async fn play(&mut self, episode: &[Timed]) -> Found {
        let start = Instant::now();
        for timed in episode {
            let at = start + timed.at;
            while Instant::now() + LOOK_INTERVAL < at {
                sleep(LOOK_INTERVAL).await;
                self.look().await?;
            }
            sleep_until(at).await;
            self.herd.apply(&timed.operation).await?;
            self.look().await?;
        }
        Ok(())
    }

    /// What must be true at any time.
    async fn look(&mut self) -> Found {
        if let Some(bug) = self.bugs.first() {
            return Err(bug);
        }
        self.herd.restart_the_ended().await?;
        for position in 0..self.herd.servers.len() {
            let Some(process) = &self.herd.servers[position].process else {
                continue;
            };
            let map = self.herd.map_of(&process.locations);
            let server = &self.herd.servers[position];
            // A fault of the index begins with a change of the map, and lasts. To look for one takes a fourth of the time.
            if !server.monotony.has_seen_last(&map) {
                the_index_agrees(&server.name, process.locations.index_fault())?;
            }
            if !process.is_loaded() {
                continue;
            }
            let now = self.herd.now();
            let server = &mut self.herd.servers[position];
            server.monotony.see(&server.name, &map)?;
            // A server that started again answers nothing less than what its disk had to keep.
            let word = std::mem::take(&mut server.word);
            let word = word.iter().map(|(record, why)| (record, why.clone()));
            let who = format!("{}, started again at {now:?},", server.name);
            nothing_promised_is_lost(&who, &map, word)?;
        }
        self.watchers.look(&self.herd.servers)
    }

    /// Heals the herd, and waits until it is as it should.
    async fn settle(&mut self, is_last: bool) -> Found {
        self.herd.heal().await?;
        let healed = Instant::now();
        let mut quiet_since = healed;
        loop {
            sleep(LOOK_INTERVAL).await;
            self.look().await?;
            if self.herd.mend_stores().await? {
                quiet_since = Instant::now();
            }
            if quiet_since.elapsed() < QUIET_MIN {
                continue;
            }
            match self.is_settled(is_last) {
                Ok(()) => break,
                Err(found) if quiet_since.elapsed() > QUIET_MAX => return Err(found),
                Err(_) => {}
            }
        }
        self.outcome.settled_after.push(healed.elapsed());
        self.watchers.quiet(&self.herd.servers)?;
        self.check()
    }

    /// What comes true some time after the herd is whole.
    fn is_settled(&self, is_last: bool) -> Found {
        let maps: Vec<_> = self
            .herd
            .running()
            .map(|(server, process)| (&*server.name, self.herd.map_of(&process.locations)))
            .collect();
        all_maps_are_equal(&maps)?;
        each_has_one_publisher(&maps[0].1, &self.herd.publishers())
            .map_err(|found| format!("{found}; {}", self.versions()))?;
        if is_last {
            for (server, process) in self.herd.running() {
                the_superseded_are_buried(&server.name, &process.figures.status().members)?;
            }
            self.herd.the_forgotten_are_erased()?;
        }
        Ok(())
    }

    /// How far each server has got with what the others publish.
    fn versions(&self) -> String {
        let versions = self.herd.running().flat_map(|(server, process)| {
            let own = (
                format!("{} itself", process.links.incarnation()),
                process.figures.slots().version,
            );
            let members = process.figures.status().members;
            let seen = members
                .into_iter()
                .filter(|member| !member.gone)
                .map(|member| {
                    let of = format!("{} at {}", member.sighting.incarnation, server.name);
                    (of, member.sighting.max_version)
                });
            seen.chain([own]).collect::<Vec<_>>()
        });
        versions
            .map(|(of, version)| format!("{of}: {version}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// What must be true of a herd that is whole and quiet. From then on all that it holds is as safe as
    /// can be.
    fn check(&mut self) -> Found {
        let herd = &self.herd;
        let (_, first) = herd.running().next().ok_or("no server runs")?;
        let map = herd.map_of(&first.locations);
        let mut ledger = herd.ledger.lock();
        let shape = self.scenario.shape;
        let level = self.scenario.level;
        let promised = ledger
            .acked
            .iter()
            .filter(|acked| {
                let neighbours = shape.neighbours(acked.server);
                herd.harms
                    .promised(level, acked.server, neighbours, acked.at)
            })
            .collect::<Vec<_>>();
        let reasons = promised.iter().map(|acked| {
            let server = &herd.servers[acked.server].name;
            let why = format!("acknowledged by {server} at {:?} under {level}", acked.at);
            (&acked.record, why)
        });
        nothing_promised_is_lost("the herd", &map, reasons)?;
        let outlived = promised
            .iter()
            .filter(|acked| herd.harms.any_end_after(acked.at))
            .count();
        let survives = (0..herd.servers.len())
            .any(|server| herd.harms.holds(server, ledger.settled_at, Held::Synced));
        let kept = promised.iter().map(|acked| &acked.record);
        let kept = kept.chain(ledger.settled.values().filter(|_| survives));
        nobody_comes_back(herd, kept)?;
        let settled = ledger.settled.values().filter(|_| survives);
        let settled = settled.map(|record| (record, "which all servers held".to_owned()));
        nothing_promised_is_lost("the herd", &map, settled)?;
        nothing_is_made_up("the herd", &map, &ledger.reported)?;
        for (server, process) in herd.running() {
            let waiting_max = self.slots_waiting_max(&server.reports);
            slots_are_bounded(&server.name, &process.figures.slots(), &map, waiting_max)?;
        }

        self.outcome.acked += ledger.acked.len();
        self.outcome.unacknowledged = ledger.unacknowledged;
        self.outcome.outlived += outlived;
        self.outcome.digest = digest(self.outcome.digest, &map, &ledger);
        let links = herd
            .running()
            .flat_map(|(_, process)| process.links.neighbours());
        self.outcome.bytes += links
            .map(|link| {
                link.counts
                    .bytes_sent
                    .load(std::sync::atomic::Ordering::Relaxed)
            })
            .sum::<u64>();
        let now = herd.now();
        ledger.settle(map, now);
        drop(ledger);
        self.herd.forget_harms();
        Ok(())
    }

    /// How many of a server's slots may have waited for its disk at once: one for each report of the
    /// time that the disk took at most.
    fn slots_waiting_max(&self, reports: &[Duration]) -> usize {
        if !self.scenario.has_disks {
            return 0;
        }
        let wait_max = SYNC_WAIT_MAX + self.herd.harms.longest_wait();
        let within = |from: usize| {
            reports[from..]
                .iter()
                .take_while(|at| **at <= reports[from] + wait_max)
                .count()
        };
        (0..reports.len()).map(within).max().unwrap_or(0)
    }
}

/// No server answers with a location below a tombstone among these records.
fn nobody_comes_back<'a>(herd: &Herd, kept: impl Iterator<Item = &'a Record>) -> Found {
    let forgotten: Vec<_> = kept.filter(|record| record.is_tombstone()).collect();
    herd.running().try_for_each(|(server, process)| {
        let answer = |client: &[u8]| process.locations.find(client);
        nothing_comes_back(&server.name, forgotten.iter().copied(), answer)
    })
}

/// Of the reports that were acknowledged and of what is answered in the end.
fn digest(before: u64, map: &super::ledger::Map, ledger: &super::ledger::Ledger) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    before.hash(&mut hasher);
    let mut acked: Vec<_> = ledger
        .acked
        .iter()
        .map(|acked| (acked.server, format!("{:?}", acked.record)))
        .collect();
    acked.sort_unstable();
    acked.hash(&mut hasher);
    for record in map.values() {
        format!("{record:?}").hash(&mut hasher);
    }
    hasher.finish()
}
