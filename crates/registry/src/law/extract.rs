//! The register extract of one person: everything that is kept about them, in both times, and who has read it.

mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use grunddata_model::{Domain, Instant, OwnerKey, RecordId};
use grunddata_store::{
    ChangeEntry, Coordinate, Direction, Known, Reader, RecordRow, RecordedLink, StoreError,
    Visibility,
};

pub use view::{
    ControllerExtract, ExtractController, ExtractOptions, ExtractReader, IdentifierExtract,
    LinkExtract, PersonExtract, RecordExtract, StateExtract, VersionExtract,
};

use super::Reach;
use crate::read::{Shape, show};
use crate::registry::refuse_store;
use crate::{Code, Context, Refusal, Registry, fact};

/// The most versions of one record that are told.
const VERSIONS: usize = 100_000;

impl Registry {
    /// Everything that the person's owner keeps about a person: the record and those that are about the person (roles,
    /// and whatever else is hidden together with them), by controller. Stewards of some controllers get what these keep,
    /// whatever else they may read. Each record that is shown is noted for the access log. Who has read them is told by
    /// [`PersonExtract::with_readers`].
    ///
    /// # Errors
    /// [`Code::NotFound`] for a record that the actor may not know of; [`Code::Forbidden`] for who is no steward of its
    /// owner or of a controller; [`Code::Erased`]; [`Code::InvalidParameter`] for a record that is no person.
    pub fn extract_person(
        &self,
        context: &Context,
        person: RecordId,
        options: ExtractOptions,
    ) -> Result<PersonExtract, Refusal> {
        let owner = self.owner_seen(context, person)?;
        let reach = self.stewardship(context, &owner)?;
        let domain = self.domain_unless_erased(context, person)?;
        if domain != Domain::Person {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!("The record {person} is no person: a register extract is about one."),
            )
            .fact(fact::PARAMETER, "id"));
        }
        let reads = self.visibility(context)?;
        // What is theirs is shown whole, and what it refers to is named as far as they may read it.
        let both = match &reach {
            Reach::Whole => None,
            Reach::Some(theirs) => Some(Visibility {
                rules: reads.rules.iter().chain(&theirs.rules).cloned().collect(),
            }),
        };
        let (scope, visibility) = match (&reach, &both) {
            (Reach::Some(theirs), Some(both)) => (theirs, both),
            _ => (&*reads, &*reads),
        };
        let ExtractOptions {
            by_name,
            controller,
        } = options;
        let (owner_name, gathered) = self
            .inner
            .store
            .read(|reader| {
                let name = reader.owner(&owner)?.map(|row| row.name);
                let mut work = Work {
                    registry: self,
                    context,
                    reader,
                    scope,
                    visibility,
                    controller,
                    by_name,
                };
                Ok((name, work.gather(&owner, person)?))
            })
            .map_err(refuse_store)?;
        let owner_name = owner_name.unwrap_or_else(|| owner.to_string());
        let sources: BTreeSet<String> = gathered
            .records
            .iter()
            .flat_map(|(_, record)| &record.versions)
            .filter_map(|version| version.source.clone())
            .collect();
        Ok(PersonExtract {
            person,
            display: gathered.display.clone(),
            made_at: context.now,
            controllers: by_controller(gathered, &owner_name),
            sources: sources.into_iter().collect(),
            readers: None,
            readers_complete: false,
            owner,
            owner_name,
        })
    }
}

/// The records with their controllers, and what these are called.
struct Gathered {
    records: Vec<(Option<RecordId>, RecordExtract)>,
    names: HashMap<RecordId, String>,
    /// What the person is called.
    display: Option<String>,
}

struct Work<'a, 'r> {
    registry: &'a Registry,
    context: &'a Context,
    reader: &'a mut Reader<'r>,
    /// What the extract is about.
    scope: &'a Visibility,
    /// What may be named in it.
    visibility: &'a Visibility,
    /// The one controller that is asked for.
    controller: Option<ExtractController>,
    by_name: bool,
}

