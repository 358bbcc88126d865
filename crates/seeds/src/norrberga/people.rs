//! The inhabitants: reserved test numbers, drawn names, households with homes, couples and children.
//!
//! The years of birth follow what the series of test numbers holds: few born before 1970, many after.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use grunddata_model::Domain;
use uuid::Uuid;

use super::places::{Home, Places};
use crate::dice::{Dice, Weighted};
use crate::identity::seed_id;
use crate::operation::{day, later};
use crate::{SeedError, files};

/// All inhabitants that the seeds know.
const INHABITANTS: usize = 12_000;
/// Those of them that have a coordination number.
const COORDINATED: usize = 60;
/// The day on which the municipality began to use the registry.
pub(super) const STARTED: NaiveDate = day(2023, 11, 6);
/// Years of birth.
const OLDEST: i32 = 1930;
const MANY_FROM: i32 = 1970;
const YOUNGEST: i32 = 2023;

/// How a person is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    Local,
    Marking,
    Registration,
}

/// A person.
#[derive(Debug)]
pub(super) struct Inhabitant {
    pub(super) id: Uuid,
    /// Twelve digits.
    pub(super) number: &'static str,
    pub(super) coordination: bool,
    pub(super) female: bool,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub(super) birth: String,
    pub(super) born: NaiveDate,
    pub(super) given: Vec<&'static str>,
    pub(super) preferred: usize,
    pub(super) family: &'static str,
    pub(super) household: usize,
    /// Positions of the parents who are custodians.
    pub(super) parents: Vec<usize>,
    pub(super) partner: Option<usize>,
    pub(super) protection: Option<Protection>,
    /// The day on which a person came after [`STARTED`]: birth or moving in.
    pub(super) arrived: Option<NaiveDate>,
    /// The given name was typed wrongly at first.
    pub(super) misspelt: bool,
}

/// People who live together.
#[derive(Debug)]
pub(super) struct Household {
    pub(super) home: Home,
    pub(super) members: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct People {
    pub(super) all: Vec<Inhabitant>,
    pub(super) households: Vec<Household>,
}

struct Names {
    female: Weighted<&'static str>,
    male: Weighted<&'static str>,
    last: Weighted<&'static str>,
}

impl Names {
    fn load() -> Result<Self, SeedError> {
        let file = files::NAMES;
        let mut rows = Vec::new();
        // Read by hand and not by serde, so that each name is a piece of the built-in text and not a copy.
        for line in file.text.lines().skip(1) {
            let mut columns = line.split(',');
            let (Some(kind), Some(name), Some(weight)) =
                (columns.next(), columns.next(), columns.next())
            else {
                return Err(file.malformed(line));
            };
            rows.push((
                kind,
                name,
                millionths(weight).ok_or_else(|| file.malformed(line))?,
            ));
        }
        let of = |wanted: &str| {
            Weighted::new(
                rows.iter()
                    .filter(|(kind, ..)| *kind == wanted)
                    .map(|(_, name, weight)| (*name, *weight)),
            )
        };
        Ok(Self {
            female: of("first_female"),
            male: of("first_male"),
            last: of("last"),
        })
    }
}

/// A decimal fraction such as `0.000273` in millionths.
fn millionths(fraction: &str) -> Option<usize> {
    let decimals = fraction.strip_prefix("0.")?;
    format!("{decimals:0<6}").get(..6)?.parse().ok()
}

impl Inhabitant {
    fn new(number: &'static str, coordination: bool) -> Option<Self> {
        let year = number.get(..4)?;
        let month = number.get(4..6)?;
        let mut day: u32 = number.get(6..8)?.parse().ok()?;
        if coordination {
            day = day.checked_sub(60)?;
        }
        let (year_number, month_number) = (year.parse().ok()?, month.parse::<u32>().ok()?);
        let (birth, born) = match NaiveDate::from_ymd_opt(year_number, month_number, day) {
            Some(date) => (date.to_string(), date),
            None if month_number == 0 => {
                (year.to_owned(), NaiveDate::from_ymd_opt(year_number, 7, 1)?)
            }
            None => (
                format!("{year}-{month}"),
                NaiveDate::from_ymd_opt(year_number, month_number, 15)?,
            ),
        };
        let sex: u32 = number.get(10..11)?.parse().ok()?;
        Some(Self {
            id: seed_id(Domain::Person, &format!("norrberga/{number}")),
            number,
            coordination,
            female: sex.is_multiple_of(2),
            birth,
            born,
            given: Vec::new(),
            preferred: 0,
            family: "",
            household: 0,
            parents: Vec::new(),
            partner: None,
            protection: None,
            arrived: None,
            misspelt: false,
        })
    }

