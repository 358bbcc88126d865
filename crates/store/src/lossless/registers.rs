//! The small tables beside the records: out of the snapshot into lines, and from lines into rows.

use diesel::sql_types::{Binary, Nullable, SmallInt, Text};
use grunddata_log_proof::head::{Head, PublicKey};
use grunddata_model::{Instant, OwnerKey, RecordId};
use uuid::Uuid;

use super::export::Stopped;
use super::hexadecimal;
use super::lines::{
    DeliveryLine, DisposalLine, GrantLine, Line, MarkLine, OutcomeLine, OwnerLine, RuleLine,
    TokenLine,
};
use super::snapshot::Snapshot;
use crate::connection::Connection;
use crate::error::StoreError;
use crate::marks::MarkKind;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Day, Id, Moment, SqlId, SqlMoment};
use crate::transfers::{TransferSide, insert_directory};
use crate::write::insert_missing;

type TokenTypes = (
    Binary,
    Text,
    Text,
    SqlMoment,
    Nullable<SqlMoment>,
    Nullable<SqlMoment>,
    Nullable<SqlMoment>,
);
type Token = (
    Vec<u8>,
    String,
    String,
    Moment,
    Option<Moment>,
    Option<Moment>,
    Option<Moment>,
);
type GrantTypes = (
    (SqlId, SmallInt, Text, Text, Nullable<Text>),
    (SqlMoment, Text, Nullable<SqlMoment>, Nullable<Text>),
);
type Grant = (
    (Id, i16, String, String, Option<String>),
    (Moment, String, Option<Moment>, Option<String>),
);

impl Snapshot<'_> {
    pub(super) fn tokens(&mut self) -> Result<(), Stopped> {
        let sql = Sql::<TokenTypes>::new(
            "SELECT t.hash, t.name, t.grants, t.created_at, t.expires_at, t.revoked_at, t.last_used_at FROM token t ORDER BY t.hash",
        );
        let rows: Vec<Token> = self.connection.load(&sql)?;
        for (hash, name, grants, created, expires, revoked, used) in rows {
            let line = TokenLine {
                hash: hexadecimal(&hash),
                name,
                grants,
                created_at: created.0,
                expires_at: expires.map(|moment| moment.0),
                revoked_at: revoked.map(|moment| moment.0),
                last_used_at: used.map(|moment| moment.0),
            };
            self.lines.put("token", &line)?;
        }
        Ok(())
    }

    pub(super) fn grants(&mut self) -> Result<(), Stopped> {
        let sql = Sql::<GrantTypes>::new(
            "SELECT g.id, g.subject_kind, g.subject, g.content, g.reason, g.created_at, g.created_by, g.ended_at, g.ended_by \
             FROM access_grant g ORDER BY g.id",
        );
        let rows: Vec<Grant> = self.connection.load(&sql)?;
        for ((id, subject_kind, subject, content, reason), given) in rows {
            let (created, created_by, ended, ended_by) = given;
            let line = GrantLine {
                id: id.0,
                subject_kind,
                subject,
                content,
                reason,
                created_at: created.0,
                created_by,
                ended_at: ended.map(|moment| moment.0),
                ended_by,
            };
            self.lines.put("grant", &line)?;
        }
        Ok(())
    }

    fn reader(&mut self) -> Reader<'_> {
        Reader::new(self.engine, self.connection)
    }

    pub(super) fn rules(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
        for rule in self.reader().retention_rules(owner)? {
            let line = RuleLine {
                id: rule.id,
                controller: rule.controller,
                domain: rule.domain,
                kind: rule.kind,
                years: rule.years.and_then(|years| i32::try_from(years).ok()),
                decision: rule.decision,
                reference: rule.reference,
                archive: rule.archive,
                valid_from: rule.period.from(),
                valid_to: rule.period.to(),
                created_at: rule.created_at,
                created_by: rule.created_by,
            };
            self.lines.put("retentionRule", &line)?;
        }
        Ok(())
    }

    pub(super) fn disposals(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
        for disposal in self.reader().disposals(owner)? {
            let line = DisposalLine {
                id: disposal.id,
                begun_at: disposal.begun_at,
                finished_at: disposal.finished_at,
                actor: disposal.actor,
                content: disposal.content,
            };
            self.lines.put("disposal", &line)?;
        }
        Ok(())
    }

    pub(super) fn deliveries(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
        for delivery in self.reader().deliveries(owner)? {
            let line = DeliveryLine {
                id: delivery.id,
                rule: delivery.rule,
                archive: delivery.archive,
                reference: delivery.reference,
                delivered: delivery.delivered,
                created_at: delivery.created_at,
                created_by: delivery.created_by,
            };
            self.lines.put("delivery", &line)?;
        }
        Ok(())
    }

    /// They are kept for a day only, and there may be many of a busy one.
    pub(super) fn outcomes(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
        let mut after: Vec<u8> = Vec::new();
        loop {
            let mut sql = Sql::<(Binary, Binary, Text, SqlMoment)>::new(
                "SELECT i.key_hash, i.request_hash, i.outcome, i.created_at FROM idempotency i WHERE i.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND i.key_hash > ")
                .bytes(after.clone())
                .push(" ORDER BY i.key_hash")
                .limit(1_000);
            let rows: Vec<(Vec<u8>, Vec<u8>, String, Moment)> = self.connection.load(&sql)?;
            let Some((last, ..)) = rows.last() else {
                return Ok(());
            };
            after.clone_from(last);
            for (key, request, outcome, created) in rows {
                let line = OutcomeLine {
                    key_hash: hexadecimal(&key),
                    request_hash: hexadecimal(&request),
                    outcome,
                    created_at: created.0,
                };
                self.lines.put("outcome", &line)?;
            }
        }
    }

    pub(super) fn marks(&mut self, owner: &OwnerKey) -> Result<(), Stopped> {
        for mark in self.reader().marks(owner, None)? {
            let line = MarkLine {
                record: mark.record,
                kind: mark.kind.code(),
                id: mark.id,
                reason: mark.reason,
                created_at: mark.created_at,
                created_by: mark.created_by,
                lifted_at: mark.lifted_at,
                lifted_by: mark.lifted_by,
            };
            self.lines.put("mark", &line)?;
        }
        Ok(())
    }
}

