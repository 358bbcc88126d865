//! Geometries between SWEREF 99, TM (EPSG:3006) and the local zones (EPSG:3007 to 3018), and WGS 84 longitude/latitude.
//!
//! SWEREF 99 and WGS 84 differ by less than a metre and drift apart with the continent; as in all open data of Sweden they
//! are taken for one. Must never let through a coordinate that is outside the area where it means something.

use std::sync::LazyLock;

use proj4rs::Proj;
use proj4rs::transform::transform;
use serde_json::{Value, json};

use crate::code;
use crate::mapping::Fault;

/// A coordinate reference system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Crs {
    /// EPSG:4326 in the order of GeoJSON: longitude, latitude, in degrees.
    #[default]
    Wgs84,
    /// EPSG:3006 in the order of GeoJSON: easting, northing, in metres.
    Sweref99Tm,
    /// A local zone of SWEREF 99 in the order of GeoJSON: easting, northing, in metres.
    Sweref99Zone(Zone),
}

/// A local zone of SWEREF 99, as municipalities measure in: its place in `ZONES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(usize);

/// The codes of the zones and their central meridians (Lantmäteriet, "SWEREF 99, projektionszoner"): scale 1, false easting
/// 150 km.
const ZONES: [(&str, f64); 12] = [
    ("3007", 12.0),
    ("3008", 13.5),
    ("3009", 15.0),
    ("3010", 16.5),
    ("3011", 18.0),
    ("3012", 14.25),
    ("3013", 15.75),
    ("3014", 17.25),
    ("3015", 18.75),
    ("3016", 20.25),
    ("3017", 21.75),
    ("3018", 23.25),
];

/// Degrees, SWEREF 99 TM, and the zones.
struct Systems {
    degrees: Proj,
    metres: Proj,
    zones: Vec<Proj>,
}

/// `None` would be a fault of these lines, which a test would see.
static SYSTEMS: LazyLock<Option<Systems>> = LazyLock::new(|| {
    let made = |text: &str| Proj::from_proj_string(text).ok();
    Some(Systems {
        degrees: made("+proj=longlat +ellps=GRS80 +no_defs")?,
        metres: made("+proj=utm +zone=33 +ellps=GRS80 +units=m +no_defs")?,
        zones: ZONES
            .iter()
            .map(|(_, meridian)| {
                made(&format!(
                    "+proj=etmerc +lat_0=0 +lon_0={meridian} +k=1 +x_0=150000 +y_0=0 +ellps=GRS80 +units=m +no_defs"
                ))
            })
            .collect::<Option<_>>()?,
    })
});

impl Systems {
    fn of(&self, crs: Crs) -> Option<&Proj> {
        match crs {
            Crs::Wgs84 => Some(&self.degrees),
            Crs::Sweref99Tm => Some(&self.metres),
            Crs::Sweref99Zone(zone) => self.zones.get(zone.0),
        }
    }
}

/// A position of one system in another, each in the order of GeoJSON. `None` outside the projection.
fn transformed((x, y): (f64, f64), from: Crs, to: Crs) -> Option<(f64, f64)> {
    if from == to {
        return Some((x, y));
    }
    let systems = SYSTEMS.as_ref()?;
    let mut point = if from == Crs::Wgs84 {
        (x.to_radians(), y.to_radians(), 0.0)
    } else {
        (x, y, 0.0)
    };
    transform(systems.of(from)?, systems.of(to)?, &mut point).ok()?;
    Some(if to == Crs::Wgs84 {
        (point.0.to_degrees(), point.1.to_degrees())
    } else {
        (point.0, point.1)
    })
}

/// Longitude and latitude of easting and northing. `None` outside the projection.
#[must_use]
pub fn sweref_to_wgs84(easting: f64, northing: f64) -> Option<(f64, f64)> {
    transformed((easting, northing), Crs::Sweref99Tm, Crs::Wgs84)
}

