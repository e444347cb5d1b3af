//! What no server sends is refused, and nothing is changed by it.

use herd_gossip::guard::{
    BLOCK_BYTES_MAX, DELTA_BYTES_MAX, Fault, FaultKind, NUMBER_MAX, OWN_HEARTBEAT_MAX,
    VALUE_BYTES_MAX,
};
use herd_topology::gossip_address;

use super::forge::*;

fn refused(bytes: &[u8]) -> Fault {
    let guard = guard();
    let fault = check(&guard, bytes).unwrap_err();
    assert_eq!(guard.counts().refused(FaultKind::from(fault)), 1);
    fault
}

fn smith(operations: &[Vec<u8>]) -> Vec<u8> {
    let mut all = vec![node("Smith", 1, 0, 5)];
    all.extend_from_slice(operations);
    ack(&all)
}

#[test]
fn what_is_no_message_is_refused() {
    let good = syn(&[entry("Smith", 1, [1, 0, 0])]);
    for length in 0..good.len() {
        let fault = refused(&good[..length]);
        assert_eq!(fault, Fault::CutOff, "{length}");
    }
    let left_over = [&good[..], &[0]].concat();
    assert_eq!(refused(&left_over), Fault::LeftOver);
    for (at, wrong) in [(0, 1), (2, 1), (3, 4), (3, 255)] {
        let mut other = good.clone();
        other[at] = wrong;
        assert_eq!(refused(&other), Fault::NotGossip);
    }
    assert_eq!(refused(&message(3, &[])), Fault::ForeignCluster);
    let mut cluster = Vec::new();
    text(&mut cluster, b"other");
    let foreign = message(SYN, &[&digest(&[]), &cluster]);
    assert_eq!(refused(&foreign), Fault::ForeignCluster);
}

#[test]
fn ids_that_no_server_has_are_refused() {
    let too_long = "n".repeat(65);
    let huge = "n".repeat(65_000);
    for name in ["", " ", "a b", "-a", "a/b", "\u{e9}", &too_long, &huge] {
        assert_eq!(refused(&syn(&[entry(name, 1, [0; 3])])), Fault::Name);
        let operations = [node(name, 1, 0, 0)];
        let fault = refused(&message(ACK, &[&packed(&operations.concat(), 16_384)]));
        assert_eq!(fault, Fault::Name);
    }
    let mut stolen = Vec::new();
    id(&mut stolen, "Smith", 1, gossip_address("Jaquez"));
    stolen.extend([0; 24]);
    assert_eq!(refused(&syn(&[stolen])), Fault::Address);
    let mut ipv4 = Vec::new();
    id(&mut ipv4, "Smith", 1, "127.0.0.1:1".parse().unwrap());
    ipv4.extend([0; 24]);
    assert_eq!(refused(&syn(&[ipv4])), Fault::Address);
    let far = entry("Smith", GENERATION_MAX + 1, [0; 3]);
    assert_eq!(refused(&syn(&[far])), Fault::Generation);
    let mut garbled = entry("Smith", 1, [0; 3]);
    garbled[2] = 0xff;
    assert_eq!(refused(&syn(&[garbled])), Fault::NotText);
}

#[test]
fn ids_twice_or_out_of_order_are_refused() {
    let of = |name, generation| entry(name, generation, [0; 3]);
    for entries in [
        [of("Smith", 1), of("Smith", 1)],
        [of("Smith", 2), of("Smith", 1)],
        [of("Smith", 1), of("Jaquez", 1)],
    ] {
        assert_eq!(refused(&syn(&entries)), Fault::IdOrder);
    }
    let twice = [node("Smith", 1, 0, 0), node("Smith", 1, 0, 0)];
    assert_eq!(refused(&ack(&twice)), Fault::IdOrder);
}

#[test]
fn keys_and_values_that_no_server_sets_are_refused() {
    for key in ["", "Slot", "slot/1", "slot/0000000G", "a key"] {
        assert_eq!(refused(&smith(&[set(key, b"", 6)])), Fault::Key, "{key}");
    }
    let long = vec![b'a'; VALUE_BYTES_MAX + 1];
    assert_eq!(refused(&smith(&[set("links", &long, 6)])), Fault::Value);
    assert_eq!(refused(&smith(&[set("links", b"\xff", 6)])), Fault::NotText);
    for status in [1, 2, 3] {
        let fault = refused(&smith(&[set_as("links", b"", 6, status)]));
        assert_eq!(fault, Fault::Deletion);
    }
}

#[test]
fn versions_that_chitchat_would_assert_on_are_refused() {
    let of = |version| set("links", b"", version);
    for versions in [
        &[5][..],
        &[0],
        &[7, 7],
        &[8, 7],
        &[NUMBER_MAX + 1],
        &[u64::MAX],
    ] {
        let operations: Vec<_> = versions.iter().map(|version| of(*version)).collect();
        assert_eq!(refused(&smith(&operations)), Fault::Version, "{versions:?}");
    }
    assert_eq!(refused(&smith(&[max_version(5)])), Fault::Version);
    assert_eq!(refused(&smith(&[of(8), max_version(7)])), Fault::Operation);
    assert_eq!(refused(&smith(&[max_version(7), of(8)])), Fault::Operation);
    assert_eq!(refused(&ack(&[of(8)])), Fault::Operation);
    assert_eq!(refused(&ack(&[vec![3]])), Fault::Operation);
    for place in 0..3 {
        let mut numbers = [0; 3];
        numbers[place] = NUMBER_MAX + 1;
        let fault = refused(&syn(&[entry("Smith", 1, numbers)]));
        assert_eq!(fault, Fault::Version);
    }
    for (last_gc, from) in [(u64::MAX, 0), (0, u64::MAX)] {
        let fault = refused(&ack(&[node("Smith", 1, last_gc, from)]));
        assert_eq!(fault, Fault::Version);
    }
}

#[test]
fn nobody_knows_more_of_this_server_than_it_published() {
    let own = |heartbeat, max_version| {
        let numbers = [heartbeat, 0, max_version];
        syn(&[entry("Hill", me().generation, numbers)])
    };
    assert_eq!(refused(&own(7, OWN_VERSION + 1)), Fault::Own);
    assert_eq!(refused(&own(OWN_HEARTBEAT_MAX + 1, 0)), Fault::Own);
    let checked = check(&guard(), &own(OWN_HEARTBEAT_MAX, OWN_VERSION));
    assert_eq!(checked.unwrap().own_heartbeat, Some(OWN_HEARTBEAT_MAX));
    // Of what an earlier or later process of this name published it knows nothing.
    let other = entry("Hill", me().generation + 1, [1, 0, 1_000]);
    assert!(check(&guard(), &syn(&[other])).is_ok());
}

/// 128 KiB that unpacked to 2.4 GiB.
#[test]
fn blocks_of_more_than_chitchat_packs_are_refused() {
    let zeros = vec![0; usize::from(u16::MAX)];
    let bomb = block(1, &zstd::bulk::compress(&zeros, 0).unwrap());
    let bombs = bomb.repeat(128 * 1024 / bomb.len());
    assert_eq!(refused(&message(ACK, &[&bombs, &[0]])), Fault::Block);
    // In blocks as large as chitchat's the operations are nonsense, at the latest.
    let zeros = packed(&vec![0; 64 * DELTA_BYTES_MAX], BLOCK_BYTES_MAX);
    assert_eq!(refused(&message(ACK, &[&zeros])), Fault::Address);
}
