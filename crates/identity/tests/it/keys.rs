//! Keys of every kind, rotation, and floods of keys that nobody knows.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::thread;
use std::time::Duration;

use grunddata_identity::provider::{Behaviour, SigningKey};
use grunddata_identity::{Algorithm, Checked, Discovery, Refresher, Refused};
use rsa::pkcs8::EncodePrivateKey as _;
use serde_json::json;

use crate::{AUDIENCE, START, Scene, instant, issuers, provider};

#[test]
fn keys_of_every_usual_kind_verify() {
    let scene = Scene::new();
    let rsa = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let rsa = rsa.to_pkcs8_der().unwrap();
    for key in [
        SigningKey::ed25519("ed"),
        SigningKey::p256("ec"),
        SigningKey::rsa("rsa", rsa.as_bytes(), false),
        SigningKey::rsa("pss", rsa.as_bytes(), true),
    ] {
        let algorithm = key.algorithm();
        scene.provider.add_key(key);
        scene.pass(60);
        assert_eq!(scene.verify(&scene.token()), "kommun:anna", "{algorithm}");
    }
    // RS256 with the key that is published for PS256.
    let key = scene.provider.key();
    let plain = SigningKey::rsa("pss", rsa.as_bytes(), false);
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": key.id()});
    let token = plain.sign(&header, &scene.provider.claims("anna", AUDIENCE));
    assert_eq!(scene.verify(&token), "bad-signature");
}

#[test]
fn an_issuer_may_be_bound_to_one_algorithm() {
    let scene = Scene::with(|settings| settings.algorithms = vec![Algorithm::ES256]);
    assert_eq!(scene.verify(&scene.token()), "wrong-algorithm");
    assert_eq!(scene.provider.requests("keys"), 0);
    scene.provider.add_key(SigningKey::p256("ec"));
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
}

#[test]
fn keys_are_found_by_either_discovery_or_by_address() {
    for (discovery, asked) in [
        (Some(Discovery::Openid), 1),
        (Some(Discovery::Oauth), 1),
        (None, 0),
    ] {
        let seconds = Arc::new(AtomicI64::new(START));
        let provider = provider(&seconds);
        let mut settings = provider.settings("kommun", AUDIENCE);
        match discovery {
            Some(discovery) => settings.discovery = discovery,
            None => settings.jwks_uri = Some(provider.jwks_uri()),
        }
        let issuers = issuers(vec![settings]);
        assert_eq!(provider.requests("keys"), 0, "asked before there is a need");
        for _ in 0..3 {
            let token = provider.token(&provider.claims("anna", AUDIENCE));
            assert!(
                issuers.verify(&token, instant(START)).is_ok(),
                "{discovery:?}"
            );
        }
        assert_eq!(
            (provider.requests("discovery"), provider.requests("keys")),
            (asked, 1)
        );
    }
}

#[test]
fn a_rotation_with_overlap_refuses_nobody_and_a_withdrawn_key_is_gone_with_the_renewal() {
    let scene = Scene::new();
    scene.provider.cache_control("max-age=300");
    let before = scene.token();
    assert_eq!(scene.verify(&before), "kommun:anna");
    let old = scene.provider.rotate();
    let after = scene.token();
    scene.pass(60);
    assert_eq!(
        scene.verify(&after),
        "kommun:anna",
        "a new key is asked for at once"
    );
    assert_eq!(scene.verify(&before), "kommun:anna");
    assert_eq!(scene.provider.requests("keys"), 2);
    scene.provider.withdraw(&old);
    scene.issuers.renew(scene.now());
    assert_eq!(scene.provider.requests("keys"), 2, "not due");
    scene.pass(290);
    let after = scene.token();
    assert_eq!(
        scene.verify(&before),
        "kommun:anna",
        "within the allowance for clocks"
    );
    scene.pass(9);
    assert_eq!(scene.verify(&before), "kommun:anna");
    scene.pass(1);
    scene.issuers.renew(scene.now());
    assert_eq!(scene.provider.requests("keys"), 3);
    assert_eq!(scene.verify(&before), "unknown-key");
    assert_eq!(scene.verify(&after), "kommun:anna");
}