/// Easting and northing of longitude and latitude. `None` outside the projection.
#[must_use]
pub fn wgs84_to_sweref(longitude: f64, latitude: f64) -> Option<(f64, f64)> {
    transformed((longitude, latitude), Crs::Wgs84, Crs::Sweref99Tm)
}

/// Writes the reference system into the geometry, as GeoJSON 2008 did: a file that knows it tells it to whoever maps.
pub(crate) fn state(geometry: &mut Value, crs: Crs) {
    let name = match crs {
        Crs::Wgs84 => "urn:ogc:def:crs:OGC::CRS84".to_owned(),
        Crs::Sweref99Tm => "urn:ogc:def:crs:EPSG::3006".to_owned(),
        Crs::Sweref99Zone(zone) => {
            let code = ZONES.get(zone.0).map_or("", |(code, _)| code);
            format!("urn:ogc:def:crs:EPSG::{code}")
        }
    };
    if let Value::Object(members) = geometry {
        members.insert(
            "crs".to_owned(),
            json!({"type": "name", "properties": {"name": name}}),
        );
    }
}

/// The system that the geometry states, or the one that the mapping says.
fn stated(geometry: &Value, told: Crs) -> Result<Crs, Fault> {
    let Some(name) = geometry.pointer("/crs/properties/name") else {
        return Ok(told);
    };
    let name = name.as_str().unwrap_or_default();
    let code = name.rsplit([':', '/']).next().unwrap_or_default();
    of_code(code).ok_or_else(|| unknown_system(name))
}

/// The system of a code of EPSG or OGC. SWEREF 99 with degrees and ETRS89 are WGS 84 to within a metre.
pub(crate) fn of_code(code: &str) -> Option<Crs> {
    match code {
        "4326" | "4258" | "4619" | "4979" | "CRS84" => Some(Crs::Wgs84),
        // With heights in RH 2000, which are left out, it is the same plane.
        "3006" | "5845" => Some(Crs::Sweref99Tm),
        other => ZONES
            .iter()
            .position(|(code, _)| *code == other)
            .map(|place| Crs::Sweref99Zone(Zone(place))),
    }
}

pub(crate) fn unknown_system(name: &str) -> Fault {
    Fault::new(
        code::REFERENCE_SYSTEM,
        format!(
            "The reference system \"{name}\" cannot be converted; save the layer in SWEREF 99 TM (EPSG:3006), a zone of SWEREF 99 (EPSG:3007 to 3018) or WGS 84 (EPSG:4326)."
        ),
        format!(
            "Referenssystemet \"{name}\" går inte att räkna om; spara skiktet i SWEREF 99 TM (EPSG:3006), en zon av SWEREF 99 (EPSG:3007 till 3018) eller WGS 84 (EPSG:4326)."
        ),
    )
}

/// The geometry in WGS 84 with seven decimals, about a centimetre. `crs` is the system where the geometry states none.
pub(crate) fn to_wgs84(geometry: &Value, crs: Crs) -> Result<Value, Fault> {
    const TYPES: [&str; 6] = [
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
    ];
    let kind = geometry
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !TYPES.contains(&kind) {
        return Err(Fault::new(
            code::WRONG_KIND,
            format!(
                "The type of the geometry must be one of: {}.",
                TYPES.join(", ")
            ),
            format!("Geometrins typ ska vara en av: {}.", TYPES.join(", ")),
        ));
    }
    let crs = stated(geometry, crs)?;
    let coordinates = geometry.get("coordinates").unwrap_or(&Value::Null);
    Ok(json!({"type": kind, "coordinates": positions(coordinates, crs)?}))
}

/// Northing and easting of a point, in metres with three decimals.
pub(crate) fn to_sweref(geometry: &Value, crs: Crs) -> Result<Value, Fault> {
    let position = geometry
        .get("coordinates")
        .filter(|_| geometry.get("type").and_then(Value::as_str) == Some("Point"))
        .and_then(numbers)
        .ok_or_else(malformed)?;
    let crs = stated(geometry, crs)?;
    within(position, crs)?;
    let (easting, northing) = transformed(position, crs, Crs::Sweref99Tm).ok_or_else(malformed)?;
    Ok(json!({"northing": format!("{northing:.3}"), "easting": format!("{easting:.3}")}))
}

