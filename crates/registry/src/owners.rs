//! Owners: who answers for records.

use std::collections::BTreeMap;

use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_store::NewOwner as StoredOwner;
use serde_json::json;

use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Action, At, Code, Context, ProtectionPolicy, Refusal, Registry};

/// An owner to be added, or its new properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwner {
    /// The key, for good.
    pub key: OwnerKey,
    /// What it is called.
    pub name: String,
    /// The record that describes the organisation itself.
    pub organisation: Option<RecordId>,
    /// Whether anyone may read what the model classes as public.
    pub open_data: bool,
    /// What is shown of persons under protection; `None` = as it is, or the default.
    pub protection: Option<ProtectionPolicy>,
}

/// An owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The key.
    pub key: OwnerKey,
    /// What it is called.
    pub name: String,
    /// The record that describes the organisation itself.
    pub organisation: Option<RecordId>,
    /// Whether anyone may read what the model classes as public.
    pub open_data: bool,
    /// What is shown of persons under protection; only for its administrators.
    pub protection: Option<ProtectionPolicy>,
    /// The position of the last change in its log; only for readers of the whole owner.
    pub position: Option<u64>,
}

impl Registry {
    /// Adds an owner, or changes its name, organisation or openness.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer the whole of every owner (for a new one) or of this one;
    /// [`Code::InvalidText`].
    pub fn put_owner(&self, context: &Context, owner: NewOwner) -> Result<Owner, Refusal> {
        let told = json!({"name": owner.name, "organisation": owner.organisation, "openData": owner.open_data, "protection": owner.protection.as_ref().map(|policy| policy.written(&self.inner.model))});
        context.disclosed.acted([owner.key.clone()], told);
        check_text("name", &owner.name, 200)?;
        let exists = self
            .inner
            .store
            .owners()
            .map_err(refuse_store)?
            .iter()
            .any(|known| known.key == owner.key);
        let allowed = context.actor.may_for_everything(Action::Administer)
            || (exists && context.actor.may_for_whole(Action::Administer, &owner.key));
        if !allowed {
            return Err(Refusal::new(
                Code::Forbidden,
                "Owners are added by an administrator of the whole registry, and changed by their own: one whose grant covers every controller, domain and class.",
            ));
        }
        let row = self
            .inner
            .store
            .put_owner(&StoredOwner {
                key: owner.key,
                name: owner.name,
                organisation: owner.organisation,
                open_data: owner.open_data,
                protection_policy: owner
                    .protection
                    .map(|policy| policy.written(&self.inner.model).to_string()),
            })
            .map_err(refuse_store)?;
        self.inner.visibilities.forget();
        Ok(Owner {
            key: row.key,
            name: row.name,
            organisation: row.organisation,
            open_data: row.open_data,
            protection: Some(ProtectionPolicy::stored(
                &self.inner.model,
                &row.protection_policy,
            )),
            position: Some(row.position),
        })
    }

    /// The owners, by key: for everybody who they are, for those who read a whole owner also how far its log is.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub fn owners(&self, context: &Context) -> Result<Vec<Owner>, Refusal> {
        let rows = self.inner.store.owners().map_err(refuse_store)?;
        let reads = self.visibility(context)?;
        Ok(rows
            .into_iter()
            .filter(|row| row.open_data || context.actor.may(Action::Read, &row.key))
            .map(|row| Owner {
                position: reads.sees_all_of(&row.key).then_some(row.position),
                protection: context
                    .actor
                    .may_for_whole(Action::Administer, &row.key)
                    .then(|| ProtectionPolicy::stored(&self.inner.model, &row.protection_policy)),
                key: row.key,
                name: row.name,
                organisation: row.organisation,
                open_data: row.open_data,
            })
            .collect())
    }

    /// How many records of each domain the actor may see at the coordinate.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub fn counts(&self, context: &Context, at: &At) -> Result<BTreeMap<Domain, u64>, Refusal> {
        let visibility = self.visibility(context)?;
        self.inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                reader.counts(&coordinate, &visibility)
            })
            .map_err(refuse_store)
            .map(|counts| counts.into_iter().collect())
    }
}
