//! What a leaf commits to: the texts of the ten parts of an entry, and reading them back from the rows.

use std::collections::{BTreeMap, HashMap};

use diesel::sql_types::{Binary, Nullable, SmallInt, Text};
use grunddata_information_model::{InformationModel, Resolved};
use grunddata_log_proof::entry::{CLASSES, COUNT, Opening, TIMELINE, leaf};
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{Instant, OwnerKey, Period, RecordId};
use serde_json::json;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::read::{ChangeEntry, Parts, Types, entry};
use crate::sql::Sql;
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::write::{domain, period, reload};

type RowTypes = (Types, (Nullable<Binary>, Nullable<Binary>));
type StateTypes = (
    SqlId,
    SmallInt,
    (SqlDay, SqlDay),
    (SqlMoment, SqlMoment),
    Text,
    Text,
);

/// Records whose states are read at a time.
const RECORDS: usize = 64;

/// What of an entry is not in its states.
pub(crate) struct Facts<'a> {
    pub(crate) record: RecordId,
    pub(crate) domain: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) version: u32,
    pub(crate) recorded_at: Instant,
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
    put_states(timeline, classes, states)?;
    Ok(contents)
}

/// The texts of the parts that say the states of a record: `timeline`, and those of the four privacy classes. The states are all
/// that were believed after the change, by valid time.
///
/// # Errors
/// [`StoreError::Model`] for data that cannot be divided by its classes.
pub fn state_parts<'s>(
    states: impl Iterator<Item = (Period, &'s Resolved)>,
) -> Result<[String; COUNT - TIMELINE], StoreError> {
    let mut parts = [const { String::new() }; COUNT - TIMELINE];
    let [timeline, classes @ ..] = &mut parts;
    put_states(timeline, classes, states)?;
    Ok(parts)
}