/// Positions at any depth of lists.
fn positions(value: &Value, crs: Crs) -> Result<Value, Fault> {
    let items = value.as_array().ok_or_else(malformed)?;
    if items.first().is_some_and(Value::is_number) {
        let position = numbers(value).ok_or_else(malformed)?;
        within(position, crs)?;
        let (x, y) = transformed(position, crs, Crs::Wgs84).ok_or_else(malformed)?;
        return Ok(json!([rounded(x), rounded(y)]));
    }
    items
        .iter()
        .map(|item| positions(item, crs))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

fn numbers(position: &Value) -> Option<(f64, f64)> {
    Some((position.get(0)?.as_f64()?, position.get(1)?.as_f64()?))
}

/// A swapped pair and a forgotten reference system are the usual mistakes, and both fall outside.
fn within((x, y): (f64, f64), crs: Crs) -> Result<(), Fault> {
    let (inside, en, sv) = match crs {
        Crs::Wgs84 => (
            (-180.0..=180.0).contains(&x) && (-90.0..=90.0).contains(&y),
            "longitude and latitude in degrees; if they are metres, set crs = \"EPSG:3006\"",
            "longitud och latitud i grader; om de är meter, sätt crs = \"EPSG:3006\"",
        ),
        // Sweden with its economic zone.
        Crs::Sweref99Tm => (
            (100_000.0..=1_100_000.0).contains(&x) && (6_000_000.0..=7_800_000.0).contains(&y),
            "easting 100 000 to 1 100 000 and northing 6 000 000 to 7 800 000, in this order in GeoJSON",
            "öst 100 000 till 1 100 000 och nord 6 000 000 till 7 800 000, i den ordningen i GeoJSON",
        ),
        // A zone is for its own strip of the country; a little beyond it is measured in as well.
        Crs::Sweref99Zone(_) => (
            (0.0..=300_000.0).contains(&x) && (6_000_000.0..=7_800_000.0).contains(&y),
            "easting 0 to 300 000 and northing 6 000 000 to 7 800 000, in this order in GeoJSON",
            "öst 0 till 300 000 och nord 6 000 000 till 7 800 000, i den ordningen i GeoJSON",
        ),
    };
    if inside {
        Ok(())
    } else {
        Err(Fault::new(
            "out-of-range",
            format!("The coordinates are outside the reference system: it has {en}."),
            format!("Koordinaterna ligger utanför referenssystemet: det har {sv}."),
        ))
    }
}

fn malformed() -> Fault {
    Fault::new(
        code::WRONG_KIND,
        "The geometry has no coordinates of its kind; see RFC 7946.",
        "Geometrin har inte koordinater av sin sort; se RFC 7946.",
    )
}

fn rounded(degrees: f64) -> f64 {
    (degrees * 1e7).round() / 1e7
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lantmäteriet, "Kontrollpunkter SWEREF 99 TM" (2007-11-20): latitude, longitude, northing, easting.
    const CONTROL: [(f64, f64, f64, f64); 8] = [
        (55.0, 12.75, 6_097_106.672, 356_083.438),
        (55.0, 14.25, 6_095_048.642, 452_024.069),
        (57.0, 19.5, 6_326_392.707, 773_251.054),
        (59.0, 11.25, 6_546_096.724, 284_626.066),
        (61.0, 18.75, 6_768_593.345, 702_745.127),
        (65.0, 13.5, 7_209_293.753, 429_270.201),
        (67.0, 24.0, 7_459_745.672, 891_298.142),
        (69.0, 21.0, 7_666_089.698, 739_639.195),
    ];

    #[test]
    fn control_points_agree_to_a_millimetre_both_ways() {
        for (latitude, longitude, northing, easting) in CONTROL {
            let (e, n) = wgs84_to_sweref(longitude, latitude).unwrap();
            assert!(
                (e - easting).abs() < 0.001 && (n - northing).abs() < 0.001,
                "{e} {n}"
            );
            let (lon, lat) = sweref_to_wgs84(easting, northing).unwrap();
            assert!(
                (lon - longitude).abs() < 1e-7 && (lat - latitude).abs() < 1e-7,
                "{lon} {lat}"
            );
        }
    }

    /// A zone is SWEREF 99 TM with another meridian, scale and false easting: the control points of TM, moved along their
    /// parallels, say where they lie in each zone.
    #[test]
    fn the_zones_agree_with_the_control_points() {
        for (place, (code, meridian)) in ZONES.iter().enumerate() {
            let zone = of_code(code).unwrap();
            assert_eq!(zone, Crs::Sweref99Zone(Zone(place)));
            for (latitude, longitude, northing, easting) in CONTROL {
                let moved = longitude - 15.0 + meridian;
                let expected = (
                    (easting - 500_000.0) / 0.9996 + 150_000.0,
                    northing / 0.9996,
                );
                let (e, n) = transformed((moved, latitude), Crs::Wgs84, zone).unwrap();
                assert!(
                    (e - expected.0).abs() < 0.002 && (n - expected.1).abs() < 0.002,
                    "{code}: {e} {n}, not {expected:?}"
                );
                let (lon, lat) = transformed(expected, zone, Crs::Wgs84).unwrap();
                assert!((lon - moved).abs() < 1e-7 && (lat - latitude).abs() < 1e-7);
            }
        }
        // From a zone straight to TM.
        let zone = of_code("3009").unwrap();
        let (e, n) = transformed((150_000.0, 6_500_000.0), zone, Crs::Sweref99Tm).unwrap();
        assert!((e - 500_000.0).abs() < 0.001 && (n - 6_500_000.0 * 0.9996).abs() < 0.001);
    }

    #[test]
    fn shapes_are_carried_over_and_mistakes_are_seen() {
        let area = json!({"type": "Polygon", "coordinates": [[[773_251.054, 6_326_392.707], [452_024.069, 6_095_048.642], [284_626.066, 6_546_096.724], [773_251.054, 6_326_392.707]]]});
        assert_eq!(
            to_wgs84(&area, Crs::Sweref99Tm).unwrap(),
            json!({"type": "Polygon", "coordinates": [[[19.5, 57.0], [14.25, 55.0], [11.25, 59.0], [19.5, 57.0]]]})
        );
        let mut stated = json!({"type": "Point", "coordinates": [452_024.069, 6_095_048.642]});
        state(&mut stated, Crs::Sweref99Tm);
        assert_eq!(
            to_wgs84(&stated, Crs::Wgs84).unwrap(),
            json!({"type": "Point", "coordinates": [14.25, 55.0]}),
            "what the file states goes before the mapping"
        );
        let unknown = json!({"type": "Point", "coordinates": [1, 2], "crs": {"properties": {"name": "EPSG:3021"}}});
        assert_eq!(
            to_wgs84(&unknown, Crs::Wgs84).unwrap_err().code,
            code::REFERENCE_SYSTEM
        );
        let point = json!({"type": "Point", "coordinates": [14.25, 55.0]});
        assert_eq!(
            to_sweref(&point, Crs::Wgs84).unwrap(),
            json!({"northing": "6095048.642", "easting": "452024.069"})
        );
        for (geometry, crs) in [
            (
                json!({"type": "Point", "coordinates": [356_083.0, 6_097_487.0]}),
                Crs::Wgs84,
            ),
            (
                json!({"type": "Point", "coordinates": [6_097_487.0, 356_083.0]}),
                Crs::Sweref99Tm,
            ),
            (json!({"type": "Point"}), Crs::Wgs84),
            (json!({"type": "Circle", "coordinates": [1, 2]}), Crs::Wgs84),
            (
                json!({"type": "Point", "coordinates": ["1", "2"]}),
                Crs::Wgs84,
            ),
            (json!(7), Crs::Wgs84),
        ] {
            assert!(to_wgs84(&geometry, crs).is_err(), "{geometry}");
        }
    }
}
