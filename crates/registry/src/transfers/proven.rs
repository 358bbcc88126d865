//! What another registry hands over against its own log: each record comes with what proves that the giver's log has it so, and
//! nothing is received that is not proven (ADR 0024).

use std::collections::BTreeSet;
use std::sync::Arc;

use grunddata_log_proof::entry::{COUNT, ENTRY, EntryProof, TIMELINE};
use grunddata_log_proof::head::Head;
use grunddata_log_proof::merkle::{Hash, verify_inclusion};
use grunddata_model::OwnerKey;
use grunddata_store::state_parts;
use serde::{Deserialize, Serialize};

use super::content::{TransferPage, TransferRecord};
use super::give::hexadecimal;
use super::take::unreadable;
use crate::registry::refuse_store;
use crate::{Code, Refusal, Registry};

/// What proves that a record is handed over as the giver's log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandedProof {
    /// What the leaf of the entry is computed from, without who wrote, why and from where.
    pub entry: EntryProof,
    /// The hashes that lead from the leaf to the root of the page's head, in the order of RFC 9162.
    pub path: Vec<Hash>,
}

impl Registry {
    /// Puts to the records of a page what proves them, and the signed head to which it leads.
    pub(super) fn prove(&self, owner: &OwnerKey, page: &mut TransferPage) -> Result<(), Refusal> {
        let head = self.signed(owner, None, "size")?;
        let positions: Vec<u64> = page.records.iter().map(|record| record.position).collect();
        let size = head.head.size;
        let proofs = self
            .inner
            .store
            .read(|reader| {
                let entries = reader.entry_proofs(owner, &positions, false, &BTreeSet::new())?;
                let mut proofs = Vec::with_capacity(entries.len());
                for (position, entry) in entries {
                    let path = reader.inclusion_proof(owner, position, size)?;
                    // A record without a proof is not received.
                    let Some(path) = path.map(|proof| proof.path) else {
                        continue;
                    };
                    proofs.push((position, HandedProof { entry, path }));
                }
                Ok(proofs)
            })
            .map_err(refuse_store)?;
        for (position, proof) in proofs {
            let mut records = page.records.iter_mut();
            if let Some(record) = records.find(|record| record.position == position) {
                record.proof = Some(proof);
            }
        }
        page.head = Some(head.note);
        Ok(())
    }

    /// Checks that the records of a page are what the log of the giver has: that what each holds leads to the leaf at its
    /// position, and the leaf to a head that the giver has signed, which the caller has verified.
    ///
    /// # Errors
    /// [`Code::OtherRegistry`] with the first record that is not; [`Code::UnknownModel`].
    pub fn check_handed(
        &self,
        giver: &OwnerKey,
        head: &Head,
        page: &TransferPage,
    ) -> Result<(), Refusal> {
        if head.owner != giver.as_str() {
            return Err(forged("The signed head is of the log of another owner"));
        }
        for record in &page.records {
            self.check_record(giver, head, record)?;
        }
        Ok(())
    }

    fn check_record(
        &self,
        giver: &OwnerKey,
        head: &Head,
        record: &TransferRecord,
    ) -> Result<(), Refusal> {
        let wrong = |what: String| {
            forged(&format!(
                "The record {} is not what the log of {giver} has at position {}: {what}",
                record.record, record.position
            ))
        };
        let Some(proof) = &record.proof else {
            return Err(wrong("it comes without a proof".to_owned()));
        };
        let entry = &proof.entry;
        let leaf = entry
            .check(giver.as_str(), record.position)
            .map_err(|error| wrong(error.to_string()))?;
        if record.leaf.as_deref() != Some(hexadecimal(&leaf.0).as_str()) {
            return Err(wrong("it names another leaf".to_owned()));
        }
        let index = record.position.saturating_sub(1);
        verify_inclusion(index, head.size, leaf, &proof.path, head.root)
            .map_err(|error| wrong(error.to_string()))?;
        let said: Option<Vec<serde_json::Value>> = entry
            .content(ENTRY)
            .and_then(|text| serde_json::from_str(text).ok());
        let said = said.unwrap_or_default();
        let shown = [
            (0, serde_json::json!(record.record)),
            (1, serde_json::json!(record.domain.as_str())),
            (3, serde_json::json!(record.version)),
        ];
        if shown.iter().any(|(at, shown)| said.get(*at) != Some(shown)) {
            return Err(wrong("the entry there is of another change".to_owned()));
        }
        let mut states = Vec::with_capacity(record.states.len());
        for state in &record.states {
            let model = &self.inner.model;
            let value = model
                .reload(record.domain, &state.model, Arc::from(state.data.as_str()))
                .map_err(|error| unreadable(record.record, error))?;
            states.push((state.period, value));
        }
        let parts = state_parts(states.iter().map(|(period, value)| (*period, value)));
        let parts = parts.map_err(|error| wrong(error.to_string()))?;
        for (part, text) in (TIMELINE..COUNT).zip(&parts) {
            if entry.content(part) != Some(text.as_str()) {
                return Err(wrong("it says something else".to_owned()));
            }
        }
        Ok(())
    }
}

/// What comes is not what the giver's log has.
fn forged(what: &str) -> Refusal {
    Refusal::new(
        Code::OtherRegistry,
        format!(
            "{what}. Nothing is received. Ask whoever runs the giver's registry; refuse the hand-over if it is not to go on."
        ),
    )
}
