//! What clients of other languages send when they connect, and what they need to go on.

use crate::speaking::{Speaking, Value};

/// The first requests of a client, and the version of RESP that it asks for.
struct Opening {
    client: &'static str,
    requests: &'static [&'static str],
    /// For each request, whether an error is an answer that the client goes on with.
    may_fail: &'static [bool],
}

/// As their sources have it: node-redis 5 and 6, ioredis 5, go-redis 9, jedis 6 and later.
const OPENINGS: [Opening; 5] = [
    Opening {
        client: "node-redis",
        requests: &[
            "HELLO 3",
            "CLIENT SETINFO LIB-NAME node-redis",
            "CLIENT SETINFO LIB-VER 5.0.0",
            "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type external-ip",
        ],
        may_fail: &[false, true, true, true],
    },
    Opening {
        client: "ioredis",
        requests: &[
            "INFO",
            "CLIENT SETINFO LIB-NAME ioredis",
            "CLIENT SETINFO LIB-VER 5.4.0",
        ],
        may_fail: &[false, true, true],
    },
    Opening {
        client: "go-redis",
        requests: &[
            "HELLO 3",
            "CLIENT SETINFO LIB-NAME go-redis(,go1.22.0)",
            "CLIENT SETINFO LIB-VER 9.7.0",
            "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type external-ip",
        ],
        may_fail: &[false, true, true, true],
    },
    Opening {
        client: "jedis",
        requests: &[
            "CLIENT SETINFO LIB-NAME jedis",
            "CLIENT SETINFO LIB-VER 6.0.0",
            "SELECT 0",
        ],
        may_fail: &[true, true, false],
    },
    Opening {
        client: "redis-cli",
        requests: &["COMMAND DOCS", "COMMAND"],
        may_fail: &[false, false],
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_other_languages_get_in() {
    let herd = crate::herd().await;
    for opening in &OPENINGS {
        let mut connection = Speaking::connect(crate::hill(&herd));
        // In one write, as most of them do.
        let requests = opening.requests.iter();
        let bytes: Vec<u8> = requests
            .flat_map(|words| crate::speaking::request(words))
            .collect();
        connection.send(&bytes);
        for (words, may_fail) in opening.requests.iter().zip(opening.may_fail) {
            let reply = connection.read();
            let is_error = matches!(reply, Value::Text('-', _) | Value::Ended);
            assert!(
                !is_error || *may_fail,
                "{}: {words}: {reply:?}",
                opening.client
            );
        }
        let added = connection.ask(&format!(
            "GEOADD fleet 13.361389 38.115556 {}",
            opening.client
        ));
        assert_eq!(added, Value::Text(':', "1".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_has_the_fields_that_clients_look_for() {
    let herd = crate::herd().await;
    let mut connection = Speaking::connect(crate::hill(&herd));
    for (version, kind) in [("2", '*'), ("3", '%')] {
        let told = connection.ask(&format!("HELLO {version}"));
        let Value::Many(found, values) = &told else {
            panic!("{told:?}");
        };
        assert_eq!(*found, kind);
        let keys: Vec<String> = values
            .iter()
            .step_by(2)
            .map(|key| format!("{key:?}"))
            .collect();
        let expected = [
            "$server", "$version", "$proto", "$id", "$mode", "$role", "$modules",
        ];
        assert_eq!(keys, expected);
        assert_eq!(values[5], Value::Text(':', version.to_owned()));
    }
}
