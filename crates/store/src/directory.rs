//! Owners and tokens: the few rows that are written outside the log.

use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text};
use grunddata_model::{Instant, OwnerKey, RecordId};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::owner::{OwnerRow, Told};
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::store::Store;
use crate::write::owner_key;

/// An owner to be added, or its new properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwner {
    /// The key, for good.
    pub key: OwnerKey,
    /// What it is called.
    pub name: String,
    /// The record that describes the organisation itself.
    pub organisation: Option<RecordId>,
    /// Whether anyone may read what the model classes as public.
    pub open_data: bool,
    /// What is shown of persons under protection: JSON; `None` = as it is, or the default.
    pub protection_policy: Option<String>,
}

/// A bearer token. Only its hash is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Who or what holds it; stands as the actor in the log.
    pub name: String,
    /// What it grants: JSON, as the registry wrote it.
    pub grants: String,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it is refused.
    pub expires_at: Option<Instant>,
    /// When it was taken back.
    pub revoked_at: Option<Instant>,
    /// When it was last used, roughly.
    pub last_used_at: Option<Instant>,
}

type OwnerTypes = (
    Text,
    Text,
    Nullable<SqlId>,
    SmallInt,
    Text,
    BigInt,
    SqlMoment,
    SqlMoment,
    SqlDay,
    Nullable<SqlId>,
);
type OwnerParts = (
    String,
    String,
    Option<Id>,
    i16,
    String,
    i64,
    Moment,
    Moment,
    Day,
    Option<Id>,
);
type TokenTypes = (
    Binary,
    Text,
    Text,
    SqlMoment,
    Nullable<SqlMoment>,
    Nullable<SqlMoment>,
    Nullable<SqlMoment>,
);
type TokenParts = (
    Vec<u8>,
    String,
    String,
    Moment,
    Option<Moment>,
    Option<Moment>,
    Option<Moment>,
);

const OWNER_COLUMNS: &str = "SELECT o.key, o.name, o.organisation, o.open_data, o.protection_policy, o.position, o.last_instant, o.created_at, o.told_day, o.told_record FROM owner o";
const TOKEN_COLUMNS: &str = "SELECT t.hash, t.name, t.grants, t.created_at, t.expires_at, t.revoked_at, t.last_used_at FROM token t";

fn owner_row(
    (key, name, organisation, open_data, policy, position, last, created, day, record): OwnerParts,
) -> Result<OwnerRow, StoreError> {
    Ok(OwnerRow {
        key: owner_key(&key)?,
        name,
        organisation: organisation.map(Id::record),
        open_data: open_data != 0,
        protection_policy: policy,
        position: u64::try_from(position).unwrap_or_default(),
        last_instant: last.0,
        created_at: created.0,
        told: Told {
            day: day.0,
            record: record.map(Id::record),
        },
    })
}

fn token_row(
    (hash, name, grants, created, expires, revoked, used): TokenParts,
) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        hash: hash
            .try_into()
            .map_err(|_| StoreError::disagrees("the hash of a token"))?,
        name,
        grants,
        created_at: created.0,
        expires_at: expires.map(|moment| moment.0),
        revoked_at: revoked.map(|moment| moment.0),
        last_used_at: used.map(|moment| moment.0),
    })
}

pub(crate) fn owners(connection: &mut Connection) -> Result<Vec<OwnerRow>, StoreError> {
    let sql = Sql::<OwnerTypes>::new(&format!("{OWNER_COLUMNS} ORDER BY o.key"));
    let rows: Vec<OwnerParts> = connection.load(&sql)?;
    rows.into_iter().map(owner_row).collect()
}

impl Reader<'_> {
    /// All owners, by key.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn owners(&mut self) -> Result<Vec<OwnerRow>, StoreError> {
        owners(self.connection)
    }

    /// One owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn owner(&mut self, key: &OwnerKey) -> Result<Option<OwnerRow>, StoreError> {
        let mut sql = Sql::<OwnerTypes>::new(OWNER_COLUMNS);
        sql.push(" WHERE o.key = ").text(key.as_str());
        let row: Option<OwnerParts> = self.connection.first(&sql)?;
        row.map(owner_row).transpose()
    }
}

