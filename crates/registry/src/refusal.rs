//! Why a request is refused: a stable code, what to do about it, and every error of the request at its place.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Code;

/// The names of extension members ("facts") that more than one refusal uses.
pub mod fact {
    /// The record's present version.
    pub const VERSION: &str = "version";
    /// The end of the record (exclusive).
    pub const ENDED: &str = "ended";
    /// The parameter that is wrong.
    pub const PARAMETER: &str = "parameter";
    /// The nearest known name.
    pub const NEAREST: &str = "nearest";
    /// The records that refer to what should go away; only those that the caller may see.
    pub const REFERRERS: &str = "referrers";
    /// How many referrers there are in all.
    pub const REFERRER_COUNT: &str = "referrerCount";
    /// The other record.
    pub const OTHER: &str = "other";
    /// A date at which there is something to see.
    pub const VALID_PERIODS: &str = "validPeriods";
    /// The id that took over.
    pub const FORWARD_TO: &str = "forwardTo";
}

/// One error at one place of the request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// JSON Pointer into the body of the request (for one record: into its `data`; in a transaction into
    /// `/operations/N/data`).
    pub pointer: String,
    /// Stable code: those of `docs/annotations.md` and of [`Code`].
    pub code: Cow<'static, str>,
    /// English: what is wrong and what to do.
    pub message: String,
    /// The same in Swedish.
    pub message_sv: String,
    /// Further members, such as the record that is in the way.
    #[serde(flatten, skip_serializing_if = "Map::is_empty")]
    pub more: Map<String, Value>,
}

impl Fault {
    /// A fault of the registry itself.
    pub fn new(
        pointer: impl Into<String>,
        code: Code,
        message: impl Into<String>,
        message_sv: impl Into<String>,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            code: Cow::Borrowed(code.as_str()),
            message: message.into(),
            message_sv: message_sv.into(),
            more: Map::new(),
        }
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The operation of a list that it is about.
    pub(crate) fn operation(&self) -> Option<usize> {
        let rest = self.pointer.strip_prefix("/operations/")?;
        rest.split('/').next()?.parse().ok()
    }

    /// The same fault with its pointer moved below `prefix`.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        if !prefix.is_empty() {
            self.pointer.insert_str(0, prefix);
        }
        self
    }
}

impl From<grunddata_information_model::ValidationError> for Fault {
    fn from(error: grunddata_information_model::ValidationError) -> Self {
        let mut more = Map::new();
        if let Some(property) = error.property {
            more.insert("property".to_owned(), property.into());
        }
        if let Some(suggestion) = error.suggestion {
            more.insert("suggestion".to_owned(), suggestion.into());
        }
        Self {
            pointer: error.pointer,
            code: Cow::Borrowed(error.code),
            message: error.message,
            message_sv: error.message_sv,
            more,
        }
    }
}

/// A request that was refused. Nothing of it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What is wrong and what to do about it, in one or two sentences.
    pub detail: String,
    /// All errors of the request, each at its place; empty where the detail says everything.
    pub errors: Vec<Fault>,
    /// Extension members of the problem: what a program needs to react ([`fact`]).
    pub facts: Map<String, Value>,
}

impl Refusal {
    /// Whether no record of the request is to blame: another try may go well, or none does.
    pub(crate) fn is_of_no_record(&self) -> bool {
        matches!(
            self.code,
            Code::Busy
                | Code::StorageFull
                | Code::ClockJump
                | Code::Timeout
                | Code::Internal
                | Code::LoadState
                | Code::UnknownLoad
                | Code::UnknownOwner
                | Code::Unauthenticated
        )
    }

