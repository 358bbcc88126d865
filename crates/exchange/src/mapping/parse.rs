//! Reading a mapping file. Every fault is found in one pass and names its line.

use std::sync::Arc;

use grunddata_model::Domain;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::condition::{Condition, Test};
use super::{
    CodeTable, ColumnId, ColumnName, Each, FileId, FileName, ItemSpec, ListSpec, Mapping, Piece,
    RecordSpec, TargetSpec, Template, vocabulary,
};
use crate::{Place, Problem, code};

/// No mapping is larger than this.
const MOST_BYTES: usize = 1 << 20;

pub(super) type Node<'t> = Spanned<DeValue<'t>>;

impl Mapping {
    /// Reads a mapping. `file` is its name for messages.
    ///
    /// # Errors
    /// Every fault of the file, with its line in [`Place::row`] and the place in the file in [`Place::column`].
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut parser = Parser::new(file, text);
        if text.len() > MOST_BYTES {
            parser.fault(
                0,
                "",
                format!("The mapping is larger than {MOST_BYTES} bytes."),
                format!("Mappningen är större än {MOST_BYTES} byte."),
            );
            return Err(parser.problems);
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let what = error.message().trim().to_owned();
            parser.fault(
                at,
                "",
                format!("The line is not TOML: {what}."),
                format!("Raden är inte TOML: {what}."),
            );
        }
        if !parser.problems.is_empty() {
            return Err(parser.problems);
        }
        let mapping = parser.mapping(table.get_ref());
        if parser.problems.is_empty() {
            Ok(mapping)
        } else {
            parser.problems.sort_by_key(|problem| problem.place.row);
            Err(parser.problems)
        }
    }
}

/// A record of the same row that is referred to, and from where.
struct RecordUse {
    at: usize,
    path: String,
    name: Arc<str>,
    file: Option<FileId>,
}

/// Collects faults while the file is walked.
pub(super) struct Parser<'s> {
    text: &'s str,
    place: Place,
    pub(super) problems: Vec<Problem>,
    columns: Vec<ColumnName>,
    /// The columns of the record that is read.
    used: Vec<ColumnId>,
    files: Vec<FileName>,
    /// The file of the record that is read.
    file: Option<FileId>,
    pub(super) codes: Vec<CodeTable>,
    /// Names of records with where they are used, to be looked up at the end.
    record_uses: Vec<RecordUse>,
    /// Whether `@` has a meaning where the walk is.
    pub(super) in_each: bool,
}

impl<'s> Parser<'s> {
    fn new(file: &str, text: &'s str) -> Self {
        Self {
            text,
            place: Place::of_file(file),
            problems: Vec::new(),
            columns: Vec::new(),
            used: Vec::new(),
            files: Vec::new(),
            file: None,
            codes: Vec::new(),
            record_uses: Vec::new(),
            in_each: false,
        }
    }

    /// A fault at a byte of the text.
    pub(super) fn fault(
        &mut self,
        at: usize,
        path: &str,
        message: impl Into<String>,
        message_sv: impl Into<String>,
    ) {
        let before = self.text.as_bytes().iter().take(at);
        let line = before.filter(|byte| **byte == b'\n').count() as u64 + 1;
        let mut place = self.place.at_row(line);
        if !path.is_empty() {
            place = place.at_column(path);
        }
        self.problems
            .push(Problem::new(code::MAPPING, place, message, message_sv));
    }

