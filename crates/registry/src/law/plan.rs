//! What the rules have reached: which records would be erased, which are held, which others still refer to. Nothing is
//! changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Months, NaiveDate};
use grunddata_model::{Domain, OwnerKey, Period, RecordId};
use grunddata_store::{MarkKind, RetentionCandidate};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::deliveries::Delivery;
use super::must_be_steward;
use super::rules::{Keeping, RetentionRule};
use crate::access::stockholm_day;
use crate::registry::refuse_store;
use crate::{Context, Refusal, Registry};

/// How many records are looked at with one statement.
const PAGE: i64 = 5_000;

/// A record whose time has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Due {
    /// The record.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// The kind that it had last.
    pub kind: Option<String>,
    /// Its controller.
    pub controller: Option<RecordId>,
    /// The first day on which it did not hold any more; of a retracted one, the day of its last change.
    pub ended: NaiveDate,
    /// Since when it is due.
    pub since: NaiveDate,
    /// The rule by which it is.
    pub rule: Uuid,
    /// The records that are not erased with it and refer to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub referrers: Vec<RecordId>,
}

/// Records that have ended, are preserved, and have not been handed over to an archive as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreservedRecords {
    /// The rule by which they are.
    pub rule: Uuid,
    /// The archive that they are to be delivered to.
    pub archive: Option<String>,
    /// How many.
    pub records: u64,
}

/// What would be done on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionPlan {
    /// Whose records.
    pub owner: OwnerKey,
    /// The day.
    pub today: NaiveDate,
    /// What tells this plan from others: a run says which one was looked at.
    pub token: String,
    /// What would be erased.
    pub erased: Vec<Due>,
    /// What is due, and kept from being erased by a legal hold or a restriction of processing.
    pub held: Vec<Due>,
    /// What is due, and referred to by records that are not erased.
    pub referenced: Vec<Due>,
    /// What has ended and is preserved, by rule, until it has been handed over to an archive.
    pub preserved: Vec<PreservedRecords>,
    /// Records of a plan that must be erased together, as places in `erased`.
    #[serde(skip)]
    pub(super) together: Vec<Vec<usize>>,
}

impl Registry {
    /// What the owner's rules have reached by today. It looks at every record of the owner.
    ///
    /// # Errors
    /// [`Code::Forbidden`](crate::Code::Forbidden) for who is no steward of the owner.
    pub fn retention_plan(
        &self,
        context: &Context,
        owner: &OwnerKey,
    ) -> Result<RetentionPlan, Refusal> {
        must_be_steward(context, owner)?;
        self.must_know_owner(owner)?;
        let today = context.today;
        let mut rules: Vec<RetentionRule> = self.retention_rules(context, owner)?;
        rules.retain(|rule| rule.period.contains(today));
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.weight()));
        let store = &self.inner.store;
        let delivered = latest(self.deliveries(context, owner)?);
        let mut due = Vec::new();
        let mut preserved: BTreeMap<Uuid, PreservedRecords> = BTreeMap::new();
        let mut after = None;
        // Without a rule nothing is ever due.
        while !rules.is_empty() {
            let page = store
                .read(|reader| reader.retention_candidates(owner, after, PAGE))
                .map_err(refuse_store)?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id);
            for candidate in page {
                sort(
                    candidate,
                    &rules,
                    &delivered,
                    today,
                    &mut due,
                    &mut preserved,
                );
            }
        }
        let marked: BTreeSet<RecordId> = store
            .read(|reader| reader.marks(owner, None))
            .map_err(refuse_store)?
            .into_iter()
            .filter(|mark| mark.lifted_at.is_none())
            .filter(|mark| matches!(mark.kind, MarkKind::Hold | MarkKind::Restriction))
            .map(|mark| mark.record)
            .collect();
        let (held, free): (Vec<Due>, Vec<Due>) =
            due.into_iter().partition(|due| marked.contains(&due.id));
        let ids = ids_of(&free);
        let referrers = store
            .read(|reader| reader.referrers(owner, &ids))
            .map_err(refuse_store)?;
        let (erased, referenced) = settle(free, &referrers);
        Ok(RetentionPlan {
            owner: owner.clone(),
            today,
            token: token(owner, &erased),
            together: together(&ids_of(&erased), &referrers),
            erased,
            held,
            referenced,
            preserved: preserved.into_values().collect(),
        })
    }
}

/// Puts a record where its rule says that it belongs.
fn sort(
    candidate: RetentionCandidate,
    rules: &[RetentionRule],
    delivered: &HashMap<Uuid, NaiveDate>,
    today: NaiveDate,
    due: &mut Vec<Due>,
    preserved: &mut BTreeMap<Uuid, PreservedRecords>,
) {
    let ended = candidate
        .ended
        .unwrap_or_else(|| stockholm_day(candidate.changed));
    if ended == Period::OPEN || ended > today {
        return;
    }
    let rule = rules.iter().find(|rule| {
        rule.covers(
            candidate.controller,
            candidate.domain,
            candidate.kind.as_deref(),
        )
    });
    let Some(rule) = rule else {
        return;
    };
    let changed = stockholm_day(candidate.changed);
    let since = match &rule.keeping {
        Keeping::Preserve { archive } => {
            // What ended or was changed on the day of the delivery or later was not in it as it is now.
            let day = delivered.get(&rule.id).copied();
            if let Some(day) = day.filter(|day| ended < *day && changed < *day) {
                day
            } else {
                let kept = preserved.entry(rule.id).or_insert(PreservedRecords {
                    rule: rule.id,
                    archive: archive.clone(),
                    records: 0,
                });
                kept.records += 1;
                return;
            }
        }
        Keeping::Erase { years } => {
            let since = ended.checked_add_months(Months::new(years.saturating_mul(12)));
            match since.filter(|since| *since <= today) {
                Some(since) => since,
                None => return,
            }
        }
    };
    due.push(Due {
        id: candidate.id,
        domain: candidate.domain,
        kind: candidate.kind,
        controller: candidate.controller,
        ended,
        since,
        rule: rule.id,
        referrers: Vec::new(),
    });
}

