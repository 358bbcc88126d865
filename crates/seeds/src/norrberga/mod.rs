//! Norrberga, a fictional municipality: everything about it is synthetic and its people bear reserved test numbers.

mod elected;
mod events;
mod people;
mod person_data;
mod places;
mod pupils;
mod reorganisation;
mod services;
mod staff;
mod units;

use std::sync::Arc;

use chrono::NaiveDate;
use grunddata_model::{Domain, ValidFrom};
use uuid::Uuid;

use self::events::{Cast, Event, News};
use self::people::{People, STARTED};
use self::places::Places;
use self::pupils::Pupil;
use self::services::Service;
use self::staff::Staff;
use self::units::{Units, unit_id};
use crate::identity::seed_id;
use crate::operation::{SeedOperation, SeedTransaction, at};
use crate::{BATCH, NORRBERGA, SeedError};

/// The whole municipality, held small: data are made when a transaction is asked for.
pub(crate) struct Municipality {
    places: Places,
    units: Units,
    people: People,
    staff: Staff,
    pupils: Vec<Pupil>,
    services: Vec<Service>,
    terms: [elected::Term; 2],
}

/// A part of what is recorded.
#[derive(Debug)]
enum Part {
    Places,
    Units,
    People(Vec<usize>),
    Staff(Vec<usize>),
    Seats,
    Pupils(Vec<usize>),
    Services,
    News(News, Vec<Event>),
    Reorganisation,
}

impl Municipality {
    pub(crate) fn load() -> Result<Self, SeedError> {
        let places = Places::load()?;
        let units = Units::load()?;
        let people = People::load(&places)?;
        let staff = Staff::load(&people, &units)?;
        let pupils = pupils::enrolled(&people);
        let terms = elected::terms(&people, &staff);
        Ok(Self {
            places,
            units,
            staff,
            pupils,
            services: services::load()?,
            terms,
            people,
        })
    }

