//! Formats that grow in a file, read back by readers that have nothing to do with what wrote them.

use std::io::{Cursor, Read as _};

use calamine::{Data, Reader as _, Xlsx};
use grunddata_exchange::out::{
    CellKind, FileAbout, FileFormat, OutColumn, OutEnvelope, OutError, OutFile, OutRecord,
};
use grunddata_exchange::rows::Cell;
use grunddata_model::{Domain, Instant, Period};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, RowAccessor as _};
use rusqlite::Connection;
use serde_json::json;

use crate::files::read;

/// What looks like a number and is none.
const NUMBER: &str = "189001019802";

fn columns() -> Vec<OutColumn> {
    [
        ("number", CellKind::Text),
        ("name.sv", CellKind::Text),
        ("seats", CellKind::Integer),
        ("share", CellKind::Number),
        ("open", CellKind::Boolean),
        ("since", CellKind::Date),
        ("tags", CellKind::TextList),
        ("parts", CellKind::Json),
    ]
    .into_iter()
    .map(|(name, kind)| OutColumn {
        name: name.to_owned(),
        path: name.split('.').map(str::to_owned).collect(),
        kind,
    })
    .collect()
}

fn record<'a>(data: &'a str, display: Option<&'a str>) -> OutRecord<'a> {
    OutRecord {
        id: "01990c3e-7a5b-7000-8000-000000000001".parse().unwrap(),
        domain: Domain::Geography,
        owner: "a",
        envelope: display.map(|display| OutEnvelope {
            controller: None,
            model: "grunddata/1.0.0",
            version: 3,
            period: Period::since("2026-01-31".parse().unwrap()).unwrap(),
            recorded_at: at(),
            change_kind: "change",
            origin: None,
            display: Some(display),
        }),
        data,
    }
}

fn at() -> Instant {
    "2026-11-21T10:15:30.123456Z".parse().unwrap()
}

/// A file of these records that may have so many bytes.
fn written(format: FileFormat, data: &[&str], most: u64) -> Result<Vec<u8>, OutError> {
    let directory = tempfile::tempdir().unwrap();
    let about = FileAbout {
        domain: Domain::Geography,
        columns: columns(),
        coordinate: vec![("asOf".to_owned(), "token".to_owned())],
        at: at(),
    };
    let (file, path) = tempfile::NamedTempFile::new_in(directory.path())
        .unwrap()
        .into_parts();
    let mut out = OutFile::begin(format, about, (file, &path), directory.path(), most)?;
    path.close().unwrap();
    // Whatever becomes of it from here on, nothing of it is left.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    for data in data {
        out.record(&record(data, Some("=Å; \"b\"")))?;
    }
    // A placeholder.
    out.record(&record("{}", None))?;
    let (mut file, length) = out.finish()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, length);
    Ok(bytes)
}

fn usual() -> String {
    json!({
        "number": NUMBER, "name": {"sv": "Å\n=1+1"}, "seats": 7, "share": 0.5, "open": true, "since": "2026-02-28",
        "tags": ["a", "b"], "parts": [{"x": 1}],
        "geometry": {"type": "Point", "coordinates": [18.07, 59.33]},
    })
    .to_string()
}

const ODD: &str = r#"{"number": 5, "seats": "many", "since": "2026", "tags": [], "geometry": {"type": "LineString", "coordinates": [[11.0, 55.0], [12.0, 56.0]]}}"#;

#[test]
fn a_workbook_has_dates_and_numbers_and_texts_that_stay_texts() {
    let bytes = written(FileFormat::Xlsx, &[&usual(), ODD], 1 << 30).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    assert_eq!(book.sheet_names(), ["geographies"]);
    let sheet = book.worksheet_range("geographies").unwrap();
    let rows: Vec<&[Data]> = sheet.rows().collect();
    assert_eq!(rows.len(), 4);
    let at = |row: usize, name: &str| {
        let column = rows[0]
            .iter()
            .position(|cell| *cell == Data::String(name.to_owned()))
            .unwrap();
        rows[row][column].clone()
    };
    assert_eq!(rows[0].len(), 12 + columns().len());
    assert_eq!(at(1, "number"), Data::String(NUMBER.to_owned()));
    assert_eq!(at(1, "display"), Data::String("=Å; \"b\"".to_owned()));
    assert_eq!(at(1, "name.sv"), Data::String("Å\n=1+1".to_owned()));
    assert_eq!(at(1, "version"), Data::Float(3.0));
    assert_eq!(at(1, "seats"), Data::Float(7.0));
    assert_eq!(at(1, "share"), Data::Float(0.5));
    assert_eq!(at(1, "open"), Data::Bool(true));
    assert_eq!(at(1, "tags"), Data::String("a | b".to_owned()));
    assert_eq!(at(1, "parts"), Data::String("[{\"x\":1}]".to_owned()));
    for (name, day) in [("validFrom", "2026-01-31"), ("since", "2026-02-28")] {
        let Data::DateTime(found) = at(1, name) else {
            panic!("{name}: {:?}", at(1, name))
        };
        assert_eq!(found.as_datetime().unwrap().date().to_string(), day);
    }
    let Data::DateTime(recorded) = at(1, "recordedAt") else {
        panic!("{:?}", at(1, "recordedAt"))
    };
    let off = recorded.as_datetime().unwrap().and_utc() - crate::outs::at().date_time();
    assert!(off.abs() < chrono::TimeDelta::milliseconds(1), "{off}");
    assert_eq!(at(1, "validTo"), Data::Empty);
    // What is not of the column's kind is there as a text.
    assert_eq!(at(2, "seats"), Data::String("many".to_owned()));
    assert_eq!(at(2, "since"), Data::String("2026".to_owned()));
    let told = rows[3].iter().filter(|cell| **cell != Data::Empty).count();
    assert_eq!(told, 3, "a placeholder: {:?}", rows[3]);
}

