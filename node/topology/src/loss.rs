//! The servers that the loss of others cuts off. Pure.

use super::Topology;

/// Servers that are lost together, and those that are cut off from the rest of the herd thereby, as indices into
/// [`Topology::servers`], in its order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The lost ones.
    pub lost: Vec<usize>,
    /// All that are left, but for those in the largest part that still hangs together; of parts of one size, the one with the
    /// earliest server counts as the rest of the herd.
    pub cut_off: Vec<usize>,
}

impl Topology {
    /// The servers that are cut off when these are lost.
    #[must_use]
    pub fn loss_of(&self, lost: &[usize]) -> Loss {
        let mut lost = lost.to_vec();
        lost.sort_unstable();
        lost.dedup();
        let ways = self.ways();
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let mut seen = vec![false; ways.len()];
        for &server in &lost {
            if let Some(seen) = seen.get_mut(server) {
                *seen = true;
            }
        }
        for first in 0..ways.len() {
            if !seen[first] {
                parts.push(reached(first, &ways, &mut seen));
            }
        }
        // Of those of one size, the last one that is met is the greatest.
        let rest = (0..parts.len()).rev().max_by_key(|&part| parts[part].len());
        if let Some(rest) = rest {
            parts.remove(rest);
        }
        let mut cut_off = parts.concat();
        cut_off.sort_unstable();
        Loss { lost, cut_off }
    }

    /// Every server, and every two servers, whose loss cuts others off; two only if neither of them does so alone. At most
    /// `losses_max` of them, those of one server first.
    #[must_use]
    pub fn critical_losses(&self, losses_max: usize) -> Vec<Loss> {
        let ways = self.ways();
        let alone = joints(&ways, None);
        let mut losses: Vec<Loss> = (0..ways.len())
            .filter(|&server| alone[server])
            .take(losses_max)
            .map(|server| self.loss_of(&[server]))
            .collect();
        for first in 0..ways.len() {
            if alone[first] {
                continue;
            }
            let with_first = joints(&ways, Some(first));
            for second in first + 1..ways.len() {
                if losses.len() >= losses_max {
                    return losses;
                }
                if with_first[second] && !alone[second] {
                    losses.push(self.loss_of(&[first, second]));
                }
            }
        }
        losses
    }

    /// The neighbours of each server.
    fn ways(&self) -> Vec<Vec<usize>> {
        let mut ways = vec![Vec::new(); self.servers().len()];
        for link in self.links() {
            for (from, to) in [(link.a, link.b), (link.b, link.a)] {
                if let Some(ways) = ways.get_mut(from) {
                    ways.push(to);
                }
            }
        }
        ways
    }
}

/// All servers that can be reached from `first` over those that are not `seen`; they are seen afterwards.
fn reached(first: usize, ways: &[Vec<usize>], seen: &mut [bool]) -> Vec<usize> {
    let (mut part, mut next) = (Vec::new(), vec![first]);
    seen[first] = true;
    while let Some(server) = next.pop() {
        part.push(server);
        for &other in &ways[server] {
            if !std::mem::replace(&mut seen[other], true) {
                next.push(other);
            }
        }
    }
    part
}

/// Whether the loss of a server leaves more parts than there were, for each server, if `without` is lost already: the
/// articulation points of the graph (Tarjan, 1972). At most as deep as there are servers.
fn joints(ways: &[Vec<usize>], without: Option<usize>) -> Vec<bool> {
    let mut search = Search {
        ways,
        without,
        found_at: vec![0; ways.len()],
        low: vec![0; ways.len()],
        found: 0,
        joints: vec![false; ways.len()],
    };
    for first in 0..ways.len() {
        if Some(first) != without && search.found_at[first] == 0 {
            search.visit(first, None);
        }
    }
    search.joints
}

struct Search<'a> {
    ways: &'a [Vec<usize>],
    without: Option<usize>,
    /// In which order servers are found, from 1.
    found_at: Vec<usize>,
    /// The earliest found that is reached from behind a server, past it.
    low: Vec<usize>,
    found: usize,
    joints: Vec<bool>,
}

impl Search<'_> {
    fn visit(&mut self, server: usize, from: Option<usize>) {
        self.found += 1;
        self.found_at[server] = self.found;
        self.low[server] = self.found;
        let mut behind = 0;
        for &other in &self.ways[server] {
            if Some(other) == self.without || Some(other) == from {
                continue;
            }
            if self.found_at[other] > 0 {
                self.low[server] = self.low[server].min(self.found_at[other]);
                continue;
            }
            self.visit(other, Some(server));
            behind += 1;
            self.low[server] = self.low[server].min(self.low[other]);
            if from.is_some() && self.low[other] >= self.found_at[server] {
                self.joints[server] = true;
            }
        }
        if from.is_none() && behind > 1 {
            self.joints[server] = true;
        }
    }
}

#[cfg(test)]
#[path = "loss_tests.rs"]
mod tests;
