//! Protection that reaches further than the record that has it: whoever is identified by an identifying relation is hidden
//! together with the record that identifies (a role of a protected person, a parent's child). Written with the rows, so
//! that reads find it in the head and ask for nothing more.
//!
//! A level that a write brings is raised wherever it reaches. Where a write takes one back, everything that it had reached
//! is computed anew.

use std::collections::BTreeMap;

use diesel::sql_types::{SmallInt, Text};
use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, RecordId};

use crate::connection::Connection;
use crate::dialect;
use crate::error::StoreError;
use crate::marks::{MarkKind, RESTRICTED, marked};
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::write::derive::{Protection, protection};
use crate::write::load::{domain, period};
use crate::write::overlay::AcceptedJob;

/// Records with how they are to be protected.
type Levels = BTreeMap<RecordId, Protection>;

/// Gives what the batch wrote the protection of those whom it identifies, and whoever identifies what came under
/// protection, or left it, the protection that follows. Runs when all rows of the batch are written.
pub(crate) fn protect(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    let mut written = Levels::new();
    let mut lowered: Vec<RecordId> = Vec::new();
    let mut links: Vec<(RecordId, RecordId)> = Vec::new();
    for (write, _) in jobs.iter().flat_map(|job| &job.writes) {
        let (before, after) = (protection(&write.before), protection(&write.after));
        // What is retracted was not said to be without protection.
        if before.and(after) != after && !write.after.is_empty() {
            lowered.push(write.id);
        }
        // Of several writes in the batch the last one counts.
        written.insert(write.id, after);
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
            if identifies(model, write.domain, &link.relation) && !known().any(|old| old == link) {
                links.push((write.id, link.target));
            }
        }
    }
    lower(connection, model, owner, &lowered)?;
    links.sort_unstable();
    links.dedup();
    let inherited = inherited(connection, owner, &links)?;
    let mut raised = Levels::new();
    for (id, protection) in &inherited {
        raise_head(connection, owner, *id, *protection)?;
    }
    for (id, protection) in written.into_iter().chain(inherited) {
        raise(&mut raised, id, protection);
    }
    spread(connection, model, owner, raised)
}

/// Raises a record, and all that have ever identified it, to at least this.
pub(crate) fn raise_from(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
    protection: Protection,
) -> Result<(), StoreError> {
    raise_head(connection, owner, id, protection)?;
    spread(connection, model, owner, Levels::from([(id, protection)]))
}

