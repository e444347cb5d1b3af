//! Rights that tests need and that not every machine gives.

use std::io::Write as _;

/// Makes it a failure that this user may not mount disks.
const REQUIRE_ROOT: &str = "HERD_REQUIRE_ROOT";

/// Whether a variable says that something must be there: it is `1`.
pub fn required(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value == "1")
}

/// Prints that a test, or a part of one, is left out because it needs root, even where the test runner hides the
/// output of tests that pass. With `HERD_REQUIRE_ROOT=1` it fails the test instead.
pub fn left_out_without_root(what: &str, reason: &str) {
    if required(REQUIRE_ROOT) {
        panic!("no {what}: {reason}; and {REQUIRE_ROOT}=1 says that it must be possible");
    }
    // Not `eprintln!`, which the test runner catches.
    let _ = writeln!(
        std::io::stderr(),
        "left out: {what}, which only root can have: {}",
        reason.trim()
    );
}
