//! One look at a log: a window of positions, made ready to be shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use grunddata_log_proof::entry::EntryProof;
use grunddata_model::{Instant, OwnerKey, RecordId};
use grunddata_store::{
    ChangeEntry, ChangeScan, Coordinate, Followed, HiddenEdges, Known, Operation, RaisedRow,
    Reader, StoreError, Targets, Visibility, WithdrawnRow,
};

use super::{
    Feed, FeedChange, FeedContent, FeedCopy, FeedEntry, FeedStates, FeedStep, Reread,
    access_changed,
};
use crate::read::{
    SeenRow, Shape, change_kind, classes, geometries, shown, targets, without_hidden,
};
use crate::registry::refuse_store;
use crate::{Code, Context, Refusal, Registry, TimelineItem, fact};

/// How many positions one statement looks through.
const WINDOW: u64 = 10_000;
/// Entries of one look where their states come along.
const WITH_STATES: usize = 100;
/// Changes whose states are read by one statement.
const STATES_AT_ONCE: usize = 10;
/// A look ends after states of so many bytes, however many entries were asked for.
const STATE_BYTES: usize = 8 << 20;

/// Records of which it is told at once that they came under a stronger protection.
const RAISED: usize = 1_000;

/// What was found, before it is made ready.
struct Found {
    changes: Vec<ChangeEntry>,
    withdrawn: Vec<WithdrawnRow>,
    hidden: HiddenEdges,
    states: BTreeMap<u64, Vec<TimelineItem>>,
    proofs: BTreeMap<u64, EntryProof>,
    copies: HashMap<u64, FeedCopy>,
    raised: Vec<RaisedRow>,
    /// The positions whose states show less than is stored: they refer to somebody hidden.
    withheld: BTreeSet<u64>,
    /// Everything up to here was looked at.
    position: u64,
    caught_up: bool,
    /// Where the log was found to end, and when it came there.
    head: (u64, Instant),
}

impl Registry {
    /// Looks at the next part of the log: at most `limit` entries, and perhaps none although there are more. Blocks for a few
    /// statements, however long the log is.
    ///
    /// # Errors
    /// [`Code::AccessChanged`] when the reader is shown something else than when it began; [`Code::InvalidCursor`] when the
    /// log has become shorter.
    pub fn feed_step(
        &self,
        context: &Context,
        feed: &mut Feed,
        limit: usize,
    ) -> Result<FeedStep, Refusal> {
        let visibility = self.visibility(context)?;
        let whole = visibility.sees_all_of(&feed.owner);
        if whole != feed.key.is_none()
            || (!whole && visibility.fingerprint(&feed.owner) != feed.rights)
        {
            return Err(access_changed());
        }
        let limit = if feed.filter.states {
            limit.min(WITH_STATES)
        } else {
            limit
        };
        let found = self
            .inner
            .store
            .read(|reader| self.look(reader, context, feed, limit.max(1), &visibility))
            .map_err(refuse_store)?;
        let Some(found) = found else {
            return Err(Refusal::new(
                Code::InvalidCursor,
                format!("The log of {} has become shorter than it was: it may have been restored from a backup. Begin again with after=0.", feed.owner),
            )
            .fact(fact::PARAMETER, "after"));
        };
        let (position, caught_up) = (found.position, found.caught_up);
        feed.note(found.head);
        let mut after = feed.clone();
        after.position = position;
        if caught_up {
            after.caught_up(found.head);
        }
        let reread = self.reread(context, &mut after, &found);
        let entries = self.entries(context, feed, &after, found)?;
        *feed = after;
        Ok(FeedStep {
            reread,
            entries,
            caught_up,
        })
    }

