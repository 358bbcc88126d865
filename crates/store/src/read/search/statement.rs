//! The statement of a search.

use std::sync::Arc;

use chrono::NaiveDate;
use grunddata_model::{Instant, RecordId};

use crate::coordinate::Coordinate;
use crate::read::changes::limit_of;
use crate::read::former::push_controller;
use crate::read::hierarchy::push_subtree;
use crate::read::records::{HEAD, RecordRow, STATE, push_version};
use crate::read::search::{Condition, LinkCondition, Matching, SearchCursor, SortBy, StoreSearch};
use crate::read::text::{Term, end_of_prefix};
use crate::sql::Sql;
use crate::visibility::{Reach, Visibility, push_class};
use crate::write::{WORD, mode_code};

pub(crate) struct Statement<'q> {
    pub(crate) search: &'q StoreSearch,
    pub(crate) coordinate: &'q Coordinate,
    pub(crate) visibility: &'q Visibility,
    pub(crate) owners: Vec<&'q str>,
    pub(crate) terms: Vec<Term>,
    pub(crate) today: NaiveDate,
    pub(crate) join: &'static str,
    /// What asks whether the statement may go on.
    pub(crate) in_time: Option<&'static str>,
    /// Only these, which the driver has yielded (see [`Reader::page_by_id`](crate::read::Reader::page_by_id)).
    pub(crate) chosen: Option<Vec<RecordId>>,
    /// Only what comes after this place.
    pub(crate) after: Option<SearchCursor>,
}

/// What yields the records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    Identifier,
    Text,
    Link(usize),
    Condition(usize),
    Domain,
}

/// How deep "below" reaches.
const DEEPEST: u32 = 64;

impl<'q> Statement<'q> {
    pub(super) fn driver(&self) -> Driver {
        let search = self.search;
        let telling = |condition: &Condition| {
            matches!(condition.matching, Matching::Equals(_) | Matching::OneOf(_))
        };
        if search.identifier.is_some() {
            Driver::Identifier
        } else if !self.terms.is_empty() {
            Driver::Text
        } else if !search.links.is_empty() {
            // One that leads to some records, before one that leads to a whole subtree.
            let narrow = search.links.iter().position(|link| link.below.is_empty());
            Driver::Link(narrow.unwrap_or_default())
        } else if let Some(first) = search.conditions.iter().position(telling) {
            Driver::Condition(first)
        } else if !search.conditions.is_empty() {
            Driver::Condition(0)
        } else {
            Driver::Domain
        }
    }

    /// Records that are chosen or ordered by what they hold show it thereby.
    fn reach(&self) -> Reach {
        let search = self.search;
        if search.identifier.is_some()
            || !search.conditions.is_empty()
            || !search.text.is_empty()
            || !search.sort.is_empty()
        {
            Reach::Match
        } else if !search.links.is_empty() {
            Reach::Follow
        } else {
            Reach::Show
        }
    }

    /// Whether rows have a rank before their sort keys.
    fn is_ranked(&self) -> bool {
        !self.terms.is_empty() && self.search.sort.is_empty()
    }

    /// The statement that gives rows with rank and sort values.
    pub(crate) fn push_page<T>(&self, sql: &mut Sql<'q, T>, limit: usize) {
        self.push_subtrees(sql);
        sql.push("SELECT ").push(HEAD).push(", ");
        push_version(sql, &self.coordinate.known);
        sql.push(", ").push(STATE).push(", ");
        if self.is_ranked() {
            sql.push("m.rank");
        } else {
            sql.big(0);
        }
        for place in 0..3 {
            match self.search.sort.get(place).map(|key| &key.by) {
                Some(SortBy::Property { .. }) => sql.push(&format!(", k{place}.v")),
                _ => sql.push(", NULL"),
            };
        }
        self.push_from(sql);
        self.push_sort_joins(sql);
        self.push_where(sql);
        self.push_after(sql);
        sql.push(" ORDER BY ");
        if self.is_ranked() {
            sql.push("m.rank DESC, COALESCE(s.display, ")
                .text("\u{10ffff}")
                .push("), ");
        }
        for place in 0..self.search.sort.len() {
            self.push_key(sql, place);
            let descending = self
                .search
                .sort
                .get(place)
                .is_some_and(|key| key.descending);
            sql.push(if descending { " DESC, " } else { ", " });
        }
        sql.push("r.id").limit(limit_of(limit));
        if self.search.offset > 0 {
            sql.push(" OFFSET 0 + ").big(limit_of(self.search.offset));
        }
        self.bound_variety(sql);
    }

