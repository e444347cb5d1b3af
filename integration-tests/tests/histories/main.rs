//! Histories of herds of real processes, from seeds, and whether they may be so: `docs/testing.md`.

mod books;
mod ending;
mod nemesis;
mod reporters;
mod run;
mod seeds;
