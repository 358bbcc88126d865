//! Search and paging over HTTP.

use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::{Answer, Caller, Http};

fn names(answer: &Answer) -> Vec<String> {
    answer.json["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| {
            item["data"]["name"]["sv"]
                .as_str()
                .expect("name")
                .to_owned()
        })
        .collect()
}

fn link(answer: &Answer, rel: &str) -> Option<String> {
    answer.json["_links"]
        .as_array()?
        .iter()
        .find(|link| link["rel"] == rel)?["href"]
        .as_str()
        .map(str::to_owned)
}

fn follow(caller: Caller<'_>, address: &str) -> Answer {
    caller.request("GET", address, None)
}

fn filled(engine: grunddata_testing::Engine) -> Http {
    let http = Http::start(engine);
    let operations: Vec<Value> = (0..25)
        .map(|number| {
            let kind = if number % 5 == 0 {
                "department"
            } else {
                "unit"
            };
            json!({"op": "create", "collection": "organisations", "validFrom": "2026-01-01",
                "data": {"name": {"sv": format!("Enhet {number:02}")}, "kind": kind}})
        })
        .collect();
    http.writer()
        .post("/transactions", json!({"operations": operations}))
        .expect(200);
    http
}

on_both! {
    using filled;

    fn pages_have_meta_and_links(http: Http) {
        let first = http.reader().get("/organisations?sort=name&count=exact&kind=unit&limit=8");
        first.expect(200);
        assert_eq!(first.json["_meta"]["totalRecords"], 20);
        assert_eq!(first.json["_meta"]["page"], 1);
        assert_eq!(first.json["_meta"]["limit"], 8);
        assert_eq!(first.json["_meta"]["count"], 8);
        assert!(first.json["_meta"]["asOf"].is_string() && first.json["_meta"]["validAt"] == "2026-11-21");
        assert!(link(&first, "prev").is_none());
        // What is written after the first page does not shift the next ones: the links are pinned.
        http.organisation("Enhet 00 som kom emellan", "2026-01-01");
        let mut seen = names(&first);
        let mut next = link(&first, "next");
        let mut pages = 1;
        while let Some(address) = next {
            assert!(address.contains("kind=unit") && address.contains("limit=8"), "the other parameters are kept: {address}");
            let page = follow(http.reader(), &address);
            page.expect(200);
            seen.extend(names(&page));
            next = link(&page, "next");
            pages += 1;
            assert!(pages < 10);
        }
        let expected: Vec<String> = (0..25).filter(|number| number % 5 != 0).map(|number| format!("Enhet {number:02}")).collect();
        assert_eq!(seen, expected);
        let last = link(&first, "last").expect("last");
        assert_eq!(names(&follow(http.reader(), &last)), ["Enhet 21", "Enhet 22", "Enhet 23", "Enhet 24"]);
    }

    fn numbered_pages(http: Http) {
        let second = http.reader().get("/organisations?sort=-name&limit=10&page=2");
        second.expect(200);
        assert_eq!(names(&second).first().map(String::as_str), Some("Enhet 14"));
        assert!(link(&second, "prev").is_some());
        let beyond = http.reader().get("/organisations?page=99");
        beyond.expect(200);
        assert_eq!(beyond.json["items"], json!([]));
        http.reader().get("/organisations?limit=1000&page=12").problem(400, "page-too-deep");
    }

    fn conditions_text_and_fields(http: Http) {
        let prefix = http.reader().get("/organisations?name=enhet%201*&sort=name&limit=3");
        prefix.expect(200);
        assert_eq!(names(&prefix), ["Enhet 10", "Enhet 11", "Enhet 12"]);
        let text = http.reader().get("/organisations?q=enhet%2017");
        text.expect(200);
        assert_eq!(names(&text).first().map(String::as_str), Some("Enhet 17"));
        let fields = http.reader().get("/organisations?name=Enhet%2017&fields=kind");
        fields.expect(200);
        assert_eq!(fields.json["items"][0]["data"], json!({"kind": "unit"}));
        let earlier = http.reader().get("/organisations?validAt=2025-12-31");
        earlier.expect(200);
        assert_eq!(earlier.json["items"], json!([]));
    }

    fn the_query_may_stand_in_the_body(http: Http) {
        let in_body = http.reader().post("/organisations/search", json!({"kind": "department", "sort": "name", "limit": 2, "count": "exact"}));
        in_body.expect(200);
        assert_eq!(names(&in_body), ["Enhet 00", "Enhet 05"]);
        assert_eq!(in_body.json["_meta"]["totalRecords"], 5);
        let after = in_body.json["_meta"]["after"].as_str().expect("after");
        let as_of = in_body.json["_meta"]["asOf"].as_str().expect("asOf");
        let next = http.reader().post("/organisations/search", json!({"kind": "department", "sort": "name", "limit": 2, "after": after, "asOf": as_of}));
        next.expect(200);
        assert_eq!(names(&next), ["Enhet 10", "Enhet 15"]);
        http.reader().post("/organisations/search", json!({"kind": {"eq": "unit"}})).problem(400, "invalid-body");
        let person = http.writer().post("/persons", json!({"validFrom": "2026-01-01", "data": {"name": {"full": "Ronja Ask"},
            "identifiers": [{"scheme": "se-personal-identity-number", "value": "189001019802"}]}}));
        person.expect(201);
        http.reader().get("/persons?identifier=se-personal-identity-number:189001019802").problem(400, "personal-identifier-in-address");
        let found = http.reader().post("/persons/search", json!({"identifier": "se-personal-identity-number:189001019802"}));
        found.expect(200);
        assert_eq!(found.json["items"][0]["id"], person.json["id"]);
    }

    fn list_and_get_say_the_same(http: Http) {
        let list = http.reader().get("/organisations?name=Enhet%2017");
        let id = list.json["items"][0]["id"].as_str().expect("id").to_owned();
        let one = http.reader().get(&format!("/organisations/{id}"));
        assert_eq!(list.json["items"][0], one.json);
        assert_eq!(http.as_("open-writer").get("/organisations").json["items"], json!([]));
        http.as_("open-writer").get(&format!("/organisations/{id}")).problem(404, "not-found");
    }
}
