//! What a batch reads: records with their believed timelines, identifiers, links, outcomes. Each in chunked, set-wise
//! statements; the owner's counter row is locked by then, so that what belongs to the owner cannot change underneath.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::sql_types::{Binary, Integer, Nullable, SmallInt, Text};
use grunddata_information_model::{InformationModel, Resolved};
use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId, SchemeCode, State, Timeline};

use crate::connection::Connection;
use crate::dialect::ordered_join;
use crate::error::StoreError;
use crate::sql::{Bind, LIST, NO_ID, Sql};
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::write::claims::Claim;
use crate::write::inbound::Inbound;
use crate::write::overlay::Batch;
use crate::write::protection::of_columns;
use crate::write::staged::{RecordImage, RecordStatus, StoredOutcome};

pub(crate) type HeadTypes = (
    SqlId,
    Text,
    SmallInt,
    Nullable<SqlId>,
    Nullable<SqlId>,
    Nullable<Text>,
    Integer,
    SmallInt,
    SqlDay,
    SmallInt,
);
type Head = (
    Id,
    String,
    i16,
    Option<Id>,
    Option<Id>,
    Option<String>,
    i32,
    i16,
    Day,
    i16,
);
type ClaimParts = (String, String, String, Id, String, Day, Day, String);
type StateTypes = (SqlId, SqlDay, SqlDay, SmallInt, Text, Text);
pub(crate) type StateParts = (Id, Day, Day, i16, String, String);

pub(crate) fn domain(code: i16) -> Result<Domain, StoreError> {
    Domain::from_code(code).ok_or_else(|| StoreError::disagrees(format!("unknown domain {code}")))
}

pub(crate) fn owner_key(text: &str) -> Result<OwnerKey, StoreError> {
    OwnerKey::new(text).map_err(|_| StoreError::disagrees(format!("owner {text:?}")))
}

pub(crate) fn period(from: Day, to: Day) -> Result<Period, StoreError> {
    Period::new(from.0, to.0).map_err(|error| StoreError::disagrees(error.to_string()))
}

pub(crate) fn reload(
    model: &InformationModel,
    domain: Domain,
    name: &str,
    body: String,
) -> Result<Resolved, StoreError> {
    model
        .reload(domain, name, Arc::from(body))
        .map_err(|error| StoreError::Model(error.to_string().into()))
}

/// The timelines of rows that are sorted by record.
pub(crate) fn timelines(
    model: &InformationModel,
    rows: Vec<StateParts>,
) -> Result<HashMap<RecordId, Timeline<Resolved>>, StoreError> {
    let mut states: HashMap<RecordId, Vec<State<Resolved>>> = HashMap::new();
    for (id, from, to, domain_code, name, body) in rows {
        let value = reload(model, domain(domain_code)?, &name, body)?;
        states
            .entry(id.record())
            .or_default()
            .push(State::new(period(from, to)?, value));
    }
    states
        .into_iter()
        .map(|(id, states)| {
            let timeline = Timeline::new(states)
                .map_err(|error| StoreError::disagrees(format!("the states of {id}: {error}")))?;
            Ok((id, timeline))
        })
        .collect()
}

