//! Removes what is left of erased records when the rows of their batch are written: every row that was derived from them
//! in any recorded time, and every text in the log that could say what they were.
//!
//! Identifiers and index entries have no index by record. Their keys follow from the stored bodies, which are read before
//! they are removed; `verify` holds that there are no others.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{BigInt, SmallInt, Text};
use grunddata_information_model::{InformationModel, Resolved};
use grunddata_model::{OwnerKey, Period, RecordId, Timeline};
use serde_json::Value;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::loads;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Id, SqlId};
use crate::transfers::TransferKind;
use crate::tree::{keep_commitments, keep_without_reason};
use crate::write::derive::{mode_code, timeline_hash};
use crate::write::flush::WORD;
use crate::write::load::{domain, reload};
use crate::write::overlay::AcceptedJob;
use crate::write::staged::Operation;
use crate::write::vocabulary::NewWords;
use crate::write::vocabulary::is_eligible;
use crate::write::waited::{Pairs, redact};

/// What stands in bodies before the hash of a geometry, and how long the hash is.
const GEOMETRY: &str = "geometry:sha256-";
const GEOMETRY_HASH: usize = 64;

/// Values of an index of a record, by domain, property and mode.
type Values = BTreeMap<(RecordId, i16, String, i16), BTreeSet<String>>;

/// What the bodies of erased records say that other tables hold too.
#[derive(Default)]
struct Traces {
    identifiers: BTreeSet<(String, String, RecordId)>,
    entries: Values,
    words: BTreeSet<(i16, String)>,
    geometries: BTreeSet<String>,
}

/// Removes what the erased records of the batch have left; the words that nobody has any more.
pub(crate) fn scrub(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    jobs: &[AcceptedJob],
) -> Result<NewWords, StoreError> {
    let key = owner;
    let owner = owner.as_str();
    let erased: BTreeSet<RecordId> = jobs
        .iter()
        .flat_map(|job| &job.writes)
        .filter(|(write, _)| write.operation == Operation::Erase)
        .map(|(write, _)| write.id)
        .collect();
    let erased: Vec<RecordId> = erased.into_iter().collect();
    let mut words = BTreeSet::new();
    let mut geometries = BTreeSet::new();
    for ids in erased.chunks(LIST) {
        let traces = traces(connection, model, owner, ids)?;
        keep_commitments(connection, model, key, ids)?;
        remove_rows(connection, owner, ids)?;
        remove_identifiers(connection, owner, &traces.identifiers)?;
        remove_entries(connection, owner, &traces.entries)?;
        clear_log(connection, key, ids)?;
        forget_outcomes(connection, owner, ids)?;
        clear_marks(connection, owner, ids)?;
        clear_hand_offs(connection, owner, ids)?;
        loads::forget(connection, owner, ids)?;
        let pairs = traces.pairs();
        redact(connection, model, key, &pairs, ids)?;
        let values = traces.identifiers.iter();
        let values = values.map(|(_, value, _)| value.as_str()).collect();
        loads::clear(connection, owner, ids, &values)?;
        words.extend(traces.words);
        geometries.extend(traces.geometries);
    }
    // Last, when all that still has them is what stays.
    remove_geometries(connection, owner, &geometries)?;
    remove_words(connection, owner, words)
}

/// The identifiers that records have or had.
pub(super) fn identifiers(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    ids: &[RecordId],
) -> Result<Pairs, StoreError> {
    Ok(traces(connection, model, owner, ids)?.pairs())
}

fn traces(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    ids: &[RecordId],
) -> Result<Traces, StoreError> {
    let mut sql = Sql::<(SqlId, SmallInt, Text, Text)>::new(
        "SELECT s.record_id, s.domain, s.model, s.body FROM state s WHERE s.owner = ",
    );
    sql.text(owner)
        .push(" AND s.record_id IN ")
        .ids(ids.iter().copied());
    let rows: Vec<(Id, i16, String, String)> = connection.load(&sql)?;
    let mut traces = Traces::default();
    for (id, code, name, body) in rows {
        let value = reload(model, domain(code)?, &name, body)?;
        traces.note(id.record(), code, &value);
    }
    Ok(traces)
}

