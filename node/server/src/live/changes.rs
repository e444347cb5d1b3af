//! The difference between one scene and the next.

use super::scene::{Dot, DotKey, Scene};

/// The difference between two scenes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SceneChanges<'a> {
    /// Dots that were not there.
    pub(super) added: Vec<(DotKey, &'a Dot)>,
    /// Dots that are elsewhere, or stand for other clients, than they did.
    pub(super) moved: Vec<(DotKey, &'a Dot)>,
    /// Dots that are there no more.
    pub(super) gone: Vec<DotKey>,
}

impl<'a> SceneChanges<'a> {
    /// From `before` to `after`.
    #[must_use]
    pub(super) fn between(before: &Scene, after: &'a Scene) -> Self {
        let mut changes = SceneChanges::default();
        for (&key, dot) in &after.dots {
            match before.dots.get(&key) {
                None => changes.added.push((key, dot)),
                Some(known) if known != dot => changes.moved.push((key, dot)),
                Some(_) => {}
            }
        }
        let gone = before.dots.keys().copied();
        changes.gone = gone.filter(|key| !after.dots.contains_key(key)).collect();
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn scenes() -> impl Strategy<Value = Scene> {
        let dot = (0..3_u8, 1..3_usize).prop_map(|(latitude, count)| Dot {
            latitude: f64::from(latitude),
            longitude: 0.0,
            count,
            server: None,
            time_s: None,
            label: "".into(),
        });
        proptest::collection::btree_map(0..8_u64, dot, 0..8).prop_map(|dots| Scene {
            dots,
            ..Scene::default()
        })
    }

    proptest! {
        #[test]
        fn a_page_that_applies_every_change_shows_the_last_scene(
            scenes in proptest::collection::vec(scenes(), 1..6),
            skipped in any::<u8>(),
        ) {
            let mut shown: BTreeMap<DotKey, Dot> = BTreeMap::new();
            let mut last = Scene::default();
            let end = scenes.len() - 1;
            for (number, scene) in scenes.iter().enumerate() {
                // A slow page misses scenes; its next change is from the last that it took.
                if number != end && skipped >> number & 1 == 1 {
                    continue;
                }
                let changes = SceneChanges::between(&last, scene);
                for (key, dot) in changes.added {
                    prop_assert!(shown.insert(key, dot.clone()).is_none());
                }
                for (key, dot) in changes.moved {
                    let before = shown.insert(key, dot.clone());
                    prop_assert!(before.is_some_and(|before| before != *dot));
                }
                for key in changes.gone {
                    prop_assert!(shown.remove(&key).is_some());
                }
                last = scene.clone();
            }
            prop_assert_eq!(shown, last.dots);
        }
    }
}
