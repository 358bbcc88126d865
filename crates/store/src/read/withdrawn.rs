//! Records that came under protection while somebody followed the log: what a reader was shown before and is not shown any
//! more. Whoever follows only since later, or could not see the record before, is told nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveTime};
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use grunddata_model::{Domain, Instant, RecordId};

use crate::error::StoreError;
use crate::read::Reader;
use crate::read::feed::{ChangeScan, position};
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::visibility::{Form, Forms, Reach, Seen, Visibility, VisibilityRule};
use crate::write::{Operation, domain, reload};

/// A change with which a record went out of a reader's sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithdrawnRow {
    /// Its position in the log.
    pub position: u64,
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
}

/// When a reader read a log: what it was shown follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// When it was last told everything that there was: what could be seen then is known to it.
    pub since: Instant,
    /// How far the log had come when it began to read on after that: what was hidden by then was not shown to it since.
    pub begun: Instant,
}

/// What stands in the log of a record up to where the reader has come.
#[derive(Debug, Clone, Copy)]
struct Passed {
    first: Instant,
    latest: Instant,
}

/// One state as it was believed.
#[derive(Debug, Clone, Copy)]
struct Belief {
    /// It is under a protection that hides it from the reader.
    hidden: bool,
    valid_to: NaiveDate,
    recorded: Instant,
    superseded: Instant,
}

/// A stretch of recorded time in which a record was hidden; its end is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: Instant,
    to: Instant,
}

/// A change of a record that is not seen any more.
struct Candidate {
    row: WithdrawnRow,
    recorded: Instant,
    erases: bool,
}

