//! Numbers of JSON as the one decimal text that herd keeps of them.

/// The longest text of a number, in bytes: as long as a location may be.
const TEXT_BYTES_MAX: usize = 64;

/// The shortest decimal of a number, without an exponent: `34.068930` and `3.406893e1` are `34.06893`. Nothing passes
/// through a double, so no digit is lost. `None` if it is no number, or its text would be longer than
/// 64 bytes.
#[must_use]
pub(super) fn canonical(number: &[u8]) -> Option<String> {
    let (is_negative, rest) = match number.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, number),
    };
    let exponent_at = rest.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = match exponent_at {
        Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let dot = mantissa.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match dot {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if !is_digits(whole) || dot.is_some() && !is_digits(fraction) {
        return None;
    }
    let digits = whole.iter().chain(fraction).copied();
    let leading = digits.clone().take_while(|&digit| digit == b'0').count();
    let trailing = digits.clone().rev().take_while(|&digit| digit == b'0');
    let count = whole.len() + fraction.len();
    if leading == count {
        return Some("0".to_owned());
    }
    let significant = count - leading - trailing.count();
    // Where the dot is, counted from the first digit that is not 0.
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + exponent;
    let digits = digits.skip(leading).take(significant).map(char::from);
    written(is_negative, digits, significant, point)
}

/// The same with a sign in any case, as locations have it.
#[must_use]
pub(super) fn canonical_signed(number: &[u8]) -> Option<String> {
    let text = canonical(number)?;
    Some(match text.starts_with('-') {
        true => text,
        false => format!("+{text}"),
    })
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Beyond some digits the text is too long in any case.
    let value: i64 = str::from_utf8(digits)
        .ok()?
        .parse()
        .unwrap_or(i64::from(i32::MAX));
    let value = value.min(i64::from(i32::MAX));
    Some(if is_negative { -value } else { value })
}

fn written(
    is_negative: bool,
    digits: impl Iterator<Item = char> + Clone,
    significant: usize,
    point: i64,
) -> Option<String> {
    let longest = TEXT_BYTES_MAX as i64;
    if significant > TEXT_BYTES_MAX || !(-longest..=longest).contains(&point) {
        return None;
    }
    let mut text = String::with_capacity(TEXT_BYTES_MAX);
    if is_negative {
        text.push('-');
    }
    let zeros = |text: &mut String, count: i64| (0..count).for_each(|_| text.push('0'));
    if point <= 0 {
        text.push_str("0.");
        zeros(&mut text, -point);
        text.extend(digits);
    } else {
        let whole = usize::try_from(point).ok()?;
        text.extend(digits.clone().take(whole));
        zeros(&mut text, point - significant as i64);
        if whole < significant {
            text.push('.');
            text.extend(digits.skip(whole));
        }
    }
    (text.len() <= TEXT_BYTES_MAX).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_has_one_text() {
        for (number, text) in [
            ("34.06893", "34.06893"),
            ("34.068930", "34.06893"),
            ("3.406893e1", "34.06893"),
            ("340689300E-7", "34.06893"),
            ("-118.445127", "-118.445127"),
            ("+1", "1"),
            ("0", "0"),
            ("-0.00", "0"),
            ("0e999999999999999999999", "0"),
            ("007.50", "7.5"),
            ("1e3", "1000"),
            ("1.5e3", "1500"),
            ("1e-7", "0.0000001"),
            ("0.10", "0.1"),
            ("1520023934.918963997", "1520023934.918963997"),
        ] {
            assert_eq!(
                canonical(number.as_bytes()).as_deref(),
                Some(text),
                "{number}"
            );
        }
        for number in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "1e",
            "1e+",
            "e1",
            "1e1.5",
            "nan",
            "0x1",
            "1 ",
            "--1",
            "1.2.3",
            "1e64",
            "1e-63",
            "1e9999999999",
        ] {
            assert_eq!(canonical(number.as_bytes()), None, "{number}");
        }
    }

    #[test]
    fn a_coordinate_has_a_sign() {
        assert_eq!(canonical_signed(b"34.0").as_deref(), Some("+34"));
        assert_eq!(canonical_signed(b"-0").as_deref(), Some("+0"));
        assert_eq!(canonical_signed(b"-118.50").as_deref(), Some("-118.5"));
    }

    proptest! {
        #[test]
        fn a_double_is_its_own_shortest_text(degrees in -180.0..180.0_f64) {
            let json = serde_json::to_string(&degrees).unwrap();
            let text = canonical(json.as_bytes()).unwrap();
            prop_assert_eq!(&text, &degrees.to_string());
            prop_assert_eq!(canonical(text.as_bytes()), Some(text));
        }

        #[test]
        fn any_bytes_are_a_number_or_none(bytes: Vec<u8>) {
            if let Some(text) = canonical(&bytes) {
                prop_assert!(text.len() <= TEXT_BYTES_MAX);
                prop_assert_eq!(canonical(text.as_bytes()), Some(text));
            }
        }

        #[test]
        fn a_text_has_the_value_of_its_number(number in "-?[0-9]{1,8}(\\.[0-9]{1,8})?(e-?[0-9]{1,2})?") {
            if let Some(text) = canonical(number.as_bytes()) {
                let (own, given): (f64, f64) = (text.parse().unwrap(), number.parse().unwrap());
                prop_assert_eq!(own, given);
            }
        }
    }
}
