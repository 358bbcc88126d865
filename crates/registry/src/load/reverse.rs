//! Taking an applied load back: a load of its own, whose plan brings each record back to the version before and each
//! assertion to what it was, where nobody has built upon it since.

use std::collections::{HashMap, HashSet};

use grunddata_model::{OwnerKey, RecordId, TransactionId};
use grunddata_store::{
    ALL_CLASSES, AssertionRow, BatchRow, Believed, ChangeEntry, KeyHash, LoadKind, LoadRow,
    LoadStatus, PlanRow, Reached, RecordImage, RowOutcome, RowState, Visibility,
};
use serde_json::json;
use uuid::Uuid;

use super::content::{Content, FileFacts};

use super::begin::Beginning;
use super::difference::still_asserted;
use super::must_load;
use super::planner::LoadPlanner;
use super::read::{Load, known, wrong_state};
use super::row::{Effect, Planned, RowContent, RowProblem};
use crate::registry::refuse_store;
use crate::{Code, Context, Refusal, Registry};

/// How many batches are listed together.
const PAGE: i64 = 1_000;

impl Registry {
    /// Plans the reversal of an applied load. It is looked at, approved and applied like any other plan; when all of it is
    /// applied the load that it takes back is `reversed`. What was built upon since is a conflict. Blocks the thread.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownLoad`]; [`Code::LoadState`] when nothing of the load was applied, or it is a
    /// reversal itself; [`Code::LoadOpen`] when its source has an open load.
    pub fn plan_reversal(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
    ) -> Result<Load, Refusal> {
        context
            .disclosed
            .acted([owner.clone()], json!({"load": id, "reverse": true}));
        must_load(context, owner)?;
        let load = known(owner, id, self.load_row(owner, id)?)?;
        let applied = load.status == LoadStatus::Applied
            || (load.status == LoadStatus::Cancelled && load.batches > 0);
        if !applied || load.kind == LoadKind::Reversal {
            return Err(wrong_state(
                &load,
                "A load of which something was applied can be taken back, and a reversal not again: load the file anew.",
            ));
        }
        if Content::of(&load)?.pruned.is_some() {
            return Err(wrong_state(
                &load,
                "Its rows were removed because they were old: nobody knows any more what there was before. Correct the records, or load an earlier file.",
            ));
        }
        let settings = self.settings_of(&load)?;
        let beginning = Beginning {
            kind: LoadKind::Reversal,
            file: FileFacts::default(),
            reference: context.today,
            replace: false,
            reverses: Some(id),
        };
        let mut planner = self.begin(
            context,
            owner,
            load.source.clone(),
            load.source_version,
            &settings,
            beginning,
        )?;
        let mut batches: Vec<BatchRow> = Vec::new();
        loop {
            let after = batches.last().map_or(0, |batch| batch.number);
            let page = self
                .inner
                .store
                .read(|reader| reader.load_batches(owner, id, after, PAGE))
                .map_err(refuse_store)?;
            if page.is_empty() {
                break;
            }
            batches.extend(page);
        }
        let mut twice = HashSet::new();
        for place in (0..batches.len()).rev() {
            let Some(batch) = batches.get(place) else {
                continue;
            };
            let start = place
                .checked_sub(1)
                .and_then(|before| batches.get(before))
                .map_or(
                    Reached {
                        turn: i32::MIN,
                        number: 0,
                    },
                    |before| before.reached,
                );
            planner.take_back(&load, batch, start, &mut twice)?;
        }
        planner.rehearse()?;
        planner.count()?;
        planner.close(LoadStatus::Planned)
    }
}

/// What a batch is taken back from.
struct Around {
    believed: Believed,
    said: HashMap<KeyHash, AssertionRow>,
    said_of: HashMap<RecordId, Vec<AssertionRow>>,
}

impl LoadPlanner {
    /// Plans the way back of one batch.
    fn take_back(
        &mut self,
        load: &LoadRow,
        batch: &BatchRow,
        start: Reached,
        twice: &mut HashSet<RecordId>,
    ) -> Result<(), Refusal> {
        let store = self.registry.inner.store.clone();
        let rows = store
            .read(|reader| reader.rows_between(&load.owner, load.id, start, batch.reached))
            .map_err(refuse_store)?;
        let changes = match batch.transaction {
            Some(transaction) => self.changes_of(&load.owner, transaction)?,
            None => Vec::new(),
        };
        let mut records: Vec<RecordId> = rows.iter().filter_map(|row| row.record).collect();
        records.extend(changes.iter().map(|change| change.record));
        records.sort_unstable();
        records.dedup();
        let keys: Vec<KeyHash> = rows.iter().map(|row| row.key_hash).collect();
        let around = Around {
            believed: self
                .writer
                .believed(&records, &[], &[])
                .map_err(refuse_store)?,
            said: self.writer.said(&keys).map_err(refuse_store)?,
            said_of: self.said_of(&records)?,
        };
        let mut changes: HashMap<RecordId, ChangeEntry> = changes
            .into_iter()
            .map(|change| (change.record, change))
            .collect();
        for row in rows.iter().rev() {
            let content = RowContent::read(&row.content)?;
            if row.state != RowState::Ready || content.effect == Effect::None {
                continue;
            }
            let change = row.record.and_then(|record| changes.remove(&record));
            self.row_back(load, row, content, change, &around, twice)?;
        }
        // What followed the records of the batch follows them back.
        for (_, change) in changes {
            let row = PlanRow {
                number: 0,
                file_row: 0,
                record_name: String::new(),
                key: String::new(),
                key_hash: [0; 16],
                domain: change.domain,
                outcome: RowOutcome::Change,
                turn: 0,
                state: RowState::Ready,
                record: Some(change.record),
                base_version: None,
                classes: ALL_CLASSES,
                protection: 0,
                content: String::new(),
            };
            let content = RowContent {
                effect: Effect::Untouched,
                ..RowContent::default()
            };
            self.row_back(load, &row, content, Some(change), &around, twice)?;
        }
        self.write(Vec::new())
    }

