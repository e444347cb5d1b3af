//! Texts of slots to groups: a published group is read as the same, and the text of a peer takes no more memory than
//! the limit of a group.

use std::sync::OnceLock;

use herd_gossip::slot_value::{SlotValues, UNPACKED_BYTES_MAX};

pub(super) fn run(bytes: &[u8]) {
    static VALUES: OnceLock<SlotValues> = OnceLock::new();
    let values = VALUES.get_or_init(|| SlotValues::new().expect("memory for tables"));
    let text = String::from_utf8_lossy(bytes);
    if let Some(group) = values.group_of(&text) {
        assert!(group.len() <= UNPACKED_BYTES_MAX.max(text.len()));
    }
    let again = values.group_of(&values.text_of(bytes));
    assert_eq!(again.as_deref(), Some(bytes));
}
