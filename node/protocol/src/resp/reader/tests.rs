//! The same requests for any pieces, and their limits.

use proptest::prelude::*;

use super::*;

type Seen = Result<Vec<Vec<u8>>, ProtocolFault>;

/// All requests of `pieces`, and the most bytes that were stored between two of them.
fn requests<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Seen>, usize) {
    let mut reader = CommandReader::new(limit);
    let mut all = Vec::new();
    let mut stored_max = 0;
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_request() {
                Ok(Some(request)) => {
                    let arguments = request.arguments.iter().map(<[u8]>::to_vec);
                    all.push(Ok(arguments.collect()));
                }
                Ok(None) => break,
                Err(fault) => all.push(Err(fault)),
            }
        }
        if !reader.has_failed {
            stored_max = stored_max.max(reader.buffer.stored().len());
        }
    }
    (all, stored_max)
}

fn of(text: &str) -> Vec<Seen> {
    requests(1_000, [text.as_bytes()]).0
}

fn request(arguments: &[&str]) -> Seen {
    Ok(arguments
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect())
}

#[test]
fn arrays_and_inline_commands_are_requests() {
    let found = of("*2\r\n$4\r\nECHO\r\n$5\r\na\r\nb \r\nPING\r\n ping  x\ty \n");
    assert_eq!(
        found,
        [
            request(&["ECHO", "a\r\nb "]),
            request(&["PING"]),
            request(&["ping", "x", "y"]),
        ]
    );
    assert_eq!(of("*1\r\n$0\r\n\r\n"), [request(&[""])]);
}

#[test]
fn requests_without_arguments_are_requests_too() {
    let mut expected = vec![request(&[]); 5];
    expected.push(request(&["PING"]));
    assert_eq!(of("*0\r\n*-1\r\n\r\n  \r\n\nPING\r\n"), expected);
}

#[test]
fn what_is_no_request_ends_the_connection() {
    for (text, fault) in [
        ("*x\r\n", ProtocolFault::ArrayLength),
        ("*\r\n", ProtocolFault::ArrayLength),
        ("*1\rx", ProtocolFault::ArrayLength),
        ("*99999999999999999999\r\n", ProtocolFault::ArrayLength),
        ("*1\r\n:1\r\n", ProtocolFault::NotBulk(b':')),
        ("*1\r\n$-1\r\n", ProtocolFault::BulkLength),
        ("*1\r\n$x\r\n", ProtocolFault::BulkLength),
        ("*1\r\n$1\r\nabc", ProtocolFault::BulkEnd),
        ("*1\r\n$1000\r\n", ProtocolFault::TooLong(1_000)),
        ("*500\r\n", ProtocolFault::TooLong(1_000)),
        ("ping \"a b\"\r\n", ProtocolFault::Quotes),
    ] {
        let found = of(&format!("PING\r\n{text}PING\r\nPING\r\n"));
        assert_eq!(found, [request(&["PING"]), Err(fault)], "{text}");
    }
    let long = "x".repeat(1_001);
    assert_eq!(of(&long), [Err(ProtocolFault::TooLong(1_000))]);
    assert_eq!(
        of(&format!("{long}\n")),
        [Err(ProtocolFault::TooLong(1_000))]
    );
}

#[test]
fn an_inline_command_keeps_its_line() {
    let mut reader = CommandReader::new(100);
    reader.push(b"POST / HTTP/1.1\r\n");
    let request = reader.next_request().unwrap().unwrap();
    assert_eq!(request.inline, Some(&b"POST / HTTP/1.1"[..]));
}

#[test]
fn a_request_of_many_arguments_leaves_no_memory_behind() {
    const LIMIT: usize = 64 * 1_024;
    let mut reader = CommandReader::new(LIMIT);
    let many = format!("*10000\r\n{}", "$0\r\n\r\n".repeat(10_000));
    assert!(many.len() < LIMIT);
    reader.push(many.as_bytes());
    let arguments = reader.next_request().unwrap().unwrap().arguments;
    assert_eq!(arguments.len(), 10_000);
    assert!(reader.next_request().unwrap().is_none());
    reader.buffer().room();
    assert!(reader.places_capacity() <= PLACES_KEPT);
}

#[test]
fn the_limit_counts_all_bytes_of_a_command() {
    let command = b"*1\r\n$10\r\n0123456789\r\n";
    let whole = |limit| requests(limit, [&command[..]]).0[0].is_ok();
    assert!(whole(command.len()) && !whole(command.len() - 1));
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => prop::collection::vec("[a-z\r\n$*]{0,8}", 1..4).prop_map(|arguments| {
            let mut text = format!("*{}\r\n", arguments.len());
            for argument in arguments {
                text += &format!("${}\r\n{argument}\r\n", argument.len());
            }
            text.into_bytes()
        }),
        2 => "[a-z ]{0,9}\r?\n".prop_map(String::into_bytes),
        1 => "[*$][-0-9]{0,3}\r\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_requests(
        input in input(),
        limit in 0_usize..60,
        cuts in prop::collection::vec(0_usize..200, 0..20),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]);
        let (split, stored_max) = requests(limit, pieces);
        let (whole, _) = requests(limit, [&input[..]]);
        prop_assert_eq!(&split, &whole);
        prop_assert!(stored_max <= limit);
        let (single, _) = requests(limit, input.chunks(1));
        prop_assert_eq!(&single, &whole);
    }
}
