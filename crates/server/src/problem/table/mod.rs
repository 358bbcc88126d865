//! The one table of problem types: code, HTTP status, titles and the cure, in English and Swedish.
//!
//! A code, once published, never changes its meaning; `GET /api/v1/problems/{code}` serves this table.

mod access;
mod loads;
mod records;
mod request;

use std::sync::LazyLock;

/// A text in the two languages of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Swedish.
    pub sv: &'static str,
    /// English.
    pub en: &'static str,
}

/// One problem type.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// Stable, kebab-case; the last segment of the problem's `type`.
    pub code: &'static str,
    /// HTTP status (RFC 9110, RFC 6585).
    pub status: u16,
    /// What happened, in a few words.
    pub title: Text,
    /// What to do about it.
    pub cure: Text,
}

const fn row(
    code: &'static str,
    status: u16,
    en: &'static str,
    sv: &'static str,
    cure_en: &'static str,
    cure_sv: &'static str,
) -> ProblemType {
    ProblemType {
        code,
        status,
        title: Text { sv, en },
        cure: Text {
            sv: cure_sv,
            en: cure_en,
        },
    }
}

/// The type for everything that is our fault.
pub(crate) fn internal() -> &'static ProblemType {
    static INTERNAL: ProblemType = INTERNAL_ROW;
    &INTERNAL
}

const INTERNAL_ROW: ProblemType = row(
    "internal",
    500,
    "Internal error",
    "Internt fel",
    "The fault is on this side. Try again; if it persists, report the instance id to the operator.",
    "Felet ligger hos oss. Försök igen; om felet kvarstår, meddela driften ärendets id (instance).",
);

/// The entry for `code`.
#[must_use]
pub fn find(code: &str) -> Option<&'static ProblemType> {
    let types = types();
    let at = types.binary_search_by(|kind| kind.code.cmp(code)).ok()?;
    types.get(at).copied()
}

/// Every problem type, ordered by code.
#[must_use]
pub fn types() -> &'static [&'static ProblemType] {
    static ALL: LazyLock<Vec<&ProblemType>> = LazyLock::new(|| {
        let mut all: Vec<&ProblemType> =
            [access::TYPES, loads::TYPES, records::TYPES, request::TYPES]
                .into_iter()
                .flatten()
                .collect();
        all.sort_unstable_by_key(|kind| kind.code);
        all
    });
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_there_once_and_complete() {
        for pair in types().windows(2) {
            assert!(
                pair[0].code < pair[1].code,
                "{} stands beside {}",
                pair[0].code,
                pair[1].code
            );
        }
        for kind in types() {
            assert!((400..600).contains(&kind.status), "{}", kind.code);
            assert!(
                kind.code
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '-'),
                "{}",
                kind.code
            );
            for text in [kind.title, kind.cure] {
                assert!(!text.en.is_empty() && !text.sv.is_empty(), "{}", kind.code);
            }
            assert!(
                kind.cure.en.len() > 20 && kind.cure.sv.len() > 20,
                "{} has no cure",
                kind.code
            );
            assert_eq!(find(kind.code), Some(*kind));
        }
    }

    #[test]
    fn every_refusal_of_the_registry_has_its_type() {
        for code in grunddata_registry::Code::ALL {
            assert!(find(code.as_str()).is_some(), "{code} is not in the table");
        }
    }
}
