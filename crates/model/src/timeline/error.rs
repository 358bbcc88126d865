//! Why an operation on a timeline is refused, with the facts that a good message needs.

use chrono::NaiveDate;

use crate::{Period, PeriodError};

/// Why an operation on a timeline is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimelineError {
    /// Two given states hold on the same day.
    #[error("the states {first} and {second} overlap")]
    Overlap {
        /// The earlier state.
        first: Period,
        /// The later state.
        second: Period,
    },
    /// The dates are not a period.
    #[error(transparent)]
    Period(#[from] PeriodError),
    /// A create on a timeline that already has states.
    #[error(
        "the record already exists, from {first_day} to {end} (exclusive): replace or amend it"
    )]
    AlreadyExists {
        /// The first day of the first state, maybe [`Period::BEGINNING`].
        first_day: NaiveDate,
        /// The exclusive end of the last state, maybe [`Period::OPEN`].
        end: NaiveDate,
    },
    /// A replace at or after the record's end.
    #[error("{}: an ended record comes back only by an explicit revive", ended(*.end))]
    EndedUseRevive {
        /// The record's exclusive end; `None` when it was retracted whole.
        end: Option<NaiveDate>,
    },
    /// A replace without an explicit end date would overwrite what is planned after its first day.
    #[error(
        "later planned states or ends would be overwritten ({}): give validTo, or say overwritePlanned=true",
        planned(.states, .ends)
    )]
    PlannedStates {
        /// The later states that would get other data, whole as they are now.
        states: Vec<Period>,
        /// The planned ends (exclusive) that would disappear.
        ends: Vec<NaiveDate>,
    },
    /// An amend of a period in which nothing holds.
    #[error("nothing is valid in {period}: an amendment never creates validity")]
    NothingValid {
        /// The period.
        period: Period,
    },
    /// An end that would leave the record never valid at all.
    #[error(
        "the record would never have been valid (its first day is {first_day}): if it was recorded in error, retract it"
    )]
    NeverValid {
        /// The first day of the first state, maybe [`Period::BEGINNING`].
        first_day: NaiveDate,
    },
    /// A revive of a record that has not ended by then.
    #[error(
        "the record holds until {end} (exclusive) and cannot be revived from {from}: replace it, or revive it later"
    )]
    NotEnded {
        /// The first day asked for.
        from: NaiveDate,
        /// The record's exclusive end, maybe [`Period::OPEN`].
        end: NaiveDate,
    },
}

fn ended(end: Option<NaiveDate>) -> String {
    match end {
        Some(end) => format!("the record has ended on {end} (exclusive)"),
        None => "the record has been retracted".to_owned(),
    }
}

fn planned(states: &[Period], ends: &[NaiveDate]) -> String {
    let states = states.iter().map(|period| format!("state {period}"));
    let ends = ends.iter().map(|end| format!("end {end}"));
    states.chain(ends).collect::<Vec<_>>().join(", ")
}

/// Why an amendment failed: the timeline refused it, or the patch did on one of the states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmendError<E> {
    /// The timeline refused it.
    #[error(transparent)]
    Timeline(#[from] TimelineError),
    /// The patch could not be applied to the state with this period.
    #[error("the amendment fails on the state {period}: {error}")]
    Patch {
        /// The period of the piece, cut at the edges of the amendment.
        period: Period,
        /// What the patch said.
        error: E,
    },
}
