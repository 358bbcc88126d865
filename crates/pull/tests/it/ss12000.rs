//! Everything from an SS 12000 server.

use std::io::{Cursor, Read as _};
use std::time::Duration;

use chrono::{DateTime, Utc};
use grunddata_pull::server::{Behaviour, Server};
use grunddata_pull::{
    Access, Endpoint, Limits, PullError, Settings, Ss12000, Token, Wanted, ss12000,
};
use serde_json::{Value, json};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn object(id: &str, modified: &str) -> Value {
    json!({"id": id, "meta": {"created": "2026-01-01T00:00:00Z", "modified": modified}, "displayName": "Å"})
}

/// A server with seven persons and a few of the rest.
fn school() -> Server {
    let server = Server::start("hemlig").unwrap();
    for endpoint in Endpoint::ALL {
        server.put(
            endpoint.name(),
            object(&format!("{}-0", endpoint.name()), "2026-11-01T08:00:00Z"),
        );
    }
    for number in 1..7 {
        server.put(
            "persons",
            object(
                &format!("persons-{number}"),
                &format!("2026-11-0{number}T12:00:00.250+01:00"),
            ),
        );
    }
    server
}

fn settings(server: &Server) -> Settings {
    Settings {
        address: server.address(),
        token: Some(Token::new("hemlig")),
        limits: Limits {
            page: 3,
            ..Limits::default()
        },
        ..Settings::default()
    }
}

fn everything() -> Wanted {
    Wanted {
        endpoints: Endpoint::ALL.to_vec(),
        modified_after: None,
    }
}

fn since(text: &str) -> Wanted {
    Wanted {
        modified_after: Some(at(text)),
        ..everything()
    }
}

fn pull(
    settings: &Settings,
    wanted: &Wanted,
) -> Result<(Ss12000, Vec<(String, Value)>), PullError> {
    let access = Access {
        allow_http_loopback: true,
        ..Access::default()
    };
    let mut out = Cursor::new(Vec::new());
    let fetched = ss12000(settings, &access, wanted, &mut out)?;
    let mut archive = zip::ZipArchive::new(out).unwrap();
    let files = (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (
                file.name().unwrap().to_string(),
                serde_json::from_str(&text).unwrap(),
            )
        })
        .collect();
    Ok((fetched, files))
}

fn ids(files: &[(String, Value)], name: &str) -> Vec<String> {
    let (_, content) = files.iter().find(|(known, _)| known == name).unwrap();
    content["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_changes_during_a_pull_is_asked_for_again() {
    let server = school();
    // The newest change is from 11:00:00.250, after the first page was read, or from a clock that is ahead.
    server.set_clock(at("2026-11-06T10:30:00Z"));
    let (fetched, _) = pull(&settings(&server), &everything()).unwrap();
    assert_eq!(fetched.next, Some(at("2026-11-06T10:20:00Z")));
}

#[test]
fn everything_comes_page_by_page() {
    let server = school();
    let (fetched, files) = pull(&settings(&server), &everything()).unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "organisations.json",
            "persons.json",
            "duties.json",
            "groups.json",
            "placements.json"
        ]
    );
    assert_eq!(
        ids(&files, "persons.json"),
        (0..7).map(|n| format!("persons-{n}")).collect::<Vec<_>>()
    );
    assert_eq!(fetched.objects["persons"], 7);
    assert_eq!(fetched.pages, 4 + 3);
    assert_eq!(fetched.deleted, Some(0));
    // The newest, less ten minutes.
    assert_eq!(fetched.next, Some(at("2026-11-06T10:50:00.250Z")));
    // A token goes with a limit and nothing else; no secret is in an address.
    for request in server.requests() {
        assert!(!request.contains("hemlig"));
        if request.contains("pageToken") {
            assert!(!request.contains("modified"), "{request}");
        }
    }
}

