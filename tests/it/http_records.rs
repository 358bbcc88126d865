//! Records over HTTP: what the contract of the interface says, on both databases.

#[path = "http_server.rs"]
pub(crate) mod server;

use grunddata_testing::on_both;
use serde_json::{Value, json};

use server::{Answer, Http, TODAY};

fn organisation(name: &str) -> Value {
    json!({"name": {"sv": name}, "kind": "unit"})
}

fn links(record: &Value) -> Vec<(String, String)> {
    record["_links"]
        .as_array()
        .expect("_links")
        .iter()
        .map(|link| {
            (
                link["rel"].as_str().expect("rel").to_owned(),
                link["method"].as_str().expect("method").to_owned(),
            )
        })
        .collect()
}

on_both! {
    using Http::start;

    fn a_reference_may_wait_for_its_target(http: Http) {
        let unit = |name: &str, parent: &str| json!({"data": {
            "name": {"sv": name}, "kind": "unit", "parent": {"identifier": {"scheme": "source:hr", "value": parent}}
        }, "validFrom": "2026-01-01"});
        http.writer().post("/organisations", unit("Enhet A", "sen")).expect(422);
        http.writer().post("/organisations?onUnresolved=later", unit("Enhet A", "sen")).expect(400);
        let created = http.writer().post("/organisations?onUnresolved=pending", unit("Enhet A", "sen"));
        created.expect(201);
        let id = created.json["id"].as_str().expect("id").to_owned();
        assert_eq!(created.json["data"]["parent"], json!({"identifier": {"scheme": "source:hr", "value": "sen"}}));
        let second = http.writer().post("/transactions", json!({"owner": "norrberga", "operations": [
            {"op": "create", "collection": "organisations", "onUnresolved": "pending", "data": unit("Enhet B", "aldrig")["data"], "validFrom": "2026-01-01"}
        ]}));
        second.expect(200);
        assert!(second.text.contains("reference-not-found"), "{}", second.text);
        // By id: those of one millisecond stand in any order.
        let all = http.reader().get("/pending-references?owner=norrberga");
        all.expect(200);
        let waits = |item: &Value| item["id"] == json!(id) && item["pointer"] == "/parent";
        assert!(all.json["items"].as_array().expect("items").iter().any(waits), "{}", all.json);
        let listed = http.reader().get("/pending-references?owner=norrberga&limit=1");
        listed.expect(200);
        assert_eq!(listed.json["items"].as_array().map(Vec::len), Some(1), "{}", listed.json);
        let next = links(&listed.json).into_iter().any(|(rel, _)| rel == "next");
        assert!(next, "{}", listed.json);
        let late = json!({"data": {"name": {"sv": "Sen"}, "kind": "unit", "identifiers": [{"scheme": "source:hr", "value": "sen"}]}, "validFrom": "2025-01-01"});
        let late = http.writer().post("/organisations", late);
        late.expect(201);
        let read = http.reader().get(&format!("/organisations/{id}"));
        assert_eq!((&read.json["data"]["parent"]["id"], &read.json["version"]), (&late.json["id"], &json!(2)));
        let listed = http.reader().get("/pending-references?owner=norrberga");
        assert_eq!(listed.json["items"].as_array().map(Vec::len), Some(1), "{}", listed.json);
    }

    fn a_record_is_created_read_changed_and_ended(http: Http) {
        let created = http.writer().post("/organisations", json!({"data": organisation("Enhet A"), "validFrom": "2026-01-01", "reason": "ny"}));
        created.expect(201);
        assert_eq!(created.header("grunddata-outcome"), "created");
        let id = created.json["id"].as_str().expect("id").to_owned();
        assert!(created.header("location").ends_with(&format!("/api/v1/organisations/{id}")));
        assert!(created.header("etag").starts_with("\"1-"), "{}", created.header("etag"));
        assert_eq!(created.json["owner"], "norrberga");
        assert_eq!(created.json["version"], 1);
        assert_eq!(created.json["validFrom"], "2026-01-01");
        assert_eq!(created.json["validTo"], Value::Null);
        assert_eq!(created.json["controller"], Value::Null);
        assert_eq!(created.json["origin"], json!({"kind": "own"}));
        assert_eq!(created.json["model"], "grunddata/1.0.0");

        let path = format!("/organisations/{id}");
        let read = http.reader().get(&path);
        read.expect(200);
        assert_eq!(read.json["data"]["name"]["sv"], "Enhet A");
        assert!(!read.header("grunddata-as-of").is_empty());
        assert!(read.header("cache-control").contains("private"));
        assert!(read.header("traceparent").starts_with("00-"));
        assert!(links(&read.json).iter().all(|(_, method)| method == "GET"), "a reader is offered no write");
        assert!(links(&created.json).contains(&("edit".to_owned(), "PATCH".to_owned())));
        for link in read.json["_links"].as_array().expect("_links") {
            assert!(link["href"].as_str().is_some_and(|href| href.starts_with(&http.origin())), "{link}");
        }

        let unchanged = http.reader().with("if-none-match", read.header("etag")).get(&path);
        unchanged.expect(304);
        assert_eq!(unchanged.header("etag"), read.header("etag"));

        let amended = http
            .writer()
            .with("if-match", created.header("etag"))
            .with("content-type", "application/merge-patch+json")
            .send("PATCH", &format!("{path}?validFrom=2026-06-01"), Some(json!({"name": {"sv": "Enhet B"}}).to_string()));
        amended.expect(200);
        assert_eq!(amended.header("grunddata-outcome"), "updated");
        assert_eq!(amended.json["version"], 2);
        assert_eq!(http.reader().get(&format!("{path}?validAt=2026-03-01")).json["data"]["name"]["sv"], "Enhet A");
        assert_eq!(http.reader().get(&path).json["data"]["name"]["sv"], "Enhet B");

        let again = http.writer().with("if-match", "\"2\"").put(&path, json!({"data": organisation("Enhet B"), "validFrom": "2026-06-01"}));
        again.expect(200);
        assert_eq!(again.header("grunddata-outcome"), "unchanged");
        assert_eq!(again.json["version"], 2);

        let ended = http.writer().with("if-match", "*").send("DELETE", &format!("{path}?validFrom=2026-12-01"), None);
        ended.expect(200);
        assert_eq!(ended.json["validTo"], "2026-12-01");
        let gone = http.reader().get(&format!("{path}?validAt=2027-01-01"));
        gone.problem(404, "not-valid-then");

        // The answer is repeatable: the token reads what was read before the change.
        let before = http.reader().get(&format!("{path}?asOf={}", read.header("grunddata-as-of")));
        before.expect(200);
        assert_eq!(before.json["data"], read.json["data"]);
        assert_eq!(before.json["version"], 1);

        let timeline = http.reader().get(&format!("{path}/timeline"));
        timeline.expect(200);
        assert_eq!(timeline.json["items"].as_array().expect("items").len(), 2);
        let history = http.reader().get(&format!("{path}/history"));
        history.expect(200);
        let versions: Vec<_> = history.json["items"].as_array().expect("items").iter().map(|item| item["version"].as_u64()).collect();
        assert_eq!(versions, [Some(3), Some(2), Some(1)]);
        assert_eq!(history.json["items"][2]["reason"], "ny");
        let first = http.reader().get(&format!("{path}/versions/1"));
        first.expect(200);
        assert_eq!(first.json["items"][0]["data"]["name"]["sv"], "Enhet A");
        let diff = http.reader().get(&format!("{path}/diff?from=1&to=2"));
        diff.expect(200);
        assert_eq!(diff.json["items"][0]["kind"], "changed");
        assert_eq!(diff.json["items"][0]["validFrom"], "2026-06-01");
        assert_eq!(http.reader().get(&format!("{path}/diff?from=1")).json["to"], 3);
    }

    fn what_does_not_hold_today_is_shown_with_its_day(http: Http) {
        let planned = http.writer().post("/organisations", json!({"data": organisation("Planerad"), "validFrom": "2027-03-01"}));
        planned.expect(201);
        assert!(planned.header("location").ends_with("?validAt=2027-03-01"), "{}", planned.header("location"));
        let read = http.writer().request("GET", planned.header("location"), None);
        read.expect(200);
        assert_eq!((&read.json, read.header("etag")), (&planned.json, planned.header("etag")));
        let (_, path) = http.organisation("Enhet", "2026-01-01");
        let ended = http.writer().with("if-match", "1").send("DELETE", &path, None);
        ended.expect(200);
        assert!(ended.header("content-location").ends_with("?validAt=2026-11-20"), "{}", ended.header("content-location"));
        http.reader().request("GET", ended.json["_links"][0]["href"].as_str().expect("self"), None).expect(200);
    }

    fn a_tag_is_that_of_what_was_sent(http: Http) {
        let body = json!({"data": organisation("Enhet"), "validFrom": "2026-01-01"});
        let create = || http.writer().with("idempotency-key", "k-1").post("/organisations", body.clone());
        let first = create();
        first.expect(201);
        let path = format!("/organisations/{}", first.json["id"].as_str().expect("id"));
        http.writer().with("if-match", "1").put(&path, json!({"data": organisation("Ny"), "validFrom": "2026-01-01"})).expect(200);
        let again = create();
        assert_eq!(again.json["version"], 2);
        assert!(again.header("etag").starts_with("\"2-"), "{}", again.header("etag"));
    }

    fn large_bodies_are_read_too(http: Http) {
        let operations: Vec<Value> = (0..1_500)
            .map(|number| json!({"op": "create", "collection": "organisations", "validFrom": "2026-01-01", "reason": "x".repeat(100), "data": organisation(&format!("Enhet {number}"))}))
            .collect();
        let body = json!({"operations": operations});
        assert!(body.to_string().len() > 256 * 1024);
        let send = || http.writer().with("idempotency-key", "large").post("/transactions", body.clone());
        let done = send();
        done.expect(200);
        assert_eq!(done.json["items"].as_array().map(Vec::len), Some(1_500));
        assert_eq!(done.json["_links"][0]["method"], "POST");
        assert_eq!(send().json["transaction"], done.json["transaction"]);
        let broken = format!("{{\"reason\": \"{}\", ", "x".repeat(300_000));
        http.writer().with("content-type", "application/json").send("POST", "/organisations", Some(broken)).problem(400, "malformed-json");
    }

    fn the_explicit_writes_carry_reason_and_correction(http: Http) {
        let (id, path) = http.organisation("Enhet", "2026-01-01");
        let amended = http.writer().with("if-match", "1").post(
            &format!("{path}/amendments"),
            json!({"patch": {"costCentre": "100"}, "validFrom": "start", "reason": "fel från början", "changeKind": "correction", "corrects": 1}),
        );
        amended.expect(200);
        assert_eq!(amended.json["changeKind"], "correction");
        assert_eq!(amended.json["validFrom"], "2026-01-01");
        let by_operations = http.writer().with("if-match", "2").post(
            &format!("{path}/amendments"),
            json!({"operations": [{"op": "replace", "path": "/costCentre", "value": "200"}]}),
        );
        by_operations.expect(200);
        let ended = http.writer().with("if-match", "3").post(&format!("{path}/endings"), json!({"validFrom": "2026-12-01", "reason": "nedlagd"}));
        ended.expect(200);
        let revived = http.writer().with("if-match", "4").post(&format!("{path}/revivals"), json!({"data": organisation("Enhet igen"), "validFrom": "2027-03-01"}));
        revived.expect(200);
        assert_eq!(revived.json["validFrom"], "2027-03-01");
        let reverted = http.writer().with("if-match", "5").post(&format!("{path}/reversions"), json!({"version": 1, "reason": "allt var fel"}));
        reverted.expect(200);
        assert_eq!(reverted.json["data"]["name"]["sv"], "Enhet");
        let retracted = http.writer().with("if-match", "6").post(&format!("{path}/retractions"), json!({"reason": "registrerad av misstag"}));
        retracted.expect(200);
        assert_eq!(retracted.json["outcome"], "updated");
        assert_eq!(retracted.json["id"], id.as_str());
        let gone = http.reader().get(&path);
        gone.problem(404, "retracted");
    }

    fn writes_can_be_repeated_safely(http: Http) {
        let body = json!({"data": organisation("En gång"), "validFrom": "2026-01-01"});
        let key = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        let first = http.writer().with("idempotency-key", key).post("/organisations", body.clone());
        first.expect(201);
        let second = http.writer().with("idempotency-key", key).post("/organisations", body);
        assert_eq!(second.json["id"], first.json["id"]);
        assert_eq!(second.status, 201);
        let other = http.writer().with("idempotency-key", key).post("/organisations", json!({"data": organisation("En annan")}));
        other.problem(422, "idempotency-key-reused");
    }

    fn a_client_can_ask_for_less(http: Http) {
        let created = http.writer().with("prefer", "return=minimal").post("/organisations", json!({"data": organisation("Tyst")}));
        created.expect(201);
        assert!(created.text.is_empty() && created.header("location").contains("/organisations/"));
        assert_eq!(created.header("preference-applied"), "return=minimal");
        assert_eq!(created.header("etag"), "\"1\"");
        let (_, path) = http.organisation("Tyst två", "2026-01-01");
        let put = http.writer().with("prefer", "return=minimal").with("if-match", "1").put(&path, json!({"data": organisation("Ny")}));
        put.expect(204);
        assert!(put.header("etag").starts_with("\"2-"));
        assert_eq!(http.reader().send("HEAD", &path, None).status, 200);
        let options = http.reader().send("OPTIONS", &path, None);
        options.expect(204);
        assert_eq!(options.header("allow"), "DELETE, GET, HEAD, OPTIONS, PATCH, PUT");
        assert_eq!(options.header("accept-patch"), "application/merge-patch+json, application/json-patch+json");
    }

    fn a_put_creates_under_the_clients_own_id(http: Http) {
        let path = "/organisations/0199aaaa-0000-7000-8000-000000000001";
        let created = http.writer().put(path, json!({"data": organisation("Egen"), "validFrom": "2026-01-01"}));
        created.expect(201);
        assert_eq!(created.header("grunddata-outcome"), "created");
        http.writer().put(path, json!({"data": organisation("Egen två")})).problem(428, "precondition-required");
    }

    fn an_upsert_finds_by_identifier(http: Http) {
        let body = |name: &str| json!({"data": {"name": {"sv": name}, "kind": "unit", "identifiers": [{"scheme": "source:hr", "value": "451"}]}, "validFrom": "2026-01-01"});
        let created = http.writer().post("/organisations?match=source:hr", body("Först"));
        created.expect(201);
        let updated = http.writer().post("/organisations?match=source:hr", body("Sedan"));
        updated.expect(200);
        assert_eq!(updated.json["id"], created.json["id"]);
        assert_eq!(updated.header("grunddata-outcome"), "updated");
        let found = http.reader().post("/records/lookup", json!({"identifiers": [{"scheme": "source:hr", "value": "451"}, {"scheme": "source:hr", "value": "452"}]}));
        found.expect(200);
        assert_eq!(found.json["items"][0]["records"][0]["id"], created.json["id"]);
        assert_eq!(found.json["items"][1]["records"], json!([]));
        assert_eq!(found.json["_links"][0]["method"], "POST");
        let earlier = http.reader().post("/records/lookup", json!({"identifiers": [{"scheme": "source:hr", "value": "451"}], "validAt": "2026-02-01"}));
        let link = earlier.json["items"][0]["records"][0]["_links"][0]["href"].as_str().expect("self").to_owned();
        assert!(link.ends_with("?validAt=2026-02-01"), "{link}");
        let earlier = http.reader().post("/organisations/search", json!({"identifier": "source:hr:451", "validAt": "2026-02-01"}));
        assert_eq!(earlier.json["items"][0]["_links"][0]["href"], link);
    }

    fn links_are_read_in_both_directions(http: Http) {
        let (parent, parent_path) = http.organisation("Förvaltningen", "2026-01-01");
        let child = http.writer().post("/organisations", json!({"data": {"name": {"sv": "Enheten"}, "kind": "unit", "parent": {"id": parent}}, "validFrom": "2026-01-01"}));
        child.expect(201);
        let child_id = child.json["id"].as_str().expect("id").to_owned();
        let child_path = format!("/organisations/{child_id}");
        assert_eq!(http.reader().get(&child_path).json["data"]["parent"], json!({"id": parent, "display": "Förvaltningen"}));
        let out = http.reader().get(&format!("{child_path}/links"));
        out.expect(200);
        assert_eq!(out.json["items"][0]["target"], parent.as_str());
        assert_eq!(out.json["items"][0]["relation"], "parent");
        let inward = http.reader().get(&format!("{parent_path}/links?direction=in&depth=2&include=records"));
        inward.expect(200);
        assert_eq!(inward.json["items"][0]["source"], child_id.as_str());
        assert_eq!(inward.json["included"][&child_id]["data"]["name"]["sv"], "Enheten");
        let ancestors = http.reader().get(&format!("{child_path}/ancestors"));
        ancestors.expect(200);
        assert_eq!(ancestors.json["items"][0]["record"]["id"], parent.as_str());
        let subtree = http.reader().get(&format!("{parent_path}/subtree"));
        subtree.expect(200);
        assert_eq!(subtree.json["items"][0]["record"]["id"], child_id.as_str());
    }

    fn what_is_below_is_read_page_by_page(http: Http) {
        let (parent, path) = http.organisation("Förvaltningen", "2026-01-01");
        let child = |name: &str| json!({"data": {"name": {"sv": name}, "kind": "unit", "parent": {"id": parent}}, "validFrom": "2026-01-01"});
        for number in 0..5 {
            http.writer().post("/organisations", child(&format!("Enhet {number}"))).expect(201);
        }
        for address in [format!("{path}/subtree?limit=2"), format!("{path}/links?direction=in&limit=2")] {
            let mut page = http.reader().get(&address);
            page.expect(200);
            // What is written after the first page is on none of the next.
            http.writer().post("/organisations", child("Sen")).expect(201);
            let mut seen = std::collections::BTreeSet::new();
            let mut pages = 1;
            loop {
                for item in page.json["items"].as_array().expect("items") {
                    let id = item["record"]["id"].as_str().or_else(|| item["source"].as_str()).expect("id");
                    assert!(seen.insert(id.to_owned()), "{id} comes twice");
                }
                let next = page.json["_links"].as_array().expect("links").iter().find(|link| link["rel"] == "next").cloned();
                let Some(next) = next else { break };
                let next = next["href"].as_str().expect("href").to_owned();
                assert!(next.contains("asOf="), "{next}");
                page = http.reader().request("GET", &next, None);
                page.expect(200);
                pages += 1;
                assert!(pages < 10);
            }
            assert_eq!(seen.len(), if address.contains("subtree") { 5 } else { 6 }, "{address}");
        }
    }

    fn transactions_are_all_or_nothing_and_can_be_undone(http: Http) {
        let (_, path) = http.organisation("Enhet", "2026-01-01");
        let id = path.rsplit('/').next().expect("id");
        let body = json!({"reason": "omorganisation", "operations": [
            {"op": "create", "collection": "organisations", "tempId": "nord", "validFrom": "2027-01-01", "data": {"name": {"sv": "Område nord"}, "kind": "operating-area"}},
            {"op": "amend", "collection": "organisations", "id": id, "ifMatch": 1, "validFrom": "2027-01-01", "patch": {"parent": {"id": "temp:nord"}}},
        ]});
        let done = http.writer().post("/transactions", body);
        done.expect(200);
        assert_eq!(done.json["items"][0]["outcome"], "created");
        assert_eq!(done.json["items"][1]["outcome"], "updated");
        let north = done.json["items"][0]["id"].as_str().expect("id");
        assert_eq!(http.reader().get(&format!("{path}?validAt=2027-02-01")).json["data"]["parent"]["id"], north);
        let transaction = done.json["transaction"].as_str().expect("transaction");
        let undone = http.writer().post(&format!("/transactions/{transaction}/reversal"), json!({"reason": "fel"}));
        undone.expect(200);
        assert_eq!(http.reader().get(&format!("{path}?validAt=2027-02-01")).json["data"]["parent"], Value::Null);

        let positions = http.positions();
        let refused = http.writer().post("/transactions", json!({"operations": [
            {"op": "create", "collection": "organisations", "data": organisation("Aldrig")},
            {"op": "create", "collection": "organisations", "data": {"kind": "unit"}},
            {"op": "create", "collection": "organisations", "data": {"name": {"sv": "x"}, "kind": "uniit"}},
        ]}));
        refused.problem(422, "invalid-data");
        let pointers: Vec<_> = refused.json["errors"].as_array().expect("errors").iter().filter_map(|error| error["pointer"].as_str()).collect();
        assert!(pointers.iter().any(|pointer| pointer.starts_with("/operations/1")), "{pointers:?}");
        assert!(pointers.iter().any(|pointer| pointer.starts_with("/operations/2")), "{pointers:?}");
        assert_eq!(http.positions(), positions);
    }

    fn validations_store_nothing(http: Http) {
        let positions = http.positions();
        let checked = http.reader().post("/validations", json!({"items": [
            {"collection": "organisations", "data": organisation("Bra")},
            {"collection": "organisations", "data": {"kind": "uniit", "name": {"sv": ""}}},
        ]}));
        checked.expect(200);
        assert_eq!(checked.json["_meta"], json!({"count": 2, "valid": 1, "invalid": 1}));
        assert_eq!(checked.json["items"][0], json!({"valid": true, "rehearsed": false, "errors": []}));
        assert!(checked.json["items"][1]["errors"].as_array().expect("errors").len() >= 2);
        let lines = format!("{}\n\n{}\n", json!({"collection": "organisations", "data": organisation("Bra")}), json!({"collection": "boats", "data": {}}));
        let checked = http.reader().with("content-type", "application/x-ndjson").send("POST", "/validations", Some(lines));
        checked.expect(200);
        assert_eq!(checked.json["items"][0]["valid"], true);
        assert_eq!(checked.json["items"][1]["errors"][0]["pointer"], "/collection");
        let checked = http.writer().post("/validations", json!({"items": [
            {"collection": "organisations", "data": organisation("Bra")},
            {"collection": "organisations", "data": organisation("Bakvänd"), "validFrom": "2026-05-01", "validTo": "2026-04-01"},
            {"collection": "organisations", "data": organisation("Bra"), "owner": "nobody-here"},
        ]}));
        checked.expect(200);
        assert_eq!(checked.json["items"][0], json!({"valid": true, "rehearsed": true, "errors": []}));
        let error = |item: usize| (checked.json["items"][item]["errors"][0]["pointer"].as_str(), checked.json["items"][item]["errors"][0]["code"].as_str());
        assert_eq!(error(1), (Some("/validTo"), Some("invalid-period")));
        assert_eq!(error(2), (Some("/owner"), Some("forbidden")));
        assert_eq!(http.positions(), positions);
    }

    fn the_api_tells_about_itself(http: Http) {
        let info = http.nobody().get("/api-info");
        info.expect(200);
        for member in ["apiName", "apiVersion", "apiReleased", "apiDocumentation", "apiStatus"] {
            assert!(info.json[member].is_string(), "{member}");
        }
        for root in ["", "/"] {
            http.nobody().get(root).expect(200);
        }
        let openapi = http.nobody().get("/openapi.json");
        openapi.expect(200);
        assert_eq!(openapi.json["openapi"], "3.1.0");
        assert_eq!(openapi.json["servers"][0]["url"], format!("{}/api/v1", http.origin()));
        let docs = http.nobody().get("/docs");
        docs.expect(200);
        assert!(docs.header("content-security-policy").contains("default-src 'none'"));
        let script = http.nobody().get("/docs/swagger-ui-bundle.js");
        script.expect(200);
        assert!(script.text.len() > 1_000_000);
        let problem = http.nobody().get("/problems/planned-states");
        problem.expect(200);
        assert!(problem.json["cure"]["sv"].is_string());
        assert_eq!(http.nobody().get("/models").json["current"], "grunddata/1.0.0");
        http.nobody().get("/models/grunddata/1.0.0").expect(200);
        let list = http.nobody().get("/codelists/organisation-kind");
        list.expect(200);
        assert!(list.json["codes"].as_array().expect("codes").iter().any(|code| code["code"] == "unit"));
        http.nobody().get("/codelists/organisation-kinds").problem(404, "not-found");
        for path in ["/healthz", "/readyz", "/.well-known/security.txt"] {
            http.nobody().at_root(path).expect(200);
        }
        let metrics = http.nobody().at_root("/metrics");
        metrics.expect(200);
        assert!(metrics.text.contains("grunddata_http_request_duration_seconds_count{operation=\"getApiInfo\",status=\"2xx\"} 1"), "{}", metrics.text);
        let (id, _) = http.organisation("Beständig", "2026-01-01");
        let persistent = http.nobody().at_root(&format!("/id/organisation/{id}"));
        assert_eq!(persistent.status, 303);
        assert!(persistent.header("location").ends_with(&format!("/api/v1/organisations/{id}")));
    }

    fn the_landing_page_is_in_swedish_and_english(http: Http) {
        http.organisation("Öppna enheten", "2026-01-01");
        let page = http.reader().at_root("/");
        page.expect(200);
        assert!(page.text.contains("<html lang=\"sv\">"));
        assert!(page.text.contains("Öppna enheten"));
        assert!(page.header("content-security-policy").contains("style-src 'sha256-"));
        let english = http.nobody().with("accept-language", "en").at_root("/");
        assert!(english.text.contains("<html lang=\"en\">"));
    }

    fn answers_are_compressed_when_asked(http: Http) {
        for coding in ["gzip", "br", "zstd"] {
            let answer: Answer = http.nobody().with("accept-encoding", coding).get("/openapi.json");
            answer.expect(200);
            assert_eq!(answer.header("content-encoding"), coding);
            assert!(answer.header("vary").contains("Accept-Encoding"));
        }
        let small = http.nobody().with("accept-encoding", "gzip").at_root("/healthz");
        assert_eq!(small.header("content-encoding"), "");
    }

    fn the_trace_of_the_client_is_continued(http: Http) {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let answer = http.reader().with("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01")).get("/organisations/x");
        answer.problem(400, "invalid-id");
        assert!(answer.header("traceparent").contains(trace));
        assert_eq!(answer.json["instance"], "urn:uuid:4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
        assert!(!TODAY.is_empty());
    }
}
