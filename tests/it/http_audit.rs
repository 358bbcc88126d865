//! What the access log says of what tells something beside a plain read, of what is administered, and to whom.

use grunddata_model::OwnerKey;
use grunddata_registry::{Actor, At, Grant, OwnerScope, Role};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::{Caller, Http};

const NUMBER: &str = "189001019802";

/// The entries that whoever asks is shown, the oldest first.
fn entries(caller: Caller<'_>, query: &str) -> Vec<Value> {
    let page = caller.get(&format!("/access-log?order=oldest&limit=1000&{query}"));
    page.expect(200);
    page.json["items"].as_array().expect("items").clone()
}

/// Of each entry the kind, the records, and how it ended.
fn told(entries: &[Value]) -> Vec<(&str, &Value, &Value)> {
    entries
        .iter()
        .map(|entry| {
            let kind = entry["kind"].as_str().expect("kind");
            (kind, &entry["records"], &entry["outcome"])
        })
        .collect()
}

fn person(http: &Http, data: Value) -> String {
    let made = http
        .writer()
        .post("/persons", json!({"data": data, "validFrom": "2020-01-01"}));
    made.expect(201);
    made.json["id"].as_str().expect("id").to_owned()
}

fn numbered(name: &str) -> Value {
    json!({"name": {"full": name}, "identifiers": [{"scheme": "se-personal-identity-number", "value": NUMBER}]})
}

/// The token of an auditor of one owner.
fn auditor(http: &Http, owner: &str) -> String {
    let scope = OwnerScope::Owner(OwnerKey::new(owner).expect("key"));
    http.token_of("auditor", vec![Grant::of(scope, Role::Auditor)])
}

