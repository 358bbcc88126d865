//! Retention: rules, what stands in the way of them, what they have reached, and the records of what was erased. Which
//! rule holds for a record, and what follows, is decided elsewhere.

use chrono::NaiveDate;
use diesel::sql_types::{Integer, Nullable, SmallInt, Text};
use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};
use uuid::Uuid;

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::store::Store;
use crate::write::{Operation, RecordStatus, domain, period};

/// For how long some records of an owner are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRuleRow {
    /// Whose records.
    pub owner: OwnerKey,
    /// The id.
    pub id: Uuid,
    /// Of which controller; `None` = of any, and those of the owner itself.
    pub controller: Option<RecordId>,
    /// Of which domain; `None` = of any.
    pub domain: Option<Domain>,
    /// Of which kind; `None` = of any.
    pub kind: Option<String>,
    /// Years after the end until a record is erased; `None` = it is preserved.
    pub years: Option<u32>,
    /// What was decided.
    pub decision: String,
    /// Where the decision is to be found.
    pub reference: String,
    /// Where the records are to be delivered, when they are preserved.
    pub archive: Option<String>,
    /// When the rule holds.
    pub period: Period,
    /// When it was put.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
}

/// A record with what a rule asks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionCandidate {
    /// The record.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Its controller.
    pub controller: Option<RecordId>,
    /// What it is as a whole.
    pub status: RecordStatus,
    /// The kind that it had last.
    pub kind: Option<String>,
    /// The first day on which it does not hold any more, as believed now; [`Period::OPEN`] = it has no end. `None` when no
    /// state is believed.
    pub ended: Option<NaiveDate>,
    /// When it was changed last.
    pub changed: Instant,
}

/// A record that was begun when something was to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisposalRow {
    /// Whose records were erased.
    pub owner: OwnerKey,
    /// The id.
    pub id: Uuid,
    /// When it was begun.
    pub begun_at: Instant,
    /// When it was done; `None` = it was broken off.
    pub finished_at: Option<Instant>,
    /// Who had it done.
    pub actor: String,
    /// What was erased and why: JSON, as the registry wrote it.
    pub content: String,
}

/// That a record was erased, as the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedRow {
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// When it was erased.
    pub recorded_at: Instant,
    /// The decision, as it was given to the store.
    pub reason: String,
}

type RuleTypes = (
    (
        SqlId,
        Nullable<SqlId>,
        Nullable<SmallInt>,
        Nullable<Text>,
        Nullable<Integer>,
    ),
    (Text, Text, Nullable<Text>, SqlDay, SqlDay, SqlMoment, Text),
);
type RuleParts = (
    (Id, Option<Id>, Option<i16>, Option<String>, Option<i32>),
    (String, String, Option<String>, Day, Day, Moment, String),
);
type CandidateTypes = (
    SqlId,
    SmallInt,
    Nullable<SqlId>,
    SmallInt,
    Nullable<SqlDay>,
    Nullable<Text>,
    Nullable<SqlMoment>,
);
type CandidateParts = (
    Id,
    i16,
    Option<Id>,
    i16,
    Option<Day>,
    Option<String>,
    Option<Moment>,
);

fn rule(owner: &OwnerKey, (of, says): RuleParts) -> Result<RetentionRuleRow, StoreError> {
    let (id, controller, code, kind, years) = of;
    let (decision, reference, archive, from, to, created, created_by) = says;
    Ok(RetentionRuleRow {
        owner: owner.clone(),
        id: id.0,
        controller: controller.map(Id::record),
        domain: code.map(domain).transpose()?,
        kind,
        years: years.and_then(|years| u32::try_from(years).ok()),
        decision,
        reference,
        archive,
        period: period(from, to)?,
        created_at: created.0,
        created_by,
    })
}