    /// The name by which the person goes.
    pub(super) fn called(&self) -> &'static str {
        self.given[self.preferred]
    }

    /// Whether the person has reached an age on a day.
    pub(super) fn is_at_least(&self, years: i32, on: NaiveDate) -> bool {
        on.with_year(on.year() - years)
            .is_some_and(|limit| self.born <= limit)
    }
}

impl People {
    pub(super) fn load(places: &Places) -> Result<Self, SeedError> {
        let mut all = numbered();
        name(&mut all, &Names::load()?);
        let households = settle(&mut all, places);
        let mut people = Self { all, households };
        people.protect();
        people.arrive();
        people.misspell();
        Ok(people)
    }

    /// Adults who live alone, in their order.
    pub(super) fn single(&self) -> impl Iterator<Item = usize> + '_ {
        self.households
            .iter()
            .filter_map(|household| match household.members.as_slice() {
                [one] => Some(*one),
                _ => None,
            })
            .filter(|one| self.all[*one].is_at_least(18, STARTED))
    }

    /// Three of each level among people who live alone: a mark on one member of a family would mark them all.
    fn protect(&mut self) {
        let chosen: Vec<usize> = self
            .single()
            .filter(|one| !self.all[*one].coordination)
            .take(900)
            .step_by(100)
            .collect();
        let levels = [
            Protection::Local,
            Protection::Marking,
            Protection::Registration,
        ];
        for (turn, person) in chosen.into_iter().enumerate() {
            self.all[person].protection = Some(levels[turn % levels.len()]);
        }
    }

    /// Children born after the start arrive at birth; some adults move in during the years that follow.
    fn arrive(&mut self) {
        let mut dice = Dice::new("norrberga/arrivals");
        for person in &mut self.all {
            if person.born >= STARTED {
                person.arrived = Some(person.born);
            }
        }
        let movers: Vec<usize> = self.single().skip(7).step_by(19).take(150).collect();
        for person in movers {
            if self.all[person].protection.is_none() {
                self.all[person].arrived = Some(later(day(2023, 12, 1), dice.below(1060) as u64));
            }
        }
    }

    fn misspell(&mut self) {
        for person in self.all.iter_mut().skip(50).step_by(83).take(140) {
            person.misspelt = person.arrived.is_none()
                && person.protection.is_none()
                && person.called().len() > 3;
        }
    }
}

/// People with numbers, spread evenly over each year's series, oldest first.
fn numbered() -> Vec<Inhabitant> {
    let mut series: BTreeMap<i32, Vec<&'static str>> = BTreeMap::new();
    for number in files::PERSONAL_IDENTITY_NUMBERS.text.lines() {
        if let Some(year) = number.get(..4).and_then(|year| year.parse().ok()) {
            series.entry(year).or_default().push(number);
        }
    }
    let wanted = INHABITANTS - COORDINATED;
    let mut quota: BTreeMap<i32, usize> = (OLDEST..MANY_FROM)
        .map(|year| (year, series.get(&year).map_or(0, Vec::len)))
        .collect();
    let mut total: usize = quota.values().sum();
    // One more for every year in turn, as far as its series goes, until there are enough.
    while total < wanted {
        let before = total;
        for year in MANY_FROM..=YOUNGEST {
            let taken = quota.entry(year).or_default();
            if total < wanted && *taken < series.get(&year).map_or(0, Vec::len) {
                *taken += 1;
                total += 1;
            }
        }
        if total == before {
            break;
        }
    }
    let mut all: Vec<Inhabitant> = quota
        .into_iter()
        .flat_map(|(year, count)| {
            let numbers = series.get(&year).map_or(&[][..], Vec::as_slice);
            (0..count).filter_map(move |turn| {
                Inhabitant::new(numbers[turn * numbers.len() / count], false)
            })
        })
        .collect();

    let coordinated: Vec<Inhabitant> = files::COORDINATION_NUMBERS
        .text
        .lines()
        .filter(|number| ("1970".."2004").contains(&number.get(..4).unwrap_or_default()))
        .filter_map(|number| Inhabitant::new(number, true))
        .collect();
    let step = coordinated.len() / COORDINATED;
    all.extend(
        coordinated
            .into_iter()
            .step_by(step.max(1))
            .take(COORDINATED),
    );
    all.sort_by(|a, b| (a.born, a.number).cmp(&(b.born, b.number)));
    all
}

