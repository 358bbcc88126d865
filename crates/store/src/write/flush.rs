//! Writes what a batch has accepted, set-wise: first what is no longer believed is superseded, then the new rows are
//! inserted, table by table in key order.
//!
//! The rows are computed from the timelines before and after, so that only what changed is touched. Where a record is
//! written by several jobs of the batch, its writes go one after the other, in rounds.

use std::collections::{HashMap, HashSet};
use std::time::Instant as Stopwatch;

use grunddata_information_model::InformationModel;
use grunddata_model::{Instant, OwnerKey, Period, RecordId};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::loads::write_steps;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Day, Id, Moment, NOT_EFFECTIVE};
use crate::transfers::write_transfers;
use crate::tree::{Frontier, Given, Leaves, save};
use crate::write::derive::{
    Derived, EntryKey, IdentifierKey, LinkKey, derived, difference, protection, timeline_hash,
};
use crate::write::overlay::AcceptedJob;
use crate::write::pending::Pending;
use crate::write::protection::protect;
use crate::write::references::{Known, note_owner_references};
use crate::write::rows::{
    ChangeRow, DirectoryIdRow, DirectoryIdentifierRow, EntryRow, FormerHeadRow, IdentifierRow,
    Insert as _, LinkRow, RaisedRow, RecordRow, StateRow, TransactionRow,
};
use crate::write::scrub::scrub;
use crate::write::staged::{RecordStatus, StagedWrite};
use crate::write::statements::{
    ENTRIES, IDENTIFIERS, LINKS, STATES, insert_missing, raise_protection, supersede,
    update_records,
};
use crate::write::tx::REMEMBERED;
use crate::write::vocabulary::{NewWords, is_eligible, write_words};

/// One write with what the batch gave it.
struct Placed<'a> {
    write: &'a StagedWrite,
    version: i32,
    position: i64,
    instant: Instant,
}

/// Writes everything that the jobs staged. Positions follow on `position`; the last one is given back. The tree grows over
/// the changes, with the leaves that are given where there are any.
pub(crate) fn flush(
    connection: &mut Connection,
    known: &Known,
    model: &InformationModel,
    owner: &OwnerKey,
    jobs: &[AcceptedJob],
    (position, tree, given): (i64, &mut Frontier, &Given),
) -> Result<(i64, NewWords), StoreError> {
    let key = owner;
    let owner = owner.as_str();
    let mut last = position;
    let mut rounds: Vec<Vec<Placed<'_>>> = Vec::new();
    let mut seen: HashMap<RecordId, usize> = HashMap::new();
    let mut transactions: Vec<TransactionRow<'_>> = Vec::new();
    let mut effective: Vec<ChangeRow<'_>> = Vec::new();
    let mut leaves = Leaves::new(owner, jobs.iter().map(AcceptedJob::entries).sum(), given);
    for job in jobs {
        for (write, version) in &job.writes {
            last += 1;
            let round = seen
                .entry(write.id)
                .and_modify(|round| *round += 1)
                .or_insert(0);
            if rounds.len() <= *round {
                rounds.push(Vec::new());
            }
            if let Some(round) = rounds.get_mut(*round) {
                round.push(Placed {
                    write,
                    version: i32::try_from(*version).unwrap_or(i32::MAX),
                    position: last,
                    instant: job.instant,
                });
            }
            let id = Id::from(write.transaction);
            match transactions.last_mut() {
                Some(same) if same.id == id && same.recorded_at.0 == job.instant => {
                    same.last_position = last
                }
                _ => transactions.push(TransactionRow {
                    owner,
                    id,
                    first_position: last,
                    last_position: last,
                    recorded_at: Moment(job.instant),
                }),
            }
        }
        let Some(told) = job.told.as_deref() else {
            continue;
        };
        told.note(connection, owner)?;
        let first = last + 1;
        effective.extend(told.rows(owner, last, job.instant, &mut leaves)?);
        last = effective.last().map_or(last, |row| row.position.max(last));
        if last >= first {
            transactions.push(TransactionRow {
                owner,
                id: told.transaction.into(),
                first_position: first,
                last_position: last,
                recorded_at: Moment(job.instant),
            });
        }
    }
    let mut words = NewWords::new();
    for mut round in rounds {
        round.sort_unstable_by_key(|placed| placed.write.id);
        words.extend(Round::compute(owner, &round, &mut leaves)?.write(connection, known)?);
    }
    ChangeRow::insert(connection, &effective)?;
    let nodes = leaves.add_to(tree, position);
    let saving = Stopwatch::now();
    save(connection, key, &nodes)?;
    tree.spent += saving.elapsed();
    protect(connection, model, owner, jobs)?;
    FormerHeadRow::insert(connection, &former_heads(owner, jobs))?;
    transactions.sort_unstable_by_key(|row| row.id);
    TransactionRow::insert(connection, &transactions)?;
    remember(connection, owner, jobs)?;
    write_steps(connection, owner, jobs)?;
    write_transfers(connection, owner, jobs)?;
    let gone = scrub(connection, model, key, jobs)?;
    known.vocabulary.forget(owner, &gone);
    words.retain(|word| !gone.contains(word));
    Ok((last, words))
}

