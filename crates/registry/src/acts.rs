//! The access log of the administration: whom acts are about, and what, and which records an auditor may ask about.

use grunddata_model::{OwnerKey, Period, RecordId};
use grunddata_store::{Lookup, Visibility};
use serde_json::Value;

use crate::registry::refuse_store;
use crate::{Context, Grant, OwnerScope, Refusal, Registry};

impl Registry {
    /// Notes an act on rights for the access log: it is about every owner that they reach, so that the auditor of each
    /// finds it.
    pub(crate) fn note_rights(
        &self,
        context: &Context,
        grants: &[Grant],
        detail: Value,
    ) -> Result<(), Refusal> {
        let mut owners: Vec<OwnerKey> = Vec::new();
        for grant in grants {
            match &grant.scope {
                OwnerScope::Owner(owner) => owners.push(owner.clone()),
                OwnerScope::All => {
                    let all = self.inner.store.owners().map_err(refuse_store)?;
                    owners.extend(all.into_iter().map(|owner| owner.key));
                    break;
                }
            }
        }
        context.disclosed.acted(owners, detail);
        Ok(())
    }

    /// Whether the record is the owner's, whoever may see it: for what an auditor of that owner may ask about.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub fn owns(&self, owner: &OwnerKey, id: RecordId) -> Result<bool, Refusal> {
        let everything = Visibility::everything();
        let found = self
            .inner
            .store
            .read(|reader| reader.find(id, Period::BEGINNING, None, &everything))
            .map_err(refuse_store)?;
        Ok(match found {
            Lookup::Found { row, .. } => row.owner == *owner,
            Lookup::Absent(absent) => absent.owner == *owner,
            Lookup::Unknown => false,
        })
    }
}
