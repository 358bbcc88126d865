//! One file.

use std::time::Duration;

use grunddata_pull::server::{Behaviour, Server};
use grunddata_pull::{Access, Fetched, Limits, PullError, Settings, Token, Validators, file};

fn loopback() -> Access {
    Access {
        allow_http_loopback: true,
        ..Access::default()
    }
}

fn settings(server: &Server) -> Settings {
    Settings {
        address: server.file_address("hr.csv"),
        token: Some(Token::new("hemlig\n")),
        ..Settings::default()
    }
}

/// A file that has come; `None` = it is as it was.
fn fetched(server: &Server, known: &Validators, out: &mut Vec<u8>) -> Option<grunddata_pull::File> {
    match file(&settings(server), &loopback(), known, out).unwrap() {
        Fetched::File(file) => Some(file),
        Fetched::Unchanged(name) => {
            assert_eq!((name.as_str(), out.len()), ("hr.csv", 0));
            None
        }
    }
}

#[test]
fn a_file_comes_again_when_it_has_changed() {
    let server = Server::start("hemlig").unwrap();
    server.put_file("hr.csv", b"a;b\n1;2\n".to_vec());
    for behaviour in [Behaviour::Healthy, Behaviour::NoTags] {
        server.behave(behaviour.clone());
        let first = fetched(&server, &Validators::default(), &mut Vec::new()).unwrap();
        assert_eq!(
            first.validators.etag.is_some(),
            behaviour == Behaviour::Healthy
        );
        assert!(fetched(&server, &first.validators, &mut Vec::new()).is_none());
        server.put_file("hr.csv", b"a;b\n3;4\n".to_vec());
        let mut out = Vec::new();
        let second = fetched(&server, &first.validators, &mut out).unwrap();
        assert_eq!(out, b"a;b\n3;4\n");
        assert!(second.validators.last_modified > first.validators.last_modified);
        assert!(fetched(&server, &second.validators, &mut Vec::new()).is_none());
    }
    // What was changed a moment ago may have been changed twice in that second.
    server.set_clock("2026-11-21T10:17:50Z".parse().unwrap());
    let fresh = fetched(&server, &Validators::default(), &mut Vec::new()).unwrap();
    assert_eq!(
        (fresh.validators, fresh.last_modified.is_some()),
        (Validators::default(), true)
    );
    // What cannot stand in a header is not sent.
    let odd = Validators {
        etag: Some("\"v2\"\r\nX: y".to_owned()),
        last_modified: None,
    };
    assert!(fetched(&server, &odd, &mut Vec::new()).is_some());
}

#[test]
fn a_file_comes_whole_or_not_at_all() {
    let server = Server::start("hemlig").unwrap();
    let content = b"a;b\n".repeat(100_000);
    server.put_file("hr.csv", content.clone());
    let mut out = Vec::new();
    let fetched = fetched(&server, &Validators::default(), &mut out).unwrap();
    assert_eq!(out, content);
    assert_eq!((fetched.name.as_str(), fetched.bytes), ("hr.csv", 400_000));
    assert_eq!(
        fetched.last_modified.as_deref(),
        Some("Sat, 21 Nov 2026 10:15:30 GMT")
    );
    let failed = |settings: &Settings| {
        file(
            settings,
            &loopback(),
            &Validators::default(),
            &mut Vec::new(),
        )
        .unwrap_err()
    };
    let small = Settings {
        limits: Limits {
            bytes: 1_000,
            ..Limits::default()
        },
        ..settings(&server)
    };
    assert!(matches!(failed(&small), PullError::Limit { .. }));
    server.behave(Behaviour::Short(7));
    assert!(matches!(
        failed(&settings(&server)),
        PullError::Connection { .. } | PullError::Answer { .. }
    ));
    server.behave(Behaviour::Redirect("http://127.0.0.1:1/".into()));
    assert!(matches!(
        failed(&settings(&server)),
        PullError::Status { status: 302, .. }
    ));
    server.behave(Behaviour::Slow(Duration::from_secs(3)));
    let hasty = Settings {
        limits: Limits {
            request: Duration::from_millis(200),
            ..Limits::default()
        },
        ..settings(&server)
    };
    assert!(matches!(failed(&hasty), PullError::Connection { .. }));
    server.behave(Behaviour::Healthy);
    let other = Settings {
        address: server.file_address("missing.csv"),
        ..settings(&server)
    };
    assert!(matches!(
        failed(&other),
        PullError::Status { status: 404, .. }
    ));
}

#[test]
fn nobody_is_asked_who_is_not_listed() {
    let server = Server::start("hemlig").unwrap();
    let nothing = Validators::default();
    let error = file(
        &settings(&server),
        &Access::default(),
        &nothing,
        &mut Vec::new(),
    )
    .unwrap_err();
    assert!(matches!(error, PullError::Address { .. }), "{error}");
    assert_eq!(server.requests(), Vec::<String>::new());
}
