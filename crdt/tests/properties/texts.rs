//! The parsers of decimals, locations and times agree with plainer ones, and take any bytes.

use herd_crdt::decimal::{Decimal, whole_number};
use herd_crdt::{
    InvalidLocation, InvalidTime, LOCATION_BYTES_MAX, Location, REPORT_TIME_BYTES_MAX, ReportTime,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategies::cases;

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits before the dot and after it; by splitting, where the parser scans.
fn split_decimal(text: &str) -> Option<(&str, &str)> {
    match text.split_once('.') {
        None => all_digits(text).then_some((text, "")),
        Some((whole, fraction)) => {
            (all_digits(whole) && all_digits(fraction)).then_some((whole, fraction))
        }
    }
}

/// Compares by length and bytes, without leading zeros.
fn at_most(whole: &str, fraction: &str, limit: u32) -> bool {
    let whole = whole.trim_start_matches('0');
    let limit = limit.to_string();
    let limit = limit.trim_start_matches('0');
    match whole.len().cmp(&limit.len()).then(whole.cmp(limit)) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal => fraction.trim_start_matches('0').is_empty(),
        std::cmp::Ordering::Greater => false,
    }
}

fn expected_location(text: &[u8]) -> Result<(f64, f64), InvalidLocation> {
    if text.len() > LOCATION_BYTES_MAX {
        return Err(InvalidLocation::TooLong);
    }
    let malformed = InvalidLocation::Malformed;
    let text = str::from_utf8(text).map_err(|_| malformed)?;
    let split = text.rfind(['+', '-']).ok_or(malformed)?;
    let mut degrees = [0.0; 2];
    let mut in_range = true;
    for (i, (part, limit)) in [(&text[..split], 90), (&text[split..], 180)]
        .into_iter()
        .enumerate()
    {
        let magnitude = part.strip_prefix(['+', '-']).ok_or(malformed)?;
        let (whole, fraction) = split_decimal(magnitude).ok_or(malformed)?;
        in_range &= at_most(whole, fraction, limit);
        degrees[i] = part.parse().map_err(|_| malformed)?;
    }
    if in_range {
        Ok((degrees[0], degrees[1]))
    } else {
        Err(InvalidLocation::OutOfRange)
    }
}

fn expected_time(text: &[u8]) -> Result<i64, InvalidTime> {
    if text.len() > REPORT_TIME_BYTES_MAX {
        return Err(InvalidTime::TooLong);
    }
    let malformed = InvalidTime::Malformed;
    let text = str::from_utf8(text).map_err(|_| malformed)?;
    let magnitude = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = split_decimal(magnitude).ok_or(malformed)?;
    if fraction.len() > 9 {
        return Err(malformed);
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    format!("{sign}{whole}{fraction:0<9}")
        .parse()
        .map_err(|_| InvalidTime::OutOfRange)
}

/// Texts that are numbers or nearly so.
fn number_like() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{0,3}\\.?[0-9]{0,3}",
        "0{0,30}[0-9]{0,4}(\\.[0-9]{0,30})?",
        "[0-9.+\\-eE_ /:]{0,12}",
        "[0-9]{15,25}(\\.[0-9]{1,3})?",
    ]
}

fn location_like() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[+-][0-9]{1,2}(\\.[0-9]{1,9})?[+-][0-9]{1,3}(\\.[0-9]{1,9})?".prop_map(String::into_bytes),
        "[+-](90|89|0{1,20}90|91)(\\.0{0,20}[01])?[+-](180|179|181)(\\.0{0,20}[01])?"
            .prop_map(String::into_bytes),
        "[+-]?[0-9.]{0,5}[+-]?[0-9.]{0,5}[/+ ]?".prop_map(String::into_bytes),
        "[+-]0{20,40}[+-]0{20,40}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..80),
    ]
}

fn time_like() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[+-]?[0-9]{1,11}(\\.[0-9]{1,10})?".prop_map(String::into_bytes),
        "[+-]?0{0,20}922337203[5-7]\\.85477580[0-9]".prop_map(String::into_bytes),
        number_like().prop_map(String::into_bytes),
        "[0-9]{36,42}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..50),
    ]
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn decimals(text in number_like(), limit in prop_oneof![0..400_u32, any::<u32>()]) {
        let parsed = Decimal::parse(text.as_bytes());
        let expected = split_decimal(&text);
        prop_assert_eq!(
            parsed.map(|decimal| (decimal.whole, decimal.fraction)),
            expected.map(|(whole, fraction)| (whole.as_bytes(), fraction.as_bytes()))
        );
        if let (Some(decimal), Some((whole, fraction))) = (parsed, expected) {
            prop_assert_eq!(decimal.is_at_most(limit), at_most(whole, fraction, limit));
            prop_assert_eq!(decimal.is_zero(), at_most(whole, fraction, 0));
            let double: f64 = text.parse().unwrap();
            prop_assert_eq!(decimal.to_f64().to_bits(), double.to_bits());
        }
    }

    #[test]
    fn a_decimal_at_its_limit(limit: u32, zeros in 0..30_usize, fraction in "0{0,25}[0-9]?") {
        let text = format!("{}{limit}.{fraction}0", "0".repeat(zeros));
        let decimal = Decimal::parse(text.as_bytes()).unwrap();
        let whole = fraction.bytes().all(|digit| digit == b'0');
        prop_assert_eq!(decimal.is_at_most(limit), whole);
    }

    #[test]
    fn whole_numbers(text in prop_oneof!["[0-9]{1,22}", "0{20}[0-9]{1,20}", "[0-9/:a]{1,4}"]) {
        prop_assert_eq!(whole_number(text.as_bytes()), text.parse().ok());
    }

    #[test]
    fn a_prefix_and_its_rest_are_the_input(bytes in vec(any::<u8>(), 0..20)) {
        let _ = whole_number(&bytes);
        if let Some((decimal, rest)) = Decimal::take(&bytes) {
            let dot: &[u8] = if decimal.fraction.is_empty() { b"" } else { b"." };
            prop_assert_eq!([decimal.whole, dot, decimal.fraction, rest].concat(), bytes);
        }
    }

    #[test]
    fn locations(text in location_like()) {
        let parsed = Location::parse(&text).map(|location| {
            let coordinates = location.coordinates();
            (coordinates.latitude_degrees, coordinates.longitude_degrees)
        });
        prop_assert_eq!(parsed, expected_location(&text));
    }

    #[test]
    fn times(text in time_like()) {
        prop_assert_eq!(ReportTime::parse(&text).map(ReportTime::ns), expected_time(&text));
    }

    #[test]
    fn every_time_that_fits_is_read_as_it_was_written(
        ns: i64, plus: bool, zeros in 0..10_usize, padding in 0..10_usize,
    ) {
        let text = crate::strategies::write_time(ns, plus, zeros, padding);
        prop_assert_eq!(ReportTime::parse(text.as_bytes()).map(ReportTime::ns), Ok(ns));
    }
}
