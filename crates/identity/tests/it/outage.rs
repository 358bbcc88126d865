//! Issuers that are down, slow, broken or hostile.

use std::time::{Duration, Instant as Stopwatch};

use grunddata_identity::provider::Behaviour;
use serde_json::{Value, json};

use crate::Scene;

const UNREACHABLE: &str = "issuer-unreachable";

#[test]
fn without_keys_everything_is_refused_until_the_issuer_answers() {
    let scene = Scene::new();
    scene.provider.behave(Behaviour::Down);
    let token = scene.token();
    for _ in 0..50 {
        assert_eq!(scene.verify(&token), UNREACHABLE);
    }
    scene.provider.behave(Behaviour::Healthy);
    assert_eq!(
        scene.verify(&token),
        UNREACHABLE,
        "a pause between attempts"
    );
    scene.pass(5);
    assert_eq!(scene.verify(&token), "kommun:anna");
}

#[test]
fn the_last_good_keys_outlast_an_outage_up_to_the_bound_and_not_beyond() {
    let scene = Scene::with(|settings| settings.outage_seconds = 3_600);
    scene.provider.cache_control("max-age=600");
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    for behaviour in [Behaviour::Down, Behaviour::Garbage, Behaviour::Status(500)] {
        scene.provider.behave(behaviour);
        scene.pass(600);
        scene.issuers.renew(scene.now());
        assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    }
    // 1,800 seconds have passed; the keys should have been renewed after 600.
    scene.pass(2_399);
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    scene.pass(1);
    assert_eq!(scene.verify(&scene.token()), UNREACHABLE);
    scene.provider.behave(Behaviour::Healthy);
    scene.pass(60);
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
}

#[test]
fn a_renewal_that_fails_is_tried_again_after_a_minute() {
    let scene = Scene::new();
    scene.provider.cache_control("max-age=300");
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    scene.provider.behave(Behaviour::Status(503));
    let asked = || scene.provider.requests("discovery");
    scene.pass(300);
    for _ in 0..10 {
        scene.issuers.renew(scene.now());
    }
    assert_eq!(asked(), 2);
    scene.pass(60);
    scene.issuers.renew(scene.now());
    assert_eq!(asked(), 3);
}

#[test]
fn an_unknown_key_while_the_issuer_is_down_may_be_a_new_one() {
    let scene = Scene::new();
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    scene.provider.rotate();
    scene.provider.behave(Behaviour::Down);
    scene.pass(60);
    assert_eq!(scene.verify(&scene.token()), UNREACHABLE);
    scene.provider.behave(Behaviour::Healthy);
    scene.pass(60);
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
}

#[test]
fn answers_that_are_not_to_be_used_are_none() {
    for behaviour in [
        Behaviour::Down,
        Behaviour::Status(404),
        Behaviour::Status(500),
        Behaviour::Garbage,
        Behaviour::Huge(2 * 1024 * 1024),
    ] {
        let scene = Scene::new();
        scene.provider.behave(behaviour.clone());
        assert_eq!(scene.verify(&scene.token()), UNREACHABLE, "{behaviour:?}");
    }
}

#[test]
fn nobody_waits_longer_than_the_settings_say() {
    let scene = Scene::with(|settings| settings.timeout_seconds = 1);
    scene
        .provider
        .behave(Behaviour::Slow(Duration::from_secs(3_600)));
    let began = Stopwatch::now();
    assert_eq!(scene.verify(&scene.token()), UNREACHABLE);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn redirects_are_not_followed() {
    let (direct, other) = (Scene::new(), Scene::new());
    for how in [None, Some(direct.provider.jwks_uri())] {
        let scene = Scene::with(|settings| settings.jwks_uri = how);
        scene
            .provider
            .behave(Behaviour::Redirect(other.provider.jwks_uri()));
        direct
            .provider
            .behave(Behaviour::Redirect(other.provider.jwks_uri()));
        assert_eq!(scene.verify(&scene.token()), UNREACHABLE);
        assert_eq!(other.provider.requests("keys"), 0);
    }
}

#[test]
fn a_description_of_another_issuer_or_with_an_unsafe_address_is_not_believed() {
    for (name, value) in [
        ("issuer", json!("https://other.example")),
        ("issuer", Value::Null),
        ("jwks_uri", json!("http://192.0.2.1/keys")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("jwks_uri", json!(7)),
    ] {
        let scene = Scene::new();
        scene.provider.describe(name, value);
        assert_eq!(scene.verify(&scene.token()), UNREACHABLE, "{name}");
        assert_eq!(scene.provider.requests("keys"), 0);
    }
}

#[test]
fn too_many_keys_are_none_and_useless_ones_are_left_out() {
    let scene = Scene::new();
    scene
        .provider
        .publish(json!({"kty": "oct", "kid": scene.provider.key().id(), "k": "AA"}));
    scene
        .provider
        .publish(json!({"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}));
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    let scene = Scene::new();
    for number in 0..100 {
        scene
            .provider
            .publish(json!({"kty": "oct", "kid": format!("{number}"), "k": "AA"}));
    }
    assert_eq!(scene.verify(&scene.token()), UNREACHABLE);
}

#[test]
fn an_issuer_that_withdraws_all_its_keys_is_believed() {
    let scene = Scene::new();
    scene.provider.cache_control("max-age=300");
    let token = scene.token();
    let key = scene.provider.key();
    assert_eq!(scene.verify(&token), "kommun:anna");
    scene.provider.withdraw(key.id());
    scene.pass(300);
    scene.issuers.renew(scene.now());
    assert_eq!(scene.verify(&token), "unknown-key");
}
