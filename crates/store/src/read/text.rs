//! From the words of a question to the words of the vocabulary that may be meant.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::NaiveDate;
use diesel::sql_types::Text;

use crate::coordinate::Coordinate;
use crate::dialect;
use crate::error::StoreError;
use crate::read::Reader;
use crate::read::search::StoreSearch;
use crate::sql::{Bind, Sql};
use crate::visibility::{Reach, Visibility};
use crate::write::{WORD, deletions, is_eligible};

/// The most words that one mistyped word stands for.
const NEAR: usize = 12;
/// Of how many words it is asked at once whether the reader sees them.
const CANDIDATES: usize = 48;

/// Where words are looked for, and by whom.
struct Seen<'a> {
    search: &'a StoreSearch,
    owners: &'a [&'a str],
    coordinate: &'a Coordinate,
    visibility: &'a Visibility,
    today: NaiveDate,
}

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
    ///
    /// Whether a word is there depends on nothing that the reader may not see: it stands in a record that is valid, known
    /// and visible at the coordinate, or it does not.
    pub(crate) fn terms(
        &mut self,
        search: &StoreSearch,
        owners: &[&str],
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<Vec<Term>, StoreError> {
        let seen = Seen {
            search,
            owners,
            coordinate,
            visibility,
            today: self.today(),
        };
        let mut terms = Vec::with_capacity(search.text.len());
        for word in &search.text {
            let near = if is_eligible(word) && !self.stands(word, &end_of_prefix(word), &seen)? {
                self.near(word, &seen)?
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

    /// Whether a record that the reader sees has a word from the first on and before the second.
    fn stands(&mut self, from: &str, to: &str, seen: &Seen<'_>) -> Result<bool, StoreError> {
        let mut sql = Sql::<(Text,)>::new("SELECT e.value");
        seen.push(&mut sql, dialect::ordered_join(self.connection));
        sql.push(" AND e.value >= ")
            .text(from)
            .push(" AND e.value < ")
            .text(to);
        sql.push(" LIMIT 1");
        let found: Option<(String,)> = self.connection.first(&sql)?;
        Ok(found.is_some())
    }

    /// Which of the words some record has that the reader sees.
    fn standing(
        &mut self,
        words: &[String],
        seen: &Seen<'_>,
    ) -> Result<HashSet<String>, StoreError> {
        let mut sql = Sql::<(Text,)>::new("SELECT w.column1 FROM ");
        let wanted = words.iter().map(|word| Bind::Text(word.as_str().into()));
        let padding = std::iter::repeat(Bind::Text("".into()));
        let size = words.len().next_power_of_two();
        let rows = wanted.chain(padding).take(size);
        sql.rows("w", rows.map(|word| vec![word]));
        sql.push(" WHERE EXISTS (SELECT 1");
        seen.push(&mut sql, dialect::ordered_join(self.connection));
        sql.push(" AND e.value = w.column1)");
        let found: Vec<(String,)> = self.connection.load(&sql)?;
        Ok(found.into_iter().map(|(word,)| word).collect())
    }

    /// The nearest words that the reader sees. What it does not see takes no place among them.
    fn near(&mut self, word: &str, seen: &Seen<'_>) -> Result<Vec<String>, StoreError> {
        let mut sql =
            Sql::<(Text,)>::new("SELECT DISTINCT v.word FROM term_variant v WHERE v.owner IN ");
        sql.texts(seen.owners.iter().copied())
            .push(" AND v.domain = ")
            .small(seen.search.domain.code());
        sql.push(" AND v.deletion IN ").texts(deletions(word));
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
        let candidates: Vec<String> = by_distance.into_values().flatten().collect();
        let mut near = Vec::with_capacity(NEAR);
        for chunk in candidates.chunks(CANDIDATES) {
            let standing = self.standing(chunk, seen)?;
            let standing = chunk.iter().filter(|word| standing.contains(*word));
            near.extend(standing.cloned());
            if near.len() >= NEAR {
                break;
            }
        }
        near.truncate(NEAR);
        Ok(near)
    }
}

impl<'q> Seen<'q> {
    /// The entries of words that stand where they are looked for, and are seen.
    fn push<T>(&'q self, sql: &mut Sql<'q, T>, join: &str) {
        let (known, day) = (&self.coordinate.known, self.coordinate.valid_at);
        sql.push(" FROM entry e")
            .push(join)
            .push("record r ON r.owner = e.owner AND r.id = e.record_id")
            .push(join);
        sql.push("state s ON s.owner = e.owner AND s.record_id = e.record_id WHERE e.owner IN ");
        sql.texts(self.owners.iter().copied())
            .push(" AND e.domain = ")
            .small(self.search.domain.code());
        sql.push(" AND e.property IN ")
            .texts(self.search.text_properties.iter().map(|name| &**name));
        sql.push(" AND e.mode = ").small(WORD);
        sql.push(" AND ").holds("e", "e.owner", known, day);
        sql.push(" AND ").holds("s", "e.owner", known, day);
        sql.push(" AND ");
        self.visibility
            .push(sql, "s", "r", self.today, Reach::Match);
    }
}

/// The first text after all that begin with the given one.
pub(crate) fn end_of_prefix(prefix: &str) -> String {
    // U+10FFFF is no character and stands after every other in UTF-8.
    format!("{prefix}\u{10ffff}")
}
