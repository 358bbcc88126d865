//! Rows of records at a coordinate.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{Binary, Integer, Nullable, SmallInt, Text};
use diesel::sqlite::{Sqlite, SqliteValue};
use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};

use crate::coordinate::{Coordinate, Known};
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::visibility::{Form, Reach, Seen, Visibility};
use crate::write::{ChangeKind, Protection, RecordStatus, domain, of_columns, owner_key, period};

/// One state of a record, with the record's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The id.
    pub id: RecordId,
    /// The domain.
    pub domain: Domain,
    /// Who answers for it.
    pub owner: OwnerKey,
    /// The controller, as now.
    pub controller: Option<RecordId>,
    /// Where it comes from (JSON), as now; `None` = it is the owner's own.
    pub origin: Option<String>,
    /// What it is as a whole, as now.
    pub status: RecordStatus,
    /// The record's version at the coordinate.
    pub version: u32,
    /// When the state holds.
    pub period: Period,
    /// When the state was recorded.
    pub recorded_at: Instant,
    /// Whether the change that recorded it was a change in the world or a correction.
    pub change_kind: ChangeKind,
    /// The model it was validated against.
    pub model: String,
    /// The canonical JSON.
    pub body: String,
    /// SHA-256 of the body.
    pub hash: [u8; 32],
    /// The display name.
    pub display: Option<String>,
    /// The code of the property `kind`.
    pub kind: Option<String>,
    /// The privacy classes present, a bit mask.
    pub classes: u8,
    /// The protection level of the state.
    pub protection: u8,
    /// How the record is protected now, whatever the coordinate.
    pub record_protection: Protection,
    /// Whether the body holds references, whose targets' names are to be shown.
    pub has_links: bool,
}

/// 32 bytes, read without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl FromSql<Binary, Sqlite> for Digest {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(value.read_blob().try_into()?))
    }
}

impl FromSql<Binary, Pg> for Digest {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(value.as_bytes().try_into()?))
    }
}

/// The columns of the head, of the alias `r` (record); the version stands apart.
pub(crate) const HEAD: &str =
    "r.id, r.owner, r.domain, r.controller, r.origin, r.status, r.protected_until, r.protection";
/// The columns of the state, of the alias `s`.
pub(crate) const STATE: &str = "s.valid_from, s.valid_to, s.recorded_at, s.change_kind, s.model, s.body, s.hash, s.display, s.kind, \
     s.classes, s.protection, s.has_links";

pub(crate) type HeadTypes = (
    SqlId,
    Text,
    SmallInt,
    Nullable<SqlId>,
    Nullable<Text>,
    SmallInt,
    SqlDay,
    SmallInt,
);
pub(crate) type HeadParts = (Id, String, i16, Option<Id>, Option<String>, i16, Day, i16);
pub(crate) type StateTypes = (
    SqlDay,
    SqlDay,
    SqlMoment,
    SmallInt,
    Text,
    Text,
    Binary,
    Nullable<Text>,
    Nullable<Text>,
    SmallInt,
    SmallInt,
    SmallInt,
);
pub(crate) type StateParts = (
    Day,
    Day,
    Moment,
    i16,
    String,
    String,
    Digest,
    Option<String>,
    Option<String>,
    i16,
    i16,
    i16,
);
pub(crate) type RowTypes = (HeadTypes, Nullable<Integer>, StateTypes);
pub(crate) type RowParts = (HeadParts, Option<i32>, StateParts);
/// What is asked of a target, whose state is `s`.
const TARGET: &str = "SELECT r.id, r.owner, r.domain, r.controller, r.protected_until, r.protection, s.protection, s.display";
type TargetTypes = (
    SqlId,
    Text,
    SmallInt,
    Nullable<SqlId>,
    SqlDay,
    SmallInt,
    Nullable<SmallInt>,
    Nullable<Text>,
);
type TargetParts = (
    Id,
    String,
    i16,
    Option<Id>,
    Day,
    i16,
    Option<i16>,
    Option<String>,
);

impl RecordRow {
    /// What the predicate asks of the row. `today` is the real day, never that of the coordinate.
    #[must_use]
    pub fn seen(&self, today: NaiveDate) -> Seen<'_> {
        Seen {
            owner: self.owner.as_str(),
            controller: self.controller,
            domain: self.domain,
            level: self.protection.max(self.record_protection.on(today)),
        }
    }
}