    /// Whether a record is as a version left it, be it that what came since was taken back.
    fn is_as_of(&self, image: &RecordImage, version: u32) -> Result<bool, Refusal> {
        if image.version == version {
            return Ok(true);
        }
        self.registry
            .inner
            .store
            .read(|reader| reader.same_timeline(&image.owner, image.id, image.version, version))
            .map_err(refuse_store)
    }

    fn changes_of(
        &self,
        owner: &OwnerKey,
        transaction: TransactionId,
    ) -> Result<Vec<ChangeEntry>, Refusal> {
        let everything = Visibility::everything();
        self.registry
            .inner
            .store
            .read(|reader| reader.transaction(owner, transaction, &everything))
            .map_err(refuse_store)
    }

    fn row_back(
        &mut self,
        load: &LoadRow,
        row: &PlanRow,
        content: RowContent,
        change: Option<ChangeEntry>,
        around: &Around,
        twice: &mut HashSet<RecordId>,
    ) -> Result<(), Refusal> {
        let Some(record) = row.record else {
            return Ok(());
        };
        let follows = content.effect == Effect::Untouched;
        let present = around.said.get(&row.key_hash);
        if !follows && present.is_none() {
            // Erased since: there is nothing to take back.
            return Ok(());
        }
        let number = self.next_number();
        let mut back = RowContent {
            effect: if follows {
                Effect::Untouched
            } else {
                Effect::Restored
            },
            before: content.before,
            ..RowContent::default()
        };
        let image = around.believed.records.get(&record);
        let mut planned = PlanRow {
            number,
            turn: 0,
            state: RowState::Ready,
            outcome: RowOutcome::Confirm,
            base_version: None,
            content: String::new(),
            ..row.clone()
        };
        if let Some(image) = image {
            for state in image.timeline.states() {
                planned.classes |= state.value.classes();
                planned.protection = planned.protection.max(state.value.protection());
            }
        }
        let others = self.others(record, &row.key_hash, &around.said_of)?;
        let as_it_left_it = match (&change, image) {
            (Some(change), Some(image)) => self.is_as_of(image, change.version)?,
            _ => change.is_none(),
        };
        let problem = in_the_way(load, present.filter(|_| !follows), as_it_left_it);
        let problem = match (problem, others.first(), &change) {
            (Some(problem), ..) => Some(problem),
            (None, Some(other), Some(change)) if change.version == 1 => {
                Some(still_asserted(&other.source))
            }
            _ if !twice.insert(record) => Some(built_upon()),
            _ => None,
        };
        if let Some(problem) = problem {
            planned.outcome = RowOutcome::Conflict;
            back.effect = Effect::None;
            back.before = None;
            back.problems.push(problem);
        } else if let Some(change) = &change {
            planned.base_version = image.map(|image| image.version);
            planned.outcome = match row.outcome {
                RowOutcome::Create => RowOutcome::End,
                RowOutcome::End => RowOutcome::Revive,
                _ => RowOutcome::Change,
            };
            back.operations.push(match change.version.checked_sub(1) {
                None | Some(0) => Planned::Retract { period: None },
                Some(version) => Planned::Revert { version },
            });
        }
        planned.content = back.written()?;
        self.unwritten.push(planned);
        if self.unwritten.len() >= 500 {
            self.write(Vec::new())?;
        }
        Ok(())
    }
}

/// What keeps a row from being taken back.
fn in_the_way(
    load: &LoadRow,
    present: Option<&AssertionRow>,
    as_it_left_it: bool,
) -> Option<RowProblem> {
    if present.is_some_and(|present| present.load != load.id) {
        return Some(RowProblem::code(
            Code::RevertConflict,
            "A later load of the source has said something else of the record: take that one back first.",
            "En senare laddning från källan har sagt något annat om posten: återta den först.",
        ));
    }
    (!as_it_left_it).then(built_upon)
}

fn built_upon() -> RowProblem {
    RowProblem::code(
        Code::RevertConflict,
        "The record has changed since: undo those changes first, or revert the record by hand.",
        "Posten har ändrats sedan dess: ta tillbaka de ändringarna först, eller återställ posten för hand.",
    )
}
