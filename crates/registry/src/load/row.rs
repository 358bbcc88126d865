//! A row of a plan: what is done, what differs, and what is in the way.

use chrono::NaiveDate;
use grunddata_model::{Period, ValidFrom, ValidTo};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

use super::assertion::{AssertionKey, Said};
use super::rehearse::Follows;
use crate::{Code, Fault, Refusal};

/// The codes of problems of rows that are not codes of the information model or of refusals.
pub mod problem {
    /// Two rows say different things under one key.
    pub const DUPLICATE_KEY: &str = "duplicate-key";
    /// Two rows of a plan are about one record.
    pub const RECORD_CLAIMED_TWICE: &str = "record-claimed-twice";
    /// A source whose word counts more speaks of the property.
    pub const HIGHER_PRECEDENCE: &str = "higher-precedence";
    /// The source does not feed the domain.
    pub const DOMAIN_NOT_FED: &str = "domain-not-fed";
    /// The key belongs to a record of another domain.
    pub const OTHER_DOMAIN: &str = "other-domain";
    /// Nothing of the record holds when the row would change it.
    pub const NOTHING_HOLDS: &str = "nothing-holds";
    /// Another source, or another row, still speaks of the record: it stays.
    pub const STILL_ASSERTED: &str = "still-asserted";
    /// The source does not decide when records end: it stays.
    pub const NOT_AUTHORITATIVE: &str = "not-authoritative";
    /// Rows of the file could not be read, so that nobody knows what is missing.
    pub const ROWS_UNREADABLE: &str = "rows-unreadable";
    /// The record was changed after the plan was made.
    pub const CHANGED_SINCE_PLAN: &str = "changed-since-plan";
    /// More records would follow than the plan says.
    pub const MORE_FOLLOW: &str = "more-follow";
    /// What the row refers to is not there, because another row of the plan is rejected or in conflict.
    pub const TARGET_MISSING: &str = "target-missing";
}

/// Something about a row: what is wrong with it, what is in its way, or what is worth a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowProblem {
    /// Stable: a code of [`problem`], of the information model, of a refusal, or of whoever read the file.
    pub code: Cow<'static, str>,
    /// The row of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_row: Option<u64>,
    /// The column of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// JSON Pointer into the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The value, with personal identity numbers masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Another record, source or row that it is about, where it may be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// Whether it does not keep the row from being applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warning: bool,
    /// What it is and what to do, in English.
    pub message: String,
    /// The same in Swedish.
    pub message_sv: String,
}

impl RowProblem {
    /// A problem of a whole row.
    #[must_use]
    pub fn new(
        code: &'static str,
        message: impl Into<String>,
        message_sv: impl Into<String>,
    ) -> Self {
        Self {
            code: Cow::Borrowed(code),
            file_row: None,
            column: None,
            pointer: None,
            value: None,
            other: None,
            warning: false,
            message: message.into(),
            message_sv: message_sv.into(),
        }
    }

    /// Of a property.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// About another record, source or row.
    #[must_use]
    pub fn about(mut self, other: impl Into<String>) -> Self {
        self.other = Some(other.into());
        self
    }

    /// Something that does not keep the row from being applied.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.warning = true;
        self
    }

    /// What a refusal says.
    pub(super) fn of_refusal(refusal: &Refusal) -> Vec<Self> {
        if refusal.errors.is_empty() {
            let sv = format!("Avvisades ({}).", refusal.code);
            return vec![Self::new(refusal.code.as_str(), refusal.detail.clone(), sv)];
        }
        refusal.errors.iter().cloned().map(Self::from).collect()
    }

    pub(super) fn code(code: Code, en: impl Into<String>, sv: impl Into<String>) -> Self {
        Self::new(code.as_str(), en, sv)
    }
}

impl From<Fault> for RowProblem {
    fn from(fault: Fault) -> Self {
        // `/operations/7/data/name` is a place in a batch that nobody sees.
        let mut parts = fault.pointer.splitn(4, '/');
        let pointer = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(""), Some("operations"), Some(_), rest) => {
                let rest = rest.unwrap_or_default();
                rest.strip_prefix("data").unwrap_or_default().to_owned()
            }
            _ => fault.pointer.clone(),
        };
        let other = fault.more.get(crate::fact::OTHER);
        Self {
            other: other.and_then(Value::as_str).map(str::to_owned),
            pointer: Some(pointer).filter(|pointer| !pointer.is_empty()),
            code: fault.code,
            file_row: None,
            column: None,
            value: None,
            warning: false,
            message: fault.message,
            message_sv: fault.message_sv,
        }
    }
}

/// A property that becomes another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    /// JSON Pointer into the data.
    pub pointer: String,
    /// What it is; absent = it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it becomes; absent = it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// What a row does to a record in one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowDifference {
    /// When.
    #[serde(flatten)]
    pub period: Period,
    /// Whether something holds before and after.
    pub held: bool,
    /// See `held`.
    pub holds: bool,
    /// The properties that differ, where something holds before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
}

