//! The settings of a source.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use grunddata_model::{Domain, RecordId};
use serde::{Deserialize, Serialize};

use super::collect::Collect;
use crate::{OnUncovered, OnUnresolved, Origin};

/// What is agreed with a system that feeds records. Everything but the title and the domains has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceSettings {
    /// What it is called.
    pub title: String,
    /// The domains that it feeds; a row of another is rejected.
    pub domains: BTreeSet<Domain>,
    /// The organisation that is responsible for the personal data of the records that it makes.
    pub controller: Option<RecordId>,
    /// Whom to ask about its files.
    pub contact: Option<String>,
    /// The form of its files, as the mapping's `input.format`.
    pub format: Option<String>,
    /// Its mapping: the TOML text, or `ready:NAME`. It is read by whoever reads the file.
    pub mapping: Option<String>,
    /// When files are expected.
    pub schedule: Option<Schedule>,
    /// How its files are collected by the registry itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect: Option<Collect>,
    /// The register of which the records that it makes are copies: they are read-only for everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<String>,
    /// Whose word counts where sources speak of the same property.
    pub precedence: Precedence,
    /// What it decides alone.
    pub authoritative: Authoritative,
    /// Rules of the information model, by the code of their error, that reject a row or only leave the value out.
    pub validation: BTreeMap<String, Level>,
    /// References whose target does not hold during the whole time of the reference.
    #[serde(with = "uncovered")]
    pub on_uncovered: OnUncovered,
    /// References that lead to no record.
    #[serde(default)]
    pub on_unresolved: OnUnresolved,
    /// Properties (JSON Pointers) whose absence removes them. Of all others silence changes nothing.
    pub withdraws: BTreeSet<String>,
    /// From when what a file says without a date holds.
    pub reference_date: ReferenceDate,
    /// From when a row says something else whose period is as it was.
    pub changes: ChangesFrom,
    /// When a plan is stopped.
    pub guards: Guards,
    /// Whether somebody else must approve a plan.
    pub approval: Approval,
    /// What is done when a row cannot be applied as it was planned.
    pub stale_rows: StaleRows,
    /// Whether it takes no more loads.
    pub retired: bool,
}

/// When files are expected.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// A file at least every so many hours.
    #[serde(default)]
    pub every_hours: Option<u32>,
    /// Warn when nothing has come for so many hours; where it is not said, twice `everyHours`.
    #[serde(default)]
    pub warn_after_hours: Option<u32>,
}

impl Schedule {
    /// After how many hours of silence somebody should be warned.
    #[must_use]
    pub fn silent_after_hours(&self) -> Option<u32> {
        self.warn_after_hours
            .or_else(|| Some(self.every_hours?.saturating_mul(2)))
    }
}

/// Ranks: of two sources that speak of a property the one with the higher rank counts, and of equals the one that spoke
/// last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Precedence {
    /// Where nothing else is said.
    #[serde(default)]
    pub default: i32,
    /// By property: a JSON Pointer such as `/contactPoints`, which holds for all below it; the longest counts.
    #[serde(default)]
    pub properties: BTreeMap<String, i32>,
}

impl Precedence {
    /// The rank for a property.
    #[must_use]
    pub fn of(&self, pointer: &str) -> i32 {
        self.properties
            .iter()
            .filter(|(known, _)| is_within(pointer, known))
            .max_by_key(|(known, _)| known.len())
            .map_or(self.default, |(_, rank)| *rank)
    }
}

/// Whether a pointer is another or lies below it.
pub(super) fn is_within(pointer: &str, other: &str) -> bool {
    pointer
        .strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a source decides alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authoritative {
    /// That a record ends when it is missing in a full load, or is said to be removed. Without it the source only no
    /// longer speaks of it.
    #[serde(default)]
    pub ends: Ends,
    /// That a protection is lowered. Without it a load never lowers one.
    #[serde(default)]
    pub protection: bool,
}

/// Which records a source ends: a payroll system knows when somebody's employment ends, and nothing of when the person does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ends {
    /// `true`: those of every domain that it feeds; `false`: none.
    All(bool),
    /// Those of these domains.
    Of(BTreeSet<Domain>),
}

impl Ends {
    /// Whether the source ends records of the domain.
    #[must_use]
    pub fn holds(&self, domain: Domain) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Of(domains) => domains.contains(&domain),
        }
    }
}

impl Default for Ends {
    fn default() -> Self {
        Self::All(false)
    }
}

impl From<bool> for Ends {
    fn from(all: bool) -> Self {
        Self::All(all)
    }
}

/// What breaking a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The row is rejected.
    Error,
    /// The value is left out and reported; the rest of the row goes.
    Warning,
}

/// From when what a file says without a date holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceDate {
    /// The date of the file; where there is none, the day of the load.
    #[default]
    FileDate,
    /// The day of the load.
    LoadDate,
}

/// From when a row says something else whose period is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangesFrom {
    /// The reference date: the file says how it is now, and its dates are those of the whole (an employment and its rate).
    #[default]
    ReferenceDate,
    /// The first day of the row's period: the file has a row for each state, and puts an old one right.
    WholePeriod,
}

