//! The part of the world that a page shows, and the squares in which its clients are counted.

use herd_crdt::QUANTIZED_ROW_BITS;
use herd_grid::{Census, Window};
use herd_places::MapView;

use super::{APART_MAX, DOTS_MAX};

/// The closest zoom that a page may ask for.
const ZOOM_MAX: u32 = 24;

/// At this zoom, of 256 pixels for the world at zoom 0, a square of the lattice is 64 pixels wide.
const LATTICE_ZOOM: u32 = 18;

/// Why a text is no viewport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidViewport {
    /// Not four numbers, or of a view without height.
    #[error("a view is SOUTH,WEST,NORTH,EAST in degrees, such as -60,-180,85,180")]
    Edges,
    /// Not a number, or too great.
    #[error("a zoom is a whole number from 0 to {ZOOM_MAX}")]
    Zoom,
}

/// A part of the world between two parallels and two meridians. One that is further east in the west than
/// in the east reaches over the 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PageViewport {
    latitudes: (f64, f64),
    longitudes: (f64, f64),
    zoom: Option<u32>,
}

impl PageViewport {
    /// All of it.
    pub(super) const WORLD: PageViewport = PageViewport {
        latitudes: (-90.0, 90.0),
        longitudes: (-180.0, 180.0),
        zoom: None,
    };

    /// Reads `SOUTH,WEST,NORTH,EAST`.
    ///
    /// # Errors
    /// If the text has another form, or south is not below north.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidViewport> {
        let mut numbers = text.split(',').map(|number| number.parse::<f64>());
        let mut next = |limit: f64| match numbers.next() {
            Some(Ok(number)) if number.abs() <= limit => Ok(number),
            _ => Err(InvalidViewport::Edges),
        };
        let (south, west, north, east) = (next(90.0)?, next(180.0)?, next(90.0)?, next(180.0)?);
        if numbers.next().is_some() || south >= north {
            return Err(InvalidViewport::Edges);
        }
        Ok(PageViewport {
            latitudes: (south, north),
            longitudes: (west, east),
            zoom: None,
        })
    }

    /// The same at a zoom: at zoom 0 the world is 256 pixels wide, and at each further one twice as wide.
    ///
    /// # Errors
    /// If the text is no whole number, or a closer zoom than there is.
    pub(super) fn at_zoom(self, text: &str) -> Result<Self, InvalidViewport> {
        let zoom = text.parse().ok().filter(|&zoom| zoom <= ZOOM_MAX);
        let zoom = Some(zoom.ok_or(InvalidViewport::Zoom)?);
        Ok(PageViewport { zoom, ..self })
    }

    /// Its edges in the lattice of the grid.
    #[must_use]
    pub(super) fn window(&self) -> Window {
        Window::new(self.latitudes, self.longitudes)
    }

    /// Its edges for a look-up of names.
    #[must_use]
    pub(super) fn map_view(&self) -> MapView {
        MapView {
            latitudes: self.latitudes,
            longitudes: self.longitudes,
        }
    }

    /// A count of its clients in squares 64 pixels wide, or as much wider as it takes for no more than [`DOTS_MAX`] of
    /// them to reach into it. Few clients are each named, and so are all that fit where squares get no smaller.
    #[must_use]
    pub(super) fn census(&self) -> Census {
        let window = self.window();
        let mut bits = LATTICE_ZOOM.saturating_sub(self.zoom.unwrap_or(LATTICE_ZOOM));
        while bits < QUANTIZED_ROW_BITS && window.squares(bits) > DOTS_MAX as u64 {
            bits += 1;
        }
        let is_closest = self.zoom.is_some_and(|zoom| zoom >= LATTICE_ZOOM);
        let all_max = if is_closest { DOTS_MAX } else { APART_MAX };
        Census::new(window, bits, all_max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_numbers_make_a_viewport() {
        assert_eq!(
            PageViewport::parse("-90,-180,90,180"),
            Ok(PageViewport::WORLD)
        );
        for text in [
            "",
            "1,2,3",
            "1,2,3,4,5",
            "a,2,3,4",
            "nan,0,1,1",
            "-91,0,1,1",
            "0,0,1,181",
            "0,0,inf,1",
            "5,0,5,1",
            "6,0,5,1",
        ] {
            assert_eq!(
                PageViewport::parse(text),
                Err(InvalidViewport::Edges),
                "{text}"
            );
        }
        for text in ["", "-1", "1.5", "25", "x"] {
            let zoomed = PageViewport::WORLD.at_zoom(text);
            assert_eq!(zoomed, Err(InvalidViewport::Zoom), "{text}");
        }
    }

    #[test]
    fn squares_are_64_pixels_wide() {
        let world = PageViewport::WORLD.at_zoom("2").unwrap().census();
        // The world is 1,024 pixels wide.
        assert_eq!(world.middle_of((0, 0)).1, 360.0 / 16.0);
        let street = PageViewport::parse("60,24,60.001,24.001").unwrap();
        let street = street.at_zoom("19").unwrap().census();
        assert_eq!(street.middle_of((0, 0)).1, 360.0 / f64::from(1 << 20));
    }

    proptest! {
        #[test]
        fn no_more_squares_are_counted_than_dots_may_be_sent(
            south in -90.0..89.0_f64,
            height in 0.0001..180.0_f64,
            west in -180.0..180.0_f64,
            east in -180.0..180.0_f64,
            zoom in 0..=ZOOM_MAX,
        ) {
            let text = format!("{south},{west},{},{east}", (south + height).min(90.0));
            let viewport = PageViewport::parse(&text).unwrap().at_zoom(&zoom.to_string()).unwrap();
            let (_, degrees) = viewport.census().middle_of((0, 0));
            let bits = (degrees * f64::from(1 << 20) / 360.0).log2().round() as u32;
            prop_assert!(viewport.window().squares(bits) <= DOTS_MAX as u64);
        }
    }
}
