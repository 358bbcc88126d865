//! The words of an owner's texts, kept so that a search can find what was nearly typed.
//!
//! Each word is stored under itself and under every word that is left when one letter is taken away (the idea of
//! SymSpell): two words that differ by one insertion, deletion, substitution or transposition share such a form.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use parking_lot::Mutex;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::Bind;
use crate::write::statements::insert_missing;

/// Words whose rows a batch has written, to be [learnt](Vocabulary::learn) once it is committed.
pub(crate) type NewWords = Vec<(i16, String)>;

/// Which words this process knows to be stored, so that the same first name is not offered to the database each time.
pub(crate) struct Vocabulary {
    known: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

/// The most words remembered; then it is forgotten and learnt again (a few MiB).
const REMEMBERED: usize = 200_000;
/// Shorter words are not corrected: too many are alike.
const SHORTEST: usize = 4;
const LONGEST: usize = 40;

/// Whether a word takes part: letters alone (a number that is nearly right is another number).
pub(crate) fn is_eligible(word: &str) -> bool {
    let mut letters = 0;
    word.chars().all(|char| {
        letters += 1;
        char.is_alphabetic()
    }) && (SHORTEST..=LONGEST).contains(&letters)
}

/// The word itself and every form with one letter less.
pub(crate) fn deletions(word: &str) -> Vec<String> {
    let mut forms = vec![word.to_owned()];
    for (at, char) in word.char_indices() {
        let (before, rest) = word.split_at(at);
        let after = rest.get(char.len_utf8()..).unwrap_or_default();
        let form = format!("{before}{after}");
        // Taking either of two equal letters gives the same form.
        if forms.last() != Some(&form) {
            forms.push(form);
        }
    }
    forms
}

impl Vocabulary {
    pub(crate) fn new() -> Self {
        Self {
            known: Mutex::new(HashSet::new()),
            hasher: RandomState::new(),
        }
    }

    fn key(&self, owner: &str, domain: i16, word: &str) -> u64 {
        self.hasher.hash_one((owner, domain, word))
    }

    /// The words that are perhaps not stored yet.
    pub(crate) fn unknown<'a>(
        &self,
        owner: &str,
        words: &HashSet<(i16, &'a str)>,
    ) -> Vec<(i16, &'a str)> {
        let known = self.known.lock();
        let mut unknown: Vec<_> = words
            .iter()
            .filter(|(domain, word)| !known.contains(&self.key(owner, *domain, word)))
            .copied()
            .collect();
        unknown.sort_unstable();
        unknown
    }

    /// Notes words whose rows are committed.
    pub(crate) fn learn(&self, owner: &str, words: impl IntoIterator<Item = (i16, String)>) {
        let mut known = self.known.lock();
        for (domain, word) in words {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(self.key(owner, domain, &word));
        }
    }

    /// Forgets words whose rows are removed: whoever brings one again brings its rows.
    pub(crate) fn forget(&self, owner: &str, words: &[(i16, String)]) {
        if words.is_empty() {
            return;
        }
        let mut known = self.known.lock();
        for (domain, word) in words {
            known.remove(&self.key(owner, *domain, word));
        }
    }
}

/// Writes the words that are perhaps not stored yet, with what near words are found by; which these were.
pub(crate) fn write_words(
    connection: &mut Connection,
    vocabulary: &Vocabulary,
    owner: &str,
    words: &HashSet<(i16, &str)>,
) -> Result<NewWords, StoreError> {
    let unknown = vocabulary.unknown(owner, words);
    if unknown.is_empty() {
        return Ok(NewWords::new());
    }
    let row = |domain: i16, parts: &[&str]| {
        let mut row = vec![Bind::Text(owner.to_owned().into()), Bind::Small(domain)];
        row.extend(
            parts
                .iter()
                .map(|part| Bind::Text((*part).to_owned().into())),
        );
        row
    };
    let terms = unknown
        .iter()
        .map(|(domain, word)| row(*domain, &[word]))
        .collect();
    insert_missing(connection, "term (owner, domain, word)", terms)?;
    let mut variants = Vec::with_capacity(unknown.len() * 8);
    for (domain, word) in &unknown {
        variants.extend(
            deletions(word)
                .iter()
                .map(|form| row(*domain, &[form, word])),
        );
    }
    insert_missing(
        connection,
        "term_variant (owner, domain, deletion, word)",
        variants,
    )?;
    Ok(unknown
        .into_iter()
        .map(|(domain, word)| (domain, word.to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_share_a_form() {
        let share = |one: &str, other: &str| {
            deletions(one)
                .iter()
                .any(|form| deletions(other).contains(form))
        };
        for near in ["anderson", "anderssn", "anderssson", "adnersson"] {
            assert!(share("andersson", near), "{near}");
        }
        assert!(!share("andersson", "svensson"));
        assert!(deletions("åäö").contains(&"åö".to_owned()));
    }

    #[test]
    fn numbers_and_short_words_take_no_part() {
        assert!(is_eligible("åker"));
        for word in ["åk", "3b", "19121212", "abc1"] {
            assert!(!is_eligible(word), "{word}");
        }
    }
}