#[test]
fn a_flood_of_unknown_keys_is_one_request_a_minute() {
    let scene = Scene::new();
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    scene.pass(60);
    let strange = SigningKey::ed25519("x");
    let token = |kid: usize| {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": format!("strange-{kid}")});
        strange.sign(&header, &scene.provider.claims("anna", AUDIENCE))
    };
    thread::scope(|scope| {
        for lane in 0..8 {
            let (scene, token) = (&scene, &token);
            scope.spawn(move || {
                for number in 0..100 {
                    assert_eq!(scene.verify(&token(lane * 100 + number)), "unknown-key");
                }
            });
        }
    });
    assert_eq!(scene.provider.requests("keys"), 2);
    scene.pass(59);
    assert_eq!(scene.verify(&token(0)), "unknown-key");
    assert_eq!(scene.provider.requests("keys"), 2);
    scene.pass(1);
    assert_eq!(scene.verify(&token(0)), "unknown-key");
    assert_eq!(scene.provider.requests("keys"), 3);
    assert_eq!(
        scene.verify(&scene.token()),
        "kommun:anna",
        "the others notice nothing"
    );
}

#[test]
fn a_worker_never_waits_and_few_wait_for_a_slow_issuer() {
    let scene = Scene::new();
    let token = scene.token();
    let Ok(Checked::NeedsFetch(fetch)) = scene.issuers.verify_cached(&token, scene.now()) else {
        panic!("known without having asked");
    };
    assert_eq!(scene.provider.requests("keys"), 0);
    scene
        .provider
        .behave(Behaviour::Slow(Duration::from_secs(2)));
    let answers: Vec<_> = thread::scope(|scope| {
        let waiting: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| scene.issuers.fetch(&fetch, scene.now())))
            .collect();
        while scene.provider.requests("discovery") == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        // As soon as all of them wait.
        let refused = || {
            let answer = scene.issuers.verify_cached(&token, scene.now());
            matches!(answer, Err(Refused::IssuerUnreachable)).then_some(answer)
        };
        let meanwhile = loop {
            if let Some(refused) = refused() {
                break refused;
            }
            assert_eq!(scene.provider.requests("keys"), 0, "nobody was refused");
            thread::sleep(Duration::from_millis(5));
        };
        waiting
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        vec![
            meanwhile.map(|_| ()),
            scene.issuers.verify_cached(&token, scene.now()).map(|_| ()),
        ]
    });
    assert_eq!(answers, [Err(Refused::IssuerUnreachable), Ok(())]);
}

#[test]
fn all_who_need_the_same_key_share_one_request() {
    let scene = Scene::new();
    scene
        .provider
        .behave(Behaviour::Slow(Duration::from_millis(200)));
    let token = scene.token();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(scene.verify(&token), "kommun:anna"));
        }
    });
    assert_eq!(scene.provider.requests("keys"), 1);
}

#[test]
fn the_background_thread_renews_keys_once_they_have_been_needed() {
    let scene = Scene::new();
    scene.provider.cache_control("max-age=300");
    let seconds = Arc::clone(&scene.seconds);
    let clock = move || instant(seconds.load(std::sync::atomic::Ordering::SeqCst));
    let issuers = Arc::clone(&scene.issuers);
    let refresher = Refresher::start(issuers, Arc::new(clock), Duration::from_millis(5)).unwrap();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(scene.provider.requests("keys"), 0);
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    scene.provider.rotate();
    scene.pass(300);
    for _ in 0..400 {
        if scene.provider.requests("keys") > 1 {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let known = |scene: &Scene| {
        (0..400).any(|_| {
            thread::sleep(Duration::from_millis(5));
            matches!(
                scene.issuers.verify_cached(&scene.token(), scene.now()),
                Ok(Checked::Known(_))
            )
        })
    };
    assert!(known(&scene));
    assert_eq!(scene.provider.requests("keys"), 2);
    drop(refresher);
    thread::sleep(Duration::from_millis(50));
    scene.pass(300);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(scene.provider.requests("keys"), 2, "it has ended");
}
