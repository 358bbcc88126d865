//! GeoPackage (OGC 12-128r19): the rows of one table of an SQLite file, its geometries as GeoJSON that states its reference
//! system.
//!
//! The file comes from outside, and SQLite runs what a file holds: views, triggers, generated columns. It is therefore read
//! from memory, by a connection that trusts nothing of its schema (sqlite.org/security.html) and whose pages have been
//! checked. Must never write, never open another file, and never hold a file larger than the limit.

use std::io::Read;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, OptionalExtension};

use super::geometry::{self, Crs};
use super::wkb;
use crate::mapping::Fault;
use crate::rows::{
    Cell, Content, Event, Format, Header, ReadOptions, Row, Sink, Summary, io_problem, limited,
    too_many_rows, truncated,
};
use crate::{Place, Problem, code};

/// How every SQLite file begins.
pub(crate) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The statement that makes a table is no longer.
const SQL: i32 = 200_000;

/// A table of the file.
struct Layer {
    table: String,
    geometry: Option<String>,
    /// The system of its geometries, or why they cannot be read.
    crs: Result<Crs, Fault>,
}

pub(crate) fn read(
    input: &mut dyn Read,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let mut bytes = Vec::new();
    let most = options.limits.held_bytes;
    input
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| io_problem(&error, &place))?;
    if bytes.len() as u64 > most {
        return Err(Problem::new(
            code::LIMIT,
            place,
            format!(
                "The GeoPackage is larger than {most} bytes, more than can be held; save the layer by itself, or as GeoJSON."
            ),
            format!(
                "GeoPackage-filen är större än {most} byte, mer än vad som kan hållas; spara skiktet för sig, eller som GeoJSON."
            ),
        ));
    }
    let mut note = None;
    check_length(&bytes, &place)?;
    // A file that was copied while a program had it open says that its last changes are in another file. SQLite opens it
    // without that one only when it does not say so.
    for version in bytes.iter_mut().skip(18).take(2) {
        if *version == 2 {
            *version = 1;
            note = Some(copied_while_open(&place));
        }
    }
    let database = open(&bytes, options).map_err(|error| broken(&error, &place))?;
    drop(bytes);
    let layer = layer(&database, options, &place)?;
    let place = Place {
        sheet: Some(layer.table.as_str().into()),
        ..place
    };
    check_pages(&database, &layer, &place)?;
    rows(&database, &layer, note, options, &place, sink)
}

/// The first page says how many there are of which size (sqlite.org/fileformat2.html, 1.3).
fn check_length(bytes: &[u8], place: &Place) -> Result<(), Problem> {
    let number = |at: std::ops::Range<usize>| {
        let bytes = bytes.get(at)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let size = number(16..18).map(|size| if size == 1 { 65_536 } else { size });
    match size.zip(number(28..32)) {
        Some((size, pages)) if bytes.len() as u64 >= size * pages => Ok(()),
        _ => Err(truncated(place.clone())),
    }
}

/// The file in memory, with everything switched off that could run what it holds.
fn open(bytes: &[u8], options: &ReadOptions) -> rusqlite::Result<Connection> {
    let mut database = Connection::open_in_memory_with_flags(
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        database.set_db_config(setting, on)?;
    }
    let record = i32::try_from(options.limits.record_bytes).unwrap_or(i32::MAX);
    let columns = i32::try_from(options.limits.columns).unwrap_or(i32::MAX);
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, record.max(SQL)),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL),
        (Limit::SQLITE_LIMIT_COLUMN, columns),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 20),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 3),
        (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 8),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
    ] {
        database.set_limit(limit, most)?;
    }
    database.deserialize_read_exact(MAIN_DB, bytes, bytes.len(), true)?;
    database.pragma_update(None, "cell_size_check", true)?;
    database.pragma_update(None, "query_only", true)?;
    Ok(database)
}

