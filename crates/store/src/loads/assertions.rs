//! What sources last said: looked up by key in sets, and by record.

use std::collections::HashMap;

use diesel::sql_types::{Binary, SmallInt, Text};
use grunddata_information_model::InformationModel;
use grunddata_model::{OwnerKey, RecordId};
use serde_json::Value;

use super::rows::{SHORTEST_TRACE, hash};
use super::{AssertionHead, AssertionRow, KeyHash};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{LIST, Sql};
use crate::sql_types::{Id, SqlId};
use crate::write::{Pairs, domain};

type HeadTypes = (Binary, Binary, SmallInt, SqlId);
type HeadParts = (Vec<u8>, Vec<u8>, i16, Id);
type Types = (
    (Text, Binary, Binary, SmallInt, SqlId),
    (Text, Text, SmallInt, Text, SqlId, SqlId),
);
type Parts = (
    (String, Vec<u8>, Vec<u8>, i16, Id),
    (String, String, i16, String, Id, Id),
);

const HEADS: &str =
    "SELECT a.key_hash, a.hash, a.present, a.record_id FROM assertion a WHERE a.owner = ";
const WHOLE: &str = "SELECT a.source, a.key_hash, a.hash, a.present, a.record_id, c.record_name, c.key, c.domain, c.content, \
     c.first_load, c.load_id FROM assertion a JOIN assertion_content c ON c.owner = a.owner AND c.source = a.source \
     AND c.key_hash = a.key_hash WHERE a.owner = ";

/// The same, found by record. SQLite keeps to the order of a cross join: without statistics it would rather read all that is
/// said of the owner's records than go by the index of records.
const BY_RECORD: &str = "SELECT a.source, a.key_hash, a.hash, a.present, a.record_id, c.record_name, c.key, c.domain, c.content, \
     c.first_load, c.load_id FROM assertion i CROSS JOIN assertion a CROSS JOIN assertion_content c \
     WHERE a.owner = i.owner AND a.source = i.source AND a.key_hash = i.key_hash \
     AND c.owner = a.owner AND c.source = a.source AND c.key_hash = a.key_hash AND i.owner = ";

fn head((key_hash, said, present, record): HeadParts) -> Result<AssertionHead, StoreError> {
    Ok(AssertionHead {
        key_hash: hash(key_hash)?,
        hash: hash(said)?,
        present: present != 0,
        record: record.record(),
    })
}

fn whole((what, said): Parts) -> Result<AssertionRow, StoreError> {
    let (source, key_hash, hashed, present, record) = what;
    let (record_name, key, code, content, first_load, load) = said;
    Ok(AssertionRow {
        source,
        key_hash: hash(key_hash)?,
        hash: hash(hashed)?,
        present: present != 0,
        record: record.record(),
        record_name,
        key,
        domain: domain(code)?,
        content,
        first_load: first_load.0,
        load: load.0,
    })
}

/// Of these keys of a source what tells whether something new is said.
pub(super) fn heads(
    connection: &mut Connection,
    owner: &str,
    source: &str,
    keys: &[KeyHash],
) -> Result<HashMap<KeyHash, AssertionHead>, StoreError> {
    let mut found = HashMap::with_capacity(keys.len());
    for chunk in keys.chunks(LIST) {
        let mut sql = Sql::<HeadTypes>::new(HEADS);
        sql.text(owner)
            .push(" AND a.source = ")
            .text(source)
            .push(" AND a.key_hash IN ")
            .hashes(chunk);
        let rows: Vec<HeadParts> = connection.load(&sql)?;
        for parts in rows {
            let head = head(parts)?;
            found.insert(head.key_hash, head);
        }
    }
    Ok(found)
}

/// The same in the order of the keys, after one: those that the source still says.
pub(super) fn present_after(
    connection: &mut Connection,
    owner: &str,
    source: &str,
    after: Option<&KeyHash>,
    limit: i64,
) -> Result<Vec<AssertionHead>, StoreError> {
    let mut sql = Sql::<HeadTypes>::new(HEADS);
    sql.text(owner).push(" AND a.source = ").text(source);
    if let Some(after) = after {
        sql.push(" AND a.key_hash > ").bytes(after.as_slice());
    }
    sql.push(" AND a.present = 1 ORDER BY a.key_hash")
        .limit(limit);
    let rows: Vec<HeadParts> = connection.load(&sql)?;
    rows.into_iter().map(head).collect()
}

