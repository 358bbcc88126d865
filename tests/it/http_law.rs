//! Retention, holds, restrictions, erasure and the register extract over HTTP.

use std::collections::BTreeSet;

use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::Http;

/// The id of a person, and of an employment of that person, which both ended in 2010.
fn former(http: &Http, name: &str) -> (String, String) {
    let id = |answer: &crate::http_records::server::Answer| {
        answer.expect(201);
        answer.json["id"].as_str().expect("id").to_owned()
    };
    let period =
        |data: Value| json!({"data": data, "validFrom": "2001-01-01", "validTo": "2010-01-01"});
    let unit = id(&http.writer().post(
        "/organisations",
        json!({"data": {"name": {"sv": "Skolan"}, "kind": "unit"}, "validFrom": "2000-01-01"}),
    ));
    let person = id(&http
        .writer()
        .post("/persons", period(json!({"name": {"full": name}}))));
    let role = id(&http.writer().post(
        "/roles",
        period(
            json!({"kind": "employment", "person": {"id": person}, "organisation": {"id": unit}}),
        ),
    ));
    (person, role)
}

fn rule(domain: &str) -> Value {
    json!({
        "domain": domain, "eraseAfterYears": 5, "validFrom": "2020-01-01",
        "decision": "Gallras fem år efter avslut.", "reference": "KS 2020/1",
    })
}