    /// The statement that counts, at most up to a limit.
    pub(crate) fn push_count<T>(&self, sql: &mut Sql<'q, T>, most: Option<i64>) {
        self.push_subtrees(sql);
        sql.push("SELECT COUNT(*) FROM (SELECT 1 AS one");
        self.push_from(sql);
        self.push_where(sql);
        if let Some(most) = most {
            sql.limit(most);
        }
        sql.push(") AS counted");
        self.bound_variety(sql);
    }

    /// Statements of few conditions come again and are kept prepared; long ones hardly do.
    pub(super) fn bound_variety<T>(&self, sql: &mut Sql<'q, T>) {
        let parts = self.search.conditions.len()
            + self.search.links.len()
            + self.terms.len()
            + self.search.sort.len();
        if parts > 4 {
            sql.uncached();
        }
    }

    pub(super) fn push_subtrees<T>(&self, sql: &mut Sql<'q, T>) {
        let mut first = true;
        for (place, link) in self.search.links.iter().enumerate() {
            let done = self.chosen.is_some() && self.driver() == Driver::Link(place);
            if let (false, false, Some(top)) = (done, link.below.is_empty(), link.targets.first()) {
                sql.push(if first { "WITH RECURSIVE " } else { ", " });
                first = false;
                let name = format!("below{place}");
                let (coordinate, visibility) = (self.coordinate, self.visibility);
                push_subtree(
                    sql,
                    &name,
                    *top,
                    &link.below,
                    coordinate,
                    visibility,
                    self.today,
                    self.join,
                    DEEPEST,
                );
            }
        }
        if !first {
            sql.push(" ");
        }
    }

    fn push_from<T>(&self, sql: &mut Sql<'q, T>) {
        sql.push(" FROM ");
        match self.driver() {
            driver if driver == Driver::Domain || self.chosen.is_some() => {
                sql.push("record r")
                    .push(self.join)
                    .push("state s ON s.owner = r.owner AND s.record_id = r.id");
                return;
            }
            Driver::Domain => {}
            Driver::Identifier => self.push_identifier(sql),
            Driver::Text => self.push_text(sql),
            Driver::Link(place) => self.push_link(sql, place),
            Driver::Condition(place) => {
                if let Some(condition) = self.search.conditions.get(place) {
                    sql.push("(SELECT DISTINCT e.owner, e.record_id");
                    self.push_entries(sql, condition);
                    sql.push(") AS m");
                }
            }
        }
        sql.push(self.join)
            .push("record r ON r.owner = m.owner AND r.id = m.record_id");
        sql.push(self.join)
            .push("state s ON s.owner = r.owner AND s.record_id = r.id");
    }

    fn push_where<T>(&self, sql: &mut Sql<'q, T>) {
        let (search, known, day) = (
            self.search,
            &self.coordinate.known,
            self.coordinate.valid_at,
        );
        sql.push(" WHERE r.owner IN ")
            .texts(self.owners.iter().copied());
        sql.push(" AND r.domain = ").small(search.domain.code());
        self.push_in_time(sql, "r.domain");
        if let Some(chosen) = &self.chosen {
            sql.push(" AND r.id IN ").ids(chosen.iter().copied());
        }
        sql.push(" AND ").holds("s", "r.owner", known, day);
        sql.push(" AND ");
        let derived: &[&str] = if self.driver() == Driver::Identifier {
            &["m"]
        } else {
            &[]
        };
        self.visibility
            .push_by(sql, "s", "r", derived, self.today, self.reach());
        if let Some(controller) = search.controller {
            sql.push(" AND ");
            push_controller(sql, controller, &self.coordinate.known);
        }
        let driver = self.driver();
        for (place, _) in search.links.iter().enumerate() {
            if driver != Driver::Link(place) {
                sql.push(" AND r.id IN (SELECT n.record_id FROM ");
                self.push_link(sql, place);
                sql.push(" AS n)");
            }
        }
        for (place, condition) in search.conditions.iter().enumerate() {
            if driver == Driver::Condition(place) {
                continue;
            }
            match condition.matching {
                // One seek per record.
                Matching::Equals(_) | Matching::OneOf(_) => {
                    sql.push(" AND EXISTS (SELECT 1");
                    self.push_entries(sql, condition);
                    sql.push(" AND e.owner = r.owner AND e.record_id = r.id)");
                }
                Matching::Prefix(_) | Matching::Range { .. } => {
                    sql.push(" AND r.id IN (SELECT e.record_id");
                    self.push_entries(sql, condition);
                    sql.push(")");
                }
            }
        }
    }

