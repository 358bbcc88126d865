//! The keys that an issuer publishes: a JSON Web Key Set, of which only what can check a signature is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::Value;

use crate::{Algorithm, Refused};

/// The most keys in a set.
pub(crate) const MOST_KEYS: usize = 100;
/// The most keys of one id that a signature is checked with.
const MOST_OF_ONE_ID: usize = 4;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a document is no set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("the document is no JSON Web Key Set")]
    Malformed,
    #[error("the set holds more than {MOST_KEYS} keys")]
    TooMany,
}

/// An issuer's keys.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The one algorithm that the key is for, where the issuer says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The parts of a key that are read. Others, private ones among them, are not.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that cannot check a signature, or are too short, are left out: a set may hold keys for other
    /// uses.
    pub(crate) fn read(document: &[u8]) -> Result<Self, KeySetError> {
        let document: Document =
            serde_json::from_slice(document).map_err(|_| KeySetError::Malformed)?;
        if document.keys.len() > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys = document
            .keys
            .into_iter()
            .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
            .filter_map(Key::read)
            .collect();
        Ok(Self { keys })
    }

    /// How many keys can be used.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Checks a signature with the key named, or with the only one that fits where none is named.
    pub(crate) fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Refused> {
        let fitting: Vec<&Key> = match id {
            Some(id) => {
                let named: Vec<&Key> = self
                    .keys
                    .iter()
                    .filter(|key| key.id.as_deref() == Some(id))
                    .collect();
                if named.is_empty() {
                    return Err(Refused::UnknownKey);
                }
                named
                    .into_iter()
                    .filter(|key| key.fits(algorithm))
                    .take(MOST_OF_ONE_ID)
                    .collect()
            }
            None => {
                let fitting: Vec<&Key> =
                    self.keys.iter().filter(|key| key.fits(algorithm)).collect();
                if fitting.len() != 1 {
                    return Err(Refused::UnknownKey);
                }
                fitting
            }
        };
        if fitting
            .iter()
            .any(|key| key.verifies(algorithm, signed, signature))
        {
            Ok(())
        } else {
            Err(Refused::BadSignature)
        }
    }
}

impl Key {
    fn read(jwk: Jwk) -> Option<Self> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        if jwk
            .key_ops
            .is_some_and(|operations| !operations.iter().any(|name| name == "verify"))
        {
            return None;
        }
        // A key for an algorithm that is not known here is for nothing here.
        let algorithm = match jwk.alg {
            Some(name) => Some(Algorithm::named(&name)?),
            None => None,
        };
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let modulus = number(jwk.n.as_deref()?)?;
                if !RSA_BITS.contains(&bits(&modulus)) {
                    return None;
                }
                Material::Rsa {
                    modulus,
                    exponent: number(jwk.e.as_deref()?)?,
                }
            }
            ("EC", Some("P-256")) => {
                Material::P256(point(jwk.x.as_deref()?, jwk.y.as_deref()?, 32)?)
            }
            ("EC", Some("P-384")) => {
                Material::P384(point(jwk.x.as_deref()?, jwk.y.as_deref()?, 48)?)
            }
            ("OKP", Some("Ed25519")) => {
                Material::Ed25519(decoded(jwk.x.as_deref()?).filter(|x| x.len() == 32)?)
            }
            _ => return None,
        };
        Some(Self {
            id: jwk.kid,
            algorithm,
            material,
        })
    }

    /// Whether the key is one for the algorithm: the kind of key decides, never the token.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match self.material {
            Material::Rsa { .. } => algorithm.rsa().is_some(),
            Material::P256(_) => algorithm == Algorithm::ES256,
            Material::P384(_) => algorithm == Algorithm::ES384,
            Material::Ed25519(_) => algorithm == Algorithm::EdDSA,
        };
        kind && self.algorithm.is_none_or(|only| only == algorithm)
    }

    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let plain = |how: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key)
                .verify(signed, signature)
                .is_ok()
        };
        match &self.material {
            Material::Rsa { modulus, exponent } => algorithm.rsa().is_some_and(|how| {
                RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                }
                .verify(how, signed, signature)
                .is_ok()
            }),
            Material::P256(key) => plain(&signature::ECDSA_P256_SHA256_FIXED, key),
            Material::P384(key) => plain(&signature::ECDSA_P384_SHA384_FIXED, key),
            Material::Ed25519(key) => plain(&signature::ED25519, key),
        }
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// An unsigned number without leading zeros.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = decoded(text)?;
    let number: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    (!number.is_empty()).then_some(number)
}

