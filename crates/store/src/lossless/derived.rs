//! The rows of checked records: those that the file says, and those that follow from the bodies, version by version, as
//! the write path made them.

use std::collections::{BTreeMap, HashSet};

use grunddata_information_model::Resolved;
use grunddata_log_proof::entry::Opening;
use grunddata_model::{Instant, Period, RecordId, Timeline};

use super::parse::{CheckedChange, CheckedRecord};
use crate::sql_types::{Day, Id, Moment, NOT_EFFECTIVE};
use crate::write::{
    ChangeRow, Derived, DirectoryIdRow, DirectoryIdentifierRow, EntryKey, EntryRow, IdentifierKey,
    IdentifierRow, LinkKey, LinkRow, Pending, Protection, RaisedRow, RecordRow, RecordStatus,
    StateRow, WORD, derived, difference, is_eligible, last_said, of_columns, own_protection,
};

/// What a record says before its first version.
static NOTHING: std::sync::LazyLock<Timeline<Resolved>> = std::sync::LazyLock::new(Timeline::empty);

/// The rows of some records of one owner, each table in the order of its key.
#[derive(Default)]
pub(super) struct Rows<'a> {
    pub(super) heads: Vec<RecordRow<'a>>,
    pub(super) directory: Vec<DirectoryIdRow<'a>>,
    pub(super) states: Vec<StateRow<'a>>,
    pub(super) changes: Vec<ChangeRow<'a>>,
    pub(super) raises: Vec<RaisedRow<'a>>,
    pub(super) links: Vec<LinkRow<'a>>,
    pub(super) identifiers: Vec<IdentifierRow<'a>>,
    pub(super) held: Vec<DirectoryIdentifierRow<'a>>,
    pub(super) entries: Vec<EntryRow<'a>>,
    pub(super) pending: Pending<'a>,
    pub(super) words: HashSet<(i16, &'a str)>,
    /// Records that are protected by what they say themselves.
    pub(super) protected: Vec<(RecordId, Protection)>,
}

/// How long a derived row was believed.
struct Life<K> {
    key: K,
    period: Period,
    since: Instant,
    until: Instant,
}

impl<'a> Rows<'a> {
    pub(super) fn of(owner: &'a str, records: &'a [CheckedRecord]) -> Self {
        let mut rows = Self::default();
        for record in records {
            rows.add(owner, record);
        }
        rows.sort();
        rows
    }

