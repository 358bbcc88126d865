//! Statements as text with bound values.
//!
//! Unlike `diesel::sql_query` they are kept as prepared statements: the text is the key of the cache. Lists are padded to
//! powers of two so that few texts occur. The text is the same for both databases; what differs between them stands in
//! [`crate::dialect`].

use std::borrow::Cow;
use std::marker::PhantomData;

use chrono::NaiveDate;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use diesel::sqlite::Sqlite;
use grunddata_model::{Instant, RecordId};
use uuid::Uuid;

use crate::coordinate::Known;
use crate::sql_types::{Day, Id, Moment, NOT_EFFECTIVE, SqlDay, SqlId, SqlMoment};

/// The most values in one list of a statement; longer lists are cut into several statements by the callers.
pub(crate) const LIST: usize = 256;

#[derive(Debug, Clone)]
pub(crate) enum Bind<'a> {
    Id(Id),
    OptId(Option<Id>),
    Text(Cow<'a, str>),
    OptText(Option<Cow<'a, str>>),
    Moment(Moment),
    OptMoment(Option<Moment>),
    Day(Day),
    Small(i16),
    OptSmall(Option<i16>),
    Int(i32),
    OptInt(Option<i32>),
    Big(i64),
    OptBig(Option<i64>),
    Bytes(Cow<'a, [u8]>),
    OptBytes(Option<Cow<'a, [u8]>>),
}

/// A statement whose rows have the SQL type `ST` (`()` for one without rows).
#[derive(Debug)]
pub(crate) struct Sql<'a, ST> {
    text: String,
    /// Where in the text each value belongs.
    binds: Vec<(usize, Bind<'a>)>,
    cached: bool,
    marker: PhantomData<fn() -> ST>,
}

impl<'a, ST> Sql<'a, ST> {
    pub(crate) fn new(text: &str) -> Self {
        let mut sql = Self {
            text: String::with_capacity(512),
            binds: Vec::with_capacity(8),
            cached: true,
            marker: PhantomData,
        };
        sql.text.push_str(text);
        sql
    }

    /// Not kept as a prepared statement: for texts of unbounded variety.
    pub(crate) fn uncached(&mut self) -> &mut Self {
        self.cached = false;
        self
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn bind(&mut self, bind: Bind<'a>) -> &mut Self {
        self.binds.push((self.text.len(), bind));
        self
    }

    pub(crate) fn id(&mut self, id: impl Into<Id>) -> &mut Self {
        self.bind(Bind::Id(id.into()))
    }

    pub(crate) fn text(&mut self, text: impl Into<Cow<'a, str>>) -> &mut Self {
        self.bind(Bind::Text(text.into()))
    }

    pub(crate) fn moment(&mut self, instant: Instant) -> &mut Self {
        self.bind(Bind::Moment(Moment(instant)))
    }

    pub(crate) fn forever(&mut self) -> &mut Self {
        self.moment(Instant::FOREVER)
    }

    /// What stands in `change.effective_on` of a write.
    pub(crate) fn not_effective(&mut self) -> &mut Self {
        self.bind(Bind::Day(NOT_EFFECTIVE))
    }

    pub(crate) fn day(&mut self, date: NaiveDate) -> &mut Self {
        self.bind(Bind::Day(Day(date)))
    }

    pub(crate) fn small(&mut self, number: i16) -> &mut Self {
        self.bind(Bind::Small(number))
    }

    pub(crate) fn int(&mut self, number: i32) -> &mut Self {
        self.bind(Bind::Int(number))
    }

    pub(crate) fn big(&mut self, number: i64) -> &mut Self {
        self.bind(Bind::Big(number))
    }

    /// ` LIMIT ?`. SQLite plans by the value of a bare parameter there, and so prepares the statement anew at every
    /// execution (hundreds of microseconds); it does not look into an expression.
    pub(crate) fn limit(&mut self, most: i64) -> &mut Self {
        self.push(" LIMIT 0 + ").big(most)
    }

    pub(crate) fn bytes(&mut self, bytes: impl Into<Cow<'a, [u8]>>) -> &mut Self {
        self.bind(Bind::Bytes(bytes.into()))
    }

    /// `(?, ?, …)`, padded by repeating the last value. An empty list matches nothing.
    fn list(&mut self, mut binds: Vec<Bind<'a>>) -> &mut Self {
        let Some(last) = binds.last().cloned() else {
            return self.push("(NULL)");
        };
        let wanted = binds.len().next_power_of_two();
        binds.resize(wanted, last);
        self.push("(");
        for (index, bind) in binds.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.bind(bind);
        }
        self.push(")")
    }

    pub(crate) fn ids(&mut self, ids: impl IntoIterator<Item = RecordId>) -> &mut Self {
        let binds = ids.into_iter().map(|id| Bind::Id(id.into())).collect();
        self.list(binds)
    }

    pub(crate) fn smalls(&mut self, numbers: impl IntoIterator<Item = i16>) -> &mut Self {
        let binds = numbers.into_iter().map(Bind::Small).collect();
        self.list(binds)
    }

    pub(crate) fn bigs(&mut self, numbers: impl IntoIterator<Item = i64>) -> &mut Self {
        let binds = numbers.into_iter().map(Bind::Big).collect();
        self.list(binds)
    }

    pub(crate) fn texts<T: Into<Cow<'a, str>>>(
        &mut self,
        texts: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let binds = texts
            .into_iter()
            .map(|text| Bind::Text(text.into()))
            .collect();
        self.list(binds)
    }

    pub(crate) fn hashes<'h: 'a>(
        &mut self,
        hashes: impl IntoIterator<Item = &'h [u8; 16]>,
    ) -> &mut Self {
        let binds = hashes
            .into_iter()
            .map(|hash| Bind::Bytes(hash.as_slice().into()))
            .collect();
        self.list(binds)
    }

    /// `(VALUES (?, ?), …) AS name`, whose columns are `column1`, `column2` … in both databases. Not padded.
    pub(crate) fn rows(
        &mut self,
        name: &str,
        rows: impl IntoIterator<Item = Vec<Bind<'a>>>,
    ) -> &mut Self {
        self.push("(VALUES ");
        self.values(rows);
        self.push(") AS ").push(name)
    }

    /// `(?, ?), (?, ?), …`
    pub(crate) fn values(&mut self, rows: impl IntoIterator<Item = Vec<Bind<'a>>>) -> &mut Self {
        for (index, row) in rows.into_iter().enumerate() {
            self.push(if index > 0 { ", (" } else { "(" });
            for (column, bind) in row.into_iter().enumerate() {
                if column > 0 {
                    self.push(", ");
                }
                self.bind(bind);
            }
            self.push(")");
        }
        self
    }

    /// The pinned instant of the owner in the given column: a constant where all owners have the same.
    pub(crate) fn known(&mut self, column: &str, known: &Known) -> &mut Self {
        let others = known.others_instant();
        let mut differing = known
            .pins
            .iter()
            .filter(|(_, instant)| *instant != others)
            .peekable();
        if differing.peek().is_none() {
            return self.moment(others);
        }
        self.push("CASE ").push(column);
        for (owner, instant) in differing {
            self.push(" WHEN ")
                .text(owner.as_str().to_owned())
                .push(" THEN ")
                .moment(*instant);
        }
        self.push(" ELSE ").moment(others).push(" END")
    }

    /// `alias.recorded_at <= T AND alias.superseded_at > T AND alias.valid_from <= D AND alias.valid_to > D`, with the
    /// pinned instant of the owner in `owner_column`: the one condition that says "valid and known at the coordinate".
    pub(crate) fn holds(
        &mut self,
        alias: &str,
        owner_column: &str,
        known: &Known,
        valid_at: NaiveDate,
    ) -> &mut Self {
        self.believed(alias, owner_column, known);
        self.push(" AND ")
            .push(alias)
            .push(".valid_from <= ")
            .day(valid_at);
        self.push(" AND ")
            .push(alias)
            .push(".valid_to > ")
            .day(valid_at)
    }

    /// `alias.recorded_at <= T AND alias.superseded_at > T`.
    pub(crate) fn believed(&mut self, alias: &str, owner_column: &str, known: &Known) -> &mut Self {
        self.push(alias)
            .push(".superseded_at > ")
            .known(owner_column, known);
        self.push(" AND ")
            .push(alias)
            .push(".recorded_at <= ")
            .known(owner_column, known)
    }
}

/// A value that no row has, for padding.
pub(crate) const NO_ID: Id = Id(Uuid::nil());

impl<ST> QueryId for Sql<'_, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST> Query for Sql<'_, ST> {
    type SqlType = ST;
}

impl<ST, C> diesel::RunQueryDsl<C> for &Sql<'_, ST> {}

macro_rules! fragment {
    ($database:ty) => {
        impl<ST> QueryFragment<$database> for Sql<'_, ST> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $database>) -> QueryResult<()> {
                if !self.cached {
                    out.unsafe_to_cache_prepared();
                }
                let mut done = 0;
                for (at, bind) in &self.binds {
                    out.push_sql(self.text.get(done..*at).unwrap_or_default());
                    done = *at;
                    match bind {
                        Bind::Id(id) => out.push_bind_param::<SqlId, _>(id)?,
                        Bind::OptId(id) => out.push_bind_param::<Nullable<SqlId>, _>(id)?,
                        Bind::Text(text) => out.push_bind_param::<Text, str>(text)?,
                        Bind::OptText(text) => out.push_bind_param::<Nullable<Text>, _>(text)?,
                        Bind::Moment(moment) => out.push_bind_param::<SqlMoment, _>(moment)?,
                        Bind::OptMoment(moment) => {
                            out.push_bind_param::<Nullable<SqlMoment>, _>(moment)?
                        }
                        Bind::Day(day) => out.push_bind_param::<SqlDay, _>(day)?,
                        Bind::Small(number) => out.push_bind_param::<SmallInt, _>(number)?,
                        Bind::OptSmall(number) => {
                            out.push_bind_param::<Nullable<SmallInt>, _>(number)?
                        }
                        Bind::Int(number) => out.push_bind_param::<Integer, _>(number)?,
                        Bind::OptInt(number) => {
                            out.push_bind_param::<Nullable<Integer>, _>(number)?
                        }
                        Bind::Big(number) => out.push_bind_param::<BigInt, _>(number)?,
                        Bind::OptBig(number) => {
                            out.push_bind_param::<Nullable<BigInt>, _>(number)?
                        }
                        Bind::Bytes(bytes) => out.push_bind_param::<Binary, [u8]>(bytes)?,
                        Bind::OptBytes(bytes) => {
                            out.push_bind_param::<Nullable<Binary>, _>(bytes)?
                        }
                    }
                }
                out.push_sql(self.text.get(done..).unwrap_or_default());
                Ok(())
            }
        }
    };
}

fragment!(Sqlite);
fragment!(Pg);
