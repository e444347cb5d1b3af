//! The messages of a hostile neighbour, attack by attack.

use crate::wire::{
    ACK, BLOCK_BYTES, FRAME_BYTES_MAX, HELLO, REFUSAL, REPORT, SKIPPABLE_FROM, SYN_ACK, ack, block,
    digest, entry, framed, gossip, node, report, set, syn,
};

/// The generations of the servers, which the attacker knows. It plays Hill.
#[derive(Clone, Copy)]
pub(crate) struct Generations {
    pub(crate) hill: u64,
    pub(crate) smith: u64,
    pub(crate) campbell: u64,
}

/// Frames that are sent one behind the other.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) frames: Vec<Vec<u8>>,
    /// How often all of them are sent.
    pub(crate) rounds: usize,
    pub(crate) end: End,
}

/// The expected effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server reads all of it, and the link stays.
    Taken,
    /// Each of the frames ends a link.
    CutOff,
    /// The server reads as much as it can in this time, in seconds.
    After(u64),
}

/// All of them.
pub(crate) fn attacks(known: Generations) -> Vec<Attack> {
    let attack = |name, rounds, frames, end| Attack {
        name,
        frames,
        rounds,
        end,
    };
    vec![
        attack("bombs", 8, bombs(), End::CutOff),
        attack("regular-bombs", 32, regular_bombs(known), End::Taken),
        attack("names", 1, names(known), End::CutOff),
        attack("foreign-names", 1, foreign_names(), End::Taken),
        attack("incarnations", 1, incarnations(known), End::Taken),
        attack("own", 1, own(known), End::Taken),
        attack("garbled-groups", 1, garbled(known), End::Taken),
        attack("reports", 20, reports(known), End::Taken),
        attack("long-reports", 1, long_reports(known), End::CutOff),
        attack("unknown-frames", 1, unknown(), End::CutOff),
        attack("later-frames", 4, later(), End::Taken),
        // Behind the others, which name the incarnation that ends by it.
        attack("own-beyond", 4, own_beyond(known), End::CutOff),
        attack("small-frames", usize::MAX, small(), End::After(5)),
    ]
}

/// As often as it fits into one frame.
fn filled(bytes: &[u8]) -> Vec<u8> {
    bytes.repeat((FRAME_BYTES_MAX - 1_024) / bytes.len())
}

/// Frames that unpack to hundreds of MiB, in blocks that gossip never packs and in such as it does.
fn bombs() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for block_bytes in [usize::from(u16::MAX), BLOCK_BYTES] {
        let blocks = filled(&block(&vec![0; block_bytes]));
        frames.push(gossip(ACK, &[&blocks, &[0]]));
        frames.push(gossip(SYN_ACK, &[&digest(0, &[]), &blocks, &[0]]));
    }
    frames
}

/// The same, of operations as a server may say them.
fn regular_bombs(known: Generations) -> Vec<Vec<u8>> {
    let mut operations = vec![node("Hill", known.hill, 0)];
    let value = vec![b'a'; 16_000];
    operations.extend((1..=2_500).map(|number| set(&format!("slot/{number:08x}"), &value, number)));
    let frame = ack(&operations);
    assert!(frame.len() < FRAME_BYTES_MAX, "{}", frame.len());
    vec![syn(&[entry("Hill", known.hill, [1, 0, 0])]), frame]
}

/// Ids of names that no server can have.
fn names(known: Generations) -> Vec<Vec<u8>> {
    let longest = "n".repeat(60_000);
    let names = [
        "",
        " ",
        "a b",
        "Smith\0",
        "\u{7f}",
        &"n".repeat(65),
        &longest,
    ];
    let said = |name| {
        let begun = syn(&[entry(name, known.hill, [1; 3])]);
        let ended = ack(&[node(name, known.hill, 0), set("links", b"", 1)]);
        [begun, ended]
    };
    names.into_iter().flat_map(said).collect()
}

/// More servers than any topology has.
fn foreign_names() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let foreign: Vec<String> = (0..2_000)
        .map(|number| format!("foreign{number:04}"))
        .collect();
    frames.extend(foreign.chunks(500).map(|names| {
        let entries: Vec<Vec<u8>> = names.iter().map(|name| entry(name, 1, [1, 0, 1])).collect();
        syn(&entries)
    }));
    frames.extend(foreign.chunks(200).map(|names| {
        let operations: Vec<Vec<u8>> = names
            .iter()
            .flat_map(|name| [node(name, 1, 0), set("slot/00000001", &vec![b'a'; 500], 1)])
            .collect();
        ack(&operations)
    }));
    frames
}

/// Thousands of incarnations, of the attacker's own name, of an honest server's, and of one that is not there.
fn incarnations(known: Generations) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (name, newest) in [
        ("Hill", known.hill - 1),
        ("Campbell", known.campbell - 1),
        ("foreign0001", 10_000),
    ] {
        for thousand in 0..4 {
            let first = newest - 1_000 * (thousand + 1);
            let generations = || first..first + 1_000;
            let entries: Vec<Vec<u8>> = generations()
                .map(|generation| entry(name, generation, [1; 3]))
                .collect();
            frames.push(syn(&entries));
            let operations: Vec<Vec<u8>> = generations()
                .flat_map(|generation| [node(name, generation, 0), set("slot/00000001", b"", 1)])
                .collect();
            frames.push(ack(&operations));
        }
    }
    frames
}

