//! Employees: who works where, as what, how much; second employments, placements, leave, delegations, leavers and those
//! who took their posts.

mod role_data;

use std::collections::HashSet;

use chrono::{Datelike, Months, NaiveDate};
use grunddata_model::Domain;
use serde::Deserialize;
use uuid::Uuid;

use super::people::{People, Protection, STARTED};
use super::units::{UNITS_FORMED, Unit, Units};
use crate::dice::{Dice, Weighted};
use crate::identity::seed_id;
use crate::operation::{day, later};
use crate::{SeedError, files};

/// Employees at any one time.
pub(super) const EMPLOYEES: usize = 1_300;
/// Second employments beside a main one.
const SECOND: usize = 75;
/// Placements that rest on an employment.
const PLACEMENTS: usize = 195;
/// Every head has been there since this day at least: the catalogue of services, which names them, is younger.
const HEADS_KNOWN: NaiveDate = day(2021, 12, 1);
/// When those began who stand in for a colleague.
const SUBSTITUTES_FROM: NaiveDate = day(2023, 8, 1);
/// Posts that changed hands in the three years: five a month.
pub(super) const CHANGES: usize = 180;

#[derive(Debug, Deserialize)]
struct Position {
    selector: String,
    title_sv: String,
    title_en: String,
    function: String,
    share: String,
}

/// One role of an employee.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) id: Uuid,
    pub(super) person: usize,
    pub(super) unit: usize,
    position: usize,
    /// The employment that a placement rests on.
    based_on: Option<usize>,
    second: bool,
    head: bool,
    pub(super) from: NaiveDate,
    /// The day from which a leaver is gone.
    pub(super) left: Option<NaiveDate>,
    rate: u32,
    form: &'static str,
    number: usize,
    substitutes_for: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Staff {
    positions: Vec<Position>,
    /// Those there from the start, heads first, then employments, second employments and placements.
    pub(super) posts: Vec<Post>,
    /// Those who took over from leavers, in the order of their coming.
    pub(super) hired: Vec<Post>,
    /// By unit, the post of its head.
    heads: Vec<Option<usize>>,
    /// Everyone with an employment at some time.
    pub(super) employed: HashSet<usize>,
}

/// How many work in a unit, relative to others.
fn size(unit: &Unit) -> usize {
    match (unit.kind.as_str(), unit.key.as_str()) {
        (_, "centralskolan" | "gymnasiet" | "assistans") => 40,
        (_, "bjorkgarden" | "solglantan" | "strandhagen" | "hedvikshemmet") => 34,
        (_, "maltid" | "lokalvard" | "hemsjukvard" | "ht-centrum") => 28,
        ("school-unit", _) => 26,
        ("preschool-unit", _) => 15,
        ("care-unit", _) => 15,
        (_, "va" | "gata" | "fastighet" | "vux" | "barn-familj") => 12,
        ("unit" | "department", _) => 6,
        ("administration" | "operating-area", _) => 4,
        ("care-provider", _) => 2,
        _ => 0,
    }
}

impl Staff {
    pub(super) fn load(people: &People, units: &Units) -> Result<Self, SeedError> {
        let mut staff = Self {
            positions: files::POSITIONS.rows()?,
            posts: Vec::new(),
            hired: Vec::new(),
            heads: vec![None; units.0.len()],
            employed: HashSet::new(),
        };
        let mut dice = Dice::new("norrberga/staff");
        let mut candidates: Vec<usize> = (0..people.all.len())
            .filter(|one| {
                let person = &people.all[*one];
                person.is_at_least(22, STARTED)
                    && !person.is_at_least(62, STARTED)
                    && !person.coordination
                    && person.arrived.is_none()
                    && person.protection != Some(Protection::Registration)
            })
            .collect();
        dice.shuffle(&mut candidates);
        let mut candidates = candidates.into_iter();
        staff.employ(people, units, &mut candidates, &mut dice);
        staff.substitute();
        staff.add_second(units, &mut dice);
        staff.place(units, &mut dice);
        staff.change(units, &mut candidates, &mut dice);
        Ok(staff)
    }

