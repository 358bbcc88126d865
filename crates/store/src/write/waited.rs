//! References that waited for a record which is erased: in every version that had one its identifier stood, and goes
//! (`docs/adr/0026-what-waited-is-erased-too.md`).

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{BigInt, Binary, SmallInt, Text};
use grunddata_information_model::{InformationModel, PendingUse, Resolved};
use grunddata_log_proof::entry::ERASED;
use grunddata_model::{Instant, OwnerKey, Period, RecordId, State, Timeline};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::loads;
use crate::sql::Sql;
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::tree::{contents_of_record, keep_changed};
use crate::write::derive::timeline_hash;
use crate::write::load::{domain, period, reload};

/// Identifiers: scheme and value.
pub(crate) type Pairs = BTreeSet<(String, String)>;

/// Whether the reference waits by one of these.
pub(crate) fn is_one(pairs: &Pairs, pending: &PendingUse) -> bool {
    let pair = (pending.scheme.as_str().to_owned(), pending.value.clone());
    pairs.contains(&pair)
}

/// Whether any record of the owner has ever waited for something: as a rule none has.
pub(crate) fn any(connection: &mut Connection, owner: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::<Text>::new("SELECT w.owner FROM waited_reference w WHERE w.owner = ");
    sql.text(owner).push(" LIMIT 1");
    Ok(connection.first::<_, String>(&sql)?.is_some())
}

/// The records of the owner of which some version has a reference that waits by one of these identifiers.
pub(crate) fn waiters(
    connection: &mut Connection,
    owner: &str,
    pairs: &Pairs,
) -> Result<BTreeSet<RecordId>, StoreError> {
    let mut found = BTreeSet::new();
    for (scheme, value) in pairs {
        let mut sql =
            Sql::<(SqlId,)>::new("SELECT w.record_id FROM waited_reference w WHERE w.owner = ");
        sql.text(owner)
            .push(" AND w.scheme = ")
            .text(scheme.as_str());
        sql.push(" AND w.value = ").text(value.as_str());
        let rows: Vec<(Id,)> = connection.load(&sql)?;
        found.extend(rows.into_iter().map(|(id,)| id.record()));
    }
    Ok(found)
}

/// Those of the identifiers that are the records' own. One that another record is believed to have is that record's, however
/// it came to stand here; and so is one that somebody waits for still, unless they are the ones that have it (`now`).
pub(crate) fn only_theirs(
    connection: &mut Connection,
    owner: &str,
    pairs: &Pairs,
    now: &Pairs,
    erased: &[RecordId],
) -> Result<Pairs, StoreError> {
    let mut theirs = Pairs::new();
    for pair in pairs {
        let (scheme, value) = pair;
        let mut sql = Sql::<(SqlId,)>::new("SELECT i.record_id FROM identifier i WHERE i.owner = ");
        sql.text(owner)
            .push(" AND i.scheme = ")
            .text(scheme.as_str());
        sql.push(" AND i.value = ").text(value.as_str());
        sql.push(" AND i.superseded_at = ").moment(Instant::FOREVER);
        let holders: Vec<(Id,)> = connection.load(&sql)?;
        if holders
            .iter()
            .any(|(holder,)| !erased.contains(&holder.record()))
        {
            continue;
        }
        let mut sql =
            Sql::<(SqlId,)>::new("SELECT p.record_id FROM pending_reference p WHERE p.owner = ");
        sql.text(owner)
            .push(" AND p.scheme = ")
            .text(scheme.as_str());
        sql.push(" AND p.value = ").text(value.as_str());
        let waiting: Vec<(Id,)> = connection.load(&sql)?;
        let waited_for = waiting
            .iter()
            .any(|(waiter,)| !erased.contains(&waiter.record()));
        if !waited_for || now.contains(pair) {
            theirs.insert(pair.clone());
        }
    }
    Ok(theirs)
}

/// Takes the identifiers out of everything that waited for them; `erased` are the records themselves.
pub(super) fn redact(
    connection: &mut Connection,
    model: &InformationModel,
    key: &OwnerKey,
    pairs: &Pairs,
    erased: &[RecordId],
) -> Result<(), StoreError> {
    let owner = key.as_str();
    if !any(connection, owner)? {
        return Ok(());
    }
    let pairs = &only_theirs(connection, owner, pairs, &Pairs::new(), erased)?;
    let values = pairs.iter().map(|(_, value)| value.as_str()).collect();
    for id in waiters(connection, owner, pairs)? {
        if erased.contains(&id) {
            continue;
        }
        redact_record(connection, model, key, pairs, id)?;
        super::scrub::forget_outcomes(connection, owner, &[id])?;
        loads::clear_waiting(connection, owner, id, &values)?;
        loads::redact(connection, model, owner, id, pairs)?;
    }
    for table in ["pending_reference", "waited_reference"] {
        for (scheme, value) in pairs {
            let mut sql = Sql::<()>::new(&format!("DELETE FROM {table} WHERE owner = "));
            sql.text(owner).push(" AND scheme = ").text(scheme.as_str());
            sql.push(" AND value = ").text(value.as_str());
            connection.execute(&sql)?;
        }
    }
    let mut sql = Sql::<()>::new("DELETE FROM waited_reference WHERE owner = ");
    sql.text(owner)
        .push(" AND record_id IN ")
        .ids(erased.iter().copied());
    connection.execute(&sql).map(drop)
}