impl Batch {
    /// Reads the records that are not known yet.
    pub(crate) fn load_records(&mut self, ids: &[RecordId]) -> Result<(), StoreError> {
        let mut missing: Vec<RecordId> = ids
            .iter()
            .copied()
            .filter(|id| !self.stored.contains_key(id) && !self.layer.records.contains_key(id))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        for chunk in missing.chunks(LIST) {
            let mut heads = Sql::<HeadTypes>::new(
                "SELECT d.id, d.owner, d.domain, d.forward_to, r.controller, r.origin, r.version, r.status, r.protected_until, r.protection \
                 FROM directory_id d JOIN record r ON r.owner = d.owner AND r.id = d.id WHERE d.id IN ",
            );
            heads.ids(chunk.iter().copied());
            let heads: Vec<Head> = self.connection.load(&heads)?;
            let mut highest: HashMap<RecordId, u8> = HashMap::new();
            let mut timelines = if heads.is_empty() {
                HashMap::new()
            } else {
                let mut states = Sql::<(StateTypes, SmallInt)>::new(
                    "SELECT s.record_id, s.valid_from, s.valid_to, s.domain, s.model, s.body, s.protection \
                     FROM directory_id d JOIN state s ON s.owner = d.owner AND s.record_id = d.id \
                     WHERE s.superseded_at = ",
                );
                states
                    .forever()
                    .push(" AND d.id IN ")
                    .ids(chunk.iter().copied());
                let rows: Vec<(StateParts, i16)> = self.connection.load(&states)?;
                let mut states = Vec::with_capacity(rows.len());
                for (state, level) in rows {
                    let highest = highest.entry(state.0.record()).or_default();
                    *highest = u8::try_from(level).unwrap_or(u8::MAX).max(*highest);
                    states.push(state);
                }
                timelines(&self.model, states)?
            };
            for head in heads {
                let (
                    id,
                    owner,
                    domain_code,
                    forward_to,
                    controller,
                    origin,
                    version,
                    status,
                    until,
                    level,
                ) = head;
                let id = id.record();
                let image = RecordImage {
                    id,
                    domain: domain(domain_code)?,
                    owner: owner_key(&owner)?,
                    controller: controller.map(Id::record),
                    origin: origin.map(Arc::from),
                    version: u32::try_from(version).unwrap_or_default(),
                    status: RecordStatus::from_code(status)
                        .ok_or_else(|| StoreError::disagrees(format!("the status of {id}")))?,
                    forward_to: forward_to.map(Id::record),
                    protection: of_columns(until, level),
                    highest: highest.remove(&id).unwrap_or_default(),
                    timeline: timelines.remove(&id).unwrap_or_default(),
                };
                self.stored.insert(id, Some(Arc::new(image)));
            }
            for id in chunk {
                self.stored.entry(*id).or_insert(None);
            }
        }
        Ok(())
    }

    /// Reads who holds the identifiers that are not known yet.
    pub(crate) fn load_claims(&mut self, pairs: &[(SchemeCode, String)]) -> Result<(), StoreError> {
        let mut missing: Vec<(SchemeCode, String)> = pairs
            .iter()
            .filter(|pair| !self.stored_claims.contains_key(*pair))
            .cloned()
            .collect();
        missing.sort_unstable();
        missing.dedup();
        for chunk in missing.chunks(LIST) {
            for pair in chunk {
                self.stored_claims.insert(pair.clone(), Vec::new());
            }
            let mut sql = Sql::<(Text, Text, Text, SqlId, Text, SqlDay, SqlDay, Text)>::new(
                "SELECT i.scheme, i.value, i.owner, i.record_id, i.issuer, i.valid_from, i.valid_to, i.status FROM ",
            );
            let wanted = chunk.iter().map(|(scheme, value)| {
                vec![
                    Bind::Text(scheme.as_str().into()),
                    Bind::Text(value.as_str().into()),
                ]
            });
            let padding = vec![Bind::Text("".into()), Bind::Text("".into())];
            let size = chunk.len().next_power_of_two();
            sql.rows("w", wanted.chain(std::iter::repeat(padding)).take(size));
            sql.push(ordered_join(&self.connection));
            sql.push("directory_identifier d ON d.scheme = w.column1 AND d.value = w.column2");
            sql.push(ordered_join(&self.connection));
            sql.push(
                "identifier i ON i.owner = d.owner AND i.scheme = d.scheme AND i.value = d.value \
                 AND i.record_id = d.record_id WHERE i.superseded_at = ",
            );
            sql.forever();
            let rows: Vec<ClaimParts> = self.connection.load(&sql)?;
            for (scheme, value, owner, record, issuer, from, to, status) in rows {
                let scheme = SchemeCode::new(&scheme)
                    .map_err(|_| StoreError::disagrees(format!("identifier scheme {scheme:?}")))?;
                let claim = Claim {
                    owner: owner_key(&owner)?,
                    record: record.record(),
                    period: period(from, to)?,
                    status,
                    issuer: Some(issuer).filter(|issuer| !issuer.is_empty()),
                };
                self.stored_claims
                    .entry((scheme, value))
                    .or_default()
                    .push(claim);
            }
        }
        Ok(())
    }

