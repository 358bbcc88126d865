//! Legal holds and restrictions of processing.

use std::collections::BTreeMap;

use grunddata_model::{Instant, OwnerKey, Period, RecordId};
use grunddata_store::{Lookup, MarkRow, Reader, StoreError};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{Reach, TEXT};
use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Code, Context, Refusal, Registry};

pub use grunddata_store::MarkKind;

/// Something that stands in the way of what would be done to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// The id by which it is lifted.
    pub id: Uuid,
    /// Whose record.
    pub owner: OwnerKey,
    /// The record.
    pub record: RecordId,
    /// Why.
    pub reason: String,
    /// When it was put.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When it was lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<Instant>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
}

impl From<MarkRow> for Mark {
    fn from(row: MarkRow) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            record: row.record,
            reason: row.reason,
            created_at: row.created_at,
            created_by: row.created_by,
            lifted_at: row.lifted_at,
            lifted_by: row.lifted_by,
        }
    }
}

impl Registry {
    /// Puts a legal hold (the record is not erased, whatever the rules say) or a restriction of processing (it is hidden,
    /// with whoever it identifies, from all whose grants do not reach persons under protection whole) on a record.
    ///
    /// # Errors
    /// [`Code::NotFound`] for a record that the actor may not know of; [`Code::Forbidden`] for who is no steward of its
    /// owner or its controller; [`Code::Erased`]; [`Code::InvalidText`].
    pub fn put_mark(
        &self,
        context: &Context,
        kind: MarkKind,
        record: RecordId,
        reason: &str,
    ) -> Result<Mark, Refusal> {
        check_text("reason", reason, TEXT)?;
        let owner = self.stewarded(context, record)?;
        context.disclosed.about(&owner, record);
        let row = MarkRow {
            owner,
            id: Uuid::now_v7(),
            record,
            kind,
            reason: reason.to_owned(),
            created_at: context.now,
            created_by: context.actor.name.clone(),
            lifted_at: None,
            lifted_by: None,
        };
        context.disclosed.acted([], json!({"mark": row.id}));
        match self.inner.store.put_mark(&row) {
            Ok(()) => Ok(row.into()),
            Err(StoreError::Staged { .. }) => Err(Refusal::new(
                Code::Erased,
                format!(
                    "The content of the record {record} was erased: there is nothing left to hold or to restrict."
                ),
            )),
            Err(error) => Err(refuse_store(error)),
        }
    }

    /// The holds or restrictions on an owner's records, those that were lifted included, the latest first. Stewards of some
    /// controllers are told of theirs.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who is no steward of the owner or of a controller.
    pub fn marks(
        &self,
        context: &Context,
        owner: &OwnerKey,
        kind: MarkKind,
    ) -> Result<Vec<Mark>, Refusal> {
        let reach = self.stewardship(context, owner)?;
        let rows = self
            .inner
            .store
            .read(|reader| {
                let mut rows = reader.marks(owner, None)?;
                rows.retain(|row| row.kind == kind);
                let mut within = BTreeMap::new();
                let mut kept = Vec::with_capacity(rows.len());
                for row in rows {
                    let known = within.get(&row.record).copied();
                    let is_within = match known {
                        Some(known) => known,
                        None => is_within(reader, &reach, row.record)?,
                    };
                    within.insert(row.record, is_within);
                    if is_within {
                        kept.push(row);
                    }
                }
                Ok(kept)
            })
            .map_err(refuse_store)?;
        Ok(rows.into_iter().map(Mark::from).collect())
    }

    /// Lifts a hold or a restriction.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who is no steward of the owner or of a controller; [`Code::NotFound`] when there is none
    /// that still counts, or it is on a record of another controller.
    pub fn lift_mark(
        &self,
        context: &Context,
        owner: &OwnerKey,
        kind: MarkKind,
        id: Uuid,
    ) -> Result<RecordId, Refusal> {
        context
            .disclosed
            .acted([owner.clone()], json!({"mark": id}));
        let reach = self.stewardship(context, owner)?;
        let unknown = || {
            Refusal::new(
                Code::NotFound,
                format!("{owner} has no such mark {id} that has not been lifted already."),
            )
        };
        let is_theirs = self
            .inner
            .store
            .read(|reader| {
                if matches!(reach, Reach::Whole) {
                    return Ok(true);
                }
                let marks = reader.marks(owner, None)?;
                match marks.iter().find(|mark| mark.id == id) {
                    Some(mark) => is_within(reader, &reach, mark.record),
                    None => Ok(false),
                }
            })
            .map_err(refuse_store)?;
        if !is_theirs {
            return Err(unknown());
        }
        let lifted = self
            .inner
            .store
            .lift_mark(owner, kind, id, &context.actor.name)
            .map_err(refuse_store)?;
        let record = lifted.ok_or_else(unknown)?;
        context.disclosed.about(owner, record);
        Ok(record)
    }

    /// The owner of a record of which the actor is a steward. Others learn no more than from a read.
    pub(super) fn stewarded(&self, context: &Context, id: RecordId) -> Result<OwnerKey, Refusal> {
        let owner = self.owner_seen(context, id)?;
        let reach = self.stewardship(context, &owner)?;
        let is_theirs = self
            .inner
            .store
            .read(|reader| is_within(reader, &reach, id))
            .map_err(refuse_store)?;
        if is_theirs {
            return Ok(owner);
        }
        Err(Refusal::new(
            Code::Forbidden,
            format!("The record {id} is not of a controller that you are a steward of."),
        ))
    }

    /// The owner of a record that the actor may know of.
    pub(super) fn owner_seen(&self, context: &Context, id: RecordId) -> Result<OwnerKey, Refusal> {
        let visibility = self.visibility(context)?;
        let found = self
            .inner
            .store
            .read(|reader| reader.find(id, Period::BEGINNING, None, &visibility))
            .map_err(refuse_store)?;
        match found {
            Lookup::Unknown => Err(Refusal::not_found(id)),
            Lookup::Found { row, .. } => Ok(row.owner),
            Lookup::Absent(absent) => Ok(absent.owner),
        }
    }
}

/// Whether the record is among those that are looked after.
fn is_within(reader: &mut Reader<'_>, reach: &Reach, id: RecordId) -> Result<bool, StoreError> {
    let Reach::Some(visibility) = reach else {
        return Ok(true);
    };
    let found = reader.find(id, Period::BEGINNING, None, visibility)?;
    Ok(!matches!(found, Lookup::Unknown))
}
