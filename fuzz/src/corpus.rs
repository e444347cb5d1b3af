//! The inputs that a target starts from.

use std::path::Path;

/// The files below `fuzz/corpus/TARGET`, by name; with an empty input, always.
#[must_use]
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let mut paths: Vec<_> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) => panic!("no corpus in {}: {error}", folder.display()),
    };
    paths.sort();
    let mut inputs = vec![Vec::new()];
    for path in paths {
        match std::fs::read(&path) {
            Ok(bytes) => inputs.push(bytes),
            Err(error) => panic!("cannot read {}: {error}", path.display()),
        }
    }
    inputs
}
