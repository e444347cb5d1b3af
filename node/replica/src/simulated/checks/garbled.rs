//! Nobody claims to have merged a group that nobody can read, nor anything behind it.

use crate::incarnation::Incarnation;
use crate::report::Applied;

/// What is wrong with what a server reports of an incarnation, of which `first_garbled` is the version of the first group
/// in its copy that cannot be read.
pub(in super::super) fn overreported(
    incarnation: &Incarnation,
    applied: Applied,
    first_garbled: Option<u64>,
) -> Option<String> {
    let first_garbled = first_garbled.filter(|version| applied.merged >= *version)?;
    let merged = applied.merged;
    Some(format!(
        "{incarnation} is reported as merged up to {merged}, with a garbled group at {first_garbled}"
    ))
}

#[test]
fn a_report_beyond_a_garbled_group_is_found() {
    let hill = Incarnation {
        server: "Hill".into(),
        generation: 1,
    };
    let of = |merged, first| {
        let applied = Applied { merged, durable: 0 };
        overreported(&hill, applied, first).is_some()
    };
    assert!(!of(7, None));
    assert!(!of(7, Some(8)));
    assert!(of(8, Some(8)));
}