/// The keys of a source for records of a name (owner, source, name) in their order, after one.
pub(super) fn keys_after(
    connection: &mut Connection,
    (owner, source, record_name): (&str, &str, &str),
    after: Option<&KeyHash>,
    limit: i64,
) -> Result<Vec<(KeyHash, String)>, StoreError> {
    let mut sql = Sql::<(Binary, Text)>::new(
        "SELECT c.key_hash, c.key FROM assertion_content c WHERE c.owner = ",
    );
    sql.text(owner).push(" AND c.source = ").text(source);
    if let Some(after) = after {
        sql.push(" AND c.key_hash > ").bytes(after.as_slice());
    }
    sql.push(" AND c.record_name = ")
        .text(record_name)
        .push(" ORDER BY c.key_hash")
        .limit(limit);
    let rows: Vec<(Vec<u8>, String)> = connection.load(&sql)?;
    rows.into_iter()
        .map(|(key_hash, key)| Ok((hash(key_hash)?, key)))
        .collect()
}

/// All that these keys of a source say.
pub(super) fn of_keys(
    connection: &mut Connection,
    owner: &str,
    source: &str,
    keys: &[KeyHash],
) -> Result<HashMap<KeyHash, AssertionRow>, StoreError> {
    let mut found = HashMap::with_capacity(keys.len());
    for chunk in keys.chunks(LIST) {
        let mut sql = Sql::<Types>::new(WHOLE);
        sql.text(owner)
            .push(" AND a.source = ")
            .text(source)
            .push(" AND a.key_hash IN ")
            .hashes(chunk);
        let rows: Vec<Parts> = connection.load(&sql)?;
        for parts in rows {
            let row = whole(parts)?;
            found.insert(row.key_hash, row);
        }
    }
    Ok(found)
}

/// All that is said of these records, by whatever source of the owner.
pub(super) fn of_records(
    connection: &mut Connection,
    owner: &str,
    records: &[RecordId],
) -> Result<Vec<AssertionRow>, StoreError> {
    let mut found = Vec::new();
    for chunk in records.chunks(LIST) {
        let mut sql = Sql::<Types>::new(BY_RECORD);
        sql.text(owner)
            .push(" AND i.record_id IN ")
            .ids(chunk.iter().copied());
        let rows: Vec<Parts> = connection.load(&sql)?;
        for parts in rows {
            found.push(whole(parts)?);
        }
    }
    Ok(found)
}

impl Reader<'_> {
    /// What the sources of an owner say of a record, those included that do not say it any more.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn assertions_of(
        &mut self,
        owner: &OwnerKey,
        records: &[RecordId],
    ) -> Result<Vec<AssertionRow>, StoreError> {
        of_records(self.connection, owner.as_str(), records)
    }

    /// What these keys of a source say.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn assertions(
        &mut self,
        owner: &OwnerKey,
        source: &str,
        keys: &[KeyHash],
    ) -> Result<HashMap<KeyHash, AssertionRow>, StoreError> {
        of_keys(self.connection, owner.as_str(), source, keys)
    }

    /// How many records a source speaks of.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn assertion_count(&mut self, owner: &OwnerKey, source: &str) -> Result<u64, StoreError> {
        let mut sql = Sql::<(diesel::sql_types::BigInt,)>::new(
            "SELECT COUNT(*) FROM assertion a WHERE a.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND a.source = ")
            .text(source)
            .push(" AND a.present = 1");
        let found: Option<(i64,)> = self.connection.first(&sql)?;
        Ok(found.map_or(0, |(count,)| u64::try_from(count).unwrap_or_default()))
    }
}

