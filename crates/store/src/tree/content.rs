//! What a leaf commits to: the texts of the ten parts of an entry, and reading them back from the rows.

use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text};
use grunddata_information_model::{InformationModel, Resolved};
use grunddata_log_proof::entry::{CLASSES, COUNT, Opening, leaf};
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{OwnerKey, Period};
use serde_json::json;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::read::{ChangeEntry, Parts, Types, entry};
use crate::sql::Sql;
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::write::{domain, period, reload};

type RowTypes = (Types, (Nullable<Binary>, Nullable<Binary>));
type StateTypes = (BigInt, SqlId, SmallInt, SqlDay, SqlDay, Text, Text);

/// What of an entry is not in its states.
pub(crate) struct Facts<'a> {
    pub(crate) record: grunddata_model::RecordId,
    pub(crate) domain: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) version: u32,
    pub(crate) recorded_at: grunddata_model::Instant,
    pub(crate) transaction: grunddata_model::TransactionId,
    pub(crate) change_kind: &'a str,
    pub(crate) corrects: Option<u32>,
    pub(crate) actor: &'a str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) source: Option<&'a str>,
    pub(crate) touched: Period,
}

impl<'a> Facts<'a> {
    fn of(change: &'a ChangeEntry) -> Self {
        Self {
            record: change.record,
            domain: change.domain.as_str(),
            operation: change.operation.as_str(),
            version: change.version,
            recorded_at: change.recorded_at,
            transaction: change.transaction,
            change_kind: change.change_kind.as_str(),
            corrects: change.corrects,
            actor: &change.actor,
            reason: change.reason.as_deref(),
            source: change.source.as_deref(),
            touched: change.touched,
        }
    }
}

/// The texts of the parts. The states are all that were believed after the change, by valid time.
pub(crate) fn contents_of<'s>(
    facts: &Facts<'_>,
    states: impl Iterator<Item = (Period, &'s Resolved)>,
) -> Result<[String; COUNT], StoreError> {
    let mut contents = [const { String::new() }; COUNT];
    let [said, actor, reason, source, period, timeline, classes @ ..] = &mut contents;
    use std::fmt::Write as _;
    // Into memory, which cannot fail; none of these needs an escape.
    let _ = write!(
        said,
        "[\"{}\",\"{}\",\"{}\",{},\"{}\",\"{}\",\"{}\",",
        facts.record,
        facts.domain,
        facts.operation,
        facts.version,
        facts.recorded_at,
        facts.transaction,
        facts.change_kind,
    );
    match facts.corrects {
        Some(version) => {
            let _ = write!(said, "{version}]");
        }
        None => said.push_str("null]"),
    }
    *actor = json!(facts.actor).to_string();
    for (text, said) in [(reason, facts.reason), (source, facts.source)] {
        match said {
            Some(said) => *text = json!(said).to_string(),
            None => text.push_str("null"),
        }
    }
    period.push('[');
    put_period(period, &facts.touched);
    period.push(']');
    timeline.push('[');
    for class in classes.iter_mut() {
        class.push('[');
    }
    for (number, (period, value)) in states.enumerate() {
        let comma = if number > 0 { "," } else { "" };
        timeline.push_str(comma);
        timeline.push('[');
        put_period(timeline, &period);
        // Names and versions of packages: nothing that needs an escape.
        let _ = write!(timeline, ",\"{}\"]", value.model());
        for class in classes.iter_mut() {
            class.push_str(comma);
        }
        value
            .push_by_class(classes)
            .map_err(|error| StoreError::Model(error.to_string().into()))?;
    }
    timeline.push(']');
    for class in classes.iter_mut() {
        class.push(']');
    }
    debug_assert_eq!(classes.len(), COUNT - CLASSES);
    Ok(contents)
}

/// A period as it is shown: the beginning of time is `"unknown"`, no end is `null`.
fn put_period(out: &mut String, period: &Period) {
    use std::fmt::Write as _;
    match period.valid_from() {
        Some(from) => {
            let _ = write!(out, "\"{from}\",");
        }
        None => out.push_str("\"unknown\","),
    }
    match period.valid_to() {
        Some(to) => {
            let _ = write!(out, "\"{to}\"");
        }
        None => out.push_str("null"),
    }
}

/// An entry of a log as the rows say it.
pub(crate) struct StoredEntry {
    pub(crate) change: ChangeEntry,
    pub(crate) contents: [String; COUNT],
    /// Its leaf; `None` = the tree has not grown over it.
    pub(crate) leaf: Option<Hash>,
    pub(crate) opening: Option<Opening>,
}