/// The table that is wanted, or the only one.
fn layer(database: &Connection, options: &ReadOptions, place: &Place) -> Result<Layer, Problem> {
    let fault = |error: rusqlite::Error| broken(&error, place);
    let known: Option<i64> = database
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'gpkg_contents'",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(fault)?;
    if known.is_none() {
        return Err(Problem::new(
            code::UNREADABLE_FILE,
            place.clone(),
            "The file is an SQLite database but no GeoPackage: it has no table gpkg_contents. Export the layer as GeoPackage.",
            "Filen är en SQLite-databas men inget GeoPackage: den saknar tabellen gpkg_contents. Exportera skiktet som GeoPackage.",
        ));
    }
    let mut statement = database
        .prepare(
            "SELECT table_name AS name FROM gpkg_contents \
             WHERE data_type IN ('features', 'attributes') ORDER BY data_type DESC, table_name LIMIT 1000",
        )
        .map_err(fault)?;
    let tables = statement
        .query_map([], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<Result<Vec<String>, _>>)
        .map_err(fault)?;
    let listed = tables
        .iter()
        .take(50)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let table = match (&options.sheet, tables.as_slice()) {
        (Some(wanted), tables) => {
            tables
                .iter()
                .find(|table| *table == wanted)
                .ok_or_else(|| {
                    Problem::new(
                        code::UNKNOWN_SHEET,
                        place.clone(),
                        format!("The GeoPackage has no table \"{wanted}\"; it has: {listed}."),
                        format!(
                            "GeoPackage-filen har ingen tabell \"{wanted}\"; den har: {listed}."
                        ),
                    )
                })?
        }
        (None, [only]) => only,
        (None, []) => {
            return Err(Problem::new(
                code::EMPTY_FILE,
                place.clone(),
                "The GeoPackage has no table with features or attributes.",
                "GeoPackage-filen har ingen tabell med objekt eller attribut.",
            ));
        }
        (None, _) => {
            return Err(Problem::new(
                code::UNKNOWN_SHEET,
                place.clone(),
                format!(
                    "The GeoPackage has several tables: {listed}. Say in the mapping which one to read (input.sheet)."
                ),
                format!(
                    "GeoPackage-filen har flera tabeller: {listed}. Ange i mappningen vilken som ska läsas (input.sheet)."
                ),
            ));
        }
    };
    let geometry: Option<(String, Option<String>, Option<i64>)> = database
        .query_row(
            "SELECT g.column_name AS a, s.organization AS b, s.organization_coordsys_id AS c FROM gpkg_geometry_columns g \
             LEFT JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id WHERE g.table_name = ?1",
            [table],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()
        .map_err(fault)?;
    let (geometry, system) = match geometry {
        Some((column, organisation, number)) => (Some(column), organisation.zip(number)),
        None => (None, None),
    };
    Ok(Layer {
        table: table.clone(),
        geometry,
        crs: match system {
            Some((organisation, number)) => {
                let name = format!("{organisation}:{number}");
                if organisation.eq_ignore_ascii_case("EPSG") {
                    geometry::of_code(&number.to_string())
                } else {
                    None
                }
                .ok_or_else(|| geometry::unknown_system(&name))
            }
            None => Err(geometry::unknown_system("")),
        },
    })
}

/// A page that two others point at could be read for ever.
fn check_pages(database: &Connection, layer: &Layer, place: &Place) -> Result<(), Problem> {
    let said: String = database
        .query_row(
            &format!("PRAGMA quick_check({})", quoted(&layer.table)),
            [],
            |row| row.get(0),
        )
        .map_err(|error| broken(&error, place))?;
    if said == "ok" {
        Ok(())
    } else {
        Err(damaged(place))
    }
}

fn rows(
    database: &Connection,
    layer: &Layer,
    note: Option<Problem>,
    options: &ReadOptions,
    place: &Place,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let fault = |error: rusqlite::Error| broken(&error, place);
    // Columns by name, and not those that an expression of the schema would make. The library panics over names that are
    // not UTF-8, so it is never asked for them.
    let names = database
        .prepare("SELECT name AS name FROM pragma_table_info(?1) ORDER BY cid")
        .and_then(|mut statement| {
            statement
                .query_map([&layer.table], |row| row.get::<_, String>(0))?
                .collect::<Result<Vec<String>, _>>()
        })
        .map_err(fault)?;
    let list: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let mut statement = database
        .prepare(&format!(
            "SELECT rowid, {} FROM {} ORDER BY rowid",
            list.join(", "),
            quoted(&layer.table)
        ))
        .map_err(fault)?;
    let geometry = layer.geometry.as_ref().and_then(|column| {
        names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(column))
    });
    let header = Header::new(place.clone(), names);
    let mut summary = Summary {
        format: Format::Geopackage,
        rows: 0,
    };
    if sink(Event::Header(&header)).is_break() {
        return Ok(summary);
    }
    if let Some(note) = note
        && sink(Event::Note(note)).is_break()
    {
        return Ok(summary);
    }
    let mut found = statement.query([]).map_err(fault)?;
    while let Some(row) = found.next().map_err(fault)? {
        summary.rows += 1;
        if summary.rows > options.limits.rows {
            return Err(too_many_rows(place, &options.limits));
        }
        // What other programs show as the number of the object; a table is numbered from 1 as a rule.
        let number = match row.get_ref(0).map_err(fault)? {
            ValueRef::Integer(id) => u64::try_from(id).unwrap_or(summary.rows),
            _ => summary.rows,
        };
        let mut cells = Vec::with_capacity(header.names().len());
        for index in 0..header.names().len() {
            let value = row.get_ref(index + 1).map_err(fault)?;
            let at = || place.at_row(number).at_column(&header.label(index));
            cells.push(if geometry == Some(index) {
                of_geometry(value, &layer.crs, at)
            } else {
                of_value(value, options, at)
            });
        }
        let row = Row {
            number,
            content: Content::Cells(cells),
        };
        if sink(Event::Row(row)).is_break() {
            break;
        }
    }
    Ok(summary)
}