fn put_states<'s>(
    timeline: &mut String,
    classes: &mut [String; COUNT - CLASSES],
    states: impl Iterator<Item = (Period, &'s Resolved)>,
) -> Result<(), StoreError> {
    use std::fmt::Write as _;
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
    Ok(())
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

/// Entries of an owner's log in order, chosen by what `choose` adds to a condition on the change `c`.
pub(crate) fn entries(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    choose: &dyn Fn(&mut Chosen<'_>),
) -> Result<Vec<StoredEntry>, StoreError> {
    let mut found = Vec::new();
    for_entries(connection, model, owner, choose, &mut |_, entry| {
        found.push(entry);
        Ok(())
    })?;
    found.sort_unstable_by_key(|entry| entry.change.position);
    Ok(found)
}

/// Gives the same one by one, record by record: what is held at a time are the states of a few records and the texts of one
/// entry, however many versions there are.
pub(crate) fn for_entries(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    choose: &dyn Fn(&mut Chosen<'_>),
    each: &mut dyn FnMut(&mut Connection, StoredEntry) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    type RowParts = (Parts, (Option<Vec<u8>>, Option<Vec<u8>>));
    let mut sql = Chosen::new(&format!(
        "{}, c.leaf, c.opening FROM change c WHERE c.owner = ",
        crate::read::CHANGE_COLUMNS.trim_end_matches(" FROM ")
    ));
    sql.text(owner.as_str().to_owned());
    choose(&mut sql);
    let rows: Vec<RowParts> = connection.load(&sql)?;
    let mut changes: BTreeMap<RecordId, Vec<Row>> = BTreeMap::new();
    for (parts, (leaf, opening)) in rows {
        let change = entry(parts)?;
        let wrong = || StoreError::disagrees(format!("the leaf of position {}", change.position));
        let leaf = leaf
            .map(|leaf| leaf.try_into().map(Hash).map_err(|_| wrong()))
            .transpose()?;
        let opening = opening
            .map(|opening| Opening::from_bytes(&opening).ok_or_else(wrong))
            .transpose()?;
        changes
            .entry(change.record)
            .or_default()
            .push((change, leaf, opening));
    }
    let mut changes = changes.into_iter().peekable();
    while changes.peek().is_some() {
        let some: Vec<(RecordId, Vec<Row>)> = changes.by_ref().take(RECORDS).collect();
        let states = believed(connection, model, owner, &some)?;
        for (record, rows) in some {
            let states = states.get(&record).map_or(&[][..], Vec::as_slice);
            for (change, leaf, opening) in rows {
                let then = states
                    .iter()
                    .filter(|state| state.was_believed(change.recorded_at));
                let contents = contents_of(
                    &Facts::of(&change),
                    then.map(|state| (state.period, &state.value)),
                )?;
                let entry = StoredEntry {
                    change,
                    contents,
                    leaf,
                    opening,
                };
                each(connection, entry)?;
            }
        }
    }
    Ok(())
}

type Row = (ChangeEntry, Option<Hash>, Option<Opening>);

/// A state, and how long it was believed.
struct Believed {
    period: Period,
    recorded_at: Instant,
    superseded_at: Instant,
    value: Resolved,
}

impl Believed {
    fn was_believed(&self, at: Instant) -> bool {
        self.recorded_at <= at && at < self.superseded_at
    }
}

/// The states of these records by valid time that were believed at some time from their first to their last change here.
fn believed(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    changes: &[(RecordId, Vec<Row>)],
) -> Result<HashMap<RecordId, Vec<Believed>>, StoreError> {
    type StateParts = (Id, i16, (Day, Day), (Moment, Moment), String, String);
    let mut found: HashMap<RecordId, Vec<Believed>> = HashMap::new();
    let instants = || {
        let rows = changes.iter().flat_map(|(_, rows)| rows);
        rows.map(|(change, ..)| change.recorded_at)
    };
    let (Some(first), Some(last)) = (instants().min(), instants().max()) else {
        return Ok(found);
    };
    let mut sql = Sql::<StateTypes>::new(
        "SELECT s.record_id, s.domain, s.valid_from, s.valid_to, s.recorded_at, s.superseded_at, s.model, s.body \
         FROM state s WHERE s.owner = ",
    );
    sql.text(owner.as_str())
        .push(" AND s.record_id IN ")
        .ids(changes.iter().map(|(record, _)| *record));
    sql.push(" AND s.superseded_at > ").moment(first);
    sql.push(" AND s.recorded_at <= ").moment(last);
    sql.push(" ORDER BY s.record_id, s.valid_from");
    for (id, code, (from, to), (recorded, superseded), name, body) in
        connection.load::<_, StateParts>(&sql)?
    {
        found.entry(id.record()).or_default().push(Believed {
            period: period(from, to)?,
            recorded_at: recorded.0,
            superseded_at: superseded.0,
            value: reload(model, domain(code)?, &name, body)?,
        });
    }
    Ok(found)
}

/// A statement about the changes `c` of one owner.
pub(crate) type Chosen<'b> = Sql<'b, RowTypes>;

impl Chosen<'_> {
    /// ` AND c.position > after AND c.position <= until`
    pub(crate) fn between(&mut self, after: u64, until: u64) {
        let (after, until) = (
            i64::try_from(after).unwrap_or(i64::MAX),
            i64::try_from(until).unwrap_or(i64::MAX),
        );
        self.push(" AND c.position > ")
            .big(after)
            .push(" AND c.position <= ")
            .big(until);
    }

    /// ` AND c.position IN (…)`
    pub(crate) fn positions(&mut self, positions: &[u64]) {
        let all = positions
            .iter()
            .map(|position| i64::try_from(*position).unwrap_or(i64::MAX));
        self.push(" AND c.position IN ").bigs(all);
    }

    /// ` AND c.record_id IN (…)`
    pub(crate) fn records(&mut self, ids: &[RecordId]) {
        self.push(" AND c.record_id IN ").ids(ids.iter().copied());
    }
}
