//! Numbers in requests and replies.

use std::io::Write as _;

use super::error::InvalidRequest;

/// Reads a number as Redis does: no white space, no NaN.
pub(super) fn float(text: &[u8], wrong: InvalidRequest) -> Result<f64, InvalidRequest> {
    let text = std::str::from_utf8(text).ok();
    let number = text.and_then(|text| text.parse::<f64>().ok());
    number.filter(|number| !number.is_nan()).ok_or(wrong)
}

/// Reads a whole number.
pub(super) fn integer(text: &[u8], wrong: InvalidRequest) -> Result<i64, InvalidRequest> {
    let text = std::str::from_utf8(text).ok();
    // Rust takes a sign that Redis does not.
    let text = text.filter(|text| !text.starts_with('+'));
    text.and_then(|text| text.parse().ok()).ok_or(wrong)
}

/// Appends degrees with their sign, as a location has them. Plain decimals are taken over to the digit; other notations,
/// such as `1e-3`, become the shortest decimal of their double.
///
/// # Errors
/// If it is no number.
pub fn write_degrees(text: &[u8], out: &mut Vec<u8>) -> Result<(), InvalidRequest> {
    let (sign, digits) = match text.split_first() {
        Some((b'-', digits)) => (b'-', digits),
        Some((b'+', digits)) => (b'+', digits),
        _ => (b'+', text),
    };
    if is_decimal(digits) {
        out.push(sign);
        out.extend_from_slice(digits);
        return Ok(());
    }
    let number = float(text, InvalidRequest::NotFloat)?;
    if number.is_infinite() {
        // Out of every range.
        out.push(if number > 0.0 { b'+' } else { b'-' });
        out.extend_from_slice(b"999");
        return Ok(());
    }
    // Writing to a vector does not fail.
    let _ = write!(out, "{number:+}");
    Ok(())
}

/// Whether these are digits, maybe with a dot and more digits behind them.
fn is_decimal(text: &[u8]) -> bool {
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    parts.all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

/// The degrees of a location as a reply has them: without a plus, and without leading zeros. No digit is lost.
#[must_use]
pub fn decimal_text(degrees: &[u8]) -> Vec<u8> {
    let (is_negative, digits) = match degrees.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, degrees),
    };
    let whole = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let zeros = digits[..whole]
        .iter()
        .take_while(|&&byte| byte == b'0')
        .count();
    // One digit stays before the dot.
    let digits = &digits[zeros.min(whole.saturating_sub(1))..];
    let mut text = Vec::with_capacity(digits.len() + 1);
    if is_negative {
        text.push(b'-');
    }
    text.extend_from_slice(digits);
    text
}

/// The two parts of a location's text, with their signs: latitude and longitude.
#[must_use]
pub fn degrees_of(location: &[u8]) -> Option<(&[u8], &[u8])> {
    let behind_sign = location.get(1..)?;
    let second = behind_sign
        .iter()
        .position(|byte| matches!(byte, b'+' | b'-'))?;
    Some(location.split_at(second + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degrees(text: &str) -> Option<String> {
        let mut out = Vec::new();
        write_degrees(text.as_bytes(), &mut out).ok()?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn degrees_are_taken_over_to_the_digit() {
        for (text, written) in [
            ("13.361389", "+13.361389"),
            ("-0.50", "-0.50"),
            ("+007", "+007"),
            ("13.3613893389701841800001", "+13.3613893389701841800001"),
            ("1e1", "+10"),
            ("-1.5E-3", "-0.0015"),
            (".5", "+0.5"),
            ("5.", "+5"),
            ("inf", "+999"),
            ("-1e999", "-999"),
        ] {
            assert_eq!(degrees(text).as_deref(), Some(written), "{text}");
        }
        for text in [
            "", "x", "1 ", " 1", "nan", "1,5", "0x10", "--1", "1.2.3", "\u{661}",
        ] {
            assert_eq!(degrees(text), None, "{text}");
        }
    }

    #[test]
    fn a_reply_has_the_digits_of_the_report() {
        for (degrees, text) in [
            ("+086.5640", "86.5640"),
            ("-000.50", "-0.50"),
            ("+0", "0"),
            ("-118.445127", "-118.445127"),
            ("+00", "0"),
        ] {
            assert_eq!(decimal_text(degrees.as_bytes()), text.as_bytes());
        }
    }

    #[test]
    fn a_location_has_two_parts() {
        assert_eq!(degrees_of(b"-1.5+2"), Some((&b"-1.5"[..], &b"+2"[..])));
        assert_eq!(degrees_of(b"+1"), None);
        assert_eq!(degrees_of(b""), None);
    }

    #[test]
    fn whole_numbers_are_those_of_redis() {
        let read = |text: &str| integer(text.as_bytes(), InvalidRequest::NotInteger).ok();
        assert_eq!(
            (read("12"), read("-3"), read("0")),
            (Some(12), Some(-3), Some(0))
        );
        for text in ["", "1.0", "+1", " 1", "99999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
