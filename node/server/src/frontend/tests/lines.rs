//! PROTOCOL: lines, and everything that is no command.

use super::server::{TestPlaces, TestServer};
use super::whatsat::ZERO;
use crate::frontend::CommandOutcome;
use herd_protocol::{LINE_BYTES_MAX, OVERSIZED_COPY_BYTES};

const IAMAT: &str = "IAMAT kiwi.cs.ucla.edu +34.068930-118.445127 1520023934.918963997";
const AT: &str = "AT Hill +0.263873386 kiwi.cs.ucla.edu +34.068930-118.445127 1520023934.918963997";

#[tokio::test]
async fn nothing_but_replies_is_sent() {
    let server = TestServer::start().await;
    assert_eq!(server.says("").await, "");
}

#[tokio::test]
async fn blank_lines_get_no_reply() {
    let server = TestServer::start().await;
    assert_eq!(server.says("\n\r\n \t\x0b\x0c\r\n\n   ").await, "");
    assert_eq!(
        server.says(format!("\n \n{IAMAT}\n\n")).await,
        format!("{AT}\n")
    );
}

#[tokio::test]
async fn a_line_ends_at_lf_or_at_the_half_close() {
    let server = TestServer::start().await;
    let at = format!("{AT}\n");
    assert_eq!(server.says(format!("{IAMAT}\n")).await, at);
    assert_eq!(server.says(format!("{IAMAT}\r\n")).await, at);
    assert_eq!(server.says(IAMAT).await, at);
    assert_eq!(server.says(format!("{IAMAT}\r")).await, at);
    assert_eq!(server.says("what\nnow").await, "? what\n? now\n");
}

#[tokio::test]
async fn six_white_space_bytes_separate_fields() {
    let server = TestServer::start().await;
    let spread = " \tIAMAT\x0b\x0ckiwi.cs.ucla.edu\r  +34.068930-118.445127\t\
                  1520023934.918963997 \x0c\r\n";
    assert_eq!(server.says(spread).await, format!("{AT}\n"));
    for other in [
        "\u{a0}", "\u{2003}", "\x1c", "\x1d", "\x1e", "\x1f", "\0", "\u{85}",
    ] {
        let line = IAMAT.replace(' ', other);
        assert_eq!(server.says(&line).await, format!("? {line}\n"));
    }
    let latin = b"IAMAT\xa0kiwi +1+1 1\n";
    assert_eq!(server.answers(latin).await, [&b"? "[..], latin].concat());
}

#[tokio::test]
async fn the_pieces_in_which_bytes_arrive_do_not_matter() {
    let server = TestServer::start().await;
    let input = format!("{IAMAT}\r\nWHATSAT kiwi.cs.ucla.edu 0 5\n\nfoo  bar\nAT last");
    let expected = format!("{AT}\n{AT}\n{ZERO}? foo  bar\n? AT last\n");
    assert_eq!(server.says(&input).await, expected);
    for piece in [1, 2, 7, 50] {
        let mut client = server.connect().await;
        for bytes in input.as_bytes().chunks(piece) {
            client.send(bytes).await;
            // Gives the server a chance to see this piece alone.
            tokio::task::yield_now().await;
        }
        assert_eq!(String::from_utf8(client.end().await).unwrap(), expected);
    }
}

#[tokio::test]
async fn an_invalid_command_gets_its_copy() {
    let server = TestServer::start().await;
    for line in [
        "hello",
        "  inner   blanks \t stay  ",
        "iamat kiwi +1+1 1",
        "Whatsat kiwi 1 1",
        "AT Hill +0.263873386 kiwi +34.068930-118.445127 1520023934.918963997",
        "IAMAT",
        "IAMAT kiwi +1+1",
        "IAMAT kiwi +1+1 1 1",
        "IAMAT kiwi 1+1 1",
        "IAMAT kiwi +1+1 1e9",
        "WHATSAT kiwi 51 1",
        "? ?",
        "\"\\",
    ] {
        let expected = format!("? {line}\n");
        assert_eq!(server.says(format!("{line}\n")).await, expected);
        assert_eq!(server.says(format!("{line}\r\n")).await, expected);
        assert_eq!(server.says(line).await, expected);
    }
    assert_eq!(server.says("two\r\r\n").await, "? two\r\n");
    let bytes = b"\xff\xfe\x00\x80 IAMAT \xc3\n";
    assert_eq!(server.answers(bytes).await, [&b"? "[..], bytes].concat());
}

#[tokio::test]
async fn an_oversized_line_is_answered_at_the_limit() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let copy = format!("? {}\n", "x".repeat(OVERSIZED_COPY_BYTES));
    client.send(vec![b'x'; LINE_BYTES_MAX + 1]).await;
    // Before its LF was sent, and once.
    client.expect(&copy).await;
    for _ in 0..20 {
        client.send(vec![b'y'; LINE_BYTES_MAX]).await;
    }
    client.send(format!("\n{IAMAT}\n")).await;
    client.expect(&format!("{AT}\n")).await;
    client.send(vec![b'x'; LINE_BYTES_MAX]).await;
    client.send("\n").await;
    client
        .expect(&format!("? {}\n", "x".repeat(LINE_BYTES_MAX)))
        .await;
    client.send(vec![b'x'; LINE_BYTES_MAX + 1]).await;
    assert_eq!(client.end().await, copy.as_bytes());
    assert_eq!(server.statistics.commands(CommandOutcome::Oversized), 2);
}

#[tokio::test]
async fn the_limit_can_be_set() {
    let server =
        TestServer::start_with(|set| set.line_bytes_max = 10, TestPlaces::new(true), None).await;
    let says = server.says("0123456789\n01234567890\nx\n").await;
    assert_eq!(says, "? 0123456789\n? 0123456789\n? x\n");
}
