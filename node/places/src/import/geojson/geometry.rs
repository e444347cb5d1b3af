//! Where a feature is.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use super::super::super::online::words;
use super::super::extent::Extent;
use super::super::report::BadRowReason;
use super::reference_system::other_system;

/// The geometry of a feature.
#[derive(Deserialize)]
pub(super) struct FeatureGeometry {
    #[serde(rename = "type")]
    kind: Option<String>,
    coordinates: Option<Coordinates>,
    geometries: Option<Vec<FeatureGeometry>>,
    crs: Option<Value>,
}

impl FeatureGeometry {
    /// The box around all its points.
    ///
    /// # Errors
    /// If it does not fit its type, because then the meaning of its numbers is unknown.
    pub(super) fn extent(&self) -> Result<Extent, BadRowReason> {
        if let Some(other) = self.crs.as_ref().and_then(other_system) {
            return Err(BadRowReason::OtherReferenceSystem(other));
        }
        let mut extent = Extent::default();
        if let Some(Coordinates::Points {
            extent: points,
            depth: Some(depth),
        }) = &self.coordinates
        {
            self.check_depth(*depth)?;
            extent.add(*points);
        }
        for geometry in self.geometries.iter().flatten() {
            extent.add(geometry.extent()?);
        }
        Ok(extent)
    }

    fn check_depth(&self, depth: usize) -> Result<(), BadRowReason> {
        let kind = self.kind.as_deref().unwrap_or_default();
        let expected = match kind {
            "Point" => 1,
            "MultiPoint" | "LineString" => 2,
            "Polygon" | "MultiLineString" => 3,
            "MultiPolygon" => 4,
            _ => {
                let what = format!(
                    "`{}` is not a type of geometry with coordinates",
                    words(kind)
                );
                return Err(BadRowReason::NotAFeature(what));
            }
        };
        if depth == expected {
            Ok(())
        } else {
            let what = format!("its coordinates are not those of a {kind}");
            Err(BadRowReason::NotAFeature(what))
        }
    }
}

/// Coordinates of any depth, of which only the box around them is kept.
enum Coordinates {
    Number(f64),
    /// A position has depth 1, a list of positions depth 2. An empty list has any depth.
    Points {
        extent: Extent,
        depth: Option<usize>,
    },
}

impl<'de> Deserialize<'de> for Coordinates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CoordinatesVisitor)
    }
}

struct CoordinatesVisitor;

impl<'de> Visitor<'de> for CoordinatesVisitor {
    type Value = Coordinates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("coordinates")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Coordinates, E> {
        Ok(Coordinates::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Coordinates, E> {
        Ok(Coordinates::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Coordinates, E> {
        Ok(Coordinates::Number(number as f64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Coordinates, A::Error> {
        use serde::de::Error as _;
        let mut extent = Extent::default();
        let mut depth_within = None;
        while let Some(element) = list.next_element::<Coordinates>()? {
            match element {
                Coordinates::Points {
                    extent: points,
                    depth,
                } => {
                    extent.add(points);
                    if depth_within.is_some() && depth.is_some() && depth != depth_within {
                        return Err(A::Error::custom("positions of different depths"));
                    }
                    depth_within = depth_within.or(depth);
                }
                Coordinates::Number(_) if depth_within.is_some() => {
                    return Err(A::Error::custom("a number among positions"));
                }
                // A position: longitude, latitude, and maybe more.
                Coordinates::Number(longitude) => {
                    let latitude: f64 = list
                        .next_element()?
                        .ok_or_else(|| A::Error::custom("a position has one number only"))?;
                    while list.next_element::<f64>()?.is_some() {}
                    return Ok(Coordinates::Points {
                        extent: Extent::of_point(latitude, longitude),
                        depth: Some(1),
                    });
                }
            }
        }
        Ok(Coordinates::Points {
            extent,
            depth: depth_within.map(|depth| depth + 1),
        })
    }
}
