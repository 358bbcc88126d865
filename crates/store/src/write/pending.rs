//! References that lead nowhere yet: a row for each identifier that a record waits for, as believed now. It follows from the
//! bodies, and is what a record that gets such an identifier is looked up by.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{SmallInt, Text};
use grunddata_information_model::Resolved;
use grunddata_model::{Domain, OwnerKey, RecordId, SchemeCode, Timeline};

use crate::connection::Connection;
use crate::dialect::ordered_join;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Id, SqlId};
use crate::write::load::domain;
use crate::write::statements::insert_missing;
use crate::write::tx::WriteTx;

/// A record that waits for an identifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingRow {
    /// The scheme of the identifier.
    pub scheme: SchemeCode,
    /// Its value, normalised.
    pub value: String,
    /// The record that refers.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
}

/// The value may be somebody's number and is never printed.
impl std::fmt::Debug for PendingRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingRow")
            .field("scheme", &self.scheme)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

type Types = (Text, Text, SqlId, SmallInt);
type Parts = (String, String, Id, i16);

impl PendingRow {
    fn of((scheme, value, record, code): Parts) -> Result<Self, StoreError> {
        Ok(Self {
            scheme: SchemeCode::new(&scheme)
                .map_err(|_| StoreError::disagrees(format!("identifier scheme {scheme:?}")))?,
            value,
            record: record.record(),
            domain: domain(code)?,
        })
    }
}

/// The identifiers that a timeline waits for.
pub(crate) fn pending_of(timeline: &Timeline<Resolved>) -> BTreeSet<(&str, &str)> {
    let states = timeline.states().iter();
    states
        .flat_map(|state| state.value.pending())
        .map(|pending| (pending.scheme.as_str(), pending.value.as_str()))
        .collect()
}

/// What a batch changes of them. The last write of a record counts.
#[derive(Default)]
pub(crate) struct Pending<'a> {
    gone: Vec<(&'a str, &'a str, RecordId)>,
    come: Vec<(&'a str, &'a str, RecordId, i16)>,
    /// What has ever been waited for: that stays when it is waited for no more.
    waited: Vec<(&'a str, &'a str, RecordId)>,
}

impl<'a> Pending<'a> {
    pub(crate) fn add(
        &mut self,
        (id, domain): (RecordId, i16),
        before: &'a Timeline<Resolved>,
        after: &'a Timeline<Resolved>,
    ) {
        let (before, after) = (pending_of(before), pending_of(after));
        let gone = before.difference(&after);
        self.gone
            .extend(gone.map(|(scheme, value)| (*scheme, *value, id)));
        let come = after.difference(&before);
        self.waited
            .extend(come.clone().map(|(scheme, value)| (*scheme, *value, id)));
        self.come
            .extend(come.map(|(scheme, value)| (*scheme, *value, id, domain)));
    }

    /// Adds what some version of a record waited for.
    pub(crate) fn add_waited(&mut self, id: RecordId, versions: &'a [Timeline<Resolved>]) {
        let ever: BTreeSet<(&str, &str)> = versions.iter().flat_map(pending_of).collect();
        let ever = ever.into_iter().map(|(scheme, value)| (scheme, value, id));
        self.waited.extend(ever);
    }

    pub(crate) fn write(
        mut self,
        connection: &mut Connection,
        owner: &str,
    ) -> Result<(), StoreError> {
        for (scheme, value, id) in self.gone {
            let mut sql = Sql::<()>::new("DELETE FROM pending_reference WHERE owner = ");
            sql.text(owner).push(" AND scheme = ").text(scheme);
            sql.push(" AND value = ")
                .text(value)
                .push(" AND record_id = ")
                .id(id);
            connection.execute(&sql)?;
        }
        self.come.sort_unstable();
        let rows = self.come.into_iter().map(|(scheme, value, id, domain)| {
            vec![
                Bind::Text(owner.into()),
                Bind::Text(scheme.into()),
                Bind::Text(value.into()),
                Bind::Id(id.into()),
                Bind::Small(domain),
            ]
        });
        insert_missing(
            connection,
            "pending_reference (owner, scheme, value, record_id, domain)",
            rows.collect(),
        )?;
        self.waited.sort_unstable();
        self.waited.dedup();
        let rows = self.waited.into_iter().map(|(scheme, value, id)| {
            vec![
                Bind::Text(owner.into()),
                Bind::Text(scheme.into()),
                Bind::Text(value.into()),
                Bind::Id(id.into()),
            ]
        });
        insert_missing(
            connection,
            "waited_reference (owner, scheme, value, record_id)",
            rows.collect(),
        )
    }
}

