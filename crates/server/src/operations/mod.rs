//! The one table of operations. Routes are registered from it and the OpenAPI document is generated from it, so that
//! neither can say what the other does not.

mod administration;
mod binding;
mod feed;
mod hand_offs;
mod law;
mod loads;
mod parameter;
mod peers;
mod subscriptions;
mod table;
mod transfers;

use actix_web::http::Method;
use grunddata_access_log::Kind;

pub use binding::Binding;
pub(crate) use binding::{admin, audit, feed, public, read, readmit, visitor, write};
#[cfg(test)]
pub(crate) use parameter::ALL as ALL_PARAMETERS;
pub(crate) use parameter::TRACEPARENT;
pub use parameter::{Parameter, Place};
pub(crate) use table::{TAGS, table};

use crate::access::Access;
use crate::body;
use crate::problem::Text;
use crate::visit;

/// One operation: a method on an address.
#[derive(Debug)]
pub struct Operation {
    /// `operationId`. `{Record}` and `{Records}` stand for the domain where the address has a `{collection}`.
    pub id: &'static str,
    /// HTTP method. What answers GET answers HEAD too.
    pub method: Method,
    /// Path below the API root, or below the host when [`Self::root`] is set.
    pub path: &'static str,
    /// Whether the path stands outside the API root.
    pub root: bool,
    /// The group in the documentation.
    pub tag: &'static str,
    /// What it does, in a few words.
    pub summary: Text,
    /// What it does, in full.
    pub description: Text,
    /// Parameters of path, query and header (`traceparent` belongs to all, and is not listed).
    pub parameters: Vec<&'static Parameter>,
    /// Whether the query may hold names that are not listed: the indexed properties of the domain.
    pub open_query: bool,
    /// The bodies that it reads: media type and name of the schema.
    pub bodies: Vec<(&'static str, &'static str)>,
    /// Whether the body may be left out.
    pub body_optional: bool,
    /// Its good answers.
    pub answers: Vec<Answer>,
    /// The problem types that it may answer with, beside those that every operation has.
    pub problems: Vec<&'static str>,
    /// As what it stands in the access log: as follows from its permission and its name, where the table says nothing else.
    pub logged_as: Kind,
    /// The handler, with the permission in its type.
    pub binding: Binding,
}

/// One good answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// What it means.
    pub text: Text,
    /// Media type and name of the schema; `None` without a body.
    pub body: Option<(&'static str, &'static str)>,
}

impl Operation {
    fn new(method: Method, path: &'static str, id: &'static str, binding: Binding) -> Self {
        Self {
            id,
            logged_as: visit::kind(binding.access, id, &method),
            method,
            path,
            root: false,
            tag: "",
            summary: Text { sv: "", en: "" },
            description: Text { sv: "", en: "" },
            parameters: Vec::new(),
            open_query: false,
            bodies: Vec::new(),
            body_optional: false,
            answers: Vec::new(),
            problems: Vec::new(),
            binding,
        }
    }

    fn get(path: &'static str, id: &'static str, binding: Binding) -> Self {
        Self::new(Method::GET, path, id, binding)
    }

    fn delete(path: &'static str, id: &'static str, binding: Binding) -> Self {
        Self::new(Method::DELETE, path, id, binding)
    }

    fn post(path: &'static str, id: &'static str, binding: Binding) -> Self {
        Self::new(Method::POST, path, id, binding)
    }

    fn at_root(mut self) -> Self {
        self.root = true;
        self
    }

    fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    fn summary(mut self, en: &'static str, sv: &'static str) -> Self {
        self.summary = Text { sv, en };
        self
    }

    fn text(mut self, en: &'static str, sv: &'static str) -> Self {
        self.description = Text { sv, en };
        self
    }

    fn takes(mut self, parameters: &[&'static Parameter]) -> Self {
        self.parameters.extend_from_slice(parameters);
        self
    }

    fn open_query(mut self) -> Self {
        self.open_query = true;
        self
    }

    fn body(mut self, media_type: &'static str, schema: &'static str) -> Self {
        self.bodies.push((media_type, schema));
        self
    }

    /// The body, which may be left out.
    fn may_have(self, media_type: &'static str, schema: &'static str) -> Self {
        let mut operation = self.body(media_type, schema);
        operation.body_optional = true;
        operation
    }

    fn answers(
        mut self,
        status: u16,
        schema: &'static str,
        en: &'static str,
        sv: &'static str,
    ) -> Self {
        self.answers.push(Answer {
            status,
            text: Text { sv, en },
            body: Some((body::JSON, schema)),
        });
        self
    }

    /// The first good answer comes in further forms.
    fn also(mut self, media_types: &[&'static str]) -> Self {
        if let Some((status, text)) = self.answers.first().map(|first| (first.status, first.text)) {
            self.answers
                .extend(media_types.iter().map(|media_type| Answer {
                    status,
                    text,
                    body: Some((media_type, "Binary")),
                }));
        }
        self
    }

    fn answers_as(
        mut self,
        status: u16,
        media_type: &'static str,
        schema: &'static str,
        en: &'static str,
        sv: &'static str,
    ) -> Self {
        self.answers.push(Answer {
            status,
            text: Text { sv, en },
            body: Some((media_type, schema)),
        });
        self
    }

    fn answers_empty(mut self, status: u16, en: &'static str, sv: &'static str) -> Self {
        self.answers.push(Answer {
            status,
            text: Text { sv, en },
            body: None,
        });
        self
    }

    fn logged_as(mut self, kind: Kind) -> Self {
        self.logged_as = kind;
        self
    }

    fn problems(mut self, codes: &[&'static str]) -> Self {
        self.problems.extend_from_slice(codes);
        self
    }

    /// What its caller must be allowed: read off the type of its handler.
    #[must_use]
    pub fn access(&self) -> Access {
        self.binding.access
    }

    /// The media type of its first good answer.
    #[must_use]
    pub fn produces(&self) -> &'static str {
        self.answers
            .iter()
            .find_map(|answer| answer.body)
            .map_or(body::JSON, |(media_type, _)| media_type)
    }

    /// The media types of its good answers, the first one first; that of problems where none has a body.
    pub fn media_types(&self) -> impl Iterator<Item = &'static str> {
        let bodies = self.answers.iter().filter_map(|answer| answer.body);
        let others = bodies.map(|(media_type, _)| media_type).skip(1);
        [self.produces()].into_iter().chain(others)
    }

    /// The names that may stand in the query.
    #[must_use]
    pub fn query_names(&self) -> Vec<&'static str> {
        self.parameters
            .iter()
            .filter(|parameter| parameter.place == Place::Query)
            .map(|parameter| parameter.name)
            .collect()
    }

    /// The whole path, as the router and the documentation write it.
    #[must_use]
    pub fn full_path(&self) -> String {
        if self.root {
            self.path.to_owned()
        } else {
            format!("{}{}", crate::links::API_ROOT, self.path)
        }
    }
}