    /// `None` = the log does not go as far as the feed has come.
    fn look(
        &self,
        reader: &mut Reader<'_>,
        context: &Context,
        feed: &Feed,
        limit: usize,
        visibility: &Visibility,
    ) -> Result<Option<Found>, StoreError> {
        let Some((head, last)) = reader.log_head(&feed.owner)? else {
            return Err(StoreError::UnknownOwner(feed.owner.clone()));
        };
        if head < feed.position {
            return Ok(None);
        }
        let target = feed.until.map_or(head, |(until, _)| until.min(head));
        let choice = &feed.filter.choice;
        // One record has few changes, and an index finds them.
        let until = if choice.record.is_some() {
            target
        } else {
            target.min(feed.position.saturating_add(WINDOW))
        };
        let scan = ChangeScan {
            owner: &feed.owner,
            after: feed.position,
            until,
            filter: choice,
            limit,
        };
        let mut found = Found {
            changes: Vec::new(),
            withdrawn: Vec::new(),
            hidden: HiddenEdges::default(),
            states: BTreeMap::new(),
            proofs: BTreeMap::new(),
            copies: HashMap::new(),
            raised: Vec::new(),
            withheld: BTreeSet::new(),
            position: until.max(feed.position),
            caught_up: until >= target,
            head: (head, last),
        };
        if until <= feed.position {
            return Ok(Some(found));
        }
        found.changes = reader.scan_changes(&scan, visibility)?;
        if feed.position > 0 {
            let followed = feed.key.is_some().then(|| Followed {
                since: feed.since,
                begun: feed.begun.unwrap_or(last),
            });
            if let Some(followed) = followed {
                found.withdrawn = reader.withdrawn_changes(&scan, followed, visibility)?;
            }
            if feed.looks_ahead {
                // To where the log ends now, whatever part of it is read.
                let ahead = ChangeScan {
                    until: head,
                    limit: RAISED,
                    ..scan
                };
                found.raised = reader.raised_ahead(&ahead, followed, visibility)?;
            }
        }
        cut(&mut found, limit);
        if feed.key.is_some() {
            let records: BTreeSet<RecordId> =
                found.changes.iter().map(|change| change.record).collect();
            let records: Vec<RecordId> = records.into_iter().collect();
            found.hidden = reader.hidden_edges(&feed.owner, &records, visibility)?;
            found.changes.retain(|change| {
                let turn = (change.record, change.touched.from());
                change.operation != Operation::Effective || !found.hidden.valid.contains(&turn)
            });
        }
        if feed.filter.states {
            self.add_states(reader, context, feed, &mut found, visibility)?;
        }
        if feed.filter.proofs && feed.key.is_none() {
            let positions: Vec<u64> = found.changes.iter().map(|change| change.position).collect();
            let told = context.actor.reads_changes_of(&feed.owner);
            let proofs = reader.entry_proofs(&feed.owner, &positions, told, &found.withheld)?;
            found.proofs.extend(proofs);
        }
        Ok(Some(found))
    }

