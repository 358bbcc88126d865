//! Loads over HTTP: from a file that is sent to records that are changed, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grunddata_testing::on_both;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::http_records::server::{Answer, Caller, Http};

/// Units with the unit above.
const MAPPING: &str = r#"
mapping = 1
name = "units"
[[record]]
name = "unit"
domain = "organisation"
key = "unit:{Kod}"
valid-from = "Från"
valid-to = "Till?"
[record.data]
"name.sv" = { column = "Namn", required = true }
kind = { constant = "unit" }
costCentre = "Kst?"
parent = { reference = "organisation", key = "unit:{Över}" }
"#;

fn settings(more: Value) -> Value {
    let mut settings = json!({
        "title": "Organisationsträdet", "domains": ["organisation"], "mapping": MAPPING,
        "authoritative": {"ends": true},
    });
    if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
        settings.extend(more);
    }
    settings
}

/// Puts the source `org` of norrberga.
pub(crate) fn source(http: &Http, more: Value) {
    http.as_("owner-admin")
        .with("if-match", "*")
        .put("/sources/org", json!({"settings": settings(more)}))
        .expect(201);
}

/// A file of so many units; `change` may leave some out or say something else.
fn file(count: usize, change: impl Fn(usize) -> Option<String>) -> String {
    let mut file = "Kod;Namn;Från;Över\n".to_owned();
    for number in 0..count {
        let Some(name) = change(number) else {
            continue;
        };
        let above = if number == 0 { "" } else { "0" };
        file.push_str(&format!("{number};{name};2026-01-01;{above}\n"));
    }
    file
}

fn all(count: usize) -> String {
    file(count, |number| Some(format!("Enhet {number}")))
}

fn digest(content: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(content)))
}

/// Sends a file with its checksum.
fn send(caller: Caller<'_>, query: &str, content: &str) -> Answer {
    caller
        .with("content-type", "application/octet-stream")
        .with("repr-digest", &digest(content.as_bytes()))
        .with("prefer", "wait=60")
        .send(
            "POST",
            &format!("/sources/org/loads?{query}"),
            Some(content.to_owned()),
        )
}

fn full(http: &Http, content: &str) -> Answer {
    let answer = send(http.as_("steward"), "kind=full&name=org.csv", content);
    answer.expect(201);
    answer
}

fn path(answer: &Answer) -> String {
    format!("/loads/{}", answer.json["id"].as_str().expect("id"))
}

fn apply(http: &Http, load: &Answer) -> Answer {
    let applied = http.as_("steward").with("prefer", "wait=60").send(
        "POST",
        &format!("{}/application", path(load)),
        None,
    );
    applied.expect(200);
    applied
}

fn counts(load: &Answer) -> Vec<(String, u64)> {
    load.json["counts"]
        .as_object()
        .expect("counts")
        .iter()
        .filter_map(|(name, count)| {
            Some((name.clone(), count.as_u64().filter(|count| *count > 0)?))
        })
        .collect()
}

fn counted(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    let mut counted: Vec<(String, u64)> = expected
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect();
    counted.sort();
    counted
}

fn units(http: &Http) -> u64 {
    let found = http
        .reader()
        .get("/organisations?kind=unit&count=exact&limit=1");
    found.expect(200);
    found.json["_meta"]["totalRecords"].as_u64().expect("count")
}