    fn push_identifier<T>(&self, sql: &mut Sql<'q, T>) {
        let (known, day) = (&self.coordinate.known, self.coordinate.valid_at);
        if let Some((scheme, value)) = &self.search.identifier {
            // The rule must show the identifier that shows the record; of several classes the highest counts.
            sql.push("(SELECT i.owner, i.record_id, MAX(i.class) AS class FROM identifier i WHERE i.owner IN ");
            sql.texts(self.owners.iter().copied());
            sql.push(" AND i.scheme = ")
                .text(scheme.as_str())
                .push(" AND i.value = ")
                .text(value.as_str());
            sql.push(" AND ");
            if self.search.identifier_ever {
                sql.believed("i", "i.owner", known);
                // Some state that holds the number must be seen: another one of the record does not tell it.
                sql.push(
                    " AND EXISTS (SELECT 1 FROM state h JOIN record rh ON rh.owner = h.owner AND rh.id = h.record_id \
                     WHERE h.owner = i.owner AND h.record_id = i.record_id \
                     AND h.valid_from < i.valid_to AND h.valid_to > i.valid_from AND ",
                );
                sql.believed("h", "i.owner", known);
                sql.push(" AND ");
                self.visibility
                    .push(sql, "h", "rh", self.today, Reach::Match);
                sql.push(")");
            } else {
                sql.holds("i", "i.owner", known, day);
            }
            sql.push(" GROUP BY i.owner, i.record_id) AS m");
        }
    }

    fn push_link<T>(&self, sql: &mut Sql<'q, T>, place: usize) {
        sql.push("(SELECT DISTINCT l.owner, l.source_id AS record_id");
        self.push_links(sql, place);
        sql.push(if self.driver() == Driver::Link(place) {
            ") AS m"
        } else {
            ")"
        });
    }

    /// `FROM … WHERE` the links of a condition at the coordinate.
    pub(super) fn push_links<T>(&self, sql: &mut Sql<'q, T>, place: usize) {
        let Some(LinkCondition {
            relations,
            targets,
            below,
        }) = self.search.links.get(place)
        else {
            return;
        };
        let (known, day) = (&self.coordinate.known, self.coordinate.valid_at);
        sql.push(" FROM ");
        if below.is_empty() {
            sql.push(
                "(SELECT dt.id FROM directory_id dt JOIN record rt ON rt.owner = dt.owner AND rt.id = dt.id \
                 JOIN state st ON st.owner = dt.owner AND st.record_id = dt.id WHERE dt.id IN ",
            );
            sql.ids(targets.iter().copied())
                .push(" AND ")
                .holds("st", "dt.owner", known, day);
            sql.push(" AND ");
            self.visibility
                .push(sql, "st", "rt", self.today, Reach::Follow);
            sql.push(") AS t");
        } else {
            sql.push(&format!("(SELECT DISTINCT b.id FROM below{place} b) AS t"));
        }
        sql.push(self.join).push("link l ON l.target_id = t.id");
        // Where all rules show the same classes the link's own is enough.
        let rules = &self.visibility.rules;
        let alike = (!self.visibility.shows_various_classes())
            .then(|| rules.first().map_or(0, |rule| rule.classes));
        if alike.is_none() {
            sql.push(self.join)
                .push("record rl ON rl.owner = l.owner AND rl.id = l.source_id")
                .push(self.join)
                .push("state sl ON sl.owner = l.owner AND sl.record_id = l.source_id");
        }
        sql.push(" WHERE l.owner IN ");
        sql.texts(self.owners.iter().copied());
        sql.push(" AND l.source_domain = ")
            .small(self.search.domain.code());
        self.push_in_time(sql, "l.class");
        push_relations(sql, relations);
        sql.push(" AND ").holds("l", "l.owner", known, day);
        match alike {
            Some(classes) => push_class(sql, "l", classes),
            None => {
                sql.push(" AND ").holds("sl", "l.owner", known, day);
                sql.push(" AND ");
                // The link is a property of its source: that rule must show it which shows the source.
                self.visibility
                    .push_by(sql, "sl", "rl", &["l"], self.today, Reach::Follow);
            }
        }
    }

