//! Typed neighbours at a coordinate, breadth first: one batch of statements for each step, with a cap on the links of
//! one node, so that the cost grows with the answer and not with the hubs it passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grunddata_model::{Domain, RecordId};
use grunddata_store::{
    Coordinate, Direction as StoredDirection, LinkRow, Reader, StoreError, Visibility,
};

use super::pin::as_of;
use super::show::{Shape, note_names, show};
use super::view::{Direction, Link, LinksPage, LinksRequest};
use crate::registry::refuse_store;
use crate::{At, Code, Context, Refusal, Registry, fact, nearest};

/// The most records that a traversal visits.
const MAX_VISITED: usize = 10_000;
/// How many records' links are read at once.
const AT_ONCE: usize = 32;

impl Registry {
    /// The links of a record at the coordinate.
    ///
    /// # Errors
    /// Those of a get; [`Code::UnknownRelation`], [`Code::LimitOutOfRange`], [`Code::InvalidParameter`] for a depth
    /// beyond the limit or pages of a deeper traversal, [`Code::PageTooDeep`].
    pub fn links(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
        request: &LinksRequest,
    ) -> Result<LinksPage, Refusal> {
        self.check_links(request)?;
        let relations = self.relation_names(&request.relations)?;
        // Whoever may not see the record may not see its links either.
        let got = self.get(context, domain, id, at, None)?;
        if let crate::Got::Moved { into, .. } = got {
            return Err(crate::transfers::transferred(id, Some(into)));
        }
        if let crate::Got::Merged { into, .. } = got {
            return Err(Refusal::new(
                Code::Merged,
                format!("The record was merged into {into}: read the links of that one."),
            )
            .fact(fact::FORWARD_TO, into.to_string()));
        }
        let visibility = self.visibility(context)?;
        self.inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                let mut walk = Walk {
                    reader,
                    coordinate: &coordinate,
                    visibility: &visibility,
                    relations: &relations,
                    fan_out: self.inner.limits.fan_out as usize,
                };
                let (mut links, more) = walk.run(id, request)?;
                let counts = walk.counts(id, request.direction)?;
                self.name(reader, context, &mut links, &coordinate, &visibility)?;
                let records = if request.include_records {
                    let others: BTreeSet<RecordId> = links.iter().map(other_end).collect();
                    let others: Vec<RecordId> = others.into_iter().collect();
                    let rows = reader.records_at(&others, &coordinate, &visibility)?;
                    let shape = Shape::plain(self, context);
                    show(reader, rows, &coordinate, &visibility, shape)?
                        .into_iter()
                        .map(|record| (record.id, record))
                        .collect()
                } else {
                    BTreeMap::new()
                };
                Ok(LinksPage {
                    items: links,
                    counts,
                    more,
                    records,
                    as_of: as_of(&coordinate, &visibility),
                })
            })
            .map_err(refuse_store)
    }

    fn check_links(&self, request: &LinksRequest) -> Result<(), Refusal> {
        let limits = &self.inner.limits;
        if !(1..=limits.depth).contains(&request.depth) {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!(
                    "depth is a number from 1 to {}; {} is not.",
                    limits.depth, request.depth
                ),
            )
            .fact(fact::PARAMETER, "depth"));
        }
        if !(1..=limits.links).contains(&request.limit) {
            return Err(Refusal::new(
                Code::LimitOutOfRange,
                format!(
                    "limit is a number from 1 to {}; {} is not.",
                    limits.links, request.limit
                ),
            )
            .fact(fact::PARAMETER, "limit"));
        }
        if request.page == 0 || (request.page > 1 && request.depth > 1) {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "page is a number from 1, and pages are for depth 1: read the links of a neighbour at its own address.",
            )
            .fact(fact::PARAMETER, "page"));
        }
        if u64::from(request.page) * u64::from(request.limit) > limits.hits_by_page {
            return Err(Refusal::new(
                Code::PageTooDeep,
                format!(
                    "Links are paged to the first {}: choose relations.",
                    limits.hits_by_page
                ),
            )
            .fact(fact::PARAMETER, "page"));
        }
        Ok(())
    }

    /// The full names of relations: one that has kinds stands for all of them.
    pub(crate) fn relation_names(&self, given: &[String]) -> Result<Vec<Arc<str>>, Refusal> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for name in given {
            let mut known = false;
            for domain in Domain::ALL {
                let Some(relation) = self.inner.model.relation(domain, name) else {
                    continue;
                };
                known = true;
                let codes = relation
                    .by
                    .as_ref()
                    .filter(|_| *relation.name == **name)
                    .and_then(|list| self.inner.model.code_list(list));
                match codes {
                    Some(list) => names.extend(
                        list.codes()
                            .iter()
                            .map(|code| Arc::from(format!("{name}.{}", code.code))),
                    ),
                    None => names.push(Arc::from(name.as_str())),
                }
            }
            if !known {
                let domains = Domain::ALL
                    .into_iter()
                    .map(|domain| self.inner.model.domain(domain));
                let near = nearest(
                    name,
                    domains
                        .flat_map(|domain| domain.relations())
                        .map(|relation| &*relation.name),
                );
                let hint = near.map_or(String::new(), |near| format!(" Did you mean {near}?"));
                return Err(Refusal::new(
                    Code::UnknownRelation,
                    format!("There is no relation {name:?}.{hint}"),
                )
                .fact_if(fact::NEAREST, near)
                .fact(fact::PARAMETER, "relation"));
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The names of the neighbours and of the relations seen from the other end.
    fn name(
        &self,
        reader: &mut Reader<'_>,
        context: &Context,
        links: &mut [Link],
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<(), StoreError> {
        let others: BTreeSet<RecordId> = links.iter().map(other_end).collect();
        let others: Vec<RecordId> = others.into_iter().collect();
        let targets = reader.targets(&others, coordinate, visibility)?;
        note_names(&context.disclosed, &targets);
        let displays = targets.displays;
        for link in links {
            link.display = displays.get(&other_end(link)).cloned();
            link.inverse = self
                .inner
                .model
                .relation(link.source_domain, &link.relation)
                .map(|relation| relation.inverse.to_string());
        }
        Ok(())
    }
}

/// The end of a link that is further away from the record that was asked about.
fn other_end(link: &Link) -> RecordId {
    if link.outward {
        link.target
    } else {
        link.source
    }
}

struct Walk<'a, 'r> {
    reader: &'a mut Reader<'r>,
    coordinate: &'a Coordinate,
    visibility: &'a Visibility,
    relations: &'a [Arc<str>],
    fan_out: usize,
}

fn stored(direction: Direction) -> &'static [StoredDirection] {
    match direction {
        Direction::Out => &[StoredDirection::Out],
        Direction::In => &[StoredDirection::In],
        Direction::Both => &[StoredDirection::Out, StoredDirection::In],
    }
}

impl Walk<'_, '_> {
    fn run(
        &mut self,
        id: RecordId,
        request: &LinksRequest,
    ) -> Result<(Vec<Link>, bool), StoreError> {
        let limit = request.limit as usize;
        let skip = (request.page as usize - 1) * limit;
        let wanted = skip + limit + 1;
        let mut links: Vec<Link> = Vec::new();
        let mut known: BTreeSet<(RecordId, Arc<str>, RecordId)> = BTreeSet::new();
        let mut visited: BTreeSet<RecordId> = BTreeSet::from([id]);
        let mut frontier = vec![id];
        let mut capped = false;
        for depth in 1..=request.depth {
            // The record itself is paged, not capped; what lies behind it is.
            let cap = if depth == 1 {
                wanted
            } else {
                self.fan_out.min(wanted)
            };
            let mut next = Vec::new();
            let parts = stored(request.direction)
                .iter()
                .flat_map(|direction| frontier.chunks(AT_ONCE).map(move |part| (direction, part)));
            for (direction, part) in parts {
                // What lies behind the page is not read.
                let left = wanted.saturating_sub(links.len());
                if depth > 1 && left == 0 {
                    capped = true;
                    break;
                }
                let cap = if depth == 1 { cap } else { cap.min(left) };
                let rows = self.reader.links(
                    part,
                    *direction,
                    self.relations,
                    self.coordinate,
                    self.visibility,
                    cap + 1,
                    None,
                )?;
                let mut per_node: BTreeMap<RecordId, usize> = BTreeMap::new();
                for row in rows {
                    let outward = *direction == StoredDirection::Out;
                    let (near, far) = if outward {
                        (row.source, row.target)
                    } else {
                        (row.target, row.source)
                    };
                    let count = per_node.entry(near).or_default();
                    *count += 1;
                    if *count > cap {
                        capped = true;
                        continue;
                    }
                    if known.insert((row.source, Arc::clone(&row.relation), row.target)) {
                        links.push(link(row, outward, depth));
                        if visited.insert(far) {
                            next.push(far);
                        }
                    }
                }
            }
            capped |= visited.len() > MAX_VISITED;
            if next.is_empty() || links.len() >= wanted || visited.len() > MAX_VISITED {
                capped |= links.len() >= wanted && depth < request.depth && !next.is_empty();
                break;
            }
            frontier = next;
        }
        let more = capped || links.len() > skip + limit;
        let page = links.into_iter().skip(skip).take(limit).collect();
        Ok((page, more))
    }

    fn counts(
        &mut self,
        id: RecordId,
        direction: Direction,
    ) -> Result<BTreeMap<(&'static str, String), u64>, StoreError> {
        let mut counts = BTreeMap::new();
        for direction in stored(direction) {
            let name = match direction {
                StoredDirection::Out => "out",
                StoredDirection::In => "in",
            };
            for (relation, count) in
                self.reader
                    .link_counts(id, *direction, self.coordinate, self.visibility)?
            {
                if self.relations.is_empty() || self.relations.contains(&relation) {
                    counts.insert((name, relation.to_string()), count);
                }
            }
        }
        Ok(counts)
    }
}

fn link(row: LinkRow, outward: bool, depth: u32) -> Link {
    Link {
        relation: row.relation,
        inverse: None,
        source: row.source,
        source_domain: row.source_domain,
        target: row.target,
        target_domain: row.target_domain,
        outward,
        depth,
        period: row.period,
        display: None,
    }
}