    /// A refusal with its detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            facts: Map::new(),
        }
    }

    /// With one more fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// With one more fact where there is one.
    #[must_use]
    pub fn fact_if(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    /// With errors.
    #[must_use]
    pub fn errors(mut self, errors: impl IntoIterator<Item = Fault>) -> Self {
        self.errors.extend(errors);
        self
    }

    /// Data that the information model refuses.
    #[must_use]
    pub fn invalid_data(errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("The data is not valid: {}", only.message),
            several => format!(
                "The data is not valid in {} places; errors lists them all.",
                several.len()
            ),
        };
        Self::new(Code::InvalidData, detail).errors(errors)
    }

    /// A refusal made of faults found together: it has the code of the first, and lists all.
    #[must_use]
    pub fn of_faults(faults: Vec<(Code, Fault)>) -> Option<Self> {
        let (code, first) = faults.first()?;
        let code = *code;
        let detail = if faults.len() == 1 {
            first.message.clone()
        } else {
            format!(
                "{} ({} errors in all: see errors.)",
                first.message,
                faults.len()
            )
        };
        // What a program needs of the only error is said at the top level too.
        let facts = if faults.len() == 1 {
            first.more.clone()
        } else {
            Map::new()
        };
        Some(Self {
            code,
            detail,
            errors: faults.into_iter().map(|(_, fault)| fault).collect(),
            facts,
        })
    }

    /// Nothing that the caller may see has this id: used alike for what does not exist and for what is hidden.
    #[must_use]
    pub fn not_found(id: impl fmt::Display) -> Self {
        Self::new(
            Code::NotFound,
            format!("There is no record {id} that you may see. Check the id and the collection."),
        )
        .fact("reason", "unknown")
    }

    /// The caller may not write for the owner.
    #[must_use]
    pub fn forbidden_owner(owner: &grunddata_model::OwnerKey, action: &str) -> Self {
        Self::new(
            Code::Forbidden,
            format!(
                "You may not {action} for the owner {owner}. Ask its administrator for a token with that right."
            ),
        )
        .fact("owner", owner.as_str())
    }

    /// An internal error; its cause belongs in the log alone.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "Something went wrong in the registry. Nothing was stored. Report the request id if it happens again.",
        )
    }

    /// The same refusal for operation `index` of a transaction: errors of the data point below
    /// `/operations/INDEX/data`, those of a JSON Patch below `/operations/INDEX/operations`.
    #[must_use]
    pub fn in_operation(mut self, index: usize) -> Self {
        let prefix = format!("/operations/{index}");
        let is_patch = matches!(
            self.code,
            Code::PatchFailed | Code::PatchMalformed | Code::PatchNeedsTest
        );
        if self.errors.is_empty() {
            self.errors.push(Fault {
                pointer: prefix,
                code: Cow::Borrowed(self.code.as_str()),
                message: self.detail.clone(),
                message_sv: format!("Operation {index} avvisades ({}).", self.code),
                more: self.facts.clone(),
            });
        } else {
            let within = if is_patch { "operations" } else { "data" };
            let prefix = format!("{prefix}/{within}");
            for error in &mut self.errors {
                error.pointer.insert_str(0, &prefix);
            }
        }
        self
    }

    /// Several refusals (of operations of one transaction) as one: the first code, all errors.
    #[must_use]
    pub fn together(refusals: Vec<Refusal>) -> Option<Self> {
        let mut refusals = refusals.into_iter();
        let mut first = refusals.next()?;
        let before = first.errors.len();
        for other in refusals {
            first.errors.extend(other.errors);
        }
        if first.errors.len() > before {
            first.detail = format!(
                "{} ({} errors in all: see errors.)",
                first.detail,
                first.errors.len()
            );
        }
        Some(first)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)?;
        for error in &self.errors {
            write!(f, "\n  {} {}: {}", error.pointer, error.code, error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// The known name that is nearest to what was given, if any is near enough to be meant.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What a client can make long must not cost long: nobody misspells a name of more than 64 bytes.
    if given.len() > 64 {
        return None;
    }
    let lower = given.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            let name_lower = name.to_lowercase();
            let last = name_lower.rsplit('.').next().unwrap_or(&name_lower);
            let whole = strsim::damerau_levenshtein(&lower, &name_lower);
            // `family` is meant to be `name.family`.
            let tail = strsim::damerau_levenshtein(&lower, last).saturating_add(1);
            (whole.min(tail), name)
        })
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 3))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let known = ["name", "kind", "name.family", "validAt", "limit"];
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("validat", known), Some("validAt"));
        assert_eq!(nearest("family", known), Some("name.family"));
        assert_eq!(nearest("somethingelse", known), None);
        let long = "n".repeat(65);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }

    #[test]
    fn operations_of_a_transaction_point_into_it() {
        let refusal = Refusal::invalid_data(vec![Fault::new(
            "/name",
            Code::InvalidData,
            "bad",
            "dåligt",
        )]);
        let other = Refusal::new(Code::NotFound, "gone").in_operation(3);
        let together = Refusal::together(vec![refusal.in_operation(1), other]).unwrap();
        let pointers: Vec<&str> = together.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["/operations/1/data/name", "/operations/3"]);
        assert_eq!(together.code, Code::InvalidData);
    }
}
