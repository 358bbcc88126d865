//! The compact form of a JWT, taken apart without believing anything in it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::Refused;

/// The longest token that is looked at, in bytes.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// A token whose signature has not been checked.
pub(crate) struct Unverified<'a> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// What the signature is over.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

/// Whether this has the outer form of a JWT, signed or encrypted. The registry's own tokens have no full stops.
pub(crate) fn looks_like_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() >= 2
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(crate) fn read(token: &'a str) -> Result<Self, Refused> {
        if token.len() > LONGEST_TOKEN {
            return Err(Refused::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
        if claims.contains('.') {
            // Five parts: encrypted.
            return Err(Refused::Malformed);
        }
        let header = object(header)?;
        // An extension that must be understood; the marks of encryption and compression.
        if ["crit", "enc", "zip", "b64"]
            .iter()
            .any(|name| header.contains_key(*name))
        {
            return Err(Refused::Malformed);
        }
        let unverified = Self {
            header,
            claims: object(claims)?,
            signed: signed.as_bytes(),
            signature: decoded(signature)?,
        };
        for name in ["alg", "typ", "kid"] {
            if unverified
                .header
                .get(name)
                .is_some_and(|value| !value.is_string())
            {
                return Err(Refused::Malformed);
            }
        }
        Ok(unverified)
    }

    pub(crate) fn algorithm(&self) -> Option<&str> {
        self.parameter("alg")
    }

    pub(crate) fn media_type(&self) -> Option<&str> {
        self.parameter("typ")
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        self.parameter("kid")
    }

    /// Who is said to have issued it: only good for choosing whose keys to check it with.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// The claims, for one who has checked the signature.
    pub(crate) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, Refused> {
    serde_json::from_slice(&decoded(part)?).map_err(|_| Refused::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        )
    }

    #[test]
    fn the_registrys_own_tokens_do_not_look_like_a_jwt() {
        assert!(!looks_like_jwt("gd_Zm9vYmFyYmF6"));
        assert!(looks_like_jwt("a.b.c") && looks_like_jwt("a.b.c.d.e"));
    }

    #[test]
    fn what_is_no_signed_jwt_is_malformed() {
        let good = token(
            r#"{"alg":"ES256","jku":"https://evil.example"}"#,
            r#"{"iss":"x"}"#,
        );
        assert_eq!(Unverified::read(&good).unwrap().issuer(), Some("x"));
        let padded = good.replace("c2ln", "c2k=");
        let long = format!("{good}{}", "A".repeat(LONGEST_TOKEN));
        for bad in [
            "",
            "..",
            "a.b",
            "a.b.c",
            "a.b.c.d.e",
            &padded,
            &long,
            &token(r#"{"alg":"ES256","crit":["exp"]}"#, "{}"),
            &token(r#"{"alg":"ES256","crit":null}"#, "{}"),
            &token(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, "{}"),
            &token(r#"{"alg":"ES256","zip":"DEF"}"#, "{}"),
            &token(r#"{"alg":1}"#, "{}"),
            &token(r#"{"alg":"ES256","kid":7}"#, "{}"),
            &token("[]", "{}"),
            &token(r#"{"alg":"ES256"}"#, "[]"),
            &token(r#"{"alg":"ES256"}"#, "{"),
        ] {
            assert_eq!(
                Unverified::read(bad).err(),
                Some(Refused::Malformed),
                "{bad:.80}"
            );
        }
    }
}