    /// Reads who refers to the records, where it is not known yet.
    pub(crate) fn load_inbound(&mut self, targets: &[RecordId]) -> Result<(), StoreError> {
        let mut missing: Vec<RecordId> = targets
            .iter()
            .copied()
            .filter(|id| !self.stored_inbound.contains_key(id))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        let owner = self.owner.clone();
        for chunk in missing.chunks(LIST) {
            let mut sql = Sql::<(SqlId, SqlId, SmallInt, Text, SqlDay, SqlDay)>::new(
                "SELECT l.target_id, l.source_id, l.source_domain, l.relation, l.valid_from, l.valid_to \
                 FROM link l WHERE l.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND l.superseded_at = ")
                .forever();
            sql.push(" AND l.target_id IN ").ids(chunk.iter().copied());
            let rows: Vec<(Id, Id, i16, String, Day, Day)> = self.connection.load(&sql)?;
            for id in chunk {
                self.stored_inbound.insert(*id, Vec::new());
            }
            for (target, source, source_domain, relation, from, to) in rows {
                let inbound = Inbound {
                    source: source.record(),
                    source_domain: domain(source_domain)?,
                    relation: Arc::from(relation),
                    period: period(from, to)?,
                };
                self.stored_inbound
                    .entry(target.record())
                    .or_default()
                    .push(inbound);
            }
        }
        Ok(())
    }

    /// Reads what is remembered under idempotency keys and not older than `since`.
    pub(crate) fn load_outcomes(
        &mut self,
        keys: &[[u8; 32]],
        since: Instant,
    ) -> Result<(), StoreError> {
        let missing: Vec<[u8; 32]> = keys
            .iter()
            .copied()
            .filter(|key| !self.stored_outcomes.contains_key(key))
            .collect();
        let owner = self.owner.clone();
        for chunk in missing.chunks(LIST) {
            let mut sql = Sql::<(Binary, Binary, Text)>::new(
                "SELECT w.column1, i.request_hash, i.outcome FROM ",
            );
            let wanted = chunk
                .iter()
                .map(|key| vec![Bind::Bytes(key.as_slice().into())]);
            let padding = vec![Bind::Bytes(NO_ID.0.as_bytes().to_vec().into())];
            let size = chunk.len().next_power_of_two();
            sql.rows("w", wanted.chain(std::iter::repeat(padding)).take(size));
            sql.push(ordered_join(&self.connection));
            sql.push("idempotency i ON i.key_hash = w.column1 WHERE i.owner = ")
                .text(owner.as_str())
                .push(" AND i.created_at > ")
                .moment(since);
            let rows: Vec<(Vec<u8>, Vec<u8>, String)> = self.connection.load(&sql)?;
            for key in chunk {
                self.stored_outcomes.insert(*key, None);
            }
            for (key, request, outcome) in rows {
                let (Ok(key), Ok(request_hash)) =
                    (<[u8; 32]>::try_from(key), <[u8; 32]>::try_from(request))
                else {
                    return Err(StoreError::disagrees("the hashes of an idempotency key"));
                };
                let stored = StoredOutcome {
                    request_hash,
                    outcome,
                };
                self.stored_outcomes.insert(key, Some(stored));
            }
        }
        Ok(())
    }
}

/// The timeline of a record as it was believed at an instant.
pub(crate) fn timeline_at(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    id: RecordId,
    instant: Instant,
) -> Result<Timeline<Resolved>, StoreError> {
    let mut sql = Sql::<StateTypes>::new(
        "SELECT s.record_id, s.valid_from, s.valid_to, s.domain, s.model, s.body FROM state s WHERE s.owner = ",
    );
    sql.text(owner.as_str()).push(" AND s.record_id = ").id(id);
    sql.push(" AND s.superseded_at > ").moment(instant);
    sql.push(" AND s.recorded_at <= ").moment(instant);
    let rows: Vec<StateParts> = connection.load(&sql)?;
    Ok(timelines(model, rows)?.remove(&id).unwrap_or_default())
}

/// The instant at which a version of a record was recorded.
pub(crate) fn instant_of_version(
    connection: &mut Connection,
    owner: &OwnerKey,
    id: RecordId,
    version: u32,
) -> Result<Option<Instant>, StoreError> {
    let Ok(version) = i32::try_from(version) else {
        return Ok(None);
    };
    let mut sql = Sql::<(crate::sql_types::SqlMoment,)>::new(
        "SELECT c.recorded_at FROM change c WHERE c.owner = ",
    );
    sql.text(owner.as_str()).push(" AND c.record_id = ").id(id);
    sql.push(" AND c.version = ").int(version);
    sql.push(" AND c.effective_on = ").not_effective();
    let found: Option<(crate::sql_types::Moment,)> = connection.first(&sql)?;
    Ok(found.map(|(moment,)| moment.0))
}
