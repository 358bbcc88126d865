//! GeoPackage: files made here by SQLite itself, and what a file from outside may try.

use grunddata_exchange::code;
use grunddata_exchange::mapping::Mapping;
use grunddata_exchange::ready::Ready;
use grunddata_exchange::rows::{Cell, ReadOptions};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::files::{Reading, gzip, read, read_with, small, zip};
use crate::mappings::run;

/// The header of a geometry without an envelope, and a polygon with one ring.
fn polygon(srs: i32, ring: &[(f64, f64)]) -> Vec<u8> {
    let mut blob = b"GP\0\x01".to_vec();
    blob.extend(srs.to_le_bytes());
    blob.push(1);
    blob.extend(3_u32.to_le_bytes());
    blob.extend(1_u32.to_le_bytes());
    blob.extend(u32::try_from(ring.len()).unwrap().to_le_bytes());
    for (x, y) in ring {
        blob.extend(x.to_le_bytes());
        blob.extend(y.to_le_bytes());
    }
    blob
}

const AREA: [(f64, f64); 4] = [
    (773_251.054, 6_326_392.707),
    (452_024.069, 6_095_048.642),
    (284_626.066, 6_546_096.724),
    (773_251.054, 6_326_392.707),
];

/// A GeoPackage with the tables that the standard demands and one layer.
pub(crate) fn geopackage(srs: i32, more: &str) -> Vec<u8> {
    let database = Connection::open_in_memory().unwrap();
    database
        .execute_batch(
            "PRAGMA application_id = 0x47504B47;
             CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
               organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
             CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
               description TEXT, last_change DATETIME, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER);
             CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
               geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL);
             CREATE TABLE omraden (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom MULTIPOLYGON, kod TEXT, namn TEXT,
               kommunkod TEXT, giltig_fran DATE, antal INTEGER, andel DOUBLE, bild BLOB);
             INSERT INTO gpkg_contents (table_name, data_type) VALUES ('omraden', 'features');",
        )
        .unwrap();
    database
        .execute(
            "INSERT INTO gpkg_spatial_ref_sys VALUES ('x', ?1, 'EPSG', ?1, 'x', NULL)",
            params![srs],
        )
        .unwrap();
    database
        .execute(
            "INSERT INTO gpkg_geometry_columns VALUES ('omraden', 'geom', 'POLYGON', ?1, 0, 0)",
            params![srs],
        )
        .unwrap();
    let mut insert = database
        .prepare("INSERT INTO omraden VALUES (?1, ?2, ?3, ?4, '2480', '2026-01-01', 7, 0.5, x'00')")
        .unwrap();
    insert
        .execute(params![1, polygon(srs, &AREA), "U1", "Område å"])
        .unwrap();
    insert
        .execute(params![9, None::<Vec<u8>>, "U2", "Utan gräns"])
        .unwrap();
    drop(insert);
    database.execute_batch(more).unwrap();
    database.serialize(rusqlite::MAIN_DB).unwrap().to_vec()
}

fn areas(bytes: &[u8]) -> crate::mappings::Conversion {
    let mapping: Mapping = Ready::named("geopackage-areas").unwrap().mapping().unwrap();
    run(mapping, "omraden.gpkg", bytes)
}

fn failed(reading: &Reading) -> (&'static str, &str) {
    (reading.failure().code, &reading.failure().message)
}

#[test]
fn a_layer_is_read_in_its_own_reference_system() {
    let bytes = geopackage(3006, "");
    let reading = read("omraden.gpkg", &bytes);
    assert_eq!(reading.failed, None);
    assert_eq!(reading.names[..4], ["fid", "geom", "kod", "namn"]);
    // The number of the object as other programs show it.
    assert_eq!(reading.numbers(), [1, 9]);
    assert_eq!(reading.cells(0)[2], Cell::Text("U1".into()));
    assert_eq!(reading.cells(0)[6], Cell::Integer(7));
    assert_eq!(reading.cells(0)[7], Cell::Number(0.5));
    assert!(matches!(reading.cells(0)[8], Cell::Refused(_)));
    assert_eq!(reading.cells(1)[1], Cell::Empty);

    let given = areas(&bytes).validated();
    let data = &given.drafts[0].data;
    assert_eq!(
        data["geometry"],
        json!({"type": "Polygon", "coordinates": [[[19.5, 57.0], [14.25, 55.0], [11.25, 59.0], [19.5, 57.0]]]})
    );
    assert_eq!(data["within"][0]["identifier"]["value"], "2480");
    assert_eq!(data["name"], json!({"sv": "Område å"}));
    assert_eq!(given.drafts[1].data.get("geometry"), None);
    for packed in [gzip(&bytes), zip(&[("omraden.gpkg", &bytes)])] {
        assert_eq!(areas(&packed).drafts, given.drafts);
    }
}

#[test]
fn a_system_that_cannot_be_converted_is_said_only_of_what_uses_it() {
    let bytes = geopackage(3021, "");
    let given = areas(&bytes);
    assert_eq!(given.drafts.len(), 1, "the row without a boundary");
    assert_eq!(given.problems[0].code, code::REFERENCE_SYSTEM);
    assert_eq!(given.problems[0].place.row, Some(1));
    assert!(given.problems[0].message.contains("EPSG:3021"));
    let names = r#"
mapping = 1
name = "names"
[[record]]
name = "area"
domain = "geography"
key = "{kod}"
[record.data]
"name.sv" = "namn"
kind = { constant = "catchment-area" }
"#;
    let given = run(Mapping::parse("m", names).unwrap(), "a.gpkg", &bytes);
    assert_eq!(given.validated().drafts.len(), 2);
}

