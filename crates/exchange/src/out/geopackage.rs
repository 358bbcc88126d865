//! GeoPackage (OGC 12-128r17, version 1.3): one table of features, a row for each record of the geography domain, with the
//! columns of CSV and the geometry in WGS 84.
//!
//! The file is SQLite's from the beginning, in one transaction without a journal: it is of use when it was finished, and is
//! thrown away otherwise.

use std::fs::File;
use std::path::Path;

use grunddata_model::parts::{Geometry, Position};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, params_from_iter};
use serde_json::Value;

use super::file::{FileAbout, OutError};
use super::table::{Cell, CellKind, ENVELOPE, MISFITS, OutColumn, OutRecord, typed};

/// The member of the data that is the geometry, and the column.
const GEOMETRY: &str = "geometry";
/// The number of the row, which GeoPackage demands.
const ROW: &str = "fid";
/// WGS 84.
const EPSG: i32 = 4326;
/// Bytes of a page.
const PAGE: u64 = 4096;

/// What every GeoPackage has (requirements 10 to 14 and 21).
const TABLES: &str = r#"
PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system'),
  ('WGS 84 geodetic', 4326, 'EPSG', 4326,
   'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]',
   'longitude/latitude coordinates in decimal degrees on the WGS 84 spheroid');
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
"#;

/// A file that is being written.
#[derive(Debug)]
pub struct GeoPackage {
    database: Connection,
    file: File,
    table: &'static str,
    insert: String,
    columns: Vec<OutColumn>,
    extent: Option<Extent>,
    most: u64,
}

/// The smallest box with all positions, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Extent {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl GeoPackage {
    pub(super) fn begin(
        about: FileAbout,
        file: File,
        path: &Path,
        most: u64,
    ) -> Result<Self, OutError> {
        let refused = |error| refused(error, most);
        // The file is there already, with the rights that it was made with.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(path, flags).map_err(refused)?;
        let table = about.domain.collection();
        let names: Vec<(&str, CellKind)> = ENVELOPE
            .into_iter()
            .chain(
                about
                    .columns
                    .iter()
                    .map(|column| (&*column.name, column.kind)),
            )
            .chain([(MISFITS, CellKind::Json)])
            .collect();
        let definitions: Vec<String> = names
            .iter()
            .map(|(name, kind)| format!("{} {}", quoted(name), kind_of(*kind)))
            .collect();
        let settings = format!(
            "PRAGMA page_size = {PAGE}; PRAGMA max_page_count = {}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
             PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2000; BEGIN;",
            (most / PAGE).clamp(1, 4_294_967_294)
        );
        let create = format!(
            "CREATE TABLE {table} ({ROW} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {GEOMETRY} GEOMETRY, {})",
            definitions.join(", ")
        );
        for statements in [&settings, TABLES, &create] {
            database.execute_batch(statements).map_err(refused)?;
        }
        let coordinate: Vec<String> = about
            .coordinate
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let last_change = about.at.date_time().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        database
            .execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) \
                 VALUES (?1, 'features', ?1, ?2, ?3, ?4)",
                (table, coordinate.join(" "), last_change.to_string(), EPSG),
            )
            .map_err(refused)?;
        database
            .execute(
                "INSERT INTO gpkg_geometry_columns VALUES (?1, ?2, 'GEOMETRY', ?3, 2, 0)",
                (table, GEOMETRY, EPSG),
            )
            .map_err(refused)?;
        let list: Vec<String> = names.iter().map(|(name, _)| quoted(name)).collect();
        let places = vec!["?"; names.len() + 1].join(", ");
        Ok(Self {
            database,
            file,
            table,
            insert: format!(
                "INSERT INTO {table} ({GEOMETRY}, {}) VALUES ({places})",
                list.join(", ")
            ),
            columns: about.columns,
            extent: None,
            most,
        })
    }

    pub(super) fn record(&mut self, record: &OutRecord<'_>) -> Result<(), OutError> {
        let mut data: Value = serde_json::from_str(record.data).unwrap_or(Value::Null);
        let geometry = data
            .as_object_mut()
            .and_then(|members| members.remove(GEOMETRY));
        let (cells, mut misfits) = typed(record, &data, &self.columns);
        let mut blob = None;
        match geometry.map(|value| (serde_json::from_value::<Geometry>(value.clone()), value)) {
            Some((Ok(geometry), _)) => blob = Some(of_geometry(&geometry, &mut self.extent)),
            Some((Err(_), Value::Null)) | None => {}
            // An older model had something else there.
            Some((Err(_), value)) => {
                misfits.insert(GEOMETRY.to_owned(), value);
            }
        }
        let misfits = if misfits.is_empty() {
            Cell::Empty
        } else {
            Cell::Json(Value::Object(misfits).to_string())
        };
        let mut values: Vec<Column<'_>> = Vec::with_capacity(cells.len() + 2);
        values.push(Column::Blob(blob));
        values.extend(cells.into_iter().chain([misfits]).map(Column::Cell));
        let most = self.most;
        self.database
            .prepare_cached(&self.insert)
            .and_then(|mut statement| statement.execute(params_from_iter(values)))
            .map_err(|error| refused(error, most))
            .map(drop)
    }

    pub(super) fn finish(self) -> Result<File, OutError> {
        let most = self.most;
        if let Some(extent) = self.extent {
            self.database
                .execute(
                    "UPDATE gpkg_contents SET min_x = ?1, min_y = ?2, max_x = ?3, max_y = ?4 WHERE table_name = ?5",
                    (extent.west, extent.south, extent.east, extent.north, self.table),
                )
                .map_err(|error| refused(error, most))?;
        }
        self.database
            .execute_batch("COMMIT")
            .map_err(|error| refused(error, most))?;
        self.database
            .close()
            .map_err(|(_, error)| refused(error, most))?;
        Ok(self.file)
    }
}

