use super::super::geoadd::ReportCondition;
use super::super::geosearch::{MEMBERS_MAX, SearchCenter, SearchOrder, SearchShape};
use super::super::reader::CommandReader;
use super::*;

/// Reads words as a request, and looks at the command that it is.
fn with<T>(line: &str, look: impl FnOnce(Result<RespCommand<'_>, InvalidRequest>) -> T) -> T {
    let mut reader = CommandReader::new(1 << 20);
    reader.push(line.as_bytes());
    reader.push(b"\n");
    let request = reader.next_request().unwrap().unwrap();
    look(RespCommand::parse(request.arguments))
}

fn error(line: &str) -> String {
    with(line, |command| command.unwrap_err().to_string())
}

#[test]
fn a_geoadd_has_its_options_and_members() {
    with("geoadd fleet xx CH 1 2 a 3 4 b", |command| {
        let Ok(RespCommand::Geoadd(geoadd)) = command else {
            panic!("{command:?}");
        };
        assert_eq!(geoadd.key, b"fleet");
        assert_eq!(geoadd.condition, ReportCondition::Known);
        assert!(geoadd.counts_changed);
        let members: Vec<_> = geoadd.members().map(|member| member.name).collect();
        assert_eq!(members, [b"a", b"b"]);
    });
    assert_eq!(error("GEOADD fleet 1 2 a 3"), "ERR syntax error");
    assert_eq!(error("GEOADD fleet NX XX 1 2 a"), "ERR syntax error");
    assert_eq!(
        error("GEOADD fleet 1 2"),
        "ERR wrong number of arguments for 'geoadd' command"
    );
}

#[test]
fn a_geosearch_has_one_center_and_one_shape() {
    let search = "geosearch k fromlonlat 15 37 bybox 4 6 km desc count 3 any withdist withcoord";
    with(search, |command| {
        let Ok(RespCommand::Geosearch(search)) = command else {
            panic!("{command:?}");
        };
        assert_eq!(search.center, SearchCenter::Point(b"+37+15".to_vec()));
        assert_eq!(search.shape, SearchShape::Box(4_000.0, 6_000.0));
        assert_eq!(search.unit, LengthUnit::Kilometres);
        assert_eq!(search.order, SearchOrder::Descending);
        assert_eq!(search.count, Some(3));
        assert!(search.with_coordinates && search.with_distances);
    });
    let of = |rest: &str| error(&format!("GEOSEARCH k FROMMEMBER m {rest}"));
    for (rest, told) in [
        ("BYRADIUS x km ASC", "ERR need numeric radius"),
        ("BYRADIUS -1 km ASC", "ERR radius cannot be negative"),
        (
            "BYRADIUS 1 k ASC",
            "ERR unsupported unit provided. please use M, KM, FT, MI",
        ),
        ("BYBOX x 1 km", "ERR need numeric width"),
        ("BYBOX 1 x km", "ERR need numeric height"),
        ("BYBOX 1 -1 km", "ERR height or width cannot be negative"),
        ("BYRADIUS 1 km COUNT 0", "ERR COUNT must be > 0"),
        (
            "BYRADIUS 1 km COUNT x",
            "ERR value is not an integer or out of range",
        ),
        (
            "BYRADIUS 1 km ANY",
            "ERR the ANY argument requires COUNT argument",
        ),
        ("BYRADIUS 1 km FAR", "ERR syntax error"),
        ("BYRADIUS 1 km COUNT", "ERR syntax error"),
        (
            "ASC WITHDIST WITHCOORD",
            "ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH",
        ),
    ] {
        assert_eq!(of(rest), told, "{rest}");
    }
    assert!(of("BYRADIUS 1 km WITHHASH").contains("WITHCOORD"));
    let beyond = format!("BYRADIUS 1 km COUNT {}", MEMBERS_MAX + 1);
    assert!(of(&beyond).contains("at a time"));
    assert!(error("GEOSEARCH k BYRADIUS 1 km ASC COUNT 1").contains("FROMLONLAT"));
}

#[test]
fn commands_that_herd_lacks_are_refused_with_a_reason() {
    assert!(error("del fleet").contains("ZREM"));
    assert_eq!(error("FOO token"), "ERR unknown command 'FOO'");
    assert_eq!(error("SELECT 1"), "ERR DB index is out of range");
    assert_eq!(error("HELLO 4"), "NOPROTO unsupported protocol version");
    assert_eq!(error("CLIENT KILL x"), "ERR unknown subcommand 'KILL'");
    assert!(error("CLIENT SETNAME \u{1}x").contains("special characters"));
    assert_eq!(
        error("PING a b"),
        "ERR wrong number of arguments for 'ping' command"
    );
}

#[test]
fn a_hello_may_show_a_token() {
    with("HELLO 3 AUTH default secret SETNAME van", |command| {
        let Ok(RespCommand::Hello(hello)) = command else {
            panic!("{command:?}");
        };
        let credentials = hello.credentials.unwrap();
        assert_eq!(
            (credentials.user, credentials.token),
            (Some(&b"default"[..]), &b"secret"[..])
        );
        assert_eq!(hello.name, Some(&b"van"[..]));
    });
}
