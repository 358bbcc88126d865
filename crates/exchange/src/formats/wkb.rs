//! Geometries of GeoPackage: the header of OGC 12-128r19 (2.1.3.1) and well-known binary (OGC 06-103r4), as GeoJSON.
//!
//! Read here and not by a library: it is a page of code, and the bytes come from outside, so that no count in them may
//! reserve memory or reach past the end. Heights and measures are left out: the model has none.

use serde_json::{Value, json};

use super::geometry::{self, Crs};
use crate::code;
use crate::mapping::Fault;

/// Collections within collections. The model takes no collection at all.
const DEPTH: u32 = 4;

/// The geometry in GeoJSON with its reference system; `None` when it is empty.
pub(crate) fn of_geopackage(blob: &[u8], crs: Crs) -> Result<Option<Value>, Fault> {
    let mut bytes = Bytes {
        rest: blob,
        little: true,
    };
    let header = bytes.take(4).ok_or_else(damaged)?;
    let [b'G', b'P', 0, flags] = header else {
        return Err(damaged());
    };
    // X: a geometry of an extension, which nobody else can read.
    if flags & 0b0010_0000 != 0 {
        return Err(unsupported("extended"));
    }
    let envelope = match (flags >> 1) & 0b111 {
        0 => 0,
        1 => 32,
        2 | 3 => 48,
        4 => 64,
        _ => return Err(damaged()),
    };
    // The reference system of the column counts, not the number here.
    bytes.take(4 + envelope).ok_or_else(damaged)?;
    if flags & 0b0001_0000 != 0 {
        return Ok(None);
    }
    let Some(mut geometry) = read(&mut bytes, DEPTH)? else {
        return Ok(None);
    };
    if !bytes.rest.is_empty() {
        return Err(damaged());
    }
    geometry::state(&mut geometry, crs);
    Ok(Some(geometry))
}

/// What is left of a blob, and the order of bytes in numbers.
struct Bytes<'b> {
    rest: &'b [u8],
    little: bool,
}

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    fn float(&mut self) -> Option<f64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(if self.little {
            f64::from_le_bytes(bytes)
        } else {
            f64::from_be_bytes(bytes)
        })
    }
}

/// The kinds of geometry, by their code.
const KINDS: [&str; 7] = [
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
];

/// One geometry; `None` for an empty point.
fn read(bytes: &mut Bytes<'_>, depth: u32) -> Result<Option<Value>, Fault> {
    bytes.little = match bytes.take(1) {
        Some([0]) => false,
        Some([1]) => true,
        _ => return Err(damaged()),
    };
    let code = bytes.number().ok_or_else(damaged)?;
    // ISO counts in thousands, the older extended form has bits at the top.
    let (kind, dimensions) = match code & 0xe000_0000 {
        0 => match code / 1_000 {
            0 => (code, 2),
            1 | 2 => (code % 1_000, 3),
            3 => (code % 1_000, 4),
            _ => return Err(damaged()),
        },
        high => {
            if high & 0x2000_0000 != 0 {
                bytes.number().ok_or_else(damaged)?;
            }
            let more = (high & 0xc000_0000).count_ones() as usize;
            (code & 0x1fff_ffff, 2 + more)
        }
    };
    let name = usize::try_from(kind)
        .ok()
        .and_then(|kind| KINDS.get(kind.checked_sub(1)?));
    let Some(name) = name else {
        return Err(unsupported("curved"));
    };
    let coordinates = match kind {
        1 => match position(bytes, dimensions)? {
            Some(position) => position,
            None => return Ok(None),
        },
        2 => positions(bytes, dimensions)?,
        3 => list(bytes, |bytes| positions(bytes, dimensions))?,
        _ => {
            let Some(depth) = depth.checked_sub(1) else {
                return Err(damaged());
            };
            let mut parts = Vec::new();
            for _ in 0..bytes.number().ok_or_else(damaged)? {
                let little = bytes.little;
                let part = read(bytes, depth)?;
                bytes.little = little;
                parts.extend(part);
            }
            if kind == 7 {
                return Ok(Some(json!({"type": name, "geometries": parts})));
            }
            // The parts of a multi-geometry are whole geometries of the single kind.
            let single = KINDS.get(kind as usize - 4);
            let mut coordinates = Vec::with_capacity(parts.len());
            for part in parts {
                if part.get("type").and_then(Value::as_str) != single.copied() {
                    return Err(damaged());
                }
                coordinates.extend(part.get("coordinates").cloned());
            }
            Value::Array(coordinates)
        }
    };
    Ok(Some(json!({"type": name, "coordinates": coordinates})))
}

/// A counted list. What its items need in bytes bounds it, not the count.
fn list(
    bytes: &mut Bytes<'_>,
    mut item: impl FnMut(&mut Bytes<'_>) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    let count = bytes.number().ok_or_else(damaged)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(bytes)?);
    }
    Ok(Value::Array(items))
}

fn positions(bytes: &mut Bytes<'_>, dimensions: usize) -> Result<Value, Fault> {
    list(bytes, |bytes| {
        position(bytes, dimensions)?.ok_or_else(damaged)
    })
}