/// Gives everything that has ever identified these records their protection.
fn spread(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    raised: Levels,
) -> Result<(), StoreError> {
    let mut next: BTreeMap<String, Levels> = BTreeMap::from([(owner.to_owned(), raised)]);
    // Ends: days and levels only rise, and only to those that there are.
    while let Some((owner, raised)) = next.pop_first() {
        for (target, protection) in raised {
            for (source_owner, source) in referrers(connection, model, &owner, target, protection)?
            {
                raise_head(connection, &source_owner, source, protection)?;
                raise(next.entry(source_owner).or_default(), source, protection);
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

fn raise(raised: &mut Levels, id: RecordId, protection: Protection) {
    if protection.level > 0 {
        let known = raised.entry(id).or_insert(Protection::NONE);
        *known = known.and(protection);
    }
}

/// How the sources are protected by their targets. Targets of other owners are kept from changing until this batch is
/// committed: whoever protects one of them meanwhile then finds its new referrers.
fn inherited(
    connection: &mut Connection,
    owner: &str,
    links: &[(RecordId, RecordId)],
) -> Result<Levels, StoreError> {
    let mut targets: Vec<RecordId> = links.iter().map(|(_, target)| *target).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut protected = Levels::new();
    let mut foreign: Vec<RecordId> = Vec::new();
    for chunk in targets.chunks(LIST) {
        for (id, of, protection) in heads(connection, chunk, false)? {
            if of == owner {
                raise(&mut protected, id, protection);
            } else {
                foreign.push(id);
            }
        }
    }
    foreign.sort_unstable();
    for chunk in foreign.chunks(LIST) {
        for (id, _, protection) in heads(connection, chunk, true)? {
            raise(&mut protected, id, protection);
        }
    }
    let mut inherited = Levels::new();
    for (source, target) in links {
        if let Some(protection) = protected.get(target) {
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

/// Who has ever identified the record and is not protected so long, or not so strongly.
fn referrers(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    target: RecordId,
    protection: Protection,
) -> Result<Vec<(String, RecordId)>, StoreError> {
    let mut sql = Sql::<(Text, SqlId, SmallInt, Text)>::new(
        "SELECT DISTINCT l.owner, l.source_id, l.source_domain, l.relation FROM owner_reference f \
         JOIN link l ON l.owner = f.source AND l.target_id = ",
    );
    sql.id(target);
    sql.push(" JOIN record r ON r.owner = l.owner AND r.id = l.source_id WHERE f.target = ")
        .text(owner);
    sql.push(" AND (r.protected_until < ")
        .day(protection.until)
        .push(" OR r.protection < ")
        .small(i16::from(protection.level))
        .push(")");
    let rows: Vec<(String, Id, i16, String)> = connection.load(&sql)?;
    let mut found = Vec::new();
    for (source_owner, source, code, relation) in rows {
        if identifies(model, domain(code)?, &relation) {
            found.push((source_owner, source.record()));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Raises the head of a record to at least this.
fn raise_head(
    connection: &mut Connection,
    owner: &str,
    id: RecordId,
    protection: Protection,
) -> Result<(), StoreError> {
    let level = i16::from(protection.level);
    let mut sql =
        Sql::<()>::new("UPDATE record SET protected_until = CASE WHEN protected_until < ");
    sql.day(protection.until)
        .push(" THEN ")
        .day(protection.until)
        .push(" ELSE protected_until END, protection = CASE WHEN protection < ")
        .small(level)
        .push(" THEN ")
        .small(level)
        .push(" ELSE protection END WHERE owner = ")
        .text(owner)
        .push(" AND id = ")
        .id(id);
    connection.execute(&sql).map(drop)
}

/// A record whose protection is computed anew.
struct Anew {
    owner: String,
    /// What its own states say.
    own: Protection,
    /// Whom it has ever identified.
    identified: Vec<RecordId>,
    now: Protection,
}

/// Computes anew how the records are protected, and all that have ever identified one of them.
pub(crate) fn lower(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    lowered: &[RecordId],
) -> Result<(), StoreError> {
    // Nobody is protected less than this: every referrer counts.
    let strongest = Protection {
        until: grunddata_model::Period::OPEN,
        level: u8::MAX,
    };
    let mut anew: BTreeMap<RecordId, Anew> = BTreeMap::new();
    let mut queue: Vec<(String, RecordId)> =
        lowered.iter().map(|id| (owner.to_owned(), *id)).collect();
    while let Some((owner, id)) = queue.pop() {
        if anew.contains_key(&id) {
            continue;
        }
        queue.extend(referrers(connection, model, &owner, id, strongest)?);
        let own = own_protection(connection, &owner, id)?;
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
        .flat_map(|record| &record.identified)
        .copied()
        .filter(|id| !anew.contains_key(id))
        .collect();
    others.sort_unstable();
    others.dedup();
    let mut stable = Levels::new();
    for chunk in others.chunks(LIST) {
        for (id, _, protection) in heads(connection, chunk, false)? {
            raise(&mut stable, id, protection);
        }
    }
    // Ends: it only rises, from what the states themselves say.
    loop {
        let now: Levels = anew.iter().map(|(id, record)| (*id, record.now)).collect();
        let mut settled = true;
        for record in anew.values_mut() {
            let of_others = record
                .identified
                .iter()
                .filter_map(|id| now.get(id).or_else(|| stable.get(id)).copied());
            let next = Protection::of(of_others.chain([record.own]));
            settled &= next == record.now;
            record.now = next;
        }
        if settled {
            break;
        }
    }
    for (id, record) in anew {
        let mut sql = Sql::<()>::new("UPDATE record SET protected_until = ");
        sql.day(record.now.until)
            .push(", protection = ")
            .small(i16::from(record.now.level))
            .push(" WHERE owner = ")
            .text(record.owner.as_str())
            .push(" AND id = ")
            .id(id);
        connection.execute(&sql)?;
    }
    Ok(())
}

/// What the states of a record say that are believed now, with the restriction of its processing.
fn own_protection(
    connection: &mut Connection,
    owner: &str,
    id: RecordId,
) -> Result<Protection, StoreError> {
    let mut rows: Vec<(Day, Day, i16)> = Vec::new();
    // What is retracted was not said to be without protection: where nothing is believed, all that ever was counts.
    for believed in [true, false] {
        let mut sql = Sql::<(SqlDay, SqlDay, SmallInt)>::new(
            "SELECT s.valid_from, s.valid_to, s.protection FROM state s WHERE s.owner = ",
        );
        sql.text(owner).push(" AND s.record_id = ").id(id);
        if believed {
            sql.push(" AND s.superseded_at = ").forever();
        }
        rows = connection.load(&sql)?;
        if !rows.is_empty() {
            break;
        }
    }
    let mut states = Vec::with_capacity(rows.len());
    for (from, to, level) in rows {
        states.push((period(from, to)?, u8::try_from(level).unwrap_or(u8::MAX)));
    }
    let own = Protection::of_states(states);
    // A restriction of processing holds until it is lifted, whatever is written meanwhile.
    let restricted = marked(connection, owner, MarkKind::Restriction, &[id])?;
    Ok(if restricted.is_empty() {
        own
    } else {
        own.and(RESTRICTED)
    })
}

/// Whom a record has ever identified.
fn identified(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
) -> Result<Vec<RecordId>, StoreError> {
    let mut sql = Sql::<(SqlId, SmallInt, Text)>::new(
        "SELECT DISTINCT l.target_id, l.source_domain, l.relation FROM link l WHERE l.owner = ",
    );
    sql.text(owner).push(" AND l.source_id = ").id(id);
    let rows: Vec<(Id, i16, String)> = connection.load(&sql)?;
    let mut found = Vec::new();
    for (target, code, relation) in rows {
        if identifies(model, domain(code)?, &relation) {
            found.push(target.record());
        }
    }
    Ok(found)
}
