//! Data folders of format version 1, the first: a folder that it made is read by every later one.

use std::path::Path;

use bytes::Bytes;
use herd_crdt::SlotId;
use herd_storage::Write;

use crate::model::{Model, incarnation, noise, put};
use crate::on_disk;

/// The content of the folder when it was made, by the first release with this format.
fn writes() -> Vec<Write> {
    let of_jaquez = |slot, group: &[u8]| Write::Put {
        incarnation: incarnation("Jaquez", 0x0162_0000_0000_7abc),
        slot: SlotId(slot),
        version: 7,
        group: Bytes::copy_from_slice(group),
    };
    vec![
        put(0, &noise(1, 200)),
        put(1, b""),
        of_jaquez(7, b"\x01\x00\x00"),
        of_jaquez(u32::MAX, &noise(2, 50)),
        Write::Floor { time_ns: -1 },
        Write::Generation {
            generation: 0x0162_0000_0000_8000,
        },
    ]
}

#[test]
fn a_folder_of_version_1_is_read() {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storage/data-of-version-1");
    let folder = tempfile::tempdir().unwrap();
    on_disk::copy(&made, folder.path());
    let mut expected = Model::default();
    expected.apply(&writes());
    let (found, report) = on_disk::open_and_load(folder.path()).unwrap();
    assert_eq!(found, expected);
    assert_eq!(report.torn_tail_bytes, 0);
}
