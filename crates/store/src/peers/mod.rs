//! Registries whose owners are copied here: from where, how far, and which process follows.
//!
//! Architecture invariant: an owner that has a row here is written to by [`CopyWriter`] alone, and every batch carries with
//! it, in one transaction, the place where the feed goes on. Whatever process dies when, nothing is doubled or lost.

mod apply;
mod beside;
mod check;
mod connections;
mod leases;
mod push;
mod wipe;

use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};
use grunddata_log_proof::head::PublicKey;
use grunddata_model::{Instant, OwnerKey};
use uuid::Uuid;

use crate::connection::{Connection, Purpose};
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::store::Store;
use crate::write::owner_key;

pub(crate) use connections::CopyConnections;
pub(crate) use push::pause_pushes;

pub use apply::{CopyWriter, Parcel};
pub use check::{CheckedChange, CopiedChange, CopiedState, CopyError};
pub use push::{NewPush, PushRow};

stored_code! {
    /// Whether a peer is followed.
    PeerStatus {
        /// Its changes come as they are made.
        Following = 1, "following";
        /// Nothing comes until it is resumed.
        Paused = 2, "paused";
        /// It was left, and what was copied was kept.
        Left = 3, "left";
    }
}

/// A peer to be added, or its new settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPeer {
    /// By which it is known here.
    pub name: String,
    /// The owner that is copied.
    pub owner: OwnerKey,
    /// What the owner is called, where it is not known here.
    pub title: String,
    /// JSON, as the registry wrote it.
    pub settings: String,
    /// The address of the registry.
    pub url: String,
    /// Whether every change of the owner is copied, under the origin's own positions.
    pub whole: bool,
    /// Whether what was copied no longer fits the settings and is fetched anew.
    pub anew: bool,
    /// The keys of the peer's log that are trusted from now on; [`None`] leaves those that are. Empty = the first that are seen.
    pub log_keys: Option<Vec<PublicKey>>,
    /// Who decides it.
    pub actor: String,
    /// When.
    pub now: Instant,
}

/// A peer with how far its copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRow {
    /// By which it is known here.
    pub name: String,
    /// The owner that is copied.
    pub owner: OwnerKey,
    /// The version of the settings, from 1.
    pub version: u32,
    /// JSON, as the registry wrote it.
    pub settings: String,
    /// The address of the registry.
    pub url: String,
    /// When it was added.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// Whether it is followed.
    pub status: PeerStatus,
    /// Whether every change of the owner is copied, under the origin's own positions.
    pub whole: bool,
    /// Where the feed goes on.
    pub place: String,
    /// The position here of the last change that came; of a whole copy it is the origin's own.
    pub position: u64,
    /// The recorded time, at the origin, of the last change that came.
    pub complete_at: Option<Instant>,
    /// When that came here.
    pub received_at: Option<Instant>,
    /// When the origin last said that there was nothing more.
    pub heard_at: Option<Instant>,
    /// How often everything was fetched anew.
    pub restarts: u32,
    /// How often in a row it has failed.
    pub failures: u32,
    /// Why, the last time.
    pub failure: Option<String>,
    /// The release of the information model that is missing here.
    pub needs_model: Option<String>,
    /// The process that follows.
    pub holder: Uuid,
    /// Until when, unless it says more.
    pub held_until: Instant,
    /// The keys of the peer's log that are trusted; empty = the first that are seen will be.
    pub log_keys: Vec<PublicKey>,
    /// From which position on the copy's leaves are its own, and not those of the origin.
    pub unproven_from: Option<u64>,
    /// In which epoch of the origin's log the place stands; of a whole copy alone.
    pub origin_epoch: Option<u64>,
}

/// When a part of an owner's log came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyBatchRow {
    /// The position of its last change.
    pub position: u64,
    /// The recorded time of that, at the origin.
    pub complete_at: Instant,
    /// When it came.
    pub received_at: Instant,
}

