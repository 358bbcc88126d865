//! Exports over HTTP: the bytes of the lists, in one stream that says when it is whole.

use grunddata_testing::on_both;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::http_records::server::{Answer, Caller, Http};

/// More than a page of an export.
const UNITS: usize = 1_203;

fn filled(engine: grunddata_testing::Engine) -> Http {
    let http = Http::start(engine);
    let operations: Vec<Value> = (0..UNITS)
        .map(|number| {
            let kind = if number % 3 == 0 {
                "department"
            } else {
                "unit"
            };
            json!({"op": "create", "collection": "organisations", "validFrom": "2026-01-01",
                "data": {"name": {"sv": format!("Enhet {number:04}")}, "kind": kind}})
        })
        .collect();
    http.writer()
        .post("/transactions", json!({"operations": operations}))
        .expect(200);
    for (name, level) in [("Ronja", None), ("Birk", Some("protected-registration"))] {
        let mut data = json!({"name": {"full": name}});
        if let Some(level) = level {
            data["protection"] = json!({"level": level});
        }
        // Who may write what is protected.
        http.admin()
            .post(
                "/persons",
                json!({"owner": "norrberga", "data": data, "validFrom": "2026-01-01"}),
            )
            .expect(201);
    }
    let point = json!({"name": {"sv": "=Punkten; \"P\""}, "kind": "locality",
        "geometry": {"type": "Point", "coordinates": [18.07, 59.33]}});
    http.writer()
        .post(
            "/geographies",
            json!({"validFrom": "2026-01-01", "data": point}),
        )
        .expect(201);
    http
}

/// The lines before the last one, and the last one.
fn lines(answer: &Answer) -> (Vec<String>, Value) {
    answer.expect(200);
    let mut lines: Vec<String> = answer.text.lines().map(str::to_owned).collect();
    let last = lines.pop().expect("a last line");
    (lines, serde_json::from_str(&last).expect("JSON"))
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
}

/// The items of all pages of a list, byte for byte.
fn listed<'a>(caller: impl Fn() -> Caller<'a>, address: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let page = caller().get(&format!("{address}&limit=500{after}"));
        page.expect(200);
        let items = serde_json::from_str::<Page>(&page.text)
            .expect("a page")
            .items;
        found.extend(items.into_iter().map(|item| item.get().to_owned()));
        match page.json["_meta"]["after"].as_str() {
            Some(cursor) => after = format!("&after={cursor}"),
            None => return found,
        }
    }
}

