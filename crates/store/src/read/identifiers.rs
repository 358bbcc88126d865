//! Records by identifier, across domains and owners.

use diesel::sql_types::{Integer, Nullable, Text};
use grunddata_model::{Period, SchemeCode};

use crate::coordinate::Coordinate;
use crate::dialect::ordered_join;
use crate::error::StoreError;
use crate::read::Reader;
use crate::read::records::{
    HEAD, HeadParts, HeadTypes, JOINS, RecordRow, STATE, StateParts, StateTypes, push_version,
    record_row,
};
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Day, SqlDay};
use crate::visibility::{Reach, Visibility};
use crate::write::period;

/// A record that holds, or once held, an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierRow {
    /// The scheme that was asked for.
    pub scheme: SchemeCode,
    /// The value that was asked for.
    pub value: String,
    /// When the record holds it. When it holds it several times, the stretch that holds the day, or else the last one.
    pub period: Period,
    /// The status given with it.
    pub status: String,
    /// Who issued it.
    pub issuer: Option<String>,
    /// Whether it holds on the day, with the status `active`. If not, the number is an old one that still leads here.
    pub current: bool,
    /// The record at the coordinate.
    pub row: RecordRow,
}

type Types = (
    (Text, Text, SqlDay, SqlDay, Text, Text),
    HeadTypes,
    Nullable<Integer>,
    StateTypes,
);
type Parts = (
    (String, String, Day, Day, String, String),
    HeadParts,
    Option<i32>,
    StateParts,
);

impl Reader<'_> {
    /// The records that hold the identifiers at the coordinate. With `ever`, also those that held them on another day
    /// (schemes whose numbers are never given to anyone else), marked as not current, and records that do not hold on the
    /// day, in their last state. In the order asked.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn identifiers(
        &mut self,
        pairs: &[(SchemeCode, String)],
        ever: bool,
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<Vec<IdentifierRow>, StoreError> {
        let today = self.today();
        let mut found: Vec<IdentifierRow> = Vec::new();
        for chunk in pairs.chunks(LIST) {
            let mut sql = Sql::<Types>::new(
                "SELECT i.scheme, i.value, i.valid_from, i.valid_to, i.status, i.issuer, ",
            );
            sql.push(HEAD).push(", ");
            push_version(&mut sql, &coordinate.known);
            sql.push(", ").push(STATE).push(" FROM ");
            let wanted = chunk.iter().map(|(scheme, value)| {
                vec![
                    Bind::Text(scheme.as_str().into()),
                    Bind::Text(value.as_str().into()),
                ]
            });
            let padding = vec![Bind::Text("".into()), Bind::Text("".into())];
            let size = chunk.len().next_power_of_two();
            sql.rows("w", wanted.chain(std::iter::repeat(padding)).take(size));
            let join = ordered_join(self.connection);
            for table in [
                "directory_identifier h ON h.scheme = w.column1 AND h.value = w.column2",
                "identifier i ON i.owner = h.owner AND i.scheme = h.scheme AND i.value = h.value AND i.record_id = h.record_id",
                "directory_id d ON d.id = h.record_id",
            ] {
                sql.push(join).push(table);
            }
            sql.push(JOINS).push(" WHERE ");
            sql.believed("i", "i.owner", &coordinate.known);
            if ever {
                // Some state that holds the number must be seen: another one of the record does not tell it.
                sql.push(
                    " AND EXISTS (SELECT 1 FROM state h WHERE h.owner = i.owner AND h.record_id = i.record_id \
                     AND h.valid_from < i.valid_to AND h.valid_to > i.valid_from AND ",
                );
                sql.believed("h", "i.owner", &coordinate.known);
                sql.push(" AND ");
                visibility.push(&mut sql, "h", "r", today, Reach::Match);
                sql.push(")");
            }
            if !ever {
                sql.push(" AND i.valid_from <= ").day(coordinate.valid_at);
                sql.push(" AND i.valid_to > ").day(coordinate.valid_at);
            }
            sql.push(" AND ");
            if ever {
                sql.believed("s", "d.owner", &coordinate.known);
            } else {
                sql.holds("s", "d.owner", &coordinate.known, coordinate.valid_at);
            }
            sql.push(" AND ");
            visibility.push_by(&mut sql, "s", "r", &["i"], today, Reach::Match);
            for parts in self.connection.load::<_, Parts>(&sql)? {
                let ((scheme, value, from, to, status, issuer), head, version, state) = parts;
                let period = period(from, to)?;
                let row = IdentifierRow {
                    scheme: SchemeCode::new(&scheme).map_err(|_| {
                        StoreError::disagrees(format!("identifier scheme {scheme:?}"))
                    })?,
                    value,
                    current: period.contains(coordinate.valid_at) && status == "active",
                    period,
                    status,
                    issuer: Some(issuer).filter(|issuer| !issuer.is_empty()),
                    row: record_row((head, version, state))?,
                };
                // One row per record and identifier: the stretch that holds the day, or else the last one.
                let same = found.iter_mut().find(|other| {
                    (other.row.id, &other.scheme, &other.value)
                        == (row.row.id, &row.scheme, &row.value)
                });
                match same {
                    Some(other) => {
                        let rank = |row: &IdentifierRow| {
                            let day = coordinate.valid_at;
                            let holds = row.row.period.contains(day);
                            (
                                holds,
                                row.period.contains(day),
                                row.current,
                                row.row.period,
                                row.period,
                            )
                        };
                        if rank(&row) > rank(other) {
                            *other = row;
                        }
                    }
                    None => found.push(row),
                }
            }
        }
        let place = |row: &IdentifierRow| {
            pairs
                .iter()
                .position(|(scheme, value)| *scheme == row.scheme && *value == row.value)
        };
        found.sort_by_cached_key(|row| (place(row), !row.current, row.row.id));
        Ok(found)
    }
}