impl Reader<'_> {
    /// The changes of a part of a log with which records came under a protection that hides them, or all but a part of
    /// them, from the reader, who has looked at the log up to where the part begins, and was shown them. Of the filter, the
    /// operation is not asked for.
    ///
    /// Of a record that was erased it cannot be told any more since when it was hidden: its erasure is given to everybody who
    /// has passed an entry of it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn withdrawn_changes(
        &mut self,
        scan: &ChangeScan<'_>,
        followed: Followed,
        visibility: &Visibility,
    ) -> Result<Vec<WithdrawnRow>, StoreError> {
        let candidates = self.no_longer_seen(scan, followed.since, visibility, false)?;
        self.told_of(scan, candidates, followed, visibility)
    }

    /// Those of them that are changes by which the protection was raised, found by these alone, however long the part is.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub(super) fn withdrawn_by_protection(
        &mut self,
        scan: &ChangeScan<'_>,
        followed: Followed,
        visibility: &Visibility,
    ) -> Result<Vec<WithdrawnRow>, StoreError> {
        let candidates = self.no_longer_seen(scan, followed.since, visibility, true)?;
        self.told_of(scan, candidates, followed, visibility)
    }

    /// What the reader is told of those that it is not shown any more.
    fn told_of(
        &mut self,
        scan: &ChangeScan<'_>,
        candidates: Vec<Candidate>,
        followed: Followed,
        visibility: &Visibility,
    ) -> Result<Vec<WithdrawnRow>, StoreError> {
        let ids: BTreeSet<RecordId> = candidates.iter().map(|one| one.row.record).collect();
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let mut passed: BTreeMap<RecordId, Passed> = BTreeMap::new();
        let mut beliefs: BTreeMap<RecordId, Vec<Belief>> = BTreeMap::new();
        for chunk in ids.chunks(LIST) {
            let chunk = self.passed_of(scan, chunk)?;
            let known: Vec<RecordId> = chunk.keys().copied().collect();
            beliefs.extend(self.beliefs_of(scan, &known, visibility)?);
            passed.extend(chunk);
        }
        let told = candidates.into_iter().filter(|candidate| {
            let id = candidate.row.record;
            passed
                .get(&id)
                .is_some_and(|passed| match beliefs.get(&id) {
                    Some(beliefs) => {
                        went_out_of_sight(*passed, beliefs, followed) == Some(candidate.recorded)
                    }
                    None => {
                        candidate.erases
                            && (passed.first <= followed.since
                                || candidate.recorded > followed.begun)
                    }
                })
        });
        Ok(told.map(|candidate| candidate.row).collect())
    }

    /// The changes since then of records that the reader would be shown if they were not under protection.
    fn no_longer_seen(
        &mut self,
        scan: &ChangeScan<'_>,
        since: Instant,
        visibility: &Visibility,
        raises: bool,
    ) -> Result<Vec<Candidate>, StoreError> {
        let rules = visibility.rules.iter().map(|rule| VisibilityRule {
            forms: Forms::FULL,
            ..rule.clone()
        });
        let unprotected = Visibility {
            rules: rules.collect(),
        };
        let today = self.today();
        let mut sql = Sql::<(BigInt, SqlId, SmallInt, SqlMoment, SmallInt)>::new(
            "SELECT c.position, c.record_id, c.domain, c.recorded_at, c.operation FROM ",
        );
        let log = if raises {
            sql.push("raised_protection p JOIN change c ON c.owner = p.owner AND c.position = p.position");
            "p"
        } else {
            sql.push("change c");
            "c"
        };
        sql.push(" JOIN record r ON r.owner = c.owner AND r.id = c.record_id WHERE ");
        sql.push(log).push(".owner = ").text(scan.owner.as_str());
        sql.push(" AND ").push(log).push(".position > ");
        sql.big(position(scan.after));
        sql.push(" AND ").push(log).push(".position <= ");
        sql.big(position(scan.until));
        sql.push(" AND c.recorded_at > ").moment(since);
        sql.push(" AND r.protection > 0 AND ");
        unprotected.push_record(&mut sql, "r", today, Reach::Match);
        // What is neither true nor false is not seen either.
        sql.push(" AND CASE WHEN ");
        visibility.push_record(&mut sql, "r", today, Reach::Match);
        sql.push(" THEN 1 ELSE 0 END = 0");
        let filter = scan.filter;
        if !filter.domains.is_empty() {
            sql.push(" AND c.domain IN ")
                .smalls(filter.domains.iter().map(|domain| domain.code()));
        }
        if let Some(record) = filter.record {
            sql.push(" AND c.record_id = ").id(record);
        }
        if let Some(controller) = filter.controller {
            sql.push(" AND r.controller = ").id(controller);
        }
        sql.push(" ORDER BY c.position");
        let rows: Vec<(i64, Id, i16, Moment, i16)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(position, id, code, recorded, operation)| {
                let row = WithdrawnRow {
                    position: u64::try_from(position).unwrap_or_default(),
                    record: id.record(),
                    domain: domain(code)?,
                };
                Ok(Candidate {
                    row,
                    recorded: recorded.0,
                    erases: operation == Operation::Erase.code(),
                })
            })
            .collect()
    }

    /// Those of which something stands in the log before the part.
    fn passed_of(
        &mut self,
        scan: &ChangeScan<'_>,
        ids: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Passed>, StoreError> {
        let mut sql = Sql::<(SqlId, SqlMoment, SqlMoment)>::new(
            "SELECT c.record_id, MIN(c.recorded_at), MAX(c.recorded_at) FROM change c WHERE c.owner = ",
        );
        sql.text(scan.owner.as_str())
            .push(" AND c.record_id IN ")
            .ids(ids.iter().copied());
        sql.push(" AND c.position <= ").big(position(scan.after));
        sql.push(" GROUP BY c.record_id");
        let rows: Vec<(Id, Moment, Moment)> = self.connection.load(&sql)?;
        let passed = rows.into_iter().map(|(id, first, latest)| {
            let (first, latest) = (first.0, latest.0);
            (id.record(), Passed { first, latest })
        });
        Ok(passed.collect())
    }

    /// All that was ever believed of them.
    fn beliefs_of(
        &mut self,
        scan: &ChangeScan<'_>,
        ids: &[RecordId],
        visibility: &Visibility,
    ) -> Result<BTreeMap<RecordId, Vec<Belief>>, StoreError> {
        type RowTypes = (
            (SqlId, SmallInt, Nullable<SqlId>, SmallInt, Text, Text),
            (SqlDay, SqlMoment, SqlMoment),
        );
        type RowParts = (
            (Id, i16, Option<Id>, i16, String, String),
            (Day, Moment, Moment),
        );
        let mut found: BTreeMap<RecordId, Vec<Belief>> = BTreeMap::new();
        if ids.is_empty() {
            return Ok(found);
        }
        let mut sql = Sql::<RowTypes>::new(
            "SELECT r.id, r.domain, r.controller, s.protection, s.model, s.body, s.valid_to, s.recorded_at, s.superseded_at \
             FROM record r JOIN state s ON s.owner = r.owner AND s.record_id = r.id WHERE r.owner = ",
        );
        sql.text(scan.owner.as_str())
            .push(" AND r.id IN ")
            .ids(ids.iter().copied());
        for parts in self.connection.load::<_, RowParts>(&sql)? {
            let ((id, code, controller, stored, name, body), (valid_to, recorded, superseded)) =
                parts;
            // What it said itself: the row of an earlier belief has the level of later ones as well.
            let level = if stored == 0 {
                0
            } else {
                reload(&self.engine.model, domain(code)?, &name, body)?.protection()
            };
            let seen = Seen {
                owner: scan.owner.as_str(),
                controller: controller.map(Id::record),
                domain: domain(code)?,
                level,
            };
            let full = visibility
                .sight(&seen)
                .is_some_and(|sight| sight.form == Form::Full);
            found.entry(id.record()).or_default().push(Belief {
                hidden: level > 0 && !full,
                valid_to: valid_to.0,
                recorded: recorded.0,
                superseded: superseded.0,
            });
        }
        Ok(found)
    }
}

