//! From the words of a question to the words of the vocabulary that may be meant.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::Text;

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::Sql;
use crate::write::{deletions, is_eligible};

/// The most words that one mistyped word stands for.
const NEAR: usize = 12;

/// A word of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    /// As asked, folded: found as it is and as the beginning of a word.
    pub(crate) word: String,
    /// Words of the vocabulary that differ by a typing error, when nobody is called what was asked.
    pub(crate) near: Vec<String>,
}

impl Reader<'_> {
    /// Looks the words up in the vocabulary of the owners. A word that is there, or begins one that is there, is meant;
    /// any other stands for those nearest to it.
    pub(crate) fn terms(
        &mut self,
        words: &[String],
        owners: &[&str],
        domain: i16,
    ) -> Result<Vec<Term>, StoreError> {
        let mut terms = Vec::with_capacity(words.len());
        for word in words {
            let near = if is_eligible(word) && !self.is_known(word, owners, domain)? {
                self.near(word, owners, domain)?
            } else {
                Vec::new()
            };
            terms.push(Term {
                word: word.clone(),
                near,
            });
        }
        Ok(terms)
    }

    fn is_known(&mut self, word: &str, owners: &[&str], domain: i16) -> Result<bool, StoreError> {
        let mut sql = Sql::<(Text,)>::new("SELECT t.word FROM term t WHERE t.owner IN ");
        sql.texts(owners.iter().copied())
            .push(" AND t.domain = ")
            .small(domain);
        sql.push(" AND t.word >= ")
            .text(word)
            .push(" AND t.word < ")
            .text(end_of_prefix(word))
            .push(" LIMIT 1");
        let found: Option<(String,)> = self.connection.first(&sql)?;
        Ok(found.is_some())
    }

    fn near(
        &mut self,
        word: &str,
        owners: &[&str],
        domain: i16,
    ) -> Result<Vec<String>, StoreError> {
        let mut sql =
            Sql::<(Text,)>::new("SELECT DISTINCT v.word FROM term_variant v WHERE v.owner IN ");
        sql.texts(owners.iter().copied())
            .push(" AND v.domain = ")
            .small(domain);
        sql.push(" AND v.deletion IN ")
            .texts(deletions(word))
            .push(" LIMIT 1000");
        let found: Vec<(String,)> = self.connection.load(&sql)?;
        let mut by_distance: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for (candidate,) in found {
            // Two errors only in a long word.
            let most = if word.chars().count() >= 8 { 2 } else { 1 };
            let distance = strsim::damerau_levenshtein(word, &candidate);
            if distance <= most {
                by_distance.entry(distance).or_default().insert(candidate);
            }
        }
        Ok(by_distance.into_values().flatten().take(NEAR).collect())
    }
}

/// The first text after all that begin with the given one.
pub(crate) fn end_of_prefix(prefix: &str) -> String {
    // U+10FFFF is no character and stands after every other in UTF-8.
    format!("{prefix}\u{10ffff}")
}