    fn mapping(&mut self, table: &DeTable<'_>) -> Mapping {
        self.known(table, vocabulary::MAPPING, "");
        match table.get("mapping") {
            Some(version) if self.integer(version, "mapping") == Some(vocabulary::VERSION) => {}
            other => {
                let at = other.map_or(0, |node| node.span().start);
                self.fault(
                    at,
                    "mapping",
                    "Write mapping = 1: the version of the mapping language.",
                    "Skriv mapping = 1: mappningsspråkets version.",
                );
            }
        }
        let name = self.required_text(table, "name", "", 0);
        let title = table.get("title").and_then(|node| {
            let title = self.table(node, "title")?;
            self.known(title, vocabulary::TITLE, "title");
            let at = node.span().start;
            Some((
                self.required_text(title, "sv", "title", at),
                self.required_text(title, "en", "title", at),
            ))
        });
        let input = self.input(table);
        let values = self.values(table);
        self.code_tables(table);
        let mut records = Vec::new();
        match table.get("record").map(|node| (node, node.get_ref())) {
            Some((_, DeValue::Array(list))) => {
                for (index, node) in list.iter().enumerate() {
                    let path = format!("record {}", index + 1);
                    if let Some(record) = self.record(node, &path) {
                        records.push(record);
                    }
                }
            }
            other => {
                let at = other.map_or(0, |(node, _)| node.span().start);
                self.fault(
                    at,
                    "record",
                    "The mapping makes no record; add a [[record]] with name, domain, key and data.",
                    "Mappningen skapar ingen post; lägg till [[record]] med name, domain, key och data.",
                );
            }
        }
        self.check_records(&records);
        Mapping {
            name,
            title,
            input,
            values,
            codes: std::mem::take(&mut self.codes),
            records,
            files: std::mem::take(&mut self.files),
            columns: std::mem::take(&mut self.columns),
        }
    }

    /// Names of records are unique, and those that are referred to are there. Either every record names its file or none
    /// does.
    fn check_records(&mut self, records: &[RecordSpec]) {
        if !self.files.is_empty()
            && let Some(record) = records.iter().find(|record| record.file.is_none())
        {
            let name = Arc::clone(&record.name);
            self.fault(
                0,
                &format!("record {name}"),
                "Other records of the mapping say which file of a package they are made of; write file for this one too.",
                "Andra poster i mappningen anger vilken fil i ett paket de skapas av; skriv file även för den här.",
            );
        }
        for RecordUse {
            at,
            path,
            name,
            file,
        } in std::mem::take(&mut self.record_uses)
        {
            let known = records
                .iter()
                .filter(|record| {
                    record.name == name && record.each.is_none() && record.file == file
                })
                .count();
            if known != 1 {
                self.fault(
                    at,
                    &path,
                    format!("The mapping must have exactly one record \"{name}\" without each; it has {known}."),
                    format!("Mappningen ska ha exakt en post \"{name}\" utan each; den har {known}."),
                );
            }
        }
    }

    /// The file of a package, each once.
    fn package_file(&mut self, table: &DeTable<'_>, path: &str) -> Option<FileId> {
        let at = table.get("file")?.span().start;
        let text = self.optional_text(table, "file", path)?;
        let (name, optional) = match text.strip_suffix('?') {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        };
        if name.trim().is_empty() || name.contains(['/', '\\']) {
            self.fault(
                at,
                &joined(path, "file"),
                "Write the name of a file without folders, such as \"persons.json\"; * stands for any characters, and a question mark last says that it may be missing.",
                "Skriv namnet på en fil utan mappar, till exempel \"persons.json\"; * står för vilka tecken som helst, och ett frågetecken sist säger att den får saknas.",
            );
        }
        let file = FileName {
            name: name.trim().to_lowercase(),
            optional,
        };
        Some(
            match self.files.iter().position(|known| known.name == file.name) {
                Some(index) => {
                    // One record that needs it is enough.
                    if let Some(known) = self.files.get_mut(index) {
                        known.optional &= optional;
                    }
                    index
                }
                None => {
                    self.files.push(file);
                    self.files.len() - 1
                }
            },
        )
    }

    /// A record of the same row is referred to.
    pub(super) fn uses_record(&mut self, at: usize, path: String, name: Arc<str>) {
        self.record_uses.push(RecordUse {
            at,
            path,
            name,
            file: self.file,
        });
    }

