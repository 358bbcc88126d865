//! What happened between the start and today: three years of changes, in the order in which they became known.

use chrono::{Datelike, NaiveDate};
use grunddata_model::Domain;
use serde_json::json;

use super::elected::Term;
use super::people::{People, STARTED};
use super::person_data;
use super::places::{Home, Places};
use super::pupils::Pupil;
use super::services::{self, Service};
use super::staff::{CHANGES, EMPLOYEES, Staff};
use super::units::Units;
use crate::dice::Dice;
use crate::operation::{SeedOperation, day, later};

/// The last day on which something is recorded.
pub(super) const LAST: NaiveDate = day(2026, 11, 20);
/// Households that move.
const MOVES: usize = 1_450;
/// People who change their family name.
const RENAMED: usize = 220;
/// Inhabitants who die.
const DEATHS: usize = 84;
/// Employees who are on leave for a time.
const LEAVES: usize = 190;
/// Employees whose rate of employment changes.
const RATES: usize = 210;

/// The kinds of news, each recorded in transactions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    Arrival,
    Move,
    Name,
    Death,
    Correction,
    Hiring,
    Leaving,
    Leave,
    Rate,
    SchoolYear,
    NewPupils,
    SchoolEnd,
    Service,
    Assembly,
    Bodies,
    Organisation,
}

impl News {
    /// Source and reason in the change log.
    pub(super) const fn origin(self) -> (&'static str, &'static str) {
        match self {
            News::Arrival => ("folkbokforing", "Född eller inflyttad."),
            News::Move => ("folkbokforing", "Flyttning enligt folkbokföringen."),
            News::Name => ("folkbokforing", "Nytt efternamn."),
            News::Death => ("folkbokforing", "Avliden."),
            News::Correction => ("folkbokforing", "Rättelse av felskrivet förnamn."),
            News::Hiring => ("hr", "Ny anställning."),
            News::Leaving => ("hr", "Anställningen upphör."),
            News::Leave => ("hr", "Ledighet beviljad."),
            News::Rate => ("hr", "Ändrad sysselsättningsgrad."),
            News::SchoolYear => ("elevregister", "Nytt läsår: elever flyttas upp en årskurs."),
            News::NewPupils => ("elevregister", "Nya elever i förskoleklass."),
            News::SchoolEnd => ("elevregister", "Årskurs 9 slutar."),
            News::Service => ("tjanstekatalog", "Ändring i tjänstekatalogen."),
            News::Assembly => ("fortroendevalda", "Nytt fullmäktige efter valet 2026."),
            News::Bodies => (
                "fortroendevalda",
                "Fullmäktiges val till nämnder för den nya mandatperioden.",
            ),
            News::Organisation => ("org", "Nämndens beslut om enhetens namn."),
        }
    }
}

/// The parts of the municipality that events speak of.
pub(super) struct Cast<'a> {
    pub(super) people: &'a People,
    pub(super) places: &'a Places,
    pub(super) units: &'a Units,
    pub(super) staff: &'a Staff,
    pub(super) pupils: &'a [Pupil],
    pub(super) services: &'a [Service],
    pub(super) terms: &'a [Term; 2],
}

/// One event, small until its operations are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Arrive(usize),
    Move(usize, Home, NaiveDate),
    Rename(usize, NaiveDate),
    Die(usize, NaiveDate),
    Correct(usize),
    Hire(usize),
    Leave(usize, NaiveDate),
    Away(usize, NaiveDate, NaiveDate, u32),
    Rate(usize, NaiveDate, u32),
    MoveUp(usize, i32),
    Enrol(usize),
    LeaveSchool(usize),
    Open(usize, NaiveDate),
    Fee(usize, i32),
    NewAct(usize),
    Assembly,
    Bodies,
    NewName,
    RightName,
}

/// All events with the day of recording, sorted.
pub(super) fn all(cast: &Cast<'_>) -> Vec<(NaiveDate, News, Event)> {
    let mut events = Vec::new();
    population(cast, &mut events);
    employment(cast, &mut events);
    school(cast, &mut events);
    catalogue(cast, &mut events);
    events.push((day(2026, 10, 5), News::Assembly, Event::Assembly));
    events.push((day(2026, 11, 17), News::Bodies, Event::Bodies));
    events.push((day(2024, 5, 13), News::Organisation, Event::NewName));
    events.push((day(2025, 3, 10), News::Organisation, Event::RightName));
    for (recorded, ..) in &mut events {
        *recorded = (*recorded).clamp(later(STARTED, 1), LAST);
    }
    events.sort_by_key(|(recorded, news, _)| (*recorded, *news));
    events
}

/// A day between the start and today on which something holds, and the later weekday on which it becomes known.
fn moment(dice: &mut Dice, delay: usize) -> (NaiveDate, NaiveDate) {
    let days = usize::try_from((LAST - STARTED).num_days()).unwrap_or(1);
    let valid = later(STARTED, (7 + dice.below(days - 50)) as u64);
    (
        valid,
        batch_day(later(valid, (1 + dice.below(delay)) as u64)),
    )
}