/// A position; `None` where it is not a number, as an empty point is written.
fn position(bytes: &mut Bytes<'_>, dimensions: usize) -> Result<Option<Value>, Fault> {
    let x = bytes.float().ok_or_else(damaged)?;
    let y = bytes.float().ok_or_else(damaged)?;
    bytes.take(8 * (dimensions - 2)).ok_or_else(damaged)?;
    if x.is_nan() && y.is_nan() {
        return Ok(None);
    }
    if !x.is_finite() || !y.is_finite() {
        return Err(damaged());
    }
    Ok(Some(json!([x, y])))
}

fn damaged() -> Fault {
    Fault::new(
        code::WRONG_KIND,
        "The geometry cannot be read: it is not well-known binary as GeoPackage has it. Save the layer anew.",
        "Geometrin går inte att läsa: den är inte well-known binary så som GeoPackage har det. Spara skiktet på nytt.",
    )
}

fn unsupported(kind: &str) -> Fault {
    let sv = if kind == "curved" { "böjd" } else { "utökad" };
    Fault::new(
        code::WRONG_KIND,
        format!(
            "The geometry is of a {kind} kind; save the layer with points, straight lines and polygons."
        ),
        format!("Geometrin är av {sv} sort; spara skiktet med punkter, raka linjer och polygoner."),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|char| char.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
            .collect()
    }

    /// A header without an envelope.
    fn blob(wkb: &str) -> Vec<u8> {
        [hex("4750 00 01 BE0B0000"), hex(wkb)].concat()
    }

    #[test]
    fn geometries_of_the_kinds_of_the_model() {
        let one = "000000000000F03F";
        let two = "0000000000000040";
        for (wkb, expected) in [
            (
                format!("01 01000000 {one}{two}"),
                json!({"type": "Point", "coordinates": [1.0, 2.0]}),
            ),
            // Big-endian, with a height as ISO writes it.
            (
                "00 000003E9 3FF0000000000000 4000000000000000 4008000000000000".to_owned(),
                json!({"type": "Point", "coordinates": [1.0, 2.0]}),
            ),
            // The extended form: height, measure and a number of a reference system.
            (
                format!("01 010000E0 BE0B0000 {one}{two}{one}{one}"),
                json!({"type": "Point", "coordinates": [1.0, 2.0]}),
            ),
            (
                format!("01 02000000 02000000 {one}{two} {two}{one}"),
                json!({"type": "LineString", "coordinates": [[1.0, 2.0], [2.0, 1.0]]}),
            ),
            (
                format!(
                    "01 06000000 01000000 01 03000000 01000000 04000000 {one}{one} {one}{two} {two}{two} {one}{one}"
                ),
                json!({"type": "MultiPolygon", "coordinates": [[[[1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [1.0, 1.0]]]]}),
            ),
            // Parts may have another order of bytes than the whole.
            (
                format!(
                    "01 04000000 02000000 00 00000001 3FF0000000000000 4000000000000000 01 01000000 {two}{one}"
                ),
                json!({"type": "MultiPoint", "coordinates": [[1.0, 2.0], [2.0, 1.0]]}),
            ),
        ] {
            let found = of_geopackage(&blob(&wkb), Crs::Wgs84).unwrap().unwrap();
            assert_eq!(found["type"], expected["type"], "{wkb}");
            assert_eq!(found["coordinates"], expected["coordinates"], "{wkb}");
        }
    }

    #[test]
    fn empty_geometries_are_nothing() {
        let marked = hex("4750 00 11 BE0B0000");
        assert_eq!(of_geopackage(&marked, Crs::Wgs84), Ok(None));
        let nan = "000000000000F87F";
        let point = blob(&format!("01 01000000 {nan}{nan}"));
        assert_eq!(of_geopackage(&point, Crs::Wgs84), Ok(None));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let one = "000000000000F03F";
        let infinite = "000000000000F07F";
        for wkb in [
            String::new(),
            "02".to_owned(),
            format!("01 01000000 {one}"),
            format!("01 01000000 {one}{infinite}"),
            // Four thousand million positions, and none there.
            "01 02000000 FFFFFFFF".to_owned(),
            "01 06000000 FFFFFFFF".to_owned(),
            // A curve, a line among points, something after the end.
            "01 0A000000 00000000".to_owned(),
            "01 04000000 01000000 01 02000000 00000000".to_owned(),
            format!("01 01000000 {one}{one} 00"),
            "01 07000000 01000000".repeat(50),
        ] {
            assert!(of_geopackage(&blob(&wkb), Crs::Wgs84).is_err(), "{wkb}");
        }
        assert!(of_geopackage(b"GP\0\x0b....", Crs::Wgs84).is_err());
        assert!(of_geopackage(b"PG\0\x01....", Crs::Wgs84).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(flags in 0_u8..64, body in proptest::collection::vec(any::<u8>(), 0..200), kind in 0_u8..9) {
            let mut blob = vec![b'G', b'P', 0, flags, 0, 0, 0, 0, 1, kind, 0, 0, 0];
            blob.extend(body);
            let _ = of_geopackage(&blob, Crs::Wgs84);
        }
    }
}
