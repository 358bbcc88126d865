//! Making a plan: what was read of a file comes in piece by piece, and every row is worked out as far as it can be at
//! once. Memory holds one small entry for each key of the file; everything else is in the database.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_store::{
    AssertionHead, KeyHash, LoadKind, LoadRow, LoadStatus, PlanRow, PlanWriter, Reached,
    RowOutcome, RowState,
};
use serde_json::json;
use uuid::Uuid;

use super::assertion::{Assertion, AssertionKey, Piece, hash_of_pieces};
use super::cancel::cancelled;
use super::content::{Content, FileFacts, LoadCounts, Signature};
use super::guards::hits;
use super::must_load;
use super::read::Load;
use super::row::{RowContent, RowProblem, problem, written_key};
use super::settings::{Approval, Precedence, SourceSettings};
use crate::registry::refuse_store;
use crate::write::JobContext;
use crate::{Code, Context, Refusal, Registry};

/// How many of what is said are looked up together.
const CHUNK: usize = 1_000;
/// The most that one load may say.
const MOST_SAID: u64 = 20_000_000;
/// The most pieces of one record.
const MOST_PIECES: usize = 1_000;
/// The most problems that are kept of one row.
const MOST_PROBLEMS: usize = 100;
/// After so long without a sign of life a plan that is being made is taken for given up, in microseconds.
const GIVEN_UP: i64 = 10 * 60 * 1_000_000;

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
    row: u32,
    /// The beginning of the hash of what it said.
    said: u64,
}

/// A row that is to be worked out.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Its number, and whether it stands in the plan already.
    pub(super) number: i64,
    pub(super) written: bool,
    pub(super) file_rows: Vec<u64>,
    pub(super) record_name: String,
    pub(super) key: AssertionKey,
    pub(super) key_hash: KeyHash,
    pub(super) domain: Domain,
    pub(super) pieces: Vec<Piece>,
    pub(super) removed: bool,
    pub(super) head: Option<AssertionHead>,
    /// What tells the first piece apart, as it was said.
    first_hash: [u8; 16],
}

impl Candidate {
    /// What tells what is said apart.
    pub(super) fn hash(&self) -> [u8; 16] {
        if self.pieces.len() == 1 {
            self.first_hash
        } else {
            hash_of_pieces(&self.pieces)
        }
    }

    /// A row of a plan as it was before it was worked out.
    pub(super) fn of_waiting(row: &PlanRow, head: Option<AssertionHead>) -> Result<Self, Refusal> {
        let content = RowContent::read(&row.content)?;
        let mut file_rows = vec![u64::try_from(row.file_row).unwrap_or_default()];
        file_rows.extend(content.rows);
        let key = serde_json::from_str(&row.key).map_err(|_| Refusal::internal())?;
        Ok(Self {
            number: row.number,
            written: true,
            file_rows,
            record_name: row.record_name.clone(),
            key,
            key_hash: row.key_hash,
            domain: row.domain,
            first_hash: content
                .said
                .pieces
                .first()
                .map(Piece::hash)
                .unwrap_or_default(),
            pieces: content.said.pieces,
            removed: content.removed,
            head,
        })
    }
}

/// Makes the plan of one load. Blocks the thread that uses it; it may go from thread to thread. Dropped before it is
/// finished, it gives the load up.
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
    buffer: Vec<(KeyHash, Assertion)>,
    pub(super) seen: HashMap<KeyHash, Seen>,
    /// Keys of rows with which something is wrong: they are not missing.
    pub(super) named: HashSet<KeyHash>,
    /// Identifiers that records of this plan are to have: the beginning of their hash, and the record with its turn.
    pub(super) claimed: HashMap<u64, (RecordId, i32)>,
    /// Records that are there already and have a row in this plan.
    pub(super) targeted: HashSet<RecordId>,
    pub(super) numbers: i64,
    pub(super) waiting: u64,
    pub(super) unwritten: Vec<PlanRow>,
    finished: bool,
}