on_both! {
    using Http::start;

    fn a_plan_is_looked_at_and_carried_out(http: Http) {
        let (person, role) = former(&http, "Gamla Gerda");
        let (held, held_role) = former(&http, "Hållna Hanna");
        http.writer().post("/owners/norrberga/retention-rules", rule("person")).problem(403, "forbidden");
        for domain in ["person", "role"] {
            http.admin().post("/owners/norrberga/retention-rules", rule(domain)).expect(201);
        }
        let faulty = http.admin().post("/owners/norrberga/retention-rules", json!({"domain": "persons"}));
        faulty.problem(400, "invalid-body");
        assert!(faulty.json["errors"].as_array().expect("errors").len() >= 3, "{}", faulty.text);
        let hold = http.admin().post("/holds", json!({"record": held_role, "reason": "Tvist"}));
        hold.expect(201);
        let plan = http.admin().get("/owners/norrberga/retention-plan");
        plan.expect(200);
        let ids = |list: &str| -> Vec<&str> {
            plan.json[list].as_array().expect("list").iter().map(|due| due["id"].as_str().expect("id")).collect()
        };
        // Made in the same millisecond, their ids may stand in either order.
        let both: BTreeSet<&str> = ids("erased").into_iter().collect();
        assert_eq!(both, BTreeSet::from([person.as_str(), role.as_str()]));
        assert_eq!((ids("held"), ids("referenced")), (vec![held_role.as_str()], vec![held.as_str()]));
        http.admin().post("/owners/norrberga/disposals", json!({"plan": "another"})).problem(409, "plan-changed");
        let done = http.admin().post("/owners/norrberga/disposals", json!({"plan": plan.json["token"]}));
        done.expect(201);
        assert_eq!(done.json["counts"], json!({"person": 1, "role": 1}));
        for path in [format!("/persons/{person}"), format!("/persons/{person}?validAt=2005-01-01"), format!("/roles/{role}/history")] {
            http.admin().get(&path).problem(410, "erased");
        }
        http.admin().get(&format!("/persons/{held}?validAt=2005-01-01")).expect(200);
        let listed = http.admin().get("/owners/norrberga/disposals");
        assert_eq!(listed.json["items"][0]["id"], done.json["id"]);
        assert!(!listed.text.contains("Gerda"));
        http.admin().delete(&format!("/owners/norrberga/holds/{}", hold.json["id"].as_str().expect("id"))).expect(204);
        let holds = http.admin().get("/owners/norrberga/holds");
        assert!(holds.json["items"][0]["liftedAt"].is_string());
        let rules = http.admin().get("/owners/norrberga/retention-rules");
        let id = rules.json["items"][0]["id"].as_str().expect("id");
        http.admin().delete(&format!("/owners/norrberga/retention-rules/{id}")).expect(204);
        http.admin().delete(&format!("/owners/norrberga/retention-rules/{id}")).problem(404, "not-found");
    }

    fn what_is_preserved_is_erased_after_its_delivery(http: Http) {
        let (person, role) = former(&http, "Bevarade Bo");
        let kept = json!({"preserve": true, "archive": "Stadsarkivet", "validFrom": "2020-01-01", "decision": "Bevaras.", "reference": "KS 2020/2"});
        let rule = http.admin().post("/owners/norrberga/retention-rules", kept);
        let delivery = json!({"rule": rule.json["id"], "reference": "SA 2026/4", "delivered": "2026-11-21"});
        http.writer().post("/owners/norrberga/deliveries", delivery.clone()).problem(403, "forbidden");
        http.admin().post("/owners/norrberga/deliveries", json!({"rule": "x", "delivered": "soon"})).problem(400, "invalid-body");
        http.admin().post("/owners/norrberga/deliveries", json!({"reference": "SA 2026/4"})).problem(400, "invalid-body");
        http.admin().post("/owners/norrberga/deliveries", json!({"rule": person, "reference": "SA", "delivered": "2026-11-20"})).problem(404, "not-found");
        http.admin().post("/owners/norrberga/deliveries", json!({"rule": rule.json["id"], "reference": "SA", "delivered": "2026-11-22"})).problem(400, "invalid-parameter");
        let made = http.admin().post("/owners/norrberga/deliveries", delivery);
        made.expect(201);
        assert_eq!((&made.json["archive"], &made.json["createdBy"]), (&json!("Stadsarkivet"), &json!("admin")));
        assert_eq!(http.admin().get("/owners/norrberga/deliveries").json["items"], json!([made.json]));
        // It was written on the very day of the delivery: nobody can say that this is what was delivered.
        let plan = http.admin().get("/owners/norrberga/retention-plan");
        assert_eq!((plan.json["erased"].as_array().map(Vec::len), &plan.json["preserved"][0]["records"]), (Some(0), &json!(2)), "{}", plan.text);
        http.admin().get(&format!("/roles/{role}?validAt=2005-01-01")).expect(200);
    }

    fn records_are_erased_by_a_decision(http: Http) {
        let (person, role) = former(&http, "Felaktig Fia");
        let request = |ids: &[&String]| json!({"records": ids, "decision": "Aldrig avsedd", "reference": "KS 2026/31"});
        http.writer().post("/erasures", request(&[&person])).problem(403, "forbidden");
        let referenced = http.admin().post("/erasures", request(&[&person]));
        referenced.problem(409, "still-referenced");
        assert_eq!(referenced.json["referrers"], json!([role]));
        http.admin().post("/erasures", request(&[&"x".to_owned()])).problem(400, "invalid-body");
        http.admin().post("/holds", json!({"record": person, "reason": "Tvist"})).expect(201);
        http.admin().post("/erasures", request(&[&person, &role])).problem(409, "legal-hold");
        http.admin().get(&format!("/persons/{person}?validAt=2005-01-01")).expect(200);
    }

    fn a_restriction_hides_a_record_from_readers(http: Http) {
        let (person, _) = former(&http, "Rut");
        let path = format!("/persons/{person}?validAt=2005-01-01");
        http.reader().get(&path).expect(200);
        let mark = http.admin().post("/restrictions", json!({"record": person, "reason": "art. 18"}));
        mark.expect(201);
        http.reader().get(&path).problem(404, "not-found");
        http.admin().get(&path).expect(200);
        let id = mark.json["id"].as_str().expect("id");
        http.admin().delete(&format!("/owners/norrberga/restrictions/{id}")).expect(204);
        http.reader().get(&path).expect(200);
    }

    fn an_extract_is_given_to_stewards_and_logged(http: Http) {
        let (person, role) = former(&http, "Åsa Ek");
        http.reader().get(&format!("/persons/{person}?validAt=2005-01-01")).expect(200);
        http.reader().get(&format!("/persons/{person}/extract")).problem(403, "forbidden");
        let extract = http.admin().get(&format!("/persons/{person}/extract"));
        extract.expect(200);
        let records = extract.json["controllers"][0]["records"].as_array().expect("records");
        assert_eq!(records.iter().map(|record| record["id"].as_str().expect("id")).collect::<Vec<_>>(), [person.as_str(), role.as_str()]);
        assert_eq!(extract.json["readersComplete"], true);
        assert!(extract.json["readers"][0]["count"].as_u64().expect("count") >= 1);
        assert!(extract.json["readers"][0].get("actor").is_none());
        let named = http.admin().get(&format!("/persons/{person}/extract?byName=true"));
        assert!(named.json["readers"].as_array().expect("readers").iter().any(|reader| reader["actor"] == "reader"), "{}", named.text);
        let page = http.admin().get(&format!("/persons/{person}/extract.html"));
        page.expect(200);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("content-security-policy").contains("sha256-"));
        assert!(page.text.contains("Registerutdrag för Åsa Ek") && page.text.contains("lang=\"sv\""));
        http.admin().get(&format!("/persons/{person}/extract?byName=ja")).problem(400, "invalid-parameter");
        let log = http.admin().get(&format!("/access-log?record={role}&order=newest"));
        assert_eq!(log.json["items"][0]["operation"], "extractPersonPage");
        assert_eq!(log.json["items"][0]["kind"], "extract");
        let extracts = http.admin().get("/access-log?kind=extract");
        assert_eq!(extracts.json["items"].as_array().expect("items").len(), 3);
    }

    fn what_is_done_to_records_is_logged_with_their_ids(http: Http) {
        let (person, role) = former(&http, "Åsa Ek");
        let hold = http.admin().post("/holds", json!({"record": person, "reason": "Tvist"}));
        http.admin().delete(&format!("/owners/norrberga/holds/{}", hold.json["id"].as_str().expect("id"))).expect(204);
        let mark = http.admin().post("/restrictions", json!({"record": role, "reason": "art. 18"}));
        http.admin().delete(&format!("/owners/norrberga/restrictions/{}", mark.json["id"].as_str().expect("id"))).expect(204);
        // Refused, and logged all the same.
        http.writer().post("/holds", json!({"record": person, "reason": "Tvist"})).problem(403, "forbidden");
        http.admin().post("/erasures", json!({"records": [person], "decision": "Aldrig avsedd", "reference": "KS 2026/31"})).problem(409, "still-referenced");
        http.admin().post("/erasures", json!({"records": [person, role], "decision": "Aldrig avsedd", "reference": "KS 2026/31"})).expect(201);
        let log = http.admin().get("/access-log?order=oldest&limit=1000&owner=norrberga");
        let acts: Vec<(String, String, Value, Value)> = log.json["items"].as_array().expect("items").iter()
            .filter(|entry| matches!(entry["kind"].as_str(), Some("administration" | "erasure")))
            .map(|entry| (entry["kind"].as_str().expect("kind").to_owned(), entry["operation"].as_str().expect("operation").to_owned(), entry["records"].clone(), entry["outcome"].clone()))
            .collect();
        let mut both = [person.clone(), role.clone()];
        both.sort();
        let act = |kind: &str, operation: &str, records: Value, outcome: Value| (kind.to_owned(), operation.to_owned(), records, outcome);
        assert_eq!(acts, [
            act("administration", "putHold", json!([person]), json!("ok")),
            act("administration", "liftHold", json!([person]), json!("ok")),
            act("administration", "putRestriction", json!([role]), json!("ok")),
            act("administration", "liftRestriction", json!([role]), json!("ok")),
            act("erasure", "eraseRecords", json!([person]), json!({"refused": "still-referenced"})),
            act("erasure", "eraseRecords", json!(both), json!("ok")),
        ], "{}", log.text);
        let refused = http.admin().get("/access-log?actor=writer&operation=putHold");
        assert_eq!(refused.json["items"][0]["outcome"], json!({"refused": "forbidden"}), "{}", refused.text);
    }

    fn who_read_what_hangs_on_the_person_stands_in_the_extract(http: Http) {
        let (person, role) = former(&http, "Åsa Ek");
        let made = http.admin().post("/tokens", json!({"name": "a", "unit": "Lönekontoret", "grants": [{"owner": "norrberga", "role": "reader"}]}));
        made.expect(201);
        let reader = http.with_token(made.json["token"].as_str().expect("token"));
        reader.get(&format!("/roles/{role}?validAt=2005-01-01")).expect(200);
        let told = |path: &str| -> Vec<(String, u64)> {
            let extract = http.admin().get(path);
            extract.expect(200);
            extract.json["readers"].as_array().expect("readers").iter()
                .filter_map(|reader| Some((reader["unit"].as_str()?.to_owned(), reader["count"].as_u64()?)))
                .collect()
        };
        let path = format!("/persons/{person}/extract");
        assert_eq!(told(&path), [("Lönekontoret".to_owned(), 1)]);
        // The person's own record was not read, and the other controllers have none.
        assert_eq!(told(&format!("{path}?controller=own")), [("Lönekontoret".to_owned(), 1)]);
        assert_eq!(told(&format!("{path}?controller={person}")), []);
        http.admin().get(&format!("{path}?controller=nobody")).problem(400, "invalid-parameter");
        let page = http.admin().get(&format!("/persons/{person}/extract.html"));
        assert!(page.text.contains("Lönekontoret"));
        // Clashes of identifiers are found by how they ended.
        let numbered = || json!({"data": {"name": {"full": "Bo"}, "identifiers": [{"scheme": "se-personal-identity-number", "value": "199205042394"}]}, "validFrom": "2026-01-01"});
        http.writer().post("/persons", numbered()).expect(201);
        http.writer().post("/persons", numbered()).problem(409, "identifier-in-use");
        let clashes = http.admin().get("/access-log?outcome=identifier-in-use");
        assert_eq!(clashes.json["items"].as_array().expect("items").len(), 1, "{}", clashes.text);
        assert_eq!(http.admin().get("/access-log?outcome=refused&actor=writer").json["items"], clashes.json["items"]);
        // The one that told nothing of anybody is not among them.
        let done = http.admin().get("/access-log?outcome=ok&kind=extract");
        assert_eq!(done.json["items"].as_array().expect("items").len(), 3, "{}", done.text);
    }

    fn readers_stand_in_the_extract_by_their_units(http: Http) {
        let (person, _) = former(&http, "Åsa Ek");
        for (name, unit) in [("a", "Lönekontoret"), ("b", "Lönekontoret"), ("c", "Skolkontoret")] {
            let made = http.admin().post("/tokens", json!({"name": name, "unit": unit, "grants": [{"owner": "norrberga", "role": "reader"}]}));
            made.expect(201);
            http.with_token(made.json["token"].as_str().expect("token")).get(&format!("/persons/{person}?validAt=2005-01-01")).expect(200);
        }
        let extract = http.admin().get(&format!("/persons/{person}/extract"));
        let units: Vec<(Option<&str>, u64)> = extract.json["readers"].as_array().expect("readers").iter()
            .map(|reader| (reader["unit"].as_str(), reader["count"].as_u64().expect("count")))
            .filter(|(unit, _)| unit.is_some())
            .collect();
        assert_eq!(units, [(Some("Lönekontoret"), 2), (Some("Skolkontoret"), 1)], "{}", extract.text);
        http.admin().post("/tokens", json!({"name": "d", "unit": "", "grants": [{"owner": "norrberga", "role": "reader"}]})).problem(422, "invalid-text");
    }
}