/// Inserts one row.
fn insert(connection: &mut Connection, into: &str, row: Vec<Bind<'_>>) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new("INSERT INTO ");
    sql.push(into).push(" VALUES ").values([row]);
    connection.execute(&sql).map(drop)
}

fn text<'a>(text: String) -> Bind<'a> {
    Bind::Text(text.into())
}

fn optional<'a>(text: Option<String>) -> Bind<'a> {
    Bind::OptText(text.map(Into::into))
}

fn moment<'a>(instant: Instant) -> Bind<'a> {
    Bind::Moment(Moment(instant))
}

fn optional_moment<'a>(instant: Option<Instant>) -> Bind<'a> {
    Bind::OptMoment(instant.map(Moment))
}

fn uuid<'a>(id: Uuid) -> Bind<'a> {
    Bind::Id(Id(id))
}

fn record<'a>(id: Option<RecordId>) -> Bind<'a> {
    Bind::OptId(id.map(Id::from))
}

/// 32 bytes of a hash in hexadecimal.
pub(super) fn digest(text: &str) -> Result<[u8; 32], String> {
    let bad = || format!("{text:?} is no SHA-256 in hexadecimal");
    let plain = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 64 || !text.bytes().all(plain) {
        return Err(bad());
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let pair = text.get(2 * index..2 * index + 2).ok_or_else(bad)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(bytes)
}

/// Bytes in hexadecimal.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    rest.is_empty()
        .then(|| pairs.iter().map(byte).collect())
        .flatten()
}

pub(super) fn insert_owner(
    connection: &mut Connection,
    owner: OwnerLine,
) -> Result<(), StoreError> {
    for epoch in &owner.epochs {
        insert(
            connection,
            "log_epoch (owner, epoch, fork_position, begun_at)",
            vec![
                text(owner.key.to_string()),
                Bind::Big(epoch.epoch),
                Bind::Big(epoch.fork_position),
                moment(epoch.begun_at),
            ],
        )?;
    }
    // The epoch of a copy is its origin's: there are no epochs of its own, and the head alone says it.
    let head = owner.log_head.as_deref().map(Head::unverified);
    let of_head = head.and_then(|head| i64::try_from(head.ok()?.epoch).ok());
    let epoch = owner.epochs.iter().map(|epoch| epoch.epoch).max();
    insert(
        connection,
        "owner (key, name, organisation, open_data, protection_policy, position, last_instant, created_at, told_day, told_record, \
         epoch)",
        vec![
            text(owner.key.to_string()),
            text(owner.name),
            record(owner.organisation),
            Bind::Small(i16::from(owner.open_data)),
            text(owner.protection_policy),
            Bind::Big(owner.position),
            moment(owner.last_instant),
            moment(owner.created_at),
            // A file from before it was told: as if everything up to its last write had been.
            Bind::Day(Day(owner
                .told_day
                .unwrap_or_else(|| owner.last_instant.date_time().date_naive()))),
            record(owner.told_record),
            Bind::Big(epoch.or(of_head).unwrap_or(1)),
        ],
    )
}

pub(super) fn insert_geometry(
    connection: &mut Connection,
    owner: &str,
    hash: &str,
    body: &str,
) -> Result<(), StoreError> {
    insert(
        connection,
        "geometry (owner, hash, body)",
        vec![
            text(owner.to_owned()),
            text(hash.to_owned()),
            text(body.to_owned()),
        ],
    )
}