/// When a record that the reader was shown came under the protection that it is under now; `None` = it was not shown, or
/// the reader has been told.
fn went_out_of_sight(passed: Passed, beliefs: &[Belief], followed: Followed) -> Option<Instant> {
    let Followed { since, begun } = followed;
    let hidden = stretches(beliefs);
    let (last, earlier) = hidden.split_last()?;
    // From when it could be seen before.
    let seen_from = earlier.last().map_or(passed.first, |stretch| stretch.to);
    if last.from <= since || seen_from >= last.from {
        return None;
    }
    let inside = |stretch: &Stretch| stretch.from <= since && since < stretch.to;
    let seen_then = passed.first <= since && !hidden.iter().any(inside);
    // Else an entry of it must have come while the reader read on, and the record been in sight by then.
    let came = if seen_from > begun {
        passed.latest >= seen_from
    } else {
        passed.latest > since
    };
    (seen_then || last.from > begun && came).then_some(last.from)
}

/// The stretches of recorded time in which a record was hidden by what its states said, in order. One ends with a belief that
/// shows the record, and not with a retraction.
fn stretches(beliefs: &[Belief]) -> Vec<Stretch> {
    let meet = |one: &Belief, other: &Belief| {
        one.recorded < other.superseded && other.recorded < one.superseded
    };
    let mut found: Vec<Stretch> = beliefs
        .iter()
        .filter(|belief| belief.hidden)
        .map(|belief| {
            // The last of a record's states hides it when it has ended too.
            let goes_on = beliefs
                .iter()
                .any(|other| meet(belief, other) && other.valid_to > belief.valid_to);
            let to = if goes_on {
                belief.superseded.min(begin_of(belief.valid_to))
            } else {
                belief.superseded
            };
            Stretch {
                from: belief.recorded,
                to,
            }
        })
        .filter(|stretch| stretch.from < stretch.to)
        .collect();
    found.sort_unstable_by_key(|stretch| (stretch.from, stretch.to));
    let mut merged: Vec<Stretch> = Vec::with_capacity(found.len());
    for next in found {
        match merged.last_mut() {
            Some(last) if next.from <= last.to || !shown_in(beliefs, last.to, next.from) => {
                last.to = last.to.max(next.to);
            }
            _ => merged.push(next),
        }
    }
    merged
}