/// Loads come once a week, on Mondays.
fn batch_day(date: NaiveDate) -> NaiveDate {
    later(
        date,
        u64::from((7 - date.weekday().num_days_from_monday()) % 7),
    )
}

fn population(cast: &Cast<'_>, events: &mut Vec<(NaiveDate, News, Event)>) {
    let people = cast.people;
    for (index, person) in people.all.iter().enumerate() {
        if let Some(arrived) = person.arrived {
            events.push((
                batch_day(later(arrived, 3)),
                News::Arrival,
                Event::Arrive(index),
            ));
        }
        if person.misspelt {
            let recorded = later(day(2024, 1, 15), (index % 700) as u64);
            events.push((batch_day(recorded), News::Correction, Event::Correct(index)));
        }
    }
    let present = |member: &usize| {
        let person = &people.all[*member];
        person.arrived.is_none() && person.protection.is_none()
    };

    let mut dice = Dice::new("norrberga/events/deaths");
    let dying: Vec<usize> = people
        .single()
        .filter(|one| {
            people.all[*one].born < day(1955, 1, 1) && present(one) && !people.all[*one].misspelt
        })
        .collect();
    let dying: Vec<usize> = dying
        .iter()
        .copied()
        .step_by((dying.len() / DEATHS).max(1))
        .take(DEATHS)
        .collect();
    for person in &dying {
        let (valid, recorded) = moment(&mut dice, 9);
        events.push((recorded, News::Death, Event::Die(*person, valid)));
    }

    let mut dice = Dice::new("norrberga/events/moves");
    let mut moving: Vec<usize> = (0..people.households.len())
        .filter(|household| {
            let members = &people.households[*household].members;
            members.iter().all(present) && !members.iter().any(|member| dying.contains(member))
        })
        .collect();
    dice.shuffle(&mut moving);
    for household in moving.into_iter().take(MOVES) {
        // Most moves are notified within days, some after months.
        let delay = if dice.chance(90) { 14 } else { 90 };
        let (valid, recorded) = moment(&mut dice, delay);
        let home = cast.places.home(&mut dice);
        events.push((recorded, News::Move, Event::Move(household, home, valid)));
    }

    let mut dice = Dice::new("norrberga/events/names");
    let renamed = (0..people.all.len()).filter(|one| {
        let person = &people.all[*one];
        person
            .partner
            .is_some_and(|partner| people.all[partner].family != person.family)
            && person.female
            && present(one)
            && !person.misspelt
    });
    for person in renamed.take(RENAMED) {
        let (valid, recorded) = moment(&mut dice, 21);
        events.push((recorded, News::Name, Event::Rename(person, valid)));
    }
}

fn employment(cast: &Cast<'_>, events: &mut Vec<(NaiveDate, News, Event)>) {
    let staff = cast.staff;
    for (index, post) in staff.posts.iter().enumerate() {
        if let Some(left) = post.left {
            // Notice is given, and recorded, about a month before.
            events.push((
                batch_day(left - chrono::Days::new(32)),
                News::Leaving,
                Event::Leave(index, left),
            ));
        }
    }
    for (index, post) in staff.hired.iter().enumerate() {
        events.push((
            batch_day(post.from - chrono::Days::new(20)),
            News::Hiring,
            Event::Hire(index),
        ));
    }
    let staying =
        |index: &usize| staff.posts[*index].left.is_none() && staff.posts[*index].from < STARTED;
    let mut dice = Dice::new("norrberga/events/leave");
    for index in (3..EMPLOYEES).step_by(6).filter(staying).take(LEAVES) {
        let (from, _) = moment(&mut dice, 1);
        let to = later(from, (30 + dice.below(300)) as u64);
        let rate = *dice.pick(&[100, 100, 50, 25]);
        events.push((
            batch_day(from - chrono::Days::new(14)),
            News::Leave,
            Event::Away(index, from, to, rate),
        ));
    }
    let mut dice = Dice::new("norrberga/events/rates");
    for index in (105..EMPLOYEES).step_by(5).filter(staying).take(RATES) {
        let (valid, recorded) = moment(&mut dice, 14);
        let rate = *dice.pick(&[60, 75, 80, 85, 100]);
        events.push((recorded, News::Rate, Event::Rate(index, valid, rate)));
    }
    debug_assert_eq!(staff.hired.len(), CHANGES);
}

fn school(cast: &Cast<'_>, events: &mut Vec<(NaiveDate, News, Event)>) {
    for (index, pupil) in cast.pupils.iter().enumerate() {
        for year in 2024..=2026 {
            if pupil.cohort + 6 == year {
                events.push((day(year, 5, 20), News::NewPupils, Event::Enrol(index)));
            } else if pupil.moves_up(year) {
                events.push((
                    day(year, 8, 12),
                    News::SchoolYear,
                    Event::MoveUp(index, year),
                ));
            } else if pupil.cohort + 16 == year {
                events.push((day(year, 6, 3), News::SchoolEnd, Event::LeaveSchool(index)));
            }
        }
    }
}

