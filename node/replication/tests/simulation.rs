//! A whole herd in one process, under virtual time: real map, publisher, pacer, receiver, adoption,
//! acknowledgements and writer, on links and disks that fail. One seed decides what clients report and
//! what goes wrong. `docs/testing.md` explains it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that goes wrong panics"
)]

mod simulation {
    mod bugs;
    mod checkers;
    mod clock;
    mod erasing;
    mod fate;
    mod faults;
    mod growing;
    mod herd;
    mod ledger;
    mod marks;
    mod network;
    mod operation;
    mod process;
    mod promise;
    mod pump;
    mod regressions;
    mod repeats;
    mod run;
    mod scenario;
    mod seeds;
    mod trace;
    mod word;
    mod workload;
}
