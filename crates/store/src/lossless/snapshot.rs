//! What stands in the file, read in one snapshot: the owners one after the other, their records in the order of the ids.

use std::io::Write as _;

use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use grunddata_log_proof::head::SigningKey;
use grunddata_model::{OwnerKey, TransactionId};

use super::export::{Lines, Stopped, believed_until};
use super::lines::{ChangeLine, OwnerLine};
use super::{LONGEST_LINE, hexadecimal};
use crate::connection::Connection;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::owner::OwnerRow;
use crate::sql::Sql;
use crate::sql_types::{Day, Id, Moment, NOT_EFFECTIVE, SqlDay, SqlId, SqlMoment};
use crate::write::{ChangeKind, Operation, RecordStatus, domain};

/// Formats into memory, which cannot fail.
macro_rules! put {
    ($bytes:expr, $($what:tt)+) => {
        drop(write!($bytes, $($what)+))
    };
}

/// How many records are read at a time.
const PAGE: i64 = 512;

/// The snapshot, and where its lines go.
pub(super) struct Snapshot<'a> {
    pub(super) engine: &'a Engine,
    pub(super) connection: &'a mut Connection,
    pub(super) lines: Lines,
    /// What the heads of the logs are signed with.
    pub(super) key: SigningKey,
}

type HeadTypes = (
    SqlId,
    SmallInt,
    Nullable<SqlId>,
    Nullable<Text>,
    Integer,
    SmallInt,
    SqlDay,
    SmallInt,
    Nullable<SqlId>,
);
type Head = (
    Id,
    i16,
    Option<Id>,
    Option<String>,
    i32,
    i16,
    Day,
    i16,
    Option<Id>,
);
type ChangeTypes = (
    (SqlId, BigInt, Integer, SqlMoment, SqlId, SmallInt, SmallInt),
    (
        Nullable<Integer>,
        Text,
        Nullable<Text>,
        Nullable<Text>,
        SqlDay,
        SqlDay,
        Binary,
        SqlDay,
        Nullable<Binary>,
        Nullable<Binary>,
    ),
);
type Change = (
    (Id, i64, i32, Moment, Id, i16, i16),
    (
        Option<i32>,
        String,
        Option<String>,
        Option<String>,
        Day,
        Day,
        Vec<u8>,
        Day,
        Option<Vec<u8>>,
        Option<Vec<u8>>,
    ),
);
type StateTypes = (
    SqlId,
    SqlDay,
    SqlDay,
    SqlMoment,
    SqlMoment,
    Text,
    SmallInt,
    Text,
);
type State = (Id, Day, Day, Moment, Moment, String, i16, String);

