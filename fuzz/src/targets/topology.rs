//! Texts to topologies: an accepted topology keeps the promises of the type.

use herd_topology::parse;

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match parse(text) {
        Ok(topology) => {
            assert!(!topology.servers().is_empty());
            for server in topology.servers() {
                assert!(topology.server(&server.name).is_some());
                for neighbour in topology.neighbours(&server.name) {
                    assert_ne!(neighbour.name, server.name);
                }
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}