    /// The states of what was found, as long as they are not too much to be held.
    fn add_states(
        &self,
        reader: &mut Reader<'_>,
        context: &Context,
        feed: &Feed,
        found: &mut Found,
        visibility: &Visibility,
    ) -> Result<(), StoreError> {
        let positions: Vec<u64> = found.changes.iter().map(|change| change.position).collect();
        let mut bytes = 0;
        for chunk in positions.chunks(STATES_AT_ONCE) {
            let states = if feed.filter.copy {
                self.stored_states(reader, context, feed, chunk, &mut found.copies, visibility)?
            } else {
                let owner = &feed.owner;
                self.states(
                    reader,
                    context,
                    owner,
                    chunk,
                    &mut found.withheld,
                    visibility,
                )?
            };
            for (position, states) in states {
                bytes += states.iter().map(|state| state.data.len()).sum::<usize>();
                found.states.insert(position, states);
                if bytes >= STATE_BYTES {
                    end_after(found, position);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The states that were believed at each change, without the names of what they refer to. The positions of those of which
    /// a reference is withheld are added to `withheld`.
    fn states(
        &self,
        reader: &mut Reader<'_>,
        context: &Context,
        owner: &OwnerKey,
        positions: &[u64],
        withheld: &mut BTreeSet<u64>,
        visibility: &Visibility,
    ) -> Result<BTreeMap<u64, Vec<TimelineItem>>, StoreError> {
        let rows = reader.states_at_positions(owner, positions, visibility)?;
        let today = reader.today();
        let (mut places, mut seen) = (Vec::with_capacity(rows.len()), Vec::new());
        for (position, row) in rows {
            let Some(sight) = visibility.sight(&row.seen(today)) else {
                continue;
            };
            seen.push(SeenRow::of(&self.inner.model, row, sight)?);
            places.push(position);
        }
        // Whom they lead to is asked as of now: protection is that of today.
        let coordinate = Coordinate {
            valid_at: context.today,
            known: Known::latest(),
        };
        let nameless = Targets {
            hidden: targets(reader, &seen, &coordinate, visibility)?.hidden,
            ..Targets::default()
        };
        let shape = Shape {
            geometry: true,
            ..Shape::plain(self, context)
        };
        let mut states: BTreeMap<u64, Vec<TimelineItem>> = BTreeMap::new();
        for (position, row) in places.into_iter().zip(seen) {
            let mut references = row.references().into_iter();
            if references.any(|target| nameless.hidden.contains(&target)) {
                withheld.insert(position);
            }
            let record = shown(reader, row, &nameless, shape)?;
            states.entry(position).or_default().push(TimelineItem {
                period: record.period,
                data: record.data,
                model: record.model,
            });
        }
        Ok(states)
    }

    /// The states that were believed at each change, as they are stored and without what the reader is not shown, and what a
    /// copy needs beside them.
    fn stored_states(
        &self,
        reader: &mut Reader<'_>,
        context: &Context,
        feed: &Feed,
        positions: &[u64],
        copies: &mut HashMap<u64, FeedCopy>,
        visibility: &Visibility,
    ) -> Result<BTreeMap<u64, Vec<TimelineItem>>, StoreError> {
        let owner = &feed.owner;
        let rows = reader.states_at_positions(owner, positions, visibility)?;
        let today = reader.today();
        let (mut places, mut seen) = (Vec::with_capacity(rows.len()), Vec::new());
        for (position, row) in rows {
            if let Some(sight) = visibility.sight(&row.seen(today)) {
                seen.push(SeenRow::of(&self.inner.model, row, sight)?);
                places.push(position);
            }
        }
        let coordinate = Coordinate {
            valid_at: context.today,
            known: Known::latest(),
        };
        let hidden = targets(reader, &seen, &coordinate, visibility)?.hidden;
        let (whole, told) = (feed.key.is_none(), context.actor.reads_changes_of(owner));
        for (position, facts) in reader.copy_facts(owner, positions)? {
            let copy = FeedCopy {
                controller: facts.controller,
                origin: facts.origin,
                forward_to: facts.forward_to,
                erased: facts.erased,
                hash: whole.then_some(facts.hash),
                geometries: Vec::new(),
                leaf: facts.leaf.filter(|_| whole && told),
                opening: facts.opening.filter(|_| whole && told),
            };
            copies.insert(position, copy);
        }
        let mut states: BTreeMap<u64, Vec<TimelineItem>> = BTreeMap::new();
        for (position, row) in places.into_iter().zip(seen) {
            let body = without_hidden(&self.inner.model, &row.row, row.body().into(), &hidden)?;
            let body = body.into_owned();
            context.disclosed.note(
                owner,
                row.row.id,
                row.row.classes & classes(row.row.domain, row.sight),
            );
            let hashes: Vec<String> = geometries(&body).into_iter().map(str::to_owned).collect();
            let found = reader.geometries(owner, &hashes)?;
            if let Some(copy) = copies.get_mut(&position) {
                if body != row.row.body {
                    // It is not what the log has hashed.
                    copy.hash = None;
                    copy.opening = None;
                }
                copy.geometries.extend(found);
            }
            states.entry(position).or_default().push(TimelineItem {
                period: row.row.period,
                data: body,
                model: row.row.model.into(),
            });
        }
        Ok(states)
    }

    /// What is to be read anew before the entries: what was raised further on than the next entry, and not told before.
    fn reread(&self, context: &Context, after: &mut Feed, found: &Found) -> Vec<Reread> {
        let entries = found.changes.iter().map(|change| change.position);
        let withdrawn = found.withdrawn.iter().map(|row| row.position);
        // What comes first of all comes by itself.
        let next = entries.chain(withdrawn).min().unwrap_or(found.position);
        after.raised.retain(|position| *position > after.position);
        let mut reread = Vec::new();
        for row in &found.raised {
            if row.position > next && after.raised.insert(row.position) {
                let class = self.inner.model.domain(row.domain).class().bit();
                context.disclosed.note(&after.owner, row.record, class);
                reread.push(Reread {
                    record: row.record,
                    domain: row.domain,
                    mark: match &after.key {
                        Some(key) => key.mark(row.position),
                        None => u128::from(row.position).to_be_bytes(),
                    },
                });
            }
        }
        reread
    }

    /// What was found, ready to be shown to who has come as far as `feed`, and is as far as `after` when it has all of it.
    fn entries(
        &self,
        context: &Context,
        feed: &Feed,
        after: &Feed,
        mut found: Found,
    ) -> Result<Vec<FeedEntry>, Refusal> {
        let told = context.actor.reads_changes_of(&feed.owner);
        let mut entries = Vec::with_capacity(found.changes.len() + found.withdrawn.len());
        for change in found.changes {
            // How often and when a person's record changed is personal.
            let class = self.inner.model.domain(change.domain).class().bit();
            context.disclosed.note(&feed.owner, change.record, class);
            let hidden = found
                .hidden
                .recorded
                .contains(&(change.record, change.recorded_at));
            let states = feed.filter.states.then(|| FeedStates {
                states: found.states.remove(&change.position).unwrap_or_default(),
                actor: told.then_some(change.actor),
                reason: change.reason.filter(|_| told),
                source: change.source.filter(|_| told),
                proof: found.proofs.remove(&change.position).map(Box::new),
            });
            let content = FeedChange {
                kind: change.operation.as_str(),
                version: change.version,
                recorded_at: change.recorded_at,
                transaction: change.transaction,
                change_kind: change_kind(change.change_kind),
                corrects: change.corrects,
                touched: (!hidden).then_some(change.touched),
                states,
                copy: found.copies.remove(&change.position),
            };
            entries.push((
                change.position,
                change.record,
                change.domain,
                FeedContent::Change(Box::new(content)),
            ));
        }
        for row in &found.withdrawn {
            let class = self.inner.model.domain(row.domain).class().bit();
            context.disclosed.note(&feed.owner, row.record, class);
            entries.push((row.position, row.record, row.domain, FeedContent::Withdrawn));
        }
        entries.sort_by_key(|(position, ..)| *position);
        let last = entries.last().map(|(position, ..)| *position);
        entries
            .into_iter()
            .map(|(position, record, domain, content)| {
                // Who has the last of them has all of them.
                let place = if Some(position) == last { after } else { feed };
                let mark = match (&content, &feed.key) {
                    (FeedContent::Withdrawn, Some(key)) => Some(key.mark(position)),
                    _ => None,
                };
                Ok(FeedEntry {
                    after: place.at(position)?,
                    place: place.kept_at(position),
                    mark,
                    record,
                    domain,
                    content,
                })
            })
            .collect()
    }
}

impl Feed {
    /// The log has been looked at, and ended there.
    fn note(&mut self, head: (u64, Instant)) {
        if self.position == 0 {
            // Nothing has been shown before.
            self.since = head.1;
        }
        self.begun.get_or_insert(head.1);
        if self.ends {
            self.until.get_or_insert(head);
        }
    }

    /// The reader is told everything that there was.
    fn caught_up(&mut self, head: (u64, Instant)) {
        let (_, told) = self.until.unwrap_or(head);
        self.since = self.since.max(told);
        self.begun = None;
    }
}

/// Keeps the first `limit` of what was found, and has the feed go on after the last of them.
fn cut(found: &mut Found, limit: usize) {
    let mut positions: Vec<u64> = found
        .changes
        .iter()
        .map(|change| change.position)
        .chain(found.withdrawn.iter().map(|row| row.position))
        .collect();
    positions.sort_unstable();
    // The statement gave at most so many: where it gave all of them, there may be more behind the last.
    let full = found.changes.len() >= limit;
    let last = match positions.get(limit.saturating_sub(1)) {
        Some(last) if full || positions.len() > limit => *last,
        _ => return,
    };
    end_after(found, last);
}

/// Has the feed go on after that position.
fn end_after(found: &mut Found, last: u64) {
    found.changes.retain(|change| change.position <= last);
    found.withdrawn.retain(|row| row.position <= last);
    found.caught_up = found.caught_up && found.position == last;
    found.position = last;
}
