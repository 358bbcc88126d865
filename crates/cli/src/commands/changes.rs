//! `grunddata changes`

use std::io::Write as _;
use std::process::ExitCode;

use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_registry::FeedFilter;
use grunddata_server::{write_change, write_reread};

use crate::arguments::Changes;
use crate::console;
use crate::database;
use crate::failure::{Failure, Kind};
use crate::settings::Settings;

/// Entries that are read at a time.
const PIECE: usize = 1_000;

/// Writes an owner's log. What each piece shows is in the access log before the piece is written.
pub(crate) fn run(settings: &Settings, changes: Changes) -> Result<ExitCode, Failure> {
    let filter = filter(&changes)?;
    let owner = OwnerKey::new(&changes.owner).map_err(|error| {
        Failure::new(Kind::Usage, format!("\"{}\": {error}", changes.owner))
            .cure("`grunddata owner list` shows the owners.")
    })?;
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let mut feed = registry.feed(&context, &owner, Some(&changes.after), filter)?;
    let mut watch = if changes.follow {
        Some(registry.watch_feed(&feed)?)
    } else {
        None
    };
    let waiting = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    let log = console::Reading::open(settings, &context)?;
    loop {
        // Rights and day are those of each piece.
        let context = console::context(&registry);
        let step = registry.feed_step(&context, &mut feed, PIECE)?;
        let mut lines = Vec::new();
        for one in &step.reread {
            write_reread(&mut lines, one);
            lines.push(b'\n');
        }
        for entry in &step.entries {
            write_change(&mut lines, entry);
            lines.push(b'\n');
        }
        log.shown(&context, "list-changes")?;
        let mut out = std::io::stdout().lock();
        out.write_all(&lines)
            .and_then(|()| out.flush())
            .map_err(|error| Failure::new(Kind::Write, format!("cannot write: {error}")))?;
        if step.caught_up {
            match &mut watch {
                Some(watch) => waiting.block_on(watch.beyond(feed.reached())),
                None => break,
            }
        }
    }
    log.close();
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}

fn filter(changes: &Changes) -> Result<FeedFilter, Failure> {
    let mut domains = Vec::new();
    for word in &changes.domain {
        domains.push(word.parse::<Domain>().map_err(|_| {
            Failure::new(Kind::Usage, format!("there is no domain \"{word}\""))
                .cure("They are person, role, organisation, geography and service.")
        })?);
    }
    let record = changes
        .record
        .as_deref()
        .map(|id| {
            id.parse::<RecordId>().map_err(|_| {
                Failure::new(Kind::Usage, format!("\"{id}\" is no id of a record"))
                    .cure("An id is a UUID, as it stands in the address of the record.")
            })
        })
        .transpose()?;
    Ok(FeedFilter::default()
        .of_domains(domains)
        .of_record(record)
        .with_states(changes.states)
        .of_kinds(changes.kind.iter().map(String::as_str))?)
}
