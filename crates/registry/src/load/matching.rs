//! Which record a row is about, and which records it refers to: found by key and by identifier, in sets.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use grunddata_information_model::Uniqueness;
use grunddata_model::{RecordId, SchemeCode};
use grunddata_store::{
    Believed, Claim, Form, KeyHash, PlanRow, RecordImage, RecordStatus, RowOutcome, RowState,
};
use serde_json::Value;

use super::assertion::{AssertionKey, hash_of};
use super::leaves::IDENTIFIERS;

use super::gather::Candidate;
use super::news::identifier_key;
use super::planner::{LoadPlanner, short};
use crate::registry::refuse_store;
use crate::{Code, Refusal};

/// Everything that a set of rows is worked out from.
pub(super) struct Surroundings {
    pub(super) believed: Believed,
    /// Rows of the plan by key.
    pub(super) rows: HashMap<KeyHash, PlanRow>,
    /// Records of keys that the source has spoken of before.
    pub(super) known: HashMap<KeyHash, RecordId>,
}

/// The record of a row.
pub(super) enum Match {
    /// There is none yet.
    New,
    /// This one.
    Record(Arc<RecordImage>),
    /// Several.
    Ambiguous(Vec<RecordId>),
}

/// What became of a row that was worked out just now.
pub(super) struct Outcome {
    /// Its record, unless it was refused and there is none yet.
    pub(super) record: Option<RecordId>,
    /// The turn of those that are made.
    pub(super) turn: Option<i32>,
    pub(super) file_row: i64,
}

/// The target of a reference.
pub(super) enum Target {
    /// A record, with the turn after which it is there when this plan makes it.
    Found(RecordId, Option<i32>),
    /// It may come with a row that is not worked out yet.
    Pending,
    /// There is none.
    Missing {
        /// The row of the file that would bring it, where that one is rejected or in conflict.
        rejected: Option<i64>,
    },
    /// There are several.
    Ambiguous,
}

/// What tells an identifier apart in memory.
pub(super) fn identifier_hash(scheme: &str, value: &str) -> u64 {
    short(&hash_of(&["identifier", scheme, value]))
}

impl LoadPlanner {
    /// The identifiers in the data of a row, normalised.
    pub(super) fn identifiers_of(&self, candidate: &Candidate) -> Vec<(SchemeCode, String)> {
        let model = &self.registry.inner.model;
        let mut found: Vec<(SchemeCode, String)> = Vec::new();
        for piece in &candidate.pieces {
            let items = piece.data.pointer(IDENTIFIERS).and_then(Value::as_array);
            for item in items.into_iter().flatten() {
                let (scheme, value) = identifier_key(model, item);
                if let Ok(scheme) = SchemeCode::new(&scheme) {
                    found.push((scheme, value));
                }
            }
        }
        found
    }

