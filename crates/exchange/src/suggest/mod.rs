//! A first mapping from headers and sample values: what a person then reads, corrects and keeps.
//!
//! Must never claim more than it sees: columns that it does not recognise stand in the proposal as comments, and what it
//! proposes parses.

mod meaning;

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use meaning::Meaning;
use meaning::{by_name, by_values};

use crate::rows::{Cell, Content, Header, Row};

/// How many rows are enough to see what a column holds.
pub const SAMPLE_ROWS: usize = 200;

/// A header with its meaning, or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The header as the file writes it.
    pub column: String,
    /// What it is taken for.
    pub meaning: Option<Meaning>,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What each column is taken for.
    pub columns: Vec<Guess>,
    /// The mapping as a file, with comments on what to look at.
    pub mapping: String,
}

/// Proposes a mapping from headers and the first rows (at most [`SAMPLE_ROWS`] are looked at). `name` becomes the name of
/// the mapping.
#[must_use]
pub fn suggest(name: &str, header: &Header, rows: &[Row]) -> Suggestion {
    let samples = |index: usize| -> Vec<String> {
        rows.iter()
            .take(SAMPLE_ROWS)
            .filter_map(|row| match &row.content {
                Content::Cells(cells) => cells.get(index).map(text_of),
                Content::Object(_) => None,
            })
            .filter(|text| !text.is_empty())
            .collect()
    };
    let mut taken: BTreeMap<Meaning, usize> = BTreeMap::new();
    let mut columns: Vec<Guess> = Vec::new();
    for (index, name) in header.names().iter().enumerate() {
        // A header that stands twice cannot be used by name.
        let usable = !name.is_empty() && header.find(name).is_ok();
        let meaning = Some(name)
            .filter(|_| usable)
            .and_then(|name| by_name(name).or_else(|| by_values(&samples(index))))
            .filter(|meaning| !taken.contains_key(meaning));
        if let Some(meaning) = meaning {
            taken.insert(meaning, index);
        }
        columns.push(Guess {
            column: header.label(index),
            meaning,
        });
    }
    let proposal = Proposal {
        header,
        taken: &taken,
        samples: &samples,
    };
    let mapping = proposal.write(name, &columns);
    Suggestion { columns, mapping }
}

fn text_of(cell: &Cell) -> String {
    cell.as_text().unwrap_or_default().trim().to_owned()
}

/// Writes the proposal.
struct Proposal<'h> {
    header: &'h Header,
    taken: &'h BTreeMap<Meaning, usize>,
    samples: &'h dyn Fn(usize) -> Vec<String>,
}