/// The geometry as GeoPackage has it: a header, with a box where it is not a point, and well-known binary. `all` is the
/// box of everything before it.
fn of_geometry(geometry: &Geometry, all: &mut Option<Extent>) -> Vec<u8> {
    let mut extent: Option<Extent> = None;
    each(geometry, &mut |position| {
        extent = Some(around(extent, position.longitude, position.latitude));
    });
    let mut out = b"GP\0".to_vec();
    let boxed = extent.filter(|_| !matches!(geometry, Geometry::Point(_)));
    // Little-endian; a box of four numbers; and whether there is nothing in it.
    let flags = 1 | u8::from(boxed.is_some()) << 1 | u8::from(extent.is_none()) << 4;
    out.push(flags);
    out.extend_from_slice(&EPSG.to_le_bytes());
    if let Some(found) = boxed {
        for number in [found.west, found.east, found.south, found.north] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    if let Some(found) = extent {
        let whole = around(*all, found.west, found.south);
        *all = Some(around(Some(whole), found.east, found.north));
    }
    wkb(&mut out, geometry);
    out
}

/// A value of a row.
enum Column<'a> {
    Blob(Option<Vec<u8>>),
    Cell(Cell<'a>),
}

impl ToSql for Column<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        use rusqlite::types::{Value as Owned, ValueRef};
        Ok(match self {
            Self::Blob(None) | Self::Cell(Cell::Empty | Cell::Unknown) => {
                ToSqlOutput::Owned(Owned::Null)
            }
            Self::Blob(Some(bytes)) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Cell(Cell::Integer(number)) => ToSqlOutput::Owned(Owned::Integer(*number)),
            Self::Cell(Cell::Number(number, _)) => ToSqlOutput::Owned(Owned::Real(*number)),
            Self::Cell(Cell::Boolean(flag)) => ToSqlOutput::Owned(Owned::Integer((*flag).into())),
            // To the millisecond, as GeoPackage has it.
            Self::Cell(Cell::Instant(at)) => {
                let text = at.date_time().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
                ToSqlOutput::Owned(Owned::Text(text))
            }
            Self::Cell(Cell::Text(text) | Cell::Plain(text)) => {
                ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
            }
            Self::Cell(cell) => ToSqlOutput::Owned(
                cell.text()
                    .map_or(Owned::Null, |text| Owned::Text(text.into_owned())),
            ),
        })
    }
}

/// The type of a column (table 1 of the standard).
const fn kind_of(kind: CellKind) -> &'static str {
    match kind {
        CellKind::Integer => "INTEGER",
        CellKind::Number => "DOUBLE",
        CellKind::Boolean => "BOOLEAN",
        CellKind::Date => "DATE",
        CellKind::Instant => "DATETIME",
        CellKind::Text | CellKind::TextList | CellKind::Json | CellKind::OtherLanguages => "TEXT",
    }
}

/// Every position of a geometry.
fn each(geometry: &Geometry, seen: &mut impl FnMut(&Position)) {
    match geometry {
        Geometry::Point(position) => seen(position),
        Geometry::MultiPoint(line) | Geometry::LineString(line) => line.iter().for_each(seen),
        Geometry::MultiLineString(lines) | Geometry::Polygon(lines) => {
            lines.iter().flatten().for_each(seen);
        }
        Geometry::MultiPolygon(areas) => areas.iter().flatten().flatten().for_each(seen),
    }
}

