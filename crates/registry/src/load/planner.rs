//! Making a plan: what was read of a file comes in piece by piece, and every row is worked out as far as it can be at
//! once. Memory holds one small entry for each key of the file; everything else is in the database.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_store::{
    KeyHash, LoadKind, LoadRow, LoadStatus, PlanRow, PlanWriter, Reached, RowOutcome, RowState,
};
use uuid::Uuid;

use super::again::given_up;
use super::assertion::{Assertion, AssertionKey};
use super::content::{Content, FileFacts};
use super::gather::Candidate;
use super::guards::hits;
use super::missing::Ending;
use super::read::Load;
use super::row::{RowContent, RowProblem, written_key};
use super::settings::{Precedence, SourceSettings};
use crate::registry::refuse_store;
use crate::write::JobContext;
use crate::{Code, Context, Refusal, Registry};

/// How many of what is said are looked up together.
pub(super) const CHUNK: usize = 1_000;
/// The most that one load may say.
const MOST_SAID: u64 = 20_000_000;
/// The most problems that are kept of one row.
const MOST_PROBLEMS: usize = 100;

/// A load to be planned.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLoad {
    /// Whose records.
    pub owner: OwnerKey,
    /// The key of the source.
    pub source: String,
    /// Whether what the file leaves out is gone. A reversal is planned by [`Registry::plan_reversal`].
    pub kind: LoadKind,
    /// What is known of the file before it is read: its name and its date.
    pub file: FileFacts,
    /// The day from which what the file says without a date holds; otherwise as the source's settings say.
    pub reference_date: Option<NaiveDate>,
    /// Whether a plan of the source that has not been begun on is given up for this one.
    pub replace: bool,
}

/// What is remembered of each key: 16 bytes beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// The first row of the file that said it.
    pub(super) row: u32,
    /// The beginning of the hash of what it said.
    pub(super) said: u64,
}

/// Whose an identifier is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claimed {
    pub(super) record: RecordId,
    /// When it is there.
    pub(super) turn: i32,
    /// The number of the row.
    pub(super) row: u32,
}

/// Makes the plan of one load. Blocks the thread that uses it; it may go from thread to thread. Dropped before it is
/// finished, it gives the load up: it has failed then.
pub struct LoadPlanner {
    pub(super) registry: Registry,
    pub(super) context: Context,
    pub(super) job: JobContext,
    pub(super) writer: PlanWriter,
    pub(super) load: LoadRow,
    pub(super) content: Content,
    pub(super) settings: SourceSettings,
    pub(super) reference: NaiveDate,
    /// The precedence of every source of the owner.
    pub(super) precedences: HashMap<String, Precedence>,
    pub(super) buffer: Vec<(KeyHash, Assertion)>,
    pub(super) seen: HashMap<KeyHash, Seen>,
    /// Keys of rows with which something is wrong: they are not missing.
    pub(super) named: HashSet<KeyHash>,
    /// Identifiers that records of this plan are to have, by the beginning of their hash.
    pub(super) claimed: HashMap<u64, Claimed>,
    /// Records that are there already and have a row in this plan, with its number.
    pub(super) targeted: HashMap<RecordId, u32>,
    /// Records that end, to be put in order.
    pub(super) ending: Ending,
    /// Of which records a delta names all there are: with what their keys begin, by the name of the record.
    pub(super) complete: HashMap<String, HashSet<String>>,
    pub(super) numbers: i64,
    pub(super) waiting: u64,
    pub(super) unwritten: Vec<PlanRow>,
    pub(super) finished: bool,
}