/// Who was responsible for records, and where they came from, where that becomes something else.
fn former_heads<'a>(owner: &'a str, jobs: &'a [AcceptedJob]) -> Vec<FormerHeadRow<'a>> {
    let of_job = |job: &'a AcceptedJob| {
        job.former.iter().map(|image| FormerHeadRow {
            owner,
            record_id: image.id.into(),
            superseded_at: Moment(job.instant),
            controller: image.controller.map(Id::from),
            origin: image.origin.as_deref(),
        })
    };
    jobs.iter().flat_map(of_job).collect()
}

/// Everything that one round writes.
struct Round<'a> {
    owner: &'a str,
    new_records: Vec<RecordRow<'a>>,
    changed_records: Vec<RecordRow<'a>>,
    forwarding: Vec<(Id, Option<Id>, i16)>,
    directory_ids: Vec<DirectoryIdRow<'a>>,
    new_directory_identifiers: Vec<DirectoryIdentifierRow<'a>>,
    known_directory_identifiers: Vec<DirectoryIdentifierRow<'a>>,
    states: Vec<StateRow<'a>>,
    links: Vec<LinkRow<'a>>,
    identifiers: Vec<IdentifierRow<'a>>,
    entries: Vec<EntryRow<'a>>,
    changes: Vec<ChangeRow<'a>>,
    geometries: Vec<(&'a str, &'a str)>,
    ended_states: Vec<Vec<Bind<'a>>>,
    ended_links: Vec<Vec<Bind<'a>>>,
    ended_identifiers: Vec<Vec<Bind<'a>>>,
    ended_entries: Vec<Vec<Bind<'a>>>,
    raised: Vec<(Id, Period, i16)>,
    raises: Vec<RaisedRow<'a>>,
    pending: Pending<'a>,
    words: HashSet<(i16, &'a str)>,
}

