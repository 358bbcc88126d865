//! Search: the query as the store takes it, and cursors.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grunddata_information_model::{
    DomainModel, IndexMode, PrivacyClass, Relation, SearchMode, fold, number_key, words,
};
use grunddata_model::{Instant, Period};
use grunddata_store::{
    Condition as StoredCondition, Count, LinkCondition, Matching, OwnerSet, SearchCursor,
    SortBy as StoredSortBy, SortKey as StoredSortKey, StoreSearch, Visibility,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::pin::as_of;
use super::show::{Shape, show};
use super::view::{SearchPage, Total};
use crate::query::{CountMode, PageChoice, Query, ReferenceCondition, SortBy, Test};
use crate::registry::refuse_store;
use crate::{Code, Context, Refusal, Registry, fact};

/// The cursor as it is written.
#[derive(Serialize, Deserialize)]
struct WrittenCursor {
    /// The beginning of the hash of the query that it belongs to.
    #[serde(rename = "q")]
    query: String,
    #[serde(rename = "v")]
    values: Vec<String>,
    #[serde(rename = "i")]
    id: grunddata_model::RecordId,
}

/// Stands in the access log for a value that is personal.
pub(super) const HIDDEN: &str = "…";

/// Whether classes, a bit mask, are among those of which every reading is logged.
const fn is_personal(classes: u8) -> bool {
    classes & (PrivacyClass::Personal.bit() | PrivacyClass::Protected.bit()) != 0
}

impl Registry {
    /// A page of the records that answer the query.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`], [`Code::LimitOutOfRange`], [`Code::PageTooDeep`], [`Code::UnknownProperty`].
    pub fn search(&self, context: &Context, query: &Query) -> Result<SearchPage, Refusal> {
        self.check_limit(query.limit)?;
        let visibility = self.visibility(context)?;
        let fingerprint = fingerprint(query);
        let mut search = self.store_search(query)?;
        self.check_search_classes(query, search.classes, &visibility)?;
        match &query.page {
            PageChoice::Number(page) => {
                let offset =
                    u64::from(page.saturating_sub(1)).saturating_mul(u64::from(query.limit));
                if offset >= self.inner.limits.hits_by_page {
                    return Err(Refusal::new(
                        Code::PageTooDeep,
                        "Pages by number do not reach so far: follow the next link (after).",
                    ));
                }
                search.offset = usize::try_from(offset).unwrap_or(usize::MAX);
            }
            PageChoice::After(cursor) => {
                search.after = Some(read_cursor(cursor, &fingerprint, query)?)
            }
        }
        context.disclosed.asked(self.told(query));
        let class = self.inner.model.domain(query.domain).class();
        let personal = class >= PrivacyClass::Personal || is_personal(search.classes);
        let shape = Shape {
            registry: self,
            context,
            fields: query.fields.as_ref(),
            geometry: false,
        };
        self.inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, &query.at, &visibility)?;
                let mut search = search;
                if query.owners.is_empty() {
                    // Those that the coordinate does not name are read as well.
                    search.owners = reader
                        .owners()?
                        .into_iter()
                        .map(|owner| owner.key)
                        .collect();
                }
                if personal && let OwnerSet::Some(owners) = &search.owners {
                    let persons = visibility.showing(PrivacyClass::Personal.bit());
                    let seen = owners.iter().filter(|owner| persons.sees_of(owner));
                    context.disclosed.searched(seen.cloned());
                }
                let page = reader.search(&search, &coordinate, &visibility)?;
                let items = show(reader, page.rows, &coordinate, &visibility, shape)?;
                Ok(SearchPage {
                    items,
                    total: page.total.map(|records| Total {
                        records,
                        exact: page.total_exact,
                    }),
                    after: page.next.map(|cursor| write_cursor(cursor, fingerprint)),
                    as_of: as_of(&coordinate, &visibility),
                })
            })
            .map_err(refuse_store)
    }

    /// What was asked for, for the access log: no value of a property that is personal, and no word searched for among
    /// records that are. The log is read by others than the records, and kept for longer.
    pub(crate) fn told(&self, query: &Query) -> String {
        let domain = self.inner.model.domain(query.domain);
        let told = |class: PrivacyClass, value: &str| {
            if class >= PrivacyClass::Personal {
                HIDDEN.to_owned()
            } else {
                value.to_owned()
            }
        };
        let mut parts = Vec::new();
        for condition in &query.conditions {
            let class = domain
                .indexed(&condition.property)
                .map_or(PrivacyClass::Protected, |property| property.class);
            let value = match &condition.test {
                Test::Equals(values) => told(class, &values.join(",")),
                Test::Prefix(value) => format!("{}*", told(class, value)),
            };
            parts.push(format!("{}={value}", condition.property));
        }
        for condition in &query.references {
            let below = if condition.below { ".below" } else { "" };
            let ids: Vec<String> = condition.targets.iter().map(ToString::to_string).collect();
            parts.push(format!("{}{below}={}", condition.property, ids.join(",")));
        }
        if let Some((scheme, value)) = &query.identifier {
            let class = self
                .inner
                .model
                .scheme(scheme.as_str())
                .map_or(PrivacyClass::Protected, |scheme| scheme.class());
            parts.push(format!("identifier={scheme}:{}", told(class, value)));
        }
        if let Some(text) = &query.text {
            parts.push(format!("q={}", told(domain.class(), text)));
        }
        if let Some(controller) = query.controller {
            parts.push(format!("controller={controller}"));
        }
        for key in &query.sort {
            if let SortBy::Property(name) = &key.by {
                parts.push(format!("sort={name}"));
            }
        }
        format!("{}: {}", query.domain, parts.join(" & "))
    }

    /// What a reader may not see it may not ask about either.
    pub(crate) fn check_search_classes(
        &self,
        query: &Query,
        classes: u8,
        visibility: &Visibility,
    ) -> Result<(), Refusal> {
        if visibility.rules.is_empty() || !visibility.showing(classes).rules.is_empty() {
            return Ok(());
        }
        let domain = self.inner.model.domain(query.domain);
        let shown = |class: PrivacyClass| !visibility.showing(class.bit()).rules.is_empty();
        let conditions = query.conditions.iter().map(|condition| &condition.property);
        let sorted = query.sort.iter().filter_map(|key| match &key.by {
            SortBy::Property(name) => Some(name),
            _ => None,
        });
        let references = query.references.iter().map(|condition| &condition.property);
        let name = conditions
            .chain(sorted)
            .chain(references)
            .find(|name| {
                let property = domain.indexed(name).map(|property| property.class);
                let relation = reference(domain, name).map(|relation| relation.class);
                property.or(relation).is_some_and(|class| !shown(class))
            })
            .map_or("identifier", String::as_str);
        Err(Refusal::new(
            Code::Forbidden,
            format!(
                "Your grants do not show {name}, and what you may not see you may not search or sort by. Leave it out, or ask an administrator for a grant with a higher class."
            ),
        )
        .fact(fact::PARAMETER, name))
    }

    fn link_condition(
        &self,
        domain: &DomainModel,
        condition: &ReferenceCondition,
    ) -> Result<LinkCondition, Refusal> {
        let Some(relation) = reference(domain, &condition.property) else {
            return Err(unknown_property(domain, &condition.property));
        };
        let below = if condition.below {
            let targets = relation.targets.iter();
            let names: BTreeSet<String> = targets
                .flat_map(|target| self.inner.model.hierarchies(target.domain))
                .collect();
            self.relation_names(&names.into_iter().collect::<Vec<_>>())?
        } else {
            Vec::new()
        };
        Ok(LinkCondition {
            relations: self.relation_names(&[relation.name.to_string()])?,
            targets: condition.targets.clone(),
            below,
        })
    }

    pub(crate) fn store_search(&self, query: &Query) -> Result<StoreSearch, Refusal> {
        let domain = self.inner.model.domain(query.domain);
        let conditions = query
            .conditions
            .iter()
            .map(|condition| self::condition(domain, condition))
            .collect::<Result<Vec<_>, _>>()?;
        let sort = query
            .sort
            .iter()
            .map(|key| {
                let by = match &key.by {
                    SortBy::ValidFrom => StoredSortBy::ValidFrom,
                    SortBy::RecordedAt => StoredSortBy::RecordedAt,
                    SortBy::Display => StoredSortBy::Display,
                    SortBy::Property(name) => StoredSortBy::Property {
                        property: Arc::from(name.as_str()),
                        mode: mode_of(domain, name)?,
                    },
                };
                Ok(StoredSortKey {
                    by,
                    descending: key.descending,
                })
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        let links = query
            .references
            .iter()
            .map(|condition| self.link_condition(domain, condition))
            .collect::<Result<Vec<_>, _>>()?;
        let of_references = query
            .references
            .iter()
            .filter_map(|condition| reference(domain, &condition.property))
            .fold(0, |classes, relation| classes | relation.class.bit());
        let named = query
            .conditions
            .iter()
            .map(|condition| condition.property.as_str())
            .chain(query.sort.iter().filter_map(|key| match &key.by {
                SortBy::Property(name) => Some(name.as_str()),
                SortBy::ValidFrom | SortBy::RecordedAt | SortBy::Display => None,
            }));
        let of_properties = named
            .filter_map(|name| domain.indexed(name))
            .fold(0, |classes, property| classes | property.class.bit());
        let of_scheme = query
            .identifier
            .as_ref()
            .and_then(|(scheme, _)| self.inner.model.scheme(scheme.as_str()))
            .map_or(0, |scheme| scheme.class().max(domain.class()).bit());
        // Whoever may know of the domain's records may read these words.
        let text_properties = domain
            .indexed_properties()
            .filter(|property| {
                property.modes.contains(&SearchMode::Text) && property.class <= domain.class()
            })
            .map(|property| Arc::clone(&property.name))
            .collect();
        let owners: BTreeSet<_> = query.owners.iter().cloned().collect();
        Ok(StoreSearch {
            domain: query.domain,
            owners: if owners.is_empty() {
                OwnerSet::All
            } else {
                OwnerSet::Some(owners)
            },
            controller: query.controller,
            identifier: query.identifier.clone(),
            identifier_ever: query
                .identifier
                .as_ref()
                .is_some_and(|(scheme, _)| super::lookup::is_for_ever(&self.inner.model, scheme)),
            classes: of_properties | of_references | of_scheme,
            conditions,
            links,
            text: query.text.as_deref().map(words).unwrap_or_default(),
            text_properties,
            sort,
            after: None,
            offset: 0,
            limit: query.limit as usize,
            count: match query.count {
                CountMode::None => Count::None,
                CountMode::Estimate => Count::Estimate,
                CountMode::Exact => Count::Exact,
            },
        })
    }
}

/// The relation of a reference by its search name.
fn reference<'m>(domain: &'m DomainModel, property: &str) -> Option<&'m Relation> {
    let mut relations = domain.relations();
    relations.find(|relation| *relation.property == *property)
}