type Types = (
    (
        Text,
        Text,
        Integer,
        Text,
        Text,
        SqlMoment,
        Text,
        SmallInt,
        SmallInt,
        Text,
    ),
    (
        BigInt,
        Nullable<SqlMoment>,
        Nullable<SqlMoment>,
        Nullable<SqlMoment>,
        Integer,
        Integer,
    ),
    (
        Nullable<Text>,
        Nullable<Text>,
        SqlId,
        SqlMoment,
        Nullable<Text>,
        Nullable<BigInt>,
        Nullable<BigInt>,
    ),
);
type Parts = (
    (
        String,
        String,
        i32,
        String,
        String,
        Moment,
        String,
        i16,
        i16,
        String,
    ),
    (
        i64,
        Option<Moment>,
        Option<Moment>,
        Option<Moment>,
        i32,
        i32,
    ),
    (
        Option<String>,
        Option<String>,
        Id,
        Moment,
        Option<String>,
        Option<i64>,
        Option<i64>,
    ),
);

const COLUMNS: &str = "SELECT p.name, p.owner, p.version, p.settings, p.url, p.created_at, p.created_by, p.status, p.whole, \
     p.place, p.position, p.complete_at, p.received_at, p.heard_at, p.restarts, p.failures, p.failure, p.needs_model, \
     p.holder, p.held_until, p.log_keys, p.unproven_from, \
     p.origin_epoch FROM peer p";

fn row((one, two, three): Parts) -> Result<PeerRow, StoreError> {
    let (name, owner, version, settings, url, created_at, created_by, status, whole, place) = one;
    let (position, complete_at, received_at, heard_at, restarts, failures) = two;
    let (failure, needs_model, holder, held_until, log_keys, unproven_from, origin_epoch) = three;
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Ok(PeerRow {
        name,
        owner: owner_key(&owner)?,
        version: u32::try_from(version).unwrap_or_default(),
        settings,
        url,
        created_at: created_at.0,
        created_by,
        status: PeerStatus::from_code(status)
            .ok_or_else(|| StoreError::disagrees("the status of a peer"))?,
        whole: whole != 0,
        place,
        position: u64::try_from(position).unwrap_or_default(),
        complete_at: complete_at.map(|moment| moment.0),
        received_at: received_at.map(|moment| moment.0),
        heard_at: heard_at.map(|moment| moment.0),
        restarts: u32::try_from(restarts).unwrap_or_default(),
        failures: u32::try_from(failures).unwrap_or_default(),
        failure,
        needs_model,
        holder: holder.0,
        held_until: held_until.0,
        log_keys: log_keys.map_or_else(|| Ok(Vec::new()), |text| read_keys(&text))?,
        unproven_from: number(unproven_from),
        origin_epoch: number(origin_epoch),
    })
}

/// Keys as they are stored: a JSON list, each in base64. `None` = there are none yet.
pub(super) fn written_keys(keys: &[PublicKey]) -> Option<String> {
    let list: Vec<String> = keys.iter().map(PublicKey::encoded).collect();
    (!list.is_empty()).then(|| serde_json::json!(list).to_string())
}

fn read_keys(text: &str) -> Result<Vec<PublicKey>, StoreError> {
    let wrong = || StoreError::disagrees("the keys of a peer");
    let list: Vec<String> = serde_json::from_str(text).map_err(|_| wrong())?;
    list.iter()
        .map(|key| PublicKey::decoded(key).map_err(|_| wrong()))
        .collect()
}

impl Reader<'_> {
    /// All peers, by name.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn peers(&mut self) -> Result<Vec<PeerRow>, StoreError> {
        let sql = Sql::<Types>::new(&format!("{COLUMNS} ORDER BY p.name"));
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(row).collect()
    }

    /// One peer.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn peer(&mut self, name: &str) -> Result<Option<PeerRow>, StoreError> {
        peer(self.connection, name)
    }

    /// The last part of an owner's log that had come by the instant.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn copied_by(
        &mut self,
        owner: &OwnerKey,
        received: Instant,
    ) -> Result<Option<CopyBatchRow>, StoreError> {
        let mut sql = Sql::<(BigInt, SqlMoment, SqlMoment)>::new(
            "SELECT b.position, b.complete_at, b.received_at FROM copy_batch b WHERE b.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND b.received_at <= ")
            .moment(received)
            .push(" ORDER BY b.received_at DESC, b.position DESC")
            .limit(1);
        let found: Option<(i64, Moment, Moment)> = self.connection.first(&sql)?;
        Ok(
            found.map(|(position, complete_at, received_at)| CopyBatchRow {
                position: u64::try_from(position).unwrap_or_default(),
                complete_at: complete_at.0,
                received_at: received_at.0,
            }),
        )
    }
}