impl<'a> Round<'a> {
    fn compute(
        owner: &'a str,
        placed: &[Placed<'a>],
        leaves: &mut Leaves<'_>,
    ) -> Result<Self, StoreError> {
        let count = placed.len();
        let mut round = Self {
            owner,
            new_records: Vec::with_capacity(count),
            changed_records: Vec::new(),
            forwarding: Vec::new(),
            directory_ids: Vec::with_capacity(count),
            new_directory_identifiers: Vec::with_capacity(count),
            known_directory_identifiers: Vec::new(),
            states: Vec::with_capacity(count),
            links: Vec::with_capacity(count * 2),
            identifiers: Vec::with_capacity(count),
            entries: Vec::with_capacity(count * 8),
            changes: Vec::with_capacity(count),
            geometries: Vec::new(),
            ended_states: Vec::new(),
            ended_links: Vec::new(),
            ended_identifiers: Vec::new(),
            ended_entries: Vec::new(),
            raised: Vec::new(),
            raises: Vec::new(),
            pending: Pending::default(),
            words: HashSet::new(),
        };
        for placed in placed {
            round.add(placed, leaves)?;
        }
        round.links.sort_unstable_by_key(|row| {
            (row.source_id, row.relation, row.target_id, row.valid_from)
        });
        round
            .identifiers
            .sort_unstable_by_key(|row| (row.scheme, row.value, row.record_id, row.valid_from));
        round.entries.sort_unstable_by_key(|row| {
            (
                row.domain,
                row.property,
                row.mode,
                row.value,
                row.record_id,
                row.valid_from,
            )
        });
        round.changes.sort_unstable_by_key(|row| row.position);
        round
            .new_directory_identifiers
            .sort_unstable_by_key(|row| (row.scheme, row.value, row.record_id));
        round.geometries.sort_unstable();
        round.geometries.dedup();
        Ok(round)
    }

    fn add(&mut self, placed: &Placed<'a>, leaves: &mut Leaves<'_>) -> Result<(), StoreError> {
        let write = placed.write;
        let new = placed.version == 1;
        self.add_head(placed, new);
        self.add_states(placed);
        let after = derived(&write.after);
        let before = if new {
            Derived::default()
        } else {
            derived(&write.before)
        };
        self.add_links(placed, &before, &after);
        self.add_identifiers(placed, &before, &after, new);
        self.add_entries(placed, &before, &after);
        self.pending
            .add((write.id, write.domain.code()), &write.before, &write.after);
        let (leaf, opening) =
            leaves.make(write, placed.version, placed.position, placed.instant)?;
        self.changes.push(ChangeRow {
            owner: self.owner,
            position: placed.position,
            record_id: write.id.into(),
            domain: write.domain.code(),
            version: placed.version,
            recorded_at: Moment(placed.instant),
            transaction_id: write.transaction.into(),
            operation: write.operation.code(),
            change_kind: write.change_kind.code(),
            corrects: write
                .corrects
                .and_then(|version| i32::try_from(version).ok()),
            actor: &write.actor,
            reason: write.reason.as_deref(),
            source: write.source.as_deref(),
            valid_from: Day(write.touched.from()),
            valid_to: Day(write.touched.to()),
            hash: timeline_hash(&write.after).to_vec(),
            effective_on: NOT_EFFECTIVE,
            leaf: Some(leaf),
            opening,
        });
        Ok(())
    }

    fn add_head(&mut self, placed: &Placed<'a>, new: bool) {
        let write = placed.write;
        let protection = protection(&write.after);
        if !new && protection.exceeds(self::protection(&write.before)) {
            self.raises.push(RaisedRow {
                owner: self.owner,
                position: placed.position,
                record_id: write.id.into(),
            });
        }
        let record = RecordRow {
            owner: self.owner,
            id: write.id.into(),
            domain: write.domain.code(),
            controller: write.controller.map(Id::from),
            origin: write.origin.as_deref(),
            version: placed.version,
            status: write.status.code(),
            // Of this version alone: what was ever more stays where the head is changed.
            protected_until: Day(protection.until),
            protection: i16::from(protection.level),
        };
        let forward_to = write.forward_to.map(Id::from);
        let erased = i16::from(write.status == RecordStatus::Erased);
        if new {
            self.new_records.push(record);
            self.directory_ids.push(DirectoryIdRow {
                id: write.id.into(),
                owner: self.owner,
                domain: write.domain.code(),
                forward_to,
                erased,
            });
        } else {
            self.changed_records.push(record);
            self.forwarding.push((write.id.into(), forward_to, erased));
        }
    }

    fn add_states(&mut self, placed: &Placed<'a>) {
        let write = placed.write;
        let (old, new) = (write.before.states(), write.after.states());
        for state in old.iter().filter(|state| !new.contains(state)) {
            self.ended_states.push(vec![
                Bind::Id(write.id.into()),
                Bind::Day(Day(state.period.from())),
                Bind::Moment(Moment(placed.instant)),
            ]);
        }
        for state in new.iter().filter(|state| !old.contains(state)) {
            let value = &state.value;
            let protection = i16::from(value.protection());
            if protection > 0 && !old.is_empty() {
                self.raised
                    .push((write.id.into(), state.period, protection));
            }
            for (hash, body) in value.geometries() {
                self.geometries.push((hash.as_str(), &**body));
            }
            self.states.push(StateRow {
                owner: self.owner,
                record_id: write.id.into(),
                superseded_at: Moment(Instant::FOREVER),
                valid_from: Day(state.period.from()),
                valid_to: Day(state.period.to()),
                recorded_at: Moment(placed.instant),
                domain: write.domain.code(),
                version: placed.version,
                change_kind: write.change_kind.code(),
                model: value.model(),
                body: value.body(),
                hash: value.hash().as_slice(),
                display: value.display(),
                kind: value.kind(),
                classes: i16::from(value.classes()),
                protection,
                has_links: i16::from(!value.links().is_empty()),
            });
        }
    }

    fn add_links(&mut self, placed: &Placed<'a>, before: &Derived<'a>, after: &Derived<'a>) {
        let id = Id::from(placed.write.id);
        let (gone, come) = difference(&before.links, &after.links);
        for (
            LinkKey {
                relation, target, ..
            },
            period,
        ) in gone
        {
            self.ended_links.push(vec![
                Bind::Id(id),
                Bind::Text(relation.into()),
                Bind::Id(target.into()),
                Bind::Day(Day(period.from())),
                Bind::Moment(Moment(placed.instant)),
            ]);
        }
        self.links
            .extend(come.into_iter().map(|(key, period)| LinkRow {
                owner: self.owner,
                source_id: id,
                relation: key.relation,
                target_id: key.target.into(),
                valid_from: Day(period.from()),
                recorded_at: Moment(placed.instant),
                valid_to: Day(period.to()),
                superseded_at: Moment(Instant::FOREVER),
                source_domain: placed.write.domain.code(),
                class: i16::from(key.class),
            }));
    }

    fn add_identifiers(
        &mut self,
        placed: &Placed<'a>,
        before: &Derived<'a>,
        after: &Derived<'a>,
        new: bool,
    ) {
        let id = Id::from(placed.write.id);
        let (gone, come) = difference(&before.identifiers, &after.identifiers);
        for (
            IdentifierKey {
                scheme,
                value,
                issuer,
                ..
            },
            period,
        ) in gone
        {
            self.ended_identifiers.push(vec![
                Bind::Text(scheme.into()),
                Bind::Text(value.into()),
                Bind::Id(id),
                Bind::Text(issuer.into()),
                Bind::Day(Day(period.from())),
                Bind::Moment(Moment(placed.instant)),
            ]);
        }
        let mut last = None;
        for (key, period) in come {
            if last.replace((key.scheme, key.value)) != Some((key.scheme, key.value)) {
                let row = DirectoryIdentifierRow {
                    scheme: key.scheme,
                    value: key.value,
                    owner: self.owner,
                    record_id: id,
                };
                if new {
                    self.new_directory_identifiers.push(row);
                } else {
                    self.known_directory_identifiers.push(row);
                }
            }
            self.identifiers.push(IdentifierRow {
                owner: self.owner,
                scheme: key.scheme,
                value: key.value,
                record_id: id,
                issuer: key.issuer,
                valid_from: Day(period.from()),
                recorded_at: Moment(placed.instant),
                valid_to: Day(period.to()),
                superseded_at: Moment(Instant::FOREVER),
                status: key.status,
                class: i16::from(key.class),
            });
        }
    }

    fn add_entries(&mut self, placed: &Placed<'a>, before: &Derived<'a>, after: &Derived<'a>) {
        let id = Id::from(placed.write.id);
        let domain = placed.write.domain.code();
        let (gone, come) = difference(&before.entries, &after.entries);
        for (
            EntryKey {
                property,
                mode,
                value,
            },
            period,
        ) in gone
        {
            self.ended_entries.push(vec![
                Bind::Small(domain),
                Bind::Text(property.into()),
                Bind::Small(mode),
                Bind::Text(value.into()),
                Bind::Id(id),
                Bind::Day(Day(period.from())),
                Bind::Moment(Moment(placed.instant)),
            ]);
        }
        for (key, period) in come {
            if key.mode == WORD && is_eligible(key.value) {
                self.words.insert((domain, key.value));
            }
            self.entries.push(EntryRow {
                owner: self.owner,
                domain,
                property: key.property,
                mode: key.mode,
                value: key.value,
                record_id: id,
                valid_from: Day(period.from()),
                recorded_at: Moment(placed.instant),
                valid_to: Day(period.to()),
                superseded_at: Moment(Instant::FOREVER),
            });
        }
    }

    fn write(self, connection: &mut Connection, known: &Known) -> Result<NewWords, StoreError> {
        let owner = self.owner;
        // The directory first: an id that another owner has just taken is found before anything else is written.
        DirectoryIdRow::insert(connection, &self.directory_ids)?;
        RecordRow::insert(connection, &self.new_records)?;
        update_records(connection, owner, &self.changed_records)?;
        for (id, forward_to, erased) in self.forwarding {
            let mut sql = Sql::<()>::new("UPDATE directory_id SET forward_to = ");
            sql.bind(Bind::OptId(forward_to))
                .push(", erased = ")
                .small(erased);
            sql.push(" WHERE id = ").id(id);
            sql.push(" AND (erased <> ")
                .small(erased)
                .push(" OR COALESCE(forward_to, id) <> ");
            sql.id(forward_to.unwrap_or(id)).push(")");
            connection.execute(&sql)?;
        }
        supersede(connection, owner, &STATES, self.ended_states)?;
        supersede(connection, owner, &LINKS, self.ended_links)?;
        supersede(connection, owner, &IDENTIFIERS, self.ended_identifiers)?;
        supersede(connection, owner, &ENTRIES, self.ended_entries)?;
        StateRow::insert(connection, &self.states)?;
        raise_protection(connection, owner, &self.raised)?;
        note_owner_references(connection, known, owner, &self.links)?;
        LinkRow::insert(connection, &self.links)?;
        IdentifierRow::insert(connection, &self.identifiers)?;
        EntryRow::insert(connection, &self.entries)?;
        self.pending.write(connection, owner)?;
        DirectoryIdentifierRow::insert(connection, &self.new_directory_identifiers)?;
        let kept = self.known_directory_identifiers.into_iter().map(|row| {
            let (scheme, value) = (Bind::Text(row.scheme.into()), Bind::Text(row.value.into()));
            vec![
                scheme,
                value,
                Bind::Text(row.owner.into()),
                Bind::Id(row.record_id),
            ]
        });
        insert_missing(
            connection,
            "directory_identifier (scheme, value, owner, record_id)",
            kept.collect(),
        )?;
        let geometries = self.geometries.into_iter().map(|(hash, body)| {
            let (hash, body) = (Bind::Text(hash.into()), Bind::Text(body.into()));
            vec![Bind::Text(owner.into()), hash, body]
        });
        insert_missing(
            connection,
            "geometry (owner, hash, body)",
            geometries.collect(),
        )?;
        ChangeRow::insert(connection, &self.changes)?;
        RaisedRow::insert(connection, &self.raises)?;
        write_words(connection, &known.vocabulary, owner, &self.words)
    }
}

/// The code of the index mode for words.
pub(crate) const WORD: i16 = 3;

/// Keeps the outcomes of idempotent requests, and forgets those that are older than 24 hours.
fn remember(
    connection: &mut Connection,
    owner: &str,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    let mut latest = None;
    for job in jobs {
        let Some((key, outcome)) = &job.remembered else {
            continue;
        };
        let mut sql = Sql::<()>::new(
            "INSERT INTO idempotency (owner, key_hash, request_hash, outcome, created_at) VALUES (",
        );
        sql.text(owner)
            .push(", ")
            .bytes(key.as_slice())
            .push(", ")
            .bytes(outcome.request_hash.as_slice());
        sql.push(", ")
            .text(outcome.outcome.as_str())
            .push(", ")
            .moment(job.instant);
        sql.push(
            ") ON CONFLICT (owner, key_hash) DO UPDATE SET request_hash = excluded.request_hash, \
             outcome = excluded.outcome, created_at = excluded.created_at",
        );
        connection.execute(&sql)?;
        latest = Some(job.instant);
    }
    if let Some(now) = latest {
        let mut sql = Sql::<()>::new("DELETE FROM idempotency WHERE owner = ");
        sql.text(owner).push(" AND created_at <= ");
        sql.moment(Instant::from_micros(now.micros() - REMEMBERED));
        connection.execute(&sql)?;
    }
    Ok(())
}
