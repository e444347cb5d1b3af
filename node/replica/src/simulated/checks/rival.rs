//! A process ends for a later one of its name only if there is one: the last words of its predecessor are no sign of life.

/// A process has given way. In these herds no two processes of one name run at a time; `was_lied_to` says that somebody
/// made up that one does.
///
/// # Errors
/// There was nobody to give way to.
pub(in super::super) fn is_rival(server: &str, was_lied_to: bool) -> Result<(), String> {
    match was_lied_to {
        true => Ok(()),
        false => Err(format!("{server} gave way to nobody")),
    }
}

#[test]
fn to_give_way_without_a_lie_is_found() {
    assert_eq!(is_rival("Hill", true), Ok(()));
    assert!(is_rival("Hill", false).is_err());
}
