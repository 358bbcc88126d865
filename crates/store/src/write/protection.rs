//! Protection that reaches further than the record that has it: whoever is identified by an identifying relation is hidden
//! together with the record that identifies (a role of a protected person, a parent's child). Written with the rows, so
//! that reads find it in the head and ask for nothing more; it is only ever raised.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use diesel::sql_types::{SmallInt, Text};
use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, Period, RecordId};

use crate::connection::Connection;
use crate::dialect;
use crate::error::StoreError;
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::write::derive::protected_until;
use crate::write::load::domain;
use crate::write::overlay::AcceptedJob;

/// Records with the day until which they are to be protected.
type Until = BTreeMap<RecordId, NaiveDate>;

/// Raises the protection of what the batch wrote to that of those whom it identifies, and of whoever identifies what
/// came under protection. Runs when all rows of the batch are written.
pub(crate) fn protect(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    let mut raised = Until::new();
    let mut links: Vec<(RecordId, RecordId)> = Vec::new();
    for (write, _) in jobs.iter().flat_map(|job| &job.writes) {
        let until = protected_until(&write.after);
        if until > Period::BEGINNING {
            raise(&mut raised, write.id, until);
        }
        // What was referred to before has been looked at then.
        let known = || {
            write
                .before
                .states()
                .iter()
                .flat_map(|old| old.value.links())
        };
        for link in write
            .after
            .states()
            .iter()
            .flat_map(|new| new.value.links())
        {
            let identifying = model
                .relation(write.domain, &link.relation)
                .is_some_and(|relation| relation.identifying);
            if identifying && !known().any(|old| old == link) {
                links.push((write.id, link.target));
            }
        }
    }
    links.sort_unstable();
    links.dedup();
    let inherited = inherited(connection, owner, &links)?;
    set(connection, owner, &inherited)?;
    for (id, until) in inherited {
        raise(&mut raised, id, until);
    }
    let mut next: BTreeMap<String, Until> = BTreeMap::from([(owner.to_owned(), raised)]);
    // Ends: a day only rises, and only to one of those that there are.
    while let Some((owner, raised)) = next.pop_first() {
        for (target, until) in raised {
            for (source_owner, source) in referrers(connection, model, &owner, target, until)? {
                set(connection, &source_owner, &Until::from([(source, until)]))?;
                raise(next.entry(source_owner).or_default(), source, until);
            }
        }
    }
    Ok(())
}

fn raise(raised: &mut Until, id: RecordId, until: NaiveDate) {
    let day = raised.entry(id).or_insert(until);
    *day = until.max(*day);
}

/// Until when the sources are protected by their targets. Targets of other owners are kept from changing until this
/// batch is committed: whoever protects one of them meanwhile then finds its new referrers.
fn inherited(
    connection: &mut Connection,
    owner: &str,
    links: &[(RecordId, RecordId)],
) -> Result<Until, StoreError> {
    let mut targets: Vec<RecordId> = links.iter().map(|(_, target)| *target).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut protected: BTreeMap<RecordId, NaiveDate> = BTreeMap::new();
    let mut foreign: Vec<RecordId> = Vec::new();
    for chunk in targets.chunks(LIST) {
        for (id, of, until) in heads(connection, chunk, false)? {
            if of != owner {
                foreign.push(id.record());
            } else if until.0 > Period::BEGINNING {
                protected.insert(id.record(), until.0);
            }
        }
    }
    foreign.sort_unstable();
    for chunk in foreign.chunks(LIST) {
        for (id, _, until) in heads(connection, chunk, true)? {
            if until.0 > Period::BEGINNING {
                protected.insert(id.record(), until.0);
            }
        }
    }
    let mut inherited = Until::new();
    for (source, target) in links {
        if let Some(until) = protected.get(target) {
            raise(&mut inherited, *source, *until);
        }
    }
    Ok(inherited)
}

fn heads(
    connection: &mut Connection,
    ids: &[RecordId],
    locked: bool,
) -> Result<Vec<(Id, String, Day)>, StoreError> {
    let mut sql = Sql::<(SqlId, Text, SqlDay)>::new(
        "SELECT r.id, r.owner, r.protected_until FROM directory_id d JOIN record r ON r.owner = d.owner AND r.id = d.id \
         WHERE d.id IN ",
    );
    sql.ids(ids.iter().copied());
    if locked {
        sql.push(" ORDER BY r.id")
            .push(&dialect::for_share(connection, "r"));
    }
    connection.load(&sql)
}

/// Who has ever identified the record and is not protected for so long.
fn referrers(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    target: RecordId,
    until: NaiveDate,
) -> Result<Vec<(String, RecordId)>, StoreError> {
    let mut sql = Sql::<(Text, SqlId, SmallInt, Text)>::new(
        "SELECT DISTINCT l.owner, l.source_id, l.source_domain, l.relation FROM owner_reference f \
         JOIN link l ON l.owner = f.source AND l.target_id = ",
    );
    sql.id(target);
    sql.push(" JOIN record r ON r.owner = l.owner AND r.id = l.source_id WHERE f.target = ")
        .text(owner);
    sql.push(" AND r.protected_until < ").day(until);
    let rows: Vec<(String, Id, i16, String)> = connection.load(&sql)?;
    let mut found = Vec::new();
    for (source_owner, source, code, relation) in rows {
        let domain: Domain = domain(code)?;
        let identifying = model
            .relation(domain, &relation)
            .is_some_and(|relation| relation.identifying);
        if identifying {
            found.push((source_owner, source.record()));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn set(connection: &mut Connection, owner: &str, until: &Until) -> Result<(), StoreError> {
    for (id, day) in until {
        let mut sql = Sql::<()>::new("UPDATE record SET protected_until = ");
        sql.day(*day)
            .push(" WHERE owner = ")
            .text(owner)
            .push(" AND id = ")
            .id(*id);
        sql.push(" AND protected_until < ").day(*day);
        connection.execute(&sql)?;
    }
    Ok(())
}
