//! Bad input: each has a status, a stable problem type and a cure, and leaves the store as it was.

use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::{Answer, Http};

/// Runs the request, checks the problem, and that nothing was stored.
#[track_caller]
fn refused(http: &Http, status: u16, code: &str, request: impl FnOnce(&Http) -> Answer) -> Answer {
    let before = http.positions();
    let answer = request(http);
    answer.problem(status, code);
    assert_eq!(
        http.positions(),
        before,
        "a refused request took a position"
    );
    answer
}

/// A raw body as JSON.
fn raw(http: &Http, method: &str, path: &str, body: &str) -> Answer {
    http.writer()
        .with("content-type", "application/json")
        .send(method, path, Some(body.to_owned()))
}

fn unit(extra: Value) -> Value {
    let mut data = json!({"name": {"sv": "Enheten"}, "kind": "unit"});
    if let (Some(data), Value::Object(extra)) = (data.as_object_mut(), extra) {
        data.extend(extra);
    }
    json!({"data": data, "validFrom": "2026-01-01"})
}

#[track_caller]
fn has_error(answer: &Answer, pointer: &str, code: &str) {
    let errors = answer.json["errors"].as_array().expect("errors");
    assert!(
        errors.iter().any(|error| error["pointer"] == pointer
            && error["code"] == code
            && error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())),
        "{pointer} {code} not in {errors:?}"
    );
}

