//! The rows of links, identifiers and index entries: exactly what follows from the bodies, version by version.
//!
//! Identifiers and entries have no index by record. Those that are expected are looked up by their keys; that there are
//! no others follows from their number.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use diesel::sql_types::{BigInt, SmallInt, Text};
use grunddata_model::{Instant, OwnerKey, Period, RecordId};

use crate::error::StoreError;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::verify::record::{Changes, States, StoredState, believed_at};
use crate::verify::{Expected, Verifier};
use crate::write::{Derived, derived, period};

/// What a row says (its key, parts apart by NUL, which no value holds), its period, and how long it was believed.
type Row = (String, Period, Instant, Instant);

impl Verifier<'_> {
    pub(super) fn check_rows(
        &mut self,
        owner: &OwnerKey,
        ids: &[RecordId],
        states: &States,
        changes: &Changes,
        expected: &mut Expected,
    ) -> Result<(), StoreError> {
        let mut links = self.stored_links(owner, ids)?;
        for id in ids {
            let states = states.get(id).map(Vec::as_slice).unwrap_or_default();
            let mut history = History::default();
            for change in changes.get(id).into_iter().flatten() {
                if let Ok((timeline, _)) = believed_at(states, change.instant) {
                    history.advance(&derived(&timeline), change.instant);
                }
            }
            let domain = states
                .first()
                .map(|state| state.value.domain().code())
                .unwrap_or_default();
            expected.pending += pending_now(states);
            expected.waited += waited_ever(states);
            let found = links.remove(id).unwrap_or_default();
            self.compare(owner, *id, "links-agree", history.links.finish(), found);
            let wanted = history.identifiers.finish();
            expected.identifiers += wanted.len();
            let found = self.stored_identifiers(owner, *id, &wanted)?;
            self.compare(owner, *id, "identifiers-agree", wanted, found);
            let wanted = history.entries.finish();
            expected.entries += wanted.len();
            let found = self.stored_entries(owner, *id, domain, &wanted)?;
            self.compare(owner, *id, "entries-agree", wanted, found);
        }
        Ok(())
    }

    fn compare(
        &mut self,
        owner: &OwnerKey,
        id: RecordId,
        rule: &'static str,
        mut wanted: Vec<Row>,
        mut found: Vec<Row>,
    ) {
        wanted.sort_unstable();
        found.sort_unstable();
        if wanted != found {
            let missing = wanted
                .iter()
                .filter(|row| found.binary_search(row).is_err())
                .count();
            let excess = found
                .iter()
                .filter(|row| wanted.binary_search(row).is_err())
                .count();
            let detail = format!("{missing} rows are missing, {excess} are too many or differ");
            self.found(owner, Some(id), rule, detail);
        }
    }

    fn stored_links(
        &mut self,
        owner: &OwnerKey,
        ids: &[RecordId],
    ) -> Result<HashMap<RecordId, Vec<Row>>, StoreError> {
        let mut sql = Sql::<(SqlId, Text, SqlId, SqlDay, SqlDay, SqlMoment, SqlMoment)>::new(
            "SELECT l.source_id, l.relation, l.target_id, l.valid_from, l.valid_to, l.recorded_at, l.superseded_at \
             FROM link l WHERE l.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND l.source_id IN ")
            .ids(ids.iter().copied());
        let rows: Vec<(Id, String, Id, Day, Day, Moment, Moment)> = self.connection.load(&sql)?;
        let mut links: HashMap<RecordId, Vec<Row>> = HashMap::new();
        for (source, relation, target, from, to, recorded, superseded) in rows {
            let said = link_said(&relation, target.record());
            let row = (said, period(from, to)?, recorded.0, superseded.0);
            links.entry(source.record()).or_default().push(row);
        }
        Ok(links)
    }

    fn stored_identifiers(
        &mut self,
        owner: &OwnerKey,
        id: RecordId,
        wanted: &[Row],
    ) -> Result<Vec<Row>, StoreError> {
        let keys: BTreeSet<(&str, &str)> = wanted
            .iter()
            .filter_map(|row| {
                let mut parts = row.0.split('\0');
                Some((parts.next()?, parts.next()?))
            })
            .collect();
        let mut found = Vec::new();
        for (scheme, value) in keys {
            let mut sql = Sql::<(Text, Text, SqlDay, SqlDay, SqlMoment, SqlMoment)>::new(
                "SELECT i.issuer, i.status, i.valid_from, i.valid_to, i.recorded_at, i.superseded_at \
                 FROM identifier i WHERE i.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND i.scheme = ")
                .text(scheme)
                .push(" AND i.value = ")
                .text(value);
            sql.push(" AND i.record_id = ").id(id);
            let rows: Vec<(String, String, Day, Day, Moment, Moment)> =
                self.connection.load(&sql)?;
            for (issuer, status, from, to, recorded, superseded) in rows {
                let said = [scheme, value, &issuer, &status].join("\0");
                found.push((said, period(from, to)?, recorded.0, superseded.0));
            }
        }
        Ok(found)
    }

    fn stored_entries(
        &mut self,
        owner: &OwnerKey,
        id: RecordId,
        domain: i16,
        wanted: &[Row],
    ) -> Result<Vec<Row>, StoreError> {
        let keys: BTreeSet<&str> = wanted.iter().map(|row| row.0.as_str()).collect();
        let keys: Vec<Vec<Bind<'_>>> = keys
            .into_iter()
            .filter_map(|key| {
                let mut parts = key.splitn(3, '\0');
                let (property, mode, value) =
                    (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
                Some(vec![
                    Bind::Text(property.into()),
                    Bind::Small(mode),
                    Bind::Text(value.into()),
                ])
            })
            .collect();
        let mut found = Vec::new();
        for chunk in keys.chunks(LIST) {
            let mut sql = Sql::<(Text, SmallInt, Text, SqlDay, SqlDay, SqlMoment, SqlMoment)>::new(
                "SELECT e.property, e.mode, e.value, e.valid_from, e.valid_to, e.recorded_at, e.superseded_at FROM ",
            );
            let padding = vec![
                Bind::Text("".into()),
                Bind::Small(-1),
                Bind::Text("".into()),
            ];
            let size = chunk.len().next_power_of_two();
            sql.rows(
                "w",
                chunk
                    .iter()
                    .cloned()
                    .chain(std::iter::repeat(padding))
                    .take(size),
            );
            sql.push(crate::dialect::ordered_join(self.connection));
            sql.push("entry e ON e.property = w.column1 AND e.mode = w.column2 AND e.value = w.column3 WHERE e.owner = ");
            sql.text(owner.as_str())
                .push(" AND e.domain = ")
                .small(domain)
                .push(" AND e.record_id = ")
                .id(id);
            let rows: Vec<(String, i16, String, Day, Day, Moment, Moment)> =
                self.connection.load(&sql)?;
            for (property, mode, value, from, to, recorded, superseded) in rows {
                let said = entry_said(&property, mode, &value);
                found.push((said, period(from, to)?, recorded.0, superseded.0));
            }
        }
        Ok(found)
    }

    /// Compares how many identifiers and entries there are with how many follow from the bodies.
    pub(super) fn check_numbers(
        &mut self,
        owner: &OwnerKey,
        expected: Expected,
    ) -> Result<(), StoreError> {
        for (table, rule, expected) in [
            ("identifier", "identifiers-number", expected.identifiers),
            ("entry", "entries-number", expected.entries),
            ("pending_reference", "pending-number", expected.pending),
            ("waited_reference", "waited-number", expected.waited),
        ] {
            let mut sql =
                Sql::<(BigInt,)>::new(&format!("SELECT COUNT(*) FROM {table} x WHERE x.owner = "));
            sql.text(owner.as_str());
            let stored: Option<(i64,)> = self.connection.first(&sql)?;
            let stored = stored
                .and_then(|(count,)| usize::try_from(count).ok())
                .unwrap_or_default();
            if stored != expected {
                self.found(
                    owner,
                    None,
                    rule,
                    format!("{stored} rows, and {expected} follow from the bodies"),
                );
            }
        }
        Ok(())
    }
}