    /// `complete`: with what the keys begin that one row makes. They have to say which row it is, and where that ends.
    fn complete(
        &mut self,
        table: &DeTable<'_>,
        in_each: bool,
        key: Option<&TargetSpec>,
        path: &str,
    ) -> Option<Template> {
        let node = table.get("complete")?;
        if !self.boolean(node, path)? {
            return None;
        }
        let mut start = Vec::new();
        if let Some(TargetSpec::Key(Template(pieces))) = key {
            let of_item = |piece: &Piece| match piece {
                Piece::Column(column) => {
                    let column = self.columns.get(*column);
                    column.is_some_and(|column| column.name.starts_with('@'))
                }
                Piece::Text(_) => false,
            };
            start.extend(pieces.iter().take_while(|piece| !of_item(piece)).cloned());
        }
        let tells = start.iter().any(|piece| matches!(piece, Piece::Column(_)));
        let ends = matches!(start.last(), Some(Piece::Text(_)));
        if !in_each || !tells || !ends {
            self.fault(
                node.span().start,
                path,
                "complete needs each, and a key that begins with a column of the row and a text, such as key = \"{id}:{@person.id}\".",
                "complete kräver each och en nyckel som börjar med en kolumn på raden och en text, till exempel key = \"{id}:{@person.id}\".",
            );
            return None;
        }
        Some(Template(start))
    }

    fn record(&mut self, node: &Node<'_>, path: &str) -> Option<RecordSpec> {
        let table = self.table(node, path)?;
        let at = node.span().start;
        self.known(table, vocabulary::RECORD, path);
        let name: Arc<str> = self.required_text(table, "name", path, at).into();
        let path = &format!("record {name}");
        self.used.clear();
        self.file = self.package_file(table, path);
        let domain = self.domain(table, "domain", path, at);
        self.in_each = false;
        let each = self.each(table, path);
        self.in_each = each.is_some();
        let key = match table.get("key") {
            Some(node) => self.key(node, &format!("{path}.key")),
            None => {
                self.fault(
                    at,
                    path,
                    "The record has no key; write key = \"{Column}\", or key = { identifier = … }.",
                    "Posten har ingen nyckel; skriv key = \"{Kolumn}\" eller key = { identifier = … }.",
                );
                None
            }
        };
        let when = self.conditions(table, "when", path);
        let removed = self.conditions(table, "removed", path);
        let complete = self.complete(table, each.is_some(), key.as_ref(), path);
        let bound = |parser: &mut Self, name: &str, kind: &str| {
            table
                .get(name)
                .and_then(|node| parser.value_as(node, &format!("{path}.{name}"), Some(kind)))
        };
        let valid_from = bound(self, "valid-from", "date");
        let valid_to = bound(self, "valid-to", "end-date");
        let data = match table.get("data") {
            Some(node) => self.properties(node, &format!("{path}.data")),
            None => Vec::new(),
        };
        let mut lists = Vec::new();
        if let Some(DeValue::Array(nodes)) = table.get("list").map(Spanned::get_ref) {
            let outer = self.in_each;
            for (index, node) in nodes.iter().enumerate() {
                self.in_each = outer;
                if let Some(list) = self.list(node, &format!("{path}.list {}", index + 1)) {
                    lists.push(list);
                }
            }
        } else if let Some(node) = table.get("list") {
            self.fault(
                node.span().start,
                path,
                "Write [[record.list]], with two brackets.",
                "Skriv [[record.list]], med två klamrar.",
            );
        }
        self.in_each = false;
        Some(RecordSpec {
            name,
            file: self.file,
            domain: domain?,
            key: key?,
            each,
            when,
            removed,
            complete,
            valid_from,
            valid_to,
            data,
            lists,
            columns: std::mem::take(&mut self.used),
        })
    }