/// Publications of the attacked server itself, and incarnations that it never had.
fn own(known: Generations) -> Vec<Vec<u8>> {
    let smith = known.smith;
    let stolen = |version| {
        ack(&[
            node("Smith", smith, 0),
            set("slot/00000000", b"c3RvbGVu", version),
        ])
    };
    vec![
        stolen(1),
        stolen(1_000_000),
        syn(&[
            entry("Smith", smith - 1, [1, 0, 9]),
            entry("Smith", smith, [1 << 40, 0, 0]),
        ]),
        ack(&[node("Smith", smith - 1, 0), set("slot/00000000", b"", 9)]),
    ]
}

/// Higher versions than it has published.
fn own_beyond(known: Generations) -> Vec<Vec<u8>> {
    let said = |numbers| syn(&[entry("Smith", known.smith, numbers)]);
    vec![said([1, 0, 1 << 50]), said([1, 1 << 50, 0])]
}

/// Unreadable groups, and groups that unpack to much.
fn garbled(known: Generations) -> Vec<Vec<u8>> {
    // Behind the earlier versions.
    let first = 1 << 20;
    let values: [&[u8]; 6] = [b"", b"!", b"~", b"~!", b"AAAA", &[b'A'; 16_000]];
    let mut frames = vec![syn(&[entry("Hill", known.hill, [2, 0, 0])])];
    let mut version = first;
    for _ in 0..20 {
        let mut operations = vec![node("Hill", known.hill, 0)];
        for slot in 0..600 {
            version += 1;
            let value = values[(version % 6) as usize];
            operations.push(set(&format!("slot/{slot:08x}"), value, version));
        }
        frames.push(ack(&operations));
    }
    let mut operations = vec![node("Hill", known.hill, 0)];
    for (key, value) in [
        ("links", &b"\xc3\xa9 up down 7"[..]),
        ("buried", b"0 nobody, 1 Smith"),
        ("links", &[b'1'; 16_000]),
    ] {
        version += 1;
        operations.push(set(key, value, version));
    }
    frames.push(ack(&operations));
    frames
}

/// Versions that were never published, and clocks that are none.
fn reports(known: Generations) -> Vec<Vec<u8>> {
    let all = [
        ("Smith", known.smith),
        ("Campbell", known.campbell),
        ("Hill", known.hill),
    ];
    let lies = all.map(|(name, generation)| (name, generation, u64::MAX, u64::MAX));
    let names: Vec<String> = (0..2_500).map(|number| format!("s{number:04}")).collect();
    let many: Vec<(&str, u64, u64, u64)> = names.iter().map(|name| (&**name, 1, 1, 1)).collect();
    let of_one: Vec<(&str, u64, u64, u64)> = (0..2_500)
        .map(|number| ("Hill", known.hill - number, u64::MAX, 1))
        .collect();
    let mut frames = Vec::new();
    for clock_ns in [0, 1, -1, i64::MIN, i64::MAX] {
        frames.push(report(clock_ns, &lies));
        frames.push(report(clock_ns, &many));
        frames.push(report(clock_ns, &of_one));
        frames.push(report(
            clock_ns,
            &[("", 0, 0, 0), ("Smith", 0, 0, u64::MAX)],
        ));
    }
    frames
}

/// Far more entries than a report has, and than it claims to have.
fn long_reports(known: Generations) -> Vec<Vec<u8>> {
    let many: Vec<(&str, u64, u64, u64)> = vec![("Hill", known.hill, 1, 1); 7_000];
    // A clock, then a count of 2^64 - 1 entries.
    let claimed = [&[0, 253][..], &[0xff; 8], &[0; 100]].concat();
    vec![report(0, &many), framed(REPORT, &claimed)]
}

/// Kinds of frames that there are not and that nobody may skip, and such as belong elsewhere.
fn unknown() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = (5..SKIPPABLE_FROM)
        .map(|kind| framed(kind, &[0; 100]))
        .collect();
    frames.push(framed(0, &[]));
    frames.push(framed(HELLO, &[1; 30]));
    // A reason that there is not, and a generation that makes no sense.
    frames.push(framed(
        REFUSAL,
        &[[77, 253].as_slice(), &[0xff; 8]].concat(),
    ));
    frames.push(framed(REPORT, &[0xff; 1_000]));
    frames.push(vec![0, 0, 0, 0]);
    frames.push(vec![0xff; 1_000]);
    frames
}

/// Kinds of frames that a later version may have and that are skipped, empty, small and as long as a frame can be.
fn later() -> Vec<Vec<u8>> {
    let kinds = SKIPPABLE_FROM..=u8::MAX;
    let mut frames: Vec<Vec<u8>> = kinds.map(|kind| framed(kind, &[0; 100])).collect();
    frames.push(framed(SKIPPABLE_FROM, &[]));
    frames.extend(vec![framed(u8::MAX, &filled(&[0xff])); 16]);
    frames
}

/// Frames with next to nothing in them, without end.
fn small() -> Vec<Vec<u8>> {
    vec![report(0, &[]), syn(&[]), ack(&[]), syn(&[]).repeat(16)]
}
