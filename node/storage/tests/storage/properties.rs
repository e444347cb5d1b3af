//! Random writes, syncs and crashes against a plain model: synced writes are always there, a commit is there whole or
//! not at all, and commits are lost from the end only.

use std::fs;

use bytes::Bytes;
use herd_crdt::SlotId;
use herd_storage::{Crash, ModelledDisk, Store, Write};
use proptest::prelude::*;

use crate::model::{Model, incarnation, load, noise};
use crate::on_disk;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Write>),
    Sync,
    /// The process is killed.
    Kill,
    /// Power is lost; of the unsynced part of the journal some thousandths remain, and behind them some bytes of
    /// something else.
    PowerLoss {
        kept: usize,
        garbage: usize,
    },
}

fn write() -> impl Strategy<Value = Write> {
    let incarnation = || {
        let server = prop::sample::select(vec!["Hill", "Jaquez", "Smith"]);
        (server, 1..3_u64).prop_map(|(server, generation)| incarnation(server, generation))
    };
    prop_oneof![
        8 => (incarnation(), 0..6_u32, any::<u32>(), 0..3_000_usize).prop_map(
            |(incarnation, slot, seed, len)| Write::Put {
                incarnation,
                slot: SlotId(slot),
                version: 7,
                group: Bytes::from(noise(seed, len)),
            }
        ),
        1 => incarnation().prop_map(|incarnation| Write::Forget { incarnation }),
        1 => any::<i64>().prop_map(|time_ns| Write::Floor { time_ns }),
        1 => any::<u64>().prop_map(|generation| Write::Generation { generation }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(write(), 1..6).prop_map(Step::Commit),
        3 => Just(Step::Sync),
        1 => Just(Step::Kill),
        1 => (0..=1_000_usize, 0..200_usize)
            .prop_map(|(kept, garbage)| Step::PowerLoss { kept, garbage }),
    ]
}

/// The committed writes, oldest first, and the number of synced ones.
#[derive(Debug)]
struct History {
    states: Vec<Model>,
    synced: usize,
}

impl History {
    fn new() -> Self {
        History {
            states: vec![Model::default()],
            synced: 0,
        }
    }

    fn last(&self) -> &Model {
        self.states.last().unwrap()
    }

    fn commit(&mut self, writes: &[Write]) {
        let mut next = self.last().clone();
        next.apply(writes);
        self.states.push(next);
    }

    fn sync(&mut self) {
        self.synced = self.states.len() - 1;
    }

    /// Goes on from the state that a crash left.
    fn crashed(&mut self, found: &Model) {
        let allowed = &self.states[self.synced..];
        assert!(
            allowed.contains(found),
            "neither synced nor committed: {found:?}"
        );
        let back = allowed
            .iter()
            .rev()
            .position(|state| state == found)
            .unwrap();
        self.states.truncate(self.states.len() - back);
    }
}

fn tear(path: &std::path::Path, synced_len: usize, kept: usize, garbage: usize) {
    let journal = on_disk::journal(path);
    let mut bytes = fs::read(&journal).unwrap();
    let len = on_disk::journal_len(path);
    let cut = synced_len + (len - synced_len.min(len)) * kept / 1_000;
    bytes.truncate(cut);
    bytes.extend(noise(kept as u32, garbage));
    fs::write(&journal, bytes).unwrap();
}

fn run_on_disk(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let mut life = 0;
    let path = |life: u32| folder.path().join(life.to_string());
    let mut history = History::new();
    let mut store = on_disk::open(&path(life)).unwrap();
    load(&mut store).unwrap();
    let mut synced_len = on_disk::journal_len(&path(life));
    for step in steps {
        match step {
            Step::Commit(writes) => {
                store.commit(&writes).unwrap();
                history.commit(&writes);
            }
            Step::Sync => {
                store.sync().unwrap();
                history.sync();
                synced_len = on_disk::journal_len(&path(life));
            }
            crash @ (Step::Kill | Step::PowerLoss { .. }) => {
                on_disk::copy(&path(life), &path(life + 1));
                life += 1;
                drop(store);
                if let Step::PowerLoss { kept, garbage } = crash {
                    tear(&path(life), synced_len, kept, garbage);
                }
                store = on_disk::open(&path(life)).unwrap();
                let (found, _) = load(&mut store).unwrap();
                if matches!(crash, Step::Kill) {
                    assert_eq!(&found, history.last());
                }
                history.crashed(&found);
            }
        }
    }
    drop(store);
    let (found, _) = on_disk::open_and_load(&path(life)).unwrap();
    assert_eq!(&found, history.last());
}

fn run_on_model(steps: Vec<Step>) {
    let disk = ModelledDisk::new();
    let mut history = History::new();
    let mut store = disk.open();
    load(&mut store).unwrap();
    for step in steps {
        match step {
            Step::Commit(writes) => {
                store.commit(&writes).unwrap();
                history.commit(&writes);
            }
            Step::Sync => {
                store.sync().unwrap();
                history.sync();
            }
            crash @ (Step::Kill | Step::PowerLoss { .. }) => {
                disk.crash(match crash {
                    Step::PowerLoss { kept, .. } => Crash::Tear { seed: kept as u64 },
                    _ => Crash::Process,
                });
                store = disk.open();
                let (found, _) = load(&mut store).unwrap();
                if matches!(crash, Step::Kill) {
                    assert_eq!(&found, history.last());
                }
                history.crashed(&found);
            }
        }
    }
    assert_eq!(&load(&mut disk.open()).unwrap().0, history.last());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_store_on_disk_keeps_its_promises(steps in prop::collection::vec(step(), 1..30)) {
        run_on_disk(steps);
    }

    #[test]
    fn a_modelled_store_keeps_the_same(steps in prop::collection::vec(step(), 1..30)) {
        run_on_model(steps);
    }
}
