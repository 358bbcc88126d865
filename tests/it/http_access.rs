//! Authorisation: every operation of the table is tried without a token and with one that is too small.

use std::time::Duration;

use grunddata_server::access::Access;
use grunddata_server::config::{FailureLimit, RateLimit};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::{Answer, Caller, Http};

/// The addresses of an operation, one per domain where it has a collection.
fn addresses(http: &Http, path: &str, root: bool) -> Vec<String> {
    let id = "01990c3e-0000-7000-8000-00000000dead";
    let path = path
        .replace("{id}", id)
        .replace("{transaction}", id)
        .replace("{version}", "1")
        .replace("{position}", "1")
        .replace("{peer}", "grannen")
        .replace("{transfer}", id)
        .replace("{handoff}", id)
        .replace("{name}", "grunddata")
        .replace("{list}", "organisation-kind")
        .replace("{owner}", "norrberga")
        .replace("{token}", "0000000000000000")
        .replace("{grant}", id)
        .replace("{rule}", id)
        .replace("{mark}", id)
        .replace("{subscription}", id)
        .replace("{number}", "1")
        .replace("{source}", "hr")
        .replace("{load}", id)
        .replace("{upload}", id)
        .replace("{code}", "not-found")
        .replace("{domain}", "organisation");
    assert!(
        !path.replace("{collection}", "").contains('{'),
        "{path}: a parameter without a value"
    );
    let base = if root {
        http.origin()
    } else {
        format!("{}/api/v1", http.origin())
    };
    if path.contains("{collection}") {
        [
            "persons",
            "roles",
            "organisations",
            "geographies",
            "services",
        ]
        .iter()
        .map(|collection| format!("{base}{}", path.replace("{collection}", collection)))
        .collect()
    } else {
        vec![format!("{base}{path}")]
    }
}

fn ask(caller: Caller<'_>, method: &str, address: &str) -> Answer {
    caller
        .with("content-type", "application/json")
        .request(method, address, Some(b"{}".to_vec()))
}

on_both! {
    using closed;

    fn every_operation_is_authorised(http: Http) {
        let mut tried = 0;
        for operation in grunddata_server::operations() {
            for address in addresses(&http, operation.path, operation.root) {
                let method = operation.method.as_str();
                let nobody = ask(http.nobody(), method, &address);
                match operation.access() {
                    Access::Public => assert!(!matches!(nobody.status, 401 | 403), "{method} {address}: {}", nobody.text),
                    Access::Read | Access::Write | Access::Load | Access::Admin | Access::Audit => {
                        nobody.problem(401, "unauthenticated");
                        assert!(nobody.header("www-authenticate").starts_with("Bearer"), "{method} {address}");
                    }
                }
                if operation.access() != Access::Public {
                    let wrong = ask(http.nobody().with("authorization", "Bearer gd_wrong"), method, &address);
                    wrong.problem(401, "unauthenticated");
                    assert!(wrong.header("www-authenticate").contains("invalid_token"));
                    ask(http.nobody().with("authorization", "Basic dTpw"), method, &address).problem(401, "unauthenticated");
                }
                if matches!(operation.access(), Access::Write | Access::Load | Access::Admin | Access::Audit) {
                    ask(http.reader(), method, &address).problem(403, "forbidden");
                }
                if matches!(operation.access(), Access::Load | Access::Admin | Access::Audit) {
                    ask(http.writer(), method, &address).problem(403, "forbidden");
                }
                let enough = ask(http.as_("owner-admin"), method, &address);
                assert!(!matches!(enough.status, 401 | 500..), "{method} {address}: {}", enough.text);
                tried += 1;
            }
        }
        assert!(tried > 100, "{tried} operations");
    }
}

/// No owner has open data.
fn closed(engine: grunddata_testing::Engine) -> Http {
    // The test fails to authenticate at every operation.
    let http = Http::start_with(engine, |config| config.limits.failures = None);
    http.admin()
        .put("/owners/oppen", json!({"name": "Öppen", "openData": false}))
        .expect(200);
    http
}

