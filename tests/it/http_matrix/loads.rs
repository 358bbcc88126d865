//! Questions about sources and their loads.

use super::*;

pub(super) fn of_loads(below: &str) -> bool {
    ["/sources", "/loads", "/uploads"]
        .iter()
        .any(|start| below.starts_with(start))
}

/// Sources and loads: a source of its own for each question, so that no load is in the way of another.
pub(super) fn question(http: &Http, root: &str, method: &str, below: &str) -> Option<Question> {
    let key = format!("k{}", uuid::Uuid::now_v7().simple());
    let settings = |approval: &str| {
        json!({"settings": {
            "title": "Prov", "domains": ["organisation"], "authoritative": {"ends": true}, "approval": approval,
            "guards": {"ends": {"count": 0}},
        }})
    };
    let approval = if below.ends_with("/approval") {
        "other-person"
    } else {
        "none"
    };
    http.as_("owner-admin")
        .put(
            &format!("/sources/{key}?owner=norrberga"),
            settings(approval),
        )
        .expect(201);
    let feeder = http.token_of("matare", vec![steward()]);
    let send = |file: &str| {
        let made = http
            .with_token(&feeder)
            .with("content-type", "application/octet-stream")
            .send(
                "POST",
                &format!("/sources/{key}/loads?kind=full&name=a.ndjson"),
                Some(file.to_owned()),
            );
        made.expect(201);
        made.json["id"].as_str().expect("id").to_owned()
    };
    let act = |load: &str, what: &str| {
        http.with_token(&feeder)
            .send("POST", &format!("/loads/{load}/{what}"), None)
            .expect(200);
    };
    let unit = r#"{"domain": "organisation", "key": "u1", "validFrom": "2026-01-01", "data": {"name": {"sv": "Enheten"}, "kind": "unit"}}"#;
    let mut headers = vec![];
    let (path, body) = match (method, below) {
        ("get", "/sources") => ("/sources?owner=norrberga".to_owned(), None),
        ("put", "/sources/{source}") => {
            headers.push(("if-match", "*"));
            (
                format!("/sources/{key}?owner=norrberga"),
                Some(settings("none")),
            )
        }
        ("post", "/sources/{source}/loads") => {
            headers.push(("content-type", "application/octet-stream"));
            // JSON is a file like any other.
            let unit = serde_json::from_str(unit).expect("JSON");
            (
                format!("/sources/{key}/loads?owner=norrberga&kind=full"),
                Some(unit),
            )
        }
        ("post", "/sources/{source}/uploads") => (
            format!("/sources/{key}/uploads?owner=norrberga"),
            Some(json!({})),
        ),
        (_, below) if below.starts_with("/sources/{source}") => (
            format!("{}?owner=norrberga", below.replace("{source}", &key)),
            None,
        ),
        (_, "/uploads/{upload}") => {
            let begun = http
                .with_token(&feeder)
                .post(&format!("/sources/{key}/uploads"), json!({}));
            begun.expect(201);
            headers.push(("upload-offset", "0"));
            headers.push(("content-type", "application/octet-stream"));
            let id = begun.json["id"].as_str().expect("id");
            (
                format!("/uploads/{id}"),
                (method == "patch").then(|| json!({})),
            )
        }
        (_, below) => {
            let load = send(unit);
            let (load, body) = match below.rsplit('/').next()? {
                "reversal" => {
                    act(&load, "application");
                    (load, None)
                }
                "overrides" => {
                    act(&load, "application");
                    let two = unit.replace("u1", "u2");
                    (
                        send(&two),
                        Some(json!({"guards": ["ends"], "reason": "prov"})),
                    )
                }
                "approval" | "cancellation" => (load, Some(json!({"reason": "prov"}))),
                _ => (load, None),
            };
            (
                format!("{}?owner=norrberga", below.replace("{load}", &load)),
                body,
            )
        }
    };
    Some(Question {
        address: format!("{root}{path}"),
        body,
        headers,
    })
}
