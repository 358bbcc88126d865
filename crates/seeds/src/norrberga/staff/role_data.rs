//! Posts as data.

use grunddata_model::{Domain, ValidFrom};
use serde_json::{Value, json};

use super::super::people::People;
use super::super::places;
use super::super::units::{Unit, Units, municipality, unit_id};
use super::{Post, Staff};
use crate::operation::{SeedOperation, both, reference};

impl Staff {
    /// The creation of a role. Who began before their present head report to that head from the head's first day.
    pub(in super::super) fn creation(
        &self,
        post: &Post,
        people: &People,
        units: &Units,
    ) -> Vec<SeedOperation> {
        let mut data = self.data(post, people, units);
        let mut operations = Vec::new();
        if let Some(superior) = self.superior(post, units) {
            let reports_to = json!({ "reportsTo": reference(superior.id) });
            if superior.from <= post.from {
                data["reportsTo"] = reports_to["reportsTo"].clone();
            } else {
                operations.push(SeedOperation::amend(
                    Domain::Role,
                    post.id,
                    reports_to,
                    superior.from,
                ));
            }
        }
        let creation =
            SeedOperation::create(Domain::Role, post.id, data, ValidFrom::Date(post.from))
                .under(Some(units.0[post.unit].controller()));
        operations.insert(0, creation);
        operations
    }

    /// The post that a post reports to: the head of its unit, or for a head that of the unit above.
    fn superior(&self, post: &Post, units: &Units) -> Option<&Post> {
        let unit = if post.head {
            let parent = &units.0[post.unit].parent;
            units.0.iter().position(|other| &other.key == parent)?
        } else if post.based_on.is_none() {
            post.unit
        } else {
            return None;
        };
        self.heads[unit].map(|head| &self.posts[head])
    }

    fn data(&self, post: &Post, people: &People, units: &Units) -> Value {
        let unit = &units.0[post.unit];
        let position = &self.positions[post.position];
        let person = &people.all[post.person];
        let mut data = json!({
            "person": reference(person.id),
            "organisation": reference(unit.id()),
            "employer": reference(municipality()),
            "kind": if post.based_on.is_some() { "placement" } else { "employment" },
            "position": position.title_sv,
            "title": both(&position.title_sv, &position.title_en),
            "employmentRate": post.rate.to_string(),
            "primary": !post.second && post.based_on.is_none(),
            "availability": { "state": "active" },
        });
        if !position.function.is_empty() {
            data["function"] = json!(position.function);
        }
        if !unit.site.is_empty() {
            data["workplace"] = reference(places::site(&unit.site));
        }
        if let Some(main) = post.based_on {
            data["basedOn"] = reference(self.posts[main].id);
        } else {
            data["employmentForm"] = json!(post.form);
            let number = 100_000 + post.number;
            data["identifiers"] = json!([
                {
                    "scheme": "employee-number",
                    "value": number.to_string(),
                    "issuer": "Norrberga kommun",
                },
                // The key by which the payroll system's extract names it.
                { "scheme": "source:hr", "value": format!("employment:{number}") },
            ]);
            if person.protection.is_none() {
                let user = format!("u{:05}", post.number);
                data["contactPoints"] = json!([
                    { "kind": "email", "value": format!("{user}@norrberga.example"), "use": "work", "visibility": "public" },
                ]);
            }
        }
        if let Some(other) = post.substitutes_for {
            data["substitutesFor"] = reference(self.posts[other].id);
        }
        if post.head {
            self.authority(&mut data, post, unit);
        }
        data
    }

    /// What a head may decide and attest.
    fn authority(&self, data: &mut Value, post: &Post, unit: &Unit) {
        let committee = unit.controller();
        data["delegations"] = json!([
            {
                "decisionType": "personnel",
                "item": "2.1",
                "decisionReference": "2023-02-14 § 12",
                "delegatedBy": reference(committee),
                "maySubDelegate": unit.kind == "administration",
            },
            {
                "decisionType": "procurement",
                "item": "4.3",
                "decisionReference": "2023-02-14 § 12",
                "delegatedBy": reference(committee),
                "maySubDelegate": false,
            },
        ]);
        let limit = if unit.kind == "administration" {
            "5000000"
        } else {
            "500000"
        };
        let cost_centre = (1000 + post.unit * 10).to_string();
        data["attestations"] = json!([{
            "kind": "decision",
            "codingScope": [{ "dimension": "ansvar", "from": cost_centre }],
            "limit": { "value": limit, "unit": "sek" },
        }]);
        data["allocations"] = json!([{ "organisation": reference(unit_id(&unit.key)), "costCentre": cost_centre, "share": "100" }]);
    }
}