on_both! {
    using Http::start;

    fn open_data_is_read_without_a_token(http: Http) {
        let open = http.as_("open-writer").post("/organisations", json!({"data": {"name": {"sv": "Öppen enhet"}, "kind": "unit"}, "validFrom": "2026-01-01"}));
        open.expect(201);
        let (_, closed) = http.organisation("Stängd enhet", "2026-01-01");
        let path = format!("/organisations/{}", open.json["id"].as_str().expect("id"));
        let read = http.nobody().get(&path);
        read.expect(200);
        assert!(read.json["_links"].as_array().expect("links").iter().all(|link| link["method"] == "GET"));
        http.nobody().get(&closed).problem(404, "not-found");
        // A hidden record and one that does not exist are answered alike.
        let missing = http.nobody().get("/organisations/01990c3e-0000-7000-8000-00000000dead");
        let hidden = http.nobody().get(&closed);
        let shape = |answer: &Answer| {
            let id = answer.json["detail"].as_str().expect("detail").split(' ').map(|word| if word.len() == 36 { "ID" } else { word }).collect::<Vec<_>>().join(" ");
            (answer.status, answer.json["code"].clone(), id)
        };
        assert_eq!(shape(&missing), shape(&hidden));
        let list = http.nobody().get("/organisations?count=exact");
        assert_eq!(list.json["_meta"]["totalRecords"], 1);
        // Personal data is never open.
        let person = http.as_("open-writer").post("/persons", json!({"data": {"name": {"full": "Ronja Ask"}}, "validFrom": "2026-01-01"}));
        person.expect(201);
        http.nobody().get(&format!("/persons/{}", person.json["id"].as_str().expect("id"))).problem(404, "not-found");
        http.nobody().post("/organisations", json!({"data": {}})).problem(401, "unauthenticated");
    }

    fn metrics_name_an_owner_to_its_administrators_alone(http: Http) {
        http.organisation("Enheten", "2026-01-01");
        for caller in [http.nobody(), http.reader(), http.writer()] {
            let metrics = caller.at_root("/metrics");
            metrics.expect(200);
            assert!(!metrics.text.contains("norrberga") && metrics.text.contains("\ngrunddata_log_positions 1\n"), "{}", metrics.text);
        }
        let metrics = http.as_("owner-admin").at_root("/metrics");
        assert!(metrics.text.contains("grunddata_log_position{owner=\"norrberga\"} 1"), "{}", metrics.text);
    }

    fn the_landing_page_leads_nobody_in_particular_to_five_records(http: Http) {
        let unit = |number: u32| json!({"op": "create", "collection": "organisations", "validFrom": "2026-01-01",
            "data": {"name": {"sv": format!("Öppen enhet {number}")}, "kind": if number == 0 { "municipality" } else { "unit" }}});
        let operations: Vec<Value> = (0..6).map(unit).collect();
        http.as_("open-writer").post("/transactions", json!({"operations": operations})).expect(200);
        let page = http.nobody().at_root("/");
        page.expect(200);
        assert_eq!(page.text.matches("Öppen enhet").count(), 5, "{}", page.text);
        assert!(page.text.contains("Öppen enhet 0"), "the well-known kind comes first");
        // Closed again, they are gone at once.
        http.admin().put("/owners/oppen", json!({"name": "Öppen", "openData": false})).expect(200);
        assert!(!http.nobody().at_root("/").text.contains("Öppen enhet"));
    }

    fn a_token_reaches_its_own_owner_alone(http: Http) {
        let (_, path) = http.organisation("Enheten", "2026-01-01");
        let positions = http.positions();
        let body = || json!({"data": {"name": {"sv": "Kapad"}, "kind": "unit"}});
        let foreign = http.as_("open-writer").with("if-match", "*").put(&path, body());
        foreign.problem(412, "precondition-failed");
        let mut foreign = body();
        foreign["owner"] = "norrberga".into();
        http.as_("open-writer").post("/organisations", foreign).problem(403, "forbidden");
        http.admin().post("/organisations", body()).problem(400, "owner-required");
        assert_eq!(http.positions(), positions);
    }

    fn tokens_are_issued_listed_and_revoked(http: Http) {
        let issued = http.as_("owner-admin").post("/tokens", json!({"name": "hr-laddning", "grants": [{"owner": "norrberga", "role": "editor"}]}));
        issued.expect(201);
        assert_eq!(issued.header("cache-control"), "no-store");
        let (secret, id) = (issued.json["token"].as_str().expect("token"), issued.json["id"].as_str().expect("id"));
        let bearer = format!("Bearer {secret}");
        let use_it = || http.nobody().with("authorization", &bearer).get("/organisations");
        use_it().expect(200);
        let one = http.as_("owner-admin").request("GET", issued.header("location"), None);
        one.expect(200);
        assert!(one.json["name"] == "hr-laddning" && !one.text.contains(secret));
        let list = http.as_("owner-admin").get("/tokens");
        list.expect(200);
        assert!(list.text.contains("hr-laddning") && !list.text.contains(secret), "the list shows no secret");
        http.as_("owner-admin").send("DELETE", &format!("/tokens/{id}"), None).expect(204);
        use_it().problem(401, "unauthenticated");
        http.as_("owner-admin").send("DELETE", "/tokens/0000000000000000", None).problem(404, "not-found");
        // Nobody gives more than they have.
        for grants in [json!([{"owner": "*", "role": "reader"}]), json!([{"owner": "oppen", "role": "reader"}])] {
            http.as_("owner-admin").post("/tokens", json!({"name": "mer", "grants": grants})).problem(403, "forbidden");
        }
        let faults = http.admin().post("/tokens", json!({"name": "", "grants": [{"owner": "*", "role": "own"}], "expiresAt": "soon"}));
        faults.problem(400, "invalid-body");
        let pointers: Vec<_> = faults.json["errors"].as_array().expect("errors").iter().map(|error| error["pointer"].as_str().expect("pointer").to_owned()).collect();
        assert_eq!(pointers, ["/name", "/expiresAt", "/grants/0/role"]);
    }

    fn a_token_is_given_a_new_secret(http: Http) {
        let made = http.as_("owner-admin").post("/tokens", json!({"name": "hr-laddning", "unit": "Lönekontoret", "grants": [{"owner": "norrberga", "role": "editor"}]}));
        made.expect(201);
        let id = made.json["id"].as_str().expect("id");
        let path = format!("/tokens/{id}/rotations");
        let rotated = http.as_("owner-admin").post(&path, json!({"overlapDays": 3}));
        rotated.expect(201);
        assert_eq!(rotated.header("cache-control"), "no-store");
        assert_eq!((&rotated.json["replaces"], &rotated.json["name"], &rotated.json["unit"]), (&json!(id), &json!("hr-laddning"), &json!("Lönekontoret")));
        for answer in [&made, &rotated] {
            http.with_token(answer.json["token"].as_str().expect("token")).get("/organisations").expect(200);
        }
        let old = http.as_("owner-admin").get(&format!("/tokens/{id}"));
        assert_eq!(old.json["expiresAt"].as_str().map(|at| &at[..10]), Some("2026-11-24"));
        // Once more, and at once: the one in between is refused from now on.
        let (second, secret) = (rotated.json["id"].as_str().expect("id"), rotated.json["token"].as_str().expect("token"));
        http.as_("owner-admin").post(&format!("/tokens/{second}/rotations"), json!({"overlapDays": 0})).expect(201);
        http.with_token(secret).get("/organisations").problem(401, "unauthenticated");
        http.as_("owner-admin").post(&path, json!({"overlapDays": 91})).problem(400, "invalid-parameter");
        http.as_("owner-admin").post(&path, json!({"overlapDays": -1})).problem(400, "invalid-body");
        http.as_("owner-admin").post(&path, json!({"overlap": 1})).problem(400, "invalid-body");
        http.as_("owner-admin").post(&path, json!({})).problem(400, "invalid-parameter");
        http.as_("owner-admin").post("/tokens/0000000000000000/rotations", json!({})).problem(404, "not-found");
        // Logged as administration, by the address that names the token.
        let log = http.admin().get("/access-log?kind=administration&operation=rotateToken&limit=100");
        log.expect(200);
        assert!(log.json["items"].as_array().expect("items").iter().any(|entry| entry["detail"]["address"] == format!("/api/v1{path}") && entry["outcome"] == "ok"), "{}", log.text);
    }

    fn who_administers_for_a_while_hands_on_for_a_while(http: Http) {
        let (a_day, ends_later) = ("2999-01-01".to_owned(), "2999-06-01".to_owned());
        let admin = |valid_to: Option<&str>, purpose: Option<&str>| {
            let mut grant = json!({"owner": "norrberga", "role": "administrator"});
            for (name, value) in [("validTo", valid_to), ("purpose", purpose)] {
                if let Some(value) = value {
                    grant[name] = value.into();
                }
            }
            grant
        };
        let made = http.as_("owner-admin").post("/tokens", json!({"name": "vikarie", "grants": [admin(Some(&a_day), None)]}));
        made.expect(201);
        let bearer = format!("Bearer {}", made.json["token"].as_str().expect("token"));
        let post = |path: &str, body: Value| http.nobody().with("authorization", &bearer).post(path, body);
        let token = |grant: Value| post("/tokens", json!({"name": "mer", "grants": [grant]}));
        let grant = |grant: Value| post("/grants", json!({"subject": {"kind": "user", "name": "https://login.example.se#anna"}, "grant": grant}));
        for wider in [admin(None, None), admin(Some(&ends_later), None), admin(None, Some("tillsyn"))] {
            token(wider.clone()).problem(403, "forbidden");
            grant(wider).problem(403, "forbidden");
        }
        token(admin(Some(&a_day), Some("tillsyn"))).expect(201);
        grant(admin(Some(&a_day), None)).expect(201);
    }

    fn owners_are_kept_by_administrators(http: Http) {
        http.as_("owner-admin").put("/owners/ny", json!({"name": "Ny kommun"})).problem(403, "forbidden");
        let created = http.admin().put("/owners/ny", json!({"name": "Ny kommun"}));
        created.expect(201);
        assert!(created.header("location").ends_with("/api/v1/owners/ny"));
        http.admin().put("/owners/ny", json!({"name": "Ny kommun", "openData": true})).expect(200);
        let one = http.reader().get("/owners/ny");
        one.expect(200);
        assert_eq!(one.json["_links"][0]["href"], created.header("location"));
        // One that is hidden is answered like one that does not exist.
        http.as_("open-writer").get("/owners/norrberga").problem(404, "unknown-owner");
        http.as_("open-writer").get("/owners/nowhere").problem(404, "unknown-owner");
        let owners: Vec<Value> = http.admin().get("/owners").json["items"].as_array().expect("items").clone();
        assert_eq!(owners.len(), 3);
        // How far the log is would tell a reader of a part what it does not see.
        for (who, told) in [("reader", false), ("owner-admin", true)] {
            let seen = http.as_(who).get("/owners");
            seen.expect(200);
            let items = seen.json["items"].as_array().expect("items").clone();
            let own = items.iter().find(|owner| owner["key"] == "norrberga").expect("own");
            assert_eq!(own["position"].is_u64(), told);
        }
    }
}