on_both! {
    using Http::start;

    fn what_is_told_of_a_day_on_which_nothing_holds_is_logged(http: Http) {
        let made = http.writer().post("/persons", json!({"data": {"name": {"full": "Ronja"}}, "validFrom": "2001-01-01", "validTo": "2010-01-01"}));
        made.expect(201);
        let id = made.json["id"].as_str().expect("id");
        let (_, unit) = http.organisation("Enheten", "2027-01-01");
        http.reader().get(&format!("/persons/{id}/history")).expect(200);
        let absent = http.reader().get(&format!("/persons/{id}?validAt=1700-01-01"));
        absent.problem(404, "not-valid-then");
        assert!(absent.json["validPeriods"].is_array());
        // What tells nothing personal is not there.
        http.reader().get(&format!("/persons/{id}/versions/99")).problem(404, "unknown-version");
        http.reader().get(&format!("{unit}?validAt=1700-01-01")).problem(404, "not-valid-then");
        http.reader().get(&format!("{unit}/history")).expect(200);
        http.nobody().get(&format!("/persons/{id}?validAt=1700-01-01")).problem(404, "not-found");
        let logged = entries(http.admin(), "actor=reader");
        let (records, ok, refused) = (json!([id]), json!("ok"), json!({"refused": "not-valid-then"}));
        assert_eq!(told(&logged), [("history", &records, &ok), ("read", &records, &refused)]);
        assert_eq!(logged[1]["classes"], json!(["personal"]));
        assert!(entries(http.admin(), "actor=anonymous").is_empty());
        // Whoever was told so stands in the register extract.
        let extract = http.admin().get(&format!("/persons/{id}/extract?byName=true"));
        let readers = extract.json["readers"].as_array().expect("readers");
        assert!(readers.iter().any(|reader| reader["actor"] == "reader" && reader["count"] == 2), "{readers:?}");
    }

    fn a_validation_that_looks_numbers_up_is_logged_as_a_search(http: Http) {
        let id = person(&http, numbered("Ronja"));
        let (unit, _) = http.organisation("Enheten", "2020-01-01");
        let role = |number: &str| json!({"collection": "roles", "data": {"kind": "employment", "organisation": {"id": unit},
            "person": {"identifier": {"scheme": "se-personal-identity-number", "value": number}}}});
        let checked = http.reader().post("/validations", json!({"items": [role(NUMBER), role("189001029801")]}));
        checked.expect(200);
        let valid: Vec<&Value> = checked.json["items"].as_array().expect("items").iter().map(|item| &item["valid"]).collect();
        assert_eq!(valid, [true, false], "{}", checked.text);
        http.reader().post("/validations", json!({"items": [role("189001029801")]})).expect(200);
        http.reader().post("/validations", json!({"items": [{"collection": "organisations", "data": {"name": {"sv": "X"}, "kind": "unit"}}]})).expect(200);
        let logged = entries(http.admin(), "actor=reader");
        let (records, none, ok) = (json!([id]), json!([]), json!("ok"));
        assert_eq!(told(&logged), [("search", &records, &ok), ("search", &none, &ok)], "{logged:?}");
        assert_eq!(logged[0]["query"], "identifier=se-personal-identity-number:… (2)");
        assert_eq!((&logged[1]["count"], &logged[1]["owners"]), (&json!(0), &json!(["norrberga"])));
        assert!(!json!(logged).to_string().contains(NUMBER));
    }

    fn a_write_that_tells_whose_a_number_is_is_logged_when_it_is_refused(http: Http) {
        let id = person(&http, numbered("Ronja"));
        let (unit, _) = http.organisation("Enheten", "2020-01-01");
        let taken = http.writer().post("/persons", json!({"data": numbered("Någon annan"), "validFrom": "2026-01-01"}));
        taken.problem(409, "identifier-in-use");
        assert!(taken.text.contains(&id));
        let role = |number: &str, kind: &str| json!({"validFrom": "2026-01-01", "data": {"kind": kind, "organisation": {"id": unit},
            "person": {"identifier": {"scheme": "se-personal-identity-number", "value": number}}}});
        http.writer().post("/roles", role("189001029801", "employment")).problem(422, "reference-not-found");
        // The upsert that is refused says that there is such a person.
        http.writer().with("if-match", "\"99\"").post("/persons?match=se-personal-identity-number", json!({"data": numbered("Ronja"), "validFrom": "2026-01-01"})).problem(412, "precondition-failed");
        http.writer().post("/organisations", json!({"data": {}})).problem(422, "invalid-data");
        let logged: Vec<Value> = entries(http.admin(), "actor=writer").into_iter().filter(|entry| entry["outcome"] != "ok").collect();
        let (records, none) = (json!([id]), json!([]));
        let refused = |code: &str| json!({"refused": code});
        let (taken, unknown, stale) = (refused("identifier-in-use"), refused("reference-not-found"), refused("precondition-failed"));
        assert_eq!(told(&logged), [("write", &records, &taken), ("write", &none, &unknown), ("write", &records, &stale)]);
        assert_eq!(logged[1]["owners"], json!(["norrberga"]));
    }

    fn who_learns_that_there_is_such_a_person_is_logged(http: Http) {
        let id = person(&http, json!({"name": {"full": "Ronja"}}));
        http.reader().get(&format!("/roles/{id}")).problem(404, "not-found");
        http.reader().get(&format!("/roles/{}", uuid::Uuid::now_v7())).problem(404, "not-found");
        let logged = entries(http.admin(), "actor=reader");
        assert_eq!(told(&logged), [("read", &json!([id]), &json!({"refused": "not-found"}))]);
    }

    fn lists_of_links_about_a_person_are_logged_when_they_are_empty(http: Http) {
        let id = person(&http, json!({"name": {"full": "Ronja"}}));
        let (_, unit) = http.organisation("Enheten", "2026-01-01");
        for path in ["links", "ancestors", "subtree"] {
            http.reader().get(&format!("/persons/{id}/{path}")).expect(200);
            http.reader().get(&format!("{unit}/{path}")).expect(200);
        }
        let (records, ok) = (json!([id]), json!("ok"));
        assert_eq!(told(&entries(http.admin(), "actor=reader")), [("links", &records, &ok); 3]);
    }

    fn an_auditor_of_an_owner_finds_what_was_administered_there(http: Http) {
        let token = auditor(&http, "norrberga");
        let audit = |query: &str| entries(http.with_token(&token), &format!("owner=norrberga&{query}"));
        http.admin().put("/owners/norrberga", json!({"name": "Norrberga kommun"})).expect(200);
        http.admin().put("/owners/oppen", json!({"name": "Öppen"})).expect(200);
        http.as_("owner-admin").put("/owners/ny", json!({"name": "Ny"})).problem(403, "forbidden");
        let made = http.admin().post("/tokens", json!({"name": "hr", "grants": [{"owner": "norrberga", "role": "editor"}]}));
        let minted = made.json["id"].as_str().expect("id");
        let rotated = http.admin().post(&format!("/tokens/{minted}/rotations"), json!({}));
        rotated.expect(201);
        http.admin().delete(&format!("/tokens/{minted}")).expect(204);
        let given = http.admin().post("/grants", json!({"subject": {"kind": "user", "name": "https://login.example#anna"}, "grant": {"owner": "norrberga", "role": "reader"}}));
        let grant = given.json["id"].as_str().expect("id");
        http.admin().delete(&format!("/grants/{grant}")).expect(204);
        http.as_("owner-admin").post("/tokens", json!({"name": "allt", "grants": [{"owner": "*", "role": "reader"}]})).problem(403, "forbidden");
        let acts = audit("kind=administration");
        let operations: Vec<&str> = acts.iter().map(|act| act["operation"].as_str().expect("operation")).collect();
        assert_eq!(operations, ["putOwner", "createToken", "rotateToken", "revokeToken", "giveGrant", "takeBackGrant", "createToken"]);
        let detail = |act: usize, name: &str| acts[act]["detail"][name].clone();
        assert_eq!(detail(0, "name"), "Norrberga kommun");
        assert_eq!((detail(1, "name"), detail(1, "made")), (json!("hr"), json!(minted)));
        assert_eq!((detail(2, "token"), detail(2, "made")), (json!(minted), rotated.json["id"].clone()));
        assert_eq!(detail(3, "token"), minted);
        assert_eq!((detail(4, "made"), detail(5, "taken")), (json!(grant), json!(grant)));
        assert_eq!(detail(4, "subject")["name"], "https://login.example#anna");
        // What is about others as well is there, and not what it says of them.
        assert_eq!((&acts[6]["detail"], &acts[6]["outcome"]["refused"]), (&Value::Null, &json!("forbidden")));
        // Who read the log of the owner: this auditor, and whoever read all of it.
        http.admin().get("/access-log?q=hr").expect(200);
        let readers: Vec<Value> = audit("kind=log-read").into_iter().map(|entry| entry["actor"].clone()).collect();
        assert_eq!(readers, ["auditor", "admin"]);
    }

    fn what_the_law_asks_of_an_administrator_is_found_by_owner_and_record(http: Http) {
        let token = auditor(&http, "norrberga");
        let id = person(&http, json!({"name": {"full": "Ronja"}}));
        let decided = json!({"domain": "person", "eraseAfterYears": 5, "decision": "Gallras.", "reference": "KS 2020/1"});
        let rule = http.admin().post("/owners/norrberga/retention-rules", decided);
        let rule = rule.json["id"].as_str().expect("id");
        http.admin().delete(&format!("/owners/norrberga/retention-rules/{rule}?validFrom=2027-01-01")).expect(204);
        let hold = http.admin().post("/holds", json!({"record": id, "reason": "Tvist"}));
        let hold = hold.json["id"].as_str().expect("id");
        http.admin().delete(&format!("/owners/norrberga/holds/{hold}")).expect(204);
        let erased = http.admin().post("/erasures", json!({"records": [id], "decision": "Aldrig avsedd", "reference": "KS 2026/31"}));
        erased.expect(201);
        let acts = entries(http.with_token(&token), "owner=norrberga&actor=admin");
        let told: Vec<(&str, &Value)> = acts.iter().map(|act| (act["operation"].as_str().expect("operation"), &act["records"])).collect();
        let (none, records) = (json!([]), json!([id]));
        assert_eq!(told, [("putRetentionRule", &none), ("endRetentionRule", &none), ("putHold", &records), ("liftHold", &records), ("eraseRecords", &records)]);
        assert_eq!((&acts[0]["detail"]["rule"], &acts[1]["detail"]["rule"]), (&json!(rule), &json!(rule)));
        assert_eq!((&acts[2]["detail"]["mark"], &acts[3]["detail"]["mark"]), (&json!(hold), &json!(hold)));
        assert_eq!((&acts[4]["detail"]["disposal"], &acts[4]["detail"]["decision"]["reference"]), (&erased.json["id"], &json!("KS 2026/31")));
        // That it was about to be done stands before it: whose it was is found out on the way.
        let all = entries(http.admin(), "kind=erasure");
        assert_eq!(all.iter().map(|act| &act["detail"]["begun"]).collect::<Vec<_>>(), [&json!(true), &Value::Null]);
    }

    fn what_cannot_be_logged_is_not_done(http: Http) {
        let id = person(&http, json!({"name": {"full": "Ronja"}}));
        http.stop_logging();
        let request = json!({"records": [id], "decision": "Aldrig avsedd", "reference": "KS 2026/31"});
        http.admin().post("/erasures", request).problem(503, "access-log-unavailable");
        let context = http.registry.context(Actor::system("test"), "test");
        let id = id.parse().expect("id");
        http.registry.get(&context, None, id, &At::now(&context), None).expect("the record is still there");
        http.admin().put("/owners/norrberga", json!({"name": "Nytt namn"})).problem(503, "access-log-unavailable");
        let owners = http.registry.owners(&context).expect("owners");
        assert!(owners.iter().all(|owner| owner.name != "Nytt namn"));
    }

    fn an_auditor_of_one_owner_learns_nothing_of_others_by_asking(http: Http) {
        let mine = person(&http, json!({"name": {"full": "Ronja"}}));
        let made = http.as_("open-writer").post("/persons", json!({"data": {"name": {"full": "Birk"}}, "validFrom": "2026-01-01"}));
        let theirs = made.json["id"].as_str().expect("id");
        // One answer with records of both owners, and a query that says something.
        http.admin().get("/persons?controller=01990c3e-0000-7000-8000-0000000000ff").expect(200);
        http.admin().get("/persons?limit=17").expect(200);
        let token = auditor(&http, "norrberga");
        let audit = |query: &str| entries(http.with_token(&token), &format!("owner=norrberga&actor=admin&kind=search&{query}"));
        let seen = audit("q=");
        assert_eq!(seen.len(), 2, "{seen:?}");
        for entry in &seen {
            for hidden in ["records", "query", "count", "owners", "detail"] {
                assert_eq!(entry[hidden], Value::Null, "{hidden}");
            }
        }
        for hidden in ["controller", "0000000000ff", "oppen", theirs, &theirs[..20], &mine, "limit=17"] {
            assert!(audit(&format!("q={hidden}")).is_empty(), "{hidden}");
        }
        assert!(audit(&format!("record={theirs}")).is_empty());
        // What is shown is found, and so is what is the owner's own.
        assert_eq!(audit("q=ADMIN").len(), 2);
        assert_eq!(audit(&format!("record={mine}")).len(), 1);
        http.reader().get(&format!("/persons/{mine}")).expect(200);
        let own = entries(http.with_token(&token), &format!("owner=norrberga&kind=read&q={mine}"));
        assert_eq!((own.len(), &own[0]["records"]), (1, &json!([mine])));
        // Whoever audits everything asks about everything.
        assert_eq!(entries(http.admin(), &format!("kind=search&record={theirs}")).len(), 1);
        assert_eq!(entries(http.admin(), "kind=search&q=0000000000ff").len(), 1);
    }
}
