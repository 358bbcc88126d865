//! Why a value is where it is: the change that brought it, the load that the change belongs to, and what each source says
//! of it.

use std::collections::BTreeMap;

use grunddata_model::{Domain, Instant, OwnerKey, RecordId};
use grunddata_store::{AssertionRow, Form, Known, Lookup, RecordRow, Visibility};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::leaves::{self, IDENTIFIERS};

use super::news::identifier_key;
use super::planner::read_said;
use crate::patch::merge as merge_patch;
use crate::registry::refuse_store;
use crate::{At, Context, Got, Refusal, Registry};

/// The most beliefs of one day that are looked through.
const MOST_BELIEFS: usize = 2_000;

/// Where the values of a record come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The record.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Its owner.
    pub owner: OwnerKey,
    /// Its version at the coordinate.
    pub version: u32,
    /// Its properties, by pointer: those that the reader is shown, and those that a source says and the record does not.
    pub properties: Vec<PropertyProvenance>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyProvenance {
    /// JSON Pointer into the data. Lists are told as a whole, identifiers one by one.
    pub pointer: String,
    /// The value; absent = the record does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The change that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introduced: Option<Introduced>,
    /// What sources say of it now.
    pub asserted: Vec<AssertedValue>,
}

/// The change that brought a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Introduced {
    /// The version.
    pub version: u32,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// By whom, for readers of the whole owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why, for the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// From which source, for the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The load that the change belongs to, for the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Uuid>,
}

/// What a source says of a property.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssertedValue {
    /// The source.
    pub source: String,
    /// The load that brought what it says.
    pub load: Uuid,
    /// What it says.
    pub value: Value,
    /// Whether the record says so too.
    pub agrees: bool,
}

