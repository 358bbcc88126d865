//! Who may do what: every operation of the OpenAPI document of a running server, asked by every kind of caller, against
//! the table in `docs/access-matrix.md`. An operation that this test does not know how to ask is one without a decision,
//! and fails it.

mod loads;
mod subscriptions;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use grunddata_information_model::PrivacyClass;
use grunddata_model::{OwnerKey, RecordId};
use grunddata_registry::{ControllerScope, Grant, OwnerScope, Role};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::{Answer, Http};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const COLLECTIONS: [&str; 5] = [
    "organisations",
    "geographies",
    "services",
    "roles",
    "persons",
];

/// What every question needs: one record of each domain, of one controller.
struct Place {
    controller: String,
    elsewhere: RecordId,
    records: BTreeMap<&'static str, String>,
    authority: String,
}

fn made(http: &Http, collection: &str, body: Value) -> String {
    let answer = http
        .as_("owner-admin")
        .post(&format!("/{collection}"), body);
    answer.expect(201);
    answer.json["id"].as_str().expect("id").to_owned()
}

fn data(collection: &str, place: &Place) -> Value {
    match collection {
        "persons" => json!({"name": {"full": "Ronja Exempel"}}),
        "roles" => {
            json!({"kind": "employment", "title": {"sv": "Lärare"}, "organisation": {"id": place.authority}})
        }
        "organisations" => json!({"name": {"sv": "Enheten"}, "kind": "unit"}),
        "geographies" => json!({"name": {"sv": "Området"}, "kind": "catchment-area"}),
        _ => {
            json!({"name": {"sv": "Tjänsten"}, "kind": "internal-service", "status": "active", "competentAuthority": {"id": place.authority}})
        }
    }
}

fn create(collection: &str, place: &Place) -> Value {
    json!({"owner": "norrberga", "controller": place.controller, "data": data(collection, place), "validFrom": "2026-01-01"})
}

fn grant(name: &str) -> Value {
    json!({"subject": {"kind": "client", "name": name}, "grant": {"owner": "norrberga", "role": "open-data-reader"}, "reason": "prov"})
}

fn place(http: &Http) -> Place {
    let committee = |name: &str| {
        made(
            http,
            "organisations",
            json!({"data": {"name": {"sv": name}, "kind": "committee"}, "validFrom": "2026-01-01"}),
        )
    };
    let (controller, elsewhere) = (committee("Skolnämnden"), committee("Socialnämnden"));
    let mut place = Place {
        authority: controller.clone(),
        controller,
        elsewhere: elsewhere.parse().expect("an id"),
        records: BTreeMap::new(),
    };
    for collection in COLLECTIONS {
        let id = made(http, collection, create(collection, &place));
        place.records.insert(collection, id);
    }
    place
}

/// The callers, in the order of the columns.
fn callers(http: &Http, place: &Place) -> Vec<(&'static str, Option<String>)> {
    let norrberga = || OwnerScope::Owner(OwnerKey::new("norrberga").expect("key"));
    let oppen = || OwnerScope::Owner(OwnerKey::new("oppen").expect("key"));
    let role = |role| Grant::of(norrberga(), role);
    let ceiling = |class| Grant {
        ceiling: class,
        ..role(Role::Reader)
    };
    let mut callers = vec![("anonymous", None)];
    let with = [
        ("wrong owner", Grant::of(oppen(), Role::Editor)),
        (
            "wrong controller",
            Grant {
                controller: ControllerScope::Organisation(place.elsewhere),
                ..role(Role::Editor)
            },
        ),
        ("open-data-reader", role(Role::OpenDataReader)),
        ("reader", role(Role::Reader)),
        ("editor", role(Role::Editor)),
        ("steward", role(Role::Steward)),
        ("administrator", role(Role::Administrator)),
        ("auditor", role(Role::Auditor)),
        ("publisher", role(Role::Publisher)),
        ("reads public", ceiling(PrivacyClass::Public)),
        ("reads internal", ceiling(PrivacyClass::Internal)),
        ("reads personal", ceiling(PrivacyClass::Personal)),
        ("reads protected", ceiling(PrivacyClass::Protected)),
    ];
    callers.extend(with.map(|(name, grant)| (name, Some(http.token_of(name, vec![grant])))));
    callers
}