fn catalogue(cast: &Cast<'_>, events: &mut Vec<(NaiveDate, News, Event)>) {
    for (index, service) in cast.services.iter().enumerate() {
        if let Some(opened) = service.opened() {
            events.push((
                opened - chrono::Days::new(30),
                News::Service,
                Event::Open(index, opened),
            ));
        }
        if service.has_fee() {
            for year in 2024..=2026 {
                events.push((day(year - 1, 12, 4), News::Service, Event::Fee(index, year)));
            }
        }
        if services::changes_act(service, cast.units) {
            events.push((day(2025, 6, 16), News::Service, Event::NewAct(index)));
        }
    }
}

impl Event {
    /// The writes of the event.
    pub(super) fn operations(self, cast: &Cast<'_>) -> Vec<SeedOperation> {
        let person = |index: usize| cast.people.all[index].id;
        match self {
            Event::Arrive(index) => vec![super::person(cast, index)],
            Event::Move(household, home, from) => {
                let patch = json!({
                    "addresses": [cast.places.registered(home)],
                    "residence": cast.places.residence(home),
                });
                let members = &cast.people.households[household].members;
                members
                    .iter()
                    .map(|member| {
                        SeedOperation::amend(Domain::Person, person(*member), patch.clone(), from)
                    })
                    .collect()
            }
            Event::Rename(index, from) => rename(cast, index, from).into_iter().collect(),
            Event::Die(index, on) => {
                let patch = json!({
                    "registrationStatus": "deceased",
                    "registrationStatusFrom": on,
                    "deathDate": on,
                    "contactPoints": null,
                });
                vec![SeedOperation::amend(
                    Domain::Person,
                    person(index),
                    patch,
                    on,
                )]
            }
            Event::Correct(index) => {
                let right = &cast.people.all[index];
                let patch = json!({ "name": person_data::name(right, right.family) });
                vec![SeedOperation::correct(Domain::Person, person(index), patch)]
            }
            Event::Hire(index) => {
                cast.staff
                    .creation(&cast.staff.hired[index], cast.people, cast.units)
            }
            Event::Leave(index, left) => vec![SeedOperation::end(
                Domain::Role,
                cast.staff.posts[index].id,
                left,
            )],
            Event::Away(index, from, to, rate) => {
                let patch =
                    json!({ "availability": { "state": "on-leave", "rate": rate.to_string() } });
                vec![
                    SeedOperation::amend(Domain::Role, cast.staff.posts[index].id, patch, from)
                        .until(to),
                ]
            }
            Event::Rate(index, from, rate) => {
                let patch = json!({ "employmentRate": rate.to_string() });
                vec![SeedOperation::amend(
                    Domain::Role,
                    cast.staff.posts[index].id,
                    patch,
                    from,
                )]
            }
            Event::MoveUp(index, year) => vec![cast.pupils[index].moved_up(year)],
            Event::Enrol(index) => vec![cast.pupils[index].creation(cast.people, cast.units)],
            Event::LeaveSchool(index) => vec![cast.pupils[index].left()],
            Event::Open(index, from) => service(cast, index, json!({ "status": "active" }), from),
            Event::Fee(index, year) => service(
                cast,
                index,
                json!({ "costs": services::fee(index, year) }),
                day(year, 1, 1),
            ),
            Event::NewAct(index) => {
                let patch = json!({ "legalResources": services::social_act(true) });
                service(cast, index, patch, services::NEW_SOCIAL_ACT)
            }
            Event::Assembly => seats(cast, true),
            Event::Bodies => seats(cast, false),
            // The unit that the demo shows has a past as well as a future: a new name, and a translation put right.
            Event::NewName => {
                let patch = json!({ "name": { "sv": "Omsorg om äldre" } });
                vec![SeedOperation::amend(
                    Domain::Organisation,
                    super::moved_unit(),
                    patch,
                    day(2024, 6, 1),
                )]
            }
            Event::RightName => {
                let patch = json!({ "name": { "en": "Care of Older People" } });
                vec![SeedOperation::correct(
                    Domain::Organisation,
                    super::moved_unit(),
                    patch,
                )]
            }
        }
    }
}

fn seats(cast: &Cast<'_>, assembly: bool) -> Vec<SeedOperation> {
    let term = &cast.terms[1];
    let seats = if assembly {
        &term.assembly
    } else {
        &term.bodies
    };
    seats
        .iter()
        .map(|seat| term.creation(seat, cast.people))
        .collect()
}

fn service(
    cast: &Cast<'_>,
    index: usize,
    patch: serde_json::Value,
    from: NaiveDate,
) -> Vec<SeedOperation> {
    vec![SeedOperation::amend(
        Domain::Service,
        cast.services[index].id(),
        patch,
        from,
    )]
}

/// A wedding: the partner's name, the old one kept among the former.
fn rename(cast: &Cast<'_>, index: usize, from: NaiveDate) -> Option<SeedOperation> {
    let person = &cast.people.all[index];
    let partner = &cast.people.all[person.partner?];
    let patch = json!({
        "name": person_data::name(person, partner.family),
        "formerNames": [{ "family": person.family, "until": from }],
    });
    Some(SeedOperation::amend(Domain::Person, person.id, patch, from))
}