impl Store {
    /// Adds an owner or changes its name, organisation or openness.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_owner(&self, owner: &NewOwner) -> Result<OwnerRow, StoreError> {
        self.read(|reader| {
            let now = reader.now();
            let mut sql = Sql::<()>::new(
                "INSERT INTO owner (key, name, organisation, open_data, protection_policy, position, last_instant, created_at, told_day) VALUES (",
            );
            sql.text(owner.key.as_str()).push(", ").text(owner.name.as_str()).push(", ");
            sql.bind(Bind::OptId(owner.organisation.map(Id::from))).push(", ");
            sql.small(i16::from(owner.open_data)).push(", ");
            sql.text(owner.protection_policy.as_deref().unwrap_or_default()).push(", ").big(0).push(", ").moment(now).push(", ").moment(now);
            sql.push(", ").day(reader.today());
            sql.push(
                ") ON CONFLICT (key) DO UPDATE SET name = excluded.name, organisation = excluded.organisation, \
                 open_data = excluded.open_data",
            );
            if owner.protection_policy.is_some() {
                sql.push(", protection_policy = excluded.protection_policy");
            }
            reader.connection.execute(&sql)?;
            let row = reader.owner(&owner.key)?;
            row.ok_or_else(|| StoreError::UnknownOwner(owner.key.clone()))
        })
    }

    /// All owners, by key.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn owners(&self) -> Result<Vec<OwnerRow>, StoreError> {
        self.read(|reader| reader.owners())
    }

    /// Adds a token.
    ///
    /// # Errors
    /// [`StoreError`] of the database, a token with the same hash included.
    pub fn put_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        self.read(|reader| insert_token(reader.connection, token))
    }

    /// Adds a token where there has been none; whether it was added. Of several at the same moment one is.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_first_token(&self, token: &TokenRow) -> Result<bool, StoreError> {
        let mut connection = self.connect_for(crate::connection::Purpose::Write)?;
        connection.begin()?;
        let done = first_token(&mut connection, token);
        match done {
            Ok(added) => connection.commit().map(|()| added),
            Err(error) => {
                drop(connection.rollback());
                Err(error)
            }
        }
    }

    /// The token with the hash.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn find_token(&self, hash: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        self.read(|reader| {
            let mut sql = Sql::<TokenTypes>::new(TOKEN_COLUMNS);
            sql.push(" WHERE t.hash = ").bytes(hash.as_slice());
            let row: Option<TokenParts> = reader.connection.first(&sql)?;
            row.map(token_row).transpose()
        })
    }

    /// All tokens, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.read(|reader| {
            let sql = Sql::<TokenTypes>::new(&format!(
                "{TOKEN_COLUMNS} ORDER BY t.created_at DESC, t.hash"
            ));
            let rows: Vec<TokenParts> = reader.connection.load(&sql)?;
            rows.into_iter().map(token_row).collect()
        })
    }

    /// Takes a token back; whether there was one that was still good.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn revoke_token(&self, hash: &[u8; 32]) -> Result<bool, StoreError> {
        self.read(|reader| {
            let now = reader.now();
            let mut sql = Sql::<()>::new("UPDATE token SET revoked_at = ");
            sql.moment(now)
                .push(" WHERE revoked_at IS NULL AND hash = ")
                .bytes(hash.as_slice());
            Ok(reader.connection.execute(&sql)? > 0)
        })
    }

    /// Lets a token end at an instant, if it does not end before; whether it was changed.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn end_token(&self, hash: &[u8; 32], until: Instant) -> Result<bool, StoreError> {
        self.read(|reader| {
            let mut sql = Sql::<()>::new("UPDATE token SET expires_at = ");
            sql.moment(until)
                .push(" WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ")
                .moment(until)
                .push(") AND hash = ")
                .bytes(hash.as_slice());
            Ok(reader.connection.execute(&sql)? > 0)
        })
    }

    /// Notes that a token was used. Callers do it seldom, not at every request: it is a write of its own.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn touch_token(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        self.read(|reader| {
            let now = reader.now();
            let mut sql = Sql::<()>::new("UPDATE token SET last_used_at = ");
            sql.moment(now)
                .push(" WHERE hash = ")
                .bytes(hash.as_slice());
            reader.connection.execute(&sql).map(drop)
        })
    }
}

fn insert_token(connection: &mut Connection, token: &TokenRow) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new(
        "INSERT INTO token (hash, name, grants, created_at, expires_at, revoked_at, last_used_at) VALUES (",
    );
    sql.bytes(token.hash.as_slice())
        .push(", ")
        .text(token.name.as_str())
        .push(", ");
    sql.text(token.grants.as_str())
        .push(", ")
        .moment(token.created_at);
    for moment in [token.expires_at, token.revoked_at, token.last_used_at] {
        sql.push(", ").bind(Bind::OptMoment(moment.map(Moment)));
    }
    sql.push(")");
    connection.execute(&sql).map(drop)
}

fn first_token(connection: &mut Connection, token: &TokenRow) -> Result<bool, StoreError> {
    // SQLite has one writer at a time; PostgreSQL would let two look before either has written.
    if let Connection::Postgres(_) = connection {
        connection.batch("LOCK TABLE token IN SHARE ROW EXCLUSIVE MODE")?;
    }
    let sql = Sql::<(BigInt,)>::new("SELECT COUNT(*) FROM token");
    let counted: Option<(i64,)> = connection.first(&sql)?;
    if counted.is_some_and(|(tokens,)| tokens > 0) {
        return Ok(false);
    }
    insert_token(connection, token).map(|()| true)
}
