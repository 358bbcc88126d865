//! The reorganisation that is decided in autumn 2026 and holds from the new year.

use chrono::NaiveDate;
use grunddata_model::{Domain, ValidFrom};
use serde_json::{Value, json};

use super::events::Cast;
use super::places;
use super::units::{municipality, unit_id};
use crate::identity::seed_id;
use crate::operation::{SeedOperation, both, day, reference};

/// When the decision is recorded.
pub(super) const DECIDED: NaiveDate = day(2026, 10, 19);
/// From when it holds.
pub(super) const HOLDS: NaiveDate = day(2027, 1, 1);
/// Why, for the change log.
pub(super) const REASON: &str = "Omorganisation från 2027-01-01 enligt kommunfullmäktiges beslut 2026-09-28 § 101: socialförvaltningen delas.";

/// The two administrations that take over, with the units that go to each.
const ELDERLY: &str = "aof";
const FAMILY: &str = "iff";

fn administration(key: &str, swedish: &str, english: &str, site: &str) -> SeedOperation {
    let data = json!({
        "identifiers": [{ "scheme": "source:org", "value": format!("NB-{}", key.to_uppercase()) }],
        "name": both(swedish, english),
        "kind": "administration",
        "parent": reference(unit_id("soc")),
        "legalEntity": reference(municipality()),
        "affiliations": [{ "kind": "answers-to", "organisation": reference(unit_id("soc")) }],
        "succeeds": [{ "organisation": reference(unit_id("sof")), "kind": "split" }],
        "sites": [reference(places::site(site))],
        "contactPoints": [{
            "kind": "email", "value": format!("{key}@norrberga.example"), "use": "work", "visibility": "public",
        }],
    });
    SeedOperation::create(
        Domain::Organisation,
        unit_id(key),
        data,
        ValidFrom::Date(HOLDS),
    )
}

/// Everything in one transaction: new administrations, units moved, roles following, the old one ended.
pub(super) fn operations(cast: &Cast<'_>) -> Vec<SeedOperation> {
    let amend = |domain, id, patch: Value| SeedOperation::amend(domain, id, patch, HOLDS);
    let mut operations = vec![
        administration(
            ELDERLY,
            "Vård- och omsorgsförvaltningen",
            "Care Administration",
            "vardcentrum",
        ),
        administration(
            FAMILY,
            "Individ- och familjeförvaltningen",
            "Individual and Family Administration",
            "kommunhuset",
        ),
    ];
    for unit in &cast.units.0 {
        let parent = match (unit.parent.as_str(), unit.key.as_str()) {
            ("sof", "ifo") => FAMILY,
            ("sof", _) => ELDERLY,
            // Meals and school transport leave the schools for the technical administration.
            (_, "maltid" | "skolskjuts") => "tef",
            // The business unit becomes a part of the environment and building administration.
            (_, "naringsliv") => "mbf",
            _ => continue,
        };
        operations.push(amend(
            Domain::Organisation,
            unit.id(),
            json!({ "parent": reference(unit_id(parent)) }),
        ));
    }
    let old = unit_id("sof");
    let staff = cast.staff;
    let head = cast
        .units
        .0
        .iter()
        .position(|unit| unit.key == "sof")
        .and_then(|unit| staff.head(unit));
    let mut turn = 0_usize;
    for post in staff.posts.iter().chain(&staff.hired) {
        if post.left.is_some() || cast.units.0[post.unit].id() != old {
            continue;
        }
        // The head leads the elderly side; the staff is shared out.
        let to = if Some(post.id) == head || turn.is_multiple_of(2) {
            ELDERLY
        } else {
            FAMILY
        };
        turn += 1;
        let patch = json!({ "organisation": reference(unit_id(to)), "allocations": null });
        operations.push(amend(Domain::Role, post.id, patch));
    }
    operations.push(vacant_post());
    operations.push(SeedOperation::end(Domain::Organisation, old, HOLDS));
    operations
}

/// Whoever will lead the new administration has not been appointed: a post without a person.
fn vacant_post() -> SeedOperation {
    let data = json!({
        "organisation": reference(unit_id(FAMILY)),
        "employer": reference(municipality()),
        "kind": "employment",
        "position": "Förvaltningschef",
        "title": both("Förvaltningschef", "Head of administration"),
        "function": "administration-director",
        "employmentRate": "100",
    });
    let id = seed_id(Domain::Role, "norrberga/post/vacant-head-of-iff");
    SeedOperation::create(Domain::Role, id, data, ValidFrom::Date(HOLDS))
        .under(Some(unit_id("soc")))
}