fn around(before: Option<Extent>, x: f64, y: f64) -> Extent {
    match before {
        None => Extent {
            west: x,
            south: y,
            east: x,
            north: y,
        },
        Some(before) => Extent {
            west: before.west.min(x),
            south: before.south.min(y),
            east: before.east.max(x),
            north: before.north.max(y),
        },
    }
}

/// Well-known binary (OGC 06-103r4), little-endian; with heights when a position has one, those that have none as 0.
fn wkb(out: &mut Vec<u8>, geometry: &Geometry) {
    let mut height = false;
    each(geometry, &mut |position| {
        height |= position.height.is_some();
    });
    let single = |out: &mut Vec<u8>, kind: u32| {
        out.push(1);
        number(out, if height { kind + 1_000 } else { kind });
    };
    let line = |out: &mut Vec<u8>, positions: &[Position]| {
        count(out, positions);
        for found in positions {
            position(out, found, height);
        }
    };
    let area = |out: &mut Vec<u8>, rings: &[Vec<Position>]| {
        count(out, rings);
        for ring in rings {
            line(out, ring);
        }
    };
    match geometry {
        Geometry::Point(found) => {
            single(out, 1);
            position(out, found, height);
        }
        Geometry::LineString(positions) => {
            single(out, 2);
            line(out, positions);
        }
        Geometry::Polygon(rings) => {
            single(out, 3);
            area(out, rings);
        }
        Geometry::MultiPoint(positions) => {
            single(out, 4);
            count(out, positions);
            for found in positions {
                single(out, 1);
                position(out, found, height);
            }
        }
        Geometry::MultiLineString(lines) => {
            single(out, 5);
            count(out, lines);
            for positions in lines {
                single(out, 2);
                line(out, positions);
            }
        }
        Geometry::MultiPolygon(areas) => {
            single(out, 6);
            count(out, areas);
            for rings in areas {
                single(out, 3);
                area(out, rings);
            }
        }
    }
}

fn number(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// How many there are: a record has bounds far below what the number can say.
fn count<T>(out: &mut Vec<u8>, items: &[T]) {
    number(out, u32::try_from(items.len()).unwrap_or(u32::MAX));
}

fn position(out: &mut Vec<u8>, position: &Position, height: bool) {
    for number in [position.longitude, position.latitude] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    if height {
        out.extend_from_slice(&position.height.unwrap_or_default().to_le_bytes());
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn refused(error: rusqlite::Error, most: u64) -> OutError {
    match error.sqlite_error_code() {
        // The bound on its pages, or the disk.
        Some(ErrorCode::DiskFull) => OutError::TooLarge { most },
        _ => OutError::Format(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::formats::geometry::Crs;
    use crate::formats::wkb::of_geopackage;

    #[test]
    fn geometries_are_read_back_as_they_were_written() {
        let ring = json!([[18.0, 59.0], [18.5, 59.0], [18.5, 59.5], [18.0, 59.0]]);
        for (written, kind) in [
            (json!([18.07, 59.33]), "Point"),
            (json!([[18.07, 59.33], [11.9, 57.7]]), "MultiPoint"),
            (json!([[18.07, 59.33], [11.9, 57.7]]), "LineString"),
            (
                json!([[[18.07, 59.33], [11.9, 57.7]], [[1.0, 2.0], [3.0, 4.0]]]),
                "MultiLineString",
            ),
            (json!([ring]), "Polygon"),
            (json!([[ring], [ring, ring]]), "MultiPolygon"),
        ] {
            let geometry: Geometry =
                serde_json::from_value(json!({"type": kind, "coordinates": written})).unwrap();
            let mut extent = None;
            let blob = of_geometry(&geometry, &mut extent);
            let read = of_geopackage(&blob, Crs::Wgs84).unwrap().unwrap();
            assert_eq!(
                (&read["type"], &read["coordinates"]),
                (&json!(kind), &written)
            );
            let extent = extent.unwrap();
            assert!(
                extent.west <= 18.07 && extent.north >= 4.0,
                "{kind}: {extent:?}"
            );
        }
    }

    #[test]
    fn heights_come_along() {
        let geometry: Geometry = serde_json::from_value(
            json!({"type": "LineString", "coordinates": [[18.0, 59.0, 12.5], [18.5, 59.5]]}),
        )
        .unwrap();
        let mut out = Vec::new();
        wkb(&mut out, &geometry);
        assert_eq!(out[1..5], 1_002_u32.to_le_bytes());
        assert_eq!(out.len(), 1 + 4 + 4 + 2 * 24);
        assert_eq!(out[25..33], 12.5_f64.to_le_bytes());
    }
}
