//! Code lists and their codes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::text::{Text, nearest};

/// What `model.json` says about a code list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeListInfo {
    /// The name that `x-codelist` uses.
    pub name: String,
    /// The title.
    pub title: Text,
    /// What the codes stand for.
    pub description: Text,
    /// The IRI of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// Where the codes come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<serde_json::Value>,
    /// The status of the list.
    pub status: String,
}

/// One code. `valid_from` to `valid_to` is half-open; `None` is always, or until further notice.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Code {
    /// The code itself.
    pub code: Arc<str>,
    /// What to show.
    pub label: Text,
    /// What it means.
    pub definition: Text,
    /// The first day.
    pub valid_from: Option<NaiveDate>,
    /// The day after the last.
    pub valid_to: Option<NaiveDate>,
    /// The broader code, in a list with levels.
    pub broader: Option<Arc<str>>,
    /// What to use instead.
    pub successors: Vec<Arc<str>>,
    /// Whether the code is retired.
    pub retired: bool,
    /// The same concept elsewhere (IRIs).
    pub exact_match: Vec<String>,
    /// Columns that the list has beyond the standard ones.
    pub further: BTreeMap<String, String>,
}

impl Code {
    /// Whether the code holds on a day.
    #[must_use]
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day < to)
    }

    /// Whether the list gives the code a first or a last day, so that using it depends on the date.
    #[must_use]
    pub fn is_dated(&self) -> bool {
        self.valid_from.is_some() || self.valid_to.is_some()
    }
}

/// A code list, in the order of its file.
#[derive(Debug, Clone)]
pub struct CodeList {
    name: Arc<str>,
    info: CodeListInfo,
    codes: Vec<Code>,
    positions: HashMap<Arc<str>, usize>,
}

/// The columns of every code list; a list may have more.
const COLUMNS: &[&str] = &[
    "code",
    "label_sv",
    "label_en",
    "definition_sv",
    "definition_en",
    "valid_from",
    "valid_to",
    "broader",
    "successor",
    "status",
    "exact_match",
];