/// Whether something that is not hidden was believed at some time between the two.
fn shown_in(beliefs: &[Belief], from: Instant, to: Instant) -> bool {
    beliefs
        .iter()
        .any(|belief| !belief.hidden && belief.recorded < to && from < belief.superseded)
}

/// The first instant of a day, in UTC.
fn begin_of(day: NaiveDate) -> Instant {
    Instant::from_micros(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use grunddata_model::Period;

    use super::*;

    /// The first of a month of 2026.
    fn at(month: u32) -> Instant {
        begin_of(NaiveDate::from_ymd_opt(2026, month, 1).unwrap())
    }

    fn belief(hidden: bool, recorded: u32, superseded: Option<u32>) -> Belief {
        Belief {
            hidden,
            valid_to: Period::OPEN,
            recorded: at(recorded),
            superseded: superseded.map_or(Instant::FOREVER, at),
        }
    }

    fn told(since: u32, begun: u32, latest: u32, beliefs: &[Belief]) -> Option<Instant> {
        let passed = Passed {
            first: at(1),
            latest: at(latest),
        };
        let followed = Followed {
            since: at(since),
            begun: at(begun),
        };
        went_out_of_sight(passed, beliefs, followed)
    }

    #[test]
    fn who_was_told_everything_while_it_was_in_sight_is_told() {
        let once = [belief(false, 1, Some(5)), belief(true, 5, None)];
        assert_eq!(told(2, 8, 1, &once), Some(at(5)));
        // Told already.
        assert_eq!(told(6, 8, 5, &once), None);
        // Created and hidden while the reader was away.
        let away = [belief(false, 3, Some(5)), belief(true, 5, None)];
        let passed = Passed {
            first: at(3),
            latest: at(3),
        };
        let followed = |begun| Followed {
            since: at(2),
            begun: at(begun),
        };
        assert_eq!(went_out_of_sight(passed, &away, followed(8)), None);
        assert_eq!(went_out_of_sight(passed, &away, followed(4)), Some(at(5)));
    }

    #[test]
    fn the_last_time_that_it_was_hidden_counts() {
        let twice = [
            belief(false, 1, Some(3)),
            belief(true, 3, Some(5)),
            belief(false, 5, Some(7)),
            belief(true, 7, Some(8)),
            belief(true, 8, None),
        ];
        let stretch = |from, to| Stretch { from, to };
        assert_eq!(
            stretches(&twice),
            [stretch(at(3), at(5)), stretch(at(7), Instant::FOREVER)]
        );
        // Before both, and between them.
        assert_eq!(told(2, 9, 2, &twice), Some(at(7)));
        assert_eq!(told(6, 9, 5, &twice), Some(at(7)));
        // Hidden when the reader was told everything, released and hidden again before it went on.
        assert_eq!(told(4, 9, 5, &twice), None);
        // It went on while the record was in sight, and has passed an entry of it, or none.
        assert_eq!(told(4, 6, 5, &twice), Some(at(7)));
        assert_eq!(told(4, 6, 3, &twice), None);
    }

    #[test]
    fn a_retraction_shows_nothing_and_a_day_does() {
        let retracted = [
            belief(false, 1, Some(2)),
            belief(true, 2, Some(3)),
            belief(true, 6, None),
        ];
        assert_eq!(stretches(&retracted).len(), 1);
        let until = |hidden: Belief| Belief {
            valid_to: NaiveDate::from_ymd_opt(2026, 4, 1).unwrap(),
            ..hidden
        };
        let by_day = [
            until(belief(true, 2, None)),
            belief(false, 2, Some(6)),
            belief(true, 6, None),
        ];
        assert_eq!(stretches(&by_day).len(), 2);
        // What has ended stays hidden.
        assert_eq!(stretches(&[until(belief(true, 5, None))]).len(), 1);
    }
}