fn hurried(engine: grunddata_testing::Engine) -> Http {
    Http::start_with(engine, |config| {
        // So slow that the bucket does not fill during the test.
        config.limits.rate = Some(RateLimit {
            per_second: 1,
            burst: 3,
        });
    })
}

on_both! {
    using hurried;

    fn who_asks_too_often_is_told_to_wait(http: Http) {
        let first = http.reader().get("/owners");
        first.expect(200);
        assert_eq!(first.header("ratelimit-policy"), "\"client\";q=1;w=1");
        assert!(first.header("ratelimit").starts_with("\"client\";r=2"), "{}", first.header("ratelimit"));
        let mut answers: Vec<Answer> = (0..20).map(|_| http.reader().get("/owners")).collect();
        let refused = answers.iter().position(|answer| answer.status == 429).expect("a refusal among twenty at once");
        let refused = answers.swap_remove(refused);
        refused.problem(429, "too-many-requests");
        assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1));
        // Another client is not held up.
        http.writer().get("/owners").expect(200);
    }

    fn who_guesses_tokens_is_told_to_wait(http: Http) {
        let answers: Vec<Answer> = (0..20).map(|number| http.nobody().with("authorization", &format!("Bearer gd_guess{number}")).get("/owners")).collect();
        assert_eq!(answers[0].status, 401);
        let refused = answers.iter().find(|answer| answer.status == 429).expect("a new guess has no new bucket");
        refused.problem(429, "too-many-requests");
    }
}

