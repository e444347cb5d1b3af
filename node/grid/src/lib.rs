//! Which clients are where: an index of hashes of clients by cells of the earth.
//!
//! The grid proposes candidates, and decides nothing: a search looks each candidate up in the map, and decides by the
//! location there. So the grid need only know about where a client is, to 38 m, and changes when that does. There is no
//! clock, no runtime and no chance in here.
//!
//! Begin with [`Grid`], then [`Frontier`], which is the order of a search; [`Circle`] and [`Rectangle`] are the areas.
//! [`Census`] counts the clients of squares.

#![forbid(unsafe_code)]

mod area;
mod cap;
mod cell;
mod census;
mod centered_box;
mod circle;
mod frontier;
mod grid;
mod node;
mod rectangle;
mod sphere;
mod square;

pub use area::Area;
pub use cap::{Cap, Direction};
pub use cell::Cell;
pub use census::{Census, NAMED_MAX, Tally, Window};
pub use centered_box::CenteredBox;
pub use circle::Circle;
pub use frontier::{Frontier, Step};
pub use grid::Grid;
pub use rectangle::{InvalidRectangle, Rectangle};
pub use sphere::EARTH_RADIUS_M;
pub use square::Square;
