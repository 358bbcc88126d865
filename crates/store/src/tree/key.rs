//! The keys that heads are signed with: one at a time, made when it is first asked for, and the same for all processes on
//! one database. Of a key that was replaced the public half stays.

use diesel::sql_types::{Binary, Nullable, Text};
use grunddata_log_proof::head::{PublicKey, SigningKey};
use grunddata_model::Instant;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Moment, SqlMoment};
use crate::store::Store;

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeyRow {
    /// Its name, which follows from it.
    pub id: String,
    /// What signatures are checked with.
    pub public: PublicKey,
    /// Since when heads are signed with it.
    pub created_at: Instant,
    /// Since when they are not any more.
    pub retired_at: Option<Instant>,
    /// The name of the key whose place it took, and what that has signed of it.
    pub endorsed: Option<(String, Vec<u8>)>,
}

type Types = (
    Text,
    Binary,
    SqlMoment,
    Nullable<SqlMoment>,
    Nullable<Text>,
    Nullable<Binary>,
);
type Parts = (
    String,
    Vec<u8>,
    Moment,
    Option<Moment>,
    Option<String>,
    Option<Vec<u8>>,
);

/// The public halves, the oldest first.
pub(crate) fn keys(connection: &mut Connection) -> Result<Vec<LogKeyRow>, StoreError> {
    let sql = Sql::<Types>::new(
        "SELECT k.id, k.public_key, k.created_at, k.retired_at, k.endorsed_by, k.endorsement FROM log_key k \
         ORDER BY k.created_at, k.id",
    );
    let rows: Vec<Parts> = connection.load(&sql)?;
    rows.into_iter()
        .map(|(id, public, created, retired, by, endorsement)| {
            Ok(LogKeyRow {
                id,
                public: public.try_into().map(PublicKey).map_err(|_| wrong())?,
                created_at: created.0,
                retired_at: retired.map(|moment| moment.0),
                endorsed: by.zip(endorsement),
            })
        })
        .collect()
}

fn wrong() -> StoreError {
    StoreError::disagrees("a key that heads are signed with")
}

fn seed(connection: &mut Connection) -> Result<Option<[u8; 32]>, StoreError> {
    let sql = Sql::<(Binary,)>::new(
        "SELECT k.seed FROM log_key k WHERE k.seed IS NOT NULL AND k.retired_at IS NULL ORDER BY k.created_at, k.id LIMIT 1",
    );
    let row: Option<(Vec<u8>,)> = connection.first(&sql)?;
    row.map(|(seed,)| seed.try_into().map_err(|_| wrong()))
        .transpose()
}

fn insert(
    connection: &mut Connection,
    now: Instant,
    before: Option<&SigningKey>,
) -> Result<LogKeyRow, StoreError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| {
        StoreError::Unavailable(format!("the system gives no random bytes: {error}").into())
    })?;
    let public = SigningKey::from_seed(&seed).map_err(|_| wrong())?.public();
    let endorsed = before.map(|before| (before.public().id(), before.endorse(&public)));
    let mut sql = Sql::<()>::new(
        "INSERT INTO log_key (id, public_key, seed, created_at, endorsed_by, endorsement) VALUES ",
    );
    sql.values([vec![
        Bind::Text(public.id().into()),
        Bind::Bytes(public.0.as_slice().into()),
        Bind::Bytes(seed.as_slice().into()),
        Bind::Moment(Moment(now)),
        Bind::OptText(endorsed.as_ref().map(|(by, _)| by.as_str().into())),
        Bind::OptBytes(
            endorsed
                .as_ref()
                .map(|(_, signed)| signed.as_slice().into()),
        ),
    ]]);
    connection.execute(&sql)?;
    Ok(LogKeyRow {
        id: public.id(),
        public,
        created_at: now,
        retired_at: None,
        endorsed,
    })
}

impl Store {
    /// The key that heads are signed with now; where there is none yet, one is made.
    ///
    /// # Errors
    /// [`StoreError`] of the database; [`StoreError::Disagrees`] when what is stored is no key.
    pub fn log_signing_key(&self) -> Result<SigningKey, StoreError> {
        let found = self.read(|reader| seed(reader.connection))?;
        let seed = match found {
            Some(seed) => seed,
            None => {
                let mut connection = self.begun()?;
                // Another process may have been first.
                match seed(&mut connection)? {
                    Some(seed) => seed,
                    None => {
                        insert(&mut connection, (self.engine().options.clock)(), None)?;
                        let made = seed(&mut connection)?.ok_or_else(wrong)?;
                        connection.commit()?;
                        made
                    }
                }
            }
        };
        SigningKey::from_seed(&seed).map_err(|_| wrong())
    }

    /// All keys that heads were signed with, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn log_keys(&self) -> Result<Vec<LogKeyRow>, StoreError> {
        self.read(|reader| keys(reader.connection))
    }

    /// Puts a new key in the place of the one that heads are signed with; the new one. The old key signs that it is so before
    /// its seed is destroyed.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn rotate_log_key(&self) -> Result<LogKeyRow, StoreError> {
        let now = (self.engine().options.clock)();
        let mut connection = self.begun()?;
        let before = seed(&mut connection)?
            .map(|seed| SigningKey::from_seed(&seed).map_err(|_| wrong()))
            .transpose()?;
        let mut sql = Sql::<()>::new("UPDATE log_key SET seed = NULL, retired_at = ");
        sql.moment(now).push(" WHERE retired_at IS NULL");
        connection.execute(&sql)?;
        let made = insert(&mut connection, now, before.as_ref())?;
        connection.commit()?;
        Ok(made)
    }

    /// A transaction that holds the table of keys.
    fn begun(&self) -> Result<Connection, StoreError> {
        let mut connection = self.connect()?;
        connection.begin()?;
        if let Connection::Postgres(_) = connection {
            connection.batch("LOCK TABLE log_key IN EXCLUSIVE MODE")?;
        }
        Ok(connection)
    }
}