    fn cast(&self) -> Cast<'_> {
        Cast {
            people: &self.people,
            places: &self.places,
            units: &self.units,
            staff: &self.staff,
            pupils: &self.pupils,
            services: &self.services,
            terms: &self.terms,
        }
    }

    /// The transactions in the order of recording.
    pub(crate) fn transactions(self: Arc<Self>) -> impl Iterator<Item = SeedTransaction> {
        let plan = self.plan();
        plan.into_iter()
            .map(move |(date, minutes, part)| self.transaction(date, minutes, &part))
    }

    /// What is recorded when: the present state at the start, then event by event.
    fn plan(&self) -> Vec<(NaiveDate, i64, Part)> {
        let mut first = vec![Part::Places, Part::Units];
        let present: Vec<usize> = (0..self.people.all.len())
            .filter(|one| self.people.all[*one].arrived.is_none())
            .collect();
        first.extend(
            present
                .chunks(BATCH)
                .map(|chunk| Part::People(chunk.to_vec())),
        );
        let posts: Vec<usize> = (0..self.staff.posts.len()).collect();
        first.extend(
            posts
                .chunks(BATCH / 2)
                .map(|chunk| Part::Staff(chunk.to_vec())),
        );
        first.push(Part::Seats);
        let pupils: Vec<usize> = (0..self.pupils.len())
            .filter(|one| self.pupils[*one].cohort <= 2017)
            .collect();
        first.extend(
            pupils
                .chunks(BATCH)
                .map(|chunk| Part::Pupils(chunk.to_vec())),
        );
        first.push(Part::Services);

        let mut plan: Vec<(NaiveDate, i64, Part)> = (7 * 60..)
            .step_by(5)
            .zip(first)
            .map(|(minutes, part)| (STARTED, minutes, part))
            .collect();
        plan.extend(self.news());
        plan.push((reorganisation::DECIDED, 14 * 60, Part::Reorganisation));
        plan.sort_by_key(|(date, minutes, _)| (*date, *minutes));
        plan
    }

    /// The events, those of one kind and day together.
    fn news(&self) -> Vec<(NaiveDate, i64, Part)> {
        let mut plan: Vec<(NaiveDate, i64, Part)> = Vec::new();
        for (date, news, event) in events::all(&self.cast()) {
            // Kinds follow one another through the night, in the order of the list.
            let mut minutes = 60 + (news as i64) * 20;
            if let Some((last, at, Part::News(kind, list))) = plan.last_mut()
                && (*last, *kind) == (date, news)
            {
                if list.len() < BATCH {
                    list.push(event);
                    continue;
                }
                minutes = *at + 1;
            }
            plan.push((date, minutes, Part::News(news, vec![event])));
        }
        plan
    }

    fn transaction(&self, date: NaiveDate, minutes: i64, part: &Part) -> SeedTransaction {
        let cast = self.cast();
        let (source, reason, operations): (&str, &str, Vec<SeedOperation>) = match part {
            Part::Places => ("kartan", "Kommunens platser.", self.places.operations()),
            Part::Units => (
                "org",
                "Kommunens organisation.",
                self.units.operations(&self.places),
            ),
            Part::People(list) => (
                "folkbokforing",
                "Invånare vid starten.",
                list.iter().map(|index| person(&cast, *index)).collect(),
            ),
            Part::Staff(list) => (
                "hr",
                "Anställda vid starten.",
                list.iter()
                    .flat_map(|post| {
                        self.staff
                            .creation(&self.staff.posts[*post], &self.people, &self.units)
                    })
                    .collect(),
            ),
            Part::Seats => {
                let term = &self.terms[0];
                let seats = term.assembly.iter().chain(&term.bodies);
                let operations = seats
                    .map(|seat| term.creation(seat, &self.people))
                    .collect();
                (
                    "fortroendevalda",
                    "Förtroendevalda vid starten.",
                    operations,
                )
            }
            Part::Pupils(list) => (
                "elevregister",
                "Elever vid starten.",
                list.iter()
                    .map(|pupil| self.pupils[*pupil].creation(&self.people, &self.units))
                    .collect(),
            ),
            Part::Services => (
                "tjanstekatalog",
                "Kommunens tjänster vid starten.",
                self.services
                    .iter()
                    .enumerate()
                    .filter_map(|(index, service)| {
                        services::creation(index, service, &self.units, &self.staff)
                    })
                    .collect(),
            ),
            Part::News(news, list) => {
                let (source, reason) = news.origin();
                (
                    source,
                    reason,
                    list.iter()
                        .flat_map(|event| event.operations(&cast))
                        .collect(),
                )
            }
            Part::Reorganisation => (
                "org",
                reorganisation::REASON,
                reorganisation::operations(&cast),
            ),
        };
        SeedTransaction {
            owner: NORRBERGA,
            recorded_at: at(date, minutes),
            actor: "seed",
            source,
            reason: reason.to_owned(),
            operations,
        }
    }
}

/// The creation of a person.
fn person(cast: &Cast<'_>, index: usize) -> SeedOperation {
    let data = person_data::data(cast.people, index, cast.places);
    let inhabitant = &cast.people.all[index];
    let from = inhabitant
        .arrived
        .map_or(ValidFrom::Unknown, ValidFrom::Date);
    SeedOperation::create(Domain::Person, inhabitant.id, data, from).under(Some(unit_id("ks")))
}

/// The administration that is split at the new year.
pub(crate) fn split_administration() -> Uuid {
    unit_id("sof")
}

/// A unit that gets a new parent at the new year.
pub(crate) fn moved_unit() -> Uuid {
    unit_id("aldreomsorg")
}

/// A woman who took her husband's name; the number is one of those reserved for tests.
pub(crate) fn renamed_person() -> Uuid {
    seed_id(Domain::Person, "norrberga/196608253081")
}
