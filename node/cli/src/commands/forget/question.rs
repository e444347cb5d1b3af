//! The question before anything is forgotten.

use std::io::{self, BufRead, Write};

use herd_text::printable::Printable;

/// How many clients the question names.
const NAMED_MAX: usize = 5;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// Asks on standard error, and reads the answer from standard input.
///
/// # Errors
/// If either fails.
pub(super) fn is_answered_yes(clients: &[Vec<u8>]) -> io::Result<bool> {
    let mut stderr = io::stderr();
    write!(stderr, "{}", question(clients))?;
    stderr.flush()?;
    is_yes(io::stdin().lock())
}

fn question(clients: &[Vec<u8>]) -> String {
    let named: Vec<String> = clients
        .iter()
        .take(NAMED_MAX)
        .map(|client| Printable(client).to_string())
        .collect();
    let named = named.join(", ");
    match clients.len() {
        1 => format!("Forget {named} on all servers, for good? [y/N] "),
        count if count <= NAMED_MAX => {
            format!("Forget {count} clients on all servers, for good: {named}? [y/N] ")
        }
        count => format!(
            "Forget {count} clients on all servers, for good: {named} and {} more? [y/N] ",
            count - NAMED_MAX
        ),
    }
}

fn is_yes(from: impl BufRead) -> io::Result<bool> {
    let mut answer = Vec::new();
    from.take(ANSWER_BYTES_MAX).read_until(b'\n', &mut answer)?;
    let answer = answer.trim_ascii().to_ascii_lowercase();
    Ok(answer == b"y" || answer == b"yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (answer, yes) in [
            ("y\n", true),
            (" YES \r\n", true),
            ("n\n", false),
            ("", false),
            ("yesterday\n", false),
            ("\ny\n", false),
        ] {
            assert_eq!(is_yes(answer.as_bytes()).unwrap(), yes, "{answer:?}");
        }
    }

    #[test]
    fn a_question_names_some_and_counts_the_rest() {
        let clients: Vec<Vec<u8>> = (0..8).map(|n| format!("c{n}").into_bytes()).collect();
        assert_eq!(
            question(&clients[..1]),
            "Forget c0 on all servers, for good? [y/N] "
        );
        assert_eq!(
            question(&clients[..2]),
            "Forget 2 clients on all servers, for good: c0, c1? [y/N] "
        );
        assert_eq!(
            question(&clients),
            "Forget 8 clients on all servers, for good: c0, c1, c2, c3, c4 and 3 more? [y/N] "
        );
        assert!(question(&[b"\x1b]0;x".to_vec()]).contains("\\x1b"));
    }
}
