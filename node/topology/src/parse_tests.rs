use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::{Host, PortBases, builtin};
use super::*;

const ONE: &str = "cluster herd\nserver A client a:1 peer a:2 http a:3\n";

/// Each error as its text.
fn errors(text: &str) -> Vec<String> {
    let errors = parse(text).expect_err("the text should be refused");
    errors.iter().map(ToString::to_string).collect()
}

/// The errors after a valid server A in line 2.
fn errors_after_one(rest: &str) -> Vec<String> {
    errors(&format!("{ONE}{rest}"))
}

#[test]
fn builtin_topology_survives_its_text_form() {
    let topology = builtin(PortBases::default());
    assert_eq!(parse(&topology.to_string()), Ok(topology));
}

#[test]
fn one_server_alone_is_a_herd() {
    let topology = parse(ONE).unwrap();
    assert_eq!(topology.servers().len(), 1);
    assert_eq!(topology.neighbours("A").count(), 0);
}

#[test]
fn comments_blanks_order_and_line_ends_do_not_matter() {
    let topology = parse(
        "# a herd of two\r\nlink B A # both ways\r\n\r\n\
         server A http [::1]:3 client 127.0.0.1:1 peer Host.example:2\r\n\
         \tserver\tB client b:1 peer b:2 http b:3\r\ncluster two",
    )
    .unwrap();
    assert_eq!(&**topology.cluster(), "two");
    assert_eq!(topology.index_of("B"), Some(1));
    assert_eq!(topology.links(), [Link { a: 1, b: 0 }]);
    let b = topology.neighbours("A").next().unwrap();
    assert_eq!(&*b.name, "B");
    let host = topology.server("A").unwrap().peer.host.clone();
    assert_eq!(host, Host::Name("host.example".into()));
}

#[test]
fn an_empty_file_lacks_everything() {
    assert_eq!(
        errors("# nothing\n"),
        [
            "line 1: there is no server; \
             add lines `server NAME client ADDRESS peer ADDRESS http ADDRESS`",
            "line 1: the cluster has no name; add a line `cluster NAME`",
        ]
    );
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    let text = "\
cluster a b
cluster herd
cluster again
servers C
server
server A client a:1 peer a:2 http a:3
server A client a:4 peer a:5 http a:6
server B client b:1 peer b:2
server C client c:1 peer 0.0.0.0:2 http c:3 client c:4
server D client d peer d:2 http
server E port 80
server -F client f:1 peer f:2 http f:3
server G client a:1 peer g:1 http g:1
link A B
link B A
link A A
link A X
link A
";
    assert_eq!(
        errors(text),
        [
            "line 1: a cluster line is `cluster NAME`",
            "line 3: the cluster was named before, in line 2",
            "line 4: `servers` is unknown; a line starts with `cluster`, `server`, `link` or `#`",
            "line 5: a server line is `server NAME client ADDRESS peer ADDRESS http ADDRESS`",
            "line 7: server A was listed before, in line 6",
            "line 8: the server has no `http` address",
            "line 9: no neighbour can connect to peer address 0.0.0.0:2; write the address at \
             which the server is reached, and let `--peer-listen` say where it listens",
            "line 9: the server has two `client` addresses",
            "line 10: client address `d` has no port; write HOST:PORT",
            "line 10: `http` has no address after it",
            "line 11: `port` is unknown; a server has `client`, `peer` and `http`, each with an \
             address",
            "line 12: `-F` is not a name: use 1 to 64 letters, digits, `-`, `_` and `.`, a letter \
             or digit first",
            "line 13: address a:1 is used before, in line 6",
            "line 13: address g:1 is used before, in line 13",
            "line 15: B and A were linked before, in line 14",
            "line 16: A is linked to itself",
            "line 17: no server is called X",
            "line 18: a link line is `link NAME NAME`",
        ]
    );
}

#[test]
fn servers_out_of_reach_are_named_with_a_line() {
    let rest = "server B client b:1 peer b:2 http b:3\nserver C client c:1 peer c:2 http c:3\n\
                server D client d:1 peer d:2 http d:3\nlink A B\nlink C D\n";
    assert_eq!(
        errors_after_one(rest),
        ["line 4: no path of links leads from A to C, D"]
    );
    let mut many = String::new();
    for n in 1..=12 {
        writeln!(many, "server S{n} client s:{n}0 peer s:{n}1 http s:{n}2").unwrap();
    }
    assert_eq!(
        errors_after_one(&many),
        [
            "line 3: no path of links leads from A to S1, S2, S3, S4, S5, S6, S7, S8, S9, S10 \
             and 2 more"
        ]
    );
}

#[test]
fn sizes_are_bounded() {
    let chain = |count: usize| {
        let mut text = "cluster c\n".to_owned();
        for n in 1..=count {
            writeln!(text, "server S{n} client h{n}:1 peer h{n}:2 http h{n}:3").unwrap();
        }
        for n in 2..=count {
            writeln!(text, "link S{} S{n}", n - 1).unwrap();
        }
        text
    };
    assert_eq!(parse(&chain(256)).unwrap().servers().len(), 256);
    assert_eq!(errors(&chain(257)), ["line 258: more than 256 servers"]);
    let name = "n".repeat(NAME_BYTES_MAX);
    let named = |name: &str| ONE.replace("server A", &format!("server {name}"));
    assert!(parse(&named(&name)).is_ok());
    assert!(parse(&named(&format!("{name}n"))).is_err());
    let padded = format!("{ONE}#{}", " ".repeat(TOPOLOGY_BYTES_MAX));
    assert_eq!(
        errors(&padded),
        ["line 1: the topology is larger than 1048576 bytes"]
    );
}

#[test]
fn names_that_gossip_cannot_tell_apart_are_refused() {
    let mut reader = TopologyReader::default();
    for (number, line) in [(1, "server A"), (2, "server B"), (3, "server C")] {
        reader.line(number, line);
    }
    reader.errors.clear();
    reader.check_gossip_addresses(|name| gossip_address(if name == "C" { "A" } else { name }));
    let errors: Vec<String> = reader.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        ["line 3: gossip cannot tell C from A; give one of them another name"]
    );
}

proptest! {
    #[test]
    fn any_text_is_refused_or_survives_its_text_form(
        text in "((cluster|server|link|client|peer|http|A|B|a:1|a:2|a:3|b:4|#)[ \n]?){0,40}"
    ) {
        if let Ok(topology) = parse(&text) {
            prop_assert_eq!(parse(&topology.to_string()), Ok(topology));
        }
    }

    #[test]
    fn any_characters_are_taken_without_a_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }
}