/// Inserts what a line of a small table says.
pub(super) fn insert_register(
    connection: &mut Connection,
    owner: &str,
    line: Line<'static>,
    imported: Instant,
) -> Result<(), StoreError> {
    let whose = || text(owner.to_owned());
    let hash = |text: &str| {
        digest(text)
            .map(|bytes| Bind::Bytes(bytes.to_vec().into()))
            .map_err(StoreError::disagrees)
    };
    match line {
        Line::Token(token) => insert(
            connection,
            "token (hash, name, grants, created_at, expires_at, revoked_at, last_used_at)",
            vec![
                hash(&token.hash)?,
                text(token.name),
                text(token.grants),
                moment(token.created_at),
                optional_moment(token.expires_at),
                optional_moment(token.revoked_at),
                optional_moment(token.last_used_at),
            ],
        ),
        Line::Grant(grant) => insert(
            connection,
            "access_grant (id, subject_kind, subject, content, reason, created_at, created_by, ended_at, ended_by)",
            vec![
                uuid(grant.id),
                Bind::Small(grant.subject_kind),
                text(grant.subject),
                text(grant.content),
                optional(grant.reason),
                moment(grant.created_at),
                text(grant.created_by),
                optional_moment(grant.ended_at),
                optional(grant.ended_by),
            ],
        ),
        Line::LogKey(key) => {
            let public = PublicKey::decoded(&key.public_key)
                .map_err(|error| StoreError::disagrees(error.to_string()))?;
            // Its seed stays where it is: here heads are signed with another.
            insert_missing(
                connection,
                "log_key (id, public_key, created_at, retired_at)",
                vec![vec![
                    text(public.id()),
                    Bind::Bytes(public.0.to_vec().into()),
                    moment(key.created_at),
                    moment(key.retired_at.unwrap_or(imported)),
                ]],
            )
        }
        Line::RetentionRule(rule) => insert(
            connection,
            "retention_rule (owner, id, controller, domain, kind, years, decision, reference, archive, valid_from, valid_to, \
             created_at, created_by)",
            vec![
                whose(),
                uuid(rule.id),
                record(rule.controller),
                Bind::OptSmall(rule.domain.map(grunddata_model::Domain::code)),
                optional(rule.kind),
                Bind::OptInt(rule.years),
                text(rule.decision),
                text(rule.reference),
                optional(rule.archive),
                Bind::Day(Day(rule.valid_from)),
                Bind::Day(Day(rule.valid_to)),
                moment(rule.created_at),
                text(rule.created_by),
            ],
        ),
        Line::Disposal(disposal) => insert(
            connection,
            "disposal (owner, id, begun_at, finished_at, actor, content)",
            vec![
                whose(),
                uuid(disposal.id),
                moment(disposal.begun_at),
                optional_moment(disposal.finished_at),
                text(disposal.actor),
                text(disposal.content),
            ],
        ),
        Line::Delivery(delivery) => insert(
            connection,
            "archive_delivery (owner, id, rule, archive, reference, delivered, created_at, created_by)",
            vec![
                whose(),
                uuid(delivery.id),
                uuid(delivery.rule),
                text(delivery.archive),
                text(delivery.reference),
                Bind::Day(Day(delivery.delivered)),
                moment(delivery.created_at),
                text(delivery.created_by),
            ],
        ),
        Line::Outcome(outcome) => insert(
            connection,
            "idempotency (owner, key_hash, request_hash, outcome, created_at)",
            vec![
                whose(),
                hash(&outcome.key_hash)?,
                hash(&outcome.request_hash)?,
                text(outcome.outcome),
                moment(outcome.created_at),
            ],
        ),
        Line::Mark(mark) => {
            if MarkKind::from_code(mark.kind).is_none() {
                return Err(StoreError::disagrees("the kind of a mark"));
            }
            insert(
                connection,
                "record_mark (owner, record_id, kind, id, reason, created_at, created_by, lifted_at, lifted_by)",
                vec![
                    whose(),
                    Bind::Id(mark.record.into()),
                    Bind::Small(mark.kind),
                    uuid(mark.id),
                    text(mark.reason),
                    moment(mark.created_at),
                    text(mark.created_by),
                    optional_moment(mark.lifted_at),
                    optional(mark.lifted_by),
                ],
            )
        }
        Line::FormerHead(row) => row.insert(connection, owner),
        Line::Source(row) => row.insert(connection, owner),
        Line::Load(row) => row.insert(connection, owner),
        Line::LoadRow(row) => row.insert(connection, owner),
        Line::LoadBatch(row) => row.insert(connection, owner),
        Line::Assertion(row) => row.insert(connection, owner),
        Line::AssertionContent(row) => row.insert(connection, owner),
        Line::Peer(row) => row.insert(connection, owner),
        Line::CopyBatch(row) => row.insert(connection, owner),
        Line::Transfer(row) => {
            row.insert(connection, owner)?;
            let side = TransferSide::from_code(row.side)
                .ok_or_else(|| StoreError::disagrees("the side of a hand-over"))?;
            insert_directory(connection, row.id, side, owner, &row.other)
        }
        Line::TransferRecord(row) => row.insert(connection, owner),
        Line::Header(_) | Line::Owner(_) | Line::Geometry(_) | Line::Record(_) | Line::End(_) => {
            Err(StoreError::disagrees("a line in the wrong place"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let bytes = [0xab; 32];
        assert_eq!(digest(&hexadecimal(&bytes)), Ok(bytes));
        for bad in [
            "",
            "ab",
            &"å".repeat(32),
            &"zz".repeat(32),
            &"+1".repeat(32),
        ] {
            assert!(digest(bad).is_err(), "{bad}");
        }
    }
}
