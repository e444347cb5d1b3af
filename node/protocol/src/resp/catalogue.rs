//! The commands, as `COMMAND` tells them.

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandEntry {
    /// Its name, in lower case.
    pub name: &'static str,
    /// The number of its arguments, its name among them; below zero the least number.
    pub arity: i64,
    /// Its flags.
    pub flags: &'static [&'static str],
    /// Where its first key is, its last, and how far they are apart; `[0, 0, 0]` without keys.
    pub keys: [i64; 3],
    /// The group that Redis has it in.
    pub group: &'static str,
    /// One sentence about it.
    pub summary: &'static str,
}

const fn entry(
    name: &'static str,
    arity: i64,
    flags: &'static [&'static str],
    keys: [i64; 3],
    group: &'static str,
    summary: &'static str,
) -> CommandEntry {
    CommandEntry {
        name,
        arity,
        flags,
        keys,
        group,
        summary,
    }
}

const CONNECTION: &[&str] = &["fast", "loading", "stale"];
const OPENING: &[&str] = &["fast", "loading", "no_auth", "stale"];
const READING: &[&str] = &["readonly"];
const WRITING: &[&str] = &["denyoom", "write"];

/// All commands, by name.
pub const COMMANDS: &[CommandEntry] = &[
    entry("auth", -2, OPENING, [0; 3], "connection", "Shows a token."),
    entry(
        "client",
        -2,
        CONNECTION,
        [0; 3],
        "connection",
        "Names a connection, or tells its name or number.",
    ),
    entry(
        "command",
        -1,
        CONNECTION,
        [0; 3],
        "server",
        "Tells about the commands.",
    ),
    entry(
        "echo",
        2,
        CONNECTION,
        [0; 3],
        "connection",
        "Gives a text back.",
    ),
    entry(
        "exists",
        -2,
        READING,
        [1, -1, 1],
        "generic",
        "Counts the keys that have members.",
    ),
    entry(
        "geoadd",
        -5,
        WRITING,
        [1, 1, 1],
        "geo",
        "Reports where members are, at the server's clock.",
    ),
    entry(
        "geodist",
        -4,
        READING,
        [1, 1, 1],
        "geo",
        "Tells how far two members are apart.",
    ),
    entry(
        "geopos",
        -2,
        READING,
        [1, 1, 1],
        "geo",
        "Tells where members are.",
    ),
    entry(
        "geosearch",
        -7,
        READING,
        [1, 1, 1],
        "geo",
        "Finds the members in a circle or a box.",
    ),
    entry(
        "hello",
        -1,
        OPENING,
        [0; 3],
        "connection",
        "Chooses the version of RESP, and may show a token.",
    ),
    entry(
        "info",
        -1,
        CONNECTION,
        [0; 3],
        "server",
        "Tells about the server.",
    ),
    entry(
        "ping",
        -1,
        CONNECTION,
        [0; 3],
        "connection",
        "Asks whether the server answers.",
    ),
    entry(
        "quit",
        -1,
        OPENING,
        [0; 3],
        "connection",
        "Ends the connection.",
    ),
    entry(
        "reset",
        1,
        OPENING,
        [0; 3],
        "connection",
        "Makes the connection as it was at its beginning.",
    ),
    entry(
        "select",
        2,
        CONNECTION,
        [0; 3],
        "connection",
        "Chooses database 0, the only one.",
    ),
    entry(
        "type",
        2,
        READING,
        [1, 1, 1],
        "generic",
        "Tells whether a key has members: zset or none.",
    ),
    entry(
        "zcard",
        2,
        READING,
        [1, 1, 1],
        "sorted-set",
        "Counts the members of a key.",
    ),
    entry(
        "zrem",
        -3,
        WRITING,
        [1, 1, 1],
        "sorted-set",
        "Forgets members.",
    ),
];

/// Commands of Redis that people will try, and what to do in their place.
pub(super) const NOT_OFFERED: &[(&str, &str)] = &[
    ("DEL", "take members out with ZREM"),
    ("UNLINK", "take members out with ZREM"),
    ("FLUSHALL", "take members out with ZREM"),
    ("FLUSHDB", "take members out with ZREM"),
    ("EXPIRE", "the server's expire_after is for all clients"),
    ("TTL", "the server's expire_after is for all clients"),
    ("GEOSEARCHSTORE", "use GEOSEARCH"),
    ("GEORADIUS", "use GEOSEARCH"),
    ("GEORADIUS_RO", "use GEOSEARCH"),
    ("GEORADIUSBYMEMBER", "use GEOSEARCH"),
    ("GEORADIUSBYMEMBER_RO", "use GEOSEARCH"),
    ("GEOHASH", "herd keeps the exact location: use GEOPOS"),
    ("ZADD", "use GEOADD"),
    ("ZSCORE", "herd keeps the exact location: use GEOPOS"),
    ("ZRANGE", "use GEOSEARCH"),
    ("ZSCAN", "use GEOSEARCH"),
    ("KEYS", "herd keeps clients, not keys"),
    ("SCAN", "herd keeps clients, not keys"),
    ("GET", "herd keeps locations only"),
    ("SET", "herd keeps locations only"),
    ("MULTI", "there are no transactions"),
    ("EVAL", "there are no scripts"),
    ("SUBSCRIBE", "use WATCH of the text protocol"),
    ("PSUBSCRIBE", "use WATCH of the text protocol"),
    ("CONFIG", "settings are those of herd serve"),
    ("CLUSTER", "every server of a herd answers alone"),
];

/// The entry of a command, whatever its case.
#[must_use]
pub fn entry_of(name: &[u8]) -> Option<&'static CommandEntry> {
    let mut entries = COMMANDS.iter();
    entries.find(|entry| name.eq_ignore_ascii_case(entry.name.as_bytes()))
}

impl CommandEntry {
    /// Whether it takes so many arguments, its name among them.
    #[must_use]
    pub fn takes(&self, arguments: usize) -> bool {
        let arguments = i64::try_from(arguments).unwrap_or(i64::MAX);
        if self.arity < 0 {
            arguments >= -self.arity
        } else {
            arguments == self.arity
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_in_order_and_none_is_refused_too() {
        assert!(COMMANDS.is_sorted_by_key(|entry| entry.name));
        for (name, _) in NOT_OFFERED {
            assert!(entry_of(name.as_bytes()).is_none(), "{name}");
        }
    }
}
