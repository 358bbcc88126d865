//! Links and hierarchies against the gets of the same reader.

use std::collections::{BTreeMap, BTreeSet};

use grunddata_model::{Domain, RecordId};
use grunddata_registry::{At, Direction, Form, LinksRequest, Record};

use super::probes::{ABSENT, Prover, Reader, anything};
use super::rules::{PUBLIC, Shown, class_of};

impl Prover<'_> {
    /// A search by where some reference of the domain leads.
    pub(super) fn reference_question(
        &mut self,
        of: Domain,
        whole: &BTreeMap<RecordId, Record>,
    ) -> Vec<(String, String)> {
        let relations = self.stack.registry.model().domain(of).relations();
        let references: Vec<String> = relations
            .map(|relation| relation.property.to_string())
            .collect();
        let known: Vec<RecordId> = whole.keys().copied().collect();
        let below = *self.dice.of(&["", ".below"]);
        let name = format!("{}{below}", self.dice.of(&references));
        vec![(name, self.dice.of(&known).to_string())]
    }

    pub(super) fn all_links(
        &mut self,
        reader: &Reader,
        at: &At,
        seen: &BTreeMap<RecordId, Record>,
        round: usize,
    ) {
        let system = self.stack.system();
        for record in 0..self.built.ids.len() {
            let id = self.built.ids[record];
            let request = LinksRequest {
                direction: *self
                    .dice
                    .of(&[Direction::In, Direction::Out, Direction::Both]),
                depth: if self.dice.one_in(4) { 3 } else { 1 },
                limit: 1_000,
                include_records: self.dice.one_in(2),
                ..LinksRequest::default()
            };
            let answer = self
                .stack
                .registry
                .links(&reader.context, None, id, at, &request);
            self.scan(reader, "links", Some(record), &anything(&answer));
            let Ok(page) = answer else {
                if seen.contains_key(&id) {
                    self.violation(format!("links are refused: {} of {id}", reader.name));
                } else if round == 0 && anything(&answer).contains("NotFound") {
                    let absent = self.stack.registry.links(
                        &reader.context,
                        None,
                        ABSENT.parse().unwrap(),
                        at,
                        &request,
                    );
                    self.like_absent("links", reader, id, &answer, &absent);
                }
                continue;
            };
            if !seen.contains_key(&id) {
                self.violation(format!(
                    "links of what is not seen: {} of {id}",
                    reader.name
                ));
            }
            let near = page.items.iter().filter(|link| link.depth == 1).count();
            if page.counts.values().sum::<u64>() != u64::try_from(near).unwrap() {
                self.violation(format!(
                    "links are counted otherwise: {} of {id}: {:?} and {near} {:?}",
                    reader.name, page.counts, page.items
                ));
            }
            for link in &page.items {
                for end in [link.source, link.target] {
                    if seen
                        .get(&end)
                        .is_none_or(|record| record.form < Form::NameOnly)
                    {
                        self.violation(format!(
                            "link to what is not seen: {} of {id} at {at:?}: {link:?}: {:?}",
                            reader.name,
                            seen.get(&end)
                        ));
                    }
                }
                let class = link_class(&link.relation, link.source_domain);
                let source = self.built.by_id[&link.source];
                // Of a thing that is shown by name the links are shown that lead to what is seen at least by name.
                let (_, classes) = self.built.world.sight(&reader.rights, source, 0);
                if !classes.contains(&class) {
                    self.violation(format!(
                        "link beyond the class: {} of {id} at {at:?}: {link:?}",
                        reader.name
                    ));
                }
            }
            if request.depth > 1 {
                continue;
            }
            let all = self
                .stack
                .registry
                .links(&system, None, id, at, &request)
                .unwrap();
            let key = |link: &grunddata_registry::Link| {
                (link.source, link.relation.to_string(), link.target)
            };
            let told: BTreeSet<_> = page.items.iter().map(key).collect();
            for link in &all.items {
                let class = link_class(&link.relation, link.source_domain);
                let clean = [link.source, link.target].iter().all(|end| {
                    let record = self.built.by_id[end];
                    let (form, classes) = self.built.world.sight(&reader.rights, record, 0);
                    !self.built.world.records[record].ever_protected
                        && form == Shown::Whole
                        && (*end == link.target || classes.contains(&class))
                });
                if clean && !told.contains(&key(link)) {
                    self.violation(format!(
                        "link is missing: {} of {id} at {at:?}: {link:?}",
                        reader.name
                    ));
                }
            }
        }
    }

    pub(super) fn hierarchies(
        &mut self,
        reader: &Reader,
        at: &At,
        seen: &BTreeMap<RecordId, Record>,
    ) {
        for _ in 0..12 {
            let record = self.dice.below(self.built.ids.len());
            let id = self.built.ids[record];
            let answers = [
                self.stack
                    .registry
                    .ancestors(&reader.context, None, id, at, &[]),
                self.stack
                    .registry
                    .subtree(&reader.context, None, id, at, &[], 1_000, None),
            ];
            for answer in answers {
                self.scan(reader, "hierarchy", Some(record), &anything(&answer));
                match answer {
                    Ok(hierarchy) => {
                        for node in hierarchy.items {
                            let shown = seen.get(&node.record.id);
                            let via = node.via == id || seen.contains_key(&node.via);
                            if shown.is_none_or(|shown| {
                                shown.form != node.record.form || shown.form < Form::NameOnly
                            }) || !via
                                || !seen.contains_key(&id)
                            {
                                self.violation(format!(
                                    "hierarchy through what is not seen: {} of {id}: {node:?}",
                                    reader.name
                                ));
                            }
                        }
                    }
                    Err(_) if seen.contains_key(&id) => {
                        self.violation(format!("hierarchy is refused: {} of {id}", reader.name))
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

/// The class of a link: that of the property from which it comes.
fn link_class(relation: &str, source: Domain) -> usize {
    match (source, relation) {
        (Domain::Person, "relationship.legal-guardian") => 3,
        (Domain::Role, "person") => 2,
        (Domain::Service, "responsible-role") => 1,
        (Domain::Geography, relation) if relation.starts_with("holder") => 2,
        (Domain::Organisation | Domain::Geography | Domain::Service, _) => PUBLIC,
        _ => class_of(source.as_str()),
    }
}
