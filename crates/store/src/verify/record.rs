//! The records of an owner: believed states that do not overlap, and versions that can be rebuilt from the rows and have
//! the hash that the log has.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use grunddata_information_model::Resolved;
use grunddata_model::{Instant, OwnerKey, Period, RecordId, State, Timeline, TimelineError};

use crate::error::StoreError;
use crate::marks::{MarkKind, RESTRICTED, marked};
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::verify::{Expected, Progress, Verifier};
use crate::write::{
    Protection, RecordStatus, domain, identifies, last_said, of_columns, period, protections,
    reload, timeline_hash,
};

type StateTypes = (
    (SqlId, SqlDay, SqlDay, SqlMoment, SqlMoment, SmallInt),
    (
        Text,
        Text,
        Binary,
        Nullable<Text>,
        Nullable<Text>,
        SmallInt,
        SmallInt,
        SmallInt,
    ),
);
type StateParts = (
    (Id, Day, Day, Moment, Moment, i16),
    (
        String,
        String,
        Vec<u8>,
        Option<String>,
        Option<String>,
        i16,
        i16,
        i16,
    ),
);
type HeadParts = (Id, i16, i32, i16, Day, i16);

pub(super) struct StoredState {
    pub(super) period: Period,
    pub(super) recorded_at: Instant,
    pub(super) superseded_at: Instant,
    pub(super) value: Resolved,
}

pub(super) struct StoredChange {
    pub(super) version: i32,
    pub(super) instant: Instant,
    pub(super) hash: Vec<u8>,
}

pub(super) type States = HashMap<RecordId, Vec<StoredState>>;
pub(super) type Changes = HashMap<RecordId, Vec<StoredChange>>;

/// How many records are checked at a time.
const PAGE: i64 = 128;

