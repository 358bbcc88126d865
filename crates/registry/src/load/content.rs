//! What is kept of a load as a whole.

use chrono::NaiveDate;
use grunddata_model::Instant;
use grunddata_store::{LoadRow, Reached, RowOutcome};
use serde::{Deserialize, Serialize};

use super::row::RowProblem;
use crate::{Context, Refusal};

/// The file that a load comes from. What is not known is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileFacts {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its SHA-256, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The day on which it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// How many rows it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Columns that the mapping could use and that it lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_columns: Vec<String>,
    /// Where it was collected by the registry itself: `folder`, `url` or `ss12000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collected: Option<String>,
    /// From when the next collecting is to ask for changes, once this load is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes_after: Option<Instant>,
    /// What the server from which it was fetched called this state of it (`ETag`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When it was changed last, as that server said it (`Last-Modified`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// What is worth knowing about it and takes nothing away: a row of totals that was left out, hidden rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<RowProblem>,
}

/// What the rows of a load come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadCounts {
    /// What was said in all: records, not rows of the file.
    pub said: u64,
    /// Said as it was said before.
    pub unchanged: u64,
    /// Said twice, in the same words.
    pub repeated: u64,
    /// New records.
    pub create: u64,
    /// Records that say something else.
    pub change: u64,
    /// Records that end.
    pub end: u64,
    /// Records that hold again.
    pub revive: u64,
    /// Records that say so already.
    pub confirm: u64,
    /// Records of which the source does not speak any more, and which stay.
    pub release: u64,
    /// Rows with which something is wrong.
    pub rejected: u64,
    /// Rows that something else is in the way of.
    pub conflict: u64,
    /// Rows of which nobody could tell whom they are about. In a full load nothing ends then.
    pub unreadable: u64,
    /// Rows that were set aside, when the plan was made or when it was applied.
    pub set_aside: u64,
    /// Records without a row of their own that end because they refer to what ends or changes, as far as the plan was
    /// rehearsed.
    pub follow_end: u64,
    /// And those that only lose the reference.
    pub follow_change: u64,
    /// Rows that are applied.
    pub applied: u64,
    /// What was let through but is worth a look.
    pub findings: u64,
}

impl LoadCounts {
    /// Rows that do something to a record.
    #[must_use]
    pub fn changing(&self) -> u64 {
        self.create + self.change + self.end + self.revive
    }

    pub(super) fn set(&mut self, outcome: RowOutcome, count: u64) {
        let place = match outcome {
            RowOutcome::Create => &mut self.create,
            RowOutcome::Change => &mut self.change,
            RowOutcome::End => &mut self.end,
            RowOutcome::Revive => &mut self.revive,
            RowOutcome::Confirm => &mut self.confirm,
            RowOutcome::Release => &mut self.release,
            RowOutcome::Rejected => &mut self.rejected,
            RowOutcome::Conflict => &mut self.conflict,
        };
        *place = place.saturating_add(count);
    }
}

/// Who did something, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// By whom.
    pub by: String,
    /// In whose name, where a system acts for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// When.
    pub at: Instant,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Signature {
    pub(super) fn of(context: &Context, reason: Option<String>) -> Self {
        Self {
            by: context.actor.name.clone(),
            on_behalf_of: context.on_behalf_of.clone(),
            at: context.now,
            reason,
        }
    }

    /// Whether both were done by one person: the one in whose name it was done, where that is said.
    pub(super) fn is_same_person(&self, other: &Self) -> bool {
        let person = |signature: &Self| {
            signature
                .on_behalf_of
                .clone()
                .unwrap_or_else(|| signature.by.clone())
        };
        person(self) == person(other)
    }
}

/// Why a plan could not be made, or its application broke off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadFailure {
    /// When.
    pub at: Instant,
    /// What was being done: `planning` or `applying`.
    pub during: String,
    /// The code of the refusal.
    pub code: String,
    /// Why, and what to do.
    pub message: String,
    /// Under which id it is found in the log.
    pub request_id: String,
}

/// A guard that stopped a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardHit {
    /// Its name: `ends`, `changes`, `errors`, `shorter`, `older`, `missing-column`, `stale-rows`.
    pub name: String,
    /// What it found and what to do, in English.
    pub message: String,
    /// The same in Swedish.
    pub message_sv: String,
    /// Who overrode it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Signature>,
}

/// The rows after one place up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Together {
    pub(super) after: Reached,
    pub(super) to: Reached,
}

impl Serialize for Together {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { after, to } = self;
        (after.turn, after.number, to.turn, to.number).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Together {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (after, number, turn, last) = Deserialize::deserialize(deserializer)?;
        Ok(Self {
            after: Reached {
                turn: after,
                number,
            },
            to: Reached { turn, number: last },
        })
    }
}

/// What is kept of a load as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content {
    pub(super) file: FileFacts,
    pub(super) reference_date: NaiveDate,
    #[serde(default)]
    pub(super) counts: LoadCounts,
    #[serde(default)]
    pub(super) guards: Vec<GuardHit>,
    pub(super) planned: Signature,
    #[serde(default)]
    pub(super) needs_approval: bool,
    #[serde(default)]
    pub(super) approved: Option<Signature>,
    #[serde(default)]
    pub(super) cancelled: Option<Signature>,
    /// Why its file was refused.
    #[serde(default)]
    pub(super) refused: Vec<RowProblem>,
    /// Why its plan could not be made, or why it is not applied further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<LoadFailure>,
    /// When its rows were removed because they were old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pruned: Option<Instant>,
    /// Whether it was found out what the rows do beyond their own records.
    #[serde(default)]
    pub(super) rehearsed: bool,
    /// Rows that were tried together, and so are applied together: what goes together may not go one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) together: Vec<Together>,
    /// Rows of the plan.
    #[serde(default)]
    pub(super) rows: u64,
    /// Rows that the load has passed, applied or not.
    #[serde(default)]
    pub(super) done: u64,
}

impl Content {
    pub(super) fn of(load: &LoadRow) -> Result<Self, Refusal> {
        serde_json::from_str(&load.content).map_err(|error| {
            tracing::error!(%error, load = %load.id, "a stored load cannot be read");
            Refusal::internal()
        })
    }

    pub(super) fn written(&self) -> Result<String, Refusal> {
        serde_json::to_string(self).map_err(|_| Refusal::internal())
    }

    /// The rows that belong together and would be parted after this place.
    pub(super) fn cuts(&self, last: Reached) -> Option<Together> {
        let next = self.together.partition_point(|rows| rows.to <= last);
        let rows = self.together.get(next)?;
        (rows.after < last).then_some(*rows)
    }

    /// Guards that nobody has overridden.
    pub(super) fn standing(&self) -> impl Iterator<Item = &GuardHit> {
        self.guards.iter().filter(|hit| hit.overridden.is_none())
    }
}