impl Reader<'_> {
    /// The retention rules of an owner, those that have ended included, in the order in which they were put.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn retention_rules(
        &mut self,
        owner: &OwnerKey,
    ) -> Result<Vec<RetentionRuleRow>, StoreError> {
        let mut sql = Sql::<RuleTypes>::new(
            "SELECT t.id, t.controller, t.domain, t.kind, t.years, t.decision, t.reference, t.archive, t.valid_from, \
             t.valid_to, t.created_at, t.created_by FROM retention_rule t WHERE t.owner = ",
        );
        sql.text(owner.as_str())
            .push(" ORDER BY t.created_at, t.id");
        let rows: Vec<RuleParts> = self.connection.load(&sql)?;
        rows.into_iter().map(|parts| rule(owner, parts)).collect()
    }

    /// The records of an owner after an id, with what rules ask of them, erased ones left out. All that there are are
    /// looked at: a page costs the same whatever is due.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn retention_candidates(
        &mut self,
        owner: &OwnerKey,
        after: Option<RecordId>,
        limit: i64,
    ) -> Result<Vec<RetentionCandidate>, StoreError> {
        let mut sql = Sql::<CandidateTypes>::new(
            "SELECT r.id, r.domain, r.controller, r.status, (SELECT MAX(x.valid_to) FROM state x \
             WHERE x.owner = r.owner AND x.record_id = r.id AND x.superseded_at = ",
        );
        sql.forever().push(
            "), (SELECT y.kind FROM state y WHERE y.owner = r.owner AND y.record_id = r.id \
             ORDER BY y.superseded_at DESC, y.valid_from DESC LIMIT 1), (SELECT MAX(c.recorded_at) FROM change c \
             WHERE c.owner = r.owner AND c.record_id = r.id AND c.effective_on = ",
        );
        sql.not_effective()
            .push(") FROM record r WHERE r.owner = ")
            .text(owner.as_str())
            .push(" AND r.status <> ")
            .small(RecordStatus::Erased.code());
        if let Some(after) = after {
            sql.push(" AND r.id > ").id(after);
        }
        sql.push(" ORDER BY r.id").limit(limit);
        let rows: Vec<CandidateParts> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(id, code, controller, status, ended, kind, changed)| {
                Ok(RetentionCandidate {
                    id: id.record(),
                    domain: domain(code)?,
                    controller: controller.map(Id::record),
                    status: RecordStatus::from_code(status)
                        .ok_or_else(|| StoreError::disagrees("the status of a record"))?,
                    kind,
                    ended: ended.map(|day| day.0),
                    changed: changed
                        .ok_or_else(|| StoreError::disagrees("a record without a change"))?
                        .0,
                })
            })
            .collect()
    }

    /// Which records of the owner are believed to refer to these, on whatever day: pairs of target and source.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn referrers(
        &mut self,
        owner: &OwnerKey,
        targets: &[RecordId],
    ) -> Result<Vec<(RecordId, RecordId)>, StoreError> {
        let mut found = Vec::new();
        for chunk in targets.chunks(LIST) {
            let mut sql = Sql::<(SqlId, SqlId)>::new(
                "SELECT DISTINCT l.target_id, l.source_id FROM link l WHERE l.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND l.superseded_at = ")
                .forever()
                .push(" AND l.target_id IN ")
                .ids(chunk.iter().copied());
            let rows: Vec<(Id, Id)> = self.connection.load(&sql)?;
            found.extend(
                rows.into_iter()
                    .map(|(target, source)| (target.record(), source.record())),
            );
        }
        Ok(found)
    }

    /// The erasures of an owner's records, in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn erased(&mut self, owner: &OwnerKey) -> Result<Vec<ErasedRow>, StoreError> {
        let mut sql = Sql::<(SqlId, SmallInt, SqlMoment, Nullable<Text>)>::new(
            "SELECT c.record_id, c.domain, c.recorded_at, c.reason FROM change c WHERE c.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND c.operation = ")
            .small(Operation::Erase.code())
            .push(" ORDER BY c.position");
        let rows: Vec<(Id, i16, Moment, Option<String>)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(record, code, at, reason)| {
                Ok(ErasedRow {
                    record: record.record(),
                    domain: domain(code)?,
                    recorded_at: at.0,
                    reason: reason.unwrap_or_default(),
                })
            })
            .collect()
    }

    /// What was erased of an owner's records, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn disposals(&mut self, owner: &OwnerKey) -> Result<Vec<DisposalRow>, StoreError> {
        let mut sql = Sql::<(SqlId, SqlMoment, Nullable<SqlMoment>, Text, Text)>::new(
            "SELECT t.id, t.begun_at, t.finished_at, t.actor, t.content FROM disposal t WHERE t.owner = ",
        );
        sql.text(owner.as_str())
            .push(" ORDER BY t.begun_at DESC, t.id");
        let rows: Vec<(Id, Moment, Option<Moment>, String, String)> = self.connection.load(&sql)?;
        Ok(rows
            .into_iter()
            .map(|(id, begun, finished, actor, content)| DisposalRow {
                owner: owner.clone(),
                id: id.0,
                begun_at: begun.0,
                finished_at: finished.map(|moment| moment.0),
                actor,
                content,
            })
            .collect())
    }
}