impl Registry {
    /// Begins a load of a source and the making of its plan.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who may not load for the owner; [`Code::UnknownSource`], [`Code::SourceRetired`];
    /// [`Code::LoadOpen`] when the source has a load that is still to be planned or applied.
    pub fn plan_load(&self, context: &Context, new: NewLoad) -> Result<LoadPlanner, Refusal> {
        context.disclosed.acted(
            [new.owner.clone()],
            json!({"source": new.source, "file": new.file.name}),
        );
        must_load(context, &new.owner)?;
        if new.kind == LoadKind::Reversal {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "A load of a file is full or delta: a reversal is planned from the load that it takes back.",
            ));
        }
        let source = self.source_of(&new.owner, &new.source)?;
        if source.settings.retired {
            return Err(Refusal::new(
                Code::SourceRetired,
                format!(
                    "The source {} is retired: its settings say that it takes no more loads.",
                    source.key
                ),
            ));
        }
        let reference = new
            .reference_date
            .unwrap_or_else(|| source.settings.reference_day(new.file.date, context.today));
        self.begin(
            context,
            &new.owner,
            source.key,
            source.version,
            &source.settings,
            Beginning {
                kind: new.kind,
                file: new.file,
                reference,
                replace: new.replace,
                reverses: None,
            },
        )
    }

    /// Begins a load, whatever its rows are made from.
    pub(super) fn begin(
        &self,
        context: &Context,
        owner: &OwnerKey,
        source: String,
        version: u32,
        settings: &SourceSettings,
        beginning: Beginning,
    ) -> Result<LoadPlanner, Refusal> {
        let Beginning {
            kind,
            file,
            reference,
            replace,
            reverses,
        } = beginning;
        let rights = std::sync::Arc::new(self.rights(context)?.loading());
        let content = Content {
            file,
            reference_date: reference,
            counts: LoadCounts::default(),
            guards: Vec::new(),
            planned: Signature::of(context, None),
            needs_approval: settings.approval == Approval::OtherPerson,
            approved: None,
            cancelled: None,
            refused: Vec::new(),
            rows: 0,
            done: 0,
        };
        let load = LoadRow {
            owner: owner.clone(),
            id: RecordId::mint(context.now).uuid(),
            source,
            source_version: version,
            kind,
            status: LoadStatus::Planning,
            reverses,
            batches: 0,
            reached: Reached {
                turn: i32::MIN,
                number: 0,
            },
            content: content.written()?,
            created_at: context.now,
            created_by: context.actor.name.clone(),
            changed_at: context.now,
        };
        let store = &self.inner.store;
        let mut displaced = None;
        let begun = store
            .begin_load(&load, |open| {
                let silent = context
                    .now
                    .micros()
                    .saturating_sub(open.changed_at.micros());
                let given_up = open.status == LoadStatus::Planning && silent > GIVEN_UP;
                let replaceable = replace && open.batches == 0;
                if !given_up && !replaceable {
                    return None;
                }
                displaced = Some(open.id);
                let why = format!("Replaced by the load {}.", load.id);
                cancelled(context, open, Some(why)).ok()
            })
            .map_err(refuse_store)?;
        if let Err(open) = begun {
            return Err(Refusal::new(
                Code::LoadOpen,
                format!(
                    "The source {} has the load {} that is {}: apply or cancel it first, or say that it is to be replaced.",
                    load.source,
                    open.id,
                    open.status.as_str()
                ),
            )
            .fact("load", open.id.to_string())
            .fact("status", open.status.as_str()));
        }
        if let Some(displaced) = displaced {
            let nothing = Reached {
                turn: i32::MIN,
                number: 0,
            };
            store
                .clear_plan(owner, displaced, nothing)
                .map_err(refuse_store)?;
        }
        let precedences = store
            .read(|reader| reader.sources(owner))
            .map_err(refuse_store)?
            .into_iter()
            .filter_map(|row| {
                let settings: SourceSettings = serde_json::from_str(&row.settings).ok()?;
                Some((row.key, settings.precedence))
            })
            .collect();
        Ok(LoadPlanner {
            registry: self.clone(),
            context: context.clone(),
            job: self.job_context(context, owner.clone(), rights),
            writer: store
                .plan_writer(owner, load.id, &load.source)
                .map_err(refuse_store)?,
            load,
            content,
            settings: settings.clone(),
            reference,
            precedences,
            buffer: Vec::with_capacity(CHUNK),
            seen: HashMap::new(),
            named: HashSet::new(),
            claimed: HashMap::new(),
            targeted: HashSet::new(),
            numbers: 0,
            waiting: 0,
            unwritten: Vec::new(),
            finished: false,
        })
    }
}