impl Proposal<'_> {
    /// The header of a meaning, escaped for TOML.
    fn column(&self, meaning: Meaning) -> Option<String> {
        let index = *self.taken.get(&meaning)?;
        Some(quoted(self.header.names().get(index)?))
    }

    /// The header as a template takes it.
    fn braced(&self, meaning: Meaning) -> Option<String> {
        let index = *self.taken.get(&meaning)?;
        let name = self.header.names().get(index)?;
        // A header with braces in it cannot stand in a template by name.
        let name = if name.contains(['{', '}']) {
            format!("#{}", index + 1)
        } else {
            name.to_string()
        };
        let quoted = quoted(&name);
        Some(quoted.trim_matches('"').to_owned())
    }

    fn values(&self, meaning: Meaning) -> Vec<String> {
        self.taken
            .get(&meaning)
            .map(|index| (self.samples)(*index))
            .unwrap_or_default()
    }

    fn write(&self, name: &str, columns: &[Guess]) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "mapping = 1\nname = {}\n", quoted(name));
        let unknown: Vec<&str> = columns
            .iter()
            .filter(|guess| guess.meaning.is_none())
            .map(|guess| guess.column.as_str())
            .collect();
        if !unknown.is_empty() {
            out.push_str("# Columns that were not recognised and are left out:\n");
            for column in unknown {
                let _ = writeln!(out, "#   {}", column.replace(char::is_control, " "));
            }
            out.push('\n');
        }
        self.write_values(&mut out);
        self.write_codes(&mut out);
        let unit = self.write_unit(&mut out);
        let person = self.write_person(&mut out);
        let role = self.write_role(&mut out, unit, person);
        if !(unit || person || role) {
            out.push_str(
                "# No column names a person, unit or employment: fill in a key and properties.\n\
                 [[record]]\nname = \"record\"\ndomain = \"organisation\"\n",
            );
            let first = self.header.names().iter().position(|name| !name.is_empty());
            let _ = writeln!(out, "key = \"{{#{}}}\"", first.unwrap_or(0) + 1);
        }
        out
    }

    fn write_values(&self, out: &mut String) {
        out.push_str("[values]\n");
        let days: Vec<String> = [Meaning::From, Meaning::To, Meaning::BirthDate]
            .into_iter()
            .flat_map(|meaning| self.values(meaning))
            .collect();
        let slashes = days.iter().any(|day| day.contains('/'));
        let points = days.iter().any(|day| day.contains('.'));
        if slashes || points {
            let sign = if slashes { '/' } else { '.' };
            // A second number above 12 is a day: the American order.
            let american = days.iter().any(|day| {
                day.split(sign)
                    .nth(1)
                    .and_then(|part| part.parse::<u32>().ok())
                    .is_some_and(|part| (13..=31).contains(&part))
            });
            let form = if american {
                format!("MM{sign}DD{sign}YYYY")
            } else {
                format!("DD{sign}MM{sign}YYYY")
            };
            let _ = writeln!(out, "dates = [\"YYYY-MM-DD\", \"{form}\"]");
        }
        out.push_str(
            "# The last day on which it holds (t.o.m.); write exclusive if it is the day after.\n",
        );
        out.push_str("end-dates = \"inclusive\"\n");
        let rates = self.values(Meaning::EmploymentRate);
        if rates.iter().any(|rate| rate.contains(',')) {
            out.push_str("decimal = \"comma\"\n");
        }
        out.push('\n');
    }

    /// A table with the codes that were seen.
    fn write_codes(&self, out: &mut String) {
        for (meaning, name, guess) in [
            (
                Meaning::EmploymentForm,
                "employment-form",
                employment_form as fn(&str) -> &'static str,
            ),
            (Meaning::Sex, "sex", sex),
        ] {
            if !self.taken.contains_key(&meaning) {
                continue;
            }
            let mut seen: Vec<String> = self
                .values(meaning)
                .iter()
                .map(|value| value.to_lowercase())
                .collect();
            seen.sort();
            seen.dedup();
            let _ = writeln!(
                out,
                "# Complete the table; \"\" leaves the property out.\n[codes.{name}]"
            );
            for value in seen.iter().take(50) {
                let _ = writeln!(out, "{} = \"{}\"", quoted(value), guess(value));
            }
            out.push('\n');
        }
    }

    fn write_unit(&self, out: &mut String) -> bool {
        let key = self
            .braced(Meaning::UnitKey)
            .map(|column| format!("key = \"unit:{{{column}}}\""))
            .or_else(|| {
                let column = self.braced(Meaning::SchoolUnitCode)?;
                Some(format!(
                    "key = {{ scheme = \"se-school-unit-code\", value = \"{{{column}}}\" }}"
                ))
            });
        let (Some(key), Some(name)) = (key, self.column(Meaning::UnitName)) else {
            return false;
        };
        let kind = if self.taken.contains_key(&Meaning::UnitKey) {
            "unit"
        } else {
            "school-unit"
        };
        let _ = writeln!(
            out,
            "[[record]]\nname = \"unit\"\ndomain = \"organisation\"\n{key}\n[record.data]\n\"name.sv\" = {name}\nkind = {{ constant = \"{kind}\" }}"
        );
        if let Some(parent) = self.braced(Meaning::ParentKey) {
            let _ = writeln!(
                out,
                "parent = {{ reference = \"organisation\", key = \"unit:{{{parent}}}\" }}"
            );
        }
        if let Some(code) = self.column(Meaning::SchoolUnitCode) {
            self.identifier(out, "se-school-unit-code", &code, "");
        }
        out.push('\n');
        true
    }

    fn write_person(&self, out: &mut String) -> bool {
        let names = [
            ("name.family", Meaning::Family, ""),
            ("name.given", Meaning::Given, ", split = \" \""),
            ("name.preferredGiven", Meaning::PreferredGiven, ""),
            ("name.full", Meaning::FullName, ""),
        ];
        let named = [Meaning::Family, Meaning::Given, Meaning::FullName]
            .iter()
            .any(|meaning| self.taken.contains_key(meaning));
        let key = if let Some(column) = self.column(Meaning::PersonalNumber) {
            format!("key = {{ identifier = {{ column = {column} }} }}")
        } else if let Some(column) = self.braced(Meaning::HsaId) {
            format!("key = {{ scheme = \"se-hsa-id\", value = \"{{{column}}}\" }}")
        } else if let Some(column) = self.braced(Meaning::UserName) {
            format!("key = \"person:{{{column}}}\"")
        } else {
            return false;
        };
        if !named {
            return false;
        }
        let _ = writeln!(
            out,
            "[[record]]\nname = \"person\"\ndomain = \"person\"\n{key}\n[record.data]"
        );
        for (path, meaning, more) in names {
            if let Some(column) = self.column(meaning) {
                let _ = writeln!(out, "\"{path}\" = {{ column = {column}{more} }}");
            }
        }
        if let Some(column) = self.column(Meaning::BirthDate) {
            let _ = writeln!(
                out,
                "birthDate = {{ column = {column}, as = \"partial-date\" }}"
            );
        }
        if let Some(column) = self.column(Meaning::Sex) {
            let _ = writeln!(out, "sex = {{ column = {column}, codes = \"sex\" }}");
        }
        if let Some(column) = self.column(Meaning::PersonalNumber) {
            let _ = writeln!(
                out,
                "[[record.list]]\nto = \"identifiers\"\nvalue = {{ column = {column}, as = \"personal-identifier\" }}"
            );
        }
        if let Some(column) = self.column(Meaning::HsaId) {
            self.identifier(out, "se-hsa-id", &column, "");
        }
        if let Some(column) = self.column(Meaning::UserName) {
            self.identifier(out, "user-principal-name", &column, "case = \"lower\"");
        }
        for (meaning, kind, more) in [
            (Meaning::Email, "email", "case = \"lower\""),
            (Meaning::Phone, "phone", "as = \"phone\""),
            (Meaning::Mobile, "mobile", "as = \"phone\""),
        ] {
            if let Some(column) = self.column(meaning) {
                let _ = writeln!(
                    out,
                    "[[record.list]]\nto = \"contactPoints\"\n[record.list.item]\nkind = {{ constant = \"{kind}\" }}\nvalue = {{ column = {column}, {more} }}"
                );
            }
        }
        if let (Some(street), Some(code), Some(town)) = (
            self.column(Meaning::Street),
            self.column(Meaning::PostalCode),
            self.column(Meaning::Locality),
        ) {
            let _ = writeln!(
                out,
                "[[record.list]]\nto = \"addresses\"\n[record.list.item]\n# Say which: registered, postal, visiting …\nkind = {{ constant = \"postal\" }}\nthoroughfare = {street}\npostalCode = {{ column = {code}, as = \"postal-code\" }}\nlocality = {town}"
            );
        }
        out.push('\n');
        true
    }

    fn write_role(&self, out: &mut String, unit: bool, person: bool) -> bool {
        let (Some(number), true) = (self.braced(Meaning::EmployeeNumber), unit && person) else {
            return false;
        };
        let _ = writeln!(
            out,
            "[[record]]\nname = \"employment\"\ndomain = \"role\"\nkey = \"employment:{{{number}}}\""
        );
        for (bound, meaning) in [("valid-from", Meaning::From), ("valid-to", Meaning::To)] {
            if let Some(column) = self.column(meaning) {
                let _ = writeln!(out, "{bound} = {column}");
            }
        }
        out.push_str("[record.data]\nkind = { constant = \"employment\" }\nperson = { record = \"person\" }\norganisation = { record = \"unit\", required = true }\n");
        for (property, meaning, more) in [
            ("position", Meaning::Position, ""),
            (
                "employmentForm",
                Meaning::EmploymentForm,
                ", codes = \"employment-form\"",
            ),
            (
                "employmentRate",
                Meaning::EmploymentRate,
                ", as = \"decimal\"",
            ),
        ] {
            if let Some(column) = self.column(meaning) {
                let _ = writeln!(out, "{property} = {{ column = {column}{more} }}");
            }
        }
        if let Some(column) = self.braced(Meaning::OrganisationNumber) {
            let _ = writeln!(
                out,
                "employer = {{ reference = \"organisation\", scheme = \"se-organisation-number\", value = \"{{{column}}}\" }}"
            );
        }
        if let Some(column) = self.column(Meaning::EmployeeNumber) {
            self.identifier(out, "employee-number", &column, "");
        }
        true
    }

    #[expect(clippy::unused_self, reason = "one of the writers")]
    fn identifier(&self, out: &mut String, scheme: &str, column: &str, more: &str) {
        let value = if more.is_empty() {
            column.to_owned()
        } else {
            format!("{{ column = {column}, {more} }}")
        };
        let _ = writeln!(
            out,
            "[[record.list]]\nto = \"identifiers\"\n[record.list.item]\nscheme = {{ constant = \"{scheme}\" }}\nvalue = {value}"
        );
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text.replace(char::is_control, " ")).to_string()
}

fn employment_form(value: &str) -> &'static str {
    let begins = |words: &[&str]| words.iter().any(|word| value.starts_with(word));
    if begins(&["tillsvidare", "tv", "permanent", "fast"]) {
        "permanent"
    } else if begins(&["vik", "substitute"]) {
        "substitute"
    } else if begins(&["säva", "särskild"]) {
        "special-fixed-term"
    } else if begins(&["prov", "probation"]) {
        "probationary"
    } else if begins(&["säsong", "season"]) {
        "seasonal"
    } else if begins(&["tim", "intermittent"]) {
        "intermittent"
    } else {
        ""
    }
}

fn sex(value: &str) -> &'static str {
    match value {
        "k" | "kvinna" | "f" | "female" => "female",
        "m" | "man" | "male" => "male",
        _ => "",
    }
}