/// Whether somebody else must approve a plan before it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// Nobody.
    #[default]
    None,
    /// Somebody other than who had it made.
    OtherPerson,
}

/// What is done when a row cannot be applied as it was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaleRows {
    /// It is set aside and reported; the others are applied.
    #[default]
    SetAside,
    /// The load stops after the batch, until somebody says that it may go on.
    Stop,
}

/// More than so many, or more than so many percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Threshold {
    /// More than so many.
    #[serde(default)]
    pub count: Option<u64>,
    /// More than so many percent of what the source speaks of. Of few it says little: it does not count up to `floor`.
    #[serde(default)]
    pub percent: Option<u32>,
}

impl Threshold {
    const fn percent(percent: u32) -> Self {
        Self {
            count: None,
            percent: Some(percent),
        }
    }

    /// Whether so many of a whole are too many.
    #[must_use]
    pub fn is_exceeded(&self, some: u64, whole: u64, floor: u64) -> bool {
        let share = self.percent.is_some_and(|percent| {
            some > floor && u128::from(some) * 100 > u128::from(whole.max(1)) * u128::from(percent)
        });
        share || self.count.is_some_and(|count| some > count)
    }
}

/// When a plan is stopped until somebody overrides the guard by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Guards {
    /// `ends`: too much would end, of what the source speaks of.
    pub ends: Threshold,
    /// `changes`: too much would change, of what the source speaks of.
    pub changes: Threshold,
    /// `errors`: too many rows are wrong, of the rows of the file.
    pub errors: Threshold,
    /// `shorter`: the file of a full load has so many percent fewer rows than the last one.
    pub shorter_percent: Option<u32>,
    /// `older`: the date of the file is before that of the last one.
    pub older: bool,
    /// `missing-column`: a column that the mapping may use, or that was there last time, is missing.
    pub missing_column: bool,
    /// Up to so many rows no percentage counts.
    pub floor: u64,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            ends: Threshold::percent(10),
            changes: Threshold::percent(50),
            errors: Threshold::percent(10),
            shorter_percent: Some(30),
            older: true,
            missing_column: true,
            floor: 5,
        }
    }
}

/// What to do with uncovered references, in words.
pub(super) mod uncovered {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::OnUncovered;

    const WORDS: [(&str, OnUncovered); 3] = [
        ("reject", OnUncovered::Reject),
        ("clip", OnUncovered::Clip),
        ("flag", OnUncovered::Flag),
    ];

    pub(in super::super) fn of(word: &str) -> Option<OnUncovered> {
        WORDS
            .into_iter()
            .find(|(known, _)| *known == word)
            .map(|(_, value)| value)
    }

    pub(super) fn serialize<S: Serializer>(
        value: &OnUncovered,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let word = WORDS.iter().find(|(_, known)| known == value);
        serializer.serialize_str(word.map_or("flag", |(word, _)| word))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OnUncovered, D::Error> {
        let word = String::deserialize(deserializer)?;
        of(&word).ok_or_else(|| serde::de::Error::custom("write reject, clip or flag"))
    }
}

impl SourceSettings {
    /// Settings with nothing but a title and domains.
    #[must_use]
    pub fn new(title: impl Into<String>, domains: impl IntoIterator<Item = Domain>) -> Self {
        Self {
            title: title.into(),
            domains: domains.into_iter().collect(),
            controller: None,
            contact: None,
            format: None,
            mapping: None,
            schedule: None,
            collect: None,
            copy_of: None,
            precedence: Precedence::default(),
            authoritative: Authoritative::default(),
            validation: BTreeMap::new(),
            on_uncovered: OnUncovered::Flag,
            on_unresolved: OnUnresolved::Reject,
            withdraws: BTreeSet::new(),
            reference_date: ReferenceDate::default(),
            changes: ChangesFrom::default(),
            guards: Guards::default(),
            approval: Approval::default(),
            stale_rows: StaleRows::default(),
            retired: false,
        }
    }

    /// Whether a record with this origin (as it is stored) is a copy that the source feeds.
    pub(super) fn feeds(&self, origin: &str) -> bool {
        let Some(of) = &self.copy_of else {
            return false;
        };
        let origin = serde_json::from_str::<Origin>(origin);
        matches!(origin, Ok(Origin::Copy { of: known, .. }) if known == *of)
    }

    /// The day from which what a file says without a date holds.
    pub(super) fn reference_day(&self, file: Option<NaiveDate>, today: NaiveDate) -> NaiveDate {
        match self.reference_date {
            ReferenceDate::FileDate => file.unwrap_or(today),
            ReferenceDate::LoadDate => today,
        }
    }

    /// Whether the absence of a property removes it.
    pub(super) fn is_withdrawn(&self, pointer: &str) -> bool {
        self.withdraws.iter().any(|known| is_within(pointer, known))
    }

    /// What breaking a rule does.
    pub(super) fn level(&self, code: &str) -> Level {
        self.validation.get(code).copied().unwrap_or(Level::Error)
    }
}
