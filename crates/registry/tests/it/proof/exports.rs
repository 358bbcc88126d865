//! Exports against the lists, timelines and the access log of the same reader.

use std::collections::BTreeSet;

use grunddata_model::Domain;
use grunddata_registry::{
    At, ExportRequest, Exported, Form, KnownAt, PageChoice, Place, Query, Record, Refusal,
};

use super::probes::{Prover, Reader};

impl Prover<'_> {
    /// An export shows exactly the records that the pages of the list show, with all states that the timelines show, and
    /// notes the same for the access log.
    pub(super) fn exports(&mut self, reader: &Reader) {
        for round in 0..2 {
            let at = self.coordinate(round);
            for domain in Domain::ALL {
                let narrowed = [None, Some(("owner", "b")), Some(("q", "mark"))];
                for more in narrowed {
                    self.export(reader, &at, domain, more);
                }
            }
        }
    }

    fn export(&mut self, reader: &Reader, at: &At, domain: Domain, more: Option<(&str, &str)>) {
        let context = &reader.context;
        let registry = &self.stack.registry;
        let on = at.valid_at.to_string();
        let known = match &at.known {
            KnownAt::Instant(instant) => Some(instant.to_string()),
            _ => None,
        };
        let mut parameters = vec![("validAt", on.as_str()), ("limit", "7")];
        parameters.extend(known.as_deref().map(|known| ("knownAt", known)));
        parameters.extend(more);
        let Ok(query) = registry.query(context, domain, parameters.iter().copied(), Place::Body)
        else {
            return;
        };
        drop(context.disclosed.take());
        let listed = listed(self, reader, query.clone());
        let of_list = context.disclosed.take();
        let exported = exported(self, reader, query);
        let of_export = context.disclosed.take();
        let what = format!("{domain} {more:?} at {at:?}: {}", reader.name);
        let (mut listed, exported) = match (listed, exported) {
            (Ok(listed), Ok(exported)) => (listed, exported),
            (Err(one), Err(other)) if one.code == other.code => return,
            (one, other) => {
                let (one, other) = (one.map(|all| all.len()), other.map(|all| all.len()));
                self.violation(format!(
                    "export and list refuse differently: {what}: {one:?} {other:?}"
                ));
                return;
            }
        };
        self.proof.probes += exported.len();
        let order = |record: &Record| (record.owner.clone(), record.id);
        listed.sort_by_key(order);
        let mut shown: Vec<&Record> = exported.iter().map(|one| &one.record).collect();
        if more.is_none_or(|(name, _)| name != "q")
            && !shown.is_sorted_by_key(|record| order(record))
        {
            self.violation(format!("export is out of order: {what}"));
        }
        shown.sort_by_key(|record| order(record));
        if !shown.iter().copied().eq(&listed) {
            self.violation(format!(
                "export is not the list: {what}: {} and {}",
                shown.len(),
                listed.len()
            ));
        }
        // What the states show comes to what the list shows.
        let seen = |shown: &grunddata_registry::Shown| -> BTreeSet<_> {
            shown.records.iter().copied().collect()
        };
        if !seen(&of_export).is_superset(&seen(&of_list))
            || !of_export.owners.is_superset(&of_list.owners)
            || of_export.searched != of_list.searched
        {
            self.violation(format!("export notes less than the list: {what}"));
        }
        for one in exported {
            let Some(states) = one.states else {
                if one.record.form == Form::Full {
                    self.violation(format!("export has no states: {what}"));
                }
                continue;
            };
            let timeline = registry.timeline(context, None, one.record.id, at);
            if timeline.as_ref().map(|view| &view.items) != Ok(&states) {
                self.violation(format!(
                    "export has other states than the timeline: {what}: {states:?} and {timeline:?}"
                ));
            }
        }
    }
}

fn listed(prover: &Prover<'_>, reader: &Reader, mut query: Query) -> Result<Vec<Record>, Refusal> {
    let mut all = Vec::new();
    loop {
        let page = prover.stack.registry.search(&reader.context, &query)?;
        all.extend(page.items);
        let Some(after) = page.after else {
            return Ok(all);
        };
        query.page = PageChoice::After(after);
    }
}

fn exported(prover: &Prover<'_>, reader: &Reader, query: Query) -> Result<Vec<Exported>, Refusal> {
    let request = ExportRequest {
        queries: vec![query],
        history: true,
        geometry: false,
    };
    let mut export = prover.stack.registry.export(&reader.context, request)?;
    let mut all = Vec::new();
    while let Some(page) = export.next_page()? {
        all.extend(page);
    }
    Ok(all)
}