impl WriteTx<'_> {
    /// Which records of this owner wait for one of the identifiers, as believed now and staged: distinct and sorted.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn waiting_for(
        &mut self,
        identifiers: &BTreeSet<(SchemeCode, String)>,
    ) -> Result<Vec<(RecordId, Domain)>, StoreError> {
        let stored = self.stored_waiting(identifiers);
        let mut waiting: BTreeMap<RecordId, Domain> = self.noted(stored)?.into_iter().collect();
        waiting.extend(self.staged_waiting(identifiers));
        Ok(waiting.into_iter().collect())
    }

    fn stored_waiting(
        &mut self,
        identifiers: &BTreeSet<(SchemeCode, String)>,
    ) -> Result<Vec<(RecordId, Domain)>, StoreError> {
        let batch = &mut *self.batch;
        let owner = batch.owner.clone();
        let any = match batch.any_pending {
            Some(any) => any,
            None => has_pending(&mut batch.connection, &owner)?,
        };
        batch.any_pending = Some(any);
        let mut found = Vec::new();
        // As a rule nothing of an owner waits, and writes pay for one look at an empty table.
        if !any {
            return Ok(found);
        }
        let pairs: Vec<&(SchemeCode, String)> = identifiers.iter().collect();
        for chunk in pairs.chunks(LIST) {
            let mut sql = Sql::<(SqlId, SmallInt)>::new("SELECT p.record_id, p.domain FROM ");
            let wanted = chunk.iter().map(|(scheme, value)| {
                vec![
                    Bind::Text(scheme.as_str().into()),
                    Bind::Text(value.as_str().into()),
                ]
            });
            let padding = vec![Bind::Text("".into()), Bind::Text("".into())];
            let size = chunk.len().next_power_of_two();
            sql.rows("w", wanted.chain(std::iter::repeat(padding)).take(size));
            sql.push(ordered_join(&batch.connection));
            sql.push(
                "pending_reference p ON p.scheme = w.column1 AND p.value = w.column2 WHERE p.owner = ",
            );
            sql.text(owner.as_str());
            let rows: Vec<(Id, i16)> = batch.connection.load(&sql)?;
            for (record, code) in rows {
                found.push((record.record(), domain(code)?));
            }
        }
        Ok(found)
    }
}

fn has_pending(connection: &mut Connection, owner: &OwnerKey) -> Result<bool, StoreError> {
    let mut sql = Sql::<Text>::new("SELECT p.owner FROM pending_reference p WHERE p.owner = ");
    sql.text(owner.as_str()).push(" LIMIT 1");
    Ok(connection.first::<_, String>(&sql)?.is_some())
}

/// Where a list of pending references goes on.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PendingPlace {
    /// The row before: scheme, value and record.
    pub after: Option<(String, String, RecordId)>,
}

impl Reader<'_> {
    /// The records of an owner that wait for something, each once, after one.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn waiting_records(
        &mut self,
        owner: &OwnerKey,
        after: Option<RecordId>,
        limit: i64,
    ) -> Result<Vec<(RecordId, Domain)>, StoreError> {
        let mut sql = Sql::<(SqlId, SmallInt)>::new(
            "SELECT DISTINCT p.record_id, p.domain FROM pending_reference p WHERE p.owner = ",
        );
        sql.text(owner.as_str());
        if let Some(after) = after {
            sql.push(" AND p.record_id > ").id(after);
        }
        sql.push(" ORDER BY p.record_id").limit(limit);
        let rows: Vec<(Id, i16)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(record, code)| Ok((record.record(), domain(code)?)))
            .collect()
    }

    /// Pending references of an owner in the order of what they wait for, after a place; with `arrived`, those whose
    /// identifier some record has or had.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn pending_references(
        &mut self,
        owner: &OwnerKey,
        place: &PendingPlace,
        arrived: bool,
        limit: i64,
    ) -> Result<Vec<PendingRow>, StoreError> {
        let mut sql = Sql::<Types>::new(
            "SELECT p.scheme, p.value, p.record_id, p.domain FROM pending_reference p WHERE p.owner = ",
        );
        sql.text(owner.as_str());
        if let Some((scheme, value, record)) = &place.after {
            sql.push(" AND (p.scheme, p.value, p.record_id) > (")
                .text(scheme.as_str())
                .push(", ")
                .text(value.as_str())
                .push(", ")
                .id(*record)
                .push(")");
        }
        if arrived {
            sql.push(
                " AND EXISTS (SELECT 1 FROM directory_identifier d WHERE d.scheme = p.scheme AND d.value = p.value)",
            );
        }
        sql.push(" ORDER BY p.scheme, p.value, p.record_id")
            .limit(limit);
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(PendingRow::of).collect()
    }
}
