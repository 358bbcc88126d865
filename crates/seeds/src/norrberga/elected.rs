//! Elected offices: the assembly and the bodies that it elects, before and after the election of 2026.

use chrono::NaiveDate;
use grunddata_model::{Domain, ValidFrom};
use serde_json::json;
use uuid::Uuid;

use super::people::{People, STARTED};
use super::staff::Staff;
use super::units::unit_id;
use crate::dice::Dice;
use crate::identity::seed_id;
use crate::operation::{SeedOperation, day, reference};

/// The seats of the assembly, substitutes included.
const ASSEMBLY: usize = 60;

/// The bodies beside the assembly: members, of whom the first two are chair and first vice chair.
const BODIES: [(&str, usize); 11] = [
    ("ks", 11),
    ("bun", 9),
    ("soc", 9),
    ("mbn", 9),
    ("kfn", 9),
    ("ten", 9),
    ("valnamnden", 5),
    ("overformyndaren", 1),
    ("revisorer", 5),
    ("soc-iu", 1),
    ("ks-au", 2),
];
const GROUPS: [&str; 9] = ["s", "m", "sd", "c", "v", "kd", "mp", "l", "independent"];

/// A seat with its holder.
#[derive(Debug)]
pub(super) struct Seat {
    id: Uuid,
    person: usize,
    body: &'static str,
    kind: &'static str,
    order: usize,
    group: &'static str,
}

/// One term of office.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) assembly: Vec<Seat>,
    pub(super) bodies: Vec<Seat>,
    assembly_period: (NaiveDate, NaiveDate),
    bodies_period: (NaiveDate, NaiveDate),
}

/// The terms from 2022 and from 2026.
pub(super) fn terms(people: &People, staff: &Staff) -> [Term; 2] {
    let mut eligible: Vec<usize> = (0..people.all.len())
        .filter(|one| {
            let person = &people.all[*one];
            person.is_at_least(25, STARTED)
                && !person.is_at_least(65, STARTED)
                && !person.coordination
                && person.arrived.is_none()
                && person.protection.is_none()
                && !staff.employed.contains(one)
        })
        .collect();
    Dice::new("norrberga/elected").shuffle(&mut eligible);
    let term = |start: usize, name: &str, years: [NaiveDate; 4]| {
        // Two thirds stay on after an election.
        let holder = |seat: usize| {
            eligible[if seat.is_multiple_of(3) {
                start * 200 + seat
            } else {
                seat
            }]
        };
        let assembly = (0..ASSEMBLY)
            .map(|seat| {
                let (kind, order) = match seat {
                    0 => ("chair", 1),
                    1 => ("first-vice-chair", 1),
                    2 => ("second-vice-chair", 1),
                    3..41 => ("member", seat - 2),
                    _ => ("substitute", seat - 40),
                };
                seat_of(name, "kf", seat, holder(seat), kind, order)
            })
            .collect();
        let mut bodies = Vec::new();
        for (body, size) in BODIES {
            for turn in 0..size {
                let (kind, order) = match (body, turn) {
                    ("revisorer", _) => ("auditor", turn + 1),
                    (_, 0) => ("chair", 1),
                    (_, 1) => ("first-vice-chair", 1),
                    _ => ("member", turn - 1),
                };
                // Some sit in the assembly too, the others do not.
                let seat = 30 + bodies.len();
                bodies.push(seat_of(name, body, turn, holder(seat), kind, order));
            }
        }
        Term {
            assembly,
            bodies,
            assembly_period: (years[0], years[1]),
            bodies_period: (years[2], years[3]),
        }
    };
    [
        term(
            0,
            "2022",
            [
                day(2022, 10, 15),
                day(2026, 10, 15),
                day(2023, 1, 1),
                day(2027, 1, 1),
            ],
        ),
        term(
            1,
            "2026",
            [
                day(2026, 10, 15),
                day(2030, 10, 15),
                day(2027, 1, 1),
                day(2031, 1, 1),
            ],
        ),
    ]
}

fn seat_of(
    term: &str,
    body: &'static str,
    seat: usize,
    person: usize,
    kind: &'static str,
    order: usize,
) -> Seat {
    Seat {
        id: seed_id(
            Domain::Role,
            &format!("norrberga/seat/{term}/{body}/{seat}"),
        ),
        person,
        body,
        kind,
        order,
        group: GROUPS[person % GROUPS.len()],
    }
}

impl Term {
    /// The creation of a seat, on its whole term.
    pub(super) fn creation(&self, seat: &Seat, people: &People) -> SeedOperation {
        let (from, to) = if seat.body == "kf" {
            self.assembly_period
        } else {
            self.bodies_period
        };
        let mut data = json!({
            "person": reference(people.all[seat.person].id),
            "organisation": reference(unit_id(seat.body)),
            "kind": "elected-office",
            "seat": { "kind": seat.kind, "order": seat.order },
            "politicalGroup": seat.group,
            "remunerated": seat.kind != "substitute",
            "termOfOffice": { "validFrom": from, "validTo": to },
            "availability": { "state": "active" },
        });
        // The voters elect the assembly; the assembly elects the rest.
        if seat.body != "kf" {
            data["electedBy"] = reference(unit_id("kf"));
        }
        SeedOperation::create(Domain::Role, seat.id, data, ValidFrom::Date(from))
            .until(to)
            .under(Some(unit_id("ks")))
    }
}