fn name(all: &mut [Inhabitant], names: &Names) {
    let mut dice = Dice::new("norrberga/names");
    for person in all {
        let first = if person.female {
            &names.female
        } else {
            &names.male
        };
        let count = 1 + usize::from(dice.chance(70)) + usize::from(dice.chance(20));
        while person.given.len() < count {
            let drawn = *first.draw(&mut dice);
            if !person.given.contains(&drawn) {
                person.given.push(drawn);
            }
        }
        person.preferred = if dice.chance(85) {
            0
        } else {
            dice.below(count)
        };
        person.family = names.last.draw(&mut dice);
    }
}

/// Couples, children with their parents, and everyone else alone.
fn settle(all: &mut [Inhabitant], places: &Places) -> Vec<Household> {
    let mut dice = Dice::new("norrberga/households");
    let grown = |person: &Inhabitant| person.is_at_least(21, STARTED);
    let parents =
        |person: &Inhabitant| !person.coordination && grown(person) && person.born.year() >= 1965;
    let women: Vec<usize> = (0..all.len())
        .filter(|one| all[*one].female && parents(&all[*one]))
        .collect();
    let men: Vec<usize> = (0..all.len())
        .filter(|one| !all[*one].female && parents(&all[*one]))
        .collect();

    let mut households: Vec<Household> = Vec::new();
    let mut placed = vec![false; all.len()];
    // Both lists are by age, so people of the same place in them are of about the same age.
    let mut families: Vec<(usize, Option<usize>)> = Vec::new();
    for (woman, man) in women.into_iter().zip(men) {
        let together = dice.chance(58);
        if together {
            all[woman].partner = Some(man);
            all[man].partner = Some(woman);
            if dice.chance(70) {
                all[woman].family = all[man].family;
            }
            families.push((woman, Some(man)));
        } else if dice.chance(22) {
            families.push((woman, None));
        }
    }
    for (woman, man) in &families {
        let members: Vec<usize> = std::iter::once(*woman).chain(*man).collect();
        for member in &members {
            placed[*member] = true;
            all[*member].household = households.len();
        }
        households.push(Household {
            home: places.home(&mut dice),
            members,
        });
    }

    let children: Vec<usize> = (0..all.len())
        .filter(|one| !all[*one].coordination && !all[*one].is_at_least(18, STARTED))
        .collect();
    for child in children {
        let born = all[child].born.year();
        for _ in 0..60 {
            let family = dice.below(families.len());
            let (mother, father) = families[family];
            let age = born - all[mother].born.year();
            if (20..=43).contains(&age) && households[family].members.len() < 6 {
                all[child].parents = std::iter::once(mother).chain(father).collect();
                all[child].family = all[father.unwrap_or(mother)].family;
                all[child].household = family;
                households[family].members.push(child);
                placed[child] = true;
                break;
            }
        }
    }
    for one in 0..all.len() {
        if !placed[one] {
            all[one].household = households.len();
            households.push(Household {
                home: places.home(&mut dice),
                members: vec![one],
            });
        }
    }
    households
}
