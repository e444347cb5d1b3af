//! Plain decimal numbers in bytes: digits, then maybe a dot and more digits.
//!
//! Numbers are compared as decimals and never pass through a double: `90.0000000000000000001` is
//! more than 90, which a double cannot tell.

/// An unsigned decimal, split at its dot. Both parts hold ASCII digits only; the whole part is never
/// empty, the fraction is empty when the text had no dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal<'a> {
    /// The digits before the dot, leading zeros and all.
    pub whole: &'a [u8],
    /// The digits after the dot.
    pub fraction: &'a [u8],
}

impl<'a> Decimal<'a> {
    /// Reads a decimal from the start of `bytes`; the second part is the bytes behind it.
    ///
    /// `None` if there is no digit before the dot, or a dot without a digit after it.
    #[must_use]
    pub fn take(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (whole, rest) = take_digits(bytes);
        if whole.is_empty() {
            return None;
        }
        let Some(after_dot) = rest.strip_prefix(b".") else {
            return Some((
                Decimal {
                    whole,
                    fraction: &[],
                },
                rest,
            ));
        };
        let (fraction, rest) = take_digits(after_dot);
        if fraction.is_empty() {
            return None;
        }
        Some((Decimal { whole, fraction }, rest))
    }

    /// Reads `bytes` as one decimal with nothing after it.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        match Self::take(bytes) {
            Some((decimal, [])) => Some(decimal),
            _ => None,
        }
    }

    /// Whether the number is at most `limit`, compared digit by digit.
    #[must_use]
    pub fn is_at_most(&self, limit: u32) -> bool {
        match whole_number(self.whole) {
            Some(whole) if whole < u64::from(limit) => true,
            Some(whole) if whole == u64::from(limit) => self.fraction.iter().all(|&d| d == b'0'),
            _ => false,
        }
    }

    /// Whether the number is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.whole.iter().chain(self.fraction).all(|&d| d == b'0')
    }

    /// The nearest double.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        let mut text = String::with_capacity(self.whole.len() + self.fraction.len() + 1);
        text.extend(self.whole.iter().map(|&d| char::from(d)));
        text.push('.');
        text.extend(self.fraction.iter().map(|&d| char::from(d)));
        // Digits, a dot and digits always parse; a number too large for a double is infinite.
        text.parse().unwrap_or(f64::INFINITY)
    }
}

/// The value of a run of ASCII digits, or `None` if it does not fit or something else is in it.
/// Leading zeros are fine, and no digits at all are zero.
#[must_use]
pub fn whole_number(digits: &[u8]) -> Option<u64> {
    if digits.len() > SAFE_DIGITS {
        return digits.iter().try_fold(0_u64, |value, &digit| {
            value.checked_mul(10)?.checked_add(value_of(digit)?)
        });
    }
    let (words, rest) = digits.as_chunks::<8>();
    let value = words.iter().try_fold(0_u64, |value, word| {
        Some(value * 100_000_000 + value_of_eight(*word)?)
    })?;
    rest.iter()
        .try_fold(value, |value, &digit| Some(value * 10 + value_of(digit)?))
}

/// The number of digits that always fit into 64 bits.
const SAFE_DIGITS: usize = 19;

/// A number with this in each of its bytes.
const EVERY_BYTE: u64 = u64::MAX / 0xff;

fn value_of(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then(|| u64::from(digit))
}

/// The value of eight digits: of pairs, then of pairs of those, and so on, in all of a word's parts at once (D. Lemire,
/// "Quickly parsing eight digits", 2018).
fn value_of_eight(digits: [u8; 8]) -> Option<u64> {
    if leading_digits(digits) < 8 {
        return None;
    }
    let ones = u64::from_le_bytes(digits) & (EVERY_BYTE * 0x0f);
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// The number of digits at the start of eight bytes. The highest bit of a byte shows that it is outside `0` to `9`, and
/// no byte's sum reaches the next.
fn leading_digits(bytes: [u8; 8]) -> usize {
    let beyond_zero = u64::from_le_bytes(bytes) ^ (EVERY_BYTE * u64::from(b'0'));
    let sum = (beyond_zero & (EVERY_BYTE * 0x7f)) + EVERY_BYTE * (0x80 - 10);
    let others = (sum | beyond_zero) & (EVERY_BYTE * 0x80);
    others.trailing_zeros() as usize / 8
}

/// Splits `bytes` behind its leading ASCII digits.
fn take_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let digits = leading_digits(*word);
        if digits < 8 {
            return bytes.split_at(number * 8 + digits);
        }
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.split_at(bytes.len() - rest.len() + digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_compared_as_decimals() {
        let at_most =
            |text: &str, limit| Decimal::parse(text.as_bytes()).unwrap().is_at_most(limit);
        assert!(at_most("90", 90));
        assert!(at_most("0000000000000000000000000090.000", 90));
        assert!(at_most("89.99999999999999999999999999999", 90));
        assert!(!at_most("90.00000000000000000000000000001", 90));
        assert!(!at_most("99999999999999999999999999999999", 90));
    }

    #[test]
    fn a_whole_number_is_made_of_digits_and_fits() {
        assert_eq!(whole_number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(whole_number(b"18446744073709551616"), None);
        assert_eq!(
            whole_number(&[b'9'; SAFE_DIGITS]),
            Some(9_999_999_999_999_999_999)
        );
        assert_eq!(whole_number(b"000000000000000000000000000018"), Some(18));
        assert_eq!(
            whole_number(b"1234567890123456789"),
            Some(1_234_567_890_123_456_789)
        );
        assert_eq!(whole_number(b"00000012"), Some(12));
        for not_digits in ["/", ":", "-1", "1.0", "\u{661}"] {
            assert_eq!(whole_number(not_digits.as_bytes()), None, "{not_digits}");
        }
    }

    #[test]
    fn a_dot_needs_digits_on_both_sides() {
        for text in [
            "", ".", "1.", ".5", "+1", "-1", "1e3", "1_0", "1.5.2", "\u{661}",
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Decimal::parse(b"007.250").is_some());
    }

    #[test]
    fn zero_is_zero_however_it_is_written() {
        assert!(Decimal::parse(b"000.000").unwrap().is_zero());
        assert!(!Decimal::parse(b"0.0001").unwrap().is_zero());
    }

    #[test]
    fn every_byte_in_every_place_is_told_from_a_digit() {
        // Miri takes some hundred times as long.
        for place in (0..24).step_by(if cfg!(miri) { 5 } else { 1 }) {
            for byte in 0..=u8::MAX {
                let mut text = *b"123456789012345678901234";
                text[place] = byte;
                let (digits, rest) = take_digits(&text);
                let expected = if byte.is_ascii_digit() { 24 } else { place };
                assert_eq!(digits.len(), expected, "{byte} at {place}");
                assert_eq!([digits, rest].concat(), text);
                let eighteen = &text[..18];
                let value = str::from_utf8(eighteen)
                    .ok()
                    .and_then(|text| text.parse().ok());
                // A sign is no digit here.
                let value = value.filter(|_| text[0] != b'+');
                assert_eq!(whole_number(eighteen), value, "{byte} at {place}");
            }
        }
    }
}