impl Work<'_, '_> {
    fn gather(&mut self, owner: &OwnerKey, person: RecordId) -> Result<Gathered, StoreError> {
        let incoming = self
            .reader
            .recorded_links(person, Direction::In, self.scope)?;
        // Whoever identifies the person is about the person; another owner's records are in that owner's extract.
        let about: BTreeSet<RecordId> = incoming
            .iter()
            .filter(|link| link.owner == *owner && self.identifies(link))
            .map(|link| link.source)
            .filter(|id| *id != person)
            .collect();
        let mut records = Vec::with_capacity(about.len() + 1);
        for id in std::iter::once(person).chain(about) {
            records.extend(self.record(id)?);
        }
        let mut named: Vec<RecordId> = records.iter().filter_map(|(id, _)| *id).collect();
        let own = records
            .iter()
            .find(|(_, record): &&(_, RecordExtract)| record.id == person);
        let mut display = own.and_then(|(_, record)| record.display.clone());
        if own.is_none() {
            named.push(person);
        }
        let mut names = self.names(named)?;
        if own.is_none() {
            display = names.remove(&person);
        }
        Ok(Gathered {
            names,
            records,
            display,
        })
    }

    fn identifies(&self, link: &RecordedLink) -> bool {
        self.registry
            .inner
            .model
            .relation(link.source_domain, &link.relation)
            .is_some_and(|relation| relation.identifying)
    }

    fn record(
        &mut self,
        id: RecordId,
    ) -> Result<Option<(Option<RecordId>, RecordExtract)>, StoreError> {
        let rows = self.reader.recorded_states(id, self.scope)?;
        let Some((first, _)) = rows.first() else {
            return Ok(None);
        };
        let (domain, controller) = (first.domain, first.controller);
        let is_asked_for = match self.controller {
            None => true,
            Some(ExtractController::Own) => controller.is_none(),
            Some(ExtractController::Organisation(id)) => controller == Some(id),
        };
        if !is_asked_for {
            return Ok(None);
        }
        // The name of the state that was believed last.
        let display = rows
            .iter()
            .max_by_key(|(row, until)| (*until, row.period.from()))
            .and_then(|(row, _)| row.display.clone());
        let identifiers = self.identifiers(&rows)?;
        let mut states = Vec::with_capacity(rows.len());
        for (row, until) in rows {
            states.extend(self.state(row, until)?);
        }
        let changes = self
            .reader
            .history(id, &Known::latest(), self.scope, None, VERSIONS)?;
        let versions = changes.into_iter().rev();
        Ok(Some((
            controller,
            RecordExtract {
                id,
                domain,
                display,
                states,
                versions: versions
                    .map(|change| version(change, self.by_name))
                    .collect(),
                identifiers,
                links: self.links(id, Direction::Out)?,
                referrers: self.links(id, Direction::In)?,
            },
        )))
    }

    fn coordinate(&self) -> Coordinate {
        Coordinate {
            valid_at: self.context.today,
            known: Known::latest(),
        }
    }

    fn state(
        &mut self,
        row: RecordRow,
        until: Instant,
    ) -> Result<Option<StateExtract>, StoreError> {
        let version = row.version;
        let shape = Shape {
            geometry: true,
            ..Shape::plain(self.registry, self.context)
        };
        let coordinate = self.coordinate();
        let shown = show(self.reader, vec![row], &coordinate, self.visibility, shape)?;
        let Some(record) = shown.into_iter().next() else {
            return Ok(None);
        };
        let data = serde_json::from_str(&record.data).map_err(|_| StoreError::Disagrees {
            what: format!("the body of {}", record.id),
        })?;
        Ok(Some(StateExtract {
            period: record.period,
            version,
            recorded_at: record.recorded_at,
            superseded_at: believed_until(until),
            model: record.model.to_string(),
            data,
        }))
    }

    fn identifiers(
        &self,
        rows: &[(RecordRow, Instant)],
    ) -> Result<Vec<IdentifierExtract>, StoreError> {
        let mut found: BTreeMap<IdentifierExtract, bool> = BTreeMap::new();
        for (row, until) in rows {
            let value = self
                .registry
                .inner
                .model
                .reload(row.domain, &row.model, row.body.as_str().into())
                .map_err(|error| StoreError::Disagrees {
                    what: format!("the body of {}: {error}", row.id),
                })?;
            for used in value.identifiers() {
                let identifier = IdentifierExtract {
                    scheme: used.scheme.to_string(),
                    value: used.value.clone(),
                    issuer: used.issuer.clone(),
                    status: used.status.clone(),
                    believed: false,
                };
                *found.entry(identifier).or_default() |= *until == Instant::FOREVER;
            }
        }
        Ok(found
            .into_iter()
            .map(|(identifier, believed)| IdentifierExtract {
                believed,
                ..identifier
            })
            .collect())
    }