on_both! {
    using Http::start;

    fn a_file_becomes_a_plan_and_the_plan_records(http: Http) {
        source(&http, json!({}));
        let before = http.positions();
        let load = full(&http, &all(20));
        assert!(load.header("location").contains("/api/v1/loads/"), "{:?}", load.all_headers());
        assert_eq!(load.json["status"], "planned");
        assert_eq!(counts(&load), counted(&[("said", 20), ("create", 20)]));
        assert_eq!(load.json["file"]["rows"], 20);
        assert_eq!(load.json["file"]["columns"], json!(["Kod", "Namn", "Från", "Över"]));
        assert_eq!(http.positions(), before, "a plan changes nothing");
        // The plan, row by row, and as tables.
        let rows = http.as_("steward").get(&format!("{}/rows?limit=5&outcome=create", path(&load)));
        rows.expect(200);
        assert_eq!(rows.json["items"].as_array().expect("items").len(), 5);
        let row = &rows.json["items"][0];
        assert_eq!((&row["outcome"], &row["fileRows"], &row["key"]["source"]), (&json!("create"), &json!([2]), &json!("unit:0")));
        assert_eq!(row["operations"][0]["data"]["name"]["sv"], "Enhet 0");
        assert!(rows.json["_links"].as_array().expect("links").iter().any(|link| link["rel"] == "next"));
        let table = http.as_("steward").with("accept", "text/csv").get(&format!("{}/rows.csv", path(&load)));
        table.expect(200);
        assert_eq!(table.text.lines().count(), 21, "{}", table.text);
        assert!(table.text.starts_with("\u{feff}Rad;"));
        let workbook = http.as_("steward").get(&format!("{}/rows.xlsx?lang=en", path(&load)));
        workbook.expect(200);
        assert!(workbook.text.starts_with("PK"));
        // Applied, and that alone.
        let applied = apply(&http, &load);
        assert_eq!((&applied.json["status"], &applied.json["counts"]["applied"]), (&json!("applied"), &json!(20)));
        assert_eq!(units(&http), 20);
        let found = http.reader().get("/organisations?name=Enhet 7");
        let unit = &found.json["items"][0];
        assert_eq!(unit["validFrom"], "2026-01-01");
        let id = unit["id"].as_str().expect("id");
        // Why is it there?
        let why = http.reader().get(&format!("/organisations/{id}/provenance"));
        why.expect(200);
        let name = why.json["properties"].as_array().expect("properties").iter().find(|one| one["pointer"] == "/name/sv").expect("the name");
        assert_eq!(name["introduced"]["load"], load.json["id"]);
        assert_eq!(name["asserted"][0]["source"], "org");
        // The same file again: nothing.
        let after = http.positions();
        let again = full(&http, &all(20));
        assert_eq!(counts(&again), counted(&[("said", 20), ("unchanged", 20)]));
        apply(&http, &again);
        assert_eq!(http.positions(), after, "no version was written");
        let first = http.as_("steward").get("/sources/org/loads?limit=1");
        first.expect(200);
        let next = first.json["_links"].as_array().expect("links").iter().find(|link| link["rel"] == "next").expect("one more")["href"].as_str().expect("href").to_owned();
        let second = http.as_("steward").request("GET", &next, None);
        let mut listed = [&first, &second].map(|page| page.json["items"][0]["id"].clone().to_string());
        listed.sort();
        let mut made = [&load, &again].map(|load| load.json["id"].to_string());
        made.sort();
        assert_eq!(listed, made);
    }

    fn what_is_missing_ends_unless_it_is_too_much(http: Http) {
        source(&http, json!({}));
        apply(&http, &full(&http, &all(20)));
        let less = file(20, |number| (number != 7).then(|| format!("Enhet {number}")));
        let load = full(&http, &less);
        assert_eq!(counts(&load), counted(&[("said", 19), ("unchanged", 19), ("end", 1)]));
        apply(&http, &load);
        assert_eq!(units(&http), 19);
        // Three of ten are too many.
        let much_less = file(20, |number| (!matches!(number, 7 | 10..=15)).then(|| format!("Enhet {number}")));
        let load = full(&http, &much_less);
        assert_eq!(load.json["status"], "stopped");
        let names: Vec<&Value> = load.json["guards"].as_array().expect("guards").iter().map(|guard| &guard["name"]).collect();
        assert_eq!(names, ["ends", "shorter"]);
        let refused = http.as_("steward").send("POST", &format!("{}/application", path(&load)), None);
        refused.problem(409, "load-state");
        assert_eq!(units(&http), 19);
        let overrides = format!("{}/overrides", path(&load));
        http.as_("steward").post(&overrides, json!({"guards": ["changes"], "reason": "x"})).problem(400, "invalid-parameter");
        http.as_("steward").post(&overrides, json!({"guards": []})).problem(400, "invalid-body");
        let overridden = http.as_("steward").post(&overrides, json!({"guards": ["ends"], "reason": "Enheterna är nedlagda"}));
        overridden.expect(200);
        assert_eq!(overridden.json["status"], "stopped", "the other one stands");
        let overridden = http.as_("steward").post(&overrides, json!({"guards": ["shorter"], "reason": "Samma skäl"}));
        assert_eq!(overridden.json["status"], "planned");
        assert_eq!(overridden.json["guards"][0]["overridden"]["reason"], "Enheterna är nedlagda");
        let done = apply(&http, &load);
        assert_eq!(done.json["counts"]["end"], 6);
        assert_eq!(units(&http), 13);
        // And back again.
        let reversal = http.as_("steward").send("POST", &format!("{}/reversal", path(&load)), None);
        reversal.expect(201);
        assert_eq!((&reversal.json["kind"], &reversal.json["reverses"]), (&json!("reversal"), &load.json["id"]));
        apply(&http, &reversal);
        assert_eq!(units(&http), 19);
        let taken_back = http.as_("steward").get(&path(&load));
        assert_eq!(taken_back.json["status"], "reversed");
    }

    fn rows_that_are_wrong_take_nothing_from_the_others(http: Http) {
        source(&http, json!({}));
        apply(&http, &full(&http, &all(20)));
        let wrong = all(20).replace("7;Enhet 7;2026-01-01", "7;Enhet 7;2026-02-31").replace("Enhet 3;", "Enhet tre;");
        let load = full(&http, &wrong);
        assert_eq!(load.json["status"], "planned");
        // Whose row is wrong is not missing.
        assert_eq!(counts(&load), counted(&[("said", 19), ("unchanged", 18), ("change", 1), ("rejected", 1)]));
        let rows = http.as_("steward").get(&format!("{}/rows?outcome=rejected", path(&load)));
        let problem = &rows.json["items"][0]["problems"][0];
        assert_eq!((&problem["code"], &problem["fileRow"], &problem["column"], &problem["value"]), (&json!("invalid-date"), &json!(9), &json!("Från"), &json!("2026-02-31")));
        let table = http.as_("steward").get(&format!("{}/rows.csv?outcome=rejected,change", path(&load)));
        assert!(table.text.contains("Datumet finns inte i kalendern") && table.text.contains("/name/sv;Enhet 3;Enhet tre"), "{}", table.text);
        apply(&http, &load);
        assert_eq!(units(&http), 20);
    }

    fn four_eyes(http: Http) {
        source(&http, json!({"approval": "other-person"}));
        let load = full(&http, &all(3));
        assert_eq!(load.json["needsApproval"], true);
        let address = path(&load);
        http.as_("steward").send("POST", &format!("{address}/application"), None).problem(409, "approval-required");
        http.as_("steward").send("POST", &format!("{address}/approval"), None).problem(403, "same-person");
        http.as_("owner-admin").post(&format!("{address}/approval"), json!({"reason": "Granskad"})).expect(200);
        let done = apply(&http, &load);
        assert_eq!(done.json["approved"]["reason"], "Granskad");
    }

    fn files_that_cannot_be_read_change_nothing_and_say_why(http: Http) {
        source(&http, json!({}));
        apply(&http, &full(&http, &all(20)));
        let before = http.positions();
        for (content, code) in [
            ("", "empty-file"),
            ("Namn;Från\nX;2026-01-01\n", "missing-column"),
            ("[{\"Kod\": 1", "truncated-file"),
        ] {
            let load = full(&http, content);
            assert_eq!(load.json["status"], "refused", "{content}");
            assert_eq!(load.json["refused"][0]["code"], code, "{}", load.text);
            let refused = http.as_("steward").send("POST", &format!("{}/application", path(&load)), None);
            refused.problem(409, "load-state");
        }
        // A source without rows ends nothing before somebody says so.
        let load = full(&http, "Kod;Namn;Från;Över\n");
        assert_eq!(load.json["status"], "stopped");
        // Another file while this one waits.
        send(http.as_("steward"), "kind=full", &all(20)).problem(409, "load-open");
        let replaced = send(http.as_("steward"), "kind=full&replace=true", &all(20));
        replaced.expect(201);
        let given_up = http.as_("steward").get(&path(&load));
        assert_eq!(given_up.json["status"], "cancelled");
        http.as_("steward").post(&format!("{}/cancellation", path(&replaced)), json!({"reason": "Prov"})).expect(200);
        // What came is not what was sent.
        let other = http.as_("steward").with("repr-digest", &digest(b"x")).with("content-type", "text/csv").send("POST", "/sources/org/loads?kind=full", Some(all(20)));
        other.problem(400, "digest-mismatch");
        http.as_("steward").with("repr-digest", "sha-256=x").send("POST", "/sources/org/loads?kind=full", Some(all(20))).problem(400, "invalid-header");
        for query in ["", "kind=all", "kind=full&date=i går", "kind=full&name=../x", "kind=full&replace=ja"] {
            send(http.as_("steward"), query, &all(1)).problem(400, "invalid-parameter");
        }
        send(http.as_("steward"), "kind=full&kinds=1", &all(1)).problem(400, "unknown-parameter");
        http.as_("steward").with("content-encoding", "gzip").send("POST", "/sources/org/loads?kind=full", Some(all(1))).problem(415, "unsupported-media-type");
        http.as_("steward").send("POST", "/sources/nobody/loads?kind=full", Some(all(1))).problem(404, "unknown-source");
        http.as_("steward").get("/loads/01990c3e-0000-7000-8000-00000000dead").problem(404, "unknown-load");
        http.as_("steward").get("/loads/x").problem(400, "invalid-parameter");
        assert_eq!(http.positions(), before);
    }

    fn a_source_is_put_with_all_its_faults_told(http: Http) {
        let put = |settings: Value| http.as_("owner-admin").put("/sources/org", json!({"settings": settings}));
        let wrong = put(settings(json!({"mapping": "mapping = 1\nname = 7\n[[record]]\nname = \"a\"\n"})));
        wrong.problem(422, "invalid-settings");
        let errors = wrong.json["errors"].as_array().expect("errors");
        assert!(errors.len() > 2 && errors.iter().any(|error| error["line"] == 2), "{errors:#?}");
        put(settings(json!({"mapping": "ready:org"}))).problem(422, "invalid-settings");
        put(settings(json!({"domains": ["person"]}))).problem(422, "invalid-settings");
        put(settings(json!({"domans": []}))).problem(422, "invalid-settings");
        let made = put(settings(json!({})));
        made.expect(201);
        assert!(made.header("etag").starts_with("\"1-"));
        put(settings(json!({"contact": "it@example.se"}))).problem(428, "precondition-required");
        let changed = http.as_("owner-admin").with("if-match", "\"1\"").put("/sources/org", json!({"settings": settings(json!({"contact": "it@example.se"})), "reason": "Ny kontakt"}));
        changed.expect(200);
        http.as_("owner-admin").with("if-match", "\"1\"").put("/sources/org", json!({"settings": settings(json!({}))})).problem(412, "precondition-failed");
        let read = http.as_("steward").get("/sources/org");
        assert_eq!((&read.json["version"], &read.json["settings"]["contact"]), (&json!(2), &json!("it@example.se")));
        let history = http.as_("steward").get("/sources/org/history");
        assert_eq!(history.json["items"][0]["reason"], "Ny kontakt");
        assert_eq!(http.as_("steward").get("/sources").json["items"].as_array().expect("items").len(), 1);
        // Who works for all owners says which one.
        http.admin().get("/sources").problem(400, "owner-required");
        http.admin().get("/sources?owner=norrberga").expect(200);
        http.as_("steward").put("/sources/org", json!({"settings": settings(json!({}))})).problem(403, "forbidden");
        http.writer().get("/sources").problem(403, "forbidden");
    }

    fn a_file_may_come_in_pieces(http: Http) {
        source(&http, json!({}));
        let content = all(200);
        let sha256: String = Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let begun = http.as_("steward").post("/sources/org/uploads", json!({"name": "org.csv", "size": content.len(), "sha256": sha256}));
        begun.expect(201);
        let id = begun.json["id"].as_str().expect("id").to_owned();
        let address = format!("/uploads/{id}");
        let piece = |offset: usize, piece: &str, checksum: &str| {
            http.as_("steward").with("upload-offset", &offset.to_string()).with("content-digest", checksum).with("content-type", "application/octet-stream").send("PATCH", &address, Some(piece.to_owned()))
        };
        let (first, rest) = content.split_at(1_000);
        assert_eq!(piece(0, first, &digest(first.as_bytes())).json["offset"], 1_000);
        // Not where the last one ended; not what was sent; before all of it has come.
        let early = piece(0, first, &digest(first.as_bytes()));
        early.problem(409, "upload-offset");
        assert_eq!(early.json["offset"], 1_000);
        piece(1_000, rest, &digest(b"other")).problem(400, "digest-mismatch");
        let load = format!("/sources/org/loads?kind=full&upload={id}");
        http.as_("steward").send("POST", &load, None).problem(409, "upload-incomplete");
        let where_now = http.as_("steward").get(&address);
        assert_eq!((&where_now.json["offset"], where_now.header("upload-offset")), (&json!(1_000), "1000"));
        // Nobody else's business.
        http.as_("owner-admin").get(&address).problem(404, "unknown-upload");
        http.as_("steward").send("PATCH", &address, Some("x".into())).problem(400, "invalid-header");
        piece(1_000, &format!("{rest}x"), &digest(format!("{rest}x").as_bytes())).problem(413, "body-too-large");
        assert_eq!(http.as_("steward").get(&address).json["offset"], 1_000, "nothing of what is too long");
        assert_eq!(piece(1_000, rest, &digest(rest.as_bytes())).json["offset"], content.len());
        let made = http.as_("steward").with("prefer", "wait=60").send("POST", &load, None);
        made.expect(201);
        assert_eq!((&made.json["file"]["name"], &made.json["file"]["sha256"]), (&json!("org.csv"), &json!(sha256)));
        assert_eq!(counts(&made), counted(&[("said", 200), ("create", 200)]));
        http.as_("steward").get(&address).problem(404, "unknown-upload");
        // One that is given up.
        let begun = http.as_("steward").post("/sources/org/uploads", json!({}));
        let address = format!("/uploads/{}", begun.json["id"].as_str().expect("id"));
        http.as_("steward").delete(&address).expect(204);
        http.as_("steward").get(&address).problem(404, "unknown-upload");
        http.as_("steward").post("/sources/org/uploads", json!({"sha256": "x"})).problem(400, "invalid-body");
    }

    fn what_is_done_with_loads_is_logged(http: Http) {
        source(&http, json!({}));
        let load = full(&http, &all(2));
        http.as_("steward").get(&format!("{}/rows", path(&load))).expect(200);
        apply(&http, &load);
        let log = |operation: &str| {
            let found = http.as_("owner-admin").get(&format!("/access-log?owner=norrberga&operation={operation}"));
            found.expect(200);
            found.json["items"].as_array().expect("items").clone()
        };
        for (operation, kind) in [("putSource", "administration"), ("createLoad", "administration"), ("applyLoad", "administration")] {
            let entries = log(operation);
            assert!(entries.iter().any(|entry| entry["kind"] == kind), "{operation}: {entries:?}");
        }
        let applied = log("applyLoad");
        assert_eq!(applied[0]["detail"]["load"], load.json["id"], "{applied:?}");
    }
}
