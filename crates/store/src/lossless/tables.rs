//! The tables of sources and loads: kept as they are, page by page in the order of their keys. What a source last said of a
//! record, and how far its loads are, follows from nothing else.

use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use grunddata_model::{Instant, OwnerKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::export::Stopped;
use super::hexadecimal;
use super::snapshot::Snapshot;
use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};

/// How many rows are read at a time.
const PAGE: i64 = 1_000;

/// A value of a column, as it stands in a line and as it travels to the database.
trait Field {
    type Sql;
    type Stored;
    fn read(stored: Self::Stored) -> Self;
    fn bind<'a>(&self) -> Bind<'a>;
}

/// Bytes, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hexadecimal(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("no bytes in hexadecimal");
        let digit = |byte: u8| char::from(byte).to_digit(16);
        if text.len() % 2 != 0 {
            return Err(wrong());
        }
        text.as_bytes()
            .chunks_exact(2)
            .map(|pair| match pair {
                [high, low] => digit(*high)
                    .zip(digit(*low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
                    .ok_or_else(wrong),
                _ => Err(wrong()),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

macro_rules! fields {
    ($($type:ty, $sql:ty, $stored:ty, $read:expr, $bind:expr;)+) => {
        $(impl Field for $type {
            type Sql = $sql;
            type Stored = $stored;
            fn read(stored: $stored) -> Self {
                $read(stored)
            }
            fn bind<'a>(&self) -> Bind<'a> {
                $bind(self.clone())
            }
        })+
    };
}

fields! {
    String, Text, String, |text| text, |text: String| Bind::Text(text.into());
    Option<String>, Nullable<Text>, Option<String>, |text| text, |text: Option<String>| Bind::OptText(text.map(Into::into));
    i16, SmallInt, i16, |number| number, Bind::Small;
    i32, Integer, i32, |number| number, Bind::Int;
    Option<i32>, Nullable<Integer>, Option<i32>, |number| number, Bind::OptInt;
    i64, BigInt, i64, |number| number, Bind::Big;
    Option<i64>, Nullable<BigInt>, Option<i64>, |number| number, Bind::OptBig;
    Uuid, SqlId, Id, |id: Id| id.0, |id| Bind::Id(Id(id));
    Option<Uuid>, Nullable<SqlId>, Option<Id>, |id: Option<Id>| id.map(|id| id.0), |id: Option<Uuid>| Bind::OptId(id.map(Id));
    Instant, SqlMoment, Moment, |moment: Moment| moment.0, |instant| Bind::Moment(Moment(instant));
    Option<Instant>, Nullable<SqlMoment>, Option<Moment>, |moment: Option<Moment>| moment.map(|moment| moment.0), |instant: Option<Instant>| Bind::OptMoment(instant.map(Moment));
    Bytes, Binary, Vec<u8>, Bytes, |bytes: Bytes| Bind::Bytes(bytes.0.into());
}

macro_rules! tables {
    ($($(#[$doc:meta])* $row:ident $table:literal $kind:literal $read:ident by ($($key:ident),+) { $($field:ident: $type:ty,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Serialize, Deserialize)]
            #[serde(rename_all = "camelCase", deny_unknown_fields)]
            pub(super) struct $row {
                $(pub(super) $field: $type,)+
            }

            impl $row {
                /// Inserts the row for the owner.
                pub(super) fn insert(&self, connection: &mut Connection, owner: &str) -> Result<(), StoreError> {
                    let mut sql = Sql::<()>::new(concat!("INSERT INTO ", $table, " (owner", $(", ", stringify!($field),)+ ") VALUES "));
                    sql.values([vec![Bind::Text(owner.to_owned().into()), $(self.$field.bind(),)+]]);
                    connection.execute(&sql).map(drop)
                }
            }

            impl Snapshot<'_> {
                fn $read(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
                    type Types = ($(<$type as Field>::Sql,)+);
                    type Parts = ($(<$type as Field>::Stored,)+);
                    let mut after: Option<Vec<Bind<'static>>> = None;
                    loop {
                        let columns = [$(stringify!($field)),+].map(|column| format!("t.{column}")).join(", ");
                        let keys = [$(stringify!($key)),+].map(|column| format!("t.{column}")).join(", ");
                        let mut sql = Sql::<Types>::new(&format!("SELECT {columns} FROM {} t WHERE t.owner = ", $table));
                        sql.text(owner.as_str());
                        if let Some(after) = after.take() {
                            sql.push(&format!(" AND ({keys}) > "));
                            sql.values([after]);
                        }
                        sql.push(&format!(" ORDER BY {keys}")).limit(PAGE);
                        let rows: Vec<Parts> = self.connection.load(&sql)?;
                        if rows.is_empty() {
                            return Ok(());
                        }
                        for ($($field,)+) in rows {
                            let row = $row { $($field: <$type as Field>::read($field),)+ };
                            after = Some(vec![$(row.$key.bind(),)+]);
                            self.lines.put($kind, &row)?;
                        }
                    }
                }
            }
        )+

        impl Snapshot<'_> {
            /// All of them.
            pub(super) fn tables(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
                $(self.$read(owner)?;)+
                Ok(())
            }
        }
    };
}

tables! {
    /// What the head of a record said until something else was recorded.
    FormerHeadLine "former_head" "formerHead" former_heads by (record_id, superseded_at) {
        record_id: Uuid,
        superseded_at: Instant,
        controller: Option<Uuid>,
        origin: Option<String>,
    }
    /// A source, as its settings were from one version on.
    SourceLine "source" "source" sources by (key, version) {
        key: String,
        version: i32,
        settings: String,
        created_at: Instant,
        created_by: String,
        reason: Option<String>,
    }
    /// A load of a source.
    LoadLine "load" "load" loads by (id) {
        id: Uuid,
        source: String,
        source_version: i32,
        kind: i16,
        status: i16,
        reverses: Option<Uuid>,
        batches: i32,
        reached_turn: i32,
        reached_row: i64,
        content: String,
        created_at: Instant,
        created_by: String,
        changed_at: Instant,
    }
    /// A row of a plan.
    LoadRowLine "load_row" "loadRow" load_rows by (load_id, number) {
        load_id: Uuid,
        number: i64,
        file_row: i64,
        record_name: String,
        key: String,
        key_hash: Bytes,
        domain: i16,
        outcome: i16,
        turn: i32,
        state: i16,
        record_id: Option<Uuid>,
        base_version: Option<i32>,
        classes: i16,
        protection: i16,
        content: String,
    }
    /// A batch of a load that was applied.
    LoadBatchLine "load_batch" "loadBatch" load_batches by (load_id, number) {
        load_id: Uuid,
        number: i32,
        transaction_id: Option<Uuid>,
        recorded_at: Instant,
        reached_turn: i32,
        reached_row: i64,
        row_count: i32,
        findings: Option<String>,
    }
    /// What a source last said of a record, as far as it tells whether it says something new.
    AssertionLine "assertion" "assertion" assertions by (source, key_hash) {
        source: String,
        key_hash: Bytes,
        hash: Bytes,
        present: i16,
        record_id: Uuid,
    }
    /// What it said.
    AssertionContentLine "assertion_content" "assertionContent" assertion_contents by (source, key_hash) {
        source: String,
        key_hash: Bytes,
        record_name: String,
        key: String,
        domain: i16,
        content: String,
        first_load: Uuid,
        load_id: Uuid,
    }
    /// The registry that the owner is copied from, and how far the copy is.
    PeerLine "peer" "peer" peers by (name) {
        name: String,
        version: i32,
        settings: String,
        url: String,
        created_at: Instant,
        created_by: String,
        status: i16,
        whole: i16,
        place: String,
        position: i64,
        complete_at: Option<Instant>,
        received_at: Option<Instant>,
        heard_at: Option<Instant>,
        restarts: i32,
        failures: i32,
        failure: Option<String>,
        needs_model: Option<String>,
        holder: Uuid,
        held_until: Instant,
        log_keys: Option<String>,
        unproven_from: Option<i64>,
        origin_epoch: Option<i64>,
        dangles: i16,
    }
    /// When a part of its log came.
    CopyBatchLine "copy_batch" "copyBatch" copy_batches by (position) {
        position: i64,
        complete_at: Instant,
        received_at: Instant,
    }
    /// A hand-over.
    TransferLine "transfer" "transfer" transfers by (id) {
        id: Uuid,
        kind: i16,
        side: i16,
        state: i16,
        other: String,
        content: String,
        created_at: Instant,
        created_by: String,
        changed_at: Instant,
    }
    /// A record that is being handed over.
    TransferRecordLine "transfer_record" "transferRecord" transfer_records by (record_id) {
        record_id: Uuid,
        transfer_id: Uuid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_they_are_written() {
        let bytes = Bytes(vec![0, 15, 255]);
        let text = serde_json::to_string(&bytes).unwrap();
        assert_eq!(text, "\"000fff\"");
        assert_eq!(serde_json::from_str::<Bytes>(&text).unwrap(), bytes);
        for bad in ["\"0\"", "\"0g\"", "\"å\"", "\"+1\""] {
            assert!(serde_json::from_str::<Bytes>(bad).is_err(), "{bad}");
        }
    }
}
