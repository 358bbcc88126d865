//! Protection that reaches further than the record that has it: whoever is identified by an identifying relation is hidden
//! together with the record that identifies (a role of a protected person, a parent's child). Written with the rows, so
//! that reads find it in the head and ask for nothing more.
//!
//! A level that a write brings is raised wherever it reaches. Where a write takes one back, everything that it had reached
//! is computed anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use diesel::sql_types::{SmallInt, Text};
use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, Instant, RecordId};

use crate::connection::Connection;
use crate::dialect;
use crate::error::StoreError;
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::write::derive::{Protection, protection};
use crate::write::load::domain;
use crate::write::lower::lower;
use crate::write::overlay::AcceptedJob;

/// Records with how they are to be protected.
pub(crate) type Levels = BTreeMap<RecordId, Protection>;
/// A record, another that it identifies, and by which relation.
type Identifying = (RecordId, RecordId, Arc<str>);

/// A record that has identified another.
pub(crate) struct Referrer {
    pub(crate) owner: String,
    pub(crate) id: RecordId,
    /// The relations by which it did.
    pub(crate) relations: Vec<String>,
}

/// Gives what the batch wrote the protection of those whom it identifies, and whoever identifies what came under
/// protection, or left it, the protection that follows. Runs when all rows of the batch are written.
pub(crate) fn protect(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    let Some(today) = jobs.last().map(|job| day_of(job.instant)) else {
        return Ok(());
    };
    let mut written = Levels::new();
    let mut lowered: Vec<RecordId> = Vec::new();
    let mut links: Vec<Identifying> = Vec::new();
    for job in jobs {
        for (write, _) in &job.writes {
            let (before, after) = (protection(&write.before), protection(&write.after));
            // It may be more than the present states say: what is no longer believed was not said to be without.
            let head = job
                .protected
                .get(&write.id)
                .map_or(before, |head| head.and(before));
            if head.and(after) != after && !write.after.is_empty() {
                lowered.push(write.id);
            }
            // Of several writes in the batch the last one counts.
            written.insert(write.id, after);
            let uses = write.after.states().iter();
            for link in uses.flat_map(|state| state.value.links()) {
                if identifies(model, write.domain, &link.relation) {
                    links.push((write.id, link.target, Arc::clone(&link.relation)));
                }
            }
        }
    }
    lower(connection, model, owner, &lowered, today)?;
    links.sort_unstable();
    links.dedup();
    let inherited = inherited(connection, owner, &links, today)?;
    let mut raised = Levels::new();
    for (id, protection) in written.into_iter().chain(inherited) {
        raise(&mut raised, id, protection);
    }
    spread(connection, model, owner, raised, today)
}

/// The day of an instant, in UTC as in reads: a protection ends late rather than early.
pub(crate) fn day_of(instant: Instant) -> NaiveDate {
    instant.date_time().date_naive()
}

/// Raises a record, and all that have ever identified it, to at least this.
pub(crate) fn raise_from(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
    protection: Protection,
    today: NaiveDate,
) -> Result<(), StoreError> {
    raise_head(connection, owner, id, protection)?;
    let raised = Levels::from([(id, protection)]);
    spread(connection, model, owner, raised, today)
}

/// Raises records, and all that have ever identified one of them, to at least this: the heads alone. What states were
/// raised to depends on the day on which it was done, and is not done again.
pub(crate) fn raise_heads(
    connection: &mut Connection,
    model: &InformationModel,
    mut raised: Vec<(String, RecordId, Protection)>,
) -> Result<(), StoreError> {
    for (owner, id, protection) in &raised {
        raise_head(connection, owner, *id, *protection)?;
    }
    // Ends: days and levels only rise, and only to those that there are.
    while let Some((owner, target, protection)) = raised.pop() {
        for referrer in referrers(connection, model, &owner, target)? {
            if raise_head(connection, &referrer.owner, referrer.id, protection)? {
                raised.push((referrer.owner, referrer.id, protection));
            }
        }
    }
    Ok(())
}

