//! Plain decimal numbers in bytes: digits, then maybe a dot and more digits.
//!
//! Numbers are compared as decimals and never pass through a double: `90.0000000000000000001` is
//! more than 90, which a double cannot tell.

use std::cmp::Ordering;

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

    /// Compares two numbers, digit by digit.
    #[must_use]
    pub fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let (own, others) = (
            without_leading_zeros(self.whole),
            without_leading_zeros(other.whole),
        );
        let fraction = without_trailing_zeros(self.fraction);
        own.len()
            .cmp(&others.len())
            .then_with(|| own.cmp(others))
            .then_with(|| fraction.cmp(without_trailing_zeros(other.fraction)))
    }

    /// The number times ten to the power of `decimals`, without the digits behind the dot then; `None` if that does
    /// not fit.
    #[must_use]
    pub fn fixed_point(&self, decimals: usize) -> Option<u64> {
        let kept = &self.fraction[..self.fraction.len().min(decimals)];
        let whole = whole_number(self.whole)?.checked_mul(*POWERS_OF_TEN.get(decimals)?)?;
        let behind = whole_number(kept)?.checked_mul(*POWERS_OF_TEN.get(decimals - kept.len())?)?;
        whole.checked_add(behind)
    }

    /// The nearest double.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        if let Some(exact) = self.exact_quotient() {
            return exact;
        }
        let mut text = String::with_capacity(self.whole.len() + self.fraction.len() + 1);
        text.extend(self.whole.iter().map(|&d| char::from(d)));
        text.push('.');
        text.extend(self.fraction.iter().map(|&d| char::from(d)));
        // Digits, a dot and digits always parse; a number too large for a double is infinite.
        text.parse().unwrap_or(f64::INFINITY)
    }
}

impl Decimal<'_> {
    /// The nearest double, where both the digits as a whole number and the power of ten that it is to be divided by are
    /// doubles: one division rounds once (W. Clinger, "How to read floating point numbers accurately", 1990).
    fn exact_quotient(&self) -> Option<f64> {
        const WHOLE_MAX: u64 = 1 << f64::MANTISSA_DIGITS;
        let power = *EXACT_POWERS_OF_TEN.get(self.fraction.len())?;
        let digits = self.fixed_point(self.fraction.len())?;
        (digits <= WHOLE_MAX).then(|| digits as f64 / power)
    }
}

/// The powers of ten from 1 on that fit.
const POWERS_OF_TEN: [u64; 20] = {
    let mut powers = [1; 20];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// The powers of ten from 1 on, each exact in a double.
const EXACT_POWERS_OF_TEN: [f64; 16] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

fn without_leading_zeros(digits: &[u8]) -> &[u8] {
    let first = digits.iter().position(|&digit| digit != b'0');
    &digits[first.unwrap_or(digits.len())..]
}

fn without_trailing_zeros(digits: &[u8]) -> &[u8] {
    let last = digits.iter().rposition(|&digit| digit != b'0');
    &digits[..last.map_or(0, |at| at + 1)]
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
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal<'_> {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    proptest! {
        #[test]
        fn a_double_is_the_nearest_one(text in "[0-9]{1,20}(\\.[0-9]{1,24})?") {
            prop_assert_eq!(decimal(&text).to_f64(), text.parse::<f64>().unwrap());
        }

        #[test]
        fn comparing_is_that_of_whole_numbers(a in 0_u32..2_000, b in 0_u32..2_000, zeros in "0{0,3}") {
            let text = |number: u32| format!("{zeros}{}.{:02}{zeros}", number / 100, number % 100);
            let short = |number: u32| format!("{}.{:02}", number / 100, number % 100);
            prop_assert_eq!(decimal(&text(a)).compare(&decimal(&short(b))), a.cmp(&b));
        }
    }

    #[test]
    fn fixed_points_cut_off_and_fill_up() {
        let units = |text: &str| decimal(text).fixed_point(7);
        assert_eq!(units("118.445127"), Some(1_184_451_270));
        assert_eq!(units("0001.99999999"), Some(19_999_999));
        assert_eq!(units("3"), Some(30_000_000));
        assert_eq!(units("99999999999999999999"), None);
        assert_eq!(units("1844674407370.9551615"), Some(u64::MAX));
        assert_eq!(units("1844674407370.9551616"), None);
    }

    #[test]
    fn numbers_differ_by_what_no_double_can_tell() {
        let compare = |a: &str, b: &str| decimal(a).compare(&decimal(b));
        assert_eq!(compare("90.00000000000000000001", "90"), Ordering::Greater);
        assert_eq!(compare("90.0", "0090"), Ordering::Equal);
        assert_eq!(compare("9.9", "10"), Ordering::Less);
    }

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