/// How an operation is asked: address below the origin, body, headers. Whatever it writes to was made for it alone.
struct Question {
    address: String,
    body: Option<Value>,
    headers: Vec<(&'static str, &'static str)>,
}

/// A question that would be answered well if the caller may ask it. `None` = nobody has decided.
fn question(http: &Http, place: &Place, method: &str, path: &str) -> Option<Question> {
    let (root, below) = match path.strip_prefix("/api/v1") {
        Some(below) => ("/api/v1", below),
        None => ("", path),
    };
    let collection = COLLECTIONS
        .into_iter()
        .find(|collection| below.split('/').nth(1) == Some(collection));
    let plain = |text: &str, body: Option<Value>| {
        Some(Question {
            address: format!("{root}{text}"),
            body,
            headers: Vec::new(),
        })
    };
    let Some(collection) = collection else {
        let version = "1.0.0";
        return match (method, below) {
            ("get", "/records") => plain("/records?identifier=se-municipality-code:2480", None),
            ("get", "/pending-references") => plain("/pending-references?owner=norrberga", None),
            ("get", "/changes") => plain("/changes?owner=norrberga&limit=1", None),
            ("get", "/changes/head") => plain("/changes/head?owner=norrberga", None),
            ("get", "/changes/consistency") => {
                plain("/changes/consistency?owner=norrberga&from=1", None)
            }
            ("get", "/changes/{position}/proof") => plain("/changes/1/proof?owner=norrberga", None),
            ("get", "/changes/stream") => plain("/changes/stream?owner=norrberga&wait=0", None),
            ("get", "/exports") => plain("/exports?collection=organisations", None),
            ("get", "/exports/lossless") => plain("/exports/lossless?owner=norrberga", None),
            ("post", "/records/lookup") => plain(
                below,
                Some(json!({"identifiers": [{"scheme": "se-municipality-code", "value": "2480"}]})),
            ),
            ("post", "/transactions") => plain(
                below,
                Some(
                    json!({"owner": "norrberga", "operations": [{"op": "create", "collection": "organisations", "controller": place.controller, "data": data("organisations", place), "validFrom": "2026-01-01"}]}),
                ),
            ),
            ("post", "/transactions/{transaction}/reversal") => {
                let operation = json!({"op": "create", "collection": "organisations", "controller": place.controller, "data": data("organisations", place), "validFrom": "2026-01-01"});
                let done = http
                    .as_("owner-admin")
                    .post("/transactions", json!({"operations": [operation]}));
                done.expect(200);
                let id = done.json["_meta"]["transaction"]
                    .as_str()
                    .or(done.json["transaction"].as_str())
                    .unwrap_or_else(|| panic!("{}", done.text))
                    .to_owned();
                plain(
                    &format!("/transactions/{id}/reversal"),
                    Some(json!({"owner": "norrberga"})),
                )
            }
            ("post", "/validations") => plain(
                below,
                Some(
                    json!({"items": [{"collection": "organisations", "data": data("organisations", place)}]}),
                ),
            ),
            ("get", "/models/{name}/{version}") => {
                plain(&format!("/models/grunddata/{version}"), None)
            }
            ("get", "/models/{name}/{version}/files") => {
                plain(&format!("/models/grunddata/{version}/files"), None)
            }
            ("get", "/codelists/{list}") => plain("/codelists/organisation-kind", None),
            ("get", "/owners/{owner}") => plain("/owners/norrberga", None),
            ("put", "/owners/{owner}") => plain(
                "/owners/norrberga",
                Some(json!({"name": "norrberga", "openData": false})),
            ),
            ("post", "/tokens") => plain(
                below,
                Some(
                    json!({"name": "ny", "grants": [{"owner": "norrberga", "role": "open-data-reader"}]}),
                ),
            ),
            ("get" | "delete", "/tokens/{token}") | ("post", "/tokens/{token}/rotations") => {
                let made = http.as_("owner-admin").post("/tokens", json!({"name": "till-prov", "grants": [{"owner": "norrberga", "role": "open-data-reader"}]}));
                made.expect(201);
                let id = made.json["id"].as_str().expect("id");
                plain(
                    &below.replace("{token}", id),
                    (method == "post").then(|| json!({})),
                )
            }
            (
                _,
                "/peers"
                | "/peers/{peer}"
                | "/peers/{peer}/pause"
                | "/peers/{peer}/resume"
                | "/peers/{peer}/trust"
                | "/peers/{peer}/check"
                | "/peers/{peer}/exchange",
            ) => {
                // Nobody but an administrator of the whole registry may ask, and none of these callers is one; nor does a
                // peer wait for one of them.
                let body = json!({"settings": {"url": "https://a.example", "owner": "annan"}});
                plain(
                    &below.replace("{peer}", "annan"),
                    (method == "put").then_some(body),
                )
            }
            ("get", "/access-log") => plain("/access-log?owner=norrberga", None),
            ("post", "/grants") => plain(below, Some(grant("https://login.example.se#ny"))),
            ("delete", "/grants/{grant}") => {
                let given = http
                    .as_("owner-admin")
                    .post("/grants", grant("https://login.example.se#till-prov"));
                given.expect(201);
                plain(
                    &format!("/grants/{}", given.json["id"].as_str().expect("id")),
                    None,
                )
            }
            (_, below) if loads::of_loads(below) => loads::question(http, root, method, below),
            (_, below) if transfers::of_transfers(below) => {
                transfers::question(http, root, method, below)
            }
            (_, below) if subscriptions::of_subscriptions(below) => {
                subscriptions::question(http, root, method, below)
            }
            (_, below) if of_law(below) => {
                let (address, body) = law(http, place, method, below)?;
                plain(&address, body)
            }
            ("get", "/problems/{code}") => plain("/problems/not-found", None),
            ("get", "/id/{domain}/{id}") => plain(
                &format!("/id/organisation/{}", place.records["organisations"]),
                None,
            ),
            (
                "get",
                ""
                | "/"
                | "/models"
                | "/codelists"
                | "/owners"
                | "/tokens"
                | "/grants"
                | "/api-info"
                | "/openapi.json"
                | "/problems"
                | "/docs"
                | "/docs/swagger-ui-bundle.js"
                | "/docs/swagger-ui.css"
                | "/docs/start.js"
                | "/healthz"
                | "/readyz"
                | "/metrics"
                | "/.well-known/grunddata-log-keys"
                | "/.well-known/security.txt",
            ) => plain(below, None),
            _ => None,
        };
    };
    let known = &place.records[collection];
    let rest = below.strip_prefix(&format!("/{collection}"))?;
    let any = || vec![("if-match", "*")];
    let fresh = || made(http, collection, create(collection, place));
    let written = |tail: &str, body: Option<Value>| {
        Some(Question {
            address: format!("{root}/{collection}/{}{tail}", fresh()),
            body,
            headers: any(),
        })
    };
    let new = data(collection, place);
    match (method, rest) {
        ("get", "/{id}/extract" | "/{id}/extract.html") => plain(
            &format!("/{collection}{}", rest.replace("{id}", known)),
            None,
        ),
        (
            "get",
            "" | "/{id}" | "/{id}/timeline" | "/{id}/history" | "/{id}/links" | "/{id}/ancestors"
            | "/{id}/subtree" | "/{id}/provenance",
        ) => plain(
            &format!("/{collection}{}", rest.replace("{id}", known)),
            None,
        ),
        ("get", "/{id}/versions/{version}") => {
            plain(&format!("/{collection}/{known}/versions/1"), None)
        }
        ("get", "/{id}/diff") => plain(&format!("/{collection}/{known}/diff?from=1&to=1"), None),
        ("post", "/search") => plain(&format!("/{collection}/search"), Some(json!({"limit": 1}))),
        ("post", "") => plain(&format!("/{collection}"), Some(create(collection, place))),
        ("put", "/{id}") => written("", Some(json!({"data": new, "validFrom": "2026-02-01"}))),
        ("patch", "/{id}") => {
            let mut question = written("?validFrom=2026-02-01", Some(json!({"extensions": null})))?;
            question
                .headers
                .push(("content-type", "application/merge-patch+json"));
            Some(question)
        }
        ("delete", "/{id}") => written("?validFrom=2026-06-01", None),
        ("post", "/{id}/amendments") => written(
            "/amendments",
            Some(json!({"patch": {"extensions": null}, "validFrom": "2026-02-01"})),
        ),
        ("post", "/{id}/endings") => written("/endings", Some(json!({"validFrom": "2026-06-01"}))),
        ("post", "/{id}/retractions") => written("/retractions", Some(json!({"reason": "fel"}))),
        ("post", "/{id}/reversions") => written("/reversions", Some(json!({"version": 1}))),
        ("post", "/{id}/revivals") => {
            let question = written(
                "/revivals",
                Some(json!({"data": new, "validFrom": "2026-09-01"})),
            )?;
            let subject = question
                .address
                .replace("/revivals", "?validFrom=2026-06-01");
            http.as_("owner-admin")
                .with("if-match", "*")
                .request("DELETE", &format!("{}{subject}", http.origin()), None)
                .expect(200);
            Some(question)
        }
        _ => None,
    }
}