/// A state of a record, with what tells its row from others.
struct Stored {
    period: Period,
    recorded_at: Instant,
    superseded_at: Instant,
    value: Resolved,
}

/// The bodies without the identifiers, and all that follows from the bodies. Of what the log commits to the commitment is
/// left.
fn redact_record(
    connection: &mut Connection,
    model: &InformationModel,
    key: &OwnerKey,
    pairs: &Pairs,
    id: RecordId,
) -> Result<(), StoreError> {
    let owner = key.as_str();
    let before = contents_of_record(connection, model, key, id)?;
    let mut states = stored(connection, model, owner, id)?;
    let mut next = 1 + states
        .iter()
        .flat_map(|state| numbers(state.value.body()))
        .max()
        .unwrap_or(0);
    let mut given: BTreeMap<(String, String), u64> = BTreeMap::new();
    for state in &mut states {
        let redacted = state.value.erased_pending(&mut |pending| {
            let pair = (pending.scheme.as_str().to_owned(), pending.value.clone());
            pairs.contains(&pair).then(|| {
                *given.entry(pair).or_insert_with(|| {
                    next += 1;
                    next - 1
                })
            })
        });
        let Some(redacted) = redacted else {
            continue;
        };
        let mut sql = Sql::<()>::new("UPDATE state SET body = ");
        sql.text(redacted.body().to_string())
            .push(", hash = ")
            .bytes(redacted.hash().to_vec())
            .push(" WHERE owner = ")
            .text(owner)
            .push(" AND record_id = ")
            .id(id)
            .push(" AND superseded_at = ")
            .moment(state.superseded_at)
            .push(" AND valid_from = ")
            .day(state.period.from());
        connection.execute(&sql)?;
        state.value = redacted;
    }
    let mut sql = Sql::<(BigInt, SqlMoment, Binary)>::new(
        "SELECT c.position, c.recorded_at, c.hash FROM change c WHERE c.owner = ",
    );
    sql.text(owner).push(" AND c.record_id = ").id(id);
    let changes: Vec<(i64, Moment, Vec<u8>)> = connection.load(&sql)?;
    for (position, Moment(at), hash) in changes {
        let believed = states
            .iter()
            .filter(|state| state.recorded_at <= at && at < state.superseded_at)
            .map(|state| State::new(state.period, state.value.clone()));
        let timeline = Timeline::new(believed)
            .map_err(|error| StoreError::disagrees(format!("the states of {id}: {error}")))?;
        let now = timeline_hash(&timeline);
        if now.as_slice() != hash {
            let mut sql = Sql::<()>::new("UPDATE change SET hash = ");
            sql.bytes(now.to_vec())
                .push(" WHERE owner = ")
                .text(owner)
                .push(" AND position = ")
                .big(position);
            connection.execute(&sql)?;
        }
    }
    keep_changed(connection, model, key, id, &before)
}

fn stored(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
) -> Result<Vec<Stored>, StoreError> {
    type Types = (
        (SqlDay, SqlDay),
        (SqlMoment, SqlMoment),
        SmallInt,
        Text,
        Text,
    );
    type Parts = ((Day, Day), (Moment, Moment), i16, String, String);
    let mut sql = Sql::<Types>::new(
        "SELECT s.valid_from, s.valid_to, s.recorded_at, s.superseded_at, s.domain, s.model, s.body FROM state s WHERE s.owner = ",
    );
    sql.text(owner).push(" AND s.record_id = ").id(id);
    let rows: Vec<Parts> = connection.load(&sql)?;
    rows.into_iter()
        .map(|((from, to), (recorded, superseded), code, name, body)| {
            Ok(Stored {
                period: period(from, to)?,
                recorded_at: recorded.0,
                superseded_at: superseded.0,
                value: reload(model, domain(code)?, &name, body)?,
            })
        })
        .collect()
}

/// The numbers that stand in a body in place of what was erased before.
fn numbers(body: &str) -> impl Iterator<Item = u64> {
    body.match_indices(ERASED).filter_map(|(at, _)| {
        let rest = body.get(at + ERASED.len()..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest.get(..digits)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_erased_before_is_counted() {
        let body = r#"{"a":{"identifier":{"erased":12,"scheme":"x"}},"b":[{"identifier":{"erased":3,"scheme":"x"}}],"c":"{\"identifier\":{\"erased\":99"}"#;
        assert_eq!(numbers(body).collect::<Vec<_>>(), [12, 3]);
    }
}