#[test]
fn what_has_changed_and_what_is_gone() {
    let server = school();
    server.remove("duties", "duties-0", at("2026-11-06T09:00:00Z"));
    server.remove("groups", "groups-0", at("2026-10-01T09:00:00Z"));
    server.remove("rooms", "rooms-0", at("2026-11-06T09:00:00Z"));
    for behaviour in [Behaviour::Healthy, Behaviour::DeletionsOneByOne] {
        server.behave(behaviour);
        let (fetched, files) = pull(&settings(&server), &since("2026-11-02T12:00:00Z")).unwrap();
        assert_eq!(
            ids(&files, "persons.json"),
            (3..7).map(|n| format!("persons-{n}")).collect::<Vec<_>>()
        );
        assert_eq!(fetched.objects["organisations"], 0);
        assert_eq!(fetched.deleted, Some(1));
        let (_, gone) = files
            .iter()
            .find(|(name, _)| name == "deletedEntities.json")
            .unwrap();
        assert_eq!(
            gone["data"],
            json!([{"entity": "duties", "id": "duties-0"}])
        );
    }
    // Nothing has changed: the lists are there and empty.
    server.behave(Behaviour::Healthy);
    let (fetched, files) = pull(&settings(&server), &since("2026-12-01T00:00:00Z")).unwrap();
    assert_eq!(ids(&files, "persons.json"), Vec::<String>::new());
    assert_eq!(fetched.next, None);
    server.behave(Behaviour::NoDeletions);
    let (fetched, files) = pull(&settings(&server), &since("2026-12-01T00:00:00Z")).unwrap();
    assert_eq!(fetched.deleted, None);
    assert_eq!(files.len(), 5);
}

#[test]
fn what_goes_wrong_is_said_and_gives_no_file() {
    let server = school();
    let failed = |settings: &Settings, wanted: &Wanted| pull(settings, wanted).unwrap_err();
    let usual = settings(&server);
    let other = Settings {
        token: Some(Token::new("fel")),
        ..usual.clone()
    };
    let error = failed(&other, &everything());
    assert!(matches!(error, PullError::Unauthorised { status: 401, .. }));
    assert!(!format!("{error} {error:?} {other:?}").contains("fel\""));
    for (behaviour, said) in [
        (Behaviour::Down, "no answer"),
        (Behaviour::Garbage, "no JSON"),
        (Behaviour::Loop, "before"),
        (Behaviour::Redirect("http://127.0.0.1:1/".into()), "302"),
        (Behaviour::Status(500, 9), "500"),
        (Behaviour::Status(503, 99), "503"),
    ] {
        server.behave(behaviour.clone());
        let text = failed(&usual, &everything()).to_string();
        assert!(text.contains(said), "{behaviour:?}: {text}");
        assert!(!text.contains("127.0.0.1"), "{text}");
    }
    server.behave(Behaviour::NoChanges);
    assert!(matches!(
        failed(&usual, &since("2026-11-02T12:00:00Z")),
        PullError::NoDelta { status: 400, .. }
    ));
    server.behave(Behaviour::Healthy);
    server.put("persons", json!("no object"));
    assert!(matches!(
        failed(&usual, &everything()),
        PullError::Answer { .. }
    ));
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let server = school();
    server.behave(Behaviour::Status(429, 3));
    let (fetched, _) = pull(&settings(&server), &everything()).unwrap();
    assert_eq!(fetched.objects["persons"], 7);
    server.behave(Behaviour::Status(503, 6));
    assert!(pull(&settings(&server), &everything()).is_err());
}

#[test]
fn limits_hold() {
    let server = school();
    let with = |limits: Limits| Settings {
        limits: Limits { page: 3, ..limits },
        ..settings(&server)
    };
    for limits in [
        Limits {
            pages: 4,
            ..Limits::default()
        },
        Limits {
            bytes: 500,
            ..Limits::default()
        },
        Limits {
            whole: Duration::ZERO,
            ..Limits::default()
        },
    ] {
        let error = pull(&with(limits), &everything()).unwrap_err();
        assert!(matches!(error, PullError::Limit { .. }), "{error}");
    }
    server.behave(Behaviour::Huge(100_000));
    let error = pull(
        &with(Limits {
            page_bytes: 50_000,
            ..Limits::default()
        }),
        &everything(),
    )
    .unwrap_err();
    assert!(matches!(error, PullError::Limit { .. }), "{error}");
}
