//! Reading the plain parts of all tables of a mapping: texts, numbers, words.

use toml::de::{DeTable, DeValue};

use super::parse::{Node, Parser, joined};

impl Parser<'_> {
    /// Faults of words that the table does not have.
    pub(super) fn known(&mut self, table: &DeTable<'_>, words: &[&str], path: &str) {
        for key in table.keys() {
            let name = key.get_ref();
            if words.contains(&name.as_ref()) {
                continue;
            }
            let nearest = words
                .iter()
                .map(|word| (strsim::normalized_damerau_levenshtein(name, word), *word))
                .filter(|(likeness, _)| *likeness >= 0.6)
                .max_by(|(one, _), (other, _)| one.total_cmp(other));
            let (did, menade) = match nearest {
                Some((_, word)) => (
                    format!(" Did you mean \"{word}\"?"),
                    format!(" Menade du \"{word}\"?"),
                ),
                None => (
                    format!(" What may stand here: {}.", words.join(", ")),
                    format!(" Det som får stå här: {}.", words.join(", ")),
                ),
            };
            self.fault(
                key.span().start,
                &joined(path, name),
                format!("\"{name}\" has no meaning here.{did}"),
                format!("\"{name}\" betyder inget här.{menade}"),
            );
        }
    }

    pub(super) fn table<'n, 't>(
        &mut self,
        node: &'n Node<'t>,
        path: &str,
    ) -> Option<&'n DeTable<'t>> {
        match node.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.expected(node, path, "a table", "en tabell");
                None
            }
        }
    }

    pub(super) fn expected(&mut self, node: &Node<'_>, path: &str, en: &str, sv: &str) {
        self.fault(
            node.span().start,
            path,
            format!("Here stands {en}."),
            format!("Här ska stå {sv}."),
        );
    }

    pub(super) fn text(&mut self, node: &Node<'_>, path: &str) -> Option<String> {
        match node.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.expected(
                    node,
                    path,
                    "a text in quotation marks",
                    "en text inom citattecken",
                );
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, node: &Node<'_>, path: &str) -> Option<bool> {
        let value = node.get_ref().as_bool();
        if value.is_none() {
            self.expected(node, path, "true or false", "true eller false");
        }
        value
    }

    pub(super) fn integer(&mut self, node: &Node<'_>, path: &str) -> Option<i64> {
        let number = node
            .get_ref()
            .as_integer()
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
        if number.is_none() {
            self.expected(node, path, "a whole number", "ett heltal");
        }
        number
    }

    pub(super) fn float(&mut self, node: &Node<'_>, path: &str) -> Option<f64> {
        let number = match node.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.expected(node, path, "a number", "ett tal");
        }
        number
    }

    pub(super) fn optional_text(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        path: &str,
    ) -> Option<String> {
        let node = table.get(key)?;
        self.text(node, &joined(path, key))
    }

    pub(super) fn required_text(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        path: &str,
        at: usize,
    ) -> String {
        if !table.contains_key(key) {
            self.fault(
                at,
                &joined(path, key),
                format!("\"{key}\" is missing."),
                format!("\"{key}\" saknas."),
            );
        }
        self.optional_text(table, key, path).unwrap_or_default()
    }

    pub(super) fn texts(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        path: &str,
    ) -> Option<Vec<String>> {
        let node = table.get(key)?;
        let path = joined(path, key);
        match node.get_ref() {
            DeValue::Array(list) => Some(
                list.iter()
                    .filter_map(|node| self.text(node, &path))
                    .collect(),
            ),
            _ => {
                self.expected(
                    node,
                    &path,
                    "a list of texts, [\"…\", \"…\"]",
                    "en lista med texter, [\"…\", \"…\"]",
                );
                None
            }
        }
    }

    /// One of the words.
    pub(super) fn word<'w>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        path: &str,
        words: &[&'w str],
    ) -> Option<&'w str> {
        let node = table.get(key)?;
        let given = self.text(node, &joined(path, key))?;
        let word = words.iter().copied().find(|word| *word == given);
        if word.is_none() {
            self.fault(
                node.span().start,
                &joined(path, key),
                format!(
                    "\"{given}\" has no meaning here; write one of: {}.",
                    words.join(", ")
                ),
                format!(
                    "\"{given}\" betyder inget här; skriv ett av: {}.",
                    words.join(", ")
                ),
            );
        }
        word
    }
}
