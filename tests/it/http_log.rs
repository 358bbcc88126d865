//! The access log, and tokens of other issuers.

use std::sync::Arc;

use grunddata_identity::IdentityConfig;
use grunddata_identity::provider::Provider;
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::{Http, noon};

fn entries(http: &Http, query: &str) -> Vec<Value> {
    let page = http
        .admin()
        .get(&format!("/access-log?order=oldest&limit=1000{query}"));
    page.expect(200);
    assert_eq!(page.json["_meta"]["complete"], true);
    page.json["items"].as_array().expect("items").clone()
}

fn person(http: &Http, name: &str) -> String {
    let made = http.writer().post(
        "/persons",
        json!({"data": {"name": {"full": name}}, "validFrom": "2026-01-01"}),
    );
    made.expect(201);
    made.json["id"].as_str().expect("id").to_owned()
}

on_both! {
    using Http::start;

    fn every_reading_of_personal_data_is_logged_before_it_is_answered(http: Http) {
        let (ronja, birk) = (person(&http, "Ronja"), person(&http, "Birk"));
        let (_, unit) = http.organisation("Enheten", "2026-01-01");
        http.reader().with("x-purpose", "skolplacering").get(&format!("/persons/{ronja}")).expect(200);
        http.reader().get("/persons?limit=10").expect(200);
        http.reader().get(&format!("/persons/{birk}/history")).expect(200);
        http.reader().get(&unit).expect(200);
        http.reader().get("/persons/01990c3e-0000-7000-8000-0000000000ff").problem(404, "not-found");
        let reads = entries(&http, "&actor=reader");
        let kinds: Vec<&str> = reads.iter().map(|entry| entry["kind"].as_str().expect("kind")).collect();
        // What is no personal data, and what was not shown, is not there.
        assert_eq!(kinds, ["read", "search", "history"], "{reads:?}");
        assert_eq!(reads[0]["records"], json!([ronja]));
        assert_eq!((reads[0]["purpose"].as_str(), reads[0]["classes"][0].as_str()), (Some("skolplacering"), Some("personal")));
        assert_eq!(reads[1]["count"], 2);
        assert!(reads[1]["query"].as_str().expect("query").starts_with("person"));
        // By record: what its readers did, and that it was written.
        let of_ronja = entries(&http, &format!("&record={ronja}"));
        let kinds: Vec<&str> = of_ronja.iter().map(|entry| entry["kind"].as_str().expect("kind")).collect();
        assert_eq!(kinds, ["write", "read", "search"]);
        // Reading the log is logged, and so is what administrators do, refused or not.
        http.admin().put("/owners/oppen", json!({"name": "Öppen"})).expect(200);
        http.as_("owner-admin").put("/owners/ny", json!({"name": "Ny"})).problem(403, "forbidden");
        let acts = entries(&http, "&kind=administration");
        let begun: Vec<bool> = acts.iter().map(|act| act["detail"]["begun"] == true).collect();
        assert_eq!(begun, [true, false, true, false], "{acts:?}");
        assert_eq!(acts[1]["detail"]["address"], "/api/v1/owners/oppen");
        assert_eq!(acts[3]["outcome"]["refused"], "forbidden");
        assert!(entries(&http, "&kind=log-read").len() >= 3);
    }

    fn a_search_that_finds_nobody_is_logged_without_what_is_personal(http: Http) {
        let ronja = person(&http, "Ronja Ask");
        http.organisation("Enheten", "2026-01-01");
        http.reader().get("/persons?name.family=Okändsson&q=Hemligdotter").expect(200);
        http.reader().post("/persons/search", json!({"q": "Ronja"})).expect(200);
        http.reader().post("/records/lookup", json!({"identifiers": [{"scheme": "se-personal-identity-number", "value": "189001019802"}]})).expect(200);
        // Nothing personal was looked for here, and who may see nothing of it is told nothing.
        http.reader().get("/organisations?q=Ingenting").expect(200);
        http.nobody().get("/persons?q=Hemligdotter").expect(200);
        let found = entries(&http, "&kind=search");
        let told: Vec<(&str, &Value, &Value, &Value)> = found.iter().map(|entry| (entry["query"].as_str().expect("query"), &entry["count"], &entry["records"], &entry["owners"])).collect();
        let (none, zero, owners) = (Value::Null, json!(0), json!(["norrberga"]));
        let (empty, one) = (json!([]), json!([ronja]));
        assert_eq!(told, [
            ("person: name.family=… & q=…", &zero, &empty, &owners),
            ("person: q=…", &none, &one, &owners),
            ("identifier=se-personal-identity-number:… (1)", &zero, &empty, &owners),
        ], "{found:?}");
        for word in ["Okändsson", "Hemligdotter", "189001019802"] {
            assert!(!json!(found).to_string().contains(word), "{word}");
        }
    }

    fn auditors_see_the_log_of_their_owners(http: Http) {
        let id = person(&http, "Ronja");
        http.reader().get(&format!("/persons/{id}")).expect(200);
        let made = http.admin().post("/tokens", json!({"name": "granskare", "grants": [{"owner": "norrberga", "role": "auditor"}]}));
        made.expect(201);
        let token = format!("Bearer {}", made.json["token"].as_str().expect("token"));
        let auditor = || http.nobody().with("authorization", &token);
        auditor().get("/access-log").problem(403, "forbidden");
        auditor().get("/access-log?owner=oppen").problem(403, "forbidden");
        let page = auditor().get("/access-log?owner=norrberga&actor=reader");
        page.expect(200);
        assert_eq!(page.json["items"][0]["records"], json!([id]));
        assert_eq!(page.json["items"][0]["detail"], Value::Null);
        auditor().get(&format!("/persons/{id}")).problem(404, "not-found");
        http.reader().get("/access-log").problem(403, "forbidden");
        auditor().get("/access-log?owner=norrberga&after=x").problem(400, "invalid-cursor");
        auditor().get("/access-log?owner=norrberga&from=yesterday").problem(400, "invalid-date");
        let first = auditor().get("/access-log?owner=norrberga&limit=1");
        let next = first.json["_links"].as_array().expect("links").iter().find(|link| link["rel"] == "next").expect("next")["href"].as_str().expect("href").to_owned();
        let second = auditor().get(next.split("/api/v1").nth(1).expect("path"));
        second.expect(200);
        assert_ne!(first.json["items"][0]["sequence"], second.json["items"][0]["sequence"]);
    }

    fn without_the_log_nothing_personal_is_shown(http: Http) {
        let id = person(&http, "Ronja");
        let (_, unit) = http.organisation("Enheten", "2026-01-01");
        http.stop_logging();
        let refused = http.reader().get(&format!("/persons/{id}"));
        refused.problem(503, "access-log-unavailable");
        assert!(!refused.text.contains("Ronja"));
        http.reader().get(&unit).expect(200);
    }
}

