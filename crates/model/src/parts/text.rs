//! Texts with a form of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::format::text::{check_bcp47, check_decimal, check_time_of_day};
use crate::identifiers::identifier;

fn trim(text: &str) -> String {
    text.trim().to_owned()
}

identifier! {
    /// A decimal number as text, so that no digit is lost: `"12.50"`.
    Decimal, trim, check_decimal
}

identifier! {
    /// A time of day, `HH:MM`; `24:00` is the end of the day.
    TimeOfDay, trim, check_time_of_day
}

identifier! {
    /// A language tag, BCP 47, by its syntax.
    LanguageTag, trim, check_bcp47
}

/// A text in one or several languages, by language tag (BCP 47): at least one in a valid record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LangString(pub BTreeMap<String, String>);

impl LangString {
    /// A Swedish text.
    #[must_use]
    pub fn sv(text: impl Into<String>) -> Self {
        Self::default().with("sv", text)
    }

    /// With the text in one more language.
    #[must_use]
    pub fn with(mut self, language: impl Into<String>, text: impl Into<String>) -> Self {
        self.0.insert(language.into(), text.into());
        self
    }

    /// The text in the language, else in Swedish, else in any.
    #[must_use]
    pub fn in_language(&self, language: &str) -> Option<&str> {
        self.0
            .get(language)
            .or_else(|| self.0.get("sv"))
            .or_else(|| self.0.values().next())
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_back_to_swedish_and_then_to_any() {
        let name = LangString::sv("Umeå kommun").with("en", "Umeå Municipality");
        assert_eq!(name.in_language("en"), Some("Umeå Municipality"));
        assert_eq!(name.in_language("fi"), Some("Umeå kommun"));
        assert_eq!(
            LangString::default().with("se", "Ubmi").in_language("en"),
            Some("Ubmi")
        );
        assert_eq!(LangString::default().in_language("sv"), None);
    }
}