fn steward() -> Grant {
    let norrberga = OwnerScope::Owner(OwnerKey::new("norrberga").expect("key"));
    Grant::of(norrberga, Role::Steward)
}

fn of_law(below: &str) -> bool {
    "retention deliveries disposals erasures holds restrictions"
        .split(' ')
        .any(|word| below.contains(word))
}

/// Retention, holds, restrictions and erasure, each on a record of its own.
fn law(http: &Http, place: &Place, method: &str, below: &str) -> Option<(String, Option<Value>)> {
    let fresh = || made(http, "organisations", create("organisations", place));
    let rule = || json!({"domain": "person", "eraseAfterYears": 90, "validFrom": "2020-01-01", "decision": "Prov", "reference": "KS 2020/1"});
    let id = |answer: Answer| {
        answer.expect(201);
        answer.json["id"].as_str().expect("id").to_owned()
    };
    let path = below.replace("{owner}", "norrberga");
    let body = match (method, below) {
        ("get", _) => None,
        ("post", "/owners/{owner}/retention-rules") => Some(rule()),
        ("post", "/owners/{owner}/deliveries") => {
            let kept = json!({"domain": "person", "preserve": true, "validFrom": "2020-01-01", "decision": "Prov", "reference": "KS 2020/1"});
            let made = http.admin().post("/owners/norrberga/retention-rules", kept);
            Some(
                json!({"rule": id(made), "archive": "Stadsarkivet", "reference": "SA 1", "delivered": "2026-01-01"}),
            )
        }
        ("post", "/owners/{owner}/disposals") => {
            let plan = http.admin().get("/owners/norrberga/retention-plan");
            plan.expect(200);
            Some(json!({"plan": plan.json["token"]}))
        }
        ("post", "/erasures") => {
            Some(json!({"records": [fresh()], "decision": "Prov", "reference": "KS 2026/1"}))
        }
        ("post", "/holds" | "/restrictions") => Some(json!({"record": fresh(), "reason": "Prov"})),
        ("delete", "/owners/{owner}/retention-rules/{rule}") => {
            let made = http
                .admin()
                .post("/owners/norrberga/retention-rules", rule());
            return Some((path.replace("{rule}", &id(made)), None));
        }
        ("delete", "/owners/{owner}/holds/{mark}") => {
            let body = json!({"record": fresh(), "reason": "Prov"});
            let made = http.admin().post("/holds", body);
            return Some((path.replace("{mark}", &id(made)), None));
        }
        ("delete", "/owners/{owner}/restrictions/{mark}") => {
            let body = json!({"record": fresh(), "reason": "Prov"});
            let made = http.admin().post("/restrictions", body);
            return Some((path.replace("{mark}", &id(made)), None));
        }
        _ => return None,
    };
    Some((path, body))
}