/// What a reader is told of the records that references lead to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Targets {
    /// The display names of those that the reader may follow.
    pub displays: HashMap<RecordId, String>,
    /// The persons among these, with their owners.
    pub persons: Vec<(OwnerKey, RecordId)>,
    /// Those that are hidden from the reader by their protection: whatever leads to them is not shown.
    pub hidden: BTreeSet<RecordId>,
}

pub(crate) fn record_row((head, version, state): RowParts) -> Result<RecordRow, StoreError> {
    let (id, owner, domain_code, controller, origin, status, until, level) = head;
    let (
        from,
        to,
        recorded_at,
        change_kind,
        model,
        body,
        hash,
        display,
        kind,
        classes,
        protection,
        has_links,
    ) = state;
    Ok(RecordRow {
        id: id.record(),
        domain: domain(domain_code)?,
        owner: owner_key(&owner)?,
        controller: controller.map(Id::record),
        origin,
        status: RecordStatus::from_code(status)
            .ok_or_else(|| StoreError::disagrees("the status of a record"))?,
        version: version
            .and_then(|version| u32::try_from(version).ok())
            .unwrap_or_default(),
        period: period(from, to)?,
        recorded_at: recorded_at.0,
        change_kind: ChangeKind::from_code(change_kind)
            .ok_or_else(|| StoreError::disagrees("the kind of a change"))?,
        model,
        body,
        hash: hash.0,
        display,
        kind,
        classes: u8::try_from(classes).unwrap_or(u8::MAX),
        protection: u8::try_from(protection).unwrap_or(u8::MAX),
        record_protection: of_columns(until, level),
        has_links: has_links != 0,
    })
}

/// The record's version known at the pinned instant, from the log: one seek, however many versions there are.
pub(crate) fn push_version<'a, T>(sql: &mut Sql<'a, T>, known: &Known) {
    if known.is_latest() {
        sql.push("r.version");
        return;
    }
    sql.push("(SELECT c.version FROM change c WHERE c.owner = r.owner AND c.record_id = r.id AND c.recorded_at <= ");
    sql.known("r.owner", known)
        .push(" ORDER BY c.recorded_at DESC LIMIT 1)");
}

/// Selects whole rows; the `FROM` with the aliases `d`, `r` and `s` follows.
pub(crate) fn select_rows<'a>(known: &Known) -> Sql<'a, RowTypes> {
    let mut sql = Sql::<RowTypes>::new("SELECT ");
    sql.push(HEAD).push(", ");
    push_version(&mut sql, known);
    sql.push(", ").push(STATE);
    sql
}

/// The joins from a directory row `d` to its record and its state at the coordinate.
pub(crate) const JOINS: &str = " JOIN record r ON r.owner = d.owner AND r.id = d.id \
     JOIN state s ON s.owner = d.owner AND s.record_id = d.id";

