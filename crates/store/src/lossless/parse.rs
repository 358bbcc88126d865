//! Reading the file: one thread takes it line by line, hashes it, and checks every record by itself, so that what reaches
//! the database is `Resolved` with the hash that its log says.

use std::collections::BTreeMap;
use std::io::{BufRead, ErrorKind, Read as _};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use chrono::NaiveDate;
use grunddata_information_model::{InformationModel, Resolved};
use grunddata_log_proof::entry::Opening;
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{Domain, Instant, Period, RecordId, State, Timeline};
use sha2::{Digest as _, Sha256};

use super::lines::{End, Header, Line, OwnerLine, RecordLine, SECTIONS};
use super::registers::{bytes, digest};
use super::{FORMAT, LONGEST_LINE, LosslessError, LosslessSummary, VERSION, hexadecimal};
use crate::write::{ChangeKind, Operation, RecordStatus, timeline_hash};

/// Records that are handed on together: at most so many, or as many as have this many bytes.
const BATCH: usize = 2_000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// What is handed on to the one who writes to the database.
pub(super) enum Decoded {
    Owner(Box<OwnerLine>),
    Geometry { hash: String, body: String },
    Register(Box<Line<'static>>),
    Records(Vec<CheckedRecord>),
}

/// One change of a record.
pub(super) struct CheckedChange {
    pub(super) position: i64,
    pub(super) version: i32,
    pub(super) instant: Instant,
    pub(super) transaction: grunddata_model::TransactionId,
    pub(super) operation: Operation,
    pub(super) kind: ChangeKind,
    pub(super) corrects: Option<i32>,
    pub(super) actor: String,
    pub(super) reason: Option<String>,
    pub(super) source: Option<String>,
    pub(super) touched: Period,
    pub(super) hash: [u8; 32],
    /// Of an entry that is no write: its day.
    pub(super) effective_on: Option<NaiveDate>,
    pub(super) leaf: Option<Hash>,
    pub(super) opening: Option<Opening>,
}

impl CheckedChange {
    /// Whether it made a version.
    pub(super) fn is_write(&self) -> bool {
        self.effective_on.is_none()
    }
}

/// One state of a record in both times.
pub(super) struct CheckedState {
    pub(super) period: Period,
    pub(super) recorded_at: Instant,
    pub(super) superseded_at: Instant,
    /// What it was raised to: more than it says itself, or less when the file was tampered with.
    pub(super) protection: i16,
    pub(super) value: Resolved,
}

/// A record whose versions can be rebuilt from its states and have the hashes that its changes say.
pub(super) struct CheckedRecord {
    pub(super) id: RecordId,
    pub(super) domain: Domain,
    pub(super) controller: Option<RecordId>,
    pub(super) origin: Option<String>,
    pub(super) version: i32,
    pub(super) status: RecordStatus,
    pub(super) forward_to: Option<RecordId>,
    pub(super) protected_until: NaiveDate,
    pub(super) protection: i16,
    pub(super) changes: Vec<CheckedChange>,
    pub(super) states: Vec<CheckedState>,
    /// The timeline after each write.
    pub(super) versions: Vec<Timeline<Resolved>>,
}

/// The reading of one file.
pub(super) struct Decoder<'a> {
    input: &'a mut (dyn BufRead + Send),
    model: &'a InformationModel,
    sender: SyncSender<Decoded>,
    hash: Sha256,
    line: u64,
    counts: BTreeMap<String, u64>,
    batch: Vec<CheckedRecord>,
    batch_bytes: usize,
    owned: bool,
}

/// How the reading ended.
pub(super) enum Ended {
    /// All of it was read, and its end agrees. Whether it holds some owners only.
    Whole(LosslessSummary, bool),
    /// The one who writes has given up.
    Unheard,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(
        input: &'a mut (dyn BufRead + Send),
        model: &'a InformationModel,
        sender: SyncSender<Decoded>,
    ) -> Self {
        Self {
            input,
            model,
            sender,
            hash: Sha256::new(),
            line: 0,
            counts: BTreeMap::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            owned: false,
        }
    }