/// How many identifiers a record waits for, as believed now.
fn pending_now(states: &[StoredState]) -> usize {
    let believed = |state: &&StoredState| state.superseded_at == Instant::FOREVER;
    waited_for(states.iter().filter(believed))
}

/// How many identifiers some version of a record waits for.
fn waited_ever(states: &[StoredState]) -> usize {
    waited_for(states.iter())
}

fn waited_for<'s>(states: impl Iterator<Item = &'s StoredState>) -> usize {
    let waiting: BTreeSet<(&str, &str)> = states
        .flat_map(|state| state.value.pending())
        .map(|pending| (pending.scheme.as_str(), pending.value.as_str()))
        .collect();
    waiting.len()
}

fn link_said(relation: &str, target: RecordId) -> String {
    format!("{relation}\0{target}")
}

fn entry_said(property: &str, mode: i16, value: &str) -> String {
    format!("{property}\0{mode}\0{value}")
}

/// The rows of one table, built version by version.
#[derive(Default)]
struct Believed {
    open: BTreeMap<(String, Period), Instant>,
    done: Vec<Row>,
}

impl Believed {
    fn advance(&mut self, now: impl Iterator<Item = (String, Period)>, instant: Instant) {
        let now: HashSet<(String, Period)> = now.collect();
        let gone: Vec<(String, Period)> = self
            .open
            .keys()
            .filter(|key| !now.contains(*key))
            .cloned()
            .collect();
        for key in gone {
            if let Some(since) = self.open.remove(&key) {
                self.done.push((key.0, key.1, since, instant));
            }
        }
        for key in now {
            self.open.entry(key).or_insert(instant);
        }
    }

    fn finish(mut self) -> Vec<Row> {
        let open = self.open.into_iter();
        self.done
            .extend(open.map(|((said, period), since)| (said, period, since, Instant::FOREVER)));
        self.done
    }
}

/// The rows of all three tables.
#[derive(Default)]
struct History {
    links: Believed,
    identifiers: Believed,
    entries: Believed,
}

impl History {
    fn advance(&mut self, now: &Derived<'_>, instant: Instant) {
        let links = now.links.iter();
        self.links.advance(
            links.map(|(key, period)| (link_said(key.relation, key.target), *period)),
            instant,
        );
        let identifiers = now.identifiers.iter().map(|(key, period)| {
            let said = [key.scheme, key.value, key.issuer, key.status].join("\0");
            (said, *period)
        });
        self.identifiers.advance(identifiers, instant);
        let entries = now.entries.iter();
        self.entries.advance(
            entries.map(|(key, period)| (entry_said(key.property, key.mode, key.value), *period)),
            instant,
        );
    }
}