pub(crate) fn peer(connection: &mut Connection, name: &str) -> Result<Option<PeerRow>, StoreError> {
    let mut sql = Sql::<Types>::new(COLUMNS);
    sql.push(" WHERE p.name = ").text(name);
    let found: Option<Parts> = connection.first(&sql)?;
    found.map(row).transpose()
}

/// An instant before every lease.
pub(super) fn free() -> Instant {
    Instant::from_micros(0)
}

impl Store {
    /// Adds a peer with the owner that it copies, or changes its settings. `version` is the one that is to be changed; 0 =
    /// there must be none. `None` = there is another version, or the owner is copied from elsewhere.
    ///
    /// # Errors
    /// [`StoreError::OwnerExists`] when this is the owner's home; [`StoreError`] of the database.
    pub fn put_peer(&self, new: &NewPeer, version: u32) -> Result<Option<PeerRow>, StoreError> {
        let mut connection = self.connect_for(Purpose::Maintain)?;
        connection.begin()?;
        // Without a commit the connection takes its work back when it is dropped. Only who adds an owner holds up all others.
        if peer(&mut connection, &new.name)?.is_some() {
            crate::combiner::lock_owner(&mut connection, &new.owner)?;
        } else {
            crate::dialect::hold_owners(&mut connection)?;
        }
        let known = peer(&mut connection, &new.name)?;
        let kept = match &known {
            Some(known) => known.version == version && known.owner == new.owner,
            None => version == 0,
        };
        if !kept {
            return Ok(None);
        }
        if known.is_some() {
            let mut sql = Sql::<()>::new("UPDATE peer SET version = version + 1, settings = ");
            sql.text(new.settings.as_str())
                .push(", url = ")
                .text(new.url.as_str())
                .push(", status = CASE WHEN status = ")
                .small(PeerStatus::Left.code())
                .push(" THEN ")
                .small(PeerStatus::Following.code())
                .push(" ELSE status END, failures = 0, failure = NULL, needs_model = NULL, held_until = ")
                .moment(free())
                // Whoever follows it by the settings of before stores nothing more.
                .push(", holder = ")
                .bind(Bind::Id(Id(Uuid::nil())))
                .push(" WHERE name = ")
                .text(new.name.as_str());
            connection.execute(&sql)?;
            if let Some(keys) = &new.log_keys {
                let mut sql = Sql::<()>::new("UPDATE peer SET log_keys = ");
                sql.bind(Bind::OptText(written_keys(keys).map(Into::into)))
                    .push(" WHERE name = ")
                    .text(new.name.as_str());
                connection.execute(&sql)?;
            }
            if new.anew {
                wipe::wipe(&mut connection, &new.owner, new.now)?;
            }
        } else {
            let mut sql = Sql::<(Text, SmallInt)>::new(
                "SELECT p.name, p.status FROM peer p WHERE p.owner = ",
            );
            sql.text(new.owner.as_str());
            let other: Option<(String, i16)> = connection.first(&sql)?;
            match other {
                Some((name, status)) if PeerStatus::from_code(status) == Some(PeerStatus::Left) => {
                    // What was kept is fetched anew: another registry may say otherwise.
                    wipe::wipe(&mut connection, &new.owner, new.now)?;
                    let mut sql = Sql::<()>::new("DELETE FROM peer WHERE name = ");
                    sql.text(name);
                    connection.execute(&sql)?;
                }
                Some(_) => return Ok(None),
                None => add_owner(&mut connection, new)?,
            }
            let mut sql = Sql::<()>::new(
                "INSERT INTO peer (name, owner, version, settings, url, created_at, created_by, status, whole, place, \
                 position, restarts, failures, holder, held_until, log_keys, dangles) VALUES ",
            );
            sql.values([vec![
                Bind::Text(new.name.as_str().into()),
                Bind::Text(new.owner.as_str().into()),
                Bind::Int(1),
                Bind::Text(new.settings.as_str().into()),
                Bind::Text(new.url.as_str().into()),
                Bind::Moment(Moment(new.now)),
                Bind::Text(new.actor.as_str().into()),
                Bind::Small(PeerStatus::Following.code()),
                Bind::Small(i16::from(new.whole)),
                Bind::Text("0".into()),
                Bind::Big(0),
                Bind::Int(0),
                Bind::Int(0),
                Bind::Id(Id(Uuid::nil())),
                Bind::Moment(Moment(free())),
                Bind::OptText(
                    new.log_keys
                        .as_deref()
                        .and_then(written_keys)
                        .map(Into::into),
                ),
                Bind::Small(0),
            ]]);
            connection.execute(&sql)?;
        }
        let put = peer(&mut connection, &new.name)?;
        connection.commit()?;
        Ok(put)
    }

