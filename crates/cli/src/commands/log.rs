//! `grunddata log`

use std::collections::BTreeSet;
use std::process::ExitCode;

use grunddata_access_log::{Archive, Kind, Order, Query, Scope};
use grunddata_model::{Instant, OwnerKey, RecordId};
use grunddata_registry::{Actor, Context};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::log_proof;
use crate::arguments::Log;
use crate::console::{Act, Reading};
use crate::database;
use crate::failure::{Failure, Kind as FailureKind};
use crate::output::{line, note};
use crate::settings::Settings;

/// Searches the access log, checks that nothing of it and of the logs of changes was changed, and keeps the keys of their
/// heads. Whoever can run this can read the files anyway; that the log was searched is logged all the same.
pub(crate) fn run(settings: &Settings, log: Log) -> Result<ExitCode, Failure> {
    match log {
        Log::Verify {
            file: Some(file),
            key,
        } => return log_proof::verify_file(settings, &file, &key),
        Log::Head { owner } => return log_proof::head(settings, &owner),
        Log::Keys => return log_proof::keys(settings),
        Log::RotateKey => return log_proof::rotate(settings),
        Log::Search { .. } | Log::Verify { file: None, .. } => {}
    }
    let directory = settings.access_log();
    if !directory.is_dir() {
        return Err(Failure::new(
            FailureKind::Failed,
            format!("there is no access log in {}", directory.display()),
        )
        .cure("Give the directory of the server with --data, or access_log in the settings."));
    }
    let archive = Archive::open(&directory);
    match log {
        Log::Search {
            record,
            actor,
            owner,
            kind,
            from,
            to,
            outcome,
            limit,
        } => {
            let mut detail = Map::new();
            let asked = [
                ("record", &record),
                ("actor", &actor),
                ("owner", &owner),
                ("kind", &kind),
                ("from", &from),
                ("to", &to),
                ("outcome", &outcome),
            ];
            for (name, value) in asked {
                if let Some(value) = value {
                    detail.insert(name.to_owned(), Value::String(value.clone()));
                }
            }
            let query = Query {
                from: parsed::<Instant>(from, "--from", "an instant such as 2026-11-01T00:00:00Z")?,
                to: parsed::<Instant>(to, "--to", "an instant such as 2026-12-01T00:00:00Z")?,
                record: parsed::<RecordId>(record, "--record", "the id of a record")?,
                owner: parsed::<OwnerKey>(owner, "--owner", "the key of an owner")?,
                actor,
                kind: kind.as_deref().map(Kind::from_code),
                outcome,
                order: Order::NewestFirst,
                limit,
                ..Query::default()
            };
            search(settings, &archive, query, detail)
        }
        _ => {
            let access = verify(&archive)?;
            let changes = log_proof::verify(settings)?;
            Ok(if access && changes {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

/// Prints what is found, each page when it is logged that it was read: as about the owner that was asked for and those of
/// what is shown, so that whoever audits an owner finds it.
fn search(
    settings: &Settings,
    archive: &Archive,
    mut query: Query,
    detail: Map<String, Value>,
) -> Result<ExitCode, Failure> {
    let now = database::clock()();
    let context = Context::new(Actor::system("console"), now, Uuid::now_v7().to_string());
    let reading = Reading::open(settings, &context)?;
    let mut left = query.limit;
    loop {
        query.limit = left.min(grunddata_access_log::PAGE_LIMIT);
        let page = archive.search(&query).map_err(failed)?;
        let mut act = Act::new(Kind::LogRead, "log-search", Value::Object(detail.clone()));
        let shown = page
            .entries
            .iter()
            .flat_map(|logged| logged.entry.owners.iter());
        let owners: BTreeSet<&OwnerKey> = shown.chain(&query.owner).collect();
        act.owners = owners.into_iter().cloned().collect();
        reading.log(&context, &act)?;
        for logged in &page.entries {
            let entry = &logged.entry;
            let records: Vec<String> = entry.records.iter().map(ToString::to_string).collect();
            line(format!(
                "{}  {:<14} {:<24} {:<20} {}  {}",
                entry.at,
                entry.kind,
                entry.actor,
                entry.operation,
                entry.purpose.as_deref().unwrap_or("-"),
                records.join(" ")
            ));
        }
        for finding in &page.unreadable {
            note(format!("Cannot be read: {finding}"));
        }
        left = left.saturating_sub(page.entries.len());
        match page.next {
            Some(next) if left > 0 => query.after = Some(next),
            _ => {
                reading.close();
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// Whether the access log holds.
fn verify(archive: &Archive) -> Result<bool, Failure> {
    let verification = archive.verify(&Scope::default()).map_err(failed)?;
    for finding in &verification.findings {
        line(finding);
    }
    line(format!(
        "{} problems in {} entries of {} segments",
        verification.findings.len(),
        verification.entries,
        verification.segments
    ));
    Ok(verification.findings.is_empty())
}

fn failed(error: grunddata_access_log::AccessLogError) -> Failure {
    Failure::new(FailureKind::Failed, error)
}

fn parsed<T: std::str::FromStr>(
    text: Option<String>,
    name: &str,
    form: &str,
) -> Result<Option<T>, Failure> {
    text.map(|text| {
        text.parse().map_err(|_| {
            Failure::new(
                FailureKind::Usage,
                format!("{name} is {form}; \"{text}\" is not"),
            )
        })
    })
    .transpose()
}
