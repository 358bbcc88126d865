//! Protection that a write takes back, or that is lifted: everything that it had reached is computed anew, from what was
//! said last of each day and from whom each record has ever identified.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use diesel::sql_types::{SmallInt, Text};
use grunddata_information_model::InformationModel;
use grunddata_model::RecordId;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::marks::{MarkKind, RESTRICTED, marked};
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::write::derive::Protection;
use crate::write::load::{domain, reload};
use crate::write::protection::{
    Levels, Referrer, heads, identifies, raise, raise_states, referrers,
};
use crate::write::said::{last_said, recorded};

/// A record whose protection is computed anew.
struct Anew {
    owner: String,
    /// What its own states say.
    own: Protection,
    /// Whom it has ever identified, and by which relations.
    identified: BTreeMap<RecordId, Vec<String>>,
    now: Protection,
}

/// Computes anew how the records are protected, and all that have ever identified one of them.
pub(crate) fn lower(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    lowered: &[RecordId],
    today: NaiveDate,
) -> Result<(), StoreError> {
    let mut anew: BTreeMap<RecordId, Anew> = BTreeMap::new();
    let mut queue: Vec<(String, RecordId)> =
        lowered.iter().map(|id| (owner.to_owned(), *id)).collect();
    while let Some((owner, id)) = queue.pop() {
        if anew.contains_key(&id) {
            continue;
        }
        let found = referrers(connection, model, &owner, id)?;
        queue.extend(found.into_iter().map(|found| (found.owner, found.id)));
        let own = own_protection(connection, model, &owner, id)?;
        let identified = identified(connection, model, &owner, id)?;
        anew.insert(
            id,
            Anew {
                owner,
                own,
                identified,
                now: own,
            },
        );
    }
    if anew.is_empty() {
        return Ok(());
    }
    let mut others: Vec<RecordId> = anew
        .values()
        .flat_map(|record| record.identified.keys())
        .copied()
        .filter(|id| !anew.contains_key(id))
        .collect();
    others.sort_unstable();
    others.dedup();
    let mut stable = Levels::new();
    let mut owners: BTreeMap<RecordId, String> = BTreeMap::new();
    for chunk in others.chunks(LIST) {
        for (id, owner, protection) in heads(connection, chunk, false)? {
            raise(&mut stable, id, protection);
            owners.insert(id, owner);
        }
    }
    // Ends: it only rises, from what the states themselves say.
    loop {
        let now: Levels = anew.iter().map(|(id, record)| (*id, record.now)).collect();
        let mut settled = true;
        for record in anew.values_mut() {
            let of_others = record
                .identified
                .keys()
                .filter_map(|id| now.get(id).or_else(|| stable.get(id)).copied());
            let next = Protection::of(of_others.chain([record.own]));
            settled &= next == record.now;
            record.now = next;
        }
        if settled {
            break;
        }
    }
    for (id, record) in &anew {
        let mut sql = Sql::<()>::new("UPDATE record SET protected_until = ");
        sql.day(record.now.until)
            .push(", protection = ")
            .small(i16::from(record.now.level))
            .push(" WHERE owner = ")
            .text(record.owner.as_str())
            .push(" AND id = ")
            .id(*id);
        connection.execute(&sql)?;
        as_said(connection, model, &record.owner, *id)?;
        owners.insert(*id, record.owner.clone());
    }
    raise_again(connection, &anew, &owners, today)
}

/// The states of the records, when all have been taken back to what they say themselves, as those are protected whom they
/// identify. Ends: levels only rise, and only to those that there are.
fn raise_again(
    connection: &mut Connection,
    anew: &BTreeMap<RecordId, Anew>,
    owners: &BTreeMap<RecordId, String>,
    today: NaiveDate,
) -> Result<(), StoreError> {
    loop {
        let mut settled = true;
        for (id, record) in anew {
            for (target, relations) in &record.identified {
                let Some(target_owner) = owners.get(target) else {
                    continue;
                };
                let referrer = Referrer {
                    owner: record.owner.clone(),
                    id: *id,
                    relations: relations.clone(),
                };
                settled &= !raise_states(connection, target_owner, *target, &referrer, today)?;
            }
        }
        if settled {
            return Ok(());
        }
    }
}

/// Takes the states that are believed back to what they say themselves. What is no longer believed stays as it is.
fn as_said(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
) -> Result<(), StoreError> {
    let mut sql = Sql::<(SqlDay, SmallInt, SmallInt, Text, Text)>::new(
        "SELECT s.valid_from, s.protection, s.domain, s.model, s.body FROM state s WHERE s.owner = ",
    );
    sql.text(owner)
        .push(" AND s.record_id = ")
        .id(id)
        .push(" AND s.superseded_at = ")
        .forever()
        .push(" AND s.protection > 0");
    let rows: Vec<(Day, i16, i16, String, String)> = connection.load(&sql)?;
    for (from, raised, code, name, body) in rows {
        let level = i16::from(reload(model, domain(code)?, &name, body)?.protection());
        if level == raised {
            continue;
        }
        let mut sql = Sql::<()>::new("UPDATE state SET protection = ");
        sql.small(level)
            .push(" WHERE owner = ")
            .text(owner)
            .push(" AND record_id = ")
            .id(id)
            .push(" AND superseded_at = ")
            .forever()
            .push(" AND valid_from = ")
            .day(from.0);
        connection.execute(&sql)?;
    }
    Ok(())
}

/// What the states of a record say, with the restriction of its processing.
fn own_protection(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
) -> Result<Protection, StoreError> {
    // What is no longer believed was not said to be without protection: until something else is said of a day, what was
    // said of it last counts.
    let own = Protection::of_states(last_said(recorded(connection, model, owner, id)?));
    // A restriction of processing holds until it is lifted, whatever is written meanwhile.
    let restricted = marked(connection, owner, MarkKind::Restriction, &[id])?;
    Ok(if restricted.is_empty() {
        own
    } else {
        own.and(RESTRICTED)
    })
}

/// Whom a record has ever identified, and by which relations.
fn identified(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
) -> Result<BTreeMap<RecordId, Vec<String>>, StoreError> {
    let mut sql = Sql::<(SqlId, SmallInt, Text)>::new(
        "SELECT DISTINCT l.target_id, l.source_domain, l.relation FROM link l WHERE l.owner = ",
    );
    sql.text(owner).push(" AND l.source_id = ").id(id);
    let rows: Vec<(Id, i16, String)> = connection.load(&sql)?;
    let mut found: BTreeMap<RecordId, Vec<String>> = BTreeMap::new();
    for (target, code, relation) in rows {
        if identifies(model, domain(code)?, &relation) {
            found.entry(target.record()).or_default().push(relation);
        }
    }
    Ok(found)
}