    /// One peer, read on a connection of its own: for threads that ask seldom, of which there may be many.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn find_peer(&self, name: &str) -> Result<Option<PeerRow>, StoreError> {
        peer(&mut self.connect_for(Purpose::Read)?, name)
    }

    /// Trusts these keys of a peer's log from now on, in place of those that were. Whoever follows it just now begins again with
    /// them. Whether there is such a peer.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn trust_peer(&self, name: &str, keys: &[PublicKey]) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new("UPDATE peer SET log_keys = ");
        sql.bind(Bind::OptText(written_keys(keys).map(Into::into)))
            .push(", version = version + 1, failures = 0, failure = NULL, held_until = ")
            .moment(free())
            .push(", holder = ")
            .bind(Bind::Id(Id(Uuid::nil())))
            .push(" WHERE name = ")
            .text(name);
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Follows a peer, pauses it or leaves it. Whoever follows it just now loses it. Whether there is such a peer.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn set_peer_status(&self, name: &str, status: PeerStatus) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new(
            "UPDATE peer SET version = version + 1, failures = 0, failure = NULL, status = ",
        );
        sql.small(status.code())
            .push(", held_until = ")
            .moment(free())
            .push(", holder = ")
            .bind(Bind::Id(Id(Uuid::nil())))
            .push(" WHERE name = ")
            .text(name);
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Removes a peer with its owner and everything that was copied. Whether there was such a peer.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn remove_peer(&self, name: &str) -> Result<bool, StoreError> {
        let mut connection = self.connect_for(Purpose::Maintain)?;
        connection.begin()?;
        let Some(known) = peer(&mut connection, name)? else {
            return Ok(false);
        };
        crate::combiner::lock_owner(&mut connection, &known.owner)?;
        wipe::wipe(
            &mut connection,
            &known.owner,
            (self.engine().options.clock)(),
        )?;
        for sql in [
            "DELETE FROM subscription_delivery WHERE owner = ",
            "DELETE FROM subscription WHERE owner = ",
            "DELETE FROM log_epoch WHERE owner = ",
            "DELETE FROM feed_key WHERE owner = ",
            "DELETE FROM peer WHERE owner = ",
            "DELETE FROM owner WHERE key = ",
        ] {
            let mut sql = Sql::<()>::new(sql);
            sql.text(known.owner.as_str());
            connection.execute(&sql)?;
        }
        connection.commit()?;
        Ok(true)
    }

    /// Says that a release of the information model is missing here.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn note_peer_model(&self, name: &str, model: Option<&str>) -> Result<(), StoreError> {
        let mut sql = Sql::<()>::new("UPDATE peer SET needs_model = ");
        sql.bind(Bind::OptText(model.map(Into::into)))
            .push(" WHERE name = ")
            .text(name);
        self.connect_for(Purpose::Write)?.execute(&sql).map(drop)
    }
}

/// The owner of a new copy. Its data is not open until somebody here says so.
fn add_owner(connection: &mut Connection, new: &NewPeer) -> Result<(), StoreError> {
    let mut sql = Sql::<(Text,)>::new("SELECT o.key FROM owner o WHERE o.key = ");
    sql.text(new.owner.as_str());
    let known: Option<(String,)> = connection.first(&sql)?;
    if known.is_some() {
        return Err(StoreError::OwnerExists(new.owner.clone()));
    }
    let mut sql = Sql::<()>::new(
        "INSERT INTO owner (key, name, organisation, open_data, protection_policy, position, last_instant, created_at) VALUES ",
    );
    sql.values([vec![
        Bind::Text(new.owner.as_str().into()),
        Bind::Text(new.title.as_str().into()),
        Bind::OptId(None),
        Bind::Small(0),
        Bind::Text("".into()),
        Bind::Big(0),
        Bind::Moment(Moment(free())),
        Bind::Moment(Moment(new.now)),
    ]]);
    connection.execute(&sql).map(drop)
}
