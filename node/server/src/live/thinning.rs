//! Makes of all clients no more dots than a page can draw.

use std::collections::{BTreeMap, HashMap};

use super::DOTS_MAX;
use super::viewport::{Cell, Grid, PageViewport};

/// Tells one client from another on a page: a hash of its id under a key that only this process knows.
pub(super) type ClientKey = u64;

/// A point on a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dot {
    /// Degrees north.
    pub(super) latitude: f64,
    /// Degrees east.
    pub(super) longitude: f64,
    /// The clients that it stands for.
    pub(super) count: u32,
    /// The server that heard the client, by its place in the topology.
    pub(super) server: Option<u16>,
    /// The client's id, to be read.
    pub(super) label: Box<str>,
}

/// The dots on the map of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    /// All clients of the map.
    pub(super) clients: u64,
    /// Those within the viewport.
    pub(super) in_view: u64,
    /// Whether a dot stands for the clients of a cell.
    pub(super) thinned: bool,
    /// By the client at their position.
    pub(super) dots: BTreeMap<ClientKey, Dot>,
}

/// Takes in all clients, one by one, and holds [`DOTS_MAX`] dots at most.
///
/// Up to that many clients in the viewport are a dot each. More are put into the cells of a grid. A cell's
/// dot is that of its client with the least key: so it moves as a client does, and does not jump from one
/// client to the next.
#[derive(Debug)]
pub(super) struct Thinning {
    viewport: PageViewport,
    grid: Grid,
    scene: Scene,
    /// The client that stands for each cell, once there are too many.
    cells: HashMap<Cell, ClientKey>,
}

impl Thinning {
    /// No clients yet.
    #[must_use]
    pub(super) fn new(viewport: PageViewport) -> Self {
        Thinning {
            grid: viewport.grid(),
            viewport,
            scene: Scene::default(),
            cells: HashMap::new(),
        }
    }

    /// Takes in a client. `describe` gives the server's place and the label, and is asked only if they are
    /// needed.
    pub(super) fn add(
        &mut self,
        key: ClientKey,
        (latitude, longitude): (f64, f64),
        describe: impl FnOnce() -> (Option<u16>, String),
    ) {
        self.scene.clients += 1;
        if !self.viewport.contains(latitude, longitude) {
            return;
        }
        self.scene.in_view += 1;
        let dot = move || {
            let (server, label) = describe();
            Dot {
                latitude,
                longitude,
                count: 1,
                server,
                label: label.into_boxed_str(),
            }
        };
        if self.scene.thinned {
            self.add_to_cell(key, (latitude, longitude), dot);
            return;
        }
        self.scene.dots.insert(key, dot());
        if self.scene.dots.len() > DOTS_MAX {
            self.scene.thinned = true;
            for (key, dot) in std::mem::take(&mut self.scene.dots) {
                self.add_to_cell(key, (dot.latitude, dot.longitude), || dot);
            }
        }
    }

    fn add_to_cell(
        &mut self,
        key: ClientKey,
        (latitude, longitude): (f64, f64),
        dot: impl FnOnce() -> Dot,
    ) {
        let dots = &mut self.scene.dots;
        let chosen = self
            .cells
            .entry(self.grid.cell(latitude, longitude))
            .or_insert(key);
        if *chosen < key {
            if let Some(dot) = dots.get_mut(chosen) {
                dot.count += 1;
            }
            return;
        }
        let others = dots.remove(chosen).map_or(0, |dot| dot.count);
        *chosen = key;
        let mut dot = dot();
        dot.count += others;
        dots.insert(key, dot);
    }

    /// The result.
    #[must_use]
    pub(super) fn finish(self) -> Scene {
        self.scene
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thinned(viewport: PageViewport, clients: &[(ClientKey, (f64, f64))]) -> Scene {
        let mut thinning = Thinning::new(viewport);
        for &(key, position) in clients {
            thinning.add(key, position, || (Some(1), format!("client{key}")));
        }
        thinning.finish()
    }

    /// Spread evenly over the world.
    fn many(count: u64) -> Vec<(ClientKey, (f64, f64))> {
        let golden = 0.618_033_988_749_895_f64;
        (0..count)
            .map(|key| {
                let along = key as f64 / count as f64;
                let longitude = (key as f64 * golden).fract() * 360.0 - 180.0;
                (key, (along * 180.0 - 90.0, longitude))
            })
            .collect()
    }

    #[test]
    fn few_clients_are_a_dot_each() {
        let view = PageViewport::parse("0,0,10,10").unwrap();
        let scene = thinned(view, &[(1, (5.0, 5.0)), (2, (5.0, 5.0)), (3, (-5.0, 5.0))]);
        assert_eq!((scene.clients, scene.in_view), (3, 2));
        assert!(!scene.thinned);
        assert_eq!(scene.dots.keys().collect::<Vec<_>>(), [&1, &2]);
        assert_eq!(&*scene.dots[&2].label, "client2");
    }

    #[test]
    fn a_hundred_thousand_clients_are_as_many_dots_as_may_be() {
        let clients = many(100_000);
        let scene = thinned(PageViewport::WORLD, &clients);
        assert!(scene.thinned);
        assert_eq!((scene.clients, scene.in_view), (100_000, 100_000));
        assert!(scene.dots.len() <= DOTS_MAX);
        assert!(scene.dots.len() > DOTS_MAX / 5, "{}", scene.dots.len());
    }

    #[test]
    fn a_client_that_moves_within_its_cell_moves_its_dot_alone() {
        let mut clients = many(10_000);
        let before = thinned(PageViewport::WORLD, &clients);
        let key = *before.dots.keys().next().unwrap();
        let moved = clients.iter_mut().find(|client| client.0 == key).unwrap();
        moved.1.0 += 0.001;
        let after = thinned(PageViewport::WORLD, &clients);
        let differing: Vec<_> = after
            .dots
            .iter()
            .filter(|(key, dot)| before.dots.get(key) != Some(dot))
            .collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(*differing[0].0, key);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_client_is_lost_and_order_does_not_matter(
            positions in proptest::collection::vec((-90.0..=90.0_f64, -180.0..=180.0_f64), 1..6_000),
            seed in any::<u64>(),
        ) {
            let mut clients: Vec<_> = (0..).zip(positions).collect();
            let scene = thinned(PageViewport::WORLD, &clients);
            let sum: u64 = scene.dots.values().map(|dot| u64::from(dot.count)).sum();
            prop_assert_eq!(sum, clients.len() as u64);
            prop_assert!(scene.dots.len() <= DOTS_MAX);
            clients.sort_by_key(|&(key, _)| (key ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            prop_assert_eq!(thinned(PageViewport::WORLD, &clients), scene);
        }
    }
}