impl StoredEntry {
    /// The leaf that follows from what the rows say.
    pub(crate) fn computed(&self, owner: &OwnerKey, opening: &Opening) -> Hash {
        leaf(
            owner.as_str(),
            self.change.position,
            &opening.commitments(&self.contents),
        )
    }
}

/// Entries of an owner's log in order, chosen by what `choose` adds to a condition on `c`.
pub(crate) fn entries(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    choose: &dyn Fn(&mut Condition<'_, '_>),
) -> Result<Vec<StoredEntry>, StoreError> {
    type RowParts = (Parts, (Option<Vec<u8>>, Option<Vec<u8>>));
    type StateParts = (i64, Id, i16, Day, Day, String, String);
    let mut sql = Sql::<RowTypes>::new(&format!(
        "{}, c.leaf, c.opening FROM change c WHERE c.owner = ",
        crate::read::CHANGE_COLUMNS.trim_end_matches(" FROM ")
    ));
    sql.text(owner.as_str().to_owned());
    choose(&mut Condition::Changes(&mut sql));
    sql.push(" ORDER BY c.position");
    let rows: Vec<RowParts> = connection.load(&sql)?;
    let mut sql = Sql::<StateTypes>::new(
        "SELECT c.position, s.record_id, s.domain, s.valid_from, s.valid_to, s.model, s.body FROM change c \
         JOIN state s ON s.owner = c.owner AND s.record_id = c.record_id AND s.superseded_at > c.recorded_at \
         AND s.recorded_at <= c.recorded_at WHERE c.owner = ",
    );
    sql.text(owner.as_str().to_owned());
    choose(&mut Condition::States(&mut sql));
    sql.push(" ORDER BY c.position, s.valid_from");
    let states: Vec<StateParts> = connection.load(&sql)?;
    let mut states = states.into_iter().peekable();
    let mut found = Vec::with_capacity(rows.len());
    for (parts, (leaf, opening)) in rows {
        let change = entry(parts)?;
        let mut believed: Vec<(Period, Resolved)> = Vec::new();
        let position = i64::try_from(change.position).unwrap_or(i64::MAX);
        while let Some((_, _, code, from, to, name, body)) =
            states.next_if(|(at, ..)| *at == position)
        {
            let value = reload(model, domain(code)?, &name, body)?;
            believed.push((period(from, to)?, value));
        }
        let contents = contents_of(
            &Facts::of(&change),
            believed.iter().map(|(period, value)| (*period, value)),
        )?;
        let wrong = || StoreError::disagrees(format!("the leaf of position {}", change.position));
        let leaf = leaf
            .map(|leaf| leaf.try_into().map(Hash).map_err(|_| wrong()))
            .transpose()?;
        let opening = opening
            .map(|opening| Opening::from_bytes(&opening).ok_or_else(wrong))
            .transpose()?;
        found.push(StoredEntry {
            change,
            contents,
            leaf,
            opening,
        });
    }
    Ok(found)
}

/// A condition that is added to both statements of [`entries`].
pub(crate) enum Condition<'s, 'b> {
    Changes(&'s mut Sql<'b, RowTypes>),
    States(&'s mut Sql<'b, StateTypes>),
}

impl Condition<'_, '_> {
    /// ` AND c.position > after AND c.position <= until`
    pub(crate) fn between(&mut self, after: u64, until: u64) {
        let (after, until) = (
            i64::try_from(after).unwrap_or(i64::MAX),
            i64::try_from(until).unwrap_or(i64::MAX),
        );
        macro_rules! put {
            ($sql:expr) => {
                $sql.push(" AND c.position > ")
                    .big(after)
                    .push(" AND c.position <= ")
                    .big(until)
            };
        }
        match self {
            Self::Changes(sql) => drop(put!(sql)),
            Self::States(sql) => drop(put!(sql)),
        }
    }

    /// ` AND c.position IN (…)`
    pub(crate) fn positions(&mut self, positions: &[u64]) {
        let all = positions
            .iter()
            .map(|position| i64::try_from(*position).unwrap_or(i64::MAX));
        match self {
            Self::Changes(sql) => drop(sql.push(" AND c.position IN ").bigs(all)),
            Self::States(sql) => drop(sql.push(" AND c.position IN ").bigs(all)),
        }
    }

    /// ` AND c.record_id IN (…)`
    pub(crate) fn records(&mut self, ids: &[grunddata_model::RecordId]) {
        let all = ids.iter().copied();
        match self {
            Self::Changes(sql) => drop(sql.push(" AND c.record_id IN ").ids(all)),
            Self::States(sql) => drop(sql.push(" AND c.record_id IN ").ids(all)),
        }
    }
}
