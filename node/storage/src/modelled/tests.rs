//! The losses of a modelled disk, and the data that it keeps.

use bytes::Bytes;
use herd_crdt::SlotId;

use super::*;
use crate::{Store, StoreError, StoredGroup};
use herd_topology::Incarnation;

fn put(slot: u32) -> Vec<Write> {
    vec![Write::Put {
        incarnation: Incarnation {
            server: "Hill".into(),
            generation: 1,
        },
        slot: SlotId(slot),
        version: 0,
        group: Bytes::from_static(b"group"),
    }]
}

/// A disk with slots 0 and 1 synced, and 2 to 9 committed.
fn disk() -> (ModelledDisk, ModelledStore) {
    let disk = ModelledDisk::new();
    let mut store = disk.open();
    store.load(&mut |_| {}).unwrap();
    store.commit(&put(0)).unwrap();
    store.commit(&put(1)).unwrap();
    store.sync().unwrap();
    for slot in 2..10 {
        store.commit(&put(slot)).unwrap();
    }
    (disk, store)
}

fn slots(disk: &ModelledDisk) -> Vec<u32> {
    let mut found = Vec::new();
    let mut each = |stored: StoredGroup| found.push(stored.slot.0);
    disk.open().load(&mut each).unwrap();
    found
}

fn slots_after(crash: Crash) -> Vec<u32> {
    let (disk, mut store) = disk();
    disk.crash(crash);
    assert!(matches!(store.sync(), Err(StoreError::Crashed)));
    slots(&disk)
}

#[test]
fn the_end_of_the_process_loses_nothing_that_was_committed() {
    assert_eq!(slots_after(Crash::Process), Vec::from_iter(0..10));
}

#[test]
fn a_loss_of_power_keeps_a_prefix_of_unsynced_writes() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let kept = slots_after(Crash::Tear { seed });
        assert_eq!(kept, slots_after(Crash::Tear { seed }), "same seed");
        assert_eq!(kept, Vec::from_iter(0..kept.len() as u32));
        lengths.insert(kept.len());
    }
    assert_eq!(Vec::from_iter(lengths), Vec::from_iter(2..=10));
}

#[test]
fn a_reordering_disk_keeps_any_of_the_unsynced_writes() {
    let mut holes = 0;
    for seed in 0..100 {
        let kept = slots_after(Crash::Reorder { seed });
        assert_eq!(kept, slots_after(Crash::Reorder { seed }), "same seed");
        assert_eq!(kept[..2], [0, 1]);
        holes += u32::from(kept != Vec::from_iter(0..kept.len() as u32));
    }
    assert!(holes > 50, "{holes} of 100 left holes");
}

#[test]
fn writes_that_survived_a_loss_survive_the_next() {
    let (disk, _store) = disk();
    disk.crash(Crash::Reorder { seed: 7 });
    let kept = slots(&disk);
    disk.crash(Crash::Tear { seed: 8 });
    assert_eq!(slots(&disk), kept);
}

#[test]
fn a_wiped_disk_is_empty_and_good_again() {
    let (disk, mut store) = disk();
    disk.fail_sync();
    assert!(store.sync().is_err());
    assert!(disk.open().load(&mut |_| {}).unwrap_err().is_damage());
    disk.crash(Crash::Wipe);
    assert!(slots(&disk).is_empty());
}

#[test]
fn what_was_overwritten_is_on_the_disk_until_a_purge() {
    let (disk, mut store) = disk();
    let group = |text: &'static str| {
        let mut writes = put(0);
        if let Write::Put { group, .. } = &mut writes[0] {
            *group = Bytes::from_static(text.as_bytes());
        }
        writes
    };
    let holds = |text: &str| disk.all_groups().iter().any(|group| *group == text);
    store.commit(&group("earlier")).unwrap();
    store.commit(&group("later")).unwrap();
    assert!(holds("earlier") && holds("later"));
    let (reply, _end) = crate::purging();
    store.commit(&[Write::Filler, Write::Purge(reply)]).unwrap();
    assert!(holds("earlier"), "the journal is too short to go");
    let (reply, _end) = crate::purging();
    let mut writes = vec![Write::Filler; crate::FILLERS];
    writes.push(Write::Purge(reply));
    store.commit(&writes).unwrap();
    assert!(!holds("earlier") && holds("later"));
}
