//! Exports that grow in a file before they are sent, and exports that are compressed on their way: the same records as in
//! CSV and NDJSON, to the same readers.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};
use std::ops::ControlFlow;

use grunddata_exchange::rows::{self, Cell, Content, Event, ReadOptions};
use grunddata_testing::{Engine, on_both};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};

use crate::http_records::server::{Answer, Caller, Http};

/// A number of the tax agency's test numbers.
const NUMBER: &str = "189001019802";
/// More than a page of an export.
const UNITS: usize = 1_203;

fn filled(engine: Engine) -> Http {
    let http = Http::start(engine);
    let unit = |number: usize| {
        json!({"op": "create", "collection": "organisations", "validFrom": "2026-01-01",
            "data": {"name": {"sv": format!("Enhet {number:04}")}, "kind": "unit", "isLegalEntity": number.is_multiple_of(2)}})
    };
    let operations: Vec<Value> = (0..UNITS).map(unit).collect();
    http.writer()
        .post("/transactions", json!({"operations": operations}))
        .expect(200);
    for (given, level) in [("Ronja", None), ("Birk", Some("protected-registration"))] {
        let mut data = json!({"name": {"full": given, "given": [given, "Maria"], "family": "Rövardotter"},
            "registrationStatus": "resident", "registrationStatusFrom": "2001-02-03"});
        match level {
            Some(level) => data["protection"] = json!({"level": level}),
            None => {
                data["identifiers"] =
                    json!([{"scheme": "se-personal-identity-number", "value": NUMBER}]);
            }
        }
        let body = json!({"owner": "norrberga", "data": data, "validFrom": "2026-01-01"});
        http.admin().post("/persons", body).expect(201);
    }
    for (name, geometry) in [
        (
            "Punkten",
            json!({"type": "Point", "coordinates": [18.07, 59.33]}),
        ),
        (
            "Ytan",
            json!({"type": "Polygon", "coordinates": [[[18.5, 59.5], [19.5, 59.5], [19.5, 60.5], [18.5, 59.5]]]}),
        ),
    ] {
        let data = json!({"name": {"sv": name}, "kind": "locality", "geometry": geometry});
        http.writer()
            .post(
                "/geographies",
                json!({"validFrom": "2026-01-01", "data": data}),
            )
            .expect(201);
    }
    http
}

/// A table as its own reader reads it: the headings, and the rows.
fn table(file: &str, bytes: &[u8]) -> (Vec<String>, Vec<Vec<Cell>>) {
    let options = ReadOptions {
        file: file.to_owned(),
        ..ReadOptions::default()
    };
    let (mut names, mut found) = (Vec::new(), Vec::new());
    rows::read(Cursor::new(bytes), &options, &mut |event| {
        match event {
            Event::Header(header) => {
                names = header.names().iter().map(ToString::to_string).collect();
            }
            Event::Row(row) => match row.content {
                Content::Cells(cells) => found.push(cells),
                Content::Object(_) => panic!("an object"),
            },
            Event::Refused(problem) | Event::Note(problem) => panic!("{problem:?}"),
        }
        ControlFlow::Continue(())
    })
    .expect("a table");
    (names, found)
}

/// The texts under a heading.
fn under((names, rows): &(Vec<String>, Vec<Vec<Cell>>), name: &str) -> Vec<String> {
    let column = names.iter().position(|known| known == name).expect(name);
    rows.iter()
        .map(|row| row[column].as_text().unwrap_or_default())
        .collect()
}

fn parquet(bytes: &[u8]) -> Vec<Value> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes.to_vec())).expect("Parquet");
    reader
        .get_row_iter(None)
        .expect("rows")
        .map(|row| {
            let row = row.expect("a row");
            let members = row.get_column_iter();
            members
                .map(|(name, field)| (name.clone(), value(field)))
                .collect()
        })
        .collect()
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => (*flag).into(),
        Field::Long(number) => (*number).into(),
        Field::Double(number) => (*number).into(),
        Field::Str(text) => text.as_str().into(),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => other.to_string().into(),
    }
}

/// An export as a file, whole by its length, of which nothing is left on the other side.
fn file(http: &Http, caller: Caller<'_>, query: &str) -> Answer {
    let answer = caller.get(&format!("/exports?{query}"));
    answer.expect(200);
    assert_eq!(
        answer.header("content-length"),
        answer.bytes.len().to_string()
    );
    assert_eq!(answer.header("content-encoding"), "");
    assert!(answer.header("grunddata-as-of").len() > 4);
    assert_eq!(http.left_aside(), Vec::<String>::new());
    answer
}

