//! Whose folder it is, and that one process uses it at a time.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use herd_clock::clock::WallClock;
use herd_storage::{DataFolder, DataFolderError, Store};

use crate::model::{Model, load, put};
use crate::on_disk;

#[test]
fn one_process_at_a_time_and_nobody_else_reads() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b");
    let folder = DataFolder::open(&path, "Hill", "test").unwrap();
    let mode = |name: &str| {
        let metadata = fs::metadata(path.join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(""), 0o700);
    assert_eq!((mode("lock"), mode("identity.json")), (0o600, 0o600));
    let error = DataFolder::open(&path, "Hill", "test").unwrap_err();
    let expected = format!(
        "the data folder {} is in use by another process (process {}); stop that one first, or \
         give each server a folder of its own",
        fs::canonicalize(&path).unwrap().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    drop(folder);
    DataFolder::open(&path, "Hill", "test").unwrap();
}

#[test]
fn another_server_or_cluster_is_refused_and_both_are_named() {
    let folder = tempfile::tempdir().unwrap();
    drop(DataFolder::open(folder.path(), "Hill", "test").unwrap());
    let other = DataFolder::open(folder.path(), "Smith", "test").unwrap_err();
    let text = other.to_string();
    assert!(
        text.contains("belongs to server \"Hill\", and this is \"Smith\""),
        "{text}"
    );
    let other = DataFolder::open(folder.path(), "Hill", "live").unwrap_err();
    let text = other.to_string();
    assert!(
        text.contains("belongs to cluster \"test\", and this is \"live\""),
        "{text}"
    );
}

#[test]
fn a_newer_format_and_a_garbled_identity_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(DataFolder::open(folder.path(), "Hill", "test").unwrap());
    let identity = folder.path().join("identity.json");
    let newer = r#"{"format":2,"name":{"of":"another shape"}}"#;
    fs::write(&identity, newer).unwrap();
    let error = DataFolder::open(folder.path(), "Hill", "test").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("written by a newer version of herd (format 2;")
    );
    for garbled in ["", "{", "{\"format\":1}", "{\"format\":0}", "\0\0\0"] {
        fs::write(&identity, garbled).unwrap();
        let error = DataFolder::open(folder.path(), "Hill", "test").unwrap_err();
        assert!(matches!(error, DataFolderError::Garbled { .. }), "{error}");
        assert_eq!(fs::read_to_string(&identity).unwrap(), garbled);
    }
}

/// 2018-03-02 20:52:14 UTC and a bit.
struct Clock;

impl WallClock for Clock {
    fn now_ns(&self) -> i64 {
        1_520_023_934_900_000_000
    }
}

#[test]
fn a_store_is_set_aside_and_a_new_one_takes_its_place() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let nothing = DataFolder::set_aside(&path, &Clock).unwrap_err();
    assert!(matches!(nothing, DataFolderError::NotADataFolder { .. }));
    drop(DataFolder::open(&path, "Hill", "test").unwrap());
    let nothing = DataFolder::set_aside(&path, &Clock).unwrap_err();
    assert!(
        matches!(nothing, DataFolderError::NoStore { .. }),
        "{nothing}"
    );

    let path = fs::canonicalize(&path).unwrap();
    for number in 0..2 {
        let mut store = on_disk::open(&path).unwrap();
        assert_eq!(load(&mut store).unwrap().0, Model::default());
        store.commit(&[put(number, b"x")]).unwrap();
        store.sync().unwrap();
        let in_use = DataFolder::set_aside(&path, &Clock).unwrap_err();
        assert!(matches!(in_use, DataFolderError::InUse { .. }), "{in_use}");
        drop(store);
        let aside = DataFolder::set_aside(&path, &Clock).unwrap();
        let name = [
            "store.set-aside-20180302T205214Z",
            "store.set-aside-20180302T205214Z-1",
        ];
        assert_eq!(aside, path.join(name[number as usize]));
        assert!(aside.join("watermark").is_file());
    }
    let other = DataFolder::open(&path, "Smith", "test").unwrap_err();
    assert!(
        matches!(other, DataFolderError::OtherServer { .. }),
        "{other}"
    );
}