    /// Reads everything.
    pub(super) fn run(mut self) -> Result<Ended, LosslessError> {
        let mut text = Vec::new();
        self.next_line(&mut text)?;
        let partial = header(&text)?.owners.is_some();
        self.hash.update(&text);
        loop {
            self.next_line(&mut text)?;
            let line: Line<'_> =
                serde_json::from_slice(&text).map_err(|error| self.wrong(unread(&error)))?;
            if let Line::End(end) = line {
                if !self.flush() {
                    return Ok(Ended::Unheard);
                }
                let summary = self.finish(end)?;
                return Ok(Ended::Whole(summary, partial));
            }
            self.hash.update(&text);
            *self.counts.entry(line.kind().to_owned()).or_default() += 1;
            if !self.take(line, text.len())? {
                return Ok(Ended::Unheard);
            }
        }
    }

    /// The next line with its end.
    fn next_line(&mut self, text: &mut Vec<u8>) -> Result<(), LosslessError> {
        text.clear();
        let limit = LONGEST_LINE as u64 + 4096;
        let read = (&mut *self.input).take(limit).read_until(b'\n', text);
        let cut = LosslessError::Cut { line: self.line };
        match read {
            Ok(_) => {}
            // What a decompressor says of a file that was cut.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(cut),
            Err(error) => return Err(error.into()),
        }
        if text.last() != Some(&b'\n') {
            if text.len() as u64 >= limit {
                self.line += 1;
                return Err(self.wrong("it is longer than a line may be".to_owned()));
            }
            return Err(cut);
        }
        self.line += 1;
        Ok(())
    }

    fn wrong(&self, problem: String) -> LosslessError {
        LosslessError::Line {
            line: self.line,
            problem,
        }
    }

    /// Hands a line on; whether anybody listens.
    fn take(&mut self, line: Line<'_>, length: usize) -> Result<bool, LosslessError> {
        let whose = matches!(
            line,
            Line::Token(_) | Line::Grant(_) | Line::LogKey(_) | Line::Owner(_)
        );
        if !whose && !self.owned {
            return Err(self.wrong("it belongs to an owner, and none was named".to_owned()));
        }
        let next = match line {
            Line::Record(line) => {
                let checked = check(self.model, line).map_err(|problem| self.wrong(problem))?;
                *self.counts.entry("change".to_owned()).or_default() +=
                    checked.changes.len() as u64;
                *self.counts.entry("state".to_owned()).or_default() += checked.states.len() as u64;
                self.batch.push(checked);
                self.batch_bytes += length;
                if self.batch.len() < BATCH && self.batch_bytes < BATCH_BYTES {
                    return Ok(true);
                }
                return Ok(self.flush());
            }
            Line::Owner(owner) => {
                self.owned = true;
                Decoded::Owner(Box::new(owner))
            }
            Line::Geometry(geometry) => {
                let body = geometry.body.get();
                let said = digest(&geometry.hash).map_err(|problem| self.wrong(problem))?;
                if said != <[u8; 32]>::from(Sha256::digest(body.as_bytes())) {
                    return Err(self.wrong("the geometry has another hash".to_owned()));
                }
                Decoded::Geometry {
                    body: body.to_owned(),
                    hash: geometry.hash,
                }
            }
            Line::Header(_) | Line::End(_) => {
                return Err(self.wrong("a header or an end in the middle of the file".to_owned()));
            }
            Line::Token(line) => Decoded::Register(Box::new(Line::Token(line))),
            Line::Grant(line) => Decoded::Register(Box::new(Line::Grant(line))),
            Line::LogKey(line) => Decoded::Register(Box::new(Line::LogKey(line))),
            Line::RetentionRule(line) => Decoded::Register(Box::new(Line::RetentionRule(line))),
            Line::Disposal(line) => Decoded::Register(Box::new(Line::Disposal(line))),
            Line::Delivery(line) => Decoded::Register(Box::new(Line::Delivery(line))),
            Line::Outcome(line) => Decoded::Register(Box::new(Line::Outcome(line))),
            Line::Mark(line) => Decoded::Register(Box::new(Line::Mark(line))),
            Line::FormerHead(line) => Decoded::Register(Box::new(Line::FormerHead(line))),
            Line::Source(line) => Decoded::Register(Box::new(Line::Source(line))),
            Line::Load(line) => Decoded::Register(Box::new(Line::Load(line))),
            Line::LoadRow(line) => Decoded::Register(Box::new(Line::LoadRow(line))),
            Line::LoadBatch(line) => Decoded::Register(Box::new(Line::LoadBatch(line))),
            Line::Assertion(line) => Decoded::Register(Box::new(Line::Assertion(line))),
            Line::AssertionContent(line) => {
                Decoded::Register(Box::new(Line::AssertionContent(line)))
            }
            Line::Peer(line) => Decoded::Register(Box::new(Line::Peer(line))),
            Line::CopyBatch(line) => Decoded::Register(Box::new(Line::CopyBatch(line))),
            Line::Transfer(line) => Decoded::Register(Box::new(Line::Transfer(line))),
            Line::TransferRecord(line) => Decoded::Register(Box::new(Line::TransferRecord(line))),
        };
        Ok(self.flush() && self.sender.send(next).is_ok())
    }