fn ask(http: &Http, token: Option<&str>, method: &str, question: &Question) -> Answer {
    let mut caller = match token {
        Some(token) => http.with_token(token),
        None => http.nobody(),
    };
    let given = question
        .headers
        .iter()
        .any(|(name, _)| *name == "content-type");
    if question.body.is_some() && !given {
        caller = caller.with("content-type", "application/json");
    }
    for (name, value) in &question.headers {
        caller = caller.with(name, value);
    }
    let address = format!("{}{}", http.origin(), question.address);
    caller.request(
        &method.to_uppercase(),
        &address,
        question
            .body
            .as_ref()
            .map(|body| body.to_string().into_bytes()),
    )
}

/// What an answer says about access.
fn verdict(answer: &Answer) -> String {
    match answer.status {
        200..=399 => "yes".to_owned(),
        status @ (401 | 403 | 404 | 412) => status.to_string(),
        status => panic!("{status} says nothing about access: {}", answer.text),
    }
}

fn table(http: &Http) -> String {
    let place = place(http);
    let callers = callers(http, &place);
    let document = http.nobody().get("/openapi.json");
    document.expect(200);
    let mut undecided = BTreeSet::new();
    let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
    for (path, item) in document.json["paths"].as_object().expect("paths") {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let name = operation["operationId"]
                .as_str()
                .expect("operationId")
                .to_owned();
            let below_root = path.starts_with("/api/v1")
                || item.get("servers").is_some()
                || operation.get("servers").is_some();
            let path_below = if below_root {
                path.clone()
            } else {
                format!("/api/v1{path}")
            };
            let mut cells = Vec::new();
            for (caller, token) in &callers {
                let Some(question) = question(http, &place, method, &path_below) else {
                    undecided.insert(format!("{method} {path} ({name})"));
                    break;
                };
                let answer = ask(http, token.as_deref(), method, &question);
                assert!(
                    !matches!(answer.status, 400 | 405..=411 | 413..=499 | 500..),
                    "{caller}: {method} {} {:?}: {}",
                    question.address,
                    question.body,
                    answer.text
                );
                cells.push(verdict(&answer));
            }
            rows.push((name, format!("{} {path}", method.to_uppercase()), cells));
        }
    }
    assert!(
        undecided.is_empty(),
        "operations without a decision; say in {} how they are asked:\n{undecided:#?}",
        file!()
    );
    let mut text = String::from(
        "# Who may do what\n\nWritten by the test `http_matrix`, which asks every operation of the OpenAPI document as every caller: \
         `UPDATE_MATRIX=1 cargo xtask test -E 'test(http_matrix)'` writes it anew. `yes` = answered with 2xx or 3xx; otherwise the status; 404, and 412 where a version was named, are what is answered for a record that does not exist.\n\n\
         All grants but *wrong owner* are for the owner of the record, which has no open data; the record belongs to a controller. \
         *Wrong owner* is an editor of another owner, *wrong controller* an editor of another controller of the same owner, and *reads* \
         are readers with that class as the ceiling. What of a record is shown is another matter: properties of classes above the ceiling are left out.\n\n",
    );
    let heads: Vec<&str> = callers.iter().map(|(name, _)| *name).collect();
    writeln!(text, "| operation | request | {} |", heads.join(" | ")).expect("text");
    writeln!(text, "|---|---|{}", "---|".repeat(heads.len())).expect("text");
    for (name, request, cells) in rows {
        writeln!(text, "| {name} | `{request}` | {} |", cells.join(" | ")).expect("text");
    }
    text
}

on_both! {
    using closed;

    fn every_operation_answers_every_caller_as_decided(http: Http) {
        let path = xtask::structure::root().join("docs/access-matrix.md");
        let found = table(&http);
        if std::env::var_os("UPDATE_MATRIX").is_some() {
            std::fs::write(&path, &found).expect("the table is written");
            return;
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differences: Vec<String> = found
            .lines()
            .filter(|line| !kept.lines().any(|other| other == *line))
            .map(|line| format!("+ {line}"))
            .chain(kept.lines().filter(|line| !found.lines().any(|other| other == *line)).map(|line| format!("- {line}")))
            .collect();
        assert!(
            differences.is_empty() && kept == found,
            "docs/access-matrix.md is out of date. If every difference is meant: UPDATE_MATRIX=1 cargo xtask test -E 'test(http_matrix)'\n{}",
            differences.join("\n")
        );
    }
}

/// `norrberga` and nobody else has anything to show: no open data, so that nothing is seen without a grant.
fn closed(engine: grunddata_testing::Engine) -> Http {
    let http = Http::start_with(engine, subscriptions::allowed);
    http.admin()
        .put("/owners/oppen", json!({"name": "oppen", "openData": false}))
        .expect(200);
    http
}