/// What a load begins with.
pub(super) struct Beginning {
    pub(super) kind: LoadKind,
    pub(super) file: FileFacts,
    pub(super) reference: NaiveDate,
    pub(super) replace: bool,
    pub(super) reverses: Option<Uuid>,
}

impl LoadPlanner {
    /// The id of the load.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.load.id
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
        if self.load.kind == LoadKind::Full {
            self.plan_missing()?;
        }
        self.write(Vec::new())?;
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

    /// Takes what was gathered into the plan.
    fn flush(&mut self) -> Result<(), Refusal> {
        let gathered = std::mem::take(&mut self.buffer);
        if gathered.is_empty() {
            return Ok(());
        }
        let mut order: Vec<KeyHash> = Vec::new();
        let mut by_key: HashMap<KeyHash, Vec<Assertion>> = HashMap::with_capacity(gathered.len());
        for (key, assertion) in gathered {
            let said = by_key.entry(key).or_default();
            if said.is_empty() {
                order.push(key);
            }
            said.push(assertion);
        }
        let heads = self.writer.heads(&order).map_err(refuse_store)?;
        let mut candidates = Vec::new();
        let mut again = Vec::new();
        for key in order {
            let Some(said) = by_key.remove(&key) else {
                continue;
            };
            let before = self.seen.get(&key).copied();
            let head = heads.get(&key).copied();
            match before {
                None => candidates.extend(self.first_said(key, said, head)),
                Some(before) => again.extend(self.said_again(key, said, head, before)),
            }
        }
        if !again.is_empty() {
            candidates.extend(self.rejoin(again)?);
        }
        self.work_out(candidates, false)
    }

    /// A key that the file names for the first time; `None` where nothing new is said.
    fn first_said(
        &mut self,
        key: KeyHash,
        said: Vec<Assertion>,
        head: Option<AssertionHead>,
    ) -> Option<Candidate> {
        let mut candidate: Option<Candidate> = None;
        for assertion in said {
            let file_row = assertion.file_row;
            match &mut candidate {
                None => {
                    let new = self.candidate(key, assertion, head);
                    let said = short(&new.first_hash);
                    let row = u32::try_from(file_row).unwrap_or(u32::MAX);
                    self.seen.insert(key, Seen { row, said });
                    candidate = Some(new);
                }
                Some(known) => {
                    if !join(known, assertion) {
                        self.content.counts.repeated += 1;
                    }
                }
            }
        }
        let candidate = candidate?;
        if self.says_nothing(&candidate) {
            self.content.counts.unchanged += 1;
            return None;
        }
        Some(Candidate {
            number: self.next_number(),
            ..candidate
        })
    }

    fn says_nothing(&self, candidate: &Candidate) -> bool {
        match candidate.head {
            Some(head) if candidate.removed => !head.present,
            Some(head) => head.present && head.hash == candidate.hash(),
            None => candidate.removed,
        }
    }

    /// A key that the file has named before, with what is new of it.
    fn said_again(
        &mut self,
        key: KeyHash,
        said: Vec<Assertion>,
        head: Option<AssertionHead>,
        before: Seen,
    ) -> Option<Candidate> {
        let mut candidate: Option<Candidate> = None;
        for assertion in said {
            match &mut candidate {
                Some(known) => {
                    if !join(known, assertion) {
                        self.content.counts.repeated += 1;
                    }
                }
                None => {
                    let new = self.candidate(key, assertion, head);
                    if short(&new.first_hash) == before.said {
                        self.content.counts.repeated += 1;
                    } else {
                        candidate = Some(new);
                    }
                }
            }
        }
        let mut candidate = candidate?;
        candidate.file_rows.insert(0, u64::from(before.row));
        Some(candidate)
    }