    /// Hands the records on that wait; whether anybody listens.
    fn flush(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.sender.send(Decoded::Records(batch)).is_ok()
    }

    /// Compares the end with what was read, and looks that nothing follows it.
    fn finish(mut self, end: End) -> Result<LosslessSummary, LosslessError> {
        let sha256 = hexadecimal(&self.hash.clone().finalize());
        if sha256 != end.sha256 {
            return Err(LosslessError::Checksum {
                said: end.sha256,
                found: sha256,
            });
        }
        for what in self.counts.keys().chain(end.counts.keys()) {
            let of = |counts: &BTreeMap<String, u64>| counts.get(what).copied().unwrap_or_default();
            let (found, said) = (of(&self.counts), of(&end.counts));
            if found != said {
                return Err(LosslessError::Count {
                    what: what.clone(),
                    said,
                    found,
                });
            }
        }
        let mut more = [0; 1];
        if self.input.read(&mut more)? != 0 {
            self.line += 1;
            return Err(self.wrong("something follows the end".to_owned()));
        }
        Ok(LosslessSummary {
            counts: self.counts,
            sha256,
        })
    }
}

/// Why a line could not be read, without what stands in it: that may be somebody's number.
fn unread(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let known = ["unknown variant", "unknown field", "missing field"];
    if known.iter().any(|known| text.starts_with(known)) {
        return format!(
            "{text}: the file was written by another version of the program, or by something else"
        );
    }
    format!("it is no line of this form (at byte {})", error.column())
}

/// The first line.
fn header(text: &[u8]) -> Result<Header, LosslessError> {
    let first: serde_json::Value = serde_json::from_slice(text)
        .map_err(|_| LosslessError::NoFormat("its first line is no JSON".to_owned()))?;
    let said = first.get("header");
    let format = said
        .and_then(|header| header.get("format"))
        .and_then(serde_json::Value::as_str);
    if format != Some(FORMAT) {
        let problem = format!("its first line does not say \"format\":\"{FORMAT}\"");
        return Err(LosslessError::NoFormat(problem));
    }
    let version = said
        .and_then(|header| header.get("version"))
        .and_then(serde_json::Value::as_u64)
        .unwrap_or_default();
    if version != u64::from(VERSION) {
        return Err(LosslessError::Version { given: version });
    }
    let line: Line<'_> = serde_json::from_slice(text).map_err(|error| LosslessError::Line {
        line: 1,
        problem: unread(&error),
    })?;
    let Line::Header(header) = line else {
        return Err(LosslessError::NoFormat(
            "its first line is no header".to_owned(),
        ));
    };
    if let Some(unknown) = header
        .sections
        .iter()
        .find(|section| !SECTIONS.contains(&section.as_str()))
    {
        return Err(LosslessError::Line {
            line: 1,
            problem: format!(
                "the file has the section {unknown:?}, which this program does not know: import it with the program that wrote it ({})",
                header.program
            ),
        });
    }
    Ok(header)
}

