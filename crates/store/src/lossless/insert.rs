//! Checked records into the tables of one open transaction.

use diesel::sql_types::{SmallInt, Text};
use grunddata_information_model::InformationModel;
use grunddata_model::{Instant, OwnerKey, RecordId};

use super::derived::Rows;
use super::heads::compare;
use super::lines::Line;
use super::log;
use super::parse::{CheckedRecord, Decoded};
use super::registers::{insert_geometry, insert_owner, insert_register};
use super::{LosslessError, LosslessProgress};
use crate::connection::Connection;
use crate::dialect;
use crate::error::StoreError;
use crate::marks::{MarkKind, RESTRICTED};
use crate::sql::{Bind, Sql};
use crate::write::{
    ChangeRow, DirectoryIdRow, DirectoryIdentifierRow, EntryRow, IdentifierRow, Insert as _,
    LinkRow, Protection, RaisedRow, RecordRow, StateRow, Vocabulary, insert_missing, owner_key,
    raise_heads, write_words,
};

/// The writing half of an import.
pub(super) struct Inserting<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) model: &'a InformationModel,
    vocabulary: Vocabulary,
    /// The owners so far, with how far their logs are.
    owners: Vec<(OwnerKey, i64, Instant)>,
    /// Records that are protected by themselves.
    protected: Vec<(String, RecordId, Protection)>,
    records: u64,
    /// The heads of their logs, signed.
    heads: Vec<(OwnerKey, String)>,
    now: Instant,
}

impl<'a> Inserting<'a> {
    pub(super) fn new(
        connection: &'a mut Connection,
        model: &'a InformationModel,
        now: Instant,
    ) -> Self {
        Self {
            connection,
            model,
            vocabulary: Vocabulary::new(),
            owners: Vec::new(),
            protected: Vec::new(),
            records: 0,
            heads: Vec::new(),
            now,
        }
    }

    /// Refuses a database in which there is anything, and keeps others from writing.
    pub(super) fn begin(&mut self) -> Result<(), LosslessError> {
        self.connection.begin()?;
        dialect::hold_owners(self.connection)?;
        match crate::copy::filled(self.connection)? {
            Some(table) => Err(LosslessError::NotEmpty { table }),
            None => Ok(()),
        }
    }

    pub(super) fn insert(
        &mut self,
        decoded: Decoded,
        progress: &mut dyn FnMut(LosslessProgress),
    ) -> Result<(), LosslessError> {
        let owner = self.owners.last().map(|(owner, ..)| owner.clone());
        let owner = owner.as_ref().map_or("", OwnerKey::as_str);
        match decoded {
            Decoded::Owner(owner) => {
                let known = (owner.key.clone(), owner.position, owner.last_instant);
                self.owners.push(known);
                let head = owner.log_head.clone();
                self.heads
                    .extend(head.map(|head| (owner.key.clone(), head)));
                insert_owner(self.connection, *owner)?;
            }
            Decoded::Geometry { hash, body } => {
                insert_geometry(self.connection, owner, &hash, &body)?;
            }
            Decoded::Register(line) => {
                if let Line::Mark(mark) = &*line
                    && MarkKind::from_code(mark.kind) == Some(MarkKind::Restriction)
                    && mark.lifted_at.is_none()
                {
                    self.protected
                        .push((owner.to_owned(), mark.record, RESTRICTED));
                }
                insert_register(self.connection, owner, *line, self.now)?;
            }
            Decoded::Records(records) => {
                self.insert_records(owner, &records)?;
                self.records += records.len() as u64;
                progress(LosslessProgress {
                    records: self.records,
                    ..LosslessProgress::default()
                });
            }
        }
        Ok(())
    }

    fn insert_records(&mut self, owner: &str, records: &[CheckedRecord]) -> Result<(), StoreError> {
        let rows = Rows::of(owner, records);
        let connection = &mut *self.connection;
        DirectoryIdRow::insert(connection, &rows.directory)?;
        RecordRow::insert(connection, &rows.heads)?;
        StateRow::insert(connection, &rows.states)?;
        ChangeRow::insert(connection, &rows.changes)?;
        RaisedRow::insert(connection, &rows.raises)?;
        LinkRow::insert(connection, &rows.links)?;
        IdentifierRow::insert(connection, &rows.identifiers)?;
        EntryRow::insert(connection, &rows.entries)?;
        DirectoryIdentifierRow::insert(connection, &rows.held)?;
        rows.pending.write(connection, owner)?;
        let words = write_words(connection, &self.vocabulary, owner, &rows.words)?;
        self.vocabulary.learn(owner, words);
        self.protected.extend(
            rows.protected
                .into_iter()
                .map(|(id, protection)| (owner.to_owned(), id, protection)),
        );
        Ok(())
    }

    /// What follows from all records together.
    pub(super) fn finish(&mut self) -> Result<(), LosslessError> {
        for (owner, position, last) in std::mem::take(&mut self.owners) {
            log::transactions(self.connection, &owner, (position, last))?;
            self.note_references(&owner)?;
        }
        // The planner must know that the tables are not empty any more.
        self.connection.analyse()?;
        let mut protected = std::mem::take(&mut self.protected);
        self.keep_living(&mut protected)?;
        raise_heads(self.connection, self.model, protected)?;
        compare(self.connection, self.model, &self.heads)?;
        Ok(())
    }

    /// To which owners an owner's links lead.
    fn note_references(&mut self, owner: &OwnerKey) -> Result<(), StoreError> {
        let mut sql = Sql::<(Text,)>::new(
            "SELECT DISTINCT d.owner FROM link l JOIN directory_id d ON d.id = l.target_id WHERE l.owner = ",
        );
        sql.text(owner.as_str());
        let targets: Vec<(String,)> = self.connection.load(&sql)?;
        let rows = targets
            .iter()
            .map(|(target,)| {
                vec![
                    Bind::Text(target.as_str().into()),
                    Bind::Text(owner.as_str().into()),
                ]
            })
            .collect();
        insert_missing(self.connection, "owner_reference (target, source)", rows)
    }

    /// A tombstone keeps the protection that it had: what it follows from is gone.
    fn keep_living(
        &mut self,
        protected: &mut Vec<(String, RecordId, Protection)>,
    ) -> Result<(), StoreError> {
        let mut living = Vec::with_capacity(protected.len());
        for (owner, id, protection) in protected.drain(..) {
            let mut sql = Sql::<(SmallInt,)>::new("SELECT r.status FROM record r WHERE r.owner = ");
            sql.text(owner.as_str()).push(" AND r.id = ").id(id);
            let status: Option<(i16,)> = self.connection.first(&sql)?;
            let erased = crate::write::RecordStatus::Erased.code();
            if status.is_some_and(|(status,)| status != erased) {
                living.push((owner, id, protection));
            }
        }
        *protected = living;
        Ok(())
    }

    /// The owners of records that links of what was imported lead to, and that are not there.
    pub(super) fn dangling(&mut self) -> Result<Option<OwnerKey>, StoreError> {
        let sql = Sql::<(Text,)>::new(
            "SELECT l.owner FROM link l LEFT JOIN directory_id d ON d.id = l.target_id WHERE d.id IS NULL LIMIT 1",
        );
        let found: Option<(String,)> = self.connection.first(&sql)?;
        found.map(|(owner,)| owner_key(&owner)).transpose()
    }
}
