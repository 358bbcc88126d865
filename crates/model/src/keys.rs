//! Short text keys: the owner of a record and the scheme of an identifier. Cheap to clone; they go everywhere.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an owner key.
    #[error(
        "{given:?} is not an owner key: write 1 to 63 characters of a-z, 0-9 and hyphen, the first one no hyphen, such as se-2480"
    )]
    Owner {
        /// What was given.
        given: String,
    },
    /// Not the code of an identifier scheme.
    #[error(
        "{given:?} is not an identifier scheme: write 1 to 100 characters without white space, such as se-organisation-number or source:NAME"
    )]
    Scheme {
        /// What was given.
        given: String,
    },
}

macro_rules! text_key {
    ($(#[$doc:meta])* $name:ident, $error:ident, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and keeps it.
            ///
            /// # Errors
            /// [`KeyError`] when the text does not have the form.
            pub fn new(text: &str) -> Result<Self, KeyError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(KeyError::$error { given: text.chars().take(100).collect() })
                }
            }

            /// The key as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = KeyError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                key.0.as_ref().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_key! {
    /// The stable key of an owner, such as `se-2480`: `[a-z0-9][a-z0-9-]{0,62}`. Tenant key and shard key.
    OwnerKey, Owner, |text| {
        text.len() <= 63
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !text.is_empty()
            && !text.starts_with('-')
    }
}

text_key! {
    /// The code of an identifier scheme, such as `se-organisation-number` or `source:NAME`. Whether the scheme exists
    /// is for the information model to say; here only the form is checked.
    SchemeCode, Scheme, |text| {
        !text.is_empty()
            && text.len() <= 100
            && !text.chars().any(|char| char.is_whitespace() || char.is_control())
    }
}

impl SchemeCode {
    /// The name of the source system where the scheme is `source:NAME`.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.0.strip_prefix("source:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_keys_are_short_lower_case_words() {
        for good in ["a", "se-2480", "0", "x--", &"a".repeat(63)] {
            assert_eq!(OwnerKey::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "SE-2480", "se_2480", "å", "a b", &"a".repeat(64)] {
            assert!(OwnerKey::new(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<OwnerKey>("\"SE\"").is_err());
    }

    #[test]
    fn scheme_codes_say_their_source() {
        assert_eq!(SchemeCode::new("source:hr").unwrap().source(), Some("hr"));
        assert_eq!(SchemeCode::new("gln").unwrap().source(), None);
        assert!(SchemeCode::new("a b").is_err());
    }
}
