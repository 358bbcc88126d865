//! What a file says, gathered by key: said before, said twice, in pieces, or in contradiction.

use std::collections::{BTreeSet, HashMap};

use grunddata_model::Domain;
use grunddata_store::{AssertionHead, KeyHash, PlanRow, RowState};

use super::assertion::{Assertion, AssertionKey, Piece, hash_of_pieces};
use super::leaves::{IDENTIFIERS, changes};
use super::matching::identifier_hash;
use super::planner::{LoadPlanner, Seen, read_said, short};
use super::row::{RowContent, RowProblem, problem};
use crate::Refusal;
use crate::registry::refuse_store;

/// The most pieces of one record.
const MOST_PIECES: usize = 1_000;

/// A row that is to be worked out.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Its number, and whether it stands in the plan already.
    pub(super) number: i64,
    pub(super) written: bool,
    /// Whether it stands there as one that waits, as it is.
    pub(super) waited: bool,
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
            waited: true,
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

impl LoadPlanner {
    /// Takes what was gathered into the plan.
    pub(super) fn flush(&mut self) -> Result<(), Refusal> {
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
                    let before = Candidate {
                        pieces: pieces.clone(),
                        ..candidate.clone()
                    };
                    for (scheme, value) in self.identifiers_of(&before) {
                        let hash = identifier_hash(scheme.as_str(), &value);
                        if self
                            .claimed
                            .get(&hash)
                            .is_some_and(|of| of.record == record)
                        {
                            self.claimed.remove(&hash);
                        }
                    }
                    self.targeted.remove(&record);
                    self.ending.remove(&record);
                }
                self.waiting = self
                    .waiting
                    .saturating_sub(u64::from(row.state == RowState::Waiting));
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
            waited: false,
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

/// The most properties that a problem lists.
const MOST_LISTED: usize = 10;

/// The properties in which pieces differ.
pub(super) fn differing<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<String> {
    let mut pieces = pieces.into_iter();
    let Some(first) = pieces.next() else {
        return Vec::new();
    };
    let mut differ: BTreeSet<String> = BTreeSet::new();
    for other in pieces {
        let changes = changes(&first.data, &other.data).into_iter();
        differ.extend(changes.map(|change| change.pointer));
        if first.data.pointer(IDENTIFIERS) != other.data.pointer(IDENTIFIERS) {
            differ.insert(IDENTIFIERS.to_owned());
        }
    }
    differ.into_iter().collect()
}

/// What differs, in words.
pub(super) fn in_what(differ: &[String], en: &str, sv: &str) -> (String, String) {
    if differ.is_empty() {
        return (String::new(), String::new());
    }
    let listed: Vec<&str> = differ
        .iter()
        .take(MOST_LISTED)
        .map(String::as_str)
        .collect();
    let more = if differ.len() > MOST_LISTED {
        ", …"
    } else {
        ""
    };
    let listed = format!("{}{more}", listed.join(", "));
    (format!(" {en} {listed}."), format!(" {sv} {listed}."))
}

/// Two rows say different things under one key.
pub(super) fn duplicate_key(rows: &[u64], pieces: &[Piece]) -> RowProblem {
    let listed: Vec<String> = rows.iter().take(20).map(u64::to_string).collect();
    let listed = listed.join(", ");
    let differ = differing(pieces);
    let (what, what_sv) = in_what(&differ, "They differ in", "De skiljer sig i");
    let problem = RowProblem::new(
        problem::DUPLICATE_KEY,
        format!(
            "The rows {listed} have one key and say different things: give each its own key, or say from when until when each holds.{what}"
        ),
        format!(
            "Raderna {listed} har samma nyckel men olika innehåll: ge var och en en egen nyckel, eller ange från och till när var och en gäller.{what_sv}"
        ),
    );
    match differ.as_slice() {
        [only] => problem.at(only.clone()),
        _ => problem,
    }
}
