//! The records that answer a query as one consistent stream, at constant memory: pages of a search at one coordinate that
//! is pinned once, each by itself, so that no database transaction stays open for however long a client takes.

use std::collections::{BTreeSet, VecDeque};

use grunddata_information_model::PrivacyClass;
use grunddata_model::{Domain, OwnerKey};
use grunddata_store::{
    Coordinate, Form, OwnerSet, Reader, SearchCursor, StoreError, StoreSearch, Visibility,
};

use crate::query::{CountMode, PageChoice, Query};
use crate::read::{Fields, Record, Shape, TimelineItem, as_of, show};
use crate::registry::refuse_store;
use crate::{AsOf, Code, Context, Refusal, Registry, fact};

/// Records of a page.
const PAGE: usize = 1_000;

/// What is to be exported.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// A query for each domain, all with one coordinate.
    pub queries: Vec<Query>,
    /// Whether every state of a record comes along, as known.
    pub history: bool,
    /// Whether geometry comes along.
    pub geometry: bool,
}

/// A record of an export.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The record, as a list would show it.
    pub record: Record,
    /// Its states by valid time, where history is asked for and the record may be seen whole.
    pub states: Option<Vec<TimelineItem>>,
}

/// A search in the records of one owner.
struct Part {
    domain: Domain,
    search: StoreSearch,
    fields: Option<Fields>,
}

/// An export that is under way. Each page is read when it is asked for; dropped, it has left nothing behind.
pub struct Export {
    registry: Registry,
    context: Context,
    visibility: Visibility,
    coordinate: Coordinate,
    parts: VecDeque<Part>,
    history: bool,
    geometry: bool,
    /// What was asked for, without the values that are personal: told with every page that is shown.
    told: String,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("coordinate", &self.coordinate)
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Begins an export: fixes the coordinate and what the reader may see. The records come in the order of domain, owner
    /// and id, and are those that a list of the same query shows to the same reader at the same coordinate.
    ///
    /// # Errors
    /// Those of a search; [`Code::InvalidParameter`] for an order, a page or a count.
    pub fn export(&self, context: &Context, request: ExportRequest) -> Result<Export, Refusal> {
        let visibility = self.visibility(context)?;
        let mut searches = Vec::with_capacity(request.queries.len());
        let mut told = Vec::with_capacity(request.queries.len());
        let mut personal = false;
        for query in &request.queries {
            check(query)?;
            let mut search = self.store_search(query)?;
            self.check_search_classes(query, search.classes, &visibility)?;
            search.limit = PAGE;
            told.push(self.told(query));
            let class = self.inner.model.domain(query.domain).class();
            personal |= class >= PrivacyClass::Personal
                || search.classes & (PrivacyClass::Personal.bit() | PrivacyClass::Protected.bit())
                    != 0;
            searches.push((query, search));
        }
        let told = told.join("; ");
        context.disclosed.asked(told.clone());
        let Some(at) = request.queries.first().map(|query| &query.at) else {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "An export is of at least one collection.",
            ));
        };
        let (coordinate, all) = self
            .inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                Ok((coordinate, reader.owners()?))
            })
            .map_err(refuse_store)?;
        let all: Vec<OwnerKey> = all.into_iter().map(|owner| owner.key).collect();
        let mut parts = VecDeque::new();
        let mut searched: BTreeSet<OwnerKey> = BTreeSet::new();
        for (query, search) in searches {
            let chosen = match &search.owners {
                OwnerSet::All => all.clone(),
                OwnerSet::Some(owners) => owners.iter().cloned().collect(),
            };
            searched.extend(chosen.iter().cloned());
            for owner in chosen.into_iter().filter(|owner| visibility.sees_of(owner)) {
                parts.push_back(Part {
                    domain: query.domain,
                    search: StoreSearch {
                        owners: OwnerSet::one(owner),
                        ..search.clone()
                    },
                    fields: query.fields.clone(),
                });
            }
        }
        if personal {
            let persons = visibility.showing(PrivacyClass::Personal.bit());
            context
                .disclosed
                .searched(searched.into_iter().filter(|owner| persons.sees_of(owner)));
        }
        Ok(Export {
            registry: self.clone(),
            context: context.clone(),
            visibility: Visibility::clone(&visibility),
            coordinate,
            parts,
            history: request.history,
            geometry: request.geometry,
            told,
        })
    }
}

/// An export has no pages and no order of its own: every page would be sorted anew.
fn check(query: &Query) -> Result<(), Refusal> {
    let parameter = if !query.sort.is_empty() {
        "sort"
    } else if query.page != PageChoice::Number(1) {
        "page"
    } else if query.count != CountMode::None {
        "count"
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        Code::InvalidParameter,
        format!(
            "An export comes whole, in the order of domain, owner and id, with the number at its end: leave {parameter} out."
        ),
    )
    .fact(fact::PARAMETER, parameter))
}

impl Export {
    /// The resolved coordinate, for all pages.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        as_of(&self.coordinate, &self.visibility)
    }

    /// In whose name it is made. What is shown is noted there, page by page.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The next records; `None` = that was all. Blocks.
    ///
    /// # Errors
    /// [`Refusal`] of the store; the same page may be asked for again.
    pub fn next_page(&mut self) -> Result<Option<Vec<Exported>>, Refusal> {
        while let Some(part) = self.parts.pop_front() {
            let store = self.registry.inner.store.clone();
            let read = store.read(|reader| self.page(reader, &part));
            let (page, next) = match read {
                Ok(read) => read,
                Err(error) => {
                    self.parts.push_front(part);
                    return Err(refuse_store(error));
                }
            };
            if let Some(next) = next {
                self.parts.push_front(Part {
                    search: StoreSearch {
                        after: Some(next),
                        ..part.search
                    },
                    ..part
                });
            }
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// The domain of the page that comes next, as far as it is known.
    #[must_use]
    pub fn domain(&self) -> Option<Domain> {
        self.parts.front().map(|part| part.domain)
    }

    fn page(
        &self,
        reader: &mut Reader<'_>,
        part: &Part,
    ) -> Result<(Vec<Exported>, Option<SearchCursor>), StoreError> {
        self.context.disclosed.asked(self.told.clone());
        let page = reader.search(&part.search, &self.coordinate, &self.visibility)?;
        let shape = Shape {
            registry: &self.registry,
            context: &self.context,
            fields: part.fields.as_ref(),
            geometry: self.geometry,
        };
        let records = show(reader, page.rows, &self.coordinate, &self.visibility, shape)?;
        let mut exported = Vec::with_capacity(records.len());
        for record in records {
            let states = if self.history && record.form == Form::Full {
                Some(self.states(reader, &record, shape)?)
            } else {
                None
            };
            exported.push(Exported { record, states });
        }
        Ok((exported, page.next))
    }

    /// What the timeline of the record shows to this reader.
    fn states(
        &self,
        reader: &mut Reader<'_>,
        record: &Record,
        shape: Shape<'_>,
    ) -> Result<Vec<TimelineItem>, StoreError> {
        let rows = reader.timeline(record.id, &self.coordinate.known, &self.visibility)?;
        let shown = show(reader, rows, &self.coordinate, &self.visibility, shape)?;
        Ok(shown
            .into_iter()
            .map(|state| TimelineItem {
                period: state.period,
                data: state.data,
                model: state.model,
            })
            .collect())
    }
}