/// What is done to a record when a row is applied. The operations of a row make one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    tag = "operation"
)]
pub(super) enum Planned {
    /// A new record that says what the piece says.
    Create {
        piece: usize,
        from: NaiveDate,
        to: NaiveDate,
    },
    /// A patch (RFC 7396) to all that holds in a period.
    Amend {
        patch: Value,
        from: NaiveDate,
        to: NaiveDate,
        correction: bool,
    },
    /// What the data say holds in a period in which nothing did.
    Fill {
        data: Value,
        from: NaiveDate,
        to: NaiveDate,
        correction: bool,
    },
    /// The record holds again.
    Revive {
        data: Value,
        from: NaiveDate,
        to: NaiveDate,
    },
    /// Nothing holds from a day on, or in between.
    End {
        from: NaiveDate,
        to: Option<NaiveDate>,
    },
    /// It was never so: a period, or the whole record.
    Retract {
        period: Option<(NaiveDate, NaiveDate)>,
    },
    /// Back to an earlier version.
    Revert { version: u32 },
}

pub(super) fn from_bound(day: NaiveDate) -> ValidFrom {
    ValidFrom::from_start(day)
}

pub(super) fn to_bound(day: NaiveDate) -> ValidTo {
    ValidTo::from_end(day)
}

/// An assertion as it was before a row, for taking the row back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Before {
    pub(super) present: bool,
    pub(super) record: grunddata_model::RecordId,
    pub(super) said: Said,
    pub(super) first_load: uuid::Uuid,
    pub(super) load: uuid::Uuid,
    /// What tells the said apart, as hexadecimal digits.
    pub(super) hash: String,
}

impl Before {
    /// Of an assertion as it is now.
    pub(super) fn of(row: &grunddata_store::AssertionRow) -> Result<Self, Refusal> {
        Ok(Self {
            present: row.present,
            record: row.record,
            said: super::planner::read_said(&row.content)?,
            first_load: row.first_load,
            load: row.load,
            hash: hex(&row.hash),
        })
    }
}

/// What a row does to the assertion of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    /// Nothing: the row was not accepted, and is told again by the next load.
    #[default]
    None,
    /// It says what `said` says.
    Says,
    /// It says nothing any more.
    Silent,
    /// As it was in `before`, or gone where there is none: of reversals.
    Restored,
    /// Nothing, although the row is carried out: of reversals, for records that had followed another.
    Untouched,
}

/// What is kept of a row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RowContent {
    /// Further rows of the file that it comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rows: Vec<u64>,
    /// Whether the source says that the record is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) removed: bool,
    /// What is said.
    #[serde(default)]
    pub(super) said: Said,
    /// What tells the said apart, as hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) hash: String,
    /// What becomes of the assertion.
    #[serde(default)]
    pub(super) effect: Effect,
    /// Values that were left out of the said, because they break rules that only warn: where they stood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) dropped: Vec<String>,
    /// What is done to the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) operations: Vec<Planned>,
    /// What differs then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) diff: Vec<RowDifference>,
    /// What is wrong, in the way or worth a look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) problems: Vec<RowProblem>,
    /// What ends or changes because it refers to the record.
    #[serde(default, skip_serializing_if = "Follows::is_empty")]
    pub(super) follows: Follows,
    /// The same, what who made the plan may not see: it is never shown, nor counted.
    #[serde(default, skip_serializing_if = "Follows::is_empty")]
    pub(super) follows_unseen: Follows,
    /// The assertion before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Before>,
}

pub(super) fn hex(hash: &[u8; 16]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(text: &str) -> [u8; 16] {
    let mut hash = [0; 16];
    for (place, byte) in hash.iter_mut().enumerate() {
        let digits = text.get(place * 2..place * 2 + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    hash
}

impl RowContent {
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        // What was erased is empty.
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text).map_err(|error| {
            tracing::error!(%error, "a stored row of a plan cannot be read");
            Refusal::internal()
        })
    }

    pub(super) fn written(&self) -> Result<String, Refusal> {
        serde_json::to_string(self).map_err(|_| Refusal::internal())
    }
}

/// The key as it is kept with a row.
pub(super) fn written_key(key: &AssertionKey) -> String {
    serde_json::to_string(key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_and_read() {
        let hash = [0, 1, 15, 16, 255, 7, 8, 9, 10, 11, 12, 13, 14, 200, 100, 50];
        assert_eq!(unhex(&hex(&hash)), hash);
    }

    #[test]
    fn places_in_a_batch_become_places_in_the_data() {
        let fault = |pointer: &str| {
            RowProblem::from(Fault::new(pointer, Code::InvalidData, "a", "b")).pointer
        };
        assert_eq!(
            fault("/operations/3/data/name/sv"),
            Some("/name/sv".to_owned())
        );
        assert_eq!(fault("/operations/3"), None);
        assert_eq!(fault("/name"), Some("/name".to_owned()));
    }
}
