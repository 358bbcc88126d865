//! The columns of a table.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Place, Problem, code};

/// The headers of a table, and where the table stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    place: Place,
    names: Vec<Arc<str>>,
    by_name: HashMap<String, Vec<usize>>,
    objects: bool,
}

/// Why a column cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnError {
    /// There is none of that name.
    Missing {
        /// The name that is most like it.
        nearest: Option<Arc<str>>,
    },
    /// There are several.
    Duplicate {
        /// The letters of the columns.
        letters: Vec<String>,
    },
}

impl Header {
    /// The headers as they stand in the file.
    #[must_use]
    pub fn new(place: Place, names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<Arc<str>> = names
            .into_iter()
            .map(|name| Arc::from(squeeze(&name)))
            .collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, name) in names.iter().enumerate() {
            if !name.is_empty() {
                by_name.entry(name.to_lowercase()).or_default().push(index);
            }
        }
        Self {
            place,
            names,
            by_name,
            objects: false,
        }
    }

    /// A list of objects has no headers: every object has its own properties.
    #[must_use]
    pub fn of_objects(place: Place) -> Self {
        Self {
            objects: true,
            ..Self::new(place, [])
        }
    }

    /// The file and sheet.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the rows are objects, so that columns are paths into them.
    #[must_use]
    pub const fn is_objects(&self) -> bool {
        self.objects
    }

    /// The names in the order of the file; empty where a column has none.
    #[must_use]
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The name of a column as messages write it.
    #[must_use]
    pub fn label(&self, index: usize) -> String {
        match self.names.get(index) {
            Some(name) if !name.is_empty() => name.to_string(),
            _ => letter(index),
        }
    }

    /// The column of that name, without regard to case and white space around; `#3` is the third column whatever its name.
    ///
    /// # Errors
    /// [`ColumnError`] when there is none or more than one.
    pub fn find(&self, name: &str) -> Result<usize, ColumnError> {
        if let Some(number) = name.strip_prefix('#').and_then(|n| n.parse::<usize>().ok())
            && (1..=self.names.len()).contains(&number)
        {
            return Ok(number - 1);
        }
        let wanted = squeeze(name).to_lowercase();
        match self.by_name.get(&wanted).map(Vec::as_slice) {
            Some([index]) => Ok(*index),
            Some(several) => Err(ColumnError::Duplicate {
                letters: several.iter().map(|index| letter(*index)).collect(),
            }),
            None => Err(ColumnError::Missing {
                nearest: self
                    .names
                    .iter()
                    .map(|known| {
                        let likeness =
                            strsim::normalized_damerau_levenshtein(&wanted, &known.to_lowercase());
                        (known, likeness)
                    })
                    .filter(|(_, likeness)| *likeness >= 0.6)
                    .max_by(|(_, one), (_, other)| one.total_cmp(other))
                    .map(|(known, _)| Arc::clone(known)),
            }),
        }
    }

    /// What to say of headers that stand more than once.
    pub(crate) fn duplicates(&self, row: u64) -> Vec<Problem> {
        let mut found: Vec<&Vec<usize>> = self.by_name.values().filter(|at| at.len() > 1).collect();
        found.sort();
        found
            .into_iter()
            .filter_map(|at| {
                let name = self.names.get(*at.first()?)?;
                let letters = at.iter().map(|at| letter(*at)).collect::<Vec<_>>();
                Some(Problem::new(
                    code::DUPLICATE_COLUMN,
                    self.place.at_row(row).at_column(name),
                    format!(
                        "The header stands over {} columns ({}); a mapping can use none of them by name. Rename all but one.",
                        letters.len(),
                        letters.join(", ")
                    ),
                    format!(
                        "Rubriken står över {} kolumner ({}); en mappning kan inte använda någon av dem med namn. Byt namn på alla utom en.",
                        letters.len(),
                        letters.join(", ")
                    ),
                ))
            })
            .collect()
    }
}

/// White space around is removed and inside becomes single spaces: headers are often broken over lines.
fn squeeze(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The letter of a column in a spreadsheet program: A, B … Z, AA.
pub(crate) fn letter(index: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = index + 1;
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or(0);
        letters.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_a_spreadsheet() {
        assert_eq!(
            [0, 25, 26, 701, 702].map(letter),
            ["A", "Z", "AA", "ZZ", "AAA"]
        );
    }

    #[test]
    fn columns_are_found_by_name_or_number() {
        let header = Header::new(
            Place::of_file("a.csv"),
            ["Namn", " Person\nnr ", "", "Enhet", "enhet"].map(str::to_owned),
        );
        assert_eq!(header.find("NAMN"), Ok(0));
        assert_eq!(header.find("person nr"), Ok(1));
        assert_eq!(header.find("#3"), Ok(2));
        assert_eq!(
            header.find("Enhet"),
            Err(ColumnError::Duplicate {
                letters: vec!["D".into(), "E".into()]
            })
        );
        assert_eq!(
            header.find("Namm"),
            Err(ColumnError::Missing {
                nearest: Some("Namn".into())
            })
        );
        assert_eq!(header.label(2), "C");
        let [duplicate] = header.duplicates(1).try_into().unwrap();
        assert_eq!(duplicate.place.column.as_deref(), Some("Enhet"));
        assert!(duplicate.message.contains("D, E"));
    }
}