/// Gives everything that has ever identified these records their protection.
fn spread(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    raised: Levels,
    today: NaiveDate,
) -> Result<(), StoreError> {
    let mut next: BTreeMap<String, Levels> = BTreeMap::from([(owner.to_owned(), raised)]);
    // Ends: days and levels only rise, and only to those that there are.
    while let Some((owner, raised)) = next.pop_first() {
        for (target, protection) in raised {
            for referrer in referrers(connection, model, &owner, target)? {
                let (source_owner, source) = (&referrer.owner, referrer.id);
                let head = raise_head(connection, source_owner, source, protection)?;
                let states = raise_states(connection, &owner, target, &referrer, today)?;
                if head || states {
                    let known = next.entry(referrer.owner).or_default();
                    raise(known, source, protection);
                }
            }
        }
    }
    Ok(())
}

/// Whether a record is hidden together with the one that the relation leads to.
pub(crate) fn identifies(model: &InformationModel, domain: Domain, relation: &str) -> bool {
    model
        .relation(domain, relation)
        .is_some_and(|relation| relation.identifying)
}

pub(crate) fn raise(raised: &mut Levels, id: RecordId, protection: Protection) {
    if protection.level > 0 {
        let known = raised.entry(id).or_insert(Protection::NONE);
        *known = known.and(protection);
    }
}

/// Protects the sources as their targets are; how that is. Targets of other owners are kept from changing until this batch
/// is committed: whoever protects one of them meanwhile then finds its new referrers.
fn inherited(
    connection: &mut Connection,
    owner: &str,
    links: &[Identifying],
    today: NaiveDate,
) -> Result<Levels, StoreError> {
    let mut targets: Vec<RecordId> = links.iter().map(|(_, target, _)| *target).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut protected: BTreeMap<RecordId, (String, Protection)> = BTreeMap::new();
    let mut foreign: Vec<RecordId> = Vec::new();
    for chunk in targets.chunks(LIST) {
        for (id, of, protection) in heads(connection, chunk, false)? {
            if of != owner {
                foreign.push(id);
            } else if protection.level > 0 {
                protected.insert(id, (of, protection));
            }
        }
    }
    foreign.sort_unstable();
    for chunk in foreign.chunks(LIST) {
        for (id, of, protection) in heads(connection, chunk, true)? {
            if protection.level > 0 {
                protected.insert(id, (of, protection));
            }
        }
    }
    let mut inherited = Levels::new();
    for (source, target, relation) in links {
        if let Some((target_owner, protection)) = protected.get(target) {
            let referrer = Referrer {
                owner: owner.to_owned(),
                id: *source,
                relations: vec![relation.to_string()],
            };
            raise_head(connection, owner, *source, *protection)?;
            raise_states(connection, target_owner, *target, &referrer, today)?;
            raise(&mut inherited, *source, *protection);
        }
    }
    Ok(inherited)
}

/// How the heads of records say that they are protected, with their owners.
pub(crate) fn heads(
    connection: &mut Connection,
    ids: &[RecordId],
    locked: bool,
) -> Result<Vec<(RecordId, String, Protection)>, StoreError> {
    let mut sql = Sql::<(SqlId, Text, SqlDay, SmallInt)>::new(
        "SELECT r.id, r.owner, r.protected_until, r.protection FROM directory_id d \
         JOIN record r ON r.owner = d.owner AND r.id = d.id WHERE d.id IN ",
    );
    sql.ids(ids.iter().copied());
    if locked {
        sql.push(" ORDER BY r.id")
            .push(&dialect::for_share(connection, "r"));
    }
    let rows: Vec<(Id, String, Day, i16)> = connection.load(&sql)?;
    Ok(rows
        .into_iter()
        .map(|(id, owner, until, level)| (id.record(), owner, of_columns(until, level)))
        .collect())
}

/// Protection as it is stored.
pub(crate) fn of_columns(until: Day, level: i16) -> Protection {
    Protection {
        until: until.0,
        level: u8::try_from(level).unwrap_or(u8::MAX),
    }
}