#[test]
fn parquet_has_types_that_do_not_follow_the_data() {
    let of = |data: &[&str]| {
        let bytes = written(FileFormat::Parquet, data, 1 << 30).unwrap();
        SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap()
    };
    let reader = of(&[&usual(), ODD]);
    let schema = |reader: &SerializedFileReader<bytes::Bytes>| {
        let mut text = Vec::new();
        let root = reader.metadata().file_metadata().schema();
        parquet::schema::printer::print_schema(&mut text, root);
        String::from_utf8(text).unwrap()
    };
    let text = schema(&reader);
    assert_eq!(text, schema(&of(&[])));
    for line in [
        "REQUIRED BYTE_ARRAY id (STRING);",
        "OPTIONAL INT32 validFrom (DATE);",
        "OPTIONAL INT64 recordedAt (TIMESTAMP(MICROS,true));",
        "OPTIONAL BYTE_ARRAY number (STRING);",
        "OPTIONAL INT64 seats;",
        "OPTIONAL DOUBLE share;",
        "OPTIONAL BOOLEAN open;",
        "OPTIONAL INT32 since (DATE);",
        "OPTIONAL group tags (LIST)",
        "OPTIONAL BYTE_ARRAY misfits (STRING);",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let rows: Vec<parquet::record::Row> = reader
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 3);
    let at = |row: usize, name: &str| {
        rows[row]
            .get_column_iter()
            .find(|(column, _)| *column == name)
            .map(|(_, field)| field.clone())
            .unwrap()
    };
    assert_eq!(at(0, "number"), Field::Str(NUMBER.to_owned()));
    assert_eq!(at(0, "seats"), Field::Long(7));
    assert_eq!(at(0, "share"), Field::Double(0.5));
    assert_eq!(at(0, "open"), Field::Bool(true));
    assert_eq!(at(0, "since").to_string(), "2026-02-28");
    assert_eq!(
        at(0, "recordedAt"),
        Field::TimestampMicros(crate::outs::at().micros())
    );
    assert_eq!(at(0, "tags").to_string(), "[\"a\", \"b\"]");
    assert_eq!(at(0, "misfits"), Field::Null);
    assert_eq!(at(1, "number"), Field::Str("5".to_owned()));
    assert_eq!(at(1, "tags").to_string(), "[]");
    assert_eq!(at(1, "seats"), Field::Null);
    assert_eq!(
        at(1, "misfits"),
        Field::Str(r#"{"seats":"many","since":"2026"}"#.to_owned())
    );
    assert_eq!(
        (at(2, "tags"), at(2, "version")),
        (Field::Null, Field::Null)
    );
    assert_eq!(rows[2].get_string(2).unwrap(), "a");
    let told = reader.metadata().file_metadata().key_value_metadata();
    assert!(
        told.unwrap()
            .iter()
            .any(|pair| pair.key == "grunddata.asOf" && pair.value.as_deref() == Some("token"))
    );
}

#[test]
fn rows_beyond_a_group_are_all_there() {
    let long = json!({"number": "x".repeat(20_000), "tags": ["y", "z"]}).to_string();
    let data = vec![long.as_str(); 3_000];
    let bytes = written(FileFormat::Parquet, &data, 1 << 30).unwrap();
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    assert!(reader.num_row_groups() > 1);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 3_001);
    let rows = reader.get_row_iter(None).unwrap();
    assert!(
        rows.take(3_000)
            .all(|row| row.unwrap().get_string(12).unwrap().len() == 20_000)
    );
}