    /// The rows of positions for a unit: its own, those of its prefix, or those of its kind.
    fn positions_of(&self, unit: &Unit, head: bool) -> Vec<usize> {
        let with = |wanted: &dyn Fn(&str) -> bool| -> Vec<usize> {
            (0..self.positions.len())
                .filter(|row| {
                    (self.positions[*row].share == "head") == head
                        && wanted(&self.positions[*row].selector)
                })
                .collect()
        };
        let prefixed = |selector: &str| {
            selector
                .strip_prefix("prefix:")
                .is_some_and(|prefix| unit.key.starts_with(prefix))
        };
        let kind = format!("kind:{}", unit.kind);
        let own = with(&|selector| selector == unit.key || prefixed(selector));
        // The after-school units are led by the principal of their school.
        if own.is_empty() && !(head && unit.key.starts_with("fritids-")) {
            with(&|selector| selector == kind)
        } else {
            own
        }
    }

    fn employ(
        &mut self,
        people: &People,
        units: &Units,
        candidates: &mut impl Iterator<Item = usize>,
        dice: &mut Dice,
    ) {
        for (index, unit) in units.0.iter().enumerate() {
            if let [position, ..] = self.positions_of(unit, true).as_slice()
                && let Some(person) = candidates.next()
            {
                self.heads[index] = Some(self.posts.len());
                let from = started(people, person, dice).min(HEADS_KNOWN);
                let mut post = self.post(person, index, *position, from);
                post.head = true;
                post.rate = 100;
                post.form = "permanent";
                self.posts.push(post);
            }
        }
        let sizes = Weighted::new(
            units
                .0
                .iter()
                .enumerate()
                .filter(|(_, unit)| !self.positions_of(unit, false).is_empty())
                .map(|(index, unit)| (index, size(unit))),
        );
        while self.posts.len() < EMPLOYEES {
            let unit = *sizes.draw(dice);
            let Some(person) = candidates.next() else {
                break;
            };
            let position = self.draw_position(&units.0[unit], dice);
            let mut post = self.post(person, unit, position, started(people, person, dice));
            post.rate = *dice.pick(&[100, 100, 100, 100, 90, 80, 75, 75, 50]);
            post.form = *dice.pick(&[
                "permanent",
                "permanent",
                "permanent",
                "permanent",
                "permanent",
                "permanent",
                "special-fixed-term",
                "intermittent",
            ]);
            if post.form == "special-fixed-term" {
                // Before that day there was no such form of employment.
                post.from = post.from.max(day(2022, 10, 1));
            }
            self.posts.push(post);
        }
    }

    fn draw_position(&self, unit: &Unit, dice: &mut Dice) -> usize {
        let rows = self.positions_of(unit, false);
        let shares = Weighted::new(
            rows.iter()
                .map(|row| (*row, self.positions[*row].share.parse().unwrap_or(1))),
        );
        *shares.draw(dice)
    }

    fn post(&mut self, person: usize, unit: usize, position: usize, from: NaiveDate) -> Post {
        self.employed.insert(person);
        let number = self.posts.len() + self.hired.len();
        Post {
            id: seed_id(Domain::Role, &format!("norrberga/post/{number}")),
            person,
            unit,
            position,
            based_on: None,
            second: false,
            head: false,
            from,
            left: None,
            rate: 100,
            form: "permanent",
            number,
            substitutes_for: None,
        }
    }

    /// Half-time employees who also work at night, at weekends or in another unit.
    fn add_second(&mut self, units: &Units, dice: &mut Dice) {
        let part_time: Vec<usize> = (0..EMPLOYEES)
            .filter(|post| self.posts[*post].rate <= 75)
            .take(SECOND)
            .collect();
        for (turn, main) in part_time.into_iter().enumerate() {
            let key = [
                "nattpatrullen",
                "korttids",
                "bibliotek",
                "simhall",
                "kulturskolan",
            ][turn % 5];
            let Some(unit) = units.0.iter().position(|unit| unit.key == key) else {
                continue;
            };
            let (person, from) = (self.posts[main].person, self.posts[main].from);
            let position = self.draw_position(&units.0[unit], dice);
            let mut post = self.post(person, unit, position, from);
            post.second = true;
            post.rate = *dice.pick(&[10, 20, 25]);
            post.form = "intermittent";
            self.posts.push(post);
        }
    }

