//! Reading the parts of a mapping that make values.

use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::formats::geometry::{Crs, of_code};

use super::parse::{Node, Parser, joined};
use super::{Case, Kind, Piece, Source, TargetSpec, Template, ValueSpec, vocabulary};

impl Parser<'_> {
    /// The properties of a record or an item: paths and how their values are made.
    pub(super) fn properties(
        &mut self,
        node: &Node<'_>,
        path: &str,
    ) -> Vec<(Vec<String>, ValueSpec)> {
        let Some(table) = self.table(node, path) else {
            return Vec::new();
        };
        let mut properties: Vec<(Vec<String>, ValueSpec)> = Vec::new();
        for (key, node) in table {
            let path = joined(path, key.get_ref());
            let at = key.span().start;
            let to = self.property_path(key.get_ref(), at, &path);
            let clash = properties.iter().any(|(known, _)| {
                known.starts_with(to.as_slice()) || to.starts_with(known.as_slice())
            });
            if clash {
                self.fault(
                    at,
                    &path,
                    "The property is given twice, whole or in part.",
                    "Egenskapen anges två gånger, helt eller delvis.",
                );
            }
            if let Some(value) = self.value_as(node, &path, None) {
                properties.push((to, value));
            }
        }
        properties
    }

    /// `name.family`, or the JSON Pointer `/name/family`.
    pub(super) fn property_path(&mut self, text: &str, at: usize, path: &str) -> Vec<String> {
        let steps: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer
                .split('/')
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        let plain =
            |step: &String| !step.is_empty() && step.chars().any(|char| !char.is_ascii_digit());
        if !steps.iter().all(plain) {
            self.fault(
                at,
                path,
                format!("\"{text}\" is no path of properties; write name.family or /name/family, and [[record.list]] for lists."),
                format!("\"{text}\" är ingen sökväg av egenskaper; skriv name.family eller /name/family, och [[record.list]] för listor."),
            );
        }
        steps
    }

    /// A value: the name of a column, or a table. `kind` is what it is where nothing is said.
    pub(super) fn value_as(
        &mut self,
        node: &Node<'_>,
        path: &str,
        kind: Option<&str>,
    ) -> Option<ValueSpec> {
        let at = node.span().start;
        let mut spec = ValueSpec {
            source: Source::Constant(serde_json::Value::Null),
            when: Vec::new(),
            split: None,
            part: None,
            case: None,
            codes: None,
            kind: kind.map_or(Kind::Text, kind_of),
            dates: None,
            times: None,
            crs: Crs::Wgs84,
            default: None,
            required: false,
        };
        if let DeValue::String(name) = node.get_ref() {
            spec.source = Source::Column(self.column(name, at, path));
            return Some(spec);
        }
        let table = match node.get_ref() {
            DeValue::Table(table) => table,
            _ => {
                self.expected(
                    node,
                    path,
                    "the name of a column or a table, { column = \"…\" }",
                    "namnet på en kolumn eller en tabell, { column = \"…\" }",
                );
                return None;
            }
        };
        self.known(table, vocabulary::VALUE, path);
        spec.source = self.source(table, at, path)?;
        spec.when = self.conditions(table, "when", path);
        spec.split = self
            .optional_text(table, "split", path)
            .filter(|at| !at.is_empty());
        spec.part = table.get("part").and_then(|node| self.integer(node, path));
        if spec.part == Some(0) || (spec.part.is_some() && spec.split.is_none()) {
            self.fault(
                at,
                path,
                "part needs split, and counts from 1 (from the end with -1).",
                "part kräver split och räknas från 1 (bakifrån med -1).",
            );
        }
        spec.case = self
            .word(table, "case", path, vocabulary::CASES)
            .map(|case| match case {
                "upper" => Case::Upper,
                "lower" => Case::Lower,
                _ => Case::Title,
            });
        if let Some(node) = table.get("codes") {
            let name = self.text(node, path).unwrap_or_default();
            spec.codes = self.codes.iter().position(|table| table.name == name);
            if spec.codes.is_none() {
                self.fault(
                    node.span().start,
                    path,
                    format!("There is no table [codes.{name}] in the mapping."),
                    format!("Det finns ingen tabell [codes.{name}] i mappningen."),
                );
            }
        }
        if let Some(word) = self.word(table, "as", path, vocabulary::KINDS) {
            spec.kind = kind_of(word);
        }
        spec.dates = self.date_formats(table, path);
        spec.times = table.get("times").and_then(|node| self.float(node, path));
        if let Some(crs) = self
            .word(table, "crs", path, vocabulary::CRS)
            .and_then(|name| name.strip_prefix("EPSG:"))
            .and_then(of_code)
        {
            spec.crs = crs;
        }
        spec.default = self.optional_text(table, "default", path);
        spec.required = table
            .get("required")
            .and_then(|node| self.boolean(node, path))
            .unwrap_or(false);
        Some(spec)
    }

    /// Where the value comes from: exactly one of the words that say so.
    fn source(&mut self, table: &DeTable<'_>, at: usize, path: &str) -> Option<Source> {
        const SOURCES: [&str; 7] = [
            "column",
            "first",
            "join",
            "template",
            "constant",
            "reference",
            "record",
        ];
        let given: Vec<&str> = SOURCES
            .into_iter()
            .filter(|word| table.contains_key(*word))
            .collect();
        let [one] = given.as_slice() else {
            self.fault(
                at,
                path,
                format!("The value says exactly one of: {}.", SOURCES.join(", ")),
                format!("Värdet anger exakt ett av: {}.", SOURCES.join(", ")),
            );
            return None;
        };
        match *one {
            "column" => {
                let name = self.optional_text(table, "column", path)?;
                Some(Source::Column(self.column(&name, at, path)))
            }
            "first" | "join" => {
                let names = self.texts(table, one, path)?;
                let columns = names
                    .iter()
                    .map(|name| self.column(name, at, path))
                    .collect();
                Some(if *one == "first" {
                    Source::First(columns)
                } else {
                    let with = self.optional_text(table, "with", path);
                    Source::Join(columns, with.unwrap_or_else(|| " ".to_owned()))
                })
            }
            "template" => {
                let text = self.optional_text(table, "template", path)?;
                Some(Source::Template(self.template(&text, at, path)))
            }
            "constant" => {
                let node = table.get("constant")?;
                Some(Source::Constant(self.constant(node, path)?))
            }
            "reference" => {
                let domain = self.domain(table, "reference", path, at)?;
                let target = match (table.get("key"), table.get("identifier")) {
                    (Some(node), None) => {
                        let text = self.text(node, path)?;
                        TargetSpec::Key(self.template(&text, node.span().start, path))
                    }
                    (None, Some(node)) => TargetSpec::Identifier(self.identifier(node, path)?),
                    _ => self.scheme(table, at, path)?,
                };
                Some(Source::Reference(domain, Box::new(target)))
            }
            _ => {
                let name: Arc<str> = self.optional_text(table, "record", path)?.into();
                self.uses_record(at, path.to_owned(), Arc::clone(&name));
                // The domain is that of the record; it is looked up when the row is mapped.
                Some(Source::Reference(
                    grunddata_model::Domain::Person,
                    Box::new(TargetSpec::Record(name)),
                ))
            }
        }
    }

    /// `key` of a record.
    pub(super) fn key(&mut self, node: &Node<'_>, path: &str) -> Option<TargetSpec> {
        let at = node.span().start;
        if let DeValue::String(text) = node.get_ref() {
            return Some(TargetSpec::Key(self.template(text, at, path)));
        }
        let table = self.table(node, path)?;
        self.known(table, vocabulary::KEY, path);
        match table.get("identifier") {
            Some(node) => Some(TargetSpec::Identifier(self.identifier(node, path)?)),
            None => self.scheme(table, at, path),
        }
    }

    fn identifier(&mut self, node: &Node<'_>, path: &str) -> Option<super::ValueSpec> {
        let path = format!("{path}.identifier");
        let spec = self.value_as(node, &path, Some("personal-identifier"))?;
        if spec.kind != Kind::PersonalIdentifier {
            self.fault(
                node.span().start,
                &path,
                "Only as = \"personal-identifier\" finds its scheme by itself; write scheme and value instead.",
                "Bara as = \"personal-identifier\" finner sitt schema själv; skriv scheme och value i stället.",
            );
        }
        Some(spec)
    }

    fn scheme(&mut self, table: &DeTable<'_>, at: usize, path: &str) -> Option<TargetSpec> {
        if !table.contains_key("scheme") || !table.contains_key("value") {
            self.fault(
                at,
                path,
                "What is referred to is named by key = \"…{Column}\", identifier = { column = … }, or scheme = \"…\" with value = \"{Column}\".",
                "Det som hänvisas till anges med key = \"…{Kolumn}\", identifier = { column = … } eller scheme = \"…\" med value = \"{Kolumn}\".",
            );
            return None;
        }
        let scheme = self.optional_text(table, "scheme", path)?;
        let value = self.optional_text(table, "value", path)?;
        Some(TargetSpec::Scheme(scheme, self.template(&value, at, path)))
    }

    /// `unit:{Enhet}`; `{{` and `}}` are the signs themselves.
    fn template(&mut self, text: &str, at: usize, path: &str) -> Template {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars().peekable();
        let mut closed = true;
        while let Some(char) = chars.next() {
            match char {
                '{' | '}' if chars.peek() == Some(&char) => {
                    chars.next();
                    plain.push(char);
                }
                '{' => {
                    let mut name = String::new();
                    closed = false;
                    for char in chars.by_ref() {
                        if char == '}' {
                            closed = true;
                            break;
                        }
                        name.push(char);
                    }
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Column(self.column(&name, at, path)));
                }
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        let any = pieces.iter().any(|piece| matches!(piece, Piece::Column(_)));
        if !closed || !any {
            self.fault(
                at,
                path,
                format!("\"{text}\" names no column; write the names of columns within braces: \"unit:{{Enhet}}\"."),
                format!("\"{text}\" anger ingen kolumn; skriv kolumnernas namn inom klamrar: \"unit:{{Enhet}}\"."),
            );
        }
        Template(pieces)
    }

    fn constant(&mut self, node: &Node<'_>, path: &str) -> Option<serde_json::Value> {
        match node.get_ref() {
            DeValue::String(text) => Some(serde_json::Value::from(text.as_ref())),
            DeValue::Boolean(value) => Some(serde_json::Value::from(*value)),
            DeValue::Integer(_) => self.integer(node, path).map(serde_json::Value::from),
            _ => {
                self.expected(
                    node,
                    path,
                    "a text, a whole number, true or false",
                    "en text, ett heltal, true eller false",
                );
                None
            }
        }
    }
}

fn kind_of(word: &str) -> Kind {
    match word {
        "date" => Kind::Date,
        "end-date" => Kind::EndDate,
        "partial-date" => Kind::PartialDate,
        "decimal" => Kind::Decimal,
        "integer" => Kind::Integer,
        "boolean" => Kind::Boolean,
        "personal-identifier" => Kind::PersonalIdentifier,
        "organisation-number" => Kind::OrganisationNumber,
        "phone" => Kind::Phone,
        "postal-code" => Kind::PostalCode,
        "digits" => Kind::Digits,
        "json" => Kind::Json,
        "geometry" => Kind::Geometry,
        "coordinates" => Kind::Coordinates,
        _ => Kind::Text,
    }
}
