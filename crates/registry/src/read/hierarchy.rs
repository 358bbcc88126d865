//! What stands above and below a record at a coordinate.

use std::collections::BTreeMap;
use std::sync::Arc;

use grunddata_model::{Domain, RecordId};
use grunddata_store::{Coordinate, HierarchyRow, Reader, StoreError, Visibility};

use super::pin::as_of;
use super::show::{Shape, show};
use super::view::{Hierarchy, Node};
use crate::registry::refuse_store;
use crate::{At, Code, Context, Got, Refusal, Registry, fact};

/// The deepest hierarchy that is read.
const DEEPEST: u32 = 64;

impl Registry {
    /// The records above a record, nearest first. Without relations all hierarchical ones of its domain.
    ///
    /// # Errors
    /// Those of a get; [`Code::UnknownRelation`]; [`Code::InvalidParameter`] for a relation that is no hierarchy.
    pub fn ancestors(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
        relations: &[String],
    ) -> Result<Hierarchy, Refusal> {
        let relations = self.hierarchical(context, domain, id, at, relations)?;
        let visibility = self.visibility(context)?;
        self.inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                let rows = if relations.is_empty() {
                    Vec::new()
                } else {
                    reader.ancestors(id, &relations, &coordinate, &visibility, DEEPEST)?
                };
                nodes(self, context, reader, rows, false, &coordinate, &visibility)
            })
            .map_err(refuse_store)
    }

    /// The records below a record, nearest first, a page at a time: `after` is the depth and id of the last node of the
    /// page before.
    ///
    /// # Errors
    /// As [`ancestors`](Self::ancestors), and [`Code::LimitOutOfRange`].
    #[expect(
        clippy::too_many_arguments,
        reason = "a page of a subtree has that many degrees of freedom"
    )]
    pub fn subtree(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
        relations: &[String],
        limit: u32,
        after: Option<(u32, RecordId)>,
    ) -> Result<Hierarchy, Refusal> {
        self.check_limit(limit)?;
        let relations = self.hierarchical(context, domain, id, at, relations)?;
        let visibility = self.visibility(context)?;
        let limit = limit as usize;
        self.inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                let mut rows = if relations.is_empty() {
                    Vec::new()
                } else {
                    reader.subtree(
                        id,
                        &relations,
                        &coordinate,
                        &visibility,
                        DEEPEST,
                        limit + 1,
                        after,
                    )?
                };
                let more = rows.len() > limit;
                rows.truncate(limit);
                nodes(self, context, reader, rows, more, &coordinate, &visibility)
            })
            .map_err(refuse_store)
    }

    /// The relations, all of them hierarchical; the record exists.
    fn hierarchical(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
        given: &[String],
    ) -> Result<Vec<Arc<str>>, Refusal> {
        let found = match self.get(context, domain, id, at, None)? {
            Got::Found(found) => found,
            Got::Moved { into, .. } => {
                return Err(crate::transfers::transferred(id, Some(into)));
            }
            Got::Merged { into, .. } => {
                return Err(Refusal::new(
                    Code::Merged,
                    format!("The record was merged into {into}: read the hierarchy of that one."),
                )
                .fact(fact::FORWARD_TO, into.to_string()));
            }
        };
        let model = self.inner.model.domain(found.record.domain);
        let all = self.inner.model.hierarchies(found.record.domain);
        if given.is_empty() {
            return self.relation_names(&all);
        }
        let names = self.relation_names(given)?;
        for name in given {
            let hierarchical = model
                .relation(name)
                .is_some_and(|relation| relation.hierarchical);
            if !hierarchical {
                return Err(Refusal::new(
                    Code::InvalidParameter,
                    format!(
                        "{name} is no hierarchy: those of {} are {}.",
                        model.domain().collection(),
                        all.join(", ")
                    ),
                )
                .fact(fact::PARAMETER, "relation"));
            }
        }
        Ok(names)
    }
}

fn nodes(
    registry: &Registry,
    context: &Context,
    reader: &mut Reader<'_>,
    rows: Vec<HierarchyRow>,
    more: bool,
    coordinate: &Coordinate,
    visibility: &Visibility,
) -> Result<Hierarchy, StoreError> {
    let ids: Vec<RecordId> = rows.iter().map(|row| row.id).collect();
    let records = reader.records_at(&ids, coordinate, visibility)?;
    let mut records: BTreeMap<RecordId, _> = show(
        reader,
        records,
        coordinate,
        visibility,
        Shape::plain(registry, context),
    )?
    .into_iter()
    .map(|record| (record.id, record))
    .collect();
    let items = rows
        .into_iter()
        .filter_map(|row| {
            Some(Node {
                record: records.remove(&row.id)?,
                depth: row.depth,
                via: row.via,
            })
        })
        .collect();
    Ok(Hierarchy {
        items,
        more,
        as_of: as_of(coordinate, visibility),
    })
}