#[test]
fn of_several_layers_one_must_be_named() {
    let bytes = geopackage(
        3006,
        "CREATE TABLE vagar (fid INTEGER PRIMARY KEY, kod TEXT); INSERT INTO vagar VALUES (1, 'V1');
         INSERT INTO gpkg_contents (table_name, data_type) VALUES ('vagar', 'attributes'), ('bilder', 'tiles');",
    );
    let reading = read("a.gpkg", &bytes);
    let (code, message) = failed(&reading);
    assert_eq!(code, code::UNKNOWN_SHEET);
    assert!(message.contains("omraden, vagar"), "{message}");
    let of = |sheet: &str| {
        let options = ReadOptions {
            file: "a.gpkg".into(),
            sheet: Some(sheet.into()),
            ..ReadOptions::default()
        };
        read_with(&bytes, &options)
    };
    assert_eq!(of("vagar").texts(0), ["1", "V1"]);
    assert_eq!(of("bilder").failure().code, code::UNKNOWN_SHEET);
}

#[test]
fn what_is_no_geopackage_or_not_whole_says_so() {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch("CREATE TABLE a (b)").unwrap();
    let plain = database.serialize(rusqlite::MAIN_DB).unwrap().to_vec();
    let reading = read("a.gpkg", &plain);
    assert_eq!(reading.failure().code, code::UNREADABLE_FILE);
    assert!(reading.failure().message.contains("gpkg_contents"));

    let bytes = geopackage(3006, "");
    let reading = read("a.gpkg", &bytes[..bytes.len() - 4096]);
    assert_eq!(reading.failure().code, code::TRUNCATED_FILE);
    let text = b"Namn;Ort\nA;B\n";
    let options = ReadOptions {
        file: "a.csv".into(),
        format: Some(grunddata_exchange::rows::Format::Geopackage),
        ..ReadOptions::default()
    };
    assert_eq!(
        read_with(text, &options).failure().code,
        code::UNREADABLE_FILE
    );
}

#[test]
fn a_file_copied_while_it_was_open_is_read_with_a_note() {
    let mut bytes = geopackage(3006, "");
    bytes[18] = 2;
    bytes[19] = 2;
    let reading = read("a.gpkg", &bytes);
    assert_eq!(reading.rows.len(), 2);
    assert_eq!(reading.notes[0].code, code::OPEN_ELSEWHERE);
}

#[test]
fn limits_hold() {
    let many = geopackage(
        3006,
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
         INSERT INTO omraden (fid, kod) SELECT i, 'x' FROM n;",
    );
    let options = ReadOptions {
        file: "a.gpkg".into(),
        limits: small(),
        ..ReadOptions::default()
    };
    assert_eq!(read_with(&many, &options).failure().code, code::LIMIT);
    let large = geopackage(
        3006,
        "INSERT INTO omraden (kod, bild) VALUES ('x', zeroblob(300000));",
    );
    let reading = read_with(&large, &options);
    assert_eq!(reading.failure().code, code::LIMIT);
    assert!(reading.rows.is_empty(), "by the size of the file");
    let mut options = options;
    options.limits.held_bytes = 10 << 20;
    options.limits.record_bytes = 200 << 10;
    assert_eq!(read_with(&large, &options).failure().code, code::LIMIT);
    let long = geopackage(
        3006,
        "INSERT INTO omraden (fid, kod) VALUES (20, printf('%.2000c', 'x'));",
    );
    let reading = read_with(&long, &options);
    assert!(matches!(&reading.cells(2)[2], Cell::Refused(problem) if problem.code == code::LIMIT));
}

/// What a file holds is not run: views, triggers and functions of its schema.
#[test]
fn nothing_in_the_file_is_run() {
    let view = geopackage(
        3006,
        "ALTER TABLE omraden RENAME TO gomd; CREATE VIEW omraden AS SELECT * FROM gomd;",
    );
    let reading = read("a.gpkg", &view);
    assert_eq!(reading.failure().code, code::UNREADABLE_FILE);
    let contents = geopackage(
        3006,
        "ALTER TABLE gpkg_contents RENAME TO gomd; CREATE VIEW gpkg_contents AS SELECT * FROM gomd;",
    );
    assert_eq!(
        read("a.gpkg", &contents).failure().code,
        code::UNREADABLE_FILE
    );
    // A column that an expression makes is not asked for.
    let generated = geopackage(
        3006,
        "CREATE TABLE farlig (fid INTEGER PRIMARY KEY, a TEXT, b TEXT AS (upper(a)));
         INSERT INTO farlig (fid, a) VALUES (1, 'x');
         UPDATE gpkg_contents SET table_name = 'farlig';",
    );
    assert_eq!(read("a.gpkg", &generated).names, ["fid", "a"]);
}

#[test]
fn damaged_files_never_crash() {
    let bytes = geopackage(3006, "");
    for place in (0..bytes.len()).step_by(37) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0xff;
        areas(&damaged);
        areas(&bytes[..place]);
    }
}
