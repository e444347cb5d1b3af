//! Numbers as digits, without the cost of formatting.

/// Appends `number` with exactly `WIDTH` digits, at most 20; higher ones are cut off.
pub(crate) fn push_digits<const WIDTH: usize>(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; WIDTH];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Appends nanoseconds since 1970 as seconds with nine decimals. Those before 1970 become 0.
pub(crate) fn push_time(out: &mut Vec<u8>, time_ns: i64) {
    const NS_PER_S: u64 = 1_000_000_000;
    let time_ns = u64::try_from(time_ns).unwrap_or(0);
    push_digits::<10>(out, time_ns / NS_PER_S);
    out.push(b'.');
    push_digits::<9>(out, time_ns % NS_PER_S);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_padded_and_cut() {
        let mut out = Vec::new();
        push_digits::<4>(&mut out, 42);
        out.push(b' ');
        push_digits::<2>(&mut out, 1234);
        assert_eq!(out, b"0042 34");
    }

    #[test]
    fn times_are_seconds_with_nine_decimals() {
        let mut out = Vec::new();
        push_time(&mut out, 1_520_023_934_918_963_997);
        out.push(b' ');
        push_time(&mut out, -5);
        assert_eq!(out, b"1520023934.918963997 0000000000.000000000");
    }
}