    /// Reads in sets what the rows rest on.
    pub(super) fn surroundings(
        &mut self,
        candidates: &[Candidate],
    ) -> Result<Surroundings, Refusal> {
        let model = self.registry.inner.model.clone();
        let source = self.load.source.clone();
        let mut identifiers: Vec<(SchemeCode, String)> = Vec::new();
        let mut targets: Vec<KeyHash> = Vec::new();
        for candidate in candidates {
            identifiers.extend(candidate.key.identifier(&model, &source));
            identifiers.extend(self.identifiers_of(candidate));
            for piece in &candidate.pieces {
                for pointer in piece.targets.keys() {
                    let value = piece.data.pointer(pointer);
                    let Some(key) =
                        value.and_then(|value| AssertionKey::of_reference(value, &source))
                    else {
                        continue;
                    };
                    identifiers.extend(key.identifier(&model, &source));
                    if let AssertionKey::Source(_) = &key {
                        targets.push(key.hash(&model, ""));
                    }
                }
            }
        }
        targets.sort_unstable();
        targets.dedup();
        identifiers.sort_unstable();
        identifiers.dedup();
        let rows = self.writer.rows_of_keys(&targets).map_err(refuse_store)?;
        let rows: HashMap<KeyHash, PlanRow> =
            rows.into_iter().map(|row| (row.key_hash, row)).collect();
        let heads = self.writer.heads(&targets).map_err(refuse_store)?;
        let known: HashMap<KeyHash, RecordId> = heads
            .into_iter()
            .map(|(key, head)| (key, head.record))
            .collect();
        let claims = self
            .writer
            .believed(&[], &identifiers, &[])
            .map_err(refuse_store)?
            .claims;
        let mut records: Vec<RecordId> = candidates
            .iter()
            .filter_map(|candidate| match (candidate.head, &candidate.key) {
                (Some(head), _) => Some(head.record),
                (None, AssertionKey::Id(id)) => Some(*id),
                (None, _) => None,
            })
            .chain(claims.values().flatten().map(|claim| claim.record))
            .collect();
        records.sort_unstable();
        records.dedup();
        let mut believed = self
            .writer
            .believed(&records, &[], &[])
            .map_err(refuse_store)?;
        // What was merged leads to what it was merged into.
        let forwarded: Vec<RecordId> = believed
            .records
            .values()
            .filter(|image| image.status == RecordStatus::Merged)
            .filter_map(|image| image.forward_to)
            .collect();
        if !forwarded.is_empty() {
            let more = self
                .writer
                .believed(&forwarded, &[], &[])
                .map_err(refuse_store)?;
            believed.records.extend(more.records);
        }
        believed.claims = claims;
        Ok(Surroundings {
            believed,
            rows,
            known,
        })
    }

    /// The record that a row is about.
    pub(super) fn record_of(&self, candidate: &Candidate, around: &Surroundings) -> Match {
        let records = &around.believed.records;
        let follow = |id: RecordId| -> Option<Arc<RecordImage>> {
            let image = records.get(&id)?;
            match image
                .forward_to
                .filter(|_| image.status == RecordStatus::Merged)
            {
                Some(into) => records.get(&into).cloned(),
                None => Some(Arc::clone(image)),
            }
        };
        if let Some(image) = candidate.head.and_then(|head| follow(head.record)) {
            return Match::Record(image);
        }
        if let AssertionKey::Id(id) = candidate.key {
            return follow(id).map_or(Match::New, Match::Record);
        }
        let model = &self.registry.inner.model;
        let mut found: Vec<RecordId> = Vec::new();
        let mut gather = |claims: Option<&Vec<Claim>>| {
            let own = claims.into_iter().flatten();
            for claim in own.filter(|claim| claim.owner == self.load.owner) {
                if let Some(image) = follow(claim.record)
                    && !found.contains(&image.id)
                {
                    found.push(image.id);
                }
            }
        };
        if let Some(key) = candidate.key.identifier(model, &self.load.source) {
            gather(around.believed.claims.get(&key));
        }
        for pair in self.identifiers_of(candidate) {
            let always = model
                .scheme(pair.0.as_str())
                .is_some_and(|scheme| scheme.uniqueness() == Uniqueness::Always);
            if always {
                gather(around.believed.claims.get(&pair));
            }
        }
        match found.as_slice() {
            [] => Match::New,
            [only] => records
                .get(only)
                .map_or(Match::New, |image| Match::Record(Arc::clone(image))),
            _ => Match::Ambiguous(found),
        }
    }