on_both! {
    using filled;

    fn the_files_hold_the_records_of_csv_for_each_reader(http: Http) {
        let mut compared = 0;
        for collection in ["organisations", "persons", "geographies"] {
            for caller in ["reader", "writer", "admin", "open-writer"] {
                let query = |format| format!("collection={collection}&format={format}");
                let csv = http.as_(caller).get(&format!("/exports?{}", query("csv")));
                csv.expect(200);
                let expected = table("x.csv", &csv.bytes);
                let ids: Vec<String> = under(&expected, "id");
                compared += ids.len();
                if ids.is_empty() {
                    // A table without rows is read as none.
                    continue;
                }
                let xlsx = file(&http, http.as_(caller), &query("xlsx"));
                assert_eq!(xlsx.header("content-disposition"), format!("attachment; filename=\"{collection}.xlsx\""));
                let sheet = table("x.xlsx", &xlsx.bytes);
                assert_eq!((&sheet.0, &under(&sheet, "id")), (&expected.0, &ids), "{caller} {collection}");
                assert_eq!(under(&sheet, "display"), under(&expected, "display"));
                assert_eq!(under(&sheet, "validFrom"), under(&expected, "validFrom"));
                let columnar = parquet(&file(&http, http.as_(caller), &query("parquet")).bytes);
                let found: Vec<&str> = columnar.iter().map(|row| row["id"].as_str().expect("id")).collect();
                assert_eq!(found, ids, "{caller} {collection}");
            }
        }
        assert!(compared > 2 * UNITS, "{compared}");
        // Who is protected is shown in no form to who may not see them.
        for format in ["csv", "xlsx", "parquet"] {
            let seen = |caller: &str| {
                let answer = http.as_(caller).get(&format!("/exports?collection=persons&format={format}"));
                match format {
                    "csv" => under(&table("x.csv", &answer.bytes), "display"),
                    "xlsx" => under(&table("x.xlsx", &answer.bytes), "display"),
                    _ => parquet(&answer.bytes).iter().map(|row| row["display"].as_str().unwrap_or_default().to_owned()).collect(),
                }
            };
            let names = |caller: &str| BTreeSet::from_iter(seen(caller));
            // A colleague is told that there is somebody, and an owner elsewhere not even that.
            assert_eq!(names("reader"), [String::new(), "Ronja".to_owned()].into(), "{format}");
            assert_eq!(names("admin"), ["Birk".to_owned(), "Ronja".to_owned()].into(), "{format}");
            assert!(format == "xlsx" || seen("open-writer").is_empty(), "{format}");
        }
    }

    fn cells_have_the_types_of_the_model(http: Http) {
        let xlsx = file(&http, http.admin(), "collection=persons&format=xlsx&q=Ronja");
        assert_eq!(xlsx.header("content-type"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
        let sheet = table("x.xlsx", &xlsx.bytes);
        let numbers = under(&sheet, "identifiers");
        assert!(numbers[0].contains(&format!("\"{NUMBER}\"")), "{numbers:?}");
        assert_eq!(under(&sheet, "name.given"), ["Ronja | Maria"]);
        let csv = http.admin().get("/exports?collection=persons&format=csv&q=Ronja");
        assert_eq!(under(&table("x.csv", &csv.bytes), "name.given"), ["Ronja | Maria"]);
        let rows = parquet(&file(&http, http.admin(), "collection=persons&format=parquet&q=Ronja").bytes);
        assert_eq!(rows[0]["name.given"], json!(["Ronja", "Maria"]));
        assert_eq!((&rows[0]["validFrom"], &rows[0]["registrationStatusFrom"], &rows[0]["validTo"]), (&json!("2026-01-01"), &json!("2001-02-03"), &Value::Null));
        assert!(rows[0]["identifiers"].as_str().expect("JSON").contains(NUMBER));
        let rows = parquet(&file(&http, http.reader(), "collection=organisations&format=parquet").bytes);
        assert_eq!(rows.len(), UNITS);
        let legal: BTreeSet<String> = rows.iter().map(|row| row["isLegalEntity"].to_string()).collect();
        assert_eq!(legal, ["false", "true"].map(str::to_owned).into());
        assert_eq!((&rows[0]["version"], &rows[0]["misfits"]), (&json!(1), &Value::Null));
    }

    fn geographies_come_as_a_layer(http: Http) {
        let answer = file(&http, http.reader(), "format=geopackage");
        assert_eq!(answer.header("content-type"), "application/geopackage+sqlite3");
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"geographies.gpkg\"");
        let layer = table("x.gpkg", &answer.bytes);
        let mut names = under(&layer, "name.sv");
        names.sort();
        assert_eq!(names, ["Punkten", "Ytan"]);
        let features = http.reader().get("/exports?format=geojson").json["features"].clone();
        let column = layer.0.iter().position(|name| name == "geometry").expect("geometry");
        for (row, feature) in layer.1.iter().zip(features.as_array().expect("features")) {
            let Cell::Json(geometry) = &row[column] else { panic!("{:?}", row[column]) };
            assert_eq!((&geometry["type"], &geometry["coordinates"]), (&feature["geometry"]["type"], &feature["geometry"]["coordinates"]));
        }
        // A head costs nothing, and says what would come.
        let head = http.reader().send("HEAD", "/exports?format=geopackage", None);
        assert_eq!((head.status, head.header("content-type")), (200, "application/geopackage+sqlite3"));
    }

    fn what_is_streamed_is_compressed_for_who_asks(http: Http) {
        let plain = http.reader().get("/exports?collection=organisations&format=csv");
        let token = plain.header("grunddata-as-of").to_owned();
        assert_eq!(plain.header("content-encoding"), "");
        assert!(plain.header("vary").contains("Accept-Encoding"));
        for (accepted, coding) in [("gzip", "gzip"), ("br, zstd, gzip;q=0.5", "zstd"), ("br", ""), ("zstd;q=0", "")] {
            let answer = http.reader().with("accept-encoding", accepted).get(&format!("/exports?collection=organisations&format=csv&asOf={token}"));
            answer.expect(200);
            assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
            let mut text = Vec::new();
            match coding {
                "gzip" => drop(flate2::read::GzDecoder::new(&answer.bytes[..]).read_to_end(&mut text).expect("gzip")),
                "zstd" => drop(zstd::Decoder::new(&answer.bytes[..]).expect("zstd").read_to_end(&mut text).expect("zstd")),
                _ => text.clone_from(&answer.bytes),
            }
            assert_eq!(text, plain.bytes, "{accepted}");
            assert!(coding.is_empty() || answer.bytes.len() * 3 < text.len());
        }
        // What is compressed in itself is sent as it is.
        let answer = http.reader().with("accept-encoding", "gzip").get("/exports?collection=organisations&format=parquet");
        assert_eq!((answer.header("content-encoding"), &answer.bytes[..4]), ("", &b"PAR1"[..]));
        // Whoever accepts that form alone gets it.
        http.reader().with("accept", "application/vnd.apache.parquet").get("/exports?collection=organisations&format=parquet").expect(200);
        http.reader().with("accept", "image/png").get("/exports?collection=organisations").problem(406, "not-acceptable");
    }

    fn a_file_is_logged_page_by_page_before_any_of_it_goes_out(http: Http) {
        let operations: Vec<Value> = (0..1_100).map(|number| json!({"op": "create", "collection": "persons", "validFrom": "2026-01-01", "data": {"name": {"given": [format!("Namn{number}")], "family": "Hemligdotter"}}})).collect();
        http.writer().post("/transactions", json!({"operations": operations})).expect(200);
        file(&http, http.reader(), "collection=persons&format=xlsx&q=Hemligdotter");
        let told = |http: &Http| -> Vec<(Value, Value)> {
            let log = http.admin().get("/access-log?kind=export&limit=100&order=oldest");
            log.expect(200);
            log.json["items"].as_array().expect("items").iter().map(|entry| (entry["count"].clone(), entry["query"].clone())).collect()
        };
        let question = json!("person: q=…");
        assert_eq!(told(&http), [(json!(1_000), question.clone()), (json!(100), question.clone())]);
        // That nobody was found is told as well.
        file(&http, http.reader(), "collection=persons&format=parquet&q=Ingendotter");
        assert_eq!(told(&http)[2..], [(json!(0), question)]);
        http.stop_logging();
        for format in ["xlsx", "parquet"] {
            http.reader().get(&format!("/exports?collection=persons&format={format}")).problem(503, "access-log-unavailable");
            assert_eq!(http.left_aside(), Vec::<String>::new());
        }
    }
}