    /// `FROM entry e WHERE` the entries of a condition at the coordinate.
    pub(super) fn push_entries<T>(&self, sql: &mut Sql<'q, T>, condition: &'q Condition) {
        self.push_entry_place(sql);
        sql.push(" AND e.property = ").text(&*condition.property);
        sql.push(" AND e.mode = ").small(mode_code(condition.mode));
        match &condition.matching {
            Matching::Equals(value) => {
                sql.push(" AND e.value = ").text(value.as_str());
            }
            Matching::OneOf(values) => {
                sql.push(" AND e.value IN ")
                    .texts(values.iter().map(String::as_str));
            }
            Matching::Prefix(prefix) => {
                sql.push(" AND e.value >= ").text(prefix.as_str());
                sql.push(" AND e.value < ").text(end_of_prefix(prefix));
            }
            Matching::Range { from, to } => {
                if let Some(from) = from {
                    sql.push(" AND e.value >= ").text(from.as_str());
                }
                if let Some(to) = to {
                    sql.push(" AND e.value < ").text(to.as_str());
                }
            }
        }
        sql.push(" AND ").holds(
            "e",
            "e.owner",
            &self.coordinate.known,
            self.coordinate.valid_at,
        );
    }

    fn push_entry_place<T>(&self, sql: &mut Sql<'q, T>) {
        sql.push(" FROM entry e WHERE e.owner IN ")
            .texts(self.owners.iter().copied());
        sql.push(" AND e.domain = ")
            .small(self.search.domain.code());
        self.push_in_time(sql, "e.mode");
    }

    fn push_in_time<T>(&self, sql: &mut Sql<'q, T>, column: &str) {
        if let Some(in_time) = self.in_time {
            sql.push(in_time).push(column).push(")");
        }
    }

    /// The hits of the words with their rank: how many words match, exact before prefix before near.
    fn push_text<T>(&self, sql: &mut Sql<'q, T>) {
        sql.push("(SELECT w.owner, w.record_id, COUNT(*) * 1000 - SUM(w.q) AS rank FROM (");
        for (place, term) in self.terms.iter().enumerate() {
            if place > 0 {
                sql.push(" UNION ALL ");
            }
            sql.push("SELECT e.owner, e.record_id, MIN(CASE WHEN e.value = ")
                .text(term.word.clone());
            sql.push(if term.near.is_empty() {
                " THEN 0 ELSE 1 END) AS q"
            } else {
                " THEN 0 ELSE 2 END) AS q"
            });
            self.push_entry_place(sql);
            sql.push(" AND e.property IN ").texts(
                self.search
                    .text_properties
                    .iter()
                    .map(|property| &**property),
            );
            sql.push(" AND e.mode = ").small(WORD);
            if term.near.is_empty() {
                sql.push(" AND e.value >= ").text(term.word.clone());
                sql.push(" AND e.value < ").text(end_of_prefix(&term.word));
            } else {
                sql.push(" AND e.value IN ")
                    .texts(term.near.iter().cloned());
            }
            sql.push(" AND ").holds(
                "e",
                "e.owner",
                &self.coordinate.known,
                self.coordinate.valid_at,
            );
            sql.push(" GROUP BY e.owner, e.record_id");
        }
        sql.push(") AS w GROUP BY w.owner, w.record_id) AS m");
    }

    /// One value per record for each property that is sorted by.
    fn push_sort_joins<T>(&self, sql: &mut Sql<'q, T>) {
        for (place, key) in self.search.sort.iter().enumerate() {
            if let SortBy::Property { property, mode } = &key.by {
                let least = if key.descending { "MAX" } else { "MIN" };
                sql.push(&format!(
                    " LEFT JOIN (SELECT e.owner, e.record_id, {least}(e.value) AS v"
                ));
                self.push_entry_place(sql);
                sql.push(" AND e.property = ")
                    .text(&**property)
                    .push(" AND e.mode = ")
                    .small(mode_code(*mode));
                sql.push(" AND ").holds(
                    "e",
                    "e.owner",
                    &self.coordinate.known,
                    self.coordinate.valid_at,
                );
                sql.push(" GROUP BY e.owner, e.record_id) AS ");
                let name = format!("k{place}");
                sql.push(&name)
                    .push(" ON ")
                    .push(&name)
                    .push(".owner = r.owner AND ")
                    .push(&name)
                    .push(".record_id = r.id");
            }
        }
    }

