//! `grunddata grant`

use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_registry::{GrantSubject, SubjectKind};
use serde_json::json;
use uuid::Uuid;

use crate::arguments::Grant;
use crate::commands::token;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// Gives, lists and takes back grants of users, groups and clients of other issuers.
pub(crate) fn run(settings: &Settings, grant: Grant) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    match grant {
        Grant::Give {
            kind,
            subject,
            grant,
            reason,
        } => {
            let kind = SubjectKind::from_name(&kind).ok_or_else(|| {
                Failure::new(Kind::Usage, format!("\"{kind}\" is no kind of subject"))
                    .cure("The kinds are user, group and client.")
            })?;
            let subject = GrantSubject {
                kind,
                name: subject,
            };
            let told = json!({"subject": subject.name, "grant": grant});
            let grant = token::grant(&grant)?;
            let mut act = Act::new(LogKind::Administration, "grant-give", told);
            act.owners = token::owners(&registry, std::slice::from_ref(&grant))?;
            let given = console::act(settings, &context, act, || {
                registry.give_grant(&context, subject, grant, reason)
            })?;
            line(given.id);
        }
        Grant::List => {
            for given in registry.given_grants(&context)? {
                let state = given
                    .ended_at
                    .map_or("counts".to_owned(), |at| format!("taken back {at}"));
                line(format!(
                    "{}  {} {}  {}  {state}  {}",
                    given.id,
                    given.subject.kind.as_str(),
                    given.subject.name,
                    token::told(&given.grant),
                    given.reason.as_deref().unwrap_or("-")
                ));
            }
        }
        Grant::TakeBack { id } => {
            let parsed: Uuid = id.parse().map_err(|_| {
                Failure::new(Kind::Usage, format!("\"{id}\" is no id of a grant"))
                    .cure("`grunddata grant list` shows the ids.")
            })?;
            let act = Act::new(
                LogKind::Administration,
                "grant-take-back",
                json!({"taken": id}),
            );
            console::act(settings, &context, act, || {
                registry.take_back_grant(&context, parsed)
            })?;
            line(format!("The grant {id} does not count any more."));
        }
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}
