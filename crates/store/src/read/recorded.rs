//! All that was ever recorded of one record, in both times: for the register extract.

use chrono::NaiveDate;
use diesel::sql_types::{Integer, Nullable, SmallInt, Text};
use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};

use crate::error::StoreError;
use crate::read::Reader;
use crate::read::changes::limit_of;
use crate::read::links::Direction;
use crate::read::records::{
    HEAD, HeadParts, HeadTypes, JOINS, RecordRow, RowParts, RowTypes, STATE, StateParts,
    StateTypes, record_row,
};
use crate::sql::Sql;
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::visibility::{Form, Reach, Seen, Visibility};
use crate::write::{domain, of_columns, owner_key, period};

/// A link as it was once recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedLink {
    /// Whose link it is: the source's owner.
    pub owner: OwnerKey,
    /// The record that refers.
    pub source: RecordId,
    /// Its domain.
    pub source_domain: Domain,
    /// The relation.
    pub relation: String,
    /// The record that is referred to.
    pub target: RecordId,
    /// When it holds.
    pub period: Period,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Until when it was believed; [`Instant::FOREVER`] = it still is.
    pub superseded_at: Instant,
}

type LinkTypes = (
    (
        Text,
        SqlId,
        SmallInt,
        Text,
        SqlId,
        SqlDay,
        SqlDay,
        SqlMoment,
        SqlMoment,
        SmallInt,
    ),
    (Text, Nullable<SqlId>, SmallInt, SqlDay, SmallInt),
);
type LinkParts = (
    (String, Id, i16, String, Id, Day, Day, Moment, Moment, i16),
    (String, Option<Id>, i16, Day, i16),
);

const LINK: &str = "SELECT l.owner, l.source_id, l.source_domain, l.relation, l.target_id, l.valid_from, l.valid_to, \
     l.recorded_at, l.superseded_at, l.class, r.owner, r.controller, r.domain, r.protected_until, r.protection \
     FROM directory_id d JOIN ";
const OUT: &str = "link l ON l.owner = d.owner AND l.source_id = d.id JOIN directory_id o ON o.id = l.target_id \
     JOIN record r ON r.owner = o.owner AND r.id = o.id WHERE d.id = ";
const IN: &str = "owner_reference f ON f.target = d.owner JOIN link l ON l.owner = f.source AND l.target_id = d.id \
     JOIN record r ON r.owner = l.owner AND r.id = l.source_id WHERE d.id = ";

impl Reader<'_> {
    /// Every state of a record that was ever recorded, by when it was, with the version that brought it and until when it
    /// was believed ([`Instant::FOREVER`] = it still is).
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn recorded_states(
        &mut self,
        id: RecordId,
        visibility: &Visibility,
    ) -> Result<Vec<(RecordRow, Instant)>, StoreError> {
        let today = self.today();
        let mut sql = Sql::<(HeadTypes, Nullable<Integer>, StateTypes, SqlMoment)>::new("SELECT ");
        sql.push(HEAD)
            .push(", s.version, ")
            .push(STATE)
            .push(", s.superseded_at FROM directory_id d")
            .push(JOINS)
            .push(" WHERE d.id = ")
            .id(id)
            .push(" AND ");
        visibility.push(&mut sql, "s", "r", today, Reach::Show);
        sql.push(" ORDER BY s.recorded_at, s.valid_from");
        let rows: Vec<(HeadParts, Option<i32>, StateParts, Moment)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(head, version, state, until)| Ok((record_row((head, version, state))?, until.0)))
            .collect()
    }

    /// Every link of a record that was ever recorded, where the reader may know of the record at its other end, by
    /// relation and by when it was recorded.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn recorded_links(
        &mut self,
        id: RecordId,
        direction: Direction,
        visibility: &Visibility,
    ) -> Result<Vec<RecordedLink>, StoreError> {
        let today = self.today();
        let mut sql = Sql::<LinkTypes>::new(LINK);
        sql.push(match direction {
            Direction::Out => OUT,
            Direction::In => IN,
        })
        .id(id)
        .push(" ORDER BY l.relation, l.recorded_at, l.valid_from, l.source_id, l.target_id");
        let mut links = Vec::new();
        for parts in self.connection.load::<_, LinkParts>(&sql)? {
            links.extend(link(parts, direction, visibility, today)?);
        }
        Ok(links)
    }
}

fn link(
    (link, other): LinkParts,
    direction: Direction,
    visibility: &Visibility,
    today: NaiveDate,
) -> Result<Option<RecordedLink>, StoreError> {
    let (owner, source, code, relation, target, from, to, recorded, superseded, class) = link;
    let (other_owner, controller, other_code, until, level) = other;
    let seen = Seen {
        owner: &other_owner,
        controller: controller.map(Id::record),
        domain: domain(other_code)?,
        level: of_columns(until, level).on(today),
    };
    let Some(sight) = visibility
        .sight(&seen)
        .filter(|sight| sight.form >= Form::NameOnly)
    else {
        return Ok(None);
    };
    // The link is a property of its source.
    let class = u8::try_from(class).unwrap_or(u8::MAX);
    if direction == Direction::In && class & !sight.classes != 0 {
        return Ok(None);
    }
    Ok(Some(RecordedLink {
        owner: owner_key(&owner)?,
        source: source.record(),
        source_domain: domain(code)?,
        relation,
        target: target.record(),
        period: period(from, to)?,
        recorded_at: recorded.0,
        superseded_at: superseded.0,
    }))
}

impl Reader<'_> {
    /// What was believed of one day of a record, up to an instant where one is given: the latest belief first. Whoever asks
    /// decides what of it may be told.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn beliefs(
        &mut self,
        owner: &OwnerKey,
        id: RecordId,
        day: NaiveDate,
        until: Option<Instant>,
        limit: usize,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let mut sql = Sql::<RowTypes>::new("SELECT ");
        sql.push(HEAD).push(", s.version, ").push(STATE);
        sql.push(
            " FROM record r JOIN state s ON s.owner = r.owner AND s.record_id = r.id WHERE r.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND r.id = ")
            .id(id)
            .push(" AND s.valid_from <= ")
            .day(day)
            .push(" AND s.valid_to > ")
            .day(day);
        if let Some(until) = until {
            sql.push(" AND s.recorded_at <= ").moment(until);
        }
        sql.push(" ORDER BY s.recorded_at DESC")
            .limit(limit_of(limit));
        self.connection
            .load::<_, RowParts>(&sql)?
            .into_iter()
            .map(record_row)
            .collect()
    }
}