impl Snapshot<'_> {
    /// Makes all lines but the first and the last.
    pub(super) fn read(&mut self, owners: &[OwnerRow], whole: bool) -> Result<(), Stopped> {
        let mut of = 0;
        for owner in owners {
            let mut sql = Sql::<(BigInt,)>::new("SELECT COUNT(*) FROM record r WHERE r.owner = ");
            sql.text(owner.key.as_str());
            let count: Option<(i64,)> = self.connection.first(&sql)?;
            of += count.map_or(0, |(count,)| u64::try_from(count).unwrap_or_default());
        }
        self.lines.expect(of);
        if whole {
            self.tokens()?;
            self.grants()?;
        }
        self.log_keys()?;
        for owner in owners {
            let (epochs, log_head) = self.log_head(&owner.key)?;
            let line = OwnerLine {
                key: owner.key.clone(),
                name: owner.name.clone(),
                organisation: owner.organisation,
                open_data: owner.open_data,
                protection_policy: owner.protection_policy.clone(),
                position: i64::try_from(owner.position).unwrap_or(i64::MAX),
                last_instant: owner.last_instant,
                created_at: owner.created_at,
                told_day: Some(owner.told.day),
                told_record: owner.told.record,
                epochs,
                log_head,
            };
            self.lines.put("owner", &line)?;
            self.geometries(&owner.key)?;
            self.rules(&owner.key)?;
            self.disposals(&owner.key)?;
            self.deliveries(&owner.key)?;
            self.outcomes(&owner.key)?;
            self.records(&owner.key)?;
            self.marks(&owner.key)?;
            self.tables(&owner.key)?;
        }
        self.lines.flush()
    }

    /// Geometries may be large: few at a time.
    fn geometries(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
        let mut after = String::new();
        loop {
            let mut sql =
                Sql::<(Text, Text)>::new("SELECT g.hash, g.body FROM geometry g WHERE g.owner = ");
            sql.text(owner.as_str())
                .push(" AND g.hash > ")
                .text(after.as_str())
                .push(" ORDER BY g.hash")
                .limit(16);
            let rows: Vec<(String, String)> = self.connection.load(&sql)?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            after.clone_from(last);
            for (hash, body) in rows {
                self.lines.begin("geometry");
                let bytes = self.lines.bytes();
                text(bytes, "{\"hash\":", &hash);
                raw(bytes, ",\"body\":", &body);
                bytes.push(b'}');
                self.lines.end("geometry")?;
            }
        }
    }

    fn records(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
        let mut after: Option<Id> = None;
        loop {
            let mut sql = Sql::<HeadTypes>::new(
                "SELECT r.id, r.domain, r.controller, r.origin, r.version, r.status, r.protected_until, r.protection, \
                 d.forward_to FROM record r LEFT JOIN directory_id d ON d.id = r.id WHERE r.owner = ",
            );
            sql.text(owner.as_str());
            if let Some(after) = after {
                sql.push(" AND r.id > ").id(after);
            }
            sql.push(" ORDER BY r.id").limit(PAGE);
            let heads: Vec<Head> = self.connection.load(&sql)?;
            let (Some(first), Some(last)) = (heads.first(), heads.last()) else {
                return Ok(());
            };
            let (first, last) = (first.0, last.0);
            after = Some(last);
            // Whole stretches of the keys: one walk along an index each.
            let mut sql = Sql::<ChangeTypes>::new(
                "SELECT c.record_id, c.position, c.version, c.recorded_at, c.transaction_id, c.operation, c.change_kind, \
                 c.corrects, c.actor, c.reason, c.source, c.valid_from, c.valid_to, c.hash, c.effective_on, c.leaf, c.opening \
                 FROM change c WHERE c.owner = ",
            );
            stretch(&mut sql, "c", owner, first, last);
            sql.push(" ORDER BY c.record_id, c.version, c.effective_on");
            let changes: Vec<Change> = self.connection.load(&sql)?;
            let mut sql = Sql::<StateTypes>::new(
                "SELECT s.record_id, s.valid_from, s.valid_to, s.recorded_at, s.superseded_at, s.model, s.protection, s.body \
                 FROM state s WHERE s.owner = ",
            );
            stretch(&mut sql, "s", owner, first, last);
            sql.push(" ORDER BY s.record_id, s.superseded_at, s.valid_from");
            let states: Vec<State> = self.connection.load(&sql)?;
            let (mut changes, mut states) = (changes.as_slice(), states.as_slice());
            for head in &heads {
                let of_changes = changes.partition_point(|change| change.0.0 <= head.0);
                let of_states = states.partition_point(|state| state.0 <= head.0);
                let (own_changes, later_changes) = changes
                    .split_at_checked(of_changes)
                    .unwrap_or((changes, &[]));
                let (own_states, later_states) =
                    states.split_at_checked(of_states).unwrap_or((states, &[]));
                (changes, states) = (later_changes, later_states);
                self.record(head, own_changes, own_states)?;
            }
        }
    }

    fn record(&mut self, head: &Head, changes: &[Change], states: &[State]) -> Result<(), Stopped> {
        let (id, code, controller, origin, version, status, until, level, forward_to) = head;
        let status = RecordStatus::from_code(*status)
            .ok_or_else(|| StoreError::disagrees("the status of a record"))?;
        self.lines.begin("record");
        let begun = self.lines.bytes().len();
        let bytes = self.lines.bytes();
        put!(
            bytes,
            "{{\"id\":\"{}\",\"domain\":\"{}\"",
            id.record(),
            domain(*code)?
        );
        if let Some(controller) = controller {
            put!(bytes, ",\"controller\":\"{}\"", controller.record());
        }
        if let Some(origin) = origin {
            text(bytes, ",\"origin\":", origin);
        }
        put!(
            bytes,
            ",\"version\":{version},\"status\":\"{}\"",
            status.as_str()
        );
        if let Some(forward_to) = forward_to {
            put!(bytes, ",\"forwardTo\":\"{}\"", forward_to.record());
        }
        if until.0 != grunddata_model::Period::BEGINNING {
            put!(bytes, ",\"protectedUntil\":\"{}\"", until.0);
        }
        if *level != 0 {
            put!(bytes, ",\"protection\":{level}");
        }
        bytes.extend_from_slice(b",\"changes\":[");
        for (index, change) in changes.iter().enumerate() {
            if index > 0 {
                bytes.push(b',');
            }
            drop(serde_json::to_writer(&mut *bytes, &change_line(change)?));
        }
        bytes.extend_from_slice(b"],\"states\":[");
        for (index, state) in states.iter().enumerate() {
            if index > 0 {
                bytes.push(b',');
            }
            put_state(bytes, state);
        }
        bytes.extend_from_slice(b"]}");
        if bytes.len() - begun > LONGEST_LINE {
            return Err(Stopped::TooLong(id.record()));
        }
        self.lines.count("change", changes.len());
        self.lines.count("state", states.len());
        self.lines.end("record")
    }
}

