//! One line of a tokens file, read and written.

use std::fmt::Write as _;

use super::id_patterns::IdPatterns;
use super::token::TokenHash;
use super::tokens::Grant;

/// The most patterns of one token.
const PATTERNS_MAX: usize = 1_024;

/// The longest name of a token, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A line of a tokens file: a token and its rights.
#[must_use]
pub fn grant_line(grant: &Grant, hash: &TokenHash) -> String {
    let mut line = format!("{} {hash}", grant.name);
    for (word, patterns) in [
        ("report", &grant.report),
        ("ask", &grant.ask),
        ("forget", &grant.forget),
    ] {
        for pattern in patterns.texts() {
            // Writing to a String does not fail.
            let _ = write!(line, " {word}={pattern}");
        }
    }
    if grant.http {
        line.push_str(" http");
    }
    line
}

/// Reads a line that is neither blank nor a comment.
pub(super) fn parse(line: &str) -> Result<(TokenHash, Grant), String> {
    let mut fields = line.split_ascii_whitespace();
    let (Some(name), Some(hash)) = (fields.next(), fields.next()) else {
        return Err("not a name, a hash and scopes".to_owned());
    };
    check_name(name)?;
    // The text is not told: it may be a token that was put there by mistake.
    let hash = TokenHash::parse(hash)
        .ok_or("the second word is not `sha256:` and 64 hexadecimal digits")?;
    let mut grant = Grant {
        name: name.into(),
        report: IdPatterns::default(),
        ask: IdPatterns::default(),
        forget: IdPatterns::default(),
        http: false,
    };
    for scope in fields {
        match scope.split_once('=') {
            Some(("report", pattern)) => grant.report.add(pattern),
            Some(("ask", pattern)) => grant.ask.add(pattern),
            Some(("forget", pattern)) => grant.forget.add(pattern),
            None if scope == "http" => {
                grant.http = true;
                Ok(())
            }
            _ => {
                return Err(
                    "a scope is none of `report=ID`, `ask=ID`, `forget=ID` and `http`".to_owned(),
                );
            }
        }
        .map_err(|error| error.to_string())?;
    }
    if grant.report.len() + grant.ask.len() + grant.forget.len() > PATTERNS_MAX {
        return Err(format!("more than {PATTERNS_MAX} patterns"));
    }
    Ok((hash, grant))
}

/// Checks a token's name, which appears in logs.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let fits = name.len() <= NAME_BYTES_MAX;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if fits && !name.is_empty() && name.chars().all(plain) {
        Ok(())
    } else {
        Err(format!(
            "a token's name has 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`"
        ))
    }
}
