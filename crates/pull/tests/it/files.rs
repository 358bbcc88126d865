//! One file.

use std::time::Duration;

use grunddata_pull::server::{Behaviour, Server};
use grunddata_pull::{Access, Limits, PullError, Settings, Token, file};

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

#[test]
fn a_file_comes_whole_or_not_at_all() {
    let server = Server::start("hemlig").unwrap();
    let content = b"a;b\n".repeat(100_000);
    server.put_file("hr.csv", content.clone());
    let mut out = Vec::new();
    let fetched = file(&settings(&server), &loopback(), &mut out).unwrap();
    assert_eq!(out, content);
    assert_eq!((fetched.name.as_str(), fetched.bytes), ("hr.csv", 400_000));
    assert_eq!(
        fetched.last_modified.as_deref(),
        Some("Sat, 21 Nov 2026 10:15:30 GMT")
    );
    let failed = |settings: &Settings| file(settings, &loopback(), &mut Vec::new()).unwrap_err();
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
    let error = file(&settings(&server), &Access::default(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, PullError::Address { .. }), "{error}");
    assert_eq!(server.requests(), Vec::<String>::new());
}