impl Reader<'_> {
    /// The states of records at the coordinate, in the order asked; what is not there or not visible is left out.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn records_at(
        &mut self,
        ids: &[RecordId],
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let today = self.today();
        let mut found = HashMap::with_capacity(ids.len());
        for chunk in ids.chunks(LIST) {
            let mut sql = select_rows(&coordinate.known);
            sql.push(" FROM directory_id d")
                .push(JOINS)
                .push(" WHERE d.id IN ")
                .ids(chunk.iter().copied());
            sql.push(" AND ")
                .holds("s", "d.owner", &coordinate.known, coordinate.valid_at);
            sql.push(" AND ");
            visibility.push(&mut sql, "s", "r", today, Reach::Show);
            for parts in self.connection.load::<_, RowParts>(&sql)? {
                let row = record_row(parts)?;
                found.insert(row.id, row);
            }
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// What the reader is told of the targets of references at the coordinate.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn targets(
        &mut self,
        ids: &[RecordId],
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<Targets, StoreError> {
        let mut targets = Targets::default();
        for chunk in ids.chunks(LIST) {
            let mut sql = Sql::<TargetTypes>::new(TARGET);
            sql.push(
                " FROM directory_id d JOIN record r ON r.owner = d.owner AND r.id = d.id \
                 LEFT JOIN state s ON s.owner = d.owner AND s.record_id = d.id AND ",
            );
            sql.holds("s", "d.owner", &coordinate.known, coordinate.valid_at)
                .push(" WHERE d.id IN ")
                .ids(chunk.iter().copied());
            self.add_targets(&sql, visibility, &mut targets)?;
        }
        Ok(targets)
    }

    /// The same where all targets are the owner's own, which neither the directory nor a row of a state is looked at for;
    /// `None` where one is not. Their state is that at the owner's instant. Each id is given once.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn own_targets(
        &mut self,
        ids: &[RecordId],
        (owner, instant): (&OwnerKey, Instant),
        valid_at: NaiveDate,
        visibility: &Visibility,
    ) -> Result<Option<Targets>, StoreError> {
        let known = Known::at(instant);
        let mut targets = Targets::default();
        for chunk in ids.chunks(LIST) {
            let mut sql = Sql::<TargetTypes>::new(TARGET);
            sql.push(
                " FROM record r LEFT JOIN state s ON s.owner = r.owner AND s.record_id = r.id AND ",
            );
            sql.holds("s", "r.owner", &known, valid_at)
                .push(" WHERE r.owner = ")
                .text(owner.as_str())
                .push(" AND r.id IN ")
                .ids(chunk.iter().copied());
            if self.add_targets(&sql, visibility, &mut targets)? < chunk.len() {
                return Ok(None);
            }
        }
        Ok(Some(targets))
    }

    /// Adds what a statement finds; how many records it found, whatever may be told of them.
    fn add_targets(
        &mut self,
        sql: &Sql<'_, TargetTypes>,
        visibility: &Visibility,
        targets: &mut Targets,
    ) -> Result<usize, StoreError> {
        let today = self.today();
        let rows: Vec<TargetParts> = self.connection.load(sql)?;
        let found = rows.len();
        for parts in rows {
            let (id, owner, code, controller, until, level, of_state, display) = parts;
            let of_state = of_state.map_or(0, |level| u8::try_from(level).unwrap_or(u8::MAX));
            let seen = Seen {
                owner: &owner,
                controller: controller.map(Id::record),
                domain: domain(code)?,
                level: of_columns(until, level).on(today).max(of_state),
            };
            match visibility.sight(&seen) {
                Some(sight) if sight.form >= Form::NameOnly => {
                    let named = display.is_some();
                    targets
                        .displays
                        .extend(display.map(|display| (id.record(), display)));
                    if named && seen.domain == Domain::Person {
                        targets.persons.push((owner_key(&owner)?, id.record()));
                    }
                }
                None if seen.level > 0 => {
                    targets.hidden.insert(id.record());
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Every state of a record by valid time, as known.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn timeline(
        &mut self,
        id: RecordId,
        known: &Known,
        visibility: &Visibility,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let today = self.today();
        let mut sql = select_rows(known);
        sql.push(" FROM directory_id d")
            .push(JOINS)
            .push(" WHERE d.id = ")
            .id(id);
        sql.push(" AND ").believed("s", "d.owner", known);
        sql.push(" AND ");
        visibility.push(&mut sql, "s", "r", today, Reach::Show);
        sql.push(" ORDER BY s.valid_from");
        self.connection
            .load::<_, RowParts>(&sql)?
            .into_iter()
            .map(record_row)
            .collect()
    }

    /// Geometries by the hash that stands in bodies (`geometry:sha256-HEX`: give HEX). Whoever sees the body may see the
    /// geometry; the hashes must therefore come from a body that was read for this reader.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn geometries(
        &mut self,
        owner: &OwnerKey,
        hashes: &[String],
    ) -> Result<HashMap<String, String>, StoreError> {
        let mut found = HashMap::with_capacity(hashes.len());
        for chunk in hashes.chunks(LIST) {
            let mut sql =
                Sql::<(Text, Text)>::new("SELECT g.hash, g.body FROM geometry g WHERE g.owner = ");
            sql.text(owner.as_str())
                .push(" AND g.hash IN ")
                .texts(chunk.iter().map(String::as_str));
            found.extend(self.connection.load::<_, (String, String)>(&sql)?);
        }
        Ok(found)
    }

    /// How many records of each domain are visible at the coordinate.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn counts(
        &mut self,
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<HashMap<Domain, u64>, StoreError> {
        let today = self.today();
        let mut sql = Sql::<(SmallInt, diesel::sql_types::BigInt)>::new(
            "SELECT s.domain, COUNT(*) FROM state s JOIN record r ON r.owner = s.owner AND r.id = s.record_id WHERE ",
        );
        sql.holds("s", "s.owner", &coordinate.known, coordinate.valid_at);
        sql.push(" AND ");
        visibility.push(&mut sql, "s", "r", today, Reach::Show);
        sql.push(" GROUP BY s.domain");
        let rows: Vec<(i16, i64)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(code, count)| Ok((domain(code)?, u64::try_from(count).unwrap_or_default())))
            .collect()
    }
}