    fn add(&mut self, owner: &'a str, record: &'a CheckedRecord) {
        self.add_head(owner, record);
        for state in &record.states {
            let value = &state.value;
            let change = of_instant(&record.changes, state.recorded_at);
            self.states.push(StateRow {
                owner,
                record_id: record.id.into(),
                superseded_at: Moment(state.superseded_at),
                valid_from: Day(state.period.from()),
                valid_to: Day(state.period.to()),
                recorded_at: Moment(state.recorded_at),
                domain: record.domain.code(),
                version: change.map_or(1, |change| change.version),
                change_kind: change.map_or(1, |change| change.kind.code()),
                model: value.model(),
                body: value.body(),
                hash: value.hash().as_slice(),
                display: value.display(),
                kind: value.kind(),
                classes: i16::from(value.classes()),
                // It may have been raised, and is never less than it says itself.
                protection: state.protection.max(i16::from(value.protection())),
                has_links: i16::from(!value.links().is_empty()),
            });
        }
        self.changes
            .extend(record.changes.iter().map(|change| ChangeRow {
                owner,
                position: change.position,
                record_id: record.id.into(),
                domain: record.domain.code(),
                version: change.version,
                recorded_at: Moment(change.instant),
                transaction_id: change.transaction.into(),
                operation: change.operation.code(),
                change_kind: change.kind.code(),
                corrects: change.corrects,
                actor: &change.actor,
                reason: change.reason.as_deref(),
                source: change.source.as_deref(),
                valid_from: Day(change.touched.from()),
                valid_to: Day(change.touched.to()),
                hash: change.hash.to_vec(),
                effective_on: change.effective_on.map_or(NOT_EFFECTIVE, Day),
                leaf: change.leaf.map(|leaf| leaf.0.to_vec()),
                opening: change.opening.as_ref().map(Opening::to_bytes),
            }));
        let written = record.changes.iter().filter(|change| change.is_write());
        let said: Vec<_> = record.versions.iter().map(own_protection).collect();
        let raises = written
            .skip(1)
            .zip(said.windows(2))
            .filter(|(_, said)| matches!(said, [before, after] if after.exceeds(*before)));
        self.raises.extend(raises.map(|(change, _)| RaisedRow {
            owner,
            position: change.position,
            record_id: record.id.into(),
        }));
        let versions: Vec<(Instant, Derived<'a>)> = record
            .changes
            .iter()
            .filter(|change| change.is_write())
            .zip(&record.versions)
            .map(|(change, timeline)| (change.instant, derived(timeline)))
            .collect();
        if let Some(believed) = record.versions.last() {
            self.pending
                .add((record.id, record.domain.code()), &NOTHING, believed);
        }
        self.pending.add_waited(record.id, &record.versions);
        self.add_links(owner, record, &versions);
        self.add_identifiers(owner, record, &versions);
        self.add_entries(owner, record, &versions);
    }

    fn add_head(&mut self, owner: &'a str, record: &'a CheckedRecord) {
        let mut newest: Vec<_> = record.states.iter().collect();
        newest.sort_unstable_by_key(|state| std::cmp::Reverse(state.recorded_at));
        let said = last_said(
            newest
                .iter()
                .map(|state| (state.period, state.value.protection())),
        );
        let own = Protection::of_states(said);
        // What others have raised it to; never less than it says itself. Of a tombstone nothing else is left.
        let head = of_columns(Day(record.protected_until), record.protection).and(own);
        if own.level > 0 {
            self.protected.push((record.id, own));
        }
        self.heads.push(RecordRow {
            owner,
            id: record.id.into(),
            domain: record.domain.code(),
            controller: record.controller.map(Id::from),
            origin: record.origin.as_deref(),
            version: record.version,
            status: record.status.code(),
            protected_until: Day(head.until),
            protection: i16::from(head.level),
        });
        self.directory.push(DirectoryIdRow {
            id: record.id.into(),
            owner,
            domain: record.domain.code(),
            forward_to: record.forward_to.map(Id::from),
            erased: i16::from(record.status == RecordStatus::Erased),
        });
    }

    fn add_links(
        &mut self,
        owner: &'a str,
        record: &CheckedRecord,
        versions: &[(Instant, Derived<'a>)],
    ) {
        let lives: Vec<Life<LinkKey<'a>>> = lives(versions, |derived| &derived.links);
        self.links.extend(lives.into_iter().map(|life| LinkRow {
            owner,
            source_id: record.id.into(),
            relation: life.key.relation,
            target_id: life.key.target.into(),
            valid_from: Day(life.period.from()),
            recorded_at: Moment(life.since),
            valid_to: Day(life.period.to()),
            superseded_at: Moment(life.until),
            source_domain: record.domain.code(),
            class: i16::from(life.key.class),
        }));
    }

    fn add_identifiers(
        &mut self,
        owner: &'a str,
        record: &CheckedRecord,
        versions: &[(Instant, Derived<'a>)],
    ) {
        let lives: Vec<Life<IdentifierKey<'a>>> = lives(versions, |derived| &derived.identifiers);
        let mut held: Vec<(&str, &str)> = lives
            .iter()
            .map(|life| (life.key.scheme, life.key.value))
            .collect();
        held.sort_unstable();
        held.dedup();
        self.held.extend(
            held.into_iter()
                .map(|(scheme, value)| DirectoryIdentifierRow {
                    scheme,
                    value,
                    owner,
                    record_id: record.id.into(),
                }),
        );
        self.identifiers
            .extend(lives.into_iter().map(|life| IdentifierRow {
                owner,
                scheme: life.key.scheme,
                value: life.key.value,
                record_id: record.id.into(),
                issuer: life.key.issuer,
                valid_from: Day(life.period.from()),
                recorded_at: Moment(life.since),
                valid_to: Day(life.period.to()),
                superseded_at: Moment(life.until),
                status: life.key.status,
                class: i16::from(life.key.class),
            }));
    }

    fn add_entries(
        &mut self,
        owner: &'a str,
        record: &CheckedRecord,
        versions: &[(Instant, Derived<'a>)],
    ) {
        let domain = record.domain.code();
        let lives: Vec<Life<EntryKey<'a>>> = lives(versions, |derived| &derived.entries);
        for life in lives {
            if life.key.mode == WORD && is_eligible(life.key.value) {
                self.words.insert((domain, life.key.value));
            }
            self.entries.push(EntryRow {
                owner,
                domain,
                property: life.key.property,
                mode: life.key.mode,
                value: life.key.value,
                record_id: record.id.into(),
                valid_from: Day(life.period.from()),
                recorded_at: Moment(life.since),
                valid_to: Day(life.period.to()),
                superseded_at: Moment(life.until),
            });
        }
    }

    /// Key order is the fastest to insert.
    fn sort(&mut self) {
        self.states
            .sort_unstable_by_key(|row| (row.record_id, row.superseded_at, row.valid_from));
        self.changes.sort_unstable_by_key(|row| row.position);
        self.raises.sort_unstable_by_key(|row| row.position);
        self.links.sort_unstable_by_key(|row| {
            (row.source_id, row.relation, row.target_id, row.valid_from)
        });
        self.identifiers
            .sort_unstable_by_key(|row| (row.scheme, row.value, row.record_id, row.valid_from));
        self.held
            .sort_unstable_by_key(|row| (row.scheme, row.value, row.record_id));
        self.entries.sort_unstable_by_key(|row| {
            (
                row.domain,
                row.property,
                row.mode,
                row.value,
                row.record_id,
                row.valid_from,
            )
        });
    }
}

/// The change that was recorded at the instant; they rise.
fn of_instant(changes: &[CheckedChange], instant: Instant) -> Option<&CheckedChange> {
    let place = changes
        .binary_search_by_key(&instant, |change| change.instant)
        .ok()?;
    changes.get(place)
}

/// From which version until which each row was believed.
fn lives<'a, K: Ord + Copy>(
    versions: &[(Instant, Derived<'a>)],
    pick: impl for<'d> Fn(&'d Derived<'a>) -> &'d [(K, Period)],
) -> Vec<Life<K>> {
    let life = |(key, period): (K, Period), since, until| Life {
        key,
        period,
        since,
        until,
    };
    if let [(instant, only)] = versions {
        let rows = pick(only).iter();
        return rows
            .map(|row| life(*row, *instant, Instant::FOREVER))
            .collect();
    }
    let mut done = Vec::new();
    let mut open: BTreeMap<(K, Period), Instant> = BTreeMap::new();
    let mut before: &[(K, Period)] = &[];
    for (instant, derived) in versions {
        let now = pick(derived);
        let (gone, come) = difference(before, now);
        for row in gone {
            if let Some(since) = open.remove(&row) {
                done.push(life(row, since, *instant));
            }
        }
        open.extend(come.into_iter().map(|row| (row, *instant)));
        before = now;
    }
    done.extend(
        open.into_iter()
            .map(|(row, since)| life(row, since, Instant::FOREVER)),
    );
    done
}