/// The last day on which what each rule preserves was handed over to an archive.
fn latest(deliveries: Vec<Delivery>) -> HashMap<Uuid, NaiveDate> {
    let mut days = HashMap::new();
    for delivery in deliveries {
        let day = days.entry(delivery.rule).or_insert(delivery.delivered);
        *day = delivery.delivered.max(*day);
    }
    days
}

/// Sets apart what others refer to that stay; and then what these refer to, for they stay as well.
fn settle(due: Vec<Due>, referrers: &[(RecordId, RecordId)]) -> (Vec<Due>, Vec<Due>) {
    let mut going: BTreeSet<RecordId> = due.iter().map(|due| due.id).collect();
    let mut by_source: HashMap<RecordId, Vec<RecordId>> = HashMap::new();
    let mut staying: Vec<RecordId> = Vec::new();
    for (target, source) in referrers {
        if target == source {
            continue;
        }
        by_source.entry(*source).or_default().push(*target);
        if !going.contains(source) {
            staying.push(*source);
        }
    }
    while let Some(source) = staying.pop() {
        for target in by_source.get(&source).into_iter().flatten() {
            if going.remove(target) {
                staying.push(*target);
            }
        }
    }
    let mut by_target: HashMap<RecordId, Vec<RecordId>> = HashMap::new();
    for (target, source) in referrers {
        if !going.contains(source) && target != source {
            by_target.entry(*target).or_default().push(*source);
        }
    }
    let (erased, mut referenced): (Vec<Due>, Vec<Due>) =
        due.into_iter().partition(|due| going.contains(&due.id));
    for due in &mut referenced {
        due.referrers = by_target.remove(&due.id).unwrap_or_default();
    }
    (erased, referenced)
}

fn ids_of(due: &[Due]) -> Vec<RecordId> {
    due.iter().map(|due| due.id).collect()
}

/// Which of the records hang together by references, so that they must go in one transaction: as places in the list.
pub(super) fn together(
    records: &[RecordId],
    referrers: &[(RecordId, RecordId)],
) -> Vec<Vec<usize>> {
    let places: HashMap<RecordId, usize> = records
        .iter()
        .enumerate()
        .map(|(place, id)| (*id, place))
        .collect();
    let mut neighbours: HashMap<usize, Vec<usize>> = HashMap::new();
    for (target, source) in referrers {
        if let (Some(target), Some(source)) = (places.get(target), places.get(source)) {
            neighbours.entry(*target).or_default().push(*source);
            neighbours.entry(*source).or_default().push(*target);
        }
    }
    let mut seen = BTreeSet::new();
    let mut groups = Vec::new();
    for place in 0..records.len() {
        if !seen.insert(place) {
            continue;
        }
        let mut group = Vec::new();
        let mut waiting = vec![place];
        while let Some(place) = waiting.pop() {
            group.push(place);
            for other in neighbours.get(&place).into_iter().flatten() {
                if seen.insert(*other) {
                    waiting.push(*other);
                }
            }
        }
        groups.push(group);
    }
    groups
}

/// The same for the same records by the same rules.
fn token(owner: &OwnerKey, erased: &[Due]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(owner.as_str());
    for due in erased {
        hasher.update(due.id.uuid().as_bytes());
        hasher.update(due.rule.as_bytes());
    }
    hasher
        .finalize()
        .iter()
        .take(16)
        .fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> RecordId {
        RecordId(Uuid::from_u128(number))
    }

    fn due(number: u128) -> Due {
        let day = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        Due {
            id: id(number),
            domain: Domain::Role,
            kind: None,
            controller: None,
            ended: day,
            since: day,
            rule: Uuid::nil(),
            referrers: Vec::new(),
        }
    }

    #[test]
    fn what_is_referred_to_stays_with_all_that_it_refers_to() {
        // 9 stays and refers to 1, which refers to 2; 3 and 4 refer to each other; 5 stands alone and refers to itself.
        let referrers = [
            (id(1), id(9)),
            (id(2), id(1)),
            (id(3), id(4)),
            (id(4), id(3)),
            (id(5), id(5)),
        ];
        let (erased, referenced) = settle((1..=5).map(due).collect(), &referrers);
        let ids = ids_of;
        assert_eq!(ids(&erased), [id(3), id(4), id(5)]);
        assert_eq!(ids(&referenced), [id(1), id(2)]);
        assert_eq!(referenced[0].referrers, [id(9)]);
        assert_eq!(referenced[1].referrers, [id(1)]);
        let groups = together(&ids(&erased), &referrers);
        assert_eq!(groups, [vec![0, 1], vec![2]]);
    }

    #[test]
    fn a_plan_is_told_by_what_it_erases() {
        let owner = OwnerKey::new("a").unwrap();
        let one = token(&owner, &[due(1)]);
        assert_eq!(one, token(&owner, &[due(1)]));
        assert_ne!(one, token(&owner, &[due(2)]));
        assert_eq!(one.len(), 32);
    }
}
