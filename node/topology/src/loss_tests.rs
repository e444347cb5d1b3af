use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::{PortBases, builtin, parse};

/// A topology of so many servers that a chain connects in this order, with more links besides.
fn topology(order: &[usize], more: &[(usize, usize)]) -> Topology {
    let mut text = "cluster test\n".to_owned();
    for server in 0..order.len() {
        let ports = [1, 2, 3].map(|kind| 1_000 * kind + server);
        let [client, peer, http] = ports;
        writeln!(
            text,
            "server s{server} client h:{client} peer h:{peer} http h:{http}"
        )
        .unwrap();
    }
    let chain = order.windows(2).map(|two| (two[0], two[1]));
    let links: BTreeSet<(usize, usize)> = chain
        .chain(
            more.iter()
                .map(|&(a, b)| (a % order.len(), b % order.len())),
        )
        .filter(|(a, b)| a != b)
        .map(|(a, b)| (a.min(b), a.max(b)))
        .collect();
    for (a, b) in links {
        writeln!(text, "link s{a} s{b}").unwrap();
    }
    parse(&text).unwrap()
}

fn any_topology() -> impl Strategy<Value = Topology> {
    (1..9_usize).prop_flat_map(|servers| {
        let order = Just((0..servers).collect::<Vec<_>>()).prop_shuffle();
        let more = proptest::collection::vec((0..servers, 0..servers), 0..12);
        (order, more).prop_map(|(order, more)| topology(&order, &more))
    })
}

/// Whether every two of the servers that are left reach each other, step by step.
fn hang_together(topology: &Topology, lost: &[usize]) -> bool {
    let left: BTreeSet<usize> = (0..topology.servers().len())
        .filter(|server| !lost.contains(server))
        .collect();
    let Some(&first) = left.first() else {
        return true;
    };
    let mut reached = BTreeSet::from([first]);
    for _ in &left {
        for link in topology.links() {
            for (from, to) in [(link.a, link.b), (link.b, link.a)] {
                if reached.contains(&from) && left.contains(&to) {
                    reached.insert(to);
                }
            }
        }
    }
    reached == left
}

proptest! {
    #[test]
    fn critical_losses_are_those_that_trying_all_finds(topology in any_topology()) {
        let servers = topology.servers().len();
        let mut expected = Vec::new();
        let apart = |lost: &[usize]| !hang_together(&topology, lost);
        expected.extend((0..servers).map(|one| vec![one]).filter(|lost| apart(lost)));
        for one in 0..servers {
            for other in one + 1..servers {
                if apart(&[one, other]) && !apart(&[one]) && !apart(&[other]) {
                    expected.push(vec![one, other]);
                }
            }
        }
        let found = topology.critical_losses(usize::MAX);
        let lost: Vec<_> = found.iter().map(|loss| loss.lost.clone()).collect();
        prop_assert_eq!(&lost, &expected);
        for (bound, _) in found.iter().enumerate() {
            prop_assert_eq!(topology.critical_losses(bound), &found[..bound]);
        }
    }

    /// Those that are cut off have no link to those that are not, and are no more than these in any part.
    #[test]
    fn who_is_cut_off_has_no_way_to_the_rest(
        topology in any_topology(),
        lost in proptest::collection::vec(0..9_usize, 0..5),
    ) {
        let loss = topology.loss_of(&lost);
        let servers = 0..topology.servers().len();
        let is_rest = |server: &usize| !lost.contains(server) && !loss.cut_off.contains(server);
        let rest: Vec<usize> = servers.clone().filter(is_rest).collect();
        for link in topology.links() {
            let ends = [link.a, link.b];
            let crosses = ends.iter().any(|end| rest.contains(end))
                && ends.iter().any(|end| loss.cut_off.contains(end));
            prop_assert!(!crosses, "{link:?} {loss:?}");
        }
        let others: Vec<usize> = servers.filter(|server| !rest.contains(server)).collect();
        prop_assert!(hang_together(&topology, &others));
        prop_assert_eq!(loss.cut_off.is_empty(), hang_together(&topology, &lost));
    }
}

#[test]
fn of_the_five_three_pairs_cut_one_off() {
    let topology = builtin(PortBases::default());
    let name = |&server: &usize| topology.servers()[server].name.to_string();
    let losses = topology
        .critical_losses(usize::MAX)
        .into_iter()
        .map(|loss| {
            let names = |servers: &[usize]| servers.iter().map(name).collect::<Vec<_>>().join(" ");
            format!("{}: {}", names(&loss.lost), names(&loss.cut_off))
        });
    let expected = [
        "Hill Singleton: Jaquez",
        "Jaquez Smith: Hill",
        "Smith Singleton: Campbell",
    ];
    assert_eq!(losses.collect::<Vec<_>>(), expected);
}
