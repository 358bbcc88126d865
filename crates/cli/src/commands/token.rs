//! `grunddata token`

use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{Grant, MintedToken, NewToken, OwnerScope, Registry, Role, Rotation};
use serde_json::{Value, json};

use crate::arguments::Token;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{line, note};
use crate::settings::Settings;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// Makes, rotates, lists or revokes tokens.
pub(crate) fn run(settings: &Settings, token: Token) -> Result<ExitCode, Failure> {
    let grants = match &token {
        Token::Create { grants, .. } => grants
            .iter()
            .map(|text| grant(text))
            .collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    match token {
        Token::Create {
            name,
            days,
            feeds_copies,
            unit,
            ..
        } => {
            let expires_at = days.map(|days| after(context.now, days));
            let told: Vec<String> = grants.iter().map(told).collect();
            let mut act = act("token-create", json!({"name": name, "grants": told}));
            act.owners = owners(&registry, &grants)?;
            let new = NewToken {
                name,
                grants,
                feeds_copies,
                unit,
                expires_at,
            };
            let made = console::act(settings, &context, act, || {
                registry.mint_token(&context, new)
            })?;
            shown_once(made);
        }
        Token::Rotate {
            id,
            overlap_days,
            days,
        } => {
            let rotation = Rotation {
                overlap_days,
                expires_at: days.map(|days| after(context.now, days)),
            };
            let act = act("token-rotate", json!({"token": id}));
            let made = console::act(settings, &context, act, || {
                registry.rotate_token(&context, &id, rotation)
            })?;
            note(format!(
                "The old token {id} is good for {overlap_days} days more."
            ));
            shown_once(made);
        }
        Token::List => {
            for token in registry.tokens(&context)? {
                let state = match (token.revoked_at, token.expires_at) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) if at <= context.now => format!("expired {at}"),
                    (None, Some(at)) => format!("until {at}"),
                    (None, None) => "no end".to_owned(),
                };
                let used = token
                    .last_used_at
                    .map_or("never used".to_owned(), |at| format!("used {at}"));
                let grants: Vec<String> = token.grants.iter().map(told).collect();
                line(format!(
                    "{}  {:<20} {}  {state}  {used}",
                    token.id,
                    token.name,
                    grants.join(" ")
                ));
            }
        }
        Token::Revoke { id } => {
            let act = act("token-revoke", json!({"token": id}));
            console::act(settings, &context, act, || {
                registry.revoke_token(&context, &id)
            })?;
            line(format!("The token {id} is refused from now on."));
        }
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}

fn act(operation: &'static str, detail: Value) -> Act {
    Act::new(LogKind::Administration, operation, detail)
}

/// The owners that the grants reach.
pub(crate) fn owners(registry: &Registry, grants: &[Grant]) -> Result<Vec<OwnerKey>, Failure> {
    let mut owners = Vec::new();
    for grant in grants {
        match &grant.scope {
            OwnerScope::Owner(key) => owners.push(key.clone()),
            OwnerScope::All => {
                let all = registry.store().owners()?;
                owners.extend(all.into_iter().map(|owner| owner.key));
            }
        }
    }
    owners.sort_unstable();
    owners.dedup();
    Ok(owners)
}

fn after(now: Instant, days: u32) -> Instant {
    Instant::from_micros(now.micros() + i64::from(days) * MICROS_A_DAY)
}

fn shown_once(made: MintedToken) {
    note("This is shown once: keep it where only its user can read it.");
    line(made.secret);
}

/// `OWNER:ROLE`
pub(crate) fn grant(text: &str) -> Result<Grant, Failure> {
    let wrong = || {
        Failure::new(Kind::Usage, format!("\"{text}\" is no grant")).cure(
            "Write OWNER:ROLE, such as se-2480:editor or '*:administrator'. The roles are open-data-reader, reader, editor, steward, administrator, auditor and publisher.",
        )
    };
    let (owner, role) = text.rsplit_once(':').ok_or_else(wrong)?;
    let role = Role::from_name(role).ok_or_else(wrong)?;
    let scope = match owner {
        "*" => OwnerScope::All,
        key => {
            OwnerScope::Owner(OwnerKey::new(key).map_err(|error| Failure::new(Kind::Usage, error))?)
        }
    };
    Ok(Grant::of(scope, role))
}

/// A grant as it is written on the command line.
pub(crate) fn told(grant: &Grant) -> String {
    let owner = match &grant.scope {
        OwnerScope::All => "*",
        OwnerScope::Owner(key) => key.as_str(),
    };
    match Role::of(&grant.actions, grant.ceiling) {
        Some(role) => format!("{owner}:{}", role.as_str()),
        None => {
            let actions: Vec<&str> = grant.actions.iter().map(|action| action.as_str()).collect();
            format!("{owner}:{}({})", actions.join("+"), grant.ceiling)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_as_it_is_told() {
        for text in ["*:administrator", "se-2480:editor", "se-scb:reader"] {
            assert_eq!(told(&grant(text).unwrap()), text);
        }
        for text in ["", "se-2480", "se-2480:all", "not a key:reader", ":reader"] {
            assert_eq!(grant(text).unwrap_err().kind(), Kind::Usage, "{text}");
        }
    }
}