    /// Teachers and nurses who are placed for some of their time in another unit of the same kind.
    fn place(&mut self, units: &Units, dice: &mut Dice) {
        let movable: Vec<usize> = (0..EMPLOYEES)
            .filter(|post| {
                let post = &self.posts[*post];
                !post.head
                    && matches!(
                        units.0[post.unit].kind.as_str(),
                        "school-unit" | "care-unit" | "preschool-unit"
                    )
            })
            .step_by(3)
            .take(PLACEMENTS)
            .collect();
        for main in movable {
            let kind = units.0[self.posts[main].unit].kind.as_str();
            let others: Vec<usize> = (0..units.0.len())
                .filter(|unit| units.0[*unit].kind == kind && *unit != self.posts[main].unit)
                .collect();
            let (person, position, from) = (
                self.posts[main].person,
                self.posts[main].position,
                self.posts[main].from,
            );
            let mut post = self.post(
                person,
                *dice.pick(&others),
                position,
                from.max(day(2022, 8, 1)),
            );
            post.based_on = Some(main);
            post.rate = *dice.pick(&[10, 20, 25, 40]);
            self.posts.push(post);
        }
    }

    /// Sixty who stand in for a colleague of the same unit.
    fn substitute(&mut self) {
        let candidates: Vec<usize> = (200..EMPLOYEES).step_by(11).collect();
        let mut made = 0;
        for post in candidates {
            let earlier = (100..post).find(|other| {
                let other = &self.posts[*other];
                !other.head
                    && other.unit == self.posts[post].unit
                    && other.form == "permanent"
                    && other.from < SUBSTITUTES_FROM
            });
            if made < 60 && !self.posts[post].head && earlier.is_some() {
                self.posts[post].form = "substitute";
                self.posts[post].from = SUBSTITUTES_FROM;
                self.posts[post].substitutes_for = earlier;
                made += 1;
            }
        }
    }

    /// Five a month leave on the first; five others begin that day in the same posts.
    fn change(
        &mut self,
        units: &Units,
        candidates: &mut impl Iterator<Item = usize>,
        dice: &mut Dice,
    ) {
        let tied: HashSet<usize> = self
            .posts
            .iter()
            .flat_map(|post| post.based_on.into_iter().chain(post.substitutes_for))
            .collect();
        let with_second: HashSet<usize> = self
            .posts
            .iter()
            .filter(|post| post.second)
            .map(|post| post.person)
            .collect();
        let mut leaving: Vec<usize> = (0..EMPLOYEES)
            .filter(|index| {
                let post = &self.posts[*index];
                !post.head
                    && post.from < STARTED
                    && units.0[post.unit].kind != "administration"
                    && !tied.contains(index)
                    && !with_second.contains(&post.person)
            })
            .collect();
        dice.shuffle(&mut leaving);
        for (turn, index) in leaving.into_iter().take(CHANGES).enumerate() {
            let month = u32::try_from(turn / 5).unwrap_or(0);
            let left = day(2023, 12, 1) + Months::new(month);
            let Some(person) = candidates.next() else {
                break;
            };
            self.posts[index].left = Some(left);
            let (unit, position, rate) = (
                self.posts[index].unit,
                self.posts[index].position,
                self.posts[index].rate,
            );
            let mut post = self.post(person, unit, position, left);
            post.rate = rate;
            post.form = if turn % 3 == 0 {
                "probationary"
            } else {
                "permanent"
            };
            self.hired.push(post);
        }
    }

    /// The role of a unit's head.
    pub(super) fn head(&self, unit: usize) -> Option<Uuid> {
        self.heads[unit].map(|post| self.posts[post].id)
    }
}

/// The first day of an employment: after the age of 20, after the units were formed, before the start of the registry.
fn started(people: &People, person: usize, dice: &mut Dice) -> NaiveDate {
    let born = people.all[person].born;
    let adult = born
        .with_year(born.year() + 20)
        .unwrap_or(later(born, 7305));
    let earliest = adult.max(UNITS_FORMED);
    let days = (day(2023, 10, 1) - earliest).num_days().max(1);
    let chosen = later(
        earliest,
        dice.below(usize::try_from(days).unwrap_or(1)) as u64,
    );
    // Most begin on the first of a month.
    chosen
        .with_day(1)
        .filter(|first| *first >= earliest)
        .unwrap_or(chosen)
}
