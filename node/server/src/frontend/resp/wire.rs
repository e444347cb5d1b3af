//! Requests as lines of the wire log.

use herd_protocol::resp::Request;

/// In place of what may be a token.
const TOKEN: &[u8] = b"(token)";

/// The arguments of a request with blanks between them, without any token.
pub(super) fn line_of(request: &Request<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(request.bytes);
    let name = request.arguments.get(0).unwrap_or_default();
    line.extend_from_slice(name);
    let is = |command: &str| name.eq_ignore_ascii_case(command.as_bytes());
    if is("AUTH") || is("HELLO") && request.arguments.len() > 2 {
        line.push(b' ');
        line.extend_from_slice(TOKEN);
        return line;
    }
    for argument in request.arguments.from(1).iter() {
        line.push(b' ');
        line.extend_from_slice(argument);
    }
    line
}