fn of_geometry(value: ValueRef<'_>, crs: &Result<Crs, Fault>, at: impl Fn() -> Place) -> Cell {
    let geometry = match value {
        ValueRef::Null => return Cell::Empty,
        ValueRef::Blob(blob) => match crs {
            Ok(crs) => wkb::of_geopackage(blob, *crs),
            Err(fault) => Err(fault.clone()),
        },
        _ => Err(Fault::new(
            code::WRONG_KIND,
            "The column holds something else than geometries.",
            "Kolumnen innehåller något annat än geometrier.",
        )),
    };
    match geometry {
        Ok(Some(geometry)) => Cell::Json(geometry),
        Ok(None) => Cell::Empty,
        Err(fault) => refused(fault, at()),
    }
}

fn of_value(value: ValueRef<'_>, options: &ReadOptions, at: impl Fn() -> Place) -> Cell {
    match value {
        ValueRef::Null => Cell::Empty,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Number(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => limited(text.to_owned(), options, at),
            Err(_) => {
                let fault = Fault::new(
                    code::ENCODING,
                    "The text is not UTF-8, as GeoPackage demands; correct the export.",
                    "Texten är inte UTF-8, som GeoPackage kräver; rätta uttaget.",
                );
                refused(fault, at())
            }
        },
        ValueRef::Blob(_) => {
            let fault = Fault::new(
                code::WRONG_KIND,
                "The cell holds bytes, which no mapping can use.",
                "Cellen innehåller byte, som ingen mappning kan använda.",
            );
            refused(fault, at())
        }
    }
}

fn refused(fault: Fault, place: Place) -> Cell {
    let problem = Problem::new(fault.code, place, fault.message, fault.message_sv);
    Cell::Refused(Box::new(problem))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn copied_while_open(place: &Place) -> Problem {
    Problem::new(
        code::OPEN_ELSEWHERE,
        place.clone(),
        "The GeoPackage was copied while a program had it open; the last changes may be missing. Close the program and copy the file again.",
        "GeoPackage-filen kopierades medan ett program hade den öppen; de senaste ändringarna kan saknas. Stäng programmet och kopiera filen igen.",
    )
}

fn damaged(place: &Place) -> Problem {
    Problem::new(
        code::UNREADABLE_FILE,
        place.clone(),
        "The GeoPackage is damaged; save the layer anew, and send that.",
        "GeoPackage-filen är skadad; spara skiktet på nytt och skicka det.",
    )
}

/// What SQLite says is logged nowhere and shown only where it is of help: it may quote what the file holds.
fn broken(error: &rusqlite::Error, place: &Place) -> Problem {
    match error.sqlite_error_code() {
        Some(ErrorCode::TooBig) => Problem::new(
            code::LIMIT,
            place.clone(),
            "A row of the GeoPackage is larger than is allowed; simplify its geometry.",
            "En rad i GeoPackage-filen är större än vad som är tillåtet; förenkla dess geometri.",
        ),
        _ => damaged(place),
    }
}
