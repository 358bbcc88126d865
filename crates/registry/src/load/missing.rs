//! What a full load leaves out, and what a source says is gone: its claim ends, and the record with it where the source
//! decides that and nobody else speaks of it.

use std::collections::{BTreeSet, HashMap};

use grunddata_information_model::{LinkUse, OnTargetEnd};
use grunddata_model::{Domain, RecordId};
use grunddata_store::{
    ALL_CLASSES, AssertionHead, KeyHash, LoadKind, PlanRow, RecordImage, RecordStatus, RowOutcome,
    RowState,
};

use super::assertion::AssertionKey;
use super::difference::{differences, not_authoritative, still_asserted};
use super::merge::Other;
use super::planner::{LoadPlanner, short_number};
use super::row::{Before, Effect, Planned, RowContent, RowProblem, problem};
use super::work_out::{ending_turn, not_allowed};
use crate::Refusal;
use crate::registry::refuse_store;

/// How many keys of the source are looked at together.
const PAGE: i64 = 5_000;
/// How many of those that are missing are worked out together.
const CHUNK: usize = 500;

/// Records that end, with their rows and what of their own domain they refer to so that it may not end before them, or takes
/// them with it.
pub(super) type Ending = HashMap<RecordId, (i64, Domain, Vec<RecordId>)>;

