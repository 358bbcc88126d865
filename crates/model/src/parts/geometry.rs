//! Geometry as GeoJSON (RFC 7946): WGS 84, longitude before latitude.

use serde::{Deserialize, Serialize};

/// A position: longitude and latitude in degrees, and maybe a height in metres. JSON: an array of two or three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "Vec<f64>", try_from = "Vec<f64>")]
pub struct Position {
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
    /// Metres above the ellipsoid.
    pub height: Option<f64>,
}

impl From<Position> for Vec<f64> {
    fn from(position: Position) -> Self {
        [position.longitude, position.latitude]
            .into_iter()
            .chain(position.height)
            .collect()
    }
}

impl TryFrom<Vec<f64>> for Position {
    type Error = &'static str;

    fn try_from(numbers: Vec<f64>) -> Result<Self, Self::Error> {
        match numbers.as_slice() {
            [longitude, latitude] => Ok(Self {
                longitude: *longitude,
                latitude: *latitude,
                height: None,
            }),
            [longitude, latitude, height] => Ok(Self {
                longitude: *longitude,
                latitude: *latitude,
                height: Some(*height),
            }),
            _ => Err("a position is two or three numbers: longitude, latitude and maybe height"),
        }
    }
}

/// A geometry. Whether rings close and lines have two points is not checked here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "coordinates", deny_unknown_fields)]
pub enum Geometry {
    /// One position.
    Point(Position),
    /// Several positions.
    MultiPoint(Vec<Position>),
    /// A line.
    LineString(Vec<Position>),
    /// Several lines.
    MultiLineString(Vec<Vec<Position>>),
    /// An area: an outer ring and holes, each closed.
    Polygon(Vec<Vec<Position>>),
    /// Several areas.
    MultiPolygon(Vec<Vec<Vec<Position>>>),
}