    fn list(&mut self, node: &Node<'_>, path: &str) -> Option<ListSpec> {
        let table = self.table(node, path)?;
        let at = node.span().start;
        self.known(table, vocabulary::LIST, path);
        let to = self.required_text(table, "to", path, at);
        let each = self.each(table, path);
        self.in_each |= each.is_some();
        let when = self.conditions(table, "when", path);
        let item = match (table.get("value"), table.get("item")) {
            (Some(value), None) => {
                ItemSpec::Value(self.value_as(value, &format!("{path}.value"), None)?)
            }
            (None, Some(item)) => ItemSpec::Object(self.properties(item, &format!("{path}.item"))),
            _ => {
                self.fault(
                    at,
                    path,
                    "A list has either value (an item that is one value) or item (an item that is an object).",
                    "En lista har antingen value (en post som är ett värde) eller item (en post som är ett objekt).",
                );
                return None;
            }
        };
        Some(ListSpec {
            to: self.property_path(&to, at, path),
            each,
            when,
            item,
        })
    }

    fn each(&mut self, table: &DeTable<'_>, path: &str) -> Option<Each> {
        let node = table.get("each")?;
        let path = format!("{path}.each");
        match node.get_ref() {
            DeValue::String(name) => Some(Each {
                column: self.column(name, node.span().start, &path),
                split: None,
            }),
            _ => {
                let each = self.table(node, &path)?;
                self.known(each, vocabulary::EACH, &path);
                let at = node.span().start;
                let column = self.required_text(each, "column", &path, at);
                Some(Each {
                    column: self.column(&column, at, &path),
                    split: self.optional_text(each, "split", &path),
                })
            }
        }
    }

    /// `when` and `removed`: one condition or a list of them.
    pub(super) fn conditions(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        path: &str,
    ) -> Vec<Condition> {
        let Some(node) = table.get(key) else {
            return Vec::new();
        };
        let path = joined(path, key);
        let nodes: Vec<&Node<'_>> = match node.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![node],
        };
        nodes
            .into_iter()
            .filter_map(|node| self.condition(node, &path))
            .collect()
    }

    fn condition(&mut self, node: &Node<'_>, path: &str) -> Option<Condition> {
        let table = self.table(node, path)?;
        let at = node.span().start;
        self.known(table, vocabulary::CONDITION, path);
        let name = self.required_text(table, "column", path, at);
        let column = self.column(&name, at, path);
        let lower = |values: Vec<String>| {
            values
                .iter()
                .map(|value| value.trim().to_lowercase())
                .collect()
        };
        let present = table
            .get("present")
            .and_then(|node| self.boolean(node, path));
        let test = match (
            self.texts(table, "in", path),
            self.texts(table, "not-in", path),
            present,
        ) {
            (Some(values), None, None) => Test::In(lower(values)),
            (None, Some(values), None) => Test::NotIn(lower(values)),
            (None, None, Some(present)) => Test::Present(present),
            _ => {
                self.fault(
                    at,
                    path,
                    "A condition has one of in = [\"…\"], not-in = [\"…\"] and present = true or false.",
                    "Ett villkor har ett av in = [\"…\"], not-in = [\"…\"] och present = true eller false.",
                );
                return None;
            }
        };
        Some(Condition { column, test })
    }

    pub(super) fn domain(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        path: &str,
        at: usize,
    ) -> Option<Domain> {
        if !table.contains_key(key) {
            self.required_text(table, key, path, at);
            return None;
        }
        self.word(table, key, path, vocabulary::DOMAINS)?
            .parse()
            .ok()
    }

    /// The place of a column among those that are used.
    pub(super) fn column(&mut self, name: &str, at: usize, path: &str) -> ColumnId {
        let (name, optional) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name.trim().is_empty() || (name.starts_with('@') && !self.in_each) {
            self.fault(
                at,
                path,
                "Write the name of a column; @ is the item of an each and has a meaning only there.",
                "Skriv namnet på en kolumn; @ är posten i ett each och betyder något bara där.",
            );
        }
        let column = ColumnName {
            name: name.to_owned(),
            optional,
        };
        let index = match self.columns.iter().position(|known| *known == column) {
            Some(index) => index,
            None => {
                self.columns.push(column);
                self.columns.len() - 1
            }
        };
        if !self.used.contains(&index) {
            self.used.push(index);
        }
        index
    }
}

/// `a.b`, or `b` at the top.
pub(super) fn joined(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
