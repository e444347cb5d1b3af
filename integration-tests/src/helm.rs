//! Helm, to render a chart by its own code.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::rights::required;

/// Makes a missing Helm a failure.
const REQUIRE: &str = "HERD_REQUIRE_HELM";

/// Names the Python that has the package `helm_python`.
const PYTHON: &str = "HERD_HELM_PYTHON";

/// The Python that has Helm, unless tests with it have to be left out. Prints this, even where the test runner hides the
/// output of tests that pass. With `HERD_REQUIRE_HELM=1` it fails the test instead.
pub fn python() -> Option<PathBuf> {
    let python = std::env::var_os(PYTHON).map_or("python3".into(), PathBuf::from);
    let mut command = Command::new(&python);
    command.args(["-c", "import helm_python"]);
    let looked = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if looked.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    let missing = format!("Helm (PyPI: helm-python-sdk; {PYTHON} names a Python that has it)");
    if required(REQUIRE) {
        panic!("there is no {missing}, and {REQUIRE}=1 says that there must be");
    }
    // Not `eprintln!`, which the test runner catches.
    let _ = writeln!(
        std::io::stderr(),
        "tests of the chart are left out: there is no {missing}"
    );
    None
}
