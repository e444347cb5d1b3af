//! Replies as documents show them: most of it to the byte, some of it different each time.

/// The pattern for any number of lines.
pub(super) const ANY_LINES: &[u8] = b"...";

/// Whether `actual` matches the pattern `expected`. Both end each line with an LF.
pub(super) fn matches(expected: &[u8], actual: &[u8]) -> bool {
    let expected: Vec<&[u8]> = expected.split_inclusive(|&byte| byte == b'\n').collect();
    let actual: Vec<&[u8]> = actual.split_inclusive(|&byte| byte == b'\n').collect();
    lines_match(&expected, &actual)
}

fn lines_match(expected: &[&[u8]], actual: &[&[u8]]) -> bool {
    let Some((first, rest)) = expected.split_first() else {
        return actual.is_empty();
    };
    if first.strip_suffix(b"\n") == Some(ANY_LINES) {
        return (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..]));
    }
    match actual.split_first() {
        Some((line, after)) => line_matches(first, line) && lines_match(rest, after),
        None => false,
    }
}

type IsValue = fn(&[u8]) -> bool;

/// The pattern for a part of a line, up to the next space.
const VALUES: [(&[u8], IsValue); 4] = [
    (b"<difference>", is_difference),
    (b"<time>", is_time),
    (b"<utc>", is_utc),
    (b"<peer>", is_peer),
];

fn line_matches(expected: &[u8], actual: &[u8]) -> bool {
    let first = VALUES
        .iter()
        .filter_map(|(name, is_value)| Some((find(expected, name)?, name.len(), is_value)))
        .min_by_key(|&(at, ..)| at);
    let Some((at, length, is_value)) = first else {
        return expected == actual;
    };
    let Some(rest) = actual.strip_prefix(&expected[..at]) else {
        return false;
    };
    let end = rest.iter().position(|byte| b" \n".contains(byte));
    let (value, rest) = rest.split_at(end.unwrap_or(rest.len()));
    is_value(value) && line_matches(&expected[at + length..], rest)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn is_difference(value: &[u8]) -> bool {
    let (Some((b'+' | b'-', number)), true) = (value.split_first(), value.len() > 10) else {
        return false;
    };
    let (whole, fraction) = number.split_at(number.len() - 10);
    !whole.is_empty() && digits(whole) && fraction[0] == b'.' && digits(&fraction[1..])
}

fn is_time(value: &[u8]) -> bool {
    let dot = value.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = value.split_at(dot.unwrap_or(value.len()));
    digits(whole) && fraction.len() > 1 && digits(&fraction[1..])
}

fn is_utc(value: &[u8]) -> bool {
    value.len() == "2026-11-22T20:44:00.123456Z".len() && value[10] == b'T' && value.ends_with(b"Z")
}

fn is_peer(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value).unwrap_or_default();
    text.parse::<std::net::SocketAddr>().is_ok()
}

fn digits(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

#[test]
fn patterns_match_only_their_meaning() {
    let at = b"AT Hill <difference> kiwi <time>\n";
    assert!(matches(at, b"AT Hill +0.263873386 kiwi 1.5\n"));
    for other in [
        &b"AT Hill 0.263873386 kiwi 1.5\n"[..],
        b"AT Hill +.263873386 kiwi 1.5\n",
        b"AT Hill +0.26387338 kiwi 1.5\n",
        b"AT Hill +2.6e-05 kiwi 1.5\n",
        b"AT Hill +0.263873386 kiwi 1.5",
        b"AT Hill +0.263873386 kiwi 1.5 \n",
        b"AT Hill +0.263873386 kiwi x\n",
        b"AT Smith +0.263873386 kiwi 1.5\n",
    ] {
        assert!(!matches(at, other), "{}", other.escape_ascii());
    }
    assert!(matches(
        b"<utc> <peer> > <difference>\n",
        b"2026-11-22T20:44:00.123456Z 127.0.0.1:50123 > -3599.100000000\n"
    ));
    assert!(matches(b"a\n...\nc\n\n", b"a\nb\nb\nc\n\n"));
    assert!(matches(b"...\n", b""));
    assert!(!matches(b"a\n...\nc\n\n", b"a\nb\nc\n"));
}