    /// Joins what is said again with what was said before.
    fn rejoin(&mut self, again: Vec<Candidate>) -> Result<Vec<Candidate>, Refusal> {
        self.write(Vec::new())?;
        let keys: Vec<KeyHash> = again.iter().map(|candidate| candidate.key_hash).collect();
        let rows = self.writer.rows_of_keys(&keys).map_err(refuse_store)?;
        let rows: HashMap<KeyHash, PlanRow> =
            rows.into_iter().map(|row| (row.key_hash, row)).collect();
        let said = self.writer.said(&keys).map_err(refuse_store)?;
        let mut joined = Vec::with_capacity(again.len());
        let mut superfluous = Vec::new();
        for mut candidate in again {
            let key = candidate.key_hash;
            let mut pieces = Vec::new();
            if let Some(row) = rows.get(&key) {
                let content = RowContent::read(&row.content)?;
                candidate.number = row.number;
                candidate.written = true;
                let mut file_rows = vec![u64::try_from(row.file_row).unwrap_or_default()];
                file_rows.extend(content.rows);
                file_rows.extend(candidate.file_rows.iter().skip(1));
                candidate.file_rows = file_rows;
                pieces = content.said.pieces;
                candidate.removed |= content.removed;
                // What was worked out of it before is worked out anew.
                if let Some(record) = row.record {
                    self.targeted.remove(&record);
                    self.claimed.retain(|_, (of, _)| *of != record);
                }
                self.waiting -= u64::from(row.state == RowState::Waiting);
            } else {
                self.content.counts.unchanged = self.content.counts.unchanged.saturating_sub(1);
                if let Some(row) = said.get(&key) {
                    pieces = read_said(&row.content)?.pieces;
                }
            }
            for piece in std::mem::take(&mut candidate.pieces) {
                if !pieces.iter().any(|known| known.hash() == piece.hash()) {
                    pieces.push(piece);
                }
            }
            candidate.first_hash = pieces.first().map(Piece::hash).unwrap_or_default();
            candidate.pieces = pieces;
            if self.says_nothing(&candidate) {
                self.content.counts.unchanged += 1;
                superfluous.extend(candidate.written.then_some(candidate.number));
                continue;
            }
            if !candidate.written {
                candidate.number = self.next_number();
            }
            joined.push(candidate);
        }
        if !superfluous.is_empty() {
            self.writer.remove(&superfluous).map_err(refuse_store)?;
        }
        Ok(joined)
    }

    fn candidate(
        &self,
        key_hash: KeyHash,
        assertion: Assertion,
        head: Option<AssertionHead>,
    ) -> Candidate {
        let (file_row, removed, domain) = (assertion.file_row, assertion.removed, assertion.domain);
        let (record_name, key) = (assertion.record.clone(), assertion.key.clone());
        let pieces = if removed {
            Vec::new()
        } else {
            vec![Piece::of(assertion)]
        };
        Candidate {
            number: 0,
            written: false,
            file_rows: vec![file_row],
            record_name,
            key,
            key_hash,
            domain,
            removed,
            first_hash: pieces.first().map(Piece::hash).unwrap_or_default(),
            pieces,
            head,
        }
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
        let id = self.load.id;
        let given_up = self
            .registry
            .inner
            .store
            .change_load(&self.load.owner, id, |found| match found {
                Some(load) if load.status == LoadStatus::Planning => cancelled(
                    &self.context,
                    &load,
                    Some("The plan was given up.".to_owned()),
                ),
                _ => Err(gone(id)),
            });
        if let Ok(Ok(load)) = given_up {
            let cleared = self
                .registry
                .inner
                .store
                .clear_plan(&load.owner, id, load.reached);
            if let Err(error) = cleared {
                tracing::warn!(%error, load = %id, "the rows of a plan that was given up are still there");
            }
        }
    }
}

/// The beginning of a hash.
pub(super) fn short(hash: &[u8; 16]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(hash) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

/// Adds another piece of the same key; whether it says something else than those that are there.
fn join(candidate: &mut Candidate, assertion: Assertion) -> bool {
    let row = assertion.file_row;
    candidate.removed |= assertion.removed;
    if assertion.removed {
        return false;
    }
    let piece = Piece::of(assertion);
    let is_new = !candidate
        .pieces
        .iter()
        .any(|known| known.hash() == piece.hash());
    if is_new && candidate.pieces.len() < MOST_PIECES {
        candidate.pieces.push(piece);
        candidate.file_rows.push(row);
    }
    is_new
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

/// Two rows say different things under one key.
pub(super) fn duplicate_key(rows: &[u64]) -> RowProblem {
    let listed: Vec<String> = rows.iter().take(20).map(u64::to_string).collect();
    let listed = listed.join(", ");
    RowProblem::new(
        problem::DUPLICATE_KEY,
        format!(
            "The rows {listed} have one key and say different things: give each its own key, or say from when until when each holds."
        ),
        format!(
            "Raderna {listed} har samma nyckel men olika innehåll: ge var och en en egen nyckel, eller ange från och till när var och en gäller."
        ),
    )
}
