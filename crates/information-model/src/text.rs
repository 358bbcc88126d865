//! Texts in Swedish and English, and the search for the nearest known name.

use serde::{Deserialize, Serialize};

/// A text in both languages of the model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Swedish.
    pub sv: String,
    /// English.
    pub en: String,
}

/// The candidate that is most likely meant by `given`, or `None` when nothing is near enough to be worth naming.
/// Compares without regard to case, so that `birthdate` finds `birthDate`.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What a client can make long must not cost long: nobody misspells a name of more than 64 bytes.
    if given.is_empty() || given.len() > 64 {
        return None;
    }
    let given = given.to_lowercase();
    let mut best: Option<(f64, &'a str)> = None;
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        let mut likeness = strsim::normalized_damerau_levenshtein(&given, &lower);
        // `municipality` for `municipalityCode`: a long common beginning is a better sign than the edit distance.
        if given.len() >= 3 && (lower.starts_with(&given) || given.starts_with(&lower)) {
            likeness = likeness.max(0.75);
        }
        if likeness >= 0.6 && best.is_none_or(|(highest, _)| likeness > highest) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_and_far_ones_are_not() {
        let known = ["birthDate", "deathDate", "name", "addresses"];
        assert_eq!(nearest("birthdate", known), Some("birthDate"));
        assert_eq!(nearest("brithDate", known), Some("birthDate"));
        assert_eq!(nearest("adress", known), Some("addresses"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
        let long = "n".repeat(65);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }
}