fn unknown_property(domain: &DomainModel, name: &str) -> Refusal {
    Refusal::new(
        Code::UnknownProperty,
        format!(
            "{} has no indexed property {name:?}.",
            domain.domain().collection()
        ),
    )
    .fact(fact::PARAMETER, name)
}

/// By which entries a property is compared and sorted.
fn mode_of(domain: &DomainModel, name: &str) -> Result<IndexMode, Refusal> {
    let property = domain
        .indexed(name)
        .ok_or_else(|| unknown_property(domain, name))?;
    let has = |mode: SearchMode| property.modes.contains(&mode);
    Ok(if has(SearchMode::Exact) {
        IndexMode::Exact
    } else if has(SearchMode::Prefix) {
        IndexMode::Folded
    } else if has(SearchMode::Date) {
        IndexMode::Date
    } else if has(SearchMode::Number) {
        IndexMode::Number
    } else {
        IndexMode::Word
    })
}

fn condition(
    domain: &DomainModel,
    condition: &crate::query::Condition,
) -> Result<StoredCondition, Refusal> {
    let name = condition.property.as_str();
    let mut mode = mode_of(domain, name)?;
    let entry = |mode: IndexMode, value: &str| match mode {
        IndexMode::Folded | IndexMode::Word => fold(value),
        // What is no number equals none.
        IndexMode::Number => number_key(value).unwrap_or_else(|| value.to_owned()),
        IndexMode::Exact | IndexMode::Date => value.to_owned(),
    };
    let matching = match &condition.test {
        Test::Equals(values) => match values.as_slice() {
            [only] => Matching::Equals(entry(mode, only)),
            several => Matching::OneOf(several.iter().map(|value| entry(mode, value)).collect()),
        },
        Test::Prefix(prefix) => {
            let folded = domain
                .indexed(name)
                .is_some_and(|property| property.modes.contains(&SearchMode::Prefix));
            if folded {
                mode = IndexMode::Folded;
            }
            Matching::Prefix(entry(mode, prefix))
        }
    };
    Ok(StoredCondition {
        property: Arc::from(name),
        mode,
        matching,
    })
}

