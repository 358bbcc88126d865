//! From credentials to an identity, with one issuer and with several.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use grunddata_identity::{GrantRule, IdentityConfig, Issuers, Refused};
use serde_json::{Value, json};

use crate::{AUDIENCE, START, Scene, instant, issuers, provider};

fn fetched(scene: &Scene, form: &[(&str, &str)]) -> Result<Value, u16> {
    match ureq::post(scene.provider.token_endpoint()).send_form(form.iter().copied()) {
        Ok(mut answer) => {
            Ok(serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap())
        }
        Err(ureq::Error::StatusCode(status)) => Err(status),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn client_credentials_become_an_identity() {
    let scene = Scene::with(|settings| {
        settings.claims.groups = vec!["realm_access.roles".to_owned()];
        settings.grants = vec![GrantRule {
            claim: "realm_access.roles".to_owned(),
            value: "gd-writer".to_owned(),
            grant: "editor-2480".to_owned(),
        }];
    });
    let extra = json!({
        "realm_access": {"roles": ["gd-writer", "offline_access"]}, "scope": "gd.write gd.read",
        "purpose": "nightly load", "jti": "1",
    });
    scene
        .provider
        .add_client("hr-system", "secret", AUDIENCE, &extra);
    let form = |secret| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", "hr-system"),
            ("client_secret", secret),
        ]
    };
    assert_eq!(fetched(&scene, &form("wrong")).unwrap_err(), 401);
    assert_eq!(
        fetched(&scene, &[("grant_type", "password")]).unwrap_err(),
        400
    );
    let answer = fetched(&scene, &form("secret")).unwrap();
    let token = answer["access_token"].as_str().unwrap();
    assert!(scene.issuers.looks_like_jwt(token));
    let identity = scene.issuers.verify(token, scene.now()).unwrap();
    assert_eq!(&*identity.issuer, scene.provider.issuer());
    assert_eq!(identity.subject, "hr-system");
    assert_eq!(identity.name, "kommun:hr-system");
    assert_eq!(identity.client.as_deref(), Some("hr-system"));
    assert_eq!(identity.groups, ["gd-writer", "offline_access"]);
    assert_eq!(identity.grants, ["editor-2480"]);
    assert_eq!(identity.purpose.as_deref(), Some("nightly load"));
    assert_eq!(identity.expires_at, instant(START + 300));
    assert!(!format!("{identity:?} {:?}", scene.issuers).contains(token));
}

#[test]
fn the_same_subject_of_two_issuers_is_two_and_neither_speaks_for_the_other() {
    let seconds = Arc::new(AtomicI64::new(START));
    let (one, two) = (provider(&seconds), provider(&seconds));
    let issuers = issuers(vec![
        one.settings("one", AUDIENCE),
        two.settings("two", "elsewhere"),
    ]);
    let verify = |token: &str| issuers.verify(token, instant(START));
    let first = verify(&one.token(&one.claims("anna", AUDIENCE))).unwrap();
    let second = verify(&two.token(&two.claims("anna", "elsewhere"))).unwrap();
    assert_eq!(
        (first.subject.as_str(), second.subject.as_str()),
        ("anna", "anna")
    );
    assert_ne!(first.key(), second.key());
    assert_eq!(
        (first.name.as_str(), second.name.as_str()),
        ("one:anna", "two:anna")
    );
    // Signed by one with the claims of the other: both keys have the same id.
    assert_eq!(one.key().id(), two.key().id());
    let crossed = one.token(&two.claims("anna", "elsewhere"));
    assert_eq!(verify(&crossed).unwrap_err(), Refused::BadSignature);
    // Audiences belong to their issuer.
    let elsewhere = one.token(&one.claims("anna", "elsewhere"));
    assert_eq!(verify(&elsewhere).unwrap_err(), Refused::WrongAudience);
}

#[test]
fn without_issuers_every_token_is_refused_and_plain_http_needs_leave() {
    let scene = Scene::new();
    let none = Issuers::new(&IdentityConfig::default()).unwrap();
    assert!(none.is_empty());
    assert_eq!(
        none.verify(&scene.token(), scene.now()).unwrap_err(),
        Refused::UnknownIssuer
    );
    let strict = IdentityConfig {
        issuers: vec![scene.provider.settings("kommun", AUDIENCE)],
        ..IdentityConfig::default()
    };
    assert!(
        Issuers::new(&strict)
            .unwrap_err()
            .to_string()
            .contains("https")
    );
}
