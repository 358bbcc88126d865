//! A domain as a table: which columns a flat file has, derived from the plan of its schema. A model that gets a property
//! gets a column.

use crate::plan::{DomainModel, Node, Role, ValueKind};
use crate::text::Text;

/// What stands in the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A text, or a value of which the schema leaves the kind open.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// A list of texts.
    TextList,
    /// What has no one cell, as JSON: lists of anything else, and objects whose members the schema does not name.
    Json,
    /// The texts in other languages than Swedish and English, as a JSON object.
    OtherLanguages,
}

/// A column of a domain.
#[derive(Debug, Clone)]
pub struct Column {
    /// The heading: the path with dots.
    pub name: String,
    /// The members that lead to the value, from the root of the data.
    pub path: Vec<String>,
    /// What stands in it.
    pub kind: ColumnKind,
    /// What to show.
    pub label: Text,
}

impl DomainModel {
    /// The columns of the domain's data, in the order of the names. Geometry is none: it does not fit into a cell.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        let mut found = Vec::new();
        collect(&self.root, &mut Vec::new(), &mut found);
        found
            .into_iter()
            .map(|Found { path, tail, kind }| {
                let property = path.join(".");
                let label = self
                    .properties()
                    .iter()
                    .find(|known| *known.name == *property)
                    .map_or_else(Text::default, |known| known.label.clone());
                let name =
                    tail.map_or_else(|| property.clone(), |tail| format!("{property}.{tail}"));
                let mut path = path;
                if kind != ColumnKind::OtherLanguages {
                    path.extend(tail.map(str::to_owned));
                }
                Column {
                    name,
                    path,
                    kind,
                    label,
                }
            })
            .collect()
    }
}

/// A property with what of it stands in the column.
struct Found {
    path: Vec<String>,
    tail: Option<&'static str>,
    kind: ColumnKind,
}

fn collect(node: &Node, path: &mut Vec<String>, found: &mut Vec<Found>) {
    let mut add = |tails: &[Option<&'static str>], kind| {
        found.extend(tails.iter().map(|tail| Found {
            path: path.clone(),
            tail: *tail,
            kind,
        }));
    };
    match &node.role {
        Role::Geometry => return,
        Role::Reference(_) => return add(&[Some("id"), Some("display")], ColumnKind::Text),
        Role::LangString => {
            add(&[Some("sv"), Some("en")], ColumnKind::Text);
            return add(&[Some("other")], ColumnKind::OtherLanguages);
        }
        Role::Extensions => return add(&[None], ColumnKind::Json),
        Role::Plain | Role::Identifier | Role::IdentifierKey => {}
    }
    if node.items.is_none() && !node.members.is_empty() {
        for (name, member) in &node.members {
            path.push(name.to_string());
            collect(member, path, found);
            path.pop();
        }
    } else if node.items.as_deref().is_some_and(is_text) {
        add(&[None], ColumnKind::TextList);
    } else if node.items.is_some() || node.additional.is_some() {
        add(&[None], ColumnKind::Json);
    } else {
        let kind = match node.value {
            ValueKind::Text => ColumnKind::Text,
            ValueKind::Integer => ColumnKind::Integer,
            ValueKind::Number => ColumnKind::Number,
            ValueKind::Boolean => ColumnKind::Boolean,
            ValueKind::Date => ColumnKind::Date,
        };
        add(&[None], kind);
    }
}

/// Whether the items of a list are texts: codes, names, addresses, dates.
fn is_text(item: &Node) -> bool {
    let plain = matches!(
        item.role,
        Role::Plain | Role::Identifier | Role::IdentifierKey
    );
    let leaf = item.members.is_empty() && item.additional.is_none() && item.items.is_none();
    plain && leaf && matches!(item.value, ValueKind::Text | ValueKind::Date)
}