fn bits(number: &[u8]) -> usize {
    let unused = number
        .first()
        .map_or(0, |first| first.leading_zeros() as usize);
    (number.len() * 8).saturating_sub(unused)
}

/// An uncompressed point of a curve. Whether it lies on the curve is checked with the signature.
fn point(x: &str, y: &str, size: usize) -> Option<Vec<u8>> {
    let (x, y) = (decoded(x)?, decoded(y)?);
    (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(keys: Value) -> KeySet {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn rsa(bits: usize) -> Value {
        json!({"kty": "RSA", "kid": "a", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(vec![0xff; bits / 8])})
    }

    #[test]
    fn the_example_of_the_standard_verifies() {
        // RFC 7515, A.2.
        let keys = set(json!([{
            "kty": "RSA", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        }]));
        let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = decoded("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw").unwrap();
        let check =
            |algorithm, signed: &str| keys.verify(None, algorithm, signed.as_bytes(), &signature);
        assert_eq!(check(Algorithm::RS256, signed), Ok(()));
        assert_eq!(check(Algorithm::PS256, signed), Err(Refused::BadSignature));
        assert_eq!(
            check(Algorithm::RS256, "eyJhbGciOiJSUzI1NiJ9.e30"),
            Err(Refused::BadSignature)
        );
    }

    #[test]
    fn only_keys_that_can_check_a_signature_are_kept() {
        for (key, kept) in [
            (rsa(2048), 1),
            (rsa(1024), 0),
            (rsa(2040), 0),
            (rsa(16_384), 0),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), 0),
            (json!({"kty": "OKP", "crv": "X25519", "x": "AA"}), 0),
            (json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}), 0),
            (
                json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
                0,
            ),
            (
                json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
                0,
            ),
            (json!("no key"), 0),
        ] {
            assert_eq!(set(json!([key])).len(), kept, "{key:.60}");
        }
        for (name, value, kept) in [
            ("use", json!("enc"), 0),
            ("use", json!("sig"), 1),
            ("key_ops", json!(["encrypt"]), 0),
            ("key_ops", json!(["verify"]), 1),
            ("alg", json!("RSA-OAEP"), 0),
            ("alg", json!("PS256"), 1),
        ] {
            let mut key = rsa(2048);
            key[name] = value;
            assert_eq!(set(json!([key])).len(), kept, "{name}");
        }
        let padded = URL_SAFE_NO_PAD.encode([vec![0; 200], vec![0xff; 128]].concat());
        let short = json!({"kty": "RSA", "e": "AQAB", "n": padded});
        assert_eq!(
            set(json!([short])).len(),
            0,
            "leading zeros lengthen nothing"
        );
    }

    #[test]
    fn what_is_no_set_is_an_error_and_an_empty_set_is_a_set() {
        for bad in ["", "[]", "{}", "<html>", r#"{"keys":{}}"#] {
            assert_eq!(
                KeySet::read(bad.as_bytes()).err(),
                Some(KeySetError::Malformed),
                "{bad}"
            );
        }
        let many = json!({"keys": vec![Value::Null; MOST_KEYS + 1]}).to_string();
        assert_eq!(
            KeySet::read(many.as_bytes()).err(),
            Some(KeySetError::TooMany)
        );
        assert_eq!(set(json!([])).len(), 0);
    }

    #[test]
    fn a_key_is_chosen_by_name_and_kind() {
        let mut second = rsa(2048);
        second["kid"] = json!("b");
        let one = set(json!([rsa(2048)]));
        let two = set(json!([rsa(2048), second]));
        let check =
            |keys: &KeySet, id, algorithm| keys.verify(id, algorithm, b"x", b"y").unwrap_err();
        assert_eq!(check(&one, None, Algorithm::RS256), Refused::BadSignature);
        assert_eq!(check(&two, None, Algorithm::RS256), Refused::UnknownKey);
        assert_eq!(
            check(&two, Some("b"), Algorithm::RS256),
            Refused::BadSignature
        );
        assert_eq!(
            check(&two, Some("c"), Algorithm::RS256),
            Refused::UnknownKey
        );
        assert_eq!(
            check(&one, Some("a"), Algorithm::ES256),
            Refused::BadSignature
        );
        assert_eq!(check(&one, None, Algorithm::ES256), Refused::UnknownKey);
    }
}
