//! Records and other inputs that the property tests share.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher};

use herd_crdt::{
    CLIENT_ID_BYTES_MAX, LocationMap, NANOSECONDS_PER_SECOND, Record, ReportTime,
    SERVER_NAME_BYTES_MAX, is_blank,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// How many cases a property is tried with. Miri takes some hundred times as long for each, so it is given few: it looks
/// at how memory is used, which differs little from case to case.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let cases = if cfg!(miri) { 2 } else { usual };
    ProptestConfig::with_cases(cases)
}

/// A hasher that gives only as many hashes as the mask lets through, so that clients collide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masked(pub(crate) u64);

/// See [`Masked`].
pub(crate) struct MaskedHasher {
    inner: DefaultHasher,
    mask: u64,
}

impl BuildHasher for Masked {
    type Hasher = MaskedHasher;

    fn build_hasher(&self) -> MaskedHasher {
        MaskedHasher {
            inner: DefaultHasher::new(),
            mask: self.0,
        }
    }
}

impl Hasher for MaskedHasher {
    fn finish(&self) -> u64 {
        self.inner.finish() & self.mask
    }

    fn write(&mut self, bytes: &[u8]) {
        self.inner.write(bytes);
    }
}

/// Every hash of its own, a few hashes, one hash for all.
pub(crate) fn hashers() -> impl Strategy<Value = Masked> {
    select(vec![Masked(u64::MAX), Masked(3), Masked(0)])
}

/// The records of a map, in the order of client IDs.
pub(crate) fn contents(map: &LocationMap<Masked>) -> BTreeMap<Vec<u8>, Record> {
    let contents: BTreeMap<_, _> = map
        .records()
        .map(|record| (record.client().to_vec(), record.clone()))
        .collect();
    assert_eq!(contents.len(), map.len(), "a client has two entries");
    let tombstones = contents.values().filter(|record| record.is_tombstone());
    assert_eq!(tombstones.count(), map.tombstones());
    contents
}

/// A record and the parts that it was made of, for oracles that do not ask the record.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) record: Record,
    pub(crate) client: Vec<u8>,
    pub(crate) time_ns: i64,
    pub(crate) time: String,
    pub(crate) server: String,
    /// `None` for a tombstone.
    pub(crate) location: Option<String>,
    pub(crate) received_ns: i64,
}

/// One instant, in the ways that a client might write it. Two ways differ in their bytes, or are
/// the same.
pub(crate) fn write_time(ns: i64, plus: bool, leading_zeros: usize, padding: usize) -> String {
    let magnitude = i128::from(ns).abs();
    let second = i128::from(NANOSECONDS_PER_SECOND);
    let sign = match (ns < 0, plus) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    };
    let mut fraction = format!("{:09}", magnitude % second);
    let significant = fraction.trim_end_matches('0').len();
    fraction.truncate((significant + padding).min(9));
    let zeros = "0".repeat(leading_zeros);
    let whole = magnitude / second;
    if fraction.is_empty() {
        format!("{sign}{zeros}{whole}")
    } else {
        format!("{sign}{zeros}{whole}.{fraction}")
    }
}

/// Records of three clients that tie in all the ways there are: equal times in other writings,
/// times 1 ns apart, equal servers, equal locations in other writings, clocks that differ, tombstones.
pub(crate) fn tying() -> impl Strategy<Value = Made> {
    (
        select(vec!["kiwi", "k", "fig"]),
        (
            select(vec![0, 1, 2, -1, 1_500_000_000, 1_500_000_001]),
            any::<bool>(),
            0..2_usize,
            0..3_usize,
        ),
        select(vec!["Hill", "Hil", "Smith"]),
        select(vec![
            Some("+1+1"),
            Some("+1.0+1"),
            Some("+01+1"),
            Some("+1-1"),
            Some("-0-0"),
            None,
            None,
        ]),
        -1..=1_i64,
    )
        .prop_map(
            |(client, (time_ns, plus, zeros, padding), server, location, received_ns)| {
                let time = match location {
                    Some(_) => write_time(time_ns, plus, zeros, padding),
                    None => ReportTime::of_ns(time_ns).to_text(),
                };
                make(
                    client.as_bytes(),
                    time_ns,
                    time,
                    server,
                    location,
                    received_ns,
                )
            },
        )
}

fn make(
    client: &[u8],
    time_ns: i64,
    time: String,
    server: &str,
    location: Option<&str>,
    received_ns: i64,
) -> Made {
    let record = match location {
        Some(location) => Record::new(
            client,
            location.as_bytes(),
            time.as_bytes(),
            server.into(),
            received_ns,
        ),
        None => {
            let time = ReportTime::of_ns(time_ns);
            Record::tombstone(client, time, server.into(), received_ns)
        }
    };
    Made {
        record: record.unwrap(),
        client: client.to_vec(),
        time_ns,
        time,
        server: server.to_owned(),
        location: location.map(str::to_owned),
        received_ns,
    }
}

/// Client IDs of any bytes, mostly short, sometimes as long as they may be.
fn client_ids() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("blank", |&byte| !is_blank(byte));
    prop_oneof![
        8 => vec(byte.clone(), 1..40),
        1 => (byte, 1..=CLIENT_ID_BYTES_MAX).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn degrees(limit: u32) -> impl Strategy<Value = String> {
    (any::<bool>(), 0..limit, "(\\.[0-9]{1,20})?", 0..3_usize).prop_map(
        |(negative, whole, fraction, zeros)| {
            let sign = if negative { '-' } else { '+' };
            format!("{sign}{}{whole}{fraction}", "0".repeat(zeros))
        },
    )
}

/// Any valid record.
pub(crate) fn any_record() -> impl Strategy<Value = Made> {
    (
        client_ids(),
        (any::<i64>(), any::<bool>(), 0..10_usize, 0..9_usize),
        vec(0x21..=0x7e_u8, 1..=SERVER_NAME_BYTES_MAX),
        (degrees(90), degrees(180)),
        any::<i64>(),
    )
        .prop_map(
            |(client, (time_ns, plus, zeros, padding), server, location, received_ns)| {
                let time = write_time(time_ns, plus, zeros, padding);
                let server = String::from_utf8(server).unwrap();
                let location = format!("{}{}", location.0, location.1);
                make(
                    &client,
                    time_ns,
                    time,
                    &server,
                    Some(&location),
                    received_ns,
                )
            },
        )
}
