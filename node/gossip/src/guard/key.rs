//! Which keys a server may publish.

use super::bounds::KEY_BYTES_MAX;

/// Slots are keys with this prefix and eight hexadecimal digits.
pub const SLOT_PREFIX: &str = "slot/";

/// The key that names the incarnations whose copies a server has buried.
pub const BURIED_KEY: &str = "buried";

/// The key that tells how a server's links are.
pub const LINKS_KEY: &str = "links";

/// The key that says that [`SETTLEMENT_KEY`] will be told. Its value is the newest version of the group format that the
/// server reads.
pub const TOLD_KEY: &str = "settlement/told";

/// The key that tells whether somebody live publishes all that a server holds.
pub const SETTLEMENT_KEY: &str = "settlement";

/// Whether this version or a later one may set such a key: lower-case letters, digits and `/_-`, a letter
/// first; and a slot is written in one way only, since two keys for one slot would overwrite each other
/// in the store. Every key of a later version keeps to this.
pub(super) fn is_key(key: &str) -> bool {
    if let Some(digits) = key.strip_prefix(SLOT_PREFIX) {
        return digits.len() == 8
            && digits
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    }
    key.len() <= KEY_BYTES_MAX
        && key.starts_with(|first: char| first.is_ascii_lowercase())
        && key
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'/' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_this_version_and_of_later_ones_are_keys() {
        let longest = "k".repeat(KEY_BYTES_MAX);
        for key in ["slot/00000000", "slot/ffffffff", BURIED_KEY, LINKS_KEY] {
            assert!(is_key(key), "{key}");
        }
        for key in [TOLD_KEY, SETTLEMENT_KEY] {
            assert!(is_key(key), "{key}");
        }
        for key in ["a", "slots", "shard_2/slot-9", &longest] {
            assert!(is_key(key), "{key}");
        }
    }

    #[test]
    fn others_are_none() {
        let too_long = "k".repeat(KEY_BYTES_MAX + 1);
        let keys = [
            "",
            "slot/",
            "slot/0",
            "slot/0000000A",
            "slot/+0000001",
            "slot/000000000",
            "Buried",
            "0",
            "/slot",
            "a b",
            "a\n",
            "\u{e9}",
            &too_long,
        ];
        for key in keys {
            assert!(!is_key(key), "{key:?}");
        }
    }
}
