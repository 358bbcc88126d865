//! Legal holds and restrictions of processing.

use grunddata_model::{Instant, OwnerKey, Period, RecordId};
use grunddata_store::{Lookup, MarkRow, StoreError, Visibility};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{TEXT, must_be_steward};
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
    /// owner; [`Code::Erased`]; [`Code::InvalidText`].
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

    /// The holds or restrictions on an owner's records, those that were lifted included, the latest first.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who is no steward of the owner.
    pub fn marks(
        &self,
        context: &Context,
        owner: &OwnerKey,
        kind: MarkKind,
    ) -> Result<Vec<Mark>, Refusal> {
        must_be_steward(context, owner)?;
        let rows = self
            .inner
            .store
            .read(|reader| reader.marks(owner, None))
            .map_err(refuse_store)?;
        Ok(rows
            .into_iter()
            .filter(|row| row.kind == kind)
            .map(Mark::from)
            .collect())
    }

    /// Lifts a hold or a restriction.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who is no steward of the owner; [`Code::NotFound`] when there is none that still counts.
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
        must_be_steward(context, owner)?;
        let lifted = self
            .inner
            .store
            .lift_mark(owner, kind, id, &context.actor.name)
            .map_err(refuse_store)?;
        let record = lifted.ok_or_else(|| {
            Refusal::new(
                Code::NotFound,
                format!("{owner} has no such mark {id} that has not been lifted already."),
            )
        })?;
        context.disclosed.about(owner, record);
        Ok(record)
    }

    /// The owner of a record of which the actor is a steward. Others learn no more than from a read.
    pub(super) fn stewarded(&self, context: &Context, id: RecordId) -> Result<OwnerKey, Refusal> {
        let find = |visibility: &Visibility| {
            self.inner
                .store
                .read(|reader| reader.find(id, Period::BEGINNING, None, visibility))
                .map_err(refuse_store)
        };
        let visibility = self.visibility(context)?;
        let owner = match find(&visibility)? {
            Lookup::Unknown => return Err(Refusal::not_found(id)),
            Lookup::Found { row, .. } => row.owner,
            Lookup::Absent(absent) => absent.owner,
        };
        must_be_steward(context, &owner)?;
        Ok(owner)
    }
}
