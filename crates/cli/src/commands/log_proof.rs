//! `grunddata log verify`, `head`, `keys` and `rotate-key`: the logs of changes as trees (docs/log.md).

use std::path::Path;
use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_log_proof::head::{Head, PublicKey};
use grunddata_model::OwnerKey;
use grunddata_store::verify_lossless_logs;
use serde_json::json;

use super::import;
use super::restore::file_of;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{grouped, line, note};
use crate::settings::Settings;

/// Verifies the logs in a lossless file, with nothing but the file.
pub(super) fn verify_file(
    settings: &Settings,
    file: &Path,
    keys: &[String],
) -> Result<ExitCode, Failure> {
    let mut trusted = Vec::with_capacity(keys.len());
    for key in keys {
        trusted.push(PublicKey::decoded(key).map_err(|_| {
            Failure::new(
                Kind::Usage,
                format!("--key is a key of 32 bytes in base64; \"{key}\" is not"),
            )
            .cure("Take publicKey from /.well-known/grunddata-log-keys of the server.")
        })?);
    }
    let model = database::model(&settings.models)?;
    let mut input = import::open(file)?;
    let logs = verify_lossless_logs(&model, &mut input, &trusted)
        .map_err(|error| Failure::new(Kind::Failed, error))?;
    let mut problems = 0;
    for log in &logs {
        for problem in &log.problems {
            line(format!("owner {}: {problem}", log.owner));
        }
        problems += log.problems.len();
        let signed = log.signed_by.map_or_else(
            || "no head that holds".to_owned(),
            |key| format!("head signed with {}", key.id()),
        );
        line(format!(
            "owner {}: {} entries, root {}, {signed}",
            log.owner,
            grouped(log.size),
            log.root
        ));
    }
    if trusted.is_empty() {
        note(
            "The heads were checked with the keys in the file itself. Say with --key which key you trust.",
        );
    }
    line(format!(
        "{} problems in the logs of {} owners",
        grouped(problems as u64),
        logs.len()
    ));
    Ok(ExitCode::from(u8::from(problems > 0)))
}

/// Verifies the logs in the database; whether they hold. Where there is none, as beside a copy of the access log, that is
/// said.
pub(super) fn verify(settings: &Settings) -> Result<bool, Failure> {
    if let Some(path) = file_of(settings).filter(|path| !path.exists()) {
        note(format!(
            "There is no database in {}: the logs of changes were not verified.",
            path.display()
        ));
        return Ok(true);
    }
    let registry = database::open(settings)?;
    let findings = registry.store().verify_logs()?;
    let owners = registry.store().owners()?.len();
    registry.store().shutdown();
    for finding in &findings {
        line(finding);
    }
    line(format!(
        "{} problems in the logs of changes of {owners} owners",
        grouped(findings.len() as u64)
    ));
    Ok(findings.is_empty())
}

/// Prints the head of a log.
pub(super) fn head(settings: &Settings, owner: &str) -> Result<ExitCode, Failure> {
    let owner = OwnerKey::new(owner).map_err(|_| {
        Failure::new(
            Kind::Usage,
            format!("\"{owner}\" is no key of an owner, such as se-2480"),
        )
    })?;
    let registry = database::open(settings)?;
    let head = registry
        .store()
        .read(|reader| reader.tree_head(&owner, None))?
        .ok_or_else(|| Failure::new(Kind::Failed, format!("the log of {owner} has no head")))?;
    let key = registry.store().log_signing_key()?;
    let note = Head {
        owner: owner.to_string(),
        epoch: head.epoch,
        size: head.size,
        root: head.root,
        at: head.at.to_string(),
    }
    .signed(&key);
    registry.store().shutdown();
    line(note.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Prints the keys.
pub(super) fn keys(settings: &Settings) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let keys = registry.log_keys()?;
    registry.store().shutdown();
    for key in keys {
        let retired = key
            .retired_at
            .map(|at| format!(", until {at}"))
            .unwrap_or_default();
        line(format!(
            "{}  {}  since {}{retired}",
            key.id,
            key.public.encoded(),
            key.created_at
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Replaces the key.
pub(super) fn rotate(settings: &Settings) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let act = Act::new(LogKind::Administration, "rotate-log-key", json!({}));
    let key = console::act(settings, &context, act, || registry.rotate_log_key())?;
    registry.store().shutdown();
    line(format!(
        "Heads are signed with {} from now on: {}",
        key.id,
        key.public.encoded()
    ));
    Ok(ExitCode::SUCCESS)
}