    /// The record that a reference leads to on a day. `done` are rows that were worked out just now, and `open` keys of rows
    /// that are not yet.
    pub(super) fn target_of(
        &self,
        key: &AssertionKey,
        day: NaiveDate,
        around: &Surroundings,
        done: &HashMap<KeyHash, Outcome>,
        open: &dyn Fn(&KeyHash) -> bool,
        last: bool,
    ) -> Target {
        let model = &self.registry.inner.model;
        let mut rejected = None;
        if let AssertionKey::Source(_) = key {
            let hash = key.hash(model, "");
            match done.get(&hash) {
                Some(Outcome {
                    record: Some(record),
                    turn,
                    ..
                }) => return Target::Found(*record, *turn),
                Some(refused) => rejected = Some(refused.file_row),
                None if open(&hash) => return Target::Pending,
                None => {}
            }
            if let Some(row) = around.rows.get(&hash).filter(|_| rejected.is_none()) {
                match (row.state, row.outcome, row.record) {
                    (RowState::Waiting, ..) if !last => return Target::Pending,
                    (_, RowOutcome::Create, Some(record)) => {
                        return Target::Found(record, Some(row.turn));
                    }
                    (_, RowOutcome::Rejected | RowOutcome::Conflict, _) => {
                        rejected = Some(row.file_row);
                    }
                    (_, _, Some(record)) => return Target::Found(record, None),
                    _ => rejected = Some(row.file_row),
                }
            }
            if let Some(record) = around.known.get(&hash) {
                return Target::Found(*record, None);
            }
        }
        let Some((scheme, value)) = key.identifier(model, &self.load.source) else {
            return Target::Missing { rejected };
        };
        if let Some(claimed) = self.claimed.get(&identifier_hash(scheme.as_str(), &value)) {
            return Target::Found(claimed.record, Some(claimed.turn));
        }
        let claims = around.believed.claims.get(&(scheme.clone(), value.clone()));
        let seen: Vec<&Claim> = claims
            .into_iter()
            .flatten()
            .filter(|claim| self.sees_identifier(claim.record, &scheme, &value, around))
            .collect();
        let always = model
            .scheme(scheme.as_str())
            .is_some_and(|scheme| scheme.uniqueness() == Uniqueness::Always);
        let pick = |holds: &dyn Fn(&Claim) -> bool| {
            let (mut own, mut others) = (Vec::new(), Vec::new());
            for claim in seen.iter().filter(|claim| holds(claim)) {
                let list = if claim.owner == self.load.owner {
                    &mut own
                } else {
                    &mut others
                };
                if !list.contains(&claim.record) {
                    list.push(claim.record);
                }
            }
            if own.is_empty() { others } else { own }
        };
        let mut found = pick(&|claim| claim.period.contains(day));
        if found.is_empty() {
            found = pick(&|claim| claim.period.to() > day);
        }
        if found.is_empty() && always {
            found = pick(&|_| true);
        }
        match found.as_slice() {
            [only] => Target::Found(*only, None),
            [] if last || rejected.is_some() => Target::Missing { rejected },
            [] => Target::Pending,
            _ => Target::Ambiguous,
        }
    }

    /// Whether the writer may know that a record has an identifier.
    pub(super) fn sees_identifier(
        &self,
        id: RecordId,
        scheme: &SchemeCode,
        value: &str,
        around: &Surroundings,
    ) -> bool {
        let Some(image) = around.believed.records.get(&id) else {
            return false;
        };
        let Some(sight) = self
            .job
            .sight(image)
            .filter(|sight| sight.form == Form::Full)
        else {
            return false;
        };
        let states = image.timeline.states().iter();
        states
            .flat_map(|state| state.value.identifiers())
            .any(|held| {
                held.scheme == *scheme && held.value == value && held.class & sight.classes != 0
            })
    }

    /// An identifier that is in use, in the words that the writer may hear.
    pub(super) fn in_use(
        &self,
        scheme: &SchemeCode,
        value: &str,
        by: RecordId,
        around: &Surroundings,
    ) -> super::row::RowProblem {
        if self.sees_identifier(by, scheme, value, around) {
            return super::row::RowProblem::code(
                Code::IdentifierInUse,
                format!("The record {by} has this {scheme}. Correct the identifier at its source, or merge the two."),
                format!("Posten {by} har denna {scheme}. Rätta identiteten vid källan, eller slå ihop de två."),
            )
            .about(by.to_string());
        }
        hidden_in_use(scheme)
    }
}

/// The same, of a record that the writer may not know of.
pub(super) fn hidden_in_use(scheme: &SchemeCode) -> super::row::RowProblem {
    super::row::RowProblem::code(
        Code::IdentifierInUse,
        format!(
            "The {scheme} is in use. Check it; if it is right, ask the information steward of the owner."
        ),
        format!(
            "Identiteten ({scheme}) används redan. Kontrollera den; är den rätt, fråga informationsförvaltaren."
        ),
    )
}