on_both! {
    using Http::start;

    fn broken_json(http: Http) {
        let answer = refused(&http, 400, "malformed-json", |http| raw(http, "POST", "/organisations", "{\n \"data\": {,}}"));
        assert_eq!(answer.json["line"], 2);
        assert!(answer.json["column"].is_u64());
        refused(&http, 400, "missing-body", |http| raw(http, "POST", "/organisations", ""));
        refused(&http, 400, "invalid-body", |http| raw(http, "POST", "/organisations", "[]"));
    }

    fn wrong_types(http: Http) {
        let answer = refused(&http, 422, "invalid-data", |http| http.writer().post("/organisations", unit(json!({"kind": 3, "isLegalEntity": "yes"}))));
        has_error(&answer, "/kind", "wrong-type");
        has_error(&answer, "/isLegalEntity", "wrong-type");
        let answer = refused(&http, 400, "invalid-body", |http| raw(http, "POST", "/organisations", r#"{"data": {}, "reason": 3, "validFrom": 2026}"#));
        has_error(&answer, "/reason", "wrong-type");
        has_error(&answer, "/validFrom", "wrong-type");
    }

    fn unknown_properties(http: Http) {
        let answer = refused(&http, 422, "invalid-data", |http| http.writer().post("/organisations", unit(json!({"costCenter": "1"}))));
        has_error(&answer, "/costCenter", "unknown-property");
        assert!(answer.text.contains("costCentre"), "the nearest name: {}", answer.text);
        let answer = refused(&http, 400, "invalid-body", |http| raw(http, "POST", "/organisations", r#"{"data": {}, "validForm": "2026-01-01"}"#));
        has_error(&answer, "/validForm", "unknown-property");
        assert!(answer.text.contains("validFrom"));
    }

    fn a_flood_of_faults(http: Http) {
        let flood: serde_json::Map<String, Value> = (0..3_000).map(|number| (format!("member{number}"), Value::Null)).collect();
        let envelope = refused(&http, 400, "invalid-body", |http| http.writer().post("/organisations", Value::Object(flood.clone())));
        let query = refused(&http, 400, "invalid-body", |http| {
            let members = flood.keys().map(|name| (name.clone(), json!({}))).collect();
            http.reader().post("/organisations/search", Value::Object(members))
        });
        let data = refused(&http, 422, "invalid-data", |http| http.writer().post("/organisations", unit(Value::Object(flood.clone()))));
        let many: Vec<Value> = (0..500).map(|_| json!({"op": "create", "collection": "organisations", "data": {}})).collect();
        let list = refused(&http, 422, "invalid-data", |http| http.writer().post("/transactions", json!({"operations": many})));
        for answer in [envelope, query, data, list] {
            assert_eq!(answer.json["errors"].as_array().map(Vec::len), Some(100));
            assert_eq!(answer.json["errorsTruncated"], true);
        }
        let checked = http.reader().post("/validations", json!({"items": [{"collection": "organisations", "data": flood}]}));
        checked.expect(200);
        assert_eq!(checked.json["items"][0]["errors"].as_array().map(Vec::len), Some(100));
        assert_eq!(checked.json["items"][0]["errorsTruncated"], true);
    }

    fn unknown_codes_and_codes_of_another_time(http: Http) {
        let answer = refused(&http, 422, "invalid-data", |http| http.writer().post("/organisations", unit(json!({"kind": "uniit"}))));
        has_error(&answer, "/kind", "unknown-code");
        assert!(answer.text.contains("unit"));
        let before = http.positions();
        let answer = http.writer().post("/organisations", unit(json!({"kind": "county-council"})));
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(["invalid-data", "code-not-valid-at-date"].contains(&answer.json["code"].as_str().expect("code")), "{}", answer.text);
        has_error(&answer, "/kind", "code-not-valid-at-date");
        assert!(answer.text.contains("region"), "the successor: {}", answer.text);
        assert_eq!(http.positions(), before);
    }

    fn bad_check_digits(http: Http) {
        let data = json!({"identifiers": [{"scheme": "se-organisation-number", "value": "2129999998"}]});
        let answer = refused(&http, 422, "invalid-data", |http| http.writer().post("/organisations", unit(data)));
        has_error(&answer, "/identifiers/0/value", "check-digit");
    }

    fn periods_that_are_none(http: Http) {
        let body = |from: &str, to: &str| json!({"data": {"name": {"sv": "Enheten"}, "kind": "unit"}, "validFrom": from, "validTo": to});
        refused(&http, 422, "invalid-period", |http| http.writer().post("/organisations", body("2026-06-01", "2026-01-01")));
        refused(&http, 422, "invalid-period", |http| http.writer().post("/organisations", body("2026-06-01", "2026-06-01")));
        // Inside the data as well.
        let held = json!({"identifiers": [{"scheme": "source:hr", "value": "17", "validFrom": "2026-06-01", "validTo": "2026-01-01"}]});
        let answer = refused(&http, 422, "invalid-data", |http| http.writer().post("/organisations", unit(held)));
        has_error(&answer, "/identifiers/0/validTo", "invalid-period");
        let answer = refused(&http, 400, "invalid-date", |http| http.writer().post("/organisations", body("", "2026-06-01")));
        has_error(&answer, "/validFrom", "invalid-date");
        let answer = refused(&http, 400, "invalid-date", |http| http.writer().post("/organisations", body("2026-01-01", "")));
        has_error(&answer, "/validTo", "invalid-date");
        refused(&http, 400, "invalid-date", |http| http.writer().post("/organisations", body("2026-02-30", "2026-06-01")));
        let (_, path) = http.organisation("Enheten", "2026-01-01");
        for query in ["validAt=", "validAt=2026-13-01", "validAt=yesterday", "knownAt=", "knownAt=2026-01-01"] {
            refused(&http, 400, "invalid-date", |http| http.reader().get(&format!("{path}?{query}")));
        }
        refused(&http, 400, "known-at-in-future", |http| http.reader().get(&format!("{path}?knownAt=2027-01-01T00:00:00Z")));
        refused(&http, 400, "invalid-as-of", |http| http.reader().get(&format!("{path}?asOf=AAAA")));
        refused(&http, 400, "invalid-date", |http| http.writer().with("if-match", "*").send("DELETE", &format!("{path}?validFrom="), None));
    }

    fn an_identifier_that_another_has(http: Http) {
        let body = || unit(json!({"identifiers": [{"scheme": "se-organisation-number", "value": "2129999997"}]}));
        let first = http.writer().post("/organisations", body());
        first.expect(201);
        let answer = refused(&http, 409, "identifier-in-use", |http| http.writer().post("/organisations", body()));
        assert!(answer.text.contains(first.json["id"].as_str().expect("id")), "the other record: {}", answer.text);
    }

    fn references_that_lead_astray(http: Http) {
        let nowhere = "01990c3e-0000-7000-8000-00000000dead";
        let answer = refused(&http, 422, "reference-not-found", |http| http.writer().post("/organisations", unit(json!({"parent": {"id": nowhere}}))));
        assert!(answer.json["errors"][0]["pointer"].as_str().is_some_and(|pointer| pointer.starts_with("/parent")), "{}", answer.text);
        let person = http.writer().post("/persons", json!({"data": {"name": {"full": "Ronja Ask"}}, "validFrom": "2026-01-01"}));
        person.expect(201);
        let id = person.json["id"].as_str().expect("id");
        refused(&http, 422, "reference-wrong-target", |http| http.writer().post("/organisations", unit(json!({"parent": {"id": id}}))));
        let (late, _) = http.organisation("Sen", "2026-06-01");
        refused(&http, 422, "reference-not-covered", |http| http.writer().post("/organisations", unit(json!({"parent": {"id": late}}))));
    }

    fn a_circle(http: Http) {
        let (a, a_path) = http.organisation("A", "2026-01-01");
        let b = http.writer().post("/organisations", unit(json!({"parent": {"id": a}})));
        b.expect(201);
        refused(&http, 409, "hierarchy-cycle", |http| {
            http.writer()
                .with("if-match", "1")
                .with("content-type", "application/merge-patch+json")
                .send("PATCH", &format!("{a_path}?validFrom=start"), Some(json!({"parent": {"id": b.json["id"]}}).to_string()))
        });
    }

    fn ending_what_is_referred_to(http: Http) {
        let (a, a_path) = http.organisation("A", "2026-01-01");
        let b = http.writer().post("/organisations", unit(json!({"parent": {"id": a}})));
        b.expect(201);
        let answer = refused(&http, 409, "still-referenced", |http| http.writer().with("if-match", "1").send("DELETE", &a_path, None));
        assert!(answer.text.contains(b.json["id"].as_str().expect("id")), "the referrer: {}", answer.text);
    }

    fn preconditions(http: Http) {
        let (_, path) = http.organisation("Enheten", "2026-01-01");
        let body = || json!({"data": {"name": {"sv": "Ny"}, "kind": "unit"}});
        refused(&http, 428, "precondition-required", |http| http.writer().put(&path, body()));
        refused(&http, 428, "precondition-required", |http| http.writer().send("DELETE", &path, None));
        let answer = refused(&http, 412, "precondition-failed", |http| http.writer().with("if-match", "\"7-abc\"").put(&path, body()));
        assert_eq!(answer.json["version"], 1);
        for several in ["latest", "\"1-a\", \"2-b\""] {
            refused(&http, 400, "invalid-header", |http| http.writer().with("if-match", several).put(&path, body()));
        }
        refused(&http, 400, "invalid-idempotency-key", |http| http.writer().with("idempotency-key", &"k".repeat(300)).post("/organisations", body()));
    }

    fn planned_states_are_not_overwritten_by_accident(http: Http) {
        let (_, path) = http.organisation("Enheten", "2026-01-01");
        let planned = json!({"data": {"name": {"sv": "Planerad"}, "kind": "unit"}, "validFrom": "2027-01-01"});
        http.writer().with("if-match", "1").put(&path, planned).expect(200);
        let now = json!({"data": {"name": {"sv": "Nu"}, "kind": "unit"}});
        let answer = refused(&http, 409, "planned-states", |http| http.writer().with("if-match", "2").put(&path, now));
        assert!(answer.text.contains("2027-01-01"), "the planned state: {}", answer.text);
        http.writer().with("if-match", "*").send("DELETE", &format!("{path}?validFrom=2027-06-01"), None).expect(200);
        let late = json!({"data": {"name": {"sv": "Sen"}, "kind": "unit"}, "validFrom": "2028-01-01"});
        refused(&http, 409, "record-ended", |http| http.writer().with("if-match", "*").put(&path, late));
    }

    fn parameters(http: Http) {
        let (_, path) = http.organisation("Enheten", "2026-01-01");
        let answer = refused(&http, 400, "unknown-parameter", |http| http.reader().get(&format!("{path}?validat=2026-01-01")));
        assert_eq!(answer.json["nearest"], "validAt");
        let before = http.positions();
        let answer = http.reader().get("/organisations?nam=A");
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json["nearest"], "name", "{}", answer.text);
        refused(&http, 400, "unknown-parameter", |http| http.reader().get("/organisations?pretty=true"));
        refused(&http, 400, "invalid-cursor", |http| http.reader().get(&format!("{path}/subtree?after=1")));
        for query in ["limit=0", "limit=10000", "limit=-1", "limit=many"] {
            let answer = http.reader().get(&format!("/organisations?{query}"));
            assert_eq!(answer.status, 400, "{query}: {}", answer.text);
            refused(&http, 400, "limit-out-of-range", |http| http.reader().get(&format!("{path}/history?{query}")));
        }
        refused(&http, 400, "limit-out-of-range", |http| http.reader().get("/organisations?limit=0"));
        refused(&http, 400, "limit-out-of-range", |http| http.reader().get("/organisations?limit=10000"));
        refused(&http, 400, "repeated-parameter", |http| http.reader().get("/organisations?limit=1&limit=2"));
        refused(&http, 400, "invalid-parameter", |http| http.reader().get("/organisations?q=%zz"));
        refused(&http, 400, "nul-character", |http| http.reader().get("/organisations?q=%00"));
        refused(&http, 400, "unsupported-parameter", |http| http.reader().get("/organisations?filter=kind%3D%27unit%27"));
        refused(&http, 400, "invalid-parameter", |http| http.reader().get(&format!("{path}/links?depth=11")));
        refused(&http, 400, "unknown-relation", |http| http.reader().get(&format!("{path}/links?relation=parrent")));
        refused(&http, 400, "personal-identifier-in-address", |http| http.reader().get("/records?identifier=se-personal-identity-number:189001019802"));
        refused(&http, 400, "unknown-identifier-scheme", |http| http.reader().get("/records?identifier=se-organization-number:2129999997"));
        assert_eq!(http.positions(), before);
    }

    fn ids_and_addresses(http: Http) {
        refused(&http, 400, "invalid-id", |http| http.reader().get("/organisations/451"));
        refused(&http, 400, "invalid-id", |http| http.writer().put("/organisations/not-a-uuid", unit(json!({}))));
        refused(&http, 404, "not-found", |http| http.reader().get("/organisations/01990c3e-0000-7000-8000-00000000dead"));
        refused(&http, 404, "unknown-address", |http| http.reader().get("/boats"));
        refused(&http, 404, "unknown-address", |http| http.reader().get("/extracts"));
        let long = "x".repeat(2_100);
        refused(&http, 414, "address-too-long", |http| http.reader().get(&format!("/organisations?q={long}")));
        refused(&http, 431, "headers-too-large", |http| http.reader().with("x-long", &"x".repeat(20_000)).get("/organisations"));
    }

    fn methods_and_media_types(http: Http) {
        let answer = refused(&http, 405, "method-not-allowed", |http| http.writer().send("DELETE", "/organisations", None));
        assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS, POST");
        refused(&http, 415, "unsupported-media-type", |http| http.writer().with("content-type", "text/plain").send("POST", "/organisations", Some("{}".to_owned())));
        refused(&http, 415, "unsupported-media-type", |http| http.writer().send("POST", "/organisations", Some("{}".to_owned())));
        let (_, path) = http.organisation("Enheten", "2026-01-01");
        refused(&http, 415, "unsupported-media-type", |http| http.writer().with("if-match", "1").with("content-type", "application/json").send("PATCH", &path, Some("{}".to_owned())));
        refused(&http, 415, "unsupported-media-type", |http| http.writer().with("content-encoding", "gzip").post("/organisations", unit(json!({}))));
        refused(&http, 406, "not-acceptable", |http| http.reader().with("accept", "application/xml").get(&path));
        refused(&http, 400, "patch-malformed", |http| http.writer().with("if-match", "1").with("content-type", "application/json-patch+json").send("PATCH", &path, Some("{}".to_owned())));
    }

    fn nul_and_depth(http: Http) {
        refused(&http, 400, "nul-character", |http| raw(http, "POST", "/organisations", r#"{"data": {"name": {"sv": "a\u0000b"}, "kind": "unit"}}"#));
        let deep = format!("{{\"data\": {}1{}}}", "[".repeat(200), "]".repeat(200));
        let answer = refused(&http, 400, "too-deep", |http| raw(http, "POST", "/organisations", &deep));
        assert_eq!(answer.json["limit"], 64);
        let unclosed = "[".repeat(100_000);
        refused(&http, 400, "too-deep", |http| raw(http, "POST", "/organisations", &unclosed));
        let before = http.positions();
        let answer = http.writer().with("content-type", "application/json").request("POST", &format!("{}/api/v1/organisations", http.origin()), Some(vec![b'"', 0xff, b'"']));
        answer.problem(400, "malformed-json");
        assert_eq!(http.positions(), before);
    }
}

fn small(engine: grunddata_testing::Engine) -> Http {
    Http::start_with(engine, |config| {
        config.limits.body_bytes = 1_000;
        config.limits.list_length = 2;
    })
}

on_both! {
    using small;

    fn bodies_and_lists_over_the_limit(http: Http) {
        let long = unit(json!({"costCentre": "1".repeat(2_000)}));
        let answer = refused(&http, 413, "body-too-large", |http| http.writer().post("/organisations", long));
        assert_eq!(answer.json["limit"], 1_000);
        let items: Vec<Value> = (0..3).map(|_| json!({"collection": "organisations", "data": {}})).collect();
        let answer = refused(&http, 400, "too-many-items", |http| http.reader().post("/validations", json!({"items": items})));
        assert_eq!(answer.json["limit"], 2);
        // The list ends where the limit is: what stands behind it is not read.
        let lines = "{\"collection\": \"organisations\", \"data\": {}}\n".repeat(2) + "x\nnot JSON";
        refused(&http, 400, "too-many-items", |http| http.reader().with("content-type", "application/x-ndjson").send("POST", "/validations", Some(lines)));
        let operations: Vec<Value> = (0..3).map(|_| json!({"op": "create", "collection": "organisations", "data": {}})).collect();
        refused(&http, 400, "too-many-items", |http| http.writer().post("/transactions", json!({"operations": operations})));
    }
}
