//! The members of reports that come next, so that their records can be brought near the processor together.

/// The beginning of a report of one member without options: `GEOADD key longitude latitude member`.
const BEGIN: &[u8] = b"*5\r\n$6\r\n";

const GEOADD: &[u8] = b"GEOADD";

/// The keys and members of the reports at the beginning of `bytes`, up to the first other request. What follows from this
/// may only save time.
pub fn members_ahead(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (command, behind) = rest.strip_prefix(BEGIN)?.split_at_checked(GEOADD.len())?;
        if !command.eq_ignore_ascii_case(GEOADD) {
            return None;
        }
        let mut behind = behind.strip_prefix(b"\r\n")?;
        let mut arguments = [&[][..]; 4];
        for argument in &mut arguments {
            (*argument, behind) = bulk(behind)?;
        }
        rest = behind;
        let [key, _, _, member] = arguments;
        Some((key, member))
    })
}

/// A short bulk string, and what follows it.
fn bulk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0;
    let mut at = 1;
    while let Some(digit @ b'0'..=b'9') = bytes.get(at)
        && at < 5
    {
        length = 10 * length + usize::from(digit - b'0');
        at += 1;
    }
    let from = at + 2;
    let argument = bytes.get(from..from + length)?;
    Some((argument, bytes.get(from + length + 2..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_those_of_whole_plain_reports() {
        let report = "*5\r\n$6\r\ngeoadd\r\n$1\r\nk\r\n$1\r\n1\r\n$3\r\n2.5\r\n$4\r\nvan7\r\n";
        let text = format!("{report}{report}*1\r\n$4\r\nPING\r\n{report}");
        let found: Vec<_> = members_ahead(text.as_bytes()).collect();
        assert_eq!(found, [(&b"k"[..], &b"van7"[..]); 2]);
        for end in 0..report.len() {
            assert_eq!(members_ahead(&report.as_bytes()[..end]).count(), 0);
        }
        assert_eq!(members_ahead(b"*5\r\n$6\r\nGEOPOS\r\n").count(), 0);
    }
}
