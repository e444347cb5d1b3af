//! Online providers against stand-ins on loopback.

#![expect(clippy::unwrap_used, reason = "a test that goes wrong panics")]

mod stand_in;

mod places {
    mod answers;
    mod asking;
    mod cache;
    mod faults;
    mod limits;
}