/// A server that believes the tokens of one issuer.
fn with_issuer(engine: grunddata_testing::Engine) -> (Http, Provider) {
    let provider = Provider::start(Arc::new(noon)).expect("provider");
    let settings = provider.settings("kommun", "grunddata");
    let http = Http::start_with(engine, |config| {
        let mut settings = settings;
        settings.claims.unit = "department".to_owned();
        config.identity = IdentityConfig {
            issuers: vec![settings],
            allow_http_loopback: true,
            ..IdentityConfig::default()
        };
    });
    (http, provider)
}

on_both! {
    using with_issuer;

    fn a_token_of_an_issuer_has_the_grants_of_its_bearer_and_groups(both: (Http, Provider)) {
        let (http, provider) = both;
        let id = person(&http, "Ronja");
        let mut claims = provider.claims("anna", "grunddata");
        claims["groups"] = json!(["skolassistenter"]);
        claims["department"] = json!("Skolkontoret");
        let token = format!("Bearer {}", provider.token(&claims));
        let anna = || http.nobody().with("authorization", &token);
        // Known, and without any right yet.
        anna().get(&format!("/persons/{id}")).problem(404, "not-found");
        let group = format!("{}#skolassistenter", provider.issuer());
        let given = http.admin().post("/grants", json!({
            "subject": {"kind": "group", "name": group},
            "grant": {"owner": "norrberga", "role": "reader"}, "reason": "Beslut 2026-11"
        }));
        given.expect(201);
        anna().get(&format!("/persons/{id}")).expect(200);
        anna().delete(&format!("/persons/{id}")).problem(403, "forbidden");
        // The same group at another issuer is another; nobody gives more than they hold.
        http.admin().post("/grants", json!({"subject": {"kind": "group", "name": "skolassistenter"}, "grant": {"owner": "norrberga", "role": "reader"}})).problem(400, "invalid-parameter");
        http.as_("owner-admin").post("/grants", json!({"subject": {"kind": "group", "name": group}, "grant": {"owner": "*", "role": "reader"}})).problem(403, "forbidden");
        let logged = entries(&http, &format!("&record={id}&kind=read"));
        assert_eq!(logged[0]["client"], format!("{}#anna", provider.issuer()));
        assert_eq!(logged[0]["unit"], "Skolkontoret");
        let listed = http.admin().get("/grants");
        assert_eq!(listed.json["items"].as_array().expect("items").len(), 1);
        http.admin().delete(&format!("/grants/{}", given.json["id"].as_str().expect("id"))).expect(204);
        anna().get(&format!("/persons/{id}")).problem(404, "not-found");
        http.admin().delete(&format!("/grants/{}", given.json["id"].as_str().expect("id"))).problem(404, "not-found");
    }

    fn what_is_wrong_with_a_token_is_said(both: (Http, Provider)) {
        let (http, provider) = both;
        let ask = |claims: &Value| {
            let token = format!("Bearer {}", provider.token(claims));
            http.nobody().with("authorization", &token).get("/persons")
        };
        let mut other = provider.claims("anna", "another");
        let refused = ask(&other);
        refused.problem(401, "unauthenticated");
        assert_eq!(refused.json["reason"], "wrong-audience");
        other = provider.claims("anna", "grunddata");
        other["exp"] = json!(1);
        assert_eq!(ask(&other).json["reason"], "expired");
        let token = provider.token(&provider.claims("anna", "grunddata"));
        let forged = format!("Bearer {}x", token);
        let refused = http.nobody().with("authorization", &forged).get("/persons");
        refused.problem(401, "unauthenticated");
        assert!(refused.header("www-authenticate").contains("invalid_token"));
    }
}