impl Registry {
    /// Where each value of the state of a record at the coordinate comes from, as far as the reader may see it.
    ///
    /// # Errors
    /// Those of a get: [`Code::NotFound`](crate::Code::NotFound), [`Code::NotValidThen`](crate::Code::NotValidThen) and so
    /// on; [`Code::Forbidden`](crate::Code::Forbidden) for a person under protection who is not shown whole.
    pub fn provenance(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
    ) -> Result<Provenance, Refusal> {
        self.must_see_whole(context, domain, id, at)?;
        let record = match self.get(context, domain, id, at, None)? {
            Got::Found(found) => found.record,
            Got::Moved { into, .. } => {
                return Err(crate::transfers::transferred(id, Some(into)));
            }
            Got::Merged { .. } => return Err(Refusal::not_found(id)),
        };
        let data: Value = serde_json::from_str(&record.data).map_err(|_| Refusal::internal())?;
        let data = without_displays(data);
        let visibility = self.visibility(context)?;
        // Who works for an owner, and what feeds it, is for its own readers.
        let reads_owner = context.actor.reads_changes_of(&record.owner);
        let (beliefs, said, classes) = self
            .inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                let instant = coordinate.known.of(&record.owner);
                let beliefs =
                    reader.beliefs(&record.owner, id, at.valid_at, instant, MOST_BELIEFS)?;
                let said = if reads_owner {
                    reader.assertions_of(&record.owner, &[id])?
                } else {
                    Vec::new()
                };
                let today = reader.today();
                let found = reader.find(id, at.valid_at, Some(&coordinate.known), &visibility)?;
                let classes = match &found {
                    Lookup::Found { row, .. } => visibility
                        .sight(&row.seen(today))
                        .map_or(0, |sight| sight.classes),
                    _ => 0,
                };
                Ok((beliefs, said, classes))
            })
            .map_err(refuse_store)?;
        let mut properties = self.properties(&data);
        self.introduced(
            context,
            &record.owner,
            id,
            &beliefs,
            classes,
            &mut properties,
            &visibility,
        )?;
        for row in said.iter().filter(|row| row.present) {
            self.add_asserted(record.domain, row, &data, classes, at, &mut properties)?;
        }
        Ok(Provenance {
            id,
            domain: record.domain,
            owner: record.owner,
            version: record.version,
            properties: properties.into_values().collect(),
        })
    }

    /// The leaves of data, identifiers one by one.
    fn properties(&self, data: &Value) -> BTreeMap<String, PropertyProvenance> {
        let property = |pointer: String, value: Value| {
            let told = PropertyProvenance {
                pointer: pointer.clone(),
                value: Some(value),
                introduced: None,
                asserted: Vec::new(),
            };
            (pointer, told)
        };
        let mut properties: BTreeMap<String, PropertyProvenance> = leaves::leaves(data)
            .into_iter()
            .filter(|(pointer, _)| pointer != IDENTIFIERS)
            .map(|(pointer, value)| property(pointer, value.clone()))
            .collect();
        for (place, item) in identifiers(data).iter().enumerate() {
            let (pointer, told) = property(format!("{IDENTIFIERS}/{place}"), item.clone());
            properties.insert(pointer, told);
        }
        properties
    }

    /// Says of each value which change brought it: the first of the unbroken line of beliefs that hold it.
    #[expect(
        clippy::too_many_arguments,
        reason = "what a reader is told depends on all of it"
    )]
    fn introduced(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: RecordId,
        beliefs: &[RecordRow],
        classes: u8,
        properties: &mut BTreeMap<String, PropertyProvenance>,
        visibility: &Visibility,
    ) -> Result<(), Refusal> {
        let model = &self.inner.model;
        let mut first: BTreeMap<String, (u32, Instant)> = BTreeMap::new();
        let mut open: Vec<String> = properties.keys().cloned().collect();
        // The latest first.
        for row in beliefs {
            // Behind a state that the reader is not shown whole nothing is told.
            let sight = visibility.sight(&row.seen(context.now.date_time().date_naive()));
            if sight.is_none_or(|sight| sight.form != Form::Full) {
                break;
            }
            let body = model
                .withhold_from(row.domain, &row.model, &row.body, classes)
                .map_err(|_| Refusal::internal())?;
            let body: Value = serde_json::from_str(&body).map_err(|_| Refusal::internal())?;
            let items = identifiers(&body);
            open.retain(|pointer| {
                let Some(value) = properties.get(pointer).and_then(|told| told.value.as_ref())
                else {
                    return false;
                };
                let holds = if pointer.starts_with(IDENTIFIERS) {
                    items.contains(value)
                } else {
                    body.pointer(pointer) == Some(value)
                };
                if holds {
                    first.insert(pointer.clone(), (row.version, row.recorded_at));
                }
                holds
            });
        }
        let reads_owner = context.actor.reads_changes_of(owner);
        let mut told: BTreeMap<u32, Introduced> = BTreeMap::new();
        for (version, recorded_at) in first.values().copied() {
            if told.contains_key(&version) {
                continue;
            }
            let mut introduced = Introduced {
                version,
                recorded_at,
                actor: None,
                reason: None,
                source: None,
                load: None,
            };
            if reads_owner {
                let (change, load) = self
                    .inner
                    .store
                    .read(|reader| {
                        let before = Some(version.saturating_add(1));
                        let found = reader.history(id, &Known::latest(), visibility, before, 1)?;
                        let change = found
                            .into_iter()
                            .next()
                            .filter(|change| change.version == version);
                        let load = match &change {
                            Some(change) => {
                                reader.loads_of_transactions(owner, &[change.transaction])?
                            }
                            None => Vec::new(),
                        };
                        Ok((change, load))
                    })
                    .map_err(refuse_store)?;
                if let Some(change) = change {
                    introduced.actor = Some(change.actor);
                    introduced.reason = change.reason;
                    introduced.source = change.source;
                }
                introduced.load = load.first().map(|(_, load)| *load);
            }
            told.insert(version, introduced);
        }
        for (pointer, (version, _)) in first {
            if let Some(property) = properties.get_mut(&pointer) {
                property.introduced = told.get(&version).cloned();
            }
        }
        Ok(())
    }

    /// Adds what a source says.
    fn add_asserted(
        &self,
        domain: Domain,
        row: &AssertionRow,
        data: &Value,
        classes: u8,
        at: &At,
        properties: &mut BTreeMap<String, PropertyProvenance>,
    ) -> Result<(), Refusal> {
        let said = read_said(&row.content)?;
        let holds = |piece: &&super::assertion::Piece| {
            piece.start().is_none_or(|from| from <= at.valid_at)
                && piece.end().is_none_or(|to| at.valid_at < to)
        };
        let piece = said
            .pieces
            .iter()
            .find(holds)
            .or_else(|| said.pieces.last());
        let Some(piece) = piece else {
            return Ok(());
        };
        let model = &self.inner.model;
        let asserted = model
            .withhold_from(
                domain,
                &model.current().to_string(),
                &piece.resolved().to_string(),
                classes,
            )
            .map_err(|_| Refusal::internal())?;
        let asserted: Value = serde_json::from_str(&asserted).map_err(|_| Refusal::internal())?;
        let normal = self.normalised(domain, data, &asserted);
        let load_of = |pointer: &str| said.origins.get(pointer).copied().unwrap_or(row.first_load);
        for (pointer, value) in leaves::leaves(&asserted) {
            if pointer == IDENTIFIERS {
                continue;
            }
            let agrees = data.pointer(&pointer).is_some_and(|present| {
                present == value
                    || normal.as_ref().and_then(|normal| normal.pointer(&pointer)) == Some(present)
            });
            let told = AssertedValue {
                source: row.source.clone(),
                load: load_of(&pointer),
                value: value.clone(),
                agrees,
            };
            add(properties, pointer, told);
        }
        let present = identifiers(data);
        for item in identifiers(&asserted) {
            let key = identifier_key(model, &item);
            let place = present
                .iter()
                .position(|known| identifier_key(model, known) == key);
            let pointer = match place {
                Some(place) => format!("{IDENTIFIERS}/{place}"),
                None => format!("{IDENTIFIERS}/-"),
            };
            let told = AssertedValue {
                source: row.source.clone(),
                load: load_of(IDENTIFIERS),
                value: item,
                agrees: place.is_some(),
            };
            add(properties, pointer, told);
        }
        Ok(())
    }

    /// The data as they would be if the source's word counted in everything, as the model writes them; `None` where it would
    /// not accept them.
    fn normalised(&self, domain: Domain, data: &Value, asserted: &Value) -> Option<Value> {
        let mut whole = data.clone();
        let mut said = asserted.clone();
        if let Value::Object(members) = &mut said {
            members.remove("identifiers");
        }
        merge_patch(&mut whole, &said);
        let validated = self.inner.model.validate(domain, None, whole).ok()?;
        let resolved = validated.resolve(&mut |reference| match &reference.target {
            grunddata_information_model::Target::Id(id) => Some(*id),
            _ => None,
        });
        resolved.ok().map(|resolved| resolved.value())
    }
}

fn add(
    properties: &mut BTreeMap<String, PropertyProvenance>,
    pointer: String,
    told: AssertedValue,
) {
    properties
        .entry(pointer.clone())
        .or_insert_with(|| PropertyProvenance {
            pointer,
            value: None,
            introduced: None,
            asserted: Vec::new(),
        })
        .asserted
        .push(told);
}

fn identifiers(data: &Value) -> Vec<Value> {
    let items = data.pointer(IDENTIFIERS).and_then(Value::as_array);
    items.cloned().unwrap_or_default()
}

/// References as they are stored: the names of their targets are given by the registry.
fn without_displays(data: Value) -> Value {
    match data {
        Value::Object(members) => {
            let is_reference = members.contains_key("id") && members.contains_key("display");
            let members: Map<String, Value> = members
                .into_iter()
                .filter(|(name, _)| !(is_reference && name == "display"))
                .map(|(name, value)| (name, without_displays(value)))
                .collect();
            Value::Object(members)
        }
        Value::Array(items) => items.into_iter().map(without_displays).collect(),
        other => other,
    }
}
