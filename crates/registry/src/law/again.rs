//! The list of erasures, and carrying them out again on what a back-up has brought back.
//!
//! The list has ids, owners, days and decisions, and nothing of what was erased: it may be kept where back-ups are not.

use std::collections::BTreeMap;

use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};
use grunddata_store::{Lookup, RecordStatus, Visibility};
use serde::{Deserialize, Serialize};

use super::erase::{Disposal, DisposedRecord, Stopped, begun};
use super::plan::together;
use super::{Decision, REFERENCE};
use crate::registry::refuse_store;
use crate::{Action, Code, Context, Refusal, Registry};

/// What the list is called in its own first member.
const FORMAT: &str = "grunddata-erasures-1";
/// Records of one question to the database.
const ASKED: usize = 500;

/// All erasures of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Erasures {
    /// Which form the list has.
    pub format: String,
    /// When it was made.
    pub made_at: Instant,
    /// What was erased, by owner in the order in which it was.
    pub erasures: Vec<PastErasure>,
}

/// That a record was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PastErasure {
    /// The record.
    pub record: RecordId,
    /// Whose it was.
    pub owner: OwnerKey,
    /// Its domain.
    pub domain: Domain,
    /// When it was erased.
    pub erased_at: Instant,
    /// By which decision.
    pub decision: Decision,
}

/// What came of carrying out a list of erasures again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasedAgain {
    /// The records of the disposals, one for each owner of which something was erased.
    pub disposals: Vec<Disposal>,
    /// How many were erased already.
    pub already: u64,
    /// How many are not in this database.
    pub absent: u64,
    /// How many belong to owners that are copies: their origin erases them.
    pub copied: u64,
    /// What was left because a legal hold keeps it.
    pub held: Vec<RecordId>,
    /// What was left because others refer to it, with one that does.
    pub referenced: Vec<(RecordId, RecordId)>,
}

impl Registry {
    /// Every erasure of every owner that is no copy, those of disposals that were broken off included.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer the whole registry.
    pub fn erasures(&self, context: &Context) -> Result<Erasures, Refusal> {
        must_administer_all(context)?;
        let mut erasures = Vec::new();
        let copies = self.copies()?;
        for owner in self.owners(context)? {
            // What its origin has erased comes with its log.
            if copies.contains_key(&owner.key) {
                continue;
            }
            let decisions = self.decisions(context, &owner.key)?;
            let erased = self
                .inner
                .store
                .read(|reader| reader.erased(&owner.key))
                .map_err(refuse_store)?;
            erasures.extend(erased.into_iter().map(|row| {
                PastErasure {
                    decision: decisions
                        .get(&row.record)
                        .cloned()
                        .unwrap_or_else(|| stated(&row.reason)),
                    record: row.record,
                    owner: owner.key.clone(),
                    domain: row.domain,
                    erased_at: row.recorded_at,
                }
            }));
        }
        Ok(Erasures {
            format: FORMAT.to_owned(),
            made_at: context.now,
            erasures,
        })
    }

    /// By which decision each record of an owner was erased, as the records of the disposals say.
    fn decisions(
        &self,
        context: &Context,
        owner: &OwnerKey,
    ) -> Result<BTreeMap<RecordId, Decision>, Refusal> {
        let mut found = BTreeMap::new();
        for disposal in self.disposals(context, owner)? {
            let content = disposal.content;
            for record in content.records {
                if let Some(decision) = content.decisions.get(record.decision) {
                    found.insert(record.id, decision.clone());
                }
            }
        }
        Ok(found)
    }