impl Verifier<'_> {
    pub(super) fn check_records(
        &mut self,
        owner: &OwnerKey,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        let mut count = Sql::<(BigInt,)>::new("SELECT COUNT(*) FROM record r WHERE r.owner = ");
        count.text(owner.as_str());
        let of: Option<(i64,)> = self.connection.first(&count)?;
        let of = of
            .and_then(|(count,)| u64::try_from(count).ok())
            .unwrap_or_default();
        let mut records = 0_u64;
        let mut after = None;
        let mut expected = Expected::default();
        loop {
            let mut sql = Sql::<(SqlId, SmallInt, Integer, SmallInt, SqlDay, SmallInt)>::new(
                "SELECT r.id, r.domain, r.version, r.status, r.protected_until, r.protection FROM record r WHERE r.owner = ",
            );
            sql.text(owner.as_str());
            if let Some(after) = after {
                sql.push(" AND r.id > ").id(after);
            }
            sql.push(" ORDER BY r.id").limit(PAGE);
            let heads: Vec<HeadParts> = self.connection.load(&sql)?;
            let Some(last) = heads.last() else {
                return self.check_numbers(owner, expected);
            };
            after = Some(last.0);
            self.check_page(owner, &heads, &mut expected)?;
            records += heads.len() as u64;
            progress(Progress {
                owner: owner.clone(),
                records,
                of,
            });
        }
    }

    fn check_page(
        &mut self,
        owner: &OwnerKey,
        heads: &[HeadParts],
        expected: &mut Expected,
    ) -> Result<(), StoreError> {
        let ids: Vec<RecordId> = heads.iter().map(|head| head.0.record()).collect();
        self.check_directory(owner, heads, &ids)?;
        let states = self.load_states(owner, &ids)?;
        let changes = self.load_changes(owner, &ids)?;
        let identified = self.identified(&states)?;
        let restricted = marked(self.connection, owner.as_str(), MarkKind::Restriction, &ids)?;
        for (id, _, version, status, until, level) in heads {
            let id = id.record();
            let believed = self.check_versions(
                owner,
                id,
                *version,
                states.get(&id).map_or(&[], Vec::as_slice),
                changes.get(&id).map_or(&[], Vec::as_slice),
            );
            let status = RecordStatus::from_code(*status);
            let agrees = match status {
                Some(RecordStatus::Current) => !believed.is_empty(),
                Some(
                    RecordStatus::Retracted | RecordStatus::Erased | RecordStatus::Transferred,
                ) => believed.is_empty(),
                Some(RecordStatus::Merged) => true,
                None => false,
            };
            if !agrees {
                let detail = format!(
                    "the status is {status:?}, with {} believed states",
                    believed.states().len()
                );
                self.found(owner, Some(id), "status-agrees", detail);
            }
            if status == Some(RecordStatus::Erased) {
                // Whether somebody may be told of it depends on how it was protected: that stays as it was.
                let states = states.get(&id).map_or(0, Vec::len);
                if states > 0 {
                    let detail = format!("{states} states of an erased record");
                    self.found(owner, Some(id), "erased-has-nothing", detail);
                }
                continue;
            }
            let mut newest: Vec<&StoredState> = states.get(&id).into_iter().flatten().collect();
            newest.sort_unstable_by_key(|state| std::cmp::Reverse(state.recorded_at));
            let ever: Vec<(Period, u8)> = newest
                .iter()
                .map(|state| (state.period, state.value.protection()))
                .collect();
            let said = Protection::of_states(last_said(ever.iter().copied()));
            let of_others = Protection::of(identified.get(&id).into_iter().flatten().copied()).and(
                if restricted.contains(&id) {
                    RESTRICTED
                } else {
                    Protection::NONE
                },
            );
            let stored = of_columns(*until, *level);
            // At least what was said last of each day; no more than what ever was.
            let (least, most) = (
                said.and(of_others),
                Protection::of_states(ever).and(of_others),
            );
            let open_ended = Protection {
                until: Period::OPEN,
                ..most
            };
            // A copy is told of a stronger protection before the change with which it comes.
            let too_much = open_ended.and(stored) != open_ended && !self.is_copied(owner)?;
            if stored.and(least) != stored || too_much {
                let detail = format!("stored {stored:?}, said last {least:?}, ever {most:?}");
                self.found(owner, Some(id), "protection-agrees", detail);
            }
        }
        self.check_rows(owner, &ids, &states, &changes, expected)
    }

    /// How those are protected whom the records have ever identified.
    fn identified(
        &mut self,
        states: &States,
    ) -> Result<HashMap<RecordId, Vec<Protection>>, StoreError> {
        let mut targets: HashMap<RecordId, BTreeSet<RecordId>> = HashMap::new();
        for (id, states) in states {
            let links = states.iter().flat_map(|state| {
                let domain = state.value.domain();
                state.value.links().iter().map(move |link| (domain, link))
            });
            for (domain, link) in links {
                if identifies(self.model, domain, &link.relation) {
                    targets.entry(*id).or_default().insert(link.target);
                }
            }
        }
        let all: BTreeSet<RecordId> = targets.values().flatten().copied().collect();
        let all: Vec<RecordId> = all.into_iter().collect();
        let mut heads: HashMap<RecordId, Protection> = HashMap::new();
        for chunk in all.chunks(LIST) {
            let found = protections(self.connection, chunk, false)?;
            heads.extend(
                found
                    .into_iter()
                    .map(|(id, _, protection)| (id, protection)),
            );
        }
        Ok(targets
            .into_iter()
            .map(|(id, targets)| {
                let found = targets.iter().filter_map(|target| heads.get(target));
                (id, found.copied().collect())
            })
            .collect())
    }

    fn load_states(&mut self, owner: &OwnerKey, ids: &[RecordId]) -> Result<States, StoreError> {
        let mut sql = Sql::<StateTypes>::new(
            "SELECT s.record_id, s.valid_from, s.valid_to, s.recorded_at, s.superseded_at, s.domain, s.model, s.body, s.hash, \
             s.display, s.kind, s.classes, s.protection, s.has_links FROM state s WHERE s.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND s.record_id IN ")
            .ids(ids.iter().copied());
        let mut states = States::new();
        for (place, content) in self.connection.load::<_, StateParts>(&sql)? {
            let (id, from, to, Moment(recorded_at), Moment(superseded_at), domain_code) = place;
            let (model, body, hash, display, kind, classes, protection, has_links) = content;
            let id = id.record();
            let loaded = domain(domain_code)
                .and_then(|domain| reload(self.model, domain, &model, body))
                .and_then(|value| Ok((value, period(from, to)?)));
            let (value, period) = match loaded {
                Ok(loaded) => loaded,
                Err(error) => {
                    self.found(owner, Some(id), "state-readable", error.to_string());
                    continue;
                }
            };
            let agrees = value.hash().as_slice() == hash
                && value.display() == display.as_deref()
                && value.kind() == kind.as_deref()
                && i16::from(value.classes()) == classes
                && i16::from(!value.links().is_empty()) == has_links
                // It may have been raised afterwards.
                && i16::from(value.protection()) <= protection;
            if !agrees {
                let detail = format!(
                    "the columns of the state {period} recorded at {recorded_at} differ from its body"
                );
                self.found(owner, Some(id), "state-agrees", detail);
            }
            states.entry(id).or_default().push(StoredState {
                period,
                recorded_at,
                superseded_at,
                value,
            });
        }
        Ok(states)
    }

    fn load_changes(&mut self, owner: &OwnerKey, ids: &[RecordId]) -> Result<Changes, StoreError> {
        let mut sql = Sql::<(SqlId, Integer, SqlMoment, Binary)>::new(
            "SELECT c.record_id, c.version, c.recorded_at, c.hash FROM change c WHERE c.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND c.record_id IN ")
            .ids(ids.iter().copied());
        sql.push(" AND c.effective_on = ").not_effective();
        sql.push(" ORDER BY c.record_id, c.version");
        let mut changes = Changes::new();
        let rows: Vec<(Id, i32, Moment, Vec<u8>)> = self.connection.load(&sql)?;
        for (id, version, Moment(instant), hash) in rows {
            changes.entry(id.record()).or_default().push(StoredChange {
                version,
                instant,
                hash,
            });
        }
        Ok(changes)
    }

    /// Rebuilds every version from the rows; what is believed now is given back.
    fn check_versions(
        &mut self,
        owner: &OwnerKey,
        id: RecordId,
        version: i32,
        states: &[StoredState],
        changes: &[StoredChange],
    ) -> Timeline<Resolved> {
        let mut believed = Timeline::empty();
        let instants: HashSet<Instant> = changes.iter().map(|change| change.instant).collect();
        for state in states {
            let ended =
                state.superseded_at == Instant::FOREVER || instants.contains(&state.superseded_at);
            if !instants.contains(&state.recorded_at)
                || !ended
                || state.recorded_at >= state.superseded_at
            {
                let detail = format!(
                    "a state is recorded at {} until {}",
                    state.recorded_at, state.superseded_at
                );
                self.found(owner, Some(id), "state-has-change", detail);
            }
        }
        for (place, change) in (1..).zip(changes) {
            let number = change.version;
            if number != place {
                self.found(
                    owner,
                    Some(id),
                    "versions-dense",
                    format!("version {number} stands in place {place}"),
                );
            }
            let (rebuilt, count) = match believed_at(states, change.instant) {
                Ok(rebuilt) => rebuilt,
                Err(error) => {
                    self.found(
                        owner,
                        Some(id),
                        "states-overlap",
                        format!("version {number}: {error}"),
                    );
                    continue;
                }
            };
            if rebuilt.states().len() != count {
                let detail = format!("version {number} has equal adjacent states");
                self.found(owner, Some(id), "timeline-canonical", detail);
            }
            if timeline_hash(&rebuilt).as_slice() != change.hash {
                let detail = format!("version {number} cannot be rebuilt from its rows");
                self.found(owner, Some(id), "version-hash", detail);
            }
            believed = rebuilt;
        }
        if changes.len() != usize::try_from(version).unwrap_or_default() {
            let detail = format!(
                "the record is at version {version}, its log at {}",
                changes.len()
            );
            self.found(owner, Some(id), "version-agrees", detail);
        }
        believed
    }

    fn check_directory(
        &mut self,
        owner: &OwnerKey,
        heads: &[HeadParts],
        ids: &[RecordId],
    ) -> Result<(), StoreError> {
        let mut sql = Sql::<(SqlId, Text, SmallInt, SmallInt)>::new(
            "SELECT d.id, d.owner, d.domain, d.erased FROM directory_id d WHERE d.id IN ",
        );
        sql.ids(ids.iter().copied());
        let rows: Vec<(Id, String, i16, i16)> = self.connection.load(&sql)?;
        let known: HashMap<Id, (String, i16, i16)> = rows
            .into_iter()
            .map(|(id, owner, domain, erased)| (id, (owner, domain, erased)))
            .collect();
        for (id, domain_code, _, status, ..) in heads {
            let is_erased = i16::from(*status == RecordStatus::Erased.code());
            let agrees = known.get(id).is_some_and(|(said, code, erased)| {
                said == owner.as_str() && code == domain_code && *erased == is_erased
            });
            if !agrees {
                let detail = "the directory of ids says otherwise";
                self.found(owner, Some(id.record()), "directory-agrees", detail);
            }
        }
        Ok(())
    }
}

/// The timeline that the rows say was believed at an instant, and from how many rows.
pub(super) fn believed_at(
    states: &[StoredState],
    instant: Instant,
) -> Result<(Timeline<Resolved>, usize), TimelineError> {
    let believed: Vec<State<Resolved>> = states
        .iter()
        .filter(|state| state.recorded_at <= instant && instant < state.superseded_at)
        .map(|state| State::new(state.period, state.value.clone()))
        .collect();
    let count = believed.len();
    Timeline::new(believed).map(|timeline| (timeline, count))
}
