//! Grants to users, groups and clients of other issuers.

use diesel::sql_types::{Nullable, SmallInt, Text};
use grunddata_model::Instant;
use uuid::Uuid;

use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::store::Store;

/// A grant as it is kept: never removed, so that it can be told who could do what when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// The id.
    pub id: Uuid,
    /// What the subject is; the registry's code.
    pub subject_kind: i16,
    /// Whom it is given to.
    pub subject: String,
    /// What it grants: JSON, as the registry wrote it.
    pub content: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was given.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When it was taken back.
    pub ended_at: Option<Instant>,
    /// By whom.
    pub ended_by: Option<String>,
}

type Types = (
    SqlId,
    SmallInt,
    Text,
    Text,
    Nullable<Text>,
    SqlMoment,
    Text,
    Nullable<SqlMoment>,
    Nullable<Text>,
);
type Parts = (
    Id,
    i16,
    String,
    String,
    Option<String>,
    Moment,
    String,
    Option<Moment>,
    Option<String>,
);

const COLUMNS: &str = "SELECT g.id, g.subject_kind, g.subject, g.content, g.reason, g.created_at, g.created_by, g.ended_at, g.ended_by \
     FROM access_grant g";

fn row(
    (id, subject_kind, subject, content, reason, created, created_by, ended, ended_by): Parts,
) -> GrantRow {
    GrantRow {
        id: id.0,
        subject_kind,
        subject,
        content,
        reason,
        created_at: created.0,
        created_by,
        ended_at: ended.map(|moment| moment.0),
        ended_by,
    }
}

impl Store {
    /// Adds a grant.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_grant(&self, grant: &GrantRow) -> Result<(), StoreError> {
        self.read(|reader| {
            let mut sql = Sql::<()>::new(
                "INSERT INTO access_grant (id, subject_kind, subject, content, reason, created_at, created_by, ended_at, ended_by) \
                 VALUES (",
            );
            sql.bind(Bind::Id(Id(grant.id)))
                .push(", ")
                .small(grant.subject_kind)
                .push(", ")
                .text(grant.subject.as_str())
                .push(", ")
                .text(grant.content.as_str())
                .push(", ")
                .bind(Bind::OptText(grant.reason.as_deref().map(Into::into)))
                .push(", ")
                .moment(grant.created_at)
                .push(", ")
                .text(grant.created_by.as_str())
                .push(", ")
                .bind(Bind::OptMoment(grant.ended_at.map(Moment)))
                .push(", ")
                .bind(Bind::OptText(grant.ended_by.as_deref().map(Into::into)))
                .push(")");
            reader.connection.execute(&sql).map(drop)
        })
    }

    /// The grants of these subjects that have not been taken back.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn grants_of(&self, subjects: &[(i16, String)]) -> Result<Vec<GrantRow>, StoreError> {
        self.read(|reader| {
            let mut found = Vec::new();
            for (kind, subject) in subjects {
                let mut sql = Sql::<Types>::new(COLUMNS);
                sql.push(" WHERE g.ended_at IS NULL AND g.subject_kind = ")
                    .small(*kind)
                    .push(" AND g.subject = ")
                    .text(subject.as_str())
                    .push(" ORDER BY g.id");
                let rows: Vec<Parts> = reader.connection.load(&sql)?;
                found.extend(rows.into_iter().map(row));
            }
            Ok(found)
        })
    }

    /// Every grant, those that were taken back included; the newest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn grants(&self) -> Result<Vec<GrantRow>, StoreError> {
        self.read(|reader| {
            let sql = Sql::<Types>::new(&format!("{COLUMNS} ORDER BY g.created_at DESC, g.id"));
            let rows: Vec<Parts> = reader.connection.load(&sql)?;
            Ok(rows.into_iter().map(row).collect())
        })
    }

    /// Takes a grant back; whether there was one that still counted.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn end_grant(&self, id: Uuid, by: &str) -> Result<bool, StoreError> {
        self.read(|reader| {
            let now = reader.now();
            let mut sql = Sql::<()>::new("UPDATE access_grant SET ended_at = ");
            sql.moment(now)
                .push(", ended_by = ")
                .text(by)
                .push(" WHERE ended_at IS NULL AND id = ")
                .bind(Bind::Id(Id(id)));
            Ok(reader.connection.execute(&sql)? > 0)
        })
    }
}