impl Traces {
    fn pairs(&self) -> Pairs {
        let identifiers = self.identifiers.iter();
        identifiers
            .map(|(scheme, value, _)| (scheme.clone(), value.clone()))
            .collect()
    }

    fn note(&mut self, id: RecordId, domain: i16, value: &Resolved) {
        for used in value.identifiers() {
            let scheme = used.scheme.as_str().to_owned();
            self.identifiers.insert((scheme, used.value.clone(), id));
        }
        for entry in value.entries() {
            let mode = mode_code(entry.mode);
            if mode == WORD && is_eligible(&entry.value) {
                self.words.insert((domain, entry.value.clone()));
            }
            self.entries
                .entry((id, domain, entry.property.to_string(), mode))
                .or_default()
                .insert(entry.value.clone());
        }
        for (at, _) in value.body().match_indices(GEOMETRY) {
            let from = at + GEOMETRY.len();
            let hash = value.body().get(from..from + GEOMETRY_HASH);
            self.geometries.extend(hash.map(str::to_owned));
        }
    }
}

/// States, what heads were, and links from the records.
fn remove_rows(
    connection: &mut Connection,
    owner: &str,
    ids: &[RecordId],
) -> Result<(), StoreError> {
    for (table, column) in [
        ("state", "record_id"),
        ("former_head", "record_id"),
        ("link", "source_id"),
    ] {
        let mut sql = Sql::<()>::new(&format!("DELETE FROM {table} WHERE owner = "));
        sql.text(owner)
            .push(&format!(" AND {column} IN "))
            .ids(ids.iter().copied());
        connection.execute(&sql)?;
    }
    Ok(())
}

/// Identifiers, and what the directory says of them.
fn remove_identifiers(
    connection: &mut Connection,
    owner: &str,
    identifiers: &BTreeSet<(String, String, RecordId)>,
) -> Result<(), StoreError> {
    for (scheme, value, id) in identifiers {
        for table in ["identifier", "directory_identifier"] {
            let mut sql = Sql::<()>::new(&format!("DELETE FROM {table} WHERE owner = "));
            sql.text(owner)
                .push(" AND scheme = ")
                .text(scheme.as_str())
                .push(" AND value = ")
                .text(value.as_str())
                .push(" AND record_id = ")
                .id(*id);
            connection.execute(&sql)?;
        }
    }
    Ok(())
}

fn remove_entries(
    connection: &mut Connection,
    owner: &str,
    entries: &Values,
) -> Result<(), StoreError> {
    for ((id, domain, property, mode), values) in entries {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        for chunk in values.chunks(LIST) {
            let mut sql = Sql::<()>::new("DELETE FROM entry WHERE owner = ");
            sql.text(owner).push(" AND domain = ").small(*domain);
            sql.push(" AND property = ")
                .text(property.as_str())
                .push(" AND mode = ")
                .small(*mode)
                .push(" AND value IN ")
                .texts(chunk.iter().copied())
                .push(" AND record_id = ")
                .id(*id);
            connection.execute(&sql)?;
        }
    }
    Ok(())
}

