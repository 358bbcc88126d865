//! A registry made by chance: owners with policies, hierarchies, records of all domains under several controllers, levels
//! set, raised, ended and taken back, and a history of every operation.

use std::collections::BTreeMap;

use grunddata_model::{Domain, Instant, RecordId};
use grunddata_registry::{
    Code, Command, Grant, NewOwner, Note, OwnerScope, ProtectionPolicy, Role,
};
use grunddata_testing::Dice;
use serde_json::{Value, json};

use super::learn::learn;
use super::rules::{
    Decided, FORMS, INTERNAL, LEVELS, Made, Mark, PERSONAL, PROTECTED, PUBLIC, RELATIONS, World,
};
use crate::stack::*;

pub(crate) const OWNERS: [&str; 3] = ["a", "b", "c"];
const DAYS: [&str; 7] = [
    "2020-01-01",
    "2022-01-01",
    "2024-01-01",
    "2025-06-01",
    "2026-01-01",
    "2026-02-01",
    "2027-01-01",
];

/// The registry as it was built.
pub(crate) struct Built {
    pub(crate) world: World,
    pub(crate) ids: Vec<RecordId>,
    pub(crate) by_id: BTreeMap<RecordId, usize>,
    pub(crate) versions: Vec<u32>,
    /// Identifiers that were given, with the record.
    pub(crate) identifiers: Vec<(String, String, usize)>,
    pub(crate) instants: Vec<Instant>,
    pub(crate) top: Vec<usize>,
}

pub(crate) fn domain(name: &str) -> Domain {
    Domain::ALL
        .into_iter()
        .find(|domain| domain.as_str() == name)
        .unwrap()
}

struct Builder<'s> {
    stack: &'s Stack,
    dice: Dice,
    built: Built,
    /// By owner: committees, organisations, places, persons, roles.
    kept: BTreeMap<(usize, &'static str), Vec<usize>>,
    refused: BTreeMap<Code, usize>,
    done: usize,
}

pub(crate) fn build(stack: &Stack, seed: u64) -> Built {
    let mut builder = Builder {
        stack,
        dice: Dice::new(seed),
        built: Built {
            world: World {
                today: "2026-03-01".to_owned(),
                ..World::default()
            },
            ids: Vec::new(),
            by_id: BTreeMap::new(),
            versions: Vec::new(),
            identifiers: Vec::new(),
            instants: Vec::new(),
            top: Vec::new(),
        },
        kept: BTreeMap::new(),
        refused: BTreeMap::new(),
        done: 0,
    };
    builder.owners();
    for owner in 0..OWNERS.len() {
        builder.records(owner);
    }
    builder.history();
    eprintln!("{} changes, refused: {:?}", builder.done, builder.refused);
    let mut built = builder.built;
    learn(stack, &mut built);
    built
}

