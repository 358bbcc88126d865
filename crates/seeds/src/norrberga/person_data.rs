//! Persons as data.

use chrono::Datelike;
use serde_json::{Value, json};

use super::people::{Inhabitant, People, Protection};
use super::places::Places;
use crate::operation::{later, reference};

/// The name as the population register has it, with the typing error where there is one.
pub(super) fn name(person: &Inhabitant, family: &str) -> Value {
    json!({
        "given": person.given,
        "preferredGiven": person.called(),
        "family": family,
    })
}

/// The name as it was typed at first: two letters changed places.
fn misspelt(person: &Inhabitant) -> Value {
    let swapped = |given: &str| {
        let mut letters: Vec<char> = given.chars().collect();
        let last = letters.len().saturating_sub(1);
        if last > 1 {
            letters.swap(last - 1, last);
        }
        letters.into_iter().collect::<String>()
    };
    let given: Vec<String> = person
        .given
        .iter()
        .enumerate()
        .map(|(turn, given)| {
            if turn == person.preferred {
                swapped(given)
            } else {
                (*given).to_owned()
            }
        })
        .collect();
    json!({ "given": given, "preferredGiven": given[person.preferred], "family": person.family })
}

/// The first data of a person.
pub(super) fn data(people: &People, index: usize, places: &Places) -> Value {
    let person = &people.all[index];
    let scheme = if person.coordination {
        "se-coordination-number"
    } else {
        "se-personal-identity-number"
    };
    let mut data = json!({
        "identifiers": [{ "scheme": scheme, "value": person.number }],
        "name": if person.misspelt { misspelt(person) } else { name(person, person.family) },
        "birthDate": person.birth,
        "sex": if person.female { "female" } else { "male" },
        "registrationStatus": if person.coordination { "coordination-number" } else { "resident" },
        "preferredLanguages": [if person.coordination { "en" } else { "sv" }],
    });
    if !person.coordination {
        data["citizenships"] = json!(["SE"]);
    }
    let home = people.households[person.household].home;
    match person.protection {
        Some(Protection::Registration) => {
            data["addresses"] = json!([{
                "kind": "special-postal",
                "lines": ["Förmedlingsuppdrag", "Box 1"],
                "postalCode": "99901",
                "locality": "NORRBERGA",
                "country": "SE",
            }]);
        }
        _ => {
            data["addresses"] = json!([places.registered(home)]);
            data["residence"] = places.residence(home);
        }
    }
    if let Some(protection) = person.protection {
        let (level, source) = match protection {
            Protection::Local => ("local-protection", "owner-decision"),
            Protection::Marking => ("confidentiality-marking", "tax-agency"),
            Protection::Registration => ("protected-registration", "tax-agency"),
        };
        data["protection"] = json!({ "level": level, "source": source });
    } else if !index.is_multiple_of(5) && person.parents.is_empty() {
        data["contactPoints"] = json!(contact_points(person, index));
    }
    let mut relationships: Vec<Value> = Vec::new();
    for parent in &person.parents {
        let parent = reference(people.all[*parent].id);
        relationships.push(json!({ "kind": "parent", "person": parent }));
        // Custody ends at the age of 18 (Föräldrabalken 6:2).
        let of_age = person
            .born
            .with_year(person.born.year() + 18)
            .unwrap_or(later(person.born, 6575));
        relationships.push(json!({ "kind": "custodian", "person": parent, "validTo": of_age }));
    }
    // Said once per couple, by the one who stands later in the list, so that the other is there already.
    if let Some(partner) = person.partner
        && partner < index
    {
        relationships.push(
            json!({ "kind": "spouse-or-partner", "person": reference(people.all[partner].id) }),
        );
    }
    if !relationships.is_empty() {
        data["relationships"] = Value::Array(relationships);
    }
    data
}

fn contact_points(person: &Inhabitant, index: usize) -> Vec<Value> {
    // 070-174 06 05 to 06 99 is reserved for fiction (PTS).
    let phone = 605 + index % 95;
    let local = |name: &str| -> String {
        name.to_lowercase()
            .chars()
            .map(|letter| match letter {
                'å' | 'ä' | 'á' | 'à' => 'a',
                'ö' | 'ø' => 'o',
                'é' | 'è' | 'ë' => 'e',
                'ü' => 'u',
                other => other,
            })
            .filter(char::is_ascii_alphanumeric)
            .collect()
    };
    let email = format!(
        "{}.{}{index}@post.example",
        local(person.called()),
        local(person.family)
    );
    let mut contacts =
        vec![json!({ "kind": "mobile", "value": format!("+46701740{phone}"), "use": "private" })];
    if !index.is_multiple_of(3) {
        contacts.push(json!({ "kind": "email", "value": email, "use": "private" }));
    }
    contacts
}