#[test]
fn a_geopackage_is_read_as_one() {
    let bytes = written(FileFormat::GeoPackage, &[&usual(), ODD], 1 << 30).unwrap();
    let reading = read("geographies.gpkg", &bytes);
    assert_eq!(reading.failed, None);
    assert_eq!(reading.names[..4], ["fid", "geometry", "id", "domain"]);
    assert_eq!(reading.numbers(), [1, 2, 3]);
    let at = |row: usize, name: &str| {
        let column = reading.names.iter().position(|known| known == name);
        reading.cells(row)[column.unwrap()].clone()
    };
    let Cell::Json(point) = at(0, "geometry") else {
        panic!("{:?}", at(0, "geometry"))
    };
    assert_eq!(point["coordinates"], json!([18.07, 59.33]));
    assert_eq!(at(0, "number"), Cell::Text(NUMBER.into()));
    assert_eq!(at(0, "open"), Cell::Integer(1));
    assert_eq!(at(0, "since"), Cell::Text("2026-02-28".into()));
    assert_eq!(
        at(0, "recordedAt"),
        Cell::Text("2026-11-21T10:15:30.123Z".into())
    );
    assert_eq!(at(2, "geometry"), Cell::Empty);

    let mut database = Connection::open_in_memory().unwrap();
    database
        .deserialize_read_exact(rusqlite::MAIN_DB, Cursor::new(&bytes), bytes.len(), true)
        .unwrap();
    let one = |sql: &str| -> String { database.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(one("PRAGMA integrity_check"), "ok");
    assert_eq!(&bytes[68..72], b"GPKG");
    assert_eq!(
        one(
            "SELECT data_type || min_x || ' ' || min_y || ' ' || max_x || ' ' || max_y || ' ' || srs_id FROM gpkg_contents"
        ),
        "features11.0 55.0 18.07 59.33 4326"
    );
    assert_eq!(
        one(
            "SELECT group_concat(type, ' ') FROM pragma_table_info('geographies') WHERE name IN ('validFrom', 'recordedAt', 'open', 'seats', 'share')"
        ),
        "DATE DATETIME INTEGER DOUBLE BOOLEAN"
    );
    assert_eq!(
        one("SELECT group_concat(srs_id) FROM gpkg_spatial_ref_sys"),
        "-1,0,4326"
    );
    assert_eq!(
        one("SELECT misfits FROM geographies WHERE fid = 2"),
        r#"{"seats":"many","since":"2026"}"#
    );
}

#[test]
fn what_is_too_much_is_told_with_the_cure() {
    let long = json!({"number": "x".repeat(40_000)}).to_string();
    let error = written(FileFormat::Xlsx, &[&long], 1 << 30).unwrap_err();
    assert!(
        matches!(&error, OutError::CellTooLong { column, most: 32_767, .. } if column == "number"),
        "{error}"
    );
    // What no compression makes small.
    let noise: String = (0_u64..6_000)
        .map(|number| format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    let noise =
        json!({"name": {"sv": &noise[..30_000]}, "number": &noise[30_000..60_000]}).to_string();
    for format in [
        FileFormat::Xlsx,
        FileFormat::Parquet,
        FileFormat::GeoPackage,
    ] {
        let error = written(format, &vec![noise.as_str(); 2_000], 100_000).unwrap_err();
        assert!(
            matches!(error, OutError::TooLarge { most: 100_000 }),
            "{format:?}: {error}"
        );
    }
}

#[test]
fn a_sheet_is_full_before_its_last_row_and_not_after() {
    assert_eq!(OutFile::most_records(FileFormat::Xlsx), Some(1_048_575));
    let mut file = begun_sheet();
    let record = record("{}", None);
    for _ in 0..1_048_575 {
        file.record(&record).unwrap();
    }
    let error = file.record(&record).unwrap_err();
    assert!(error.to_string().contains("CSV or Parquet"), "{error}");
}

/// A workbook without columns of its own.
fn begun_sheet() -> OutFile {
    let about = FileAbout {
        domain: Domain::Person,
        columns: Vec::new(),
        coordinate: Vec::new(),
        at: at(),
    };
    let (file, path) = tempfile::NamedTempFile::new().unwrap().into_parts();
    let aside = std::env::temp_dir();
    OutFile::begin(FileFormat::Xlsx, about, (file, &path), &aside, u64::MAX).unwrap()
}

/// The most memory that this process has held so far, in megabytes.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    kilobytes.unwrap().parse::<u64>().unwrap() / 1_024
}

#[cfg(target_os = "linux")]
#[test]
fn many_records_need_no_more_memory_than_some() {
    let data: Vec<String> = (0..30_000)
        .map(|number| {
            json!({
                "number": format!("{number:012}"), "name": {"sv": format!("Namn {number} {}", "å".repeat(number % 50))},
                "seats": number, "tags": [format!("a{number}"), "b"], "parts": [{"x": number, "text": "y".repeat(200)}],
                "geometry": {"type": "Point", "coordinates": [18.07, 59.33]},
            })
            .to_string()
        })
        .collect();
    let before = peak();
    for format in [
        FileFormat::Parquet,
        FileFormat::GeoPackage,
        FileFormat::Xlsx,
    ] {
        let directory = tempfile::tempdir().unwrap();
        let about = FileAbout {
            domain: Domain::Geography,
            columns: columns(),
            coordinate: Vec::new(),
            at: at(),
        };
        let (file, path) = tempfile::NamedTempFile::new_in(directory.path())
            .unwrap()
            .into_parts();
        let mut out =
            OutFile::begin(format, about, (file, &path), directory.path(), 1 << 40).unwrap();
        for round in 0..3 {
            for data in &data {
                out.record(&record(data, Some("Namn"))).unwrap();
            }
            assert!(
                peak() < before + 60,
                "{format:?} in round {round}: {} after {before} MB",
                peak()
            );
        }
        drop(out.finish().unwrap());
        assert!(
            peak() < before + 60,
            "{format:?}: {} after {before} MB",
            peak()
        );
    }
}