/// What a cursor belongs to: everything but the page and the coordinate, which the link carries.
fn fingerprint(query: &Query) -> String {
    let text = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        query.domain,
        query.owners,
        query.controller,
        query.identifier,
        query.conditions,
        query.references,
        query.text,
        query.sort
    );
    URL_SAFE_NO_PAD.encode(
        Sha256::digest(text.as_bytes())
            .iter()
            .take(9)
            .copied()
            .collect::<Vec<u8>>(),
    )
}

fn write_cursor(cursor: SearchCursor, query: String) -> String {
    let written = WrittenCursor {
        query,
        values: cursor.values,
        id: cursor.id,
    };
    // Strings and an id: cannot fail.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&written).unwrap_or_default())
}

/// Whether the values are such as the store gives for the order of the query: anybody can write a cursor.
fn fits(query: &Query, values: &[String]) -> bool {
    let plain = |value: &String| !value.chars().any(char::is_control);
    if query.sort.is_empty() {
        return match (query.text.is_some(), values) {
            (false, []) => true,
            (true, [rank, display]) => rank.parse::<i64>().is_ok() && plain(display),
            _ => false,
        };
    }
    values.len() == query.sort.len()
        && query
            .sort
            .iter()
            .zip(values)
            .all(|(key, value)| match key.by {
                SortBy::ValidFrom => value
                    .parse::<chrono::NaiveDate>()
                    .is_ok_and(|date| (Period::BEGINNING..=Period::OPEN).contains(&date)),
                SortBy::RecordedAt => value.parse::<Instant>().is_ok(),
                SortBy::Display | SortBy::Property(_) => plain(value),
            })
}

fn read_cursor(text: &str, fingerprint: &str, query: &Query) -> Result<SearchCursor, Refusal> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<WrittenCursor>(&bytes).ok())
        .filter(|written| written.query == fingerprint && fits(query, &written.values))
        .map(|written| SearchCursor {
            values: written.values,
            id: written.id,
        })
        .ok_or_else(|| {
            Refusal::new(
                Code::InvalidCursor,
                "after is not a cursor of this search: follow the next link of its last page as it is, or start again without after.",
            )
            .fact(fact::PARAMETER, "after")
        })
}