/// The rows of the log stay, each at its position; what they say of the content goes. A hash over content that can be
/// guessed can be guessed too: what stands instead is the hash of a timeline without states, which is what the rows still
/// say at every version.
fn clear_log(
    connection: &mut Connection,
    key: &OwnerKey,
    ids: &[RecordId],
) -> Result<(), StoreError> {
    let owner = key.as_str();
    let erase = Operation::Erase.code();
    // A record that followed one of these in the same transaction has its reason from it.
    let mut sql = Sql::<(BigInt, BigInt, Text)>::new(
        "SELECT DISTINCT t.first_position, t.last_position, c.reason FROM change c JOIN accepted_transaction t \
         ON t.owner = c.owner AND t.id = c.transaction_id WHERE c.owner = ",
    );
    sql.text(owner)
        .push(" AND c.record_id IN ")
        .ids(ids.iter().copied());
    sql.push(" AND c.reason IS NOT NULL AND c.operation <> ")
        .small(erase);
    let reasons: Vec<(i64, i64, String)> = connection.load(&sql)?;
    for (first, last, reason) in &reasons {
        keep_without_reason(connection, key, (*first, *last), Operation::Follow, reason)?;
        let mut sql = Sql::<()>::new("UPDATE change SET reason = NULL WHERE owner = ");
        sql.text(owner)
            .push(" AND position >= ")
            .big(*first)
            .push(" AND position <= ")
            .big(*last)
            .push(" AND operation = ")
            .small(Operation::Follow.code())
            .push(" AND reason = ")
            .text(reason.as_str());
        connection.execute(&sql)?;
    }
    let nothing = timeline_hash(&Timeline::empty());
    let mut sql = Sql::<()>::new("UPDATE change SET reason = NULL, source = NULL, valid_from = ");
    sql.day(Period::ALWAYS.from())
        .push(", valid_to = ")
        .day(Period::ALWAYS.to())
        .push(", hash = ")
        .bytes(nothing.as_slice())
        .push(" WHERE owner = ")
        .text(owner)
        .push(" AND operation <> ")
        .small(erase)
        .push(" AND record_id IN ")
        .ids(ids.iter().copied());
    connection.execute(&sql).map(drop)
}

/// What is remembered of requests that named the records: the keys stay taken, so that a late retry does not make anew
/// what was erased, but the hash of the request (which held the content) and the outcome go.
pub(super) fn forget_outcomes(
    connection: &mut Connection,
    owner: &str,
    ids: &[RecordId],
) -> Result<(), StoreError> {
    for id in ids {
        // No request has this hash: whoever repeats the key is told that it was used for another one.
        let mut sql = Sql::<()>::new("UPDATE idempotency SET request_hash = ");
        sql.bytes([0_u8; 32].as_slice().to_vec())
            .push(", outcome = ")
            .text("")
            .push(" WHERE owner = ")
            .text(owner)
            .push(" AND outcome LIKE ")
            .text(format!("%{id}%"));
        connection.execute(&sql)?;
    }
    Ok(())
}

/// Why there was a hold or a restriction may tell of the content; that there was one stays.
fn clear_marks(
    connection: &mut Connection,
    owner: &str,
    ids: &[RecordId],
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new("UPDATE record_mark SET reason = ");
    sql.text("")
        .push(" WHERE owner = ")
        .text(owner)
        .push(" AND record_id IN ")
        .ids(ids.iter().copied());
    connection.execute(&sql).map(drop)
}

/// What hand-offs say of the persons: to what they have agreed, why it came to nothing, and what of them was told. That
/// there was one stays. The other owner's side is the other owner's, and is cleared when its record is erased.
fn clear_hand_offs(
    connection: &mut Connection,
    owner: &str,
    ids: &[RecordId],
) -> Result<(), StoreError> {
    // They have no index by record: there are few, and persons are erased many at a time.
    let mut sql =
        Sql::<(SqlId, Text)>::new("SELECT t.id, t.content FROM transfer t WHERE t.owner = ");
    sql.text(owner)
        .push(" AND t.kind = ")
        .small(TransferKind::Person.code());
    let rows: Vec<(Id, String)> = connection.load(&sql)?;
    let ids: BTreeSet<String> = ids.iter().map(RecordId::to_string).collect();
    for (id, content) in rows {
        let Ok(mut content) = serde_json::from_str::<Value>(&content) else {
            return Err(StoreError::disagrees("the content of a hand-off"));
        };
        let about = ["person", "to"].iter().any(|name| {
            let record = content.get(*name).and_then(Value::as_str);
            record.is_some_and(|record| ids.contains(record))
        });
        let Some(members) = content.as_object_mut().filter(|_| about) else {
            continue;
        };
        members.remove("ended");
        members.insert("properties".to_owned(), Value::Array(Vec::new()));
        members.insert("protected".to_owned(), Value::Bool(false));
        if let Some(text) = members
            .get_mut("basis")
            .and_then(|basis| basis.get_mut("text"))
        {
            *text = Value::String(String::new());
        }
        let mut sql = Sql::<()>::new("UPDATE transfer SET content = ");
        sql.text(content.to_string())
            .push(" WHERE owner = ")
            .text(owner)
            .push(" AND id = ")
            .bind(Bind::Id(id));
        connection.execute(&sql)?;
    }
    Ok(())
}