impl Builder<'_> {
    fn owners(&mut self) {
        for (number, key) in OWNERS.into_iter().enumerate() {
            let mut decided = Decided::by_default(number == 0);
            let mut written = serde_json::Map::new();
            // The last one leaves the default.
            if number < 2 {
                for (level, level_name) in LEVELS.into_iter().enumerate() {
                    let mut forms = serde_json::Map::new();
                    for (relation, relation_name) in RELATIONS.into_iter().enumerate() {
                        // Seldom everything, and outside mostly nothing.
                        let limit = [4, 3, 2][relation] + usize::from(self.dice.one_in(4)) * 2;
                        let (name, form) = FORMS[self.dice.below(limit.min(4))];
                        decided.forms[level][relation] = form;
                        forms.insert(relation_name.to_owned(), name.into());
                    }
                    written.insert(level_name.to_owned(), forms.into());
                }
            }
            let policy =
                ProtectionPolicy::read(self.stack.registry.model(), &written.into()).unwrap();
            let owner = NewOwner {
                key: owner(key),
                name: format!("Owner {key}"),
                organisation: None,
                open_data: decided.open,
                protection: Some(policy),
            };
            self.stack
                .registry
                .put_owner(&self.stack.system(), owner)
                .unwrap();
            self.built.world.owners.insert(key.to_owned(), decided);
        }
    }

    fn pick(&mut self, owner: usize, what: &'static str) -> Option<usize> {
        let list = self.kept.get(&(owner, what)).cloned().unwrap_or_default();
        (!list.is_empty()).then(|| *self.dice.of(&list))
    }

    fn reference(&self, record: usize) -> Value {
        json!({"id": self.built.ids[record].to_string()})
    }

    fn mark(
        &mut self,
        record: usize,
        property: &'static str,
        class: usize,
        name: bool,
        level: usize,
        identified: &[usize],
    ) -> String {
        self.built.world.marks.make(Mark {
            record,
            property,
            class,
            name,
            level,
            identified: identified.to_vec(),
        })
    }

    /// A body for the record, with new marks in every text.
    fn body(&mut self, record: usize, owner: usize, kind: &'static str, level: usize) -> Value {
        let mut identified: Vec<usize> = Vec::new();
        let other_owner = if self.dice.one_in(5) {
            (owner + 1) % OWNERS.len()
        } else {
            owner
        };
        match kind {
            "person" => {
                let relative = if self.dice.one_in(3) {
                    self.pick(other_owner, "person")
                        .filter(|other| *other < record)
                } else {
                    None
                };
                identified.extend(relative);
                let mut of = |property, class, name| {
                    self.mark(record, property, class, name, level, &identified)
                };
                let mut data = json!({
                    "name": {"given": [of("name.given", PERSONAL, true)], "family": of("name.family", PERSONAL, true)},
                    "formerNames": [{"family": of("formerNames.family", PERSONAL, false)}],
                    "addresses": [{"kind": "registered", "thoroughfare": of("addresses.thoroughfare", PERSONAL, false)}],
                    "identifiers": [{"scheme": "source:hr", "value": of("identifiers", PERSONAL, false)}],
                });
                if let Some(relative) = relative {
                    let (kind, class) = if self.dice.one_in(2) {
                        ("custodian", PERSONAL)
                    } else {
                        ("legal-guardian", PROTECTED)
                    };
                    let scope = self.mark(
                        record,
                        "relationships.scope",
                        class,
                        false,
                        level,
                        &identified,
                    );
                    data["relationships"] =
                        json!([{"kind": kind, "person": self.reference(relative), "scope": scope}]);
                }
                if level > 0 {
                    data["protection"] = json!({"level": LEVELS[level - 1]});
                }
                if self.dice.one_in(3)
                    && let Some(place) = self.pick(owner, "address")
                {
                    data["residence"] = self.reference(place);
                }
                data
            }
            "role" => {
                let person = self
                    .pick(other_owner, "person")
                    .or_else(|| self.pick(owner, "person"))
                    .unwrap();
                identified.push(person);
                let organisation = self.pick(owner, "organisation").unwrap();
                let mut of =
                    |property, class| self.mark(record, property, class, false, level, &identified);
                let mut data = json!({
                    "kind": "employment",
                    "title": {"sv": of("title", PUBLIC)},
                    "position": of("position", INTERNAL),
                    "delegations": [{"decisionType": "general-administration", "item": of("delegations.item", INTERNAL)}],
                    "identifiers": [
                        {"scheme": "source:hr", "value": of("identifiers", PERSONAL)},
                        {"scheme": "employee-number", "value": of("identifiers", PERSONAL), "issuer": "a"},
                    ],
                    "employmentRate": "75",
                    "person": self.reference(person),
                    "organisation": self.reference(organisation),
                });
                if self.dice.one_in(3)
                    && let Some(above) = self.pick(owner, "role").filter(|above| *above < record)
                {
                    data["reportsTo"] = self.reference(above);
                }
                data
            }
            "organisation" | "committee" => {
                let parent = self
                    .pick(owner, "organisation")
                    .filter(|parent| *parent < record);
                let mut of =
                    |property, class, name| self.mark(record, property, class, name, 0, &[]);
                let mut data = json!({
                    "kind": if kind == "committee" { "committee" } else { "unit" },
                    "name": {"sv": of("name", PUBLIC, true)},
                    "alternativeNames": [{"sv": of("alternativeNames", PUBLIC, false)}],
                    "costCentre": of("costCentre", PUBLIC, false),
                    "purpose": {"sv": of("purpose", PUBLIC, false)},
                    "identifiers": [{"scheme": "source:hr", "value": of("identifiers", INTERNAL, false)}],
                });
                if let Some(parent) = parent {
                    data["parent"] = self.reference(parent);
                }
                data
            }
            "geography" | "address" => {
                let within = self
                    .pick(owner, "geography")
                    .filter(|within| *within < record);
                let holder = if self.dice.one_in(3) {
                    self.pick(other_owner, "person")
                } else {
                    None
                };
                identified.extend(holder);
                let name = self.mark(record, "name", PUBLIC, true, 0, &identified);
                let place = self.mark(record, "address", PUBLIC, false, 0, &identified);
                let mut data = json!({
                    "kind": if kind == "address" { "address-place" } else { "catchment-area" },
                    "name": {"sv": name}, "address": {"thoroughfare": place},
                });
                if let Some(within) = within {
                    data["within"] = json!([self.reference(within)]);
                }
                if let Some(holder) = holder {
                    data["holders"] = json!([{"kind": "owner", "holder": self.reference(holder)}]);
                }
                data
            }
            _ => {
                let authority = self.pick(owner, "organisation").unwrap();
                let mut of =
                    |property, class, name| self.mark(record, property, class, name, 0, &[]);
                let mut data = json!({
                    "kind": "internal-service", "status": "active",
                    "name": {"sv": of("name", PUBLIC, true)}, "description": {"sv": of("description", PUBLIC, false)},
                    "competentAuthority": self.reference(authority),
                });
                if self.dice.one_in(2)
                    && let Some(role) = self.pick(owner, "role")
                {
                    data["responsibleRole"] = self.reference(role);
                }
                data
            }
        }
    }

    fn add(&mut self, owner_number: usize, kind: &'static str) {
        let of = match kind {
            "committee" => "organisation",
            "address" => "geography",
            other => other,
        };
        let number = self.built.ids.len();
        let controller = if kind != "committee" && self.dice.below(3) > 0 {
            self.pick(owner_number, "committee")
        } else {
            None
        };
        let level = if kind == "person" && self.dice.one_in(3) {
            1 + self.dice.below(3)
        } else {
            0
        };
        // Marks name the record by its number, so that it is counted before it is there.
        self.built.world.records.push(Made {
            owner: OWNERS[owner_number].to_owned(),
            controller: controller.map(|controller| self.built.ids[controller].to_string()),
            domain: of,
            ..Made::default()
        });
        let data = self.body(number, owner_number, kind, level);
        let from = if kind == "committee" {
            "2019-01-01"
        } else {
            *self
                .dice
                .of(&["2019-06-01", "2019-06-01", "2019-06-01", "2024-01-01"])
        };
        let given = data["identifiers"].as_array().cloned().unwrap_or_default();
        let command = created(create(domain(of), data, from), |create| {
            create.envelope.owner = Some(owner(OWNERS[owner_number]));
            create.envelope.controller = controller.map(|controller| self.built.ids[controller]);
        });
        let command = Command {
            on_uncovered: grunddata_registry::OnUncovered::Flag,
            ..command
        };
        let id = self.stack.id(command);
        for identifier in given {
            let text = |name: &str| identifier[name].as_str().unwrap().to_owned();
            self.built
                .identifiers
                .push((text("scheme"), text("value"), number));
        }
        self.built.world.records[number].id = id.to_string();
        self.built.ids.push(id);
        self.built.by_id.insert(id, number);
        self.built.versions.push(1);
        self.built.instants.push(self.stack.now());
        self.kept
            .entry((owner_number, of))
            .or_default()
            .push(number);
        if of != kind {
            self.kept
                .entry((owner_number, kind))
                .or_default()
                .push(number);
        }
        if kind == "committee" {
            self.built.top.push(number);
        }
    }

    fn records(&mut self, owner: usize) {
        for (kind, count) in [
            ("committee", 3),
            ("organisation", 4),
            ("geography", 2),
            ("address", 2),
            ("person", 10),
            ("geography", 2),
            ("role", 8),
            ("service", 3),
        ] {
            for _ in 0..count {
                self.add(owner, kind);
            }
        }
    }

    fn history(&mut self) {
        let everything = Grant::of(OwnerScope::All, Role::Administrator);
        let administrator = self.stack.with_grants("history", vec![everything]);
        for step in 0..170_i64 {
            let record = self.dice.below(self.built.ids.len());
            // Those among whom protection moves are changed most.
            let record =
                if self.dice.one_in(2) && self.built.world.records[record].domain != "person" {
                    self.dice.below(self.built.ids.len())
                } else {
                    record
                };
            let made = self.built.world.records[record].clone();
            let owner = OWNERS.iter().position(|key| *key == made.owner).unwrap();
            if self.built.top.contains(&record) && made.domain == "organisation" {
                continue;
            }
            let (id, of) = (self.built.ids[record], domain(made.domain));
            let kind = match made.domain {
                "geography" if self.kept[&(owner, "address")].contains(&record) => "address",
                other => other,
            };
            let from = *self.dice.of(&DAYS);
            let person = made.domain == "person";
            let choice = self.dice.below(if person { 16 } else { 8 });
            let command = match choice {
                0 | 1 => {
                    let level = if person && self.dice.one_in(4) {
                        1 + self.dice.below(3)
                    } else {
                        0
                    };
                    let data = self.body(record, owner, kind, level);
                    let until = self
                        .dice
                        .one_in(2)
                        .then(|| *self.dice.of(&DAYS))
                        .filter(|until| *until > from);
                    replaced(replace(of, id, data, from), |replace| {
                        replace.overwrite_planned = true;
                        replace.valid_to = until.and_then(to);
                    })
                }
                2 => end(of, id, from, None),
                3 => end(
                    of,
                    id,
                    from,
                    Some(self.dice.of(&DAYS))
                        .filter(|until| **until > from)
                        .copied(),
                ),
                4 => retract(of, id, self.dice.one_in(2).then_some((from, "2026-06-01"))),
                5 => {
                    let level = if person && self.dice.one_in(4) {
                        1 + self.dice.below(3)
                    } else {
                        0
                    };
                    let data = self.body(record, owner, kind, level);
                    revive(
                        of,
                        id,
                        data,
                        self.dice
                            .of::<&str>(&["2026-02-01", "2026-06-01", "2028-01-01"]),
                    )
                }
                6 | 7 => revert(
                    of,
                    id,
                    1 + u32::try_from(self.dice.below(self.built.versions[record] as usize))
                        .unwrap(),
                ),
                8..=12 => {
                    // The marks of the states that it reaches stay as they are, and are under the level from now on.
                    let level = 1 + self.dice.below(3);
                    amend(
                        of,
                        id,
                        json!({"protection": {"level": LEVELS[level - 1]}}),
                        from,
                        self.dice.one_in(3).then_some("2027-06-01"),
                    )
                }
                _ => amend(of, id, json!({"protection": null}), from, None),
            };
            self.stack.pass((step % 7) * 40);
            let command = Command {
                on_uncovered: grunddata_registry::OnUncovered::Flag,
                ..command
            };
            let command = command.note(Note {
                reason: Some("history".to_owned()),
                ..Note::default()
            });
            self.stack.pass(1);
            // Not the registry's own work, which feeds copies and takes no protection back.
            match self.stack.write_as(&administrator, command) {
                Ok(written) => {
                    self.built.versions[record] = written.version;
                    self.done += 1;
                    self.built.instants.push(self.stack.now());
                }
                Err(refusal) => {
                    assert_ne!(refusal.code, Code::Internal, "{refusal:?}");
                    *self.refused.entry(refusal.code).or_default() += 1;
                }
            }
        }
    }
}