impl CodeList {
    /// Reads the CSV of a list. The error says the line and what is wrong.
    pub(crate) fn read(info: CodeListInfo, csv: &[u8]) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().from_reader(csv);
        let headers = reader.headers().map_err(|error| error.to_string())?.clone();
        for column in COLUMNS {
            if !headers.iter().any(|header| header == *column) {
                return Err(format!("the column {column:?} is missing"));
            }
        }
        let mut list = Self {
            name: Arc::from(info.name.as_str()),
            info,
            codes: Vec::new(),
            positions: HashMap::new(),
        };
        for row in reader.records() {
            let row = row.map_err(|error| error.to_string())?;
            let line = row.position().map_or(0, csv::Position::line);
            let mut columns: BTreeMap<&str, &str> = headers.iter().zip(row.iter()).collect();
            let mut column = |name: &str| columns.remove(name).unwrap_or("").trim();
            let code = column("code");
            if code.is_empty() {
                return Err(format!("line {line}: the code is empty"));
            }
            let code: Arc<str> = Arc::from(code);
            let day = |name: &str, text: &str| match text {
                "" => Ok(None),
                text => text.parse().map(Some).map_err(|_| {
                    format!("line {line}: {name} {text:?} is no date; write YYYY-MM-DD")
                }),
            };
            let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Arc::from);
            let words = |text: &str| {
                text.split_whitespace()
                    .map(Arc::from)
                    .collect::<Vec<Arc<str>>>()
            };
            let (valid_from, valid_to) = (column("valid_from"), column("valid_to"));
            let parsed = Code {
                code: Arc::clone(&code),
                label: Text {
                    sv: column("label_sv").to_owned(),
                    en: column("label_en").to_owned(),
                },
                definition: Text {
                    sv: column("definition_sv").to_owned(),
                    en: column("definition_en").to_owned(),
                },
                valid_from: day("valid_from", valid_from)?,
                valid_to: day("valid_to", valid_to)?,
                broader: text(column("broader")),
                successors: words(column("successor")),
                retired: match column("status") {
                    "" | "active" => false,
                    "retired" => true,
                    other => {
                        return Err(format!(
                            "line {line}: status {other:?}; write active or retired"
                        ));
                    }
                },
                exact_match: column("exact_match")
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect(),
                further: columns
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                    .collect(),
            };
            if parsed.label.sv.is_empty() || parsed.label.en.is_empty() {
                return Err(format!("line {line}: {code:?} needs label_sv and label_en"));
            }
            if let (Some(from), Some(to)) = (parsed.valid_from, parsed.valid_to)
                && from >= to
            {
                return Err(format!("line {line}: {code:?} ends before it begins"));
            }
            if list
                .positions
                .insert(Arc::clone(&code), list.codes.len())
                .is_some()
            {
                return Err(format!("line {line}: {code:?} stands twice"));
            }
            list.codes.push(parsed);
        }
        for code in &list.codes {
            for other in code.broader.iter().chain(&code.successors) {
                if list.get(other).is_none() {
                    return Err(format!(
                        "{:?} names {other:?}, which is not in the list",
                        code.code
                    ));
                }
            }
        }
        Ok(list)
    }

    /// Adds the codes of an extension package to a list that allows it. `false` when a code stands in both.
    pub(crate) fn extend(&mut self, other: &CodeList) -> bool {
        for code in &other.codes {
            if self
                .positions
                .insert(Arc::clone(&code.code), self.codes.len())
                .is_some()
            {
                return false;
            }
            self.codes.push(code.clone());
        }
        true
    }

    /// The name of the list.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Title, description, source and status.
    #[must_use]
    pub fn info(&self) -> &CodeListInfo {
        &self.info
    }

    /// The codes, in the order of the file.
    #[must_use]
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// The code of that name.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&Code> {
        self.codes.get(*self.positions.get(code)?)
    }

    /// The place of a code in the list, from 0.
    #[must_use]
    pub fn position(&self, code: &str) -> Option<usize> {
        self.positions.get(code).copied()
    }

    /// The code that is most likely meant: by its code, or by its label in either language.
    #[must_use]
    pub fn nearest(&self, given: &str) -> Option<&str> {
        // A label may be longer than a code, but not without bound: what a client can make long must not cost long.
        if given.len() > 200 {
            return None;
        }
        let by_label = self.codes.iter().find(|code| {
            code.label.sv.to_lowercase() == given.to_lowercase()
                || code.label.en.to_lowercase() == given.to_lowercase()
        });
        match by_label {
            Some(code) => Some(&code.code),
            None => nearest(given, self.codes.iter().map(|code| &*code.code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> CodeListInfo {
        let text = Text {
            sv: "Kön".to_owned(),
            en: "Sex".to_owned(),
        };
        CodeListInfo {
            name: "sex".to_owned(),
            title: text.clone(),
            description: text,
            term: None,
            source: None,
            status: "active".to_owned(),
        }
    }

    const HEAD: &str = "code,label_sv,label_en,definition_sv,definition_en,valid_from,valid_to,broader,successor,status,exact_match,rank\n";

    #[test]
    fn a_list_is_read_with_its_dates_and_further_columns() {
        let csv = format!(
            "{HEAD}female,kvinna,female,,,,,,,active,,1\nold,gammal,old,,,2000-01-01,2020-01-01,,female,retired,http://a http://b,2\n"
        );
        let list = CodeList::read(info(), csv.as_bytes()).unwrap();
        let old = list.get("old").unwrap();
        assert!(old.is_dated() && old.retired);
        assert!(old.holds_on("2019-12-31".parse().unwrap()));
        assert!(!old.holds_on("2020-01-01".parse().unwrap()));
        assert!(!old.holds_on("1999-12-31".parse().unwrap()));
        assert_eq!(old.exact_match.len(), 2);
        assert_eq!(old.further["rank"], "2");
        assert_eq!(list.position("old"), Some(1));
        assert_eq!(list.nearest("femal"), Some("female"));
        assert_eq!(list.nearest("Kvinna"), Some("female"));
        assert!(!list.get("female").unwrap().is_dated());
    }

    #[test]
    fn a_wrong_list_says_the_line() {
        for (rows, part) in [
            ("a,x,x,,,,,,,active,,\na,x,x,,,,,,,active,,\n", "twice"),
            ("a,x,x,,,2020-02-30,,,,active,,\n", "valid_from"),
            ("a,x,x,,,2020-02-20,2020-02-20,,,active,,\n", "ends before"),
            ("a,x,,,,,,,,active,,\n", "label_en"),
            ("a,x,x,,,,,,b,active,,\n", "not in the list"),
            ("a,x,x,,,,,,,gone,,\n", "status"),
            (",x,x,,,,,,,active,,\n", "empty"),
        ] {
            let problem = CodeList::read(info(), format!("{HEAD}{rows}").as_bytes()).unwrap_err();
            assert!(problem.contains(part), "{problem}");
        }
        assert!(
            CodeList::read(info(), b"code\n")
                .unwrap_err()
                .contains("label_sv")
        );
    }
}