    /// Erases again, by the decisions of the list, whatever of it this database holds: after a restore. What a legal hold
    /// keeps, or others refer to, is left and told. Blocks; on SQLite the database file is written anew at the end.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer the whole registry; [`Code::InvalidParameter`] for a list of
    /// another form, or one that gives a record to an owner that it does not belong to: nothing is erased then;
    /// [`Code::InvalidText`].
    pub fn erase_again(&self, context: &Context, list: &Erasures) -> Result<ErasedAgain, Refusal> {
        must_administer_all(context)?;
        if list.format != FORMAT {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!(
                    "This is no list of erasures that is understood here: its format must be {FORMAT}. Make one with `grunddata erasures export`."
                ),
            ));
        }
        let mut again = ErasedAgain::default();
        let mut present: BTreeMap<&OwnerKey, BTreeMap<RecordId, &PastErasure>> = BTreeMap::new();
        for chunk in list.erasures.chunks(ASKED) {
            for erasure in chunk {
                erasure.decision.check()?;
            }
            let found = self
                .inner
                .store
                .read(|reader| {
                    let everything = Visibility::everything();
                    chunk
                        .iter()
                        .map(|erasure| {
                            reader.find(erasure.record, Period::BEGINNING, None, &everything)
                        })
                        .collect::<Result<Vec<_>, _>>()
                })
                .map_err(refuse_store)?;
            for (erasure, found) in chunk.iter().zip(found) {
                let (owner, status) = match found {
                    Lookup::Unknown => {
                        again.absent += 1;
                        continue;
                    }
                    Lookup::Found { row, .. } => (row.owner, None),
                    Lookup::Absent(absent) => (absent.owner, Some(absent.status)),
                };
                if owner != erasure.owner {
                    return Err(Refusal::new(
                        Code::InvalidParameter,
                        format!(
                            "The list says that the record {} was {}'s; here it is {owner}'s. Nothing was erased: use the list of this registry.",
                            erasure.record, erasure.owner
                        ),
                    ));
                }
                if status == Some(RecordStatus::Erased) {
                    again.already += 1;
                } else {
                    let of = present.entry(&erasure.owner).or_default();
                    of.insert(erasure.record, erasure);
                }
            }
        }
        let copies = self.copies()?;
        for (owner, erasures) in present {
            if copies.contains_key(owner) {
                again.copied += erasures.len() as u64;
                continue;
            }
            self.erase_of(context, owner, &erasures, &mut again)?;
        }
        Ok(again)
    }

    fn erase_of(
        &self,
        context: &Context,
        owner: &OwnerKey,
        erasures: &BTreeMap<RecordId, &PastErasure>,
        again: &mut ErasedAgain,
    ) -> Result<(), Refusal> {
        let mut decisions: Vec<Decision> = erasures
            .values()
            .map(|erasure| erasure.decision.clone())
            .collect();
        decisions.sort_unstable();
        decisions.dedup();
        let records: Vec<DisposedRecord> = erasures
            .values()
            .map(|erasure| DisposedRecord {
                id: erasure.record,
                domain: erasure.domain,
                decision: decisions
                    .binary_search(&erasure.decision)
                    .unwrap_or_default(),
            })
            .collect();
        let ids: Vec<RecordId> = erasures.keys().copied().collect();
        let referrers = self
            .inner
            .store
            .read(|reader| reader.referrers(owner, &ids))
            .map_err(refuse_store)?;
        let groups = together(&ids, &referrers)
            .into_iter()
            .map(|group| {
                let of = |place: usize| records.get(place).cloned();
                group.into_iter().filter_map(of).collect()
            })
            .collect();
        for id in &ids {
            context.disclosed.about(owner, *id);
        }
        let mut disposal = begun(context, owner, decisions, records.len());
        self.keep(&disposal)?;
        for (id, stopped) in self.erase_groups(context, &mut disposal, groups)? {
            match stopped {
                Stopped::Held(_) => again.held.push(id),
                Stopped::Referenced(by) => {
                    again
                        .referenced
                        .extend(by.first().map(|(_, source)| (id, *source)));
                }
            }
        }
        again.disposals.push(self.finish(disposal)?);
        Ok(())
    }
}

fn must_administer_all(context: &Context) -> Result<(), Refusal> {
    if context.actor.may_everywhere(Action::Administer) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Forbidden,
        "The list of erasures is for administrators of the whole registry.",
    ))
}

/// The decision as the log states it, of an erasure that stands in no record of a disposal because that was broken off.
fn stated(reason: &str) -> Decision {
    let reference: String = reason.chars().take(REFERENCE).collect();
    let reference = if reference.trim().is_empty() {
        "-".to_owned()
    } else {
        reference
    };
    Decision {
        text: reference.clone(),
        reference,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written_and_nothing_else() {
        let list = Erasures {
            format: FORMAT.to_owned(),
            made_at: Instant::from_micros(1),
            erasures: vec![PastErasure {
                record: RecordId(Uuid::from_u128(1)),
                owner: OwnerKey::new("a").unwrap(),
                domain: Domain::Person,
                erased_at: Instant::from_micros(0),
                decision: stated("KS 1 (disposal x)"),
            }],
        };
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(serde_json::from_str::<Erasures>(&text).unwrap(), list);
        let more = text.replacen("\"record\"", "\"name\":\"x\",\"record\"", 1);
        assert!(serde_json::from_str::<Erasures>(&more).is_err());
        assert!(stated(&"x".repeat(1_000)).check().is_ok() && stated("").check().is_ok());
    }
}