fn change_line(change: &Change) -> Result<ChangeLine<'_>, StoreError> {
    let ((_, position, version, at, transaction, operation, kind), said) = change;
    let (corrects, actor, reason, source, from, to, hash, effective_on, leaf, opening) = said;
    Ok(ChangeLine {
        position: *position,
        version: *version,
        recorded_at: at.0,
        transaction: TransactionId(transaction.0),
        operation: Operation::from_code(*operation)
            .ok_or_else(|| StoreError::disagrees("the operation of a change"))?
            .as_str()
            .into(),
        change_kind: ChangeKind::from_code(*kind)
            .ok_or_else(|| StoreError::disagrees("the kind of a change"))?
            .as_str()
            .into(),
        corrects: *corrects,
        actor: actor.as_str().into(),
        reason: reason.as_deref().map(Into::into),
        source: source.as_deref().map(Into::into),
        valid_from: from.0,
        valid_to: to.0,
        hash: hexadecimal(hash).into(),
        effective_on: Some(*effective_on)
            .filter(|day| *day != NOT_EFFECTIVE)
            .map(|day| day.0),
        leaf: leaf.as_deref().map(|leaf| hexadecimal(leaf).into()),
        opening: opening
            .as_deref()
            .map(|opening| hexadecimal(opening).into()),
    })
}

fn put_state(bytes: &mut Vec<u8>, state: &State) {
    let (_, from, to, recorded, superseded, model, level, body) = state;
    put!(
        bytes,
        "{{\"validFrom\":\"{}\",\"validTo\":\"{}\",\"recordedAt\":\"{}\"",
        from.0,
        to.0,
        recorded.0
    );
    if let Some(until) = believed_until(superseded.0) {
        put!(bytes, ",\"supersededAt\":\"{until}\"");
    }
    text(bytes, ",\"model\":", model);
    if *level != 0 {
        put!(bytes, ",\"protection\":{level}");
    }
    raw(bytes, ",\"body\":", body);
    bytes.push(b'}');
}

/// Rows of the records from one id to another.
fn stretch<'q, T>(sql: &mut Sql<'q, T>, alias: &str, owner: &'q OwnerKey, first: Id, last: Id) {
    sql.text(owner.as_str())
        .push(" AND ")
        .push(alias)
        .push(".record_id >= ")
        .id(first)
        .push(" AND ")
        .push(alias)
        .push(".record_id <= ")
        .id(last);
}

/// A member whose value is a text.
fn text(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    drop(serde_json::to_writer(bytes, value));
}

/// A member whose value is JSON already: canonical, and so on one line.
fn raw(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(value.as_bytes());
}