/// Removes what is said under keys of a source.
pub(super) fn remove(
    connection: &mut Connection,
    owner: &str,
    source: &str,
    keys: &[KeyHash],
) -> Result<(), StoreError> {
    for table in ["assertion", "assertion_content"] {
        for chunk in keys.chunks(LIST) {
            let mut sql = Sql::<()>::new(&format!("DELETE FROM {table} WHERE owner = "));
            sql.text(owner)
                .push(" AND source = ")
                .text(source)
                .push(" AND key_hash IN ")
                .hashes(chunk);
            connection.execute(&sql)?;
        }
    }
    Ok(())
}

/// Removes everything that is said of erased records.
pub(crate) fn forget(
    connection: &mut Connection,
    owner: &str,
    ids: &[RecordId],
) -> Result<(), StoreError> {
    let mut by_source: HashMap<String, Vec<KeyHash>> = HashMap::new();
    let mut sql =
        Sql::<(Text, Binary)>::new("SELECT a.source, a.key_hash FROM assertion a WHERE a.owner = ");
    sql.text(owner)
        .push(" AND a.record_id IN ")
        .ids(ids.iter().copied());
    let rows: Vec<(String, Vec<u8>)> = connection.load(&sql)?;
    for (source, key) in rows {
        by_source.entry(source).or_default().push(hash(key)?);
    }
    for (source, keys) in by_source {
        remove(connection, owner, &source, &keys)?;
    }
    Ok(())
}

/// Takes the identifiers out of what sources said of a record that waited for them. What is left is as no row says it: the next
/// row says something new. What has the identifier in its own key is forgotten.
pub(crate) fn redact(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
    pairs: &Pairs,
) -> Result<(), StoreError> {
    for row in of_records(connection, owner, &[id])? {
        let source = &row.source;
        let said: Option<Value> = serde_json::from_str(&row.content).ok();
        // A short value stands in many a key that has nothing to do with it: there a whole part of the key counts.
        let keyed = pairs.iter().any(|(_, value)| {
            let mut parts = row.key.split(|letter: char| !letter.is_alphanumeric());
            (value.len() >= SHORTEST_TRACE && row.key.contains(value.as_str()))
                || parts.any(|part| part == value)
        });
        let Some(mut said) = said.filter(|_| !keyed) else {
            remove(connection, owner, source, &[row.key_hash])?;
            continue;
        };
        if !blank(model, &mut said, pairs) {
            continue;
        }
        let mut sql = Sql::<()>::new("UPDATE assertion_content SET content = ");
        sql.text(said.to_string());
        of_key(&mut sql, owner, source, &row.key_hash);
        connection.execute(&sql)?;
        // No row has this hash.
        let mut sql = Sql::<()>::new("UPDATE assertion SET hash = ");
        sql.bytes([0_u8; 16].to_vec());
        of_key(&mut sql, owner, source, &row.key_hash);
        connection.execute(&sql)?;
    }
    Ok(())
}

fn of_key<'a>(sql: &mut Sql<'a, ()>, owner: &'a str, source: &'a str, key: &'a KeyHash) {
    sql.push(" WHERE owner = ")
        .text(owner)
        .push(" AND source = ")
        .text(source)
        .push(" AND key_hash = ")
        .bytes(key.as_slice());
}

/// Empties the values of these identifiers, however they are written; whether there are any.
fn blank(model: &InformationModel, value: &mut Value, pairs: &Pairs) -> bool {
    match value {
        Value::Array(items) => {
            let mut any = false;
            for item in items {
                any |= blank(model, item, pairs);
            }
            any
        }
        Value::Object(members) => {
            let scheme = members
                .get("scheme")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let written = members.get("value").and_then(Value::as_str);
            let is_one = scheme.zip(written).is_some_and(|(scheme, written)| {
                let normal = model.scheme(&scheme).map(|known| known.normalise(written));
                pairs.contains(&(scheme, normal.unwrap_or_else(|| written.to_owned())))
            });
            if is_one {
                members.insert("value".to_owned(), Value::from(""));
                return true;
            }
            let mut any = false;
            for member in members.values_mut() {
                any |= blank(model, member, pairs);
            }
            any
        }
        _ => false,
    }
}
