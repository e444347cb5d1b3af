//! The contract of every store, tried on each of them.

use std::path::PathBuf;

use herd_storage::{Crash, ModelledDisk, Store, StoreError, Write};
use tempfile::TempDir;

use crate::model::{Model, incarnation, load, put};
use crate::on_disk;

/// A disk that survives the process in front of it.
trait Disk {
    /// Opens the store, as a new process.
    fn open(&mut self) -> Box<dyn Store>;
    /// Kills the process that has `store` open.
    fn kill(&mut self, store: Box<dyn Store>);
}

struct Modelled(ModelledDisk);

impl Disk for Modelled {
    fn open(&mut self) -> Box<dyn Store> {
        Box::new(self.0.open())
    }

    fn kill(&mut self, _store: Box<dyn Store>) {
        self.0.crash(Crash::Process);
    }
}

struct OnDisk {
    folder: TempDir,
    lives: u32,
}

impl OnDisk {
    fn path(&self) -> PathBuf {
        self.folder.path().join(self.lives.to_string())
    }
}

impl Disk for OnDisk {
    fn open(&mut self) -> Box<dyn Store> {
        Box::new(on_disk::open(&self.path()).unwrap())
    }

    fn kill(&mut self, store: Box<dyn Store>) {
        let before = self.path();
        self.lives += 1;
        on_disk::copy(&before, &self.path());
        // Only now, since a store writes when it is closed.
        drop(store);
    }
}

fn on_each_disk(test: fn(&mut dyn Disk)) {
    test(&mut Modelled(ModelledDisk::new()));
    test(&mut OnDisk {
        folder: tempfile::tempdir().unwrap(),
        lives: 0,
    });
}

/// Writes something of everything and returns the expected content.
fn commits() -> (Vec<Vec<Write>>, Model) {
    let of = |server, generation| incarnation(server, generation);
    let put_of = |server, generation, slot, group: &'static [u8]| Write::Put {
        incarnation: of(server, generation),
        slot: herd_crdt::SlotId(slot),
        version: 7,
        group: group.into(),
    };
    let commits = vec![
        vec![put(0, b"first"), put(1, b"second")],
        vec![
            put_of("Jaquez", 7, 0, b""),
            put_of("Jaquez", 8, u32::MAX, b"x"),
        ],
        vec![put(0, b"first again"), Write::Floor { time_ns: -5 }],
        vec![Write::Generation { generation: 40 }],
        vec![
            put_of("Smith", u64::MAX, 3, b"gone"),
            Write::Forget {
                incarnation: of("Smith", u64::MAX),
            },
            put_of("Smith", u64::MAX, 4, b"stays"),
            Write::Forget {
                incarnation: of("Jaquez", 7),
            },
        ],
        vec![
            Write::Floor { time_ns: -9 },
            Write::Generation { generation: 39 },
        ],
    ];
    let mut model = Model::default();
    for writes in &commits {
        model.apply(writes);
    }
    assert_eq!((model.floor_ns, model.own_generation), (Some(-5), Some(40)));
    (commits, model)
}

#[test]
fn commits_survive_a_killed_process() {
    on_each_disk(|disk| {
        let (commits, expected) = commits();
        let mut store = disk.open();
        assert_eq!(load(&mut *store).unwrap().0, Model::default());
        for writes in &commits {
            store.commit(writes).unwrap();
        }
        disk.kill(store);
        let mut store = disk.open();
        let (found, report) = load(&mut *store).unwrap();
        assert_eq!(found, expected);
        assert_eq!(report.torn_tail_bytes, 0);
        let generations = Vec::from_iter(report.generations.clone());
        let expected = [("Hill", 1), ("Jaquez", 8), ("Smith", u64::MAX)];
        assert_eq!(generations, expected.map(|(name, g)| (name.into(), g)));
        assert_eq!(report.greatest_own_generation("Hill"), Some(40));
        assert_eq!(report.greatest_own_generation("Smith"), Some(u64::MAX));
    });
}

#[test]
fn synced_writes_survive_an_orderly_end() {
    on_each_disk(|disk| {
        let (commits, mut expected) = commits();
        for writes in &commits {
            let mut store = disk.open();
            load(&mut *store).unwrap();
            store.commit(writes).unwrap();
            store.sync().unwrap();
        }
        let mut store = disk.open();
        assert_eq!(load(&mut *store).unwrap().0, expected);
        let more = [Write::Floor { time_ns: i64::MAX }];
        store.commit(&more).unwrap();
        drop(store);
        expected.apply(&more);
        assert_eq!(load(&mut *disk.open()).unwrap().0, expected);
    });
}

#[test]
fn a_store_is_not_written_to_before_it_was_checked() {
    on_each_disk(|disk| {
        let mut store = disk.open();
        let error = store.commit(&[put(0, b"x")]).unwrap_err();
        assert!(matches!(error, StoreError::NotLoaded), "{error}");
        load(&mut *store).unwrap();
        store.commit(&[]).unwrap();
        store.commit(&[put(0, b"x")]).unwrap();
    });
}

/// One such write ended the store of every server for good, where the modelled one took it.
#[test]
fn an_impossible_write_is_refused_and_changes_nothing() {
    on_each_disk(|disk| {
        let mut store = disk.open();
        load(&mut *store).unwrap();
        let put_of = |server: &str| Write::Put {
            incarnation: incarnation(server, 1),
            slot: herd_crdt::SlotId(0),
            version: 7,
            group: b"group"[..].into(),
        };
        let (longest, too_long) = ("n".repeat(64), "n".repeat(65));
        for server in ["", &too_long] {
            let refused = store.commit(&[put(1, b"with it"), put_of(server)]);
            assert!(matches!(refused, Err(StoreError::InvalidWrite(_))));
        }
        // A server of such a name was never there, and can be forgotten.
        let forget = Write::Forget {
            incarnation: incarnation(&too_long, 1),
        };
        let good = [put(0, b"good"), put_of(&longest), forget];
        store.commit(&good).unwrap();
        store.sync().unwrap();
        drop(store);
        let mut expected = Model::default();
        expected.apply(&good);
        assert_eq!(load(&mut *disk.open()).unwrap().0, expected);
    });
}