/// Geometries that stand in no body any more.
fn remove_geometries(
    connection: &mut Connection,
    owner: &str,
    hashes: &BTreeSet<String>,
) -> Result<(), StoreError> {
    for hash in hashes {
        // They have no index; records with a geometry are seldom erased.
        let mut sql = Sql::<(SmallInt,)>::new("SELECT s.domain FROM state s WHERE s.owner = ");
        sql.text(owner)
            .push(" AND s.body LIKE ")
            .text(format!("%{GEOMETRY}{hash}%"))
            .push(" LIMIT 1");
        let used: Option<(i16,)> = connection.first(&sql)?;
        if used.is_none() {
            let mut sql = Sql::<()>::new("DELETE FROM geometry WHERE owner = ");
            sql.text(owner).push(" AND hash = ").text(hash.as_str());
            connection.execute(&sql)?;
        }
    }
    Ok(())
}

/// Removes the words that stand in no entry any more.
fn remove_words(
    connection: &mut Connection,
    owner: &str,
    words: BTreeSet<(i16, String)>,
) -> Result<NewWords, StoreError> {
    let mut by_domain: BTreeMap<i16, Vec<String>> = BTreeMap::new();
    for (domain, word) in words {
        by_domain.entry(domain).or_default().push(word);
    }
    let mut gone = NewWords::new();
    for (domain, words) in by_domain {
        let properties = properties(connection, owner, domain)?;
        for chunk in words.chunks(LIST) {
            let mut unused: BTreeSet<&str> = chunk.iter().map(String::as_str).collect();
            let mut sql =
                Sql::<(Text,)>::new("SELECT DISTINCT e.value FROM entry e WHERE e.owner = ");
            sql.text(owner).push(" AND e.domain = ").small(domain);
            sql.push(" AND e.property IN ")
                .texts(properties.iter().map(String::as_str))
                .push(" AND e.mode = ")
                .small(WORD)
                .push(" AND e.value IN ")
                .texts(chunk.iter().map(String::as_str));
            for (used,) in connection.load::<_, (String,)>(&sql)? {
                unused.remove(used.as_str());
            }
            remove_terms(connection, owner, domain, &unused)?;
            gone.extend(unused.into_iter().map(|word| (domain, word.to_owned())));
        }
    }
    Ok(gone)
}

fn remove_terms(
    connection: &mut Connection,
    owner: &str,
    domain: i16,
    words: &BTreeSet<&str>,
) -> Result<(), StoreError> {
    for word in words {
        let mut sql = Sql::<()>::new("DELETE FROM term WHERE owner = ");
        sql.text(owner)
            .push(" AND domain = ")
            .small(domain)
            .push(" AND word = ")
            .text(*word);
        connection.execute(&sql)?;
        // Found by its key: by its forms, which follow from the word.
        let mut sql = Sql::<()>::new("DELETE FROM term_variant WHERE owner = ");
        sql.text(owner)
            .push(" AND domain = ")
            .small(domain)
            .push(" AND deletion IN ")
            .texts(crate::write::vocabulary::deletions(word))
            .push(" AND word = ")
            .text(*word);
        connection.execute(&sql)?;
    }
    Ok(())
}

/// The properties that the index of a domain has: one seek for each, however many entries there are.
fn properties(
    connection: &mut Connection,
    owner: &str,
    domain: i16,
) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let mut sql = Sql::<(Text,)>::new("SELECT e.property FROM entry e WHERE e.owner = ");
        sql.text(owner).push(" AND e.domain = ").small(domain);
        if let Some(last) = found.last() {
            sql.push(" AND e.property > ")
                .bind(Bind::Text(last.clone().into()));
        }
        sql.push(" ORDER BY e.property").limit(1);
        match connection.first::<_, (String,)>(&sql)? {
            Some((next,)) => found.push(next),
            None => return Ok(found),
        }
    }
}