/// Who has ever identified the record, with the relations by which it did.
pub(crate) fn referrers(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    target: RecordId,
) -> Result<Vec<Referrer>, StoreError> {
    let mut sql = Sql::<(Text, SqlId, SmallInt, Text)>::new(
        "SELECT DISTINCT l.owner, l.source_id, l.source_domain, l.relation FROM owner_reference f \
         JOIN link l ON l.owner = f.source AND l.target_id = ",
    );
    sql.id(target);
    sql.push(" WHERE f.target = ").text(owner);
    let rows: Vec<(String, Id, i16, String)> = connection.load(&sql)?;
    let mut found: BTreeMap<(String, RecordId), Vec<String>> = BTreeMap::new();
    for (source_owner, source, code, relation) in rows {
        if identifies(model, domain(code)?, &relation) {
            let relations = found.entry((source_owner, source.record())).or_default();
            relations.push(relation);
        }
    }
    let referrer = |((owner, id), relations)| Referrer {
        owner,
        id,
        relations,
    };
    Ok(found.into_iter().map(referrer).collect())
}

/// Raises the head of a record to at least this; whether it was less.
fn raise_head(
    connection: &mut Connection,
    owner: &str,
    id: RecordId,
    protection: Protection,
) -> Result<bool, StoreError> {
    let (until, level) = (protection.until, i16::from(protection.level));
    let mut sql =
        Sql::<()>::new("UPDATE record SET protected_until = CASE WHEN protected_until < ");
    sql.day(until)
        .push(" THEN ")
        .day(until)
        .push(" ELSE protected_until END, protection = CASE WHEN protection < ")
        .small(level)
        .push(" THEN ")
        .small(level)
        .push(" ELSE protection END WHERE owner = ")
        .text(owner)
        .push(" AND id = ")
        .id(id);
    sql.push(" AND (protected_until < ")
        .day(until)
        .push(" OR protection < ")
        .small(level)
        .push(")");
    Ok(connection.execute(&sql)? > 0)
}

/// Raises the states of a record that identify another to what the other is believed to be protected as on their days;
/// whether one was less.
///
/// These are its old ones: of what is no longer believed, what has ended, and what ends with the protection. One that
/// goes on without the protection is shown, with its period, to whoever may see the other as it is then.
pub(crate) fn raise_states(
    connection: &mut Connection,
    target_owner: &str,
    target: RecordId,
    referrer: &Referrer,
    today: NaiveDate,
) -> Result<bool, StoreError> {
    // The state holds the link: they were believed together, and a state says the same on all its days.
    let level = |sql: &mut Sql<'_, ()>| {
        sql.push(
            "(SELECT MAX(t.protection) FROM link l JOIN state t ON t.record_id = l.target_id WHERE l.owner = state.owner \
             AND l.source_id = state.record_id AND l.target_id = ",
        )
        .id(target)
        .push(" AND l.relation IN ")
        .texts(referrer.relations.clone());
        sql.push(
            " AND l.valid_from < state.valid_to AND l.valid_to > state.valid_from \
             AND l.recorded_at < state.superseded_at AND l.superseded_at > state.recorded_at \
             AND t.valid_from < state.valid_to AND t.valid_to > state.valid_from AND t.owner = ",
        )
        .text(target_owner.to_owned())
        .push(" AND t.superseded_at = ")
        .forever()
        .push(" AND (state.valid_to <= t.valid_to OR state.valid_to <= ")
        .day(today)
        .push(" OR state.superseded_at < ")
        .forever()
        .push("))");
    };
    let mut sql = Sql::<()>::new("UPDATE state SET protection = ");
    level(&mut sql);
    sql.push(" WHERE owner = ")
        .text(referrer.owner.clone())
        .push(" AND record_id = ")
        .id(referrer.id)
        .push(" AND protection < ");
    level(&mut sql);
    Ok(connection.execute(&sql)? > 0)
}