/// Checks a record by itself, and rebuilds every version.
fn check(model: &InformationModel, line: RecordLine<'_>) -> Result<CheckedRecord, String> {
    let id = line.id;
    let wrong = |problem: String| format!("the record {id}: {problem}");
    let status = RecordStatus::from_name(&line.status)
        .ok_or_else(|| wrong(format!("the status {:?} is unknown", line.status)))?;
    let mut changes = Vec::with_capacity(line.changes.len());
    let mut place = 0;
    for change in line.changes {
        let is_write = change.effective_on.is_none();
        place += i32::from(is_write);
        if change.version != place {
            return Err(wrong(format!(
                "version {} stands in place {place}",
                change.version
            )));
        }
        let unknown = |what: &str| wrong(format!("the {what} of version {place} is unknown"));
        let operation =
            Operation::from_name(&change.operation).ok_or_else(|| unknown("operation"))?;
        if is_write == (operation == Operation::Effective) {
            return Err(wrong(format!(
                "an entry of version {place} is half a write and half none"
            )));
        }
        changes.push(CheckedChange {
            position: change.position,
            version: change.version,
            instant: change.recorded_at,
            transaction: change.transaction,
            operation,
            kind: ChangeKind::from_name(&change.change_kind).ok_or_else(|| unknown("kind"))?,
            corrects: change.corrects,
            actor: change.actor.into_owned(),
            reason: change.reason.map(std::borrow::Cow::into_owned),
            source: change.source.map(std::borrow::Cow::into_owned),
            touched: Period::new(change.valid_from, change.valid_to)
                .map_err(|error| wrong(error.to_string()))?,
            hash: digest(&change.hash).map_err(wrong)?,
            effective_on: change.effective_on,
            leaf: match &change.leaf {
                Some(leaf) => Some(Hash(digest(leaf).map_err(wrong)?)),
                None => None,
            },
            opening: match &change.opening {
                Some(text) => Some(
                    bytes(text)
                        .and_then(|bytes| Opening::from_bytes(&bytes))
                        .ok_or_else(|| unknown("opening of the leaf"))?,
                ),
                None => None,
            },
        });
    }
    if line.version != place || changes.is_empty() {
        return Err(wrong(format!(
            "it is at version {}, its log at {place}",
            line.version
        )));
    }
    let rising = changes
        .iter()
        .zip(changes.iter().skip(1))
        .all(|(one, next)| {
            // What time itself did on several days may be told together.
            let together = one.effective_on.is_some() && next.effective_on.is_some();
            one.position < next.position
                && (one.instant < next.instant || together && one.instant == next.instant)
        });
    if !rising {
        return Err(wrong(
            "its changes do not rise in position and time".to_owned(),
        ));
    }
    let known = |at: Instant| {
        let found = changes.binary_search_by_key(&at, |change| change.instant);
        let found = found.ok().and_then(|found| changes.get(found));
        found.is_some_and(CheckedChange::is_write)
    };
    let mut states = Vec::with_capacity(line.states.len());
    for state in line.states {
        let superseded_at = state.superseded_at.unwrap_or(Instant::FOREVER);
        let ended = superseded_at == Instant::FOREVER || known(superseded_at);
        if !known(state.recorded_at) || !ended || state.recorded_at >= superseded_at {
            return Err(wrong(format!(
                "a state is recorded at {} until {superseded_at}, and no change says so",
                state.recorded_at
            )));
        }
        let value = model
            .reload(line.domain, &state.model, Arc::from(state.body.get()))
            .map_err(|error| wrong(error.to_string()))?;
        // Here, beside the one who writes, and not there.
        let _extracted = value.entries();
        states.push(CheckedState {
            period: Period::new(state.valid_from, state.valid_to)
                .map_err(|error| wrong(error.to_string()))?,
            recorded_at: state.recorded_at,
            superseded_at,
            protection: state.protection,
            value,
        });
    }
    let mut versions = Vec::with_capacity(changes.len());
    for change in changes.iter().filter(|change| change.is_write()) {
        let version = change.version;
        let believed: Vec<State<Resolved>> = states
            .iter()
            .filter(|state| {
                state.recorded_at <= change.instant && change.instant < state.superseded_at
            })
            .map(|state| State::new(state.period, state.value.clone()))
            .collect();
        let count = believed.len();
        let timeline = Timeline::new(believed)
            .map_err(|error| wrong(format!("version {version}: {error}")))?;
        if timeline.states().len() != count {
            return Err(wrong(format!(
                "version {version} has equal adjacent states"
            )));
        }
        if timeline_hash(&timeline) != change.hash {
            return Err(wrong(format!(
                "version {version} has another hash than its log says: the file was changed"
            )));
        }
        versions.push(timeline);
    }
    let believed = versions.last().is_some_and(|last| !last.is_empty());
    let agrees = match status {
        RecordStatus::Current => believed,
        RecordStatus::Retracted => !believed,
        RecordStatus::Erased => states.is_empty(),
        RecordStatus::Merged => true,
        RecordStatus::Transferred => !believed,
    };
    if !agrees {
        return Err(wrong(format!(
            "its states do not agree with the status {}",
            status.as_str()
        )));
    }
    Ok(CheckedRecord {
        id,
        domain: line.domain,
        controller: line.controller,
        origin: line.origin,
        version: line.version,
        status,
        forward_to: line.forward_to,
        protected_until: line.protected_until.unwrap_or(Period::BEGINNING),
        protection: line.protection,
        changes,
        states,
        versions,
    })
}