impl LoadPlanner {
    /// The id of the load.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.load.id
    }

    /// The registry that it is made for.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The id under which its making is logged.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.context.request_id
    }

    /// The day from which what the file says without a date holds.
    #[must_use]
    pub fn reference_date(&self) -> NaiveDate {
        self.reference
    }

    /// How much was said so far: what the source says of records.
    #[must_use]
    pub fn said(&self) -> u64 {
        self.content.counts.said
    }

    /// Takes what the source says of one record.
    ///
    /// # Errors
    /// [`Code::LoadState`] when the load was cancelled meanwhile; [`Code::TooManyItems`]; the store's.
    pub fn push(&mut self, assertion: Assertion) -> Result<(), Refusal> {
        self.content.counts.said += 1;
        if self.content.counts.said > MOST_SAID {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!(
                    "A load says at most {MOST_SAID} things: divide the file, and load its parts as delta."
                ),
            ));
        }
        let model = &self.registry.inner.model;
        let key = assertion.key.hash(model, &assertion.record);
        self.buffer.push((key, assertion));
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    /// Takes a row of which nobody can tell whom it is about, with everything that is wrong with it.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn reject(&mut self, file_row: u64, problems: Vec<RowProblem>) -> Result<(), Refusal> {
        self.content.counts.unreadable += 1;
        self.reject_row(file_row, problems)
    }

    /// Takes a row with which something is wrong, and of which it is known whom it is about: the name of each record in the
    /// mapping, and its key. They are not missing from the file; of all others a full load says that they are gone.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn reject_named(
        &mut self,
        file_row: u64,
        about: &[(String, AssertionKey)],
        problems: Vec<RowProblem>,
    ) -> Result<(), Refusal> {
        let model = &self.registry.inner.model;
        let keys = about.iter().map(|(record, key)| key.hash(model, record));
        self.named.extend(keys);
        self.reject_row(file_row, problems)
    }

    /// Takes that the file names all records of this name whose own keys begin so: in a delta too the others are gone.
    pub fn complete(&mut self, record: &str, start: String) {
        if self.load.kind == LoadKind::Delta {
            let starts = self.complete.entry(record.to_owned()).or_default();
            starts.insert(start);
        }
    }

    fn reject_row(&mut self, file_row: u64, problems: Vec<RowProblem>) -> Result<(), Refusal> {
        let mut content = RowContent {
            problems,
            ..RowContent::default()
        };
        content.problems.truncate(MOST_PROBLEMS);
        self.numbers += 1;
        self.unwritten.push(PlanRow {
            number: self.numbers,
            file_row: i64::try_from(file_row).unwrap_or(i64::MAX),
            record_name: String::new(),
            key: String::new(),
            key_hash: [0; 16],
            domain: self
                .settings
                .domains
                .first()
                .copied()
                .unwrap_or(Domain::Person),
            outcome: RowOutcome::Rejected,
            turn: 0,
            state: RowState::Ready,
            record: None,
            base_version: None,
            classes: 0,
            protection: 0,
            content: content.written()?,
        });
        if self.unwritten.len() >= CHUNK {
            self.write(Vec::new())?;
        }
        Ok(())
    }

    /// Ends the load: its file cannot be read. Nothing of it is kept but why.
    ///
    /// # Errors
    /// The store's.
    pub fn refuse(mut self, problems: Vec<RowProblem>, file: FileFacts) -> Result<Load, Refusal> {
        self.content.refused = problems;
        self.content.refused.truncate(MOST_PROBLEMS);
        self.content.file = file;
        let load = self.close(LoadStatus::Refused)?;
        self.registry
            .inner
            .store
            .clear_plan(
                &self.load.owner,
                self.load.id,
                Reached {
                    turn: i32::MIN,
                    number: 0,
                },
            )
            .map_err(refuse_store)?;
        Ok(load)
    }

    /// Finishes the plan. `file` says what is known of the file now that it has been read.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(mut self, file: FileFacts) -> Result<Load, Refusal> {
        self.content.file = file;
        self.flush()?;
        self.settle_waiting()?;
        let spoke = {
            let (owner, source) = (&self.load.owner, &self.load.source);
            self.registry
                .inner
                .store
                .read(|reader| reader.assertion_count(owner, source))
                .map_err(refuse_store)?
        };
        match self.load.kind {
            LoadKind::Full => self.plan_missing()?,
            _ => self.plan_shrunk()?,
        }
        self.write(Vec::new())?;
        self.order_ends()?;
        self.rehearse()?;
        self.count()?;
        let last = {
            let (owner, source) = (&self.load.owner, &self.load.source);
            self.registry
                .inner
                .store
                .read(|reader| reader.last_applied(owner, source))
                .map_err(refuse_store)?
        };
        let last = last.as_ref().map(Content::of).transpose()?;
        self.content.guards = hits(
            &self.settings,
            self.load.kind,
            &self.content,
            last.as_ref(),
            spoke,
        );
        let status = if self.content.guards.is_empty() {
            LoadStatus::Planned
        } else {
            LoadStatus::Stopped
        };
        self.close(status)
    }

    /// Counts the rows of the plan.
    pub(super) fn count(&mut self) -> Result<(), Refusal> {
        let rows = self.writer.counts().map_err(refuse_store)?;
        let counts = &mut self.content.counts;
        for (outcome, state, count) in rows {
            self.content.rows += count;
            counts.set(outcome, count);
            if state == RowState::SetAside {
                counts.set_aside += count;
            }
        }
        Ok(())
    }

    /// Says what has become of the plan.
    pub(super) fn close(&mut self, status: LoadStatus) -> Result<Load, Refusal> {
        let content = self.content.written()?;
        let (id, now) = (self.load.id, self.registry.now());
        let closed = self
            .registry
            .inner
            .store
            .change_load(&self.load.owner, id, |found| match found {
                Some(load) if load.status == LoadStatus::Planning => Ok(LoadRow {
                    status,
                    content,
                    changed_at: now,
                    ..load
                }),
                _ => Err(gone(id)),
            })
            .map_err(refuse_store)??;
        self.finished = true;
        Load::of(&closed)
    }

    /// Leaves the load as it is, for whoever takes its planning up again.
    pub fn leave(mut self) {
        self.finished = true;
    }

    pub(super) fn next_number(&mut self) -> i64 {
        self.numbers += 1;
        self.numbers
    }

    /// Writes the rows that are ready to be, and changes others.
    pub(super) fn write(&mut self, changed: Vec<PlanRow>) -> Result<(), Refusal> {
        let new = std::mem::take(&mut self.unwritten);
        let going = self.writer.write(&new, &changed).map_err(refuse_store)?;
        if going {
            Ok(())
        } else {
            Err(gone(self.load.id))
        }
    }

    /// A candidate as a row without anything worked out.
    pub(super) fn row_of(&self, candidate: &Candidate) -> PlanRow {
        PlanRow {
            number: candidate.number,
            file_row: candidate
                .file_rows
                .first()
                .map_or(0, |row| i64::try_from(*row).unwrap_or(i64::MAX)),
            record_name: candidate.record_name.clone(),
            key: written_key(&candidate.key),
            key_hash: candidate.key_hash,
            domain: candidate.domain,
            outcome: RowOutcome::Rejected,
            turn: 0,
            state: RowState::Ready,
            record: candidate.head.map(|head| head.record),
            base_version: None,
            classes: self
                .registry
                .inner
                .model
                .domain(candidate.domain)
                .class()
                .bit(),
            protection: 0,
            content: String::new(),
        }
    }
}

impl Drop for LoadPlanner {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.registry.fail_plan(
            &self.load.owner,
            self.load.id,
            &self.context.request_id,
            &given_up(),
        );
    }
}

/// The number of a row where many are kept: a load has no more than 2^32.
pub(super) fn short_number(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The beginning of a hash.
pub(super) fn short(hash: &[u8; 16]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(hash) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

pub(super) fn read_said(text: &str) -> Result<super::assertion::Said, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        tracing::error!(%error, "a stored assertion cannot be read");
        Refusal::internal()
    })
}

/// The load is not being planned any more.
fn gone(id: Uuid) -> Refusal {
    Refusal::new(
        Code::LoadState,
        format!(
            "The load {id} is not being planned any more: it was cancelled, or replaced by another. Nothing was stored."
        ),
    )
}
