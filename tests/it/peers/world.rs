//! Records of every kind with a history, made by dice, and their answers at many coordinates.

use grunddata_testing::Dice;
use serde_json::{Value, json};

use super::site::Site;
use crate::answered::Answered;

/// Dice with the seed in `PEERS_SEED`, or a fixed one; it is printed.
pub(crate) fn cast() -> Dice {
    let seed = std::env::var("PEERS_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_122);
    eprintln!("PEERS_SEED={seed}");
    Dice::new(seed)
}

/// What was made.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) records: Vec<(&'static str, String)>,
    pub(crate) instants: Vec<String>,
}

const DAYS: [&str; 6] = [
    "2025-06-01",
    "2026-01-01",
    "2026-02-01",
    "2026-07-01",
    "2027-01-01",
    "2030-01-01",
];

impl World {
    /// Makes so many records and changes of the owner.
    pub(crate) fn grow(&mut self, site: &Site, owner: &str, dice: &mut Dice, steps: usize) {
        for step in 0..steps {
            self.step(site, owner, dice, step);
            let owners = site.store().owners().expect("owners");
            let last = owners
                .iter()
                .find(|row| row.key.as_str() == owner)
                .expect("owner")
                .last_instant;
            self.instants.push(last.to_string());
        }
    }

    fn step(&mut self, site: &Site, owner: &str, dice: &mut Dice, step: usize) {
        let units: Vec<String> = self.of("organisations");
        let persons = self.of("persons");
        let body =
            |data: Value, from: &str| json!({"owner": owner, "data": data, "validFrom": from});
        let from = *dice.of(&["2025-06-01", "2026-01-01", "unknown"]);
        let any = |path: String, body: Value| site.send("POST", &path, Some(body));
        match dice.below(14) {
            0 | 1 => {
                let mut data = json!({"name": {"sv": format!("Enheten {step}")}, "kind": "unit"});
                if !units.is_empty() && dice.below(2) == 0 {
                    data["parent"] = json!({"id": dice.of(&units)});
                }
                let made = site.send_with("POST", "/organisations", Some(body(data, from)), "");
                self.add("organisations", &made);
            }
            2 => {
                let data = json!({"name": {"full": format!("Person {step}"), "given": "Kim", "family": "Ek"}});
                let made = site.send_with("POST", "/persons", Some(body(data, from)), "");
                self.add("persons", &made);
            }
            3 if !units.is_empty() && !persons.is_empty() => {
                let data = json!({"kind": "employment", "title": {"sv": "Lärare"}, "organisation": {"id": dice.of(&units)}, "person": {"id": dice.of(&persons)}});
                let made = site.send_with("POST", "/roles", Some(body(data, "2026-02-01")), "");
                self.add("roles", &made);
            }
            4 => {
                let at = 18.0 + f64::from(u32::try_from(dice.below(1000)).expect("small")) / 1000.0;
                let data = json!({"name": {"sv": format!("Området {step}")}, "kind": "catchment-area", "geometry": {"type": "Point", "coordinates": [at, 59.33]}});
                let made = site.send_with("POST", "/geographies", Some(body(data, from)), "");
                self.add("geographies", &made);
            }
            5..=8 if !units.is_empty() => {
                let patch = json!({"patch": {"name": {"sv": format!("Namn {step}")}}, "validFrom": *dice.of(&DAYS[1..5]), "reason": format!("skäl {step}")});
                any(
                    format!("/organisations/{}/amendments", dice.of(&units)),
                    patch,
                );
            }
            9 if !units.is_empty() => {
                any(
                    format!("/organisations/{}/endings", dice.of(&units)),
                    json!({"validFrom": *dice.of(&DAYS[3..])}),
                );
            }
            10 if !units.is_empty() => {
                any(
                    format!("/organisations/{}/retractions", dice.of(&units)),
                    json!({"reason": "fel"}),
                );
            }
            11 if !persons.is_empty() => {
                let level = *dice.of(&["confidentiality-marking", "protected-registration"]);
                any(
                    format!("/persons/{}/amendments", dice.of(&persons)),
                    json!({"patch": {"protection": {"level": level}}, "validFrom": "start"}),
                );
            }
            12 => {
                let operations: Vec<Value> = (0..3)
                    .map(|number| json!({"op": "create", "collection": "organisations", "tempId": format!("t{number}"), "data": {"name": {"sv": format!("Tillsammans {step}-{number}")}, "kind": "unit"}, "validFrom": "2026-01-01"}))
                    .collect();
                any(
                    "/transactions".to_owned(),
                    json!({"owner": owner, "operations": operations}),
                );
            }
            13 if !persons.is_empty() && dice.below(3) == 0 => {
                any(
                    "/erasures".to_owned(),
                    json!({"records": [dice.of(&persons)], "decision": "Prov", "reference": "KS 2026/1"}),
                );
            }
            _ => {}
        }
    }

    fn add(&mut self, collection: &'static str, made: &Answered) {
        if let (201, Some(id)) = (made.status, made.json["id"].as_str()) {
            self.records.push((collection, id.to_owned()));
        }
    }

    fn of(&self, collection: &str) -> Vec<String> {
        self.records
            .iter()
            .filter(|(of, _)| *of == collection)
            .map(|(_, id)| id.clone())
            .collect()
    }

    /// Asks both the same at so many coordinates.
    #[track_caller]
    pub(crate) fn compare(
        &self,
        one: &Site,
        other: &Site,
        owner: &str,
        dice: &mut Dice,
        times: usize,
    ) {
        let (mut good, mut refused) = (0, 0);
        for _ in 0..times {
            let (collection, id) = dice.of(&self.records);
            let (day, known) = (*dice.of(&DAYS), dice.of(&self.instants));
            let coordinate = format!("validAt={day}&knownAt={known}");
            let path = match dice.below(7) {
                0 => format!("/{collection}?owner={owner}&limit=100&{coordinate}"),
                1 => format!("/{collection}/{id}/timeline?knownAt={known}"),
                2 => format!("/{collection}/{id}/links?direction=both&{coordinate}"),
                3 => format!("/{collection}/{id}/history?limit=100"),
                4 => format!("/organisations?q=namn&owner={owner}&{coordinate}"),
                _ => format!("/{collection}/{id}?{coordinate}"),
            };
            let (here, there) = (one.get(&path), other.get(&path));
            if here.status == 200 {
                good += 1;
            } else {
                refused += 1;
            }
            assert_eq!(
                here.status, there.status,
                "{path}\n{}\n{}",
                here.json, there.json
            );
            assert_eq!(bare(&here.json), bare(&there.json), "{path}");
        }
        assert!(
            good > times / 4,
            "{good} of {times} showed something, {refused} did not"
        );
    }
}

/// Without what differs from registry to registry.
pub(crate) fn bare(answer: &Value) -> Value {
    match answer {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| {
                ![
                    "_meta",
                    "_links",
                    "origin",
                    "instance",
                    "requestId",
                    "type",
                    "detail",
                    "now",
                ]
                .contains(&name.as_str())
            })
            .map(|(name, value)| (name.clone(), bare(value)))
            .collect(),
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}