    fn links(
        &mut self,
        id: RecordId,
        direction: Direction,
    ) -> Result<Vec<LinkExtract>, StoreError> {
        // What the record itself says, it says whole; what others say of it is theirs.
        let visibility = match direction {
            Direction::Out => self.visibility,
            Direction::In => self.scope,
        };
        let links = self.reader.recorded_links(id, direction, visibility)?;
        let other = |link: &RecordedLink| match direction {
            Direction::Out => link.target,
            Direction::In => link.source,
        };
        let names = self.names(links.iter().map(other).collect())?;
        Ok(links
            .iter()
            .map(|link| LinkExtract {
                relation: link.relation.clone(),
                record: other(link),
                display: names.get(&other(link)).cloned(),
                period: link.period,
                recorded_at: link.recorded_at,
                superseded_at: believed_until(link.superseded_at),
            })
            .collect())
    }

    fn names(&mut self, mut ids: Vec<RecordId>) -> Result<HashMap<RecordId, String>, StoreError> {
        ids.sort_unstable();
        ids.dedup();
        let coordinate = self.coordinate();
        let targets = self.reader.targets(&ids, &coordinate, self.visibility)?;
        crate::read::note_names(&self.context.disclosed, &targets);
        Ok(targets.displays)
    }
}

fn believed_until(until: Instant) -> Option<Instant> {
    (until != Instant::FOREVER).then_some(until)
}

fn version(change: ChangeEntry, by_name: bool) -> VersionExtract {
    VersionExtract {
        version: change.version,
        recorded_at: change.recorded_at,
        operation: change.operation.as_str().to_owned(),
        change_kind: crate::read::change_kind(change.change_kind),
        corrects: change.corrects,
        source: change.source,
        reason: change.reason,
        actor: by_name.then_some(change.actor),
    }
}

/// The owner's own records first, then those of each controller by its name.
fn by_controller(gathered: Gathered, owner_name: &str) -> Vec<ControllerExtract> {
    let Gathered { records, names, .. } = gathered;
    let mut found: BTreeMap<Option<(String, RecordId)>, Vec<RecordExtract>> = BTreeMap::new();
    for (controller, record) in records {
        let key = controller.map(|id| {
            let name = names.get(&id).cloned();
            (name.unwrap_or_else(|| id.to_string()), id)
        });
        found.entry(key).or_default().push(record);
    }
    found
        .into_iter()
        .map(|(key, records)| match key {
            None => ControllerExtract {
                controller: None,
                name: owner_name.to_owned(),
                records,
            },
            Some((name, id)) => ControllerExtract {
                controller: Some(id),
                name,
                records,
            },
        })
        .collect()
}

impl PersonExtract {
    /// The records that it tells of.
    #[must_use]
    pub fn records(&self) -> Vec<RecordId> {
        let records = self.controllers.iter().flat_map(|own| &own.records);
        records.map(|record| record.id).collect()
    }

    /// The same with those who have read its records, by unit unless they are told by name; and whether all of the access
    /// log could be read.
    #[must_use]
    pub fn with_readers(
        mut self,
        readers: Vec<ExtractReader>,
        complete: bool,
        by_name: bool,
    ) -> Self {
        self.readers = Some(told(readers, by_name));
        self.readers_complete = complete;
        self
    }
}

/// Those who have read, by unit where they are not told by name.
fn told(readers: Vec<ExtractReader>, by_name: bool) -> Vec<ExtractReader> {
    if by_name {
        return readers;
    }
    let mut units: BTreeMap<Option<String>, ExtractReader> = BTreeMap::new();
    for reader in readers {
        let nameless = ExtractReader {
            actor: None,
            on_behalf_of: None,
            ..reader
        };
        match units.get_mut(&nameless.unit) {
            Some(unit) => {
                unit.first = unit.first.min(nameless.first);
                unit.last = unit.last.max(nameless.last);
                unit.count += nameless.count;
            }
            None => {
                units.insert(nameless.unit.clone(), nameless);
            }
        }
    }
    units.into_values().collect()
}