impl LoadPlanner {
    /// Plans what the file leaves out.
    pub(super) fn plan_missing(&mut self) -> Result<(), Refusal> {
        let mut after: Option<KeyHash> = None;
        let mut missing: Vec<AssertionHead> = Vec::new();
        loop {
            let page = self
                .writer
                .present_after(after.as_ref(), PAGE)
                .map_err(refuse_store)?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.key_hash);
            missing.extend(page.into_iter().filter(|head| {
                !self.seen.contains_key(&head.key_hash) && !self.named.contains(&head.key_hash)
            }));
            while missing.len() >= CHUNK {
                let rest = missing.split_off(CHUNK);
                let some = std::mem::replace(&mut missing, rest);
                self.missing(&some)?;
            }
        }
        self.missing(&missing)
    }

    /// Plans what rows of a delta do not name any more that name all there are of something.
    pub(super) fn plan_shrunk(&mut self) -> Result<(), Refusal> {
        let mut gone: Vec<KeyHash> = Vec::new();
        for (record, starts) in std::mem::take(&mut self.complete) {
            let lengths: BTreeSet<usize> = starts.iter().map(String::len).collect();
            let begins = |key: &str| {
                let mut starts_of = lengths.iter().filter_map(|length| key.get(..*length));
                starts_of.any(|start| starts.contains(start))
            };
            let mut after: Option<KeyHash> = None;
            loop {
                let page = self
                    .writer
                    .keys_after(&record, after.as_ref(), PAGE)
                    .map_err(refuse_store)?;
                let Some((last, _)) = page.last() else {
                    break;
                };
                after = Some(*last);
                gone.extend(page.into_iter().filter_map(|(hash, key)| {
                    let named = self.seen.contains_key(&hash) || self.named.contains(&hash);
                    let key = serde_json::from_str(&key).ok().filter(|_| !named)?;
                    matches!(&key, AssertionKey::Source(key) if begins(key)).then_some(hash)
                }));
            }
        }
        for keys in gone.chunks(CHUNK) {
            let heads = self.writer.heads(keys).map_err(refuse_store)?;
            let heads: Vec<AssertionHead> =
                heads.into_values().filter(|head| head.present).collect();
            self.missing(&heads)?;
        }
        Ok(())
    }

    /// Has who refers end before what they refer to.
    pub(super) fn order_ends(&mut self) -> Result<(), Refusal> {
        let turns = turns(&std::mem::take(&mut self.ending));
        self.writer.set_turns(&turns).map_err(refuse_store)
    }

    /// Notes a record that a row ends.
    pub(super) fn note_ending(&mut self, number: i64, image: &RecordImage) {
        // Between persons nothing keeps one from ending, and nothing ends with another.
        if image.domain == Domain::Person {
            return;
        }
        let model = &self.registry.inner.model;
        let binds = |link: &&LinkUse| {
            let relation = model.relation(image.domain, &link.relation);
            relation.is_some_and(|relation| {
                let binds = matches!(
                    relation.on_target_end,
                    OnTargetEnd::Restrict | OnTargetEnd::Cascade
                );
                let mut targets = relation.targets.iter();
                binds && targets.any(|target| target.domain == image.domain)
            })
        };
        let states = image.timeline.states().iter();
        let links = states.flat_map(|state| state.value.links());
        let mut targets: Vec<RecordId> = links.filter(binds).map(|link| link.target).collect();
        targets.sort_unstable();
        targets.dedup();
        self.ending
            .insert(image.id, (number, image.domain, targets));
    }

    fn missing(&mut self, heads: &[AssertionHead]) -> Result<(), Refusal> {
        if heads.is_empty() {
            return Ok(());
        }
        let keys: Vec<KeyHash> = heads.iter().map(|head| head.key_hash).collect();
        let records: Vec<RecordId> = heads.iter().map(|head| head.record).collect();
        let said = self.writer.said(&keys).map_err(refuse_store)?;
        let said_of = self.said_of(&records)?;
        let believed = self
            .writer
            .believed(&records, &[], &[])
            .map_err(refuse_store)?;
        for head in heads {
            let Some(before) = said.get(&head.key_hash) else {
                continue;
            };
            let mut row = PlanRow {
                number: self.next_number(),
                file_row: 0,
                record_name: before.record_name.clone(),
                key: before.key.clone(),
                key_hash: before.key_hash,
                domain: before.domain,
                outcome: RowOutcome::Release,
                turn: 0,
                state: RowState::Ready,
                record: Some(before.record),
                base_version: None,
                classes: ALL_CLASSES,
                protection: 0,
                content: String::new(),
            };
            let mut content = RowContent {
                before: Some(Before::of(before)?),
                ..RowContent::default()
            };
            match believed.records.get(&head.record) {
                Some(image) => {
                    let others = self.others(head.record, &head.key_hash, &said_of)?;
                    self.ends(&mut row, &mut content, image, &others);
                }
                None => content.effect = Effect::Silent,
            }
            // In a delta the row is known that has left it out.
            let unread = self.content.counts.unreadable > 0 && self.load.kind == LoadKind::Full;
            if unread && row.outcome == RowOutcome::End {
                row.state = RowState::SetAside;
                let count = self.content.counts.unreadable;
                content.problems.push(RowProblem::new(
                    problem::ROWS_UNREADABLE,
                    format!("{count} rows of the file could not be read, and one of them may be about this record: it does not end. Correct the rows and load the file again."),
                    format!("{count} rader i filen gick inte att läsa, och en av dem kan gälla denna post: den upphör inte. Rätta raderna och ladda filen igen."),
                ));
            }
            row.content = content.written()?;
            self.unwritten.push(row);
        }
        self.write(Vec::new())
    }

    /// The source's claim of a record ends; the record too, where that is its to say.
    pub(super) fn ends(
        &mut self,
        row: &mut PlanRow,
        content: &mut RowContent,
        image: &RecordImage,
        others: &[Other],
    ) {
        row.record = Some(image.id);
        row.base_version = Some(image.version);
        row.outcome = RowOutcome::Release;
        row.turn = ending_turn(image.domain);
        row.protection = image
            .protection
            .on(self.job.protected_on)
            .max(image.highest);
        let states = image.timeline.states();
        let classes = states
            .iter()
            .fold(0, |classes, state| classes | state.value.classes());
        row.classes = if states.is_empty() {
            ALL_CLASSES
        } else {
            classes
        };
        content.effect = Effect::Silent;
        content.said = content
            .before
            .as_ref()
            .map(|before| before.said.clone())
            .unwrap_or_default();
        content.said.absent_from = Some(self.reference);
        let refuse = |row: &mut PlanRow, content: &mut RowContent, problem: RowProblem| {
            row.outcome = RowOutcome::Conflict;
            content.effect = Effect::None;
            content.said = super::assertion::Said::default();
            content.before = None;
            content.problems.push(problem);
        };
        if !self.job.allows(image)
            || self
                .job
                .may_write(image.controller, image.domain, true)
                .is_none()
        {
            refuse(row, content, not_allowed());
            return;
        }
        let over = image.status != RecordStatus::Current
            || image
                .timeline
                .end_date()
                .is_none_or(|end| end <= self.reference);
        if over {
            return;
        }
        if let Some(other) = others.first() {
            content
                .problems
                .push(still_asserted(&other.source).as_warning());
            return;
        }
        if !self.settings.authoritative.ends.holds(image.domain) {
            content.problems.push(not_authoritative().as_warning());
            return;
        }
        if self.targeted.contains_key(&image.id) {
            refuse(
                row,
                content,
                RowProblem::new(
                    problem::RECORD_CLAIMED_TWICE,
                    "Another row of the file is about the same record: it does not end.",
                    "En annan rad i filen gäller samma post: den upphör inte.",
                ),
            );
            return;
        }
        self.targeted.insert(image.id, short_number(row.number));
        row.outcome = RowOutcome::End;
        self.note_ending(row.number, image);
        let begun = image
            .timeline
            .first_day()
            .is_some_and(|first| first < self.reference);
        let after = if begun {
            content.operations.push(Planned::End {
                from: self.reference,
                to: None,
            });
            image.timeline.end(self.reference, None).ok()
        } else {
            // It never came to hold.
            content.operations.push(Planned::Retract { period: None });
            Some(image.timeline.retract(None))
        };
        if let Some(after) = after {
            content.diff = differences(&image.timeline, &after);
        }
    }
}

/// The turns of records that end: whoever refers to another of them ends before it.
fn turns(ending: &Ending) -> Vec<(i64, i32)> {
    let mut depths: HashMap<RecordId, i32> = HashMap::new();
    // As often as a hierarchy may be deep; what leads in a circle stays where it is.
    for _ in 0..64 {
        let mut moved = false;
        for (id, (_, domain, targets)) in ending {
            let depth = depths.get(id).copied().unwrap_or_default();
            for target in targets.iter().filter(|target| *target != id) {
                let same = ending
                    .get(target)
                    .is_some_and(|(_, other, _)| other == domain);
                let known = depths.get(target).copied().unwrap_or_default();
                if same && known <= depth {
                    depths.insert(*target, depth + 1);
                    moved = true;
                }
            }
        }
        if !moved {
            break;
        }
    }
    depths
        .into_iter()
        .filter_map(|(id, depth)| {
            let (number, domain, _) = ending.get(&id)?;
            Some((*number, ending_turn(*domain) + depth))
        })
        .collect()
}
