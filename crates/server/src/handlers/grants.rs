//! Grants as they are written in requests and shown in answers.

use std::collections::BTreeSet;

use grunddata_information_model::PrivacyClass;
use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_registry::{Action, ControllerScope, Grant, OwnerScope, Role};
use serde_json::{Value, json};

use crate::fields::Fields;
use crate::problem::Problem;

const MEMBERS: [&str; 9] = [
    "owner",
    "role",
    "actions",
    "ceiling",
    "controller",
    "domains",
    "purpose",
    "validFrom",
    "validTo",
];
/// The longest purpose, in characters.
const PURPOSE: usize = 200;

/// Reads the grant at this place of a list.
///
/// # Errors
/// Its faults.
pub(super) fn read(item: Value, pointer: &str) -> Result<Grant, Vec<Value>> {
    let mut fields = Fields::new(item, pointer, &MEMBERS).map_err(Problem::into_errors)?;
    let scope = scope(&mut fields);
    let role = match fields.text("role") {
        None => None,
        Some(name) => {
            let role = Role::from_name(&name);
            if role.is_none() {
                unknown(&mut fields, "role", Role::ALL.map(Role::as_str).as_slice());
            }
            role
        }
    };
    let actions = actions(&mut fields, role);
    let ceiling = match fields.text("ceiling") {
        None => role.map(Role::ceiling),
        Some(name) => {
            let class = PrivacyClass::from_name(&name);
            if class.is_none() {
                let names = PrivacyClass::ALL.map(PrivacyClass::as_str);
                unknown(&mut fields, "ceiling", names.as_slice());
            }
            class
        }
    };
    let controller = controller(&mut fields);
    let domains = domains(&mut fields);
    let purpose = fields.text("purpose");
    if purpose
        .as_deref()
        .is_some_and(|purpose| purpose.is_empty() || purpose.chars().count() > PURPOSE)
    {
        fields.reject(
            "purpose",
            "invalid-text",
            format!("purpose has 1 to {PURPOSE} characters."),
            format!("purpose har 1 till {PURPOSE} tecken."),
        );
    }
    let valid_from = fields.parse("validFrom", "invalid-date");
    let valid_to = fields.parse("validTo", "invalid-date");
    fields.faults()?;
    match (scope, actions, ceiling, controller) {
        (Some(scope), Some(actions), Some(ceiling), Some(controller)) => Ok(Grant {
            scope,
            controller,
            domains,
            actions,
            ceiling,
            purpose,
            valid_from,
            valid_to,
        }),
        _ => {
            let mut fields =
                Fields::new(json!({}), pointer, &MEMBERS).map_err(Problem::into_errors)?;
            fields.reject(
                "role",
                "required-property",
                "Give a role, or actions and a ceiling.".to_owned(),
                "Ange en roll, eller actions och ceiling.".to_owned(),
            );
            Err(fields.faults().err().unwrap_or_default())
        }
    }
}

fn scope(fields: &mut Fields) -> Option<OwnerScope> {
    match fields.text("owner").as_deref() {
        Some("*") => Some(OwnerScope::All),
        Some(key) => match OwnerKey::new(key) {
            Ok(key) => Some(OwnerScope::Owner(key)),
            Err(error) => {
                fields.reject(
                    "owner",
                    "invalid-format",
                    format!("owner: {error}"),
                    "owner är en nyckel, eller * för alla.".to_owned(),
                );
                None
            }
        },
        None => {
            fields.reject(
                "owner",
                "required-property",
                "owner is required: a key, or * for all.".to_owned(),
                "owner krävs: en nyckel, eller * för alla.".to_owned(),
            );
            None
        }
    }
}

fn actions(fields: &mut Fields, role: Option<Role>) -> Option<BTreeSet<Action>> {
    let Some(list) = fields.list("actions") else {
        return role.map(Role::actions);
    };
    let mut actions = BTreeSet::new();
    for item in list {
        match item.as_str().and_then(Action::from_name) {
            Some(action) => {
                actions.insert(action);
            }
            None => {
                unknown(
                    fields,
                    "actions",
                    Action::ALL.map(Action::as_str).as_slice(),
                );
                return None;
            }
        }
    }
    if actions.is_empty() {
        fields.reject(
            "actions",
            "required-property",
            "Give at least one action.".to_owned(),
            "Ange minst en av actions.".to_owned(),
        );
        return None;
    }
    Some(actions)
}

fn controller(fields: &mut Fields) -> Option<ControllerScope> {
    let read = |value: &Value| -> Option<ControllerScope> {
        match value {
            Value::String(text) if text == "*" => Some(ControllerScope::All),
            Value::String(text) if text == "own" => Some(ControllerScope::Own),
            Value::Object(members) if members.len() == 1 => {
                let id = |name: &str| members.get(name)?.as_str()?.parse::<RecordId>().ok();
                id("organisation")
                    .map(ControllerScope::Organisation)
                    .or_else(|| id("subtree").map(ControllerScope::Subtree))
            }
            _ => None,
        }
    };
    match fields.take("controller") {
        None | Some(Value::Null) => Some(ControllerScope::All),
        Some(value) => {
            let controller = read(&value);
            if controller.is_none() {
                fields.reject(
                    "controller",
                    "invalid-format",
                    "controller is \"*\" (all), \"own\" (records without a controller of their own), {\"organisation\": ID} or {\"subtree\": ID}.".to_owned(),
                    "controller är \"*\" (alla), \"own\" (poster utan egen personuppgiftsansvarig), {\"organisation\": ID} eller {\"subtree\": ID}.".to_owned(),
                );
            }
            controller
        }
    }
}

fn domains(fields: &mut Fields) -> BTreeSet<Domain> {
    let mut domains = BTreeSet::new();
    for item in fields.list("domains").unwrap_or_default() {
        let domain = item.as_str().and_then(|name| {
            Domain::ALL
                .into_iter()
                .find(|domain| domain.as_str() == name)
        });
        match domain {
            Some(domain) => {
                domains.insert(domain);
            }
            None => {
                let names = Domain::ALL.map(Domain::as_str);
                unknown(fields, "domains", names.as_slice());
                break;
            }
        }
    }
    domains
}

fn unknown(fields: &mut Fields, name: &str, known: &[&str]) {
    let known = known.join(", ");
    fields.reject(
        name,
        "unknown-code",
        format!("{name} is one of {known}."),
        format!("{name} är något av {known}."),
    );
}

/// A grant as it is shown: what is said by the role is not said again.
pub(super) fn shown(grant: &Grant) -> Value {
    let owner = match &grant.scope {
        OwnerScope::All => "*",
        OwnerScope::Owner(key) => key.as_str(),
    };
    let mut out = json!({
        "owner": owner,
        "role": Role::of(&grant.actions, grant.ceiling).map(Role::as_str),
        "actions": grant.actions,
        "ceiling": grant.ceiling,
    });
    let mut set = |name: &str, value: Value| crate::reply::set(&mut out, name, value);
    match &grant.controller {
        ControllerScope::All => {}
        ControllerScope::Own => set("controller", json!("own")),
        ControllerScope::Organisation(id) => set("controller", json!({"organisation": id})),
        ControllerScope::Subtree(id) => set("controller", json!({"subtree": id})),
    }
    if !grant.domains.is_empty() {
        set("domains", json!(grant.domains));
    }
    if let Some(purpose) = &grant.purpose {
        set("purpose", json!(purpose));
    }
    if let Some(day) = grant.valid_from {
        set("validFrom", json!(day));
    }
    if let Some(day) = grant.valid_to {
        set("validTo", json!(day));
    }
    out
}
