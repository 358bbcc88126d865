//! Every way to be refused that has to do with the token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grunddata_identity::Refused;
use grunddata_identity::provider::SigningKey;
use ring::hmac;
use serde_json::{Value, json};

use crate::{AUDIENCE, START, Scene};

/// A token signed with the provider's key, with changes to header and claims; `null` takes a member out.
fn forged(scene: &Scene, header: Value, claims: Value) -> String {
    let key = scene.provider.key();
    let change = |mut object: Value, changes: Value| {
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                object.as_object_mut().unwrap().remove(name);
            } else {
                object[name] = value.clone();
            }
        }
        object
    };
    let usual = json!({"alg": key.algorithm(), "typ": "at+jwt", "kid": key.id()});
    key.sign(
        &change(usual, header),
        &change(scene.provider.claims("anna", AUDIENCE), claims),
    )
}

#[test]
fn every_refusal_has_its_code() {
    let scene = Scene::new();
    let no = || json!({});
    for (header, claims, code) in [
        (no(), no(), "kommun:anna"),
        (json!({"typ": "JWT"}), no(), "kommun:anna"),
        (json!({"typ": null}), no(), "kommun:anna"),
        (json!({"typ": "logout+jwt"}), no(), "wrong-type"),
        (no(), json!({"typ": "ID"}), "wrong-type"),
        (no(), json!({"cnf": {"jkt": "x"}}), "proof-required"),
        (json!({"crit": ["exp"]}), no(), "malformed"),
        (json!({"b64": false}), no(), "malformed"),
        (json!({"alg": "none"}), no(), "wrong-algorithm"),
        (json!({"alg": "HS256"}), no(), "wrong-algorithm"),
        (json!({"alg": null}), no(), "wrong-algorithm"),
        (json!({"alg": "ES384"}), no(), "wrong-algorithm"),
        (json!({"alg": "ES256"}), no(), "bad-signature"),
        (json!({"kid": "other"}), no(), "unknown-key"),
        (json!({"kid": null}), no(), "kommun:anna"),
        (
            no(),
            json!({"iss": "https://other.example"}),
            "unknown-issuer",
        ),
        (no(), json!({"iss": null}), "unknown-issuer"),
        (
            no(),
            json!({"iss": [scene.provider.issuer()]}),
            "unknown-issuer",
        ),
        (
            no(),
            json!({"iss": format!("{}/", scene.provider.issuer())}),
            "unknown-issuer",
        ),
        (no(), json!({"aud": "other"}), "wrong-audience"),
        (no(), json!({"aud": ["other", AUDIENCE]}), "kommun:anna"),
        (no(), json!({"aud": null}), "missing-claim"),
        (no(), json!({"exp": null}), "missing-claim"),
        (no(), json!({"iat": null}), "missing-claim"),
        (no(), json!({"sub": null}), "missing-claim"),
        (no(), json!({"sub": 7}), "malformed"),
        (no(), json!({"exp": "soon"}), "malformed"),
        (no(), json!({"exp": START - 60}), "expired"),
        (no(), json!({"exp": START - 59}), "kommun:anna"),
        (no(), json!({"nbf": START + 61}), "not-yet-valid"),
        (no(), json!({"nbf": START + 60}), "kommun:anna"),
        (no(), json!({"iat": START + 61}), "not-yet-valid"),
        (no(), json!({"iat": START - 86_460}), "too-old"),
        (no(), json!({"iat": START - 86_459}), "kommun:anna"),
    ] {
        let told = format!("{header} {claims}");
        assert_eq!(
            scene.verify(&forged(&scene, header, claims)),
            code,
            "{told}"
        );
    }
    for text in ["", "gd_token", "a.b.c", "....", &"a.".repeat(10_000)] {
        assert_eq!(scene.verify(text), "malformed");
    }
}

#[test]
fn a_strict_issuer_wants_the_type_of_an_access_token() {
    let scene = Scene::with(|settings| settings.strict_type = true);
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    for other in [json!("JWT"), Value::Null] {
        assert_eq!(
            scene.verify(&forged(&scene, json!({"typ": other}), json!({}))),
            "wrong-type"
        );
    }
}

#[test]
fn a_public_key_is_no_secret_and_no_signature_is_none() {
    let scene = Scene::new();
    let key = scene.provider.key();
    let claims = scene.provider.claims("anna", AUDIENCE);
    assert_eq!(scene.verify(&scene.token()), "kommun:anna");
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for secret in [key.public().to_vec(), key.jwk().to_string().into_bytes()] {
        for header in [
            json!({"alg": "HS256", "typ": "at+jwt", "kid": key.id()}),
            json!({"alg": "HS256", "typ": "at+jwt"}),
        ] {
            let signed = format!("{}.{}", part(&header), part(&claims));
            let tag = hmac::sign(
                &hmac::Key::new(hmac::HMAC_SHA256, &secret),
                signed.as_bytes(),
            );
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
            assert_eq!(scene.verify(&token), "wrong-algorithm");
        }
    }
    let signed = format!("{}.{}", part(&json!({"alg": "none"})), part(&claims));
    assert_eq!(scene.verify(&format!("{signed}.")), "wrong-algorithm");
    let good = scene.token();
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(scene.verify(&format!("{signed}.")), "bad-signature");
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let scene = Scene::new();
    let mine = SigningKey::p256("mine");
    let claims = scene.provider.claims("anna", AUDIENCE);
    let mut header = json!({
        "alg": "ES256", "typ": "at+jwt", "jwk": mine.jwk(),
        "jku": "https://evil.example/keys", "x5u": "https://evil.example/chain", "x5c": ["AA"],
    });
    assert_eq!(scene.verify(&mine.sign(&header, &claims)), "unknown-key");
    header["kid"] = json!(scene.provider.key().id());
    assert_eq!(scene.verify(&mine.sign(&header, &claims)), "bad-signature");
}

#[test]
fn nothing_can_be_changed_after_signing() {
    let scene = Scene::new();
    let token = scene.token();
    let claims = scene.provider.claims("another", AUDIENCE).to_string();
    let parts: Vec<&str> = token.split('.').collect();
    let swapped = format!(
        "{}.{}.{}",
        parts[0],
        URL_SAFE_NO_PAD.encode(claims),
        parts[2]
    );
    assert_eq!(scene.verify(&swapped), "bad-signature");
    assert_eq!(scene.verify(&format!("{token}.a.b")), "malformed");
}

#[test]
fn no_refusal_holds_anything_of_the_token() {
    for refused in Refused::ALL {
        let text = refused.to_string();
        assert!(
            text.len() > 20 && !text.contains("eyJ") && !text.contains('{'),
            "{text}"
        );
    }
}