on_both! {
    using filled;

    fn an_export_is_the_lists_byte_for_byte(http: Http) {
        let token = http.reader().get("/organisations?limit=1").json["_meta"]["asOf"].as_str().expect("asOf").to_owned();
        let mut compared = 0;
        for collection in ["organisations", "persons", "geographies"] {
            for query in ["kind=department", "q=Enhet+0007", "fields=name", "q=Ronja", "owner=norrberga"] {
                let query = format!("{query}&asOf={token}");
                for caller in ["reader", "writer", "oppen-reader", "nobody"] {
                    let ask = || match caller {
                        "reader" => http.reader(),
                        "writer" => http.writer(),
                        "nobody" => http.nobody(),
                        _ => http.as_("owner-admin"),
                    };
                    let export = ask().get(&format!("/exports?collection={collection}&{query}"));
                    let page = ask().get(&format!("/{collection}?{query}&limit=1"));
                    assert_eq!(export.status, page.status, "{caller} {collection} {query}: {}", export.text);
                    if page.status != 200 {
                        continue;
                    }
                    assert_eq!(export.header("content-type"), "application/x-ndjson");
                    let (mut sent, last) = lines(&export);
                    let mut list = listed(ask, &format!("/{collection}?{query}"));
                    sent.sort();
                    list.sort();
                    assert_eq!(sent, list, "{caller} {collection} {query}");
                    assert_eq!(last["_meta"]["count"], json!(sent.len()));
                    assert_eq!(last["_meta"]["asOf"], page.json["_meta"]["asOf"]);
                    compared += sent.len();
                }
            }
        }
        assert!(compared > UNITS, "{compared}");
        let all = http.reader().get("/exports?collection=organisations");
        assert_eq!(all.header("content-disposition"), "attachment; filename=\"organisations.ndjson\"");
        let (sent, last) = lines(&all);
        assert_eq!(sent.len(), UNITS);
        let body = &all.text[..all.text.trim_end().rfind('\n').expect("a line") + 1];
        let sum: String = sha2::Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(last["_meta"]["sha256"], json!(sum));
        assert!(!http.reader().get("/exports").text.contains("Birk"));
        assert!(http.writer().get("/exports").text.contains("Ronja"));
    }

    fn tables_and_features_come_out(http: Http) {
        let csv = http.reader().get("/exports?collection=geographies&format=csv&delimiter=semicolon&bom=true");
        csv.expect(200);
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        let text = csv.text.trim_start_matches('\u{feff}');
        assert!(text.starts_with("id;domain;owner;controller;display;version;validFrom;validTo;"), "{text}");
        assert!(text.lines().next().expect("heading").contains(";name.sv;name.en;name.other"));
        // Neither a formula nor a torn cell.
        assert!(text.contains("\"'=Punkten; \"\"P\"\"\""), "{text}");
        let organisations = http.reader().get("/exports?collection=organisations&format=csv");
        assert_eq!(organisations.text.lines().count(), UNITS + 1);
        let features = http.reader().get("/exports?format=geojson");
        features.expect(200);
        assert_eq!(features.header("content-type"), "application/geo+json");
        let collection: Value = serde_json::from_str(&features.text).expect("GeoJSON");
        assert_eq!((&collection["type"], &collection["numberReturned"]), (&json!("FeatureCollection"), &json!(1)));
        assert_eq!(collection["features"][0]["geometry"]["coordinates"], json!([18.07, 59.33]));
        // All states, and geometry where it is asked for.
        let (id, _) = http.organisation("Först", "2026-01-01");
        http.writer().with("if-match", "*").put(&format!("/organisations/{id}"), json!({"data": {"name": {"sv": "Sedan"}, "kind": "unit"}, "validFrom": "2026-02-01"})).expect(200);
        let (sent, _) = lines(&http.reader().get("/exports?collection=organisations&history=true&name=Sedan"));
        let record: Value = serde_json::from_str(&sent[0]).expect("a record");
        let timeline = http.reader().get(&format!("/organisations/{id}/timeline")).json["items"].clone();
        assert_eq!((&record["states"], record["states"].as_array().map(Vec::len)), (&timeline, Some(2)));
        let (sent, _) = lines(&http.reader().get("/exports?collection=geographies&geometry=true"));
        assert!(sent[0].contains("[18.07,59.33]"));
    }

    fn what_makes_no_sense_is_refused_before_anything_is_sent(http: Http) {
        for (query, named) in [
            ("format=csv", "collection"),
            ("format=csv&collection=persons,roles", "collection"),
            ("format=geojson&collection=persons", "collection"),
            ("format=xls", "format"),
            ("collection=person", "collection"),
            ("collection=persons&format=csv&history=true", "history"),
            ("format=xlsx", "collection"),
            ("format=parquet&collection=persons,roles", "collection"),
            ("format=geopackage&collection=persons", "collection"),
            ("collection=persons&format=parquet&history=true", "history"),
            ("collection=persons&limit=10", "limit"),
            ("collection=organisations&sort=name", "sort"),
            ("collection=organisations&page=2", "page"),
            ("collection=organisations&count=exact", "count"),
            ("delimiter=x", "delimiter"),
            ("bom=yes", "bom"),
        ] {
            let refused = http.reader().get(&format!("/exports?{query}"));
            refused.problem(400, "invalid-parameter");
            assert_eq!(refused.json["parameter"], named, "{query}: {}", refused.text);
        }
        http.reader().get("/exports?collection=organisations&nam=x").problem(400, "unknown-parameter");
        http.reader().get("/exports?collection=persons&identifier=se-personal-identity-number:189001019802").problem(400, "personal-identifier-in-address");
    }

    fn what_an_export_shows_of_persons_is_logged(http: Http) {
        lines(&http.reader().get("/exports?collection=persons&q=Ronja"));
        lines(&http.reader().get("/exports?collection=organisations&kind=unit"));
        let log = http.admin().get("/access-log?kind=export&limit=100");
        log.expect(200);
        let entries = log.json["items"].as_array().expect("items");
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!((entries[0]["records"].as_array().map(Vec::len), entries[0]["query"].as_str()), (Some(1), Some("person: q=…")));
        assert_eq!(entries[0]["operation"], "exportRecords");
        // Of an answer in pieces each piece is logged, by the same question, without what is personal.
        let operations: Vec<Value> = (0..1_100).map(|number| json!({"op": "create", "collection": "persons", "validFrom": "2026-01-01", "data": {"name": {"given": [format!("Namn{number}")], "family": "Hemligdotter"}}})).collect();
        http.writer().post("/transactions", json!({"operations": operations})).expect(200);
        lines(&http.reader().get("/exports?collection=persons&q=Hemligdotter"));
        let log = http.admin().get("/access-log?kind=export&limit=100&order=oldest");
        let told: Vec<(&Value, &Value)> = log.json["items"].as_array().expect("items")[1..].iter().map(|entry| (&entry["count"], &entry["query"])).collect();
        assert_eq!(told, [(&json!(1_000), &json!("person: q=…")), (&json!(100), &json!("person: q=…"))]);
        // Without the log nothing of it is shown.
        http.stop_logging();
        http.reader().get("/exports?collection=persons").problem(503, "access-log-unavailable");
    }
}
