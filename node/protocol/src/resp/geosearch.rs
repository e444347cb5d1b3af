//! `GEOSEARCH key FROMMEMBER|FROMLONLAT BYRADIUS|BYBOX [ASC|DESC] [COUNT n [ANY]] [WITHCOORD] [WITHDIST]`

use super::error::InvalidRequest;
use super::number::{float, integer, write_degrees};
use super::reader::Arguments;
use super::unit::LengthUnit;

/// The most members that are answered at a time.
pub const MEMBERS_MAX: usize = 10_000;

/// The center of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchCenter<'a> {
    /// A member.
    Member(&'a [u8]),
    /// A point: the text of a location, which is not checked yet.
    Point(Vec<u8>),
}

/// The area of a search around its center, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SearchShape {
    /// A circle.
    Radius(f64),
    /// A box: its width and its height.
    Box(f64, f64),
}

/// The order of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchOrder {
    /// Nearest first.
    Ascending,
    /// Farthest first.
    Descending,
}

/// A `GEOSEARCH`.
#[derive(Clone, Debug, PartialEq)]
pub struct Geosearch<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The center.
    pub center: SearchCenter<'a>,
    /// The area around it.
    pub shape: SearchShape,
    /// The unit of distances in the answer.
    pub unit: LengthUnit,
    /// The order of the answer. Without `ASC` and `DESC` Redis has none, and herd has nearest first.
    pub order: SearchOrder,
    /// How many members are wanted; `None` for all. At most [`MEMBERS_MAX`].
    pub count: Option<usize>,
    /// Whether the answer has coordinates.
    pub with_coordinates: bool,
    /// Whether the answer has distances.
    pub with_distances: bool,
}

/// What was read so far.
#[derive(Default)]
struct Parts<'a> {
    center: Option<SearchCenter<'a>>,
    shape: Option<(SearchShape, LengthUnit)>,
    order: Option<SearchOrder>,
    count: Option<usize>,
    any: bool,
    with_coordinates: bool,
    with_distances: bool,
}

impl<'a> Geosearch<'a> {
    /// Reads the arguments behind the command.
    ///
    /// # Errors
    /// Says which rule they break.
    pub(super) fn parse(arguments: Arguments<'a>) -> Result<Self, InvalidRequest> {
        let key = arguments.get(0).ok_or(InvalidRequest::Syntax)?;
        let mut parts = Parts::default();
        let mut rest = arguments.from(1);
        while let Some(option) = rest.get(0) {
            let operands = parts.option(option, rest.from(1))?;
            rest = rest.from(1 + operands);
        }
        if parts.any && parts.count.is_none() {
            return Err(InvalidRequest::AnyWithoutCount);
        }
        let center = parts.center.ok_or(InvalidRequest::Center)?;
        let (shape, unit) = parts.shape.ok_or(InvalidRequest::Shape)?;
        Ok(Geosearch {
            key,
            center,
            shape,
            unit,
            order: parts.order.unwrap_or(SearchOrder::Ascending),
            count: parts.count,
            with_coordinates: parts.with_coordinates,
            with_distances: parts.with_distances,
        })
    }
}

impl<'a> Parts<'a> {
    /// Reads one option; returns how many operands it has.
    fn option(&mut self, option: &[u8], operands: Arguments<'a>) -> Result<usize, InvalidRequest> {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        if is("WITHDIST") {
            self.with_distances = true;
        } else if is("WITHCOORD") {
            self.with_coordinates = true;
        } else if is("WITHHASH") {
            return Err(InvalidRequest::WithHash);
        } else if is("ANY") {
            self.any = true;
        } else if is("ASC") {
            self.order = Some(SearchOrder::Ascending);
        } else if is("DESC") {
            self.order = Some(SearchOrder::Descending);
        } else if is("COUNT") {
            self.count = Some(count(operands)?);
            return Ok(1);
        } else if is("FROMMEMBER") || is("FROMLONLAT") {
            return self.center(is("FROMMEMBER"), operands);
        } else if is("BYRADIUS") || is("BYBOX") {
            return self.shape(is("BYRADIUS"), operands);
        } else {
            return Err(InvalidRequest::Syntax);
        }
        Ok(0)
    }

    fn center(
        &mut self,
        is_member: bool,
        operands: Arguments<'a>,
    ) -> Result<usize, InvalidRequest> {
        let first = operands.get(0).ok_or(InvalidRequest::Syntax)?;
        if self.center.is_some() {
            return Err(InvalidRequest::Syntax);
        }
        if is_member {
            self.center = Some(SearchCenter::Member(first));
            return Ok(1);
        }
        let latitude = operands.get(1).ok_or(InvalidRequest::Syntax)?;
        self.center = Some(SearchCenter::Point(point(first, latitude)?));
        Ok(2)
    }

    fn shape(&mut self, is_circle: bool, operands: Arguments<'a>) -> Result<usize, InvalidRequest> {
        let operand = |index| operands.get(index).ok_or(InvalidRequest::Syntax);
        let first = operand(0)?;
        operand(if is_circle { 1 } else { 2 })?;
        if self.shape.is_some() {
            return Err(InvalidRequest::Syntax);
        }
        if is_circle {
            let radius = float(first, InvalidRequest::NotRadius)?;
            if radius < 0.0 {
                return Err(InvalidRequest::NegativeRadius);
            }
            let unit = LengthUnit::parse(operand(1)?)?;
            self.shape = Some((SearchShape::Radius(radius * unit.metres()), unit));
            return Ok(2);
        }
        let width = float(first, InvalidRequest::NotWidth)?;
        let height = float(operand(1)?, InvalidRequest::NotHeight)?;
        if width < 0.0 || height < 0.0 {
            return Err(InvalidRequest::NegativeBox);
        }
        let unit = LengthUnit::parse(operand(2)?)?;
        let metres = |length: f64| length * unit.metres();
        self.shape = Some((SearchShape::Box(metres(width), metres(height)), unit));
        Ok(3)
    }
}

/// The text of a location.
fn point(longitude: &[u8], latitude: &[u8]) -> Result<Vec<u8>, InvalidRequest> {
    let mut text = Vec::with_capacity(longitude.len() + latitude.len() + 2);
    // Redis looks at the longitude first.
    float(longitude, InvalidRequest::NotFloat)?;
    write_degrees(latitude, &mut text)?;
    write_degrees(longitude, &mut text)?;
    Ok(text)
}

fn count(operands: Arguments<'_>) -> Result<usize, InvalidRequest> {
    let text = operands.get(0).ok_or(InvalidRequest::Syntax)?;
    let count = integer(text, InvalidRequest::NotInteger)?;
    match usize::try_from(count) {
        Ok(0) | Err(_) => Err(InvalidRequest::Count),
        Ok(count) if count > MEMBERS_MAX => Err(InvalidRequest::CountMax(MEMBERS_MAX)),
        Ok(count) => Ok(count),
    }
}