impl Store {
    /// Adds a retention rule.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_retention_rule(&self, rule: &RetentionRuleRow) -> Result<(), StoreError> {
        self.read(|reader| {
            let mut sql = Sql::<()>::new(
                "INSERT INTO retention_rule (owner, id, controller, domain, kind, years, decision, reference, archive, valid_from, \
                 valid_to, created_at, created_by) VALUES (",
            );
            sql.text(rule.owner.as_str())
                .push(", ")
                .bind(Bind::Id(Id(rule.id)))
                .push(", ")
                .bind(Bind::OptId(rule.controller.map(Id::from)));
            // Numbers that may be missing have no bind of their own: they are ours, not a client's text.
            let number = |number: Option<String>| number.unwrap_or_else(|| "NULL".to_owned());
            sql.push(", ")
                .push(&number(rule.domain.map(|domain| domain.code().to_string())))
                .push(", ")
                .bind(Bind::OptText(rule.kind.as_deref().map(Into::into)))
                .push(", ")
                .push(&number(rule.years.map(|years| years.to_string())))
                .uncached();
            sql.push(", ")
                .text(rule.decision.as_str())
                .push(", ")
                .text(rule.reference.as_str())
                .push(", ")
                .bind(Bind::OptText(rule.archive.as_deref().map(Into::into)))
                .push(", ")
                .day(rule.period.from())
                .push(", ")
                .day(rule.period.to())
                .push(", ")
                .moment(rule.created_at)
                .push(", ")
                .text(rule.created_by.as_str())
                .push(")");
            reader.connection.execute(&sql).map(drop)
        })
    }

    /// Ends a rule from a day on; whether there was one that held longer.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn end_retention_rule(
        &self,
        owner: &OwnerKey,
        id: Uuid,
        from: NaiveDate,
    ) -> Result<bool, StoreError> {
        self.read(|reader| {
            let mut sql = Sql::<()>::new("UPDATE retention_rule SET valid_to = ");
            sql.day(from)
                .push(" WHERE owner = ")
                .text(owner.as_str())
                .push(" AND id = ")
                .bind(Bind::Id(Id(id)))
                .push(" AND valid_from < ")
                .day(from)
                .push(" AND valid_to > ")
                .day(from);
            Ok(reader.connection.execute(&sql)? > 0)
        })
    }

    /// Writes the record of a disposal, anew when it was begun before.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_disposal(&self, disposal: &DisposalRow) -> Result<(), StoreError> {
        self.read(|reader| {
            let mut sql = Sql::<()>::new(
                "INSERT INTO disposal (owner, id, begun_at, finished_at, actor, content) VALUES (",
            );
            sql.text(disposal.owner.as_str())
                .push(", ")
                .bind(Bind::Id(Id(disposal.id)))
                .push(", ")
                .moment(disposal.begun_at)
                .push(", ")
                .bind(Bind::OptMoment(disposal.finished_at.map(Moment)))
                .push(", ")
                .text(disposal.actor.as_str())
                .push(", ")
                .text(disposal.content.as_str());
            sql.push(
                ") ON CONFLICT (owner, id) DO UPDATE SET finished_at = excluded.finished_at, content = excluded.content",
            );
            reader.connection.execute(&sql).map(drop)
        })
    }
}