    /// The expression of a sort key; what has no value comes last.
    fn push_key<T>(&self, sql: &mut Sql<'q, T>, place: usize) {
        let Some(key) = self.search.sort.get(place) else {
            return;
        };
        let last = if key.descending { "" } else { "\u{10ffff}" };
        match &key.by {
            SortBy::Property { .. } => {
                sql.push(&format!("COALESCE(k{place}.v, "))
                    .text(last)
                    .push(")");
            }
            SortBy::Display => {
                sql.push("COALESCE(s.display, ").text(last).push(")");
            }
            SortBy::ValidFrom => {
                sql.push("s.valid_from");
            }
            SortBy::RecordedAt => {
                sql.push("s.recorded_at");
            }
        }
    }

    /// The place of a row, as [`push_after`](Self::push_after) takes it.
    pub(crate) fn cursor(
        &self,
        row: &RecordRow,
        rank: i64,
        found: [Option<String>; 3],
    ) -> SearchCursor {
        let mut values = Vec::new();
        let display = |last: &str| row.display.clone().unwrap_or_else(|| last.to_owned());
        if self.is_ranked() {
            values.push(rank.to_string());
            values.push(display("\u{10ffff}"));
        }
        for (key, value) in self.search.sort.iter().zip(found) {
            let last = if key.descending { "" } else { "\u{10ffff}" };
            values.push(match &key.by {
                SortBy::Property { .. } => value.unwrap_or_else(|| last.to_owned()),
                SortBy::Display => display(last),
                SortBy::ValidFrom => row.period.from().to_string(),
                SortBy::RecordedAt => row.recorded_at.to_string(),
            });
        }
        SearchCursor { values, id: row.id }
    }

    /// Only what comes after the cursor: `a > x OR (a = x AND (b > y OR (b = y AND id > z)))`.
    fn push_after<T>(&self, sql: &mut Sql<'q, T>) {
        let Some(after) = &self.after else {
            return;
        };
        let mut values = after.values.iter();
        let mut open = 0;
        sql.push(" AND ");
        if self.is_ranked() {
            let rank = values
                .next()
                .and_then(|rank| rank.parse().ok())
                .unwrap_or_default();
            let display = values.next().map(String::as_str).unwrap_or_default();
            sql.push("(m.rank < ")
                .big(rank)
                .push(" OR (m.rank = ")
                .big(rank)
                .push(" AND (COALESCE(s.display, ");
            sql.text("\u{10ffff}")
                .push(") > ")
                .text(display.to_owned())
                .push(" OR (COALESCE(s.display, ")
                .text("\u{10ffff}");
            sql.push(") = ").text(display.to_owned()).push(" AND ");
            open += 4;
        }
        for (place, key) in self.search.sort.iter().enumerate() {
            let Some(value) = values.next() else {
                break;
            };
            sql.push("(");
            self.push_key(sql, place);
            sql.push(if key.descending { " < " } else { " > " });
            push_value(sql, &key.by, value);
            sql.push(" OR (");
            self.push_key(sql, place);
            sql.push(" = ");
            push_value(sql, &key.by, value);
            sql.push(" AND ");
            open += 2;
        }
        sql.push("r.id > ").id(RecordId::from(after.id.uuid()));
        sql.push(&")".repeat(open));
    }
}

fn push_value<'q, T>(sql: &mut Sql<'q, T>, by: &SortBy, value: &str) {
    match by {
        SortBy::Property { .. } | SortBy::Display => sql.text(value.to_owned()),
        SortBy::ValidFrom => sql.day(value.parse().unwrap_or(NaiveDate::MIN)),
        SortBy::RecordedAt => sql.moment(value.parse().unwrap_or(Instant::FOREVER)),
    };
}

fn push_relations<'q, T>(sql: &mut Sql<'q, T>, relations: &'q [Arc<str>]) {
    match relations {
        [] => {}
        [only] => {
            sql.push(" AND l.relation = ").text(&**only);
        }
        several => {
            sql.push(" AND l.relation IN ")
                .texts(several.iter().map(|relation| &**relation));
        }
    }
}