fn wary(engine: grunddata_testing::Engine) -> Http {
    Http::start_with(engine, |config| {
        config.trust_forwarded = true;
        config.limits.failures = Some(FailureLimit {
            failures: 3,
            within: Duration::from_secs(600),
        });
    })
}

on_both! {
    using wary;

    fn who_guesses_tokens_is_locked_out(http: Http) {
        let from = |address: &str| http.nobody().with("forwarded", &format!("for={address}"));
        let guess = |text: &str| from("192.0.2.1").with("authorization", &format!("Bearer {text}")).get("/organisations");
        // In use before the guessing begins.
        http.reader().with("forwarded", "for=192.0.2.1").get("/organisations").expect(200);
        for number in 0..3 {
            guess(&format!("gd_guess{number}")).problem(401, "unauthenticated");
        }
        let refused = guess("gd_guess3");
        refused.problem(429, "locked-out");
        assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| (590..=600).contains(&seconds)), "{}", refused.header("retry-after"));
        // Nobody is asked about the token: one that holds is refused like the others.
        http.writer().with("forwarded", "for=192.0.2.1").get("/organisations").problem(429, "locked-out");
        http.writer().with("forwarded", "for=192.0.2.1").at_root("/").problem(429, "locked-out");
        // Without a token, with one that was in use, and from elsewhere it goes on.
        from("192.0.2.1").get("/organisations").expect(200);
        http.admin().put("/owners/oppen", json!({"name": "Öppen", "openData": true})).expect(200);
        http.reader().with("forwarded", "for=192.0.2.1").get("/organisations").expect(200);
        http.writer().with("forwarded", "for=192.0.2.2").get("/organisations").expect(200);
        let metrics = http.nobody().at_root("/metrics").text;
        assert!(metrics.contains("\ngrunddata_lockouts_total 1\n"), "{metrics}");
    }
}

/// How long refusals wait here: longer than any of them takes.
const STEP: Duration = Duration::from_millis(400);

fn unhurried(engine: grunddata_testing::Engine) -> Http {
    Http::start_with(engine, |config| config.limits.refusal_step = STEP)
}

on_both! {
    using unhurried;

    fn how_long_a_refusal_takes_tells_nothing(http: Http) {
        let protected = json!({"owner": "norrberga", "data": {"name": {"family": "Ek"}, "protection": {"level": "protected-registration"}}, "validFrom": "2026-01-01"});
        let made = http.admin().post("/persons", protected);
        made.expect(201);
        let hidden = made.json["id"].as_str().expect("id").to_owned();
        for id in [hidden.as_str(), "01990c3e-7a5b-7000-8000-000000000001"] {
            for address in [format!("/persons/{id}"), format!("/persons/{id}/timeline"), format!("/persons/{id}/links")] {
                let begun = std::time::Instant::now();
                http.as_("open-writer").get(&address).problem(404, "not-found");
                assert!(begun.elapsed() >= STEP, "{address}: {:?}", begun.elapsed());
            }
        }
    }
}
