//! How the values of an identifier scheme are brought to the form that is stored and looked up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The `normalisation` of an identifier scheme (`docs/annotations.md`, Code lists).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalisation {
    /// As it is.
    None,
    /// White space around it is removed.
    Trim,
    /// Separators are removed: white space, hyphens, plus, points, colons, slashes and brackets. What is neither digit
    /// nor separator stays, so that the check that follows refuses it instead of a wrong number passing.
    Digits,
    /// Trimmed, upper case.
    Upper,
    /// Trimmed, lower case.
    Lower,
    /// A UUID in any usual spelling becomes lower-case and hyphenated; anything else trimmed lower case.
    Uuid,
    /// Trimmed, and white space inside becomes single spaces.
    Squeeze,
}

impl Normalisation {
    /// All of them.
    pub const ALL: [Normalisation; 7] = [
        Self::None,
        Self::Trim,
        Self::Digits,
        Self::Upper,
        Self::Lower,
        Self::Uuid,
        Self::Squeeze,
    ];

    /// The name in the code list.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Trim => "trim",
            Self::Digits => "digits",
            Self::Upper => "upper",
            Self::Lower => "lower",
            Self::Uuid => "uuid",
            Self::Squeeze => "squeeze",
        }
    }

    /// The normal form of the value. Normalising it again changes nothing.
    #[must_use]
    pub fn normalise(self, value: &str) -> String {
        let trimmed = value.trim();
        match self {
            Self::None => value.to_owned(),
            Self::Trim => trimmed.to_owned(),
            Self::Digits => value.chars().filter(|char| !is_separator(*char)).collect(),
            Self::Upper => trimmed.to_uppercase(),
            Self::Lower => trimmed.to_lowercase(),
            Self::Uuid => match trimmed.parse::<Uuid>() {
                Ok(uuid) => uuid.hyphenated().to_string(),
                Err(_) => trimmed.to_lowercase(),
            },
            Self::Squeeze => value.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }
}

/// White space, and the characters that people write between groups of digits (with the hyphens and dashes that word
/// processors make).
pub(crate) fn is_separator(char: char) -> bool {
    char.is_whitespace() || is_hyphen(char) || "+.:/()".contains(char)
}

/// The hyphen-minus and its look-alikes.
pub(crate) fn is_hyphen(char: char) -> bool {
    matches!(char, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}')
}

impl fmt::Display for Normalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such normalisation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no normalisation {given:?}: write none, trim, digits, upper, lower, uuid or squeeze"
)]
pub struct UnknownNormalisation {
    /// What was given.
    pub given: String,
}

impl FromStr for Normalisation {
    type Err = UnknownNormalisation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|normalisation| normalisation.as_str() == name)
            .ok_or_else(|| UnknownNormalisation {
                given: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_does_what_it_says() {
        let normalise =
            |name: &str, value: &str| name.parse::<Normalisation>().unwrap().normalise(value);
        assert_eq!(normalise("none", " a "), " a ");
        assert_eq!(normalise("trim", " a "), "a");
        assert_eq!(normalise("digits", " 19900101–1234 "), "199001011234");
        assert_eq!(normalise("digits", "1990x0101"), "1990x0101");
        assert_eq!(normalise("upper", "se12-å "), "SE12-Å");
        assert_eq!(normalise("lower", "A@B.se"), "a@b.se");
        assert_eq!(
            normalise("uuid", "{0190A6B2-7C00-7ABC-8DEF-0123456789AB}"),
            "0190a6b2-7c00-7abc-8def-0123456789ab"
        );
        assert_eq!(normalise("squeeze", "  UMEÅ \t ÖN  1:2"), "UMEÅ ÖN 1:2");
        assert!("x".parse::<Normalisation>().is_err());
        for normalisation in Normalisation::ALL {
            assert_eq!(
                serde_json::to_value(normalisation).unwrap(),
                normalisation.as_str()
            );
        }
    }

    proptest! {
        #[test]
        fn twice_is_once(value in any::<String>()) {
            for normalisation in Normalisation::ALL {
                let once = normalisation.normalise(&value);
                prop_assert_eq!(normalisation.normalise(&once), once.clone(), "{}", normalisation);
            }
        }
    }
}
