//! What was said last of each day: the belief in a state may end without anything being said in its place. A level of
//! protection stays then, until a state says otherwise.

use diesel::sql_types::{SmallInt, Text};
use grunddata_information_model::{InformationModel, Resolved};
use grunddata_model::{Period, RecordId, Timeline};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::sql_types::{Day, SqlDay};
use crate::write::derive::{Protection, without};
use crate::write::load::{domain, period, reload};
use crate::write::tx::WriteTx;

/// Days with the level that was said of them last.
pub(crate) type Said = Vec<(Period, u8)>;

/// Of states, the newest first, what each day was last said to be.
pub(crate) fn last_said(newest_first: impl IntoIterator<Item = (Period, u8)>) -> Said {
    let mut said = Said::new();
    let mut covered: Vec<Period> = Vec::new();
    for (period, level) in newest_first {
        let mut free = vec![period];
        for taken in &covered {
            free = free.iter().flat_map(|part| without(part, taken)).collect();
        }
        if free.is_empty() {
            continue;
        }
        said.extend(free.into_iter().map(|part| (part, level)));
        cover(&mut covered, period);
    }
    said
}

/// Adds a period to sorted ones that neither meet nor overlap.
fn cover(covered: &mut Vec<Period>, period: Period) {
    covered.push(period);
    covered.sort_unstable();
    covered.dedup_by(|next, kept| {
        if next.from() > kept.to() {
            return false;
        }
        if let Ok(joined) = Period::new(kept.from(), kept.to().max(next.to())) {
            *kept = joined;
        }
        true
    });
}

/// Whether the timeline says less of some day than was said of it last, or leaves the record protected for less long or
/// less strongly.
pub(crate) fn takes_back(said: &Said, after: &Timeline<Resolved>) -> bool {
    let new = || {
        let states = after.states().iter();
        states.map(|state| (state.period, state.value.protection()))
    };
    let lower = said
        .iter()
        .any(|(day, level)| new().any(|(period, now)| now < *level && period.overlaps(day)));
    let before = Protection::of_states(said.iter().copied());
    let then = Protection::of_states(last_said(new().chain(said.iter().copied())));
    lower || before.and(then) != then
}

/// Every state that was ever recorded of a record, the newest first, with the level that it says itself: in its column
/// stands also what was raised afterwards.
pub(crate) fn recorded(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    id: RecordId,
) -> Result<Said, StoreError> {
    let mut sql = Sql::<(SqlDay, SqlDay, SmallInt, SmallInt, Text, Text)>::new(
        "SELECT s.valid_from, s.valid_to, s.protection, s.domain, s.model, s.body FROM state s WHERE s.owner = ",
    );
    sql.text(owner)
        .push(" AND s.record_id = ")
        .id(id)
        .push(" ORDER BY s.recorded_at DESC");
    let rows: Vec<(Day, Day, i16, i16, String, String)> = connection.load(&sql)?;
    let mut states = Said::with_capacity(rows.len());
    for (from, to, raised, code, name, body) in rows {
        let level = if raised == 0 {
            0
        } else {
            reload(model, domain(code)?, &name, body)?.protection()
        };
        states.push((period(from, to)?, level));
    }
    Ok(states)
}

impl WriteTx<'_> {
    /// Whether the timeline would lower the protection of a record of this owner: of some day, or of the record as a
    /// whole. A day on which nothing is believed any more is protected as was said of it last.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn takes_back_protection(
        &mut self,
        id: RecordId,
        after: &Timeline<Resolved>,
    ) -> Result<bool, StoreError> {
        let batch = &mut *self.batch;
        let owner = batch.owner.clone();
        let stored = recorded(&mut batch.connection, &batch.model, owner.as_str(), id);
        let stored = self.noted(stored)?;
        let mut staged: Vec<&Timeline<Resolved>> = self
            .batch
            .accepted
            .iter()
            .flat_map(|job| &job.writes)
            .chain(&self.writes)
            .filter_map(|(write, _)| (write.id == id).then_some(&write.after))
            .collect();
        staged.reverse();
        let staged = staged.into_iter().flat_map(Timeline::states);
        let staged = staged.map(|state| (state.period, state.value.protection()));
        Ok(takes_back(&last_said(staged.chain(stored)), after))
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn period(from: u32, to: u32) -> Period {
        let day = |day| NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
        Period::new(day(from), day(to)).unwrap()
    }

    #[test]
    fn of_each_day_the_newest_counts() {
        let mut said = last_said([
            (period(1, 5), 0),
            (period(9, 12), 1),
            (period(3, 10), 2),
            (period(1, 15), 3),
        ]);
        said.sort_unstable();
        assert_eq!(
            said,
            [
                (period(1, 5), 0),
                (period(5, 9), 2),
                (period(9, 12), 1),
                (period(12, 15), 3)
            ]
        );
    }
}
