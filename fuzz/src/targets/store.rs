//! The parts of a store that are read before a server trusts them: a damaged disk can return any bytes.

use bytes::Bytes;
use herd_storage::fjall_store::journal::read_journals;
use herd_storage::fjall_store::layout::{
    Meta, group_key, group_value, parse_group_key, parse_group_value,
};
use herd_storage::fjall_store::watermark::Watermark;

/// The first byte gives the meaning of the rest.
pub(super) fn run(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    match choice % 4 {
        0 => keys_and_values(bytes),
        1 => {
            if let Some(meta) = Meta::decode(bytes) {
                assert_eq!(Meta::decode(&meta.encode()), Some(meta));
            }
        }
        2 => journal(bytes),
        _ => watermark(bytes),
    }
}

fn keys_and_values(bytes: &[u8]) {
    if let Some((incarnation, slot)) = parse_group_key(bytes) {
        assert_eq!(group_key(&incarnation, slot).as_deref(), Some(bytes));
    }
    if let Some((version, group)) = parse_group_value(&Bytes::copy_from_slice(bytes)) {
        assert_eq!(group_value(version, &group), bytes);
    }
}

fn journal(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("0.jnl"), bytes).expect("a file");
    let Ok(journals) = read_journals(folder.path()) else {
        return;
    };
    if let Some(torn) = journals.torn_tail {
        assert!(torn.torn_bytes > 0);
        assert!(torn.whole_bytes + torn.torn_bytes <= bytes.len() as u64);
    }
}

fn watermark(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("a file");
    let watermark = Watermark::open(file.path()).expect("a file that can be read");
    assert!(watermark.is_none() || bytes.len() >= 32);
}
