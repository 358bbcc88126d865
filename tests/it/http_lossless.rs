//! Everything of an owner over HTTP: for whoever administers all of it, as the console writes it, and logged.

use std::io::Read as _;

use grunddata_model::OwnerKey;
use grunddata_registry::{ControllerScope, Grant, OwnerScope, Role};
use grunddata_store::OwnerSet;
use grunddata_testing::{Engine, on_both};
use serde_json::{Value, json};

use crate::http_records::server::Http;

fn filled(engine: Engine) -> Http {
    let http = Http::start(engine);
    http.organisation("Skolan", "2026-01-01");
    let birk = json!({"owner": "norrberga", "validFrom": "2026-01-01",
        "data": {"name": {"full": "Birk"}, "protection": {"level": "protected-registration"}}});
    http.admin().post("/persons", birk).expect(201);
    let open =
        json!({"data": {"name": {"sv": "Den andra"}, "kind": "unit"}, "validFrom": "2026-01-01"});
    http.as_("open-writer")
        .post("/organisations", open)
        .expect(201);
    http
}

/// What the console writes of the same, but the heading, which says when.
fn written(http: &Http, owners: &OwnerSet) -> Vec<String> {
    let context = http
        .registry
        .context(grunddata_registry::Actor::system("test"), "lossless");
    let mut out = Vec::new();
    http.registry
        .export_lossless(&context, owners, &mut out, &mut |_| {})
        .expect("a lossless file");
    let text = String::from_utf8(out).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    lines[1..lines.len() - 1]
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("{\"header\":"), "{text}");
    assert!(lines[lines.len() - 1].starts_with("{\"end\":"), "{text}");
    lines[1..lines.len() - 1]
        .iter()
        .map(ToString::to_string)
        .collect()
}

on_both! {
    using filled;

    fn who_administers_all_of_an_owner_gets_all_of_it(http: Http) {
        let norrberga = OwnerKey::new("norrberga").expect("key");
        let own = http.as_("owner-admin").get("/exports/lossless?owner=norrberga");
        own.expect(200);
        assert_eq!(own.header("content-type"), "application/x-ndjson");
        assert_eq!(own.header("content-disposition"), "attachment; filename=\"grunddata.ndjson\"");
        assert_eq!(lines(&own.text), written(&http, &OwnerSet::one(norrberga)));
        assert!(own.text.contains("Birk") && !own.text.contains("Den andra"));
        let all = http.admin().with("accept-encoding", "zstd").get("/exports/lossless");
        all.expect(200);
        assert_eq!(all.header("content-encoding"), "zstd");
        let mut text = String::new();
        zstd::Decoder::new(&all.bytes[..]).expect("zstd").read_to_string(&mut text).expect("zstd");
        assert_eq!(lines(&text), written(&http, &OwnerSet::All));
        assert!(text.contains("Den andra") && text.contains("{\"token\":"));
    }

    fn everybody_else_is_refused_clearly(http: Http) {
        let of = || OwnerScope::Owner(OwnerKey::new("norrberga").expect("key"));
        let part = Grant { controller: ControllerScope::Organisation("01990c3e-7a5b-7000-8000-000000000001".parse().expect("an id")), ..Grant::of(of(), Role::Administrator) };
        let part = http.token_of("part", vec![part]);
        http.with_token(&part).get("/exports/lossless?owner=norrberga").problem(403, "forbidden");
        for address in ["/exports/lossless", "/exports/lossless?owner=oppen", "/exports/lossless?owner=norrberga,oppen", "/exports/lossless?owner=nobody"] {
            http.as_("owner-admin").get(address).problem(403, "forbidden");
        }
        for caller in ["reader", "writer", "steward"] {
            http.as_(caller).get("/exports/lossless?owner=norrberga").problem(403, "forbidden");
        }
        http.nobody().get("/exports/lossless").problem(401, "unauthenticated");
        http.admin().get("/exports/lossless?owner=nobody").problem(404, "unknown-owner");
        http.admin().get("/exports/lossless?owner=Not a key").problem(400, "invalid-parameter");
        http.admin().get("/exports/lossless?ower=norrberga").problem(400, "unknown-parameter");
    }

    fn it_is_logged_with_its_beginning_and_its_end_or_not_done(http: Http) {
        http.as_("owner-admin").get("/exports/lossless?owner=norrberga").expect(200);
        http.as_("owner-admin").get("/exports/lossless?owner=oppen").problem(403, "forbidden");
        let log = http.admin().get("/access-log?kind=export&order=oldest&limit=10");
        log.expect(200);
        let entries = log.json["items"].as_array().expect("items");
        let told: Vec<(&Value, &Value)> = entries.iter().map(|entry| (&entry["operation"], &entry["outcome"])).collect();
        assert_eq!(told.len(), 5, "{entries:?}");
        assert!(told.iter().all(|(operation, _)| **operation == json!("exportLossless")), "{told:?}");
        assert_eq!(entries[0]["detail"]["begun"], json!(true));
        assert_eq!(entries[1]["owners"], json!(["norrberga"]));
        assert!(entries[2]["detail"]["counts"]["record"].as_u64().is_some_and(|records| records == 2), "{entries:?}");
        assert_eq!(entries[2]["detail"]["sha256"].as_str().map(str::len), Some(64));
        assert!(entries[4]["outcome"].to_string().contains("forbidden"), "{entries:?}");
        http.stop_logging();
        http.as_("owner-admin").get("/exports/lossless?owner=norrberga").problem(503, "access-log-unavailable");
    }
}
