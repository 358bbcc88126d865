//! Keys that sign, made where they are needed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

/// A key that signs.
#[derive(Debug)]
pub struct SigningKey {
    id: String,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa { pair: RsaKeyPair, pss: bool },
}

impl SigningKey {
    /// A new Ed25519 key (EdDSA).
    ///
    /// # Panics
    /// When the system gives no random bits.
    #[must_use]
    pub fn ed25519(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("random bits");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key just made");
        Self {
            id: id.to_owned(),
            pair: Pair::Ed25519(pair),
        }
    }

    /// A new key on P-256 (ES256).
    ///
    /// # Panics
    /// When the system gives no random bits.
    #[must_use]
    pub fn p256(id: &str) -> Self {
        let (how, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(how, &random).expect("random bits");
        let pair =
            EcdsaKeyPair::from_pkcs8(how, document.as_ref(), &random).expect("a key just made");
        Self {
            id: id.to_owned(),
            pair: Pair::P256(pair),
        }
    }

    /// An RSA key made elsewhere (PKCS#8, DER): PS256 or RS256.
    ///
    /// # Panics
    /// When it is no such key, or a short one.
    #[must_use]
    pub fn rsa(id: &str, pkcs8: &[u8], pss: bool) -> Self {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).expect("an RSA key of 2048 bits or more");
        Self {
            id: id.to_owned(),
            pair: Pair::Rsa { pair, pss },
        }
    }

    /// Its id (`kid`).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The algorithm that it signs with (`alg`).
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::P256(_) => "ES256",
            Pair::Rsa { pss: true, .. } => "PS256",
            Pair::Rsa { pss: false, .. } => "RS256",
        }
    }

    /// The public half, as bytes: that of Ed25519, the point, or PKCS#1.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::P256(pair) => pair.public_key().as_ref(),
            Pair::Rsa { pair, .. } => pair.public_key().as_ref(),
        }
    }

    /// The public half as a JSON Web Key.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut key = match &self.pair {
            Pair::Ed25519(_) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.public())})
            }
            Pair::P256(_) => {
                let (_, point) = self.public().split_at(1);
                let (x, y) = point.split_at(32);
                json!({
                    "kty": "EC", "crv": "P-256",
                    "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
                })
            }
            Pair::Rsa { pair, .. } => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({
                    "kty": "RSA",
                    "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
                })
            }
        };
        if let Some(key) = key.as_object_mut() {
            key.insert("kid".to_owned(), json!(self.id));
            key.insert("use".to_owned(), json!("sig"));
            key.insert("alg".to_owned(), json!(self.algorithm()));
        }
        key
    }

    /// A token with this header and these claims, whatever they are.
    ///
    /// # Panics
    /// When the system gives no random bits.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let message = signed.as_bytes();
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) => pair
                .sign(&random, message)
                .expect("random bits")
                .as_ref()
                .to_vec(),
            Pair::Rsa { pair, pss } => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let how: &'static dyn RsaEncoding = if *pss {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                pair.sign(how, &random, message, &mut signature)
                    .expect("random bits");
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
