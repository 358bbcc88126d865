//! `grunddata load` and `grunddata loads`

pub(super) mod told;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use grunddata_access_log::Kind as LogKind;
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{
    Context, Load as Known, LoadKind, LoadProgress, LoadStatus, PlanRowState, PlanRowsQuery,
    Registry, RowOutcome,
};
use grunddata_server::loads::table::{Language, Table};
use grunddata_server::loads::{self, Delivery, Wanted};
use serde_json::json;
use uuid::Uuid;

use super::source::{find, owner_key};
use crate::arguments::{Load, Loads, OfLoad};
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{self, grouped, line, note};
use crate::settings::Settings;

/// Rows of one read of a plan.
const PAGE: u32 = 500;

/// Plans a file, and applies the plan unless it is a dry run.
pub(crate) fn load(settings: &Settings, load: Load) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let source = find(&registry, &context, &load.source)?;
    let owner = source.owner.clone();
    let sha256 = loads::sha256(&load.file)?;
    let delivery = Delivery {
        path: load.file.clone(),
        name: loads::name_of(&load.file),
        date: load.date,
        sha256: Some(sha256.clone()),
        collected: None,
    };
    let wanted = Wanted {
        owner: owner.clone(),
        source: source.key.clone(),
        kind: if load.delta {
            LoadKind::Delta
        } else {
            LoadKind::Full
        },
        reference_date: None,
        replace: load.replace,
    };
    // What was planned of this very file is what is applied; what was begun on is gone on with.
    let open = registry
        .loads(&context, &owner, Some(&source.key), None, 1)?
        .items
        .into_iter()
        .next()
        .filter(|open| open.file.sha256.as_deref() == Some(&sha256) && open.kind == wanted.kind);
    let mut planned = match open {
        Some(open) if open.status == LoadStatus::Applying => {
            note(format!("The load {} was broken off: it goes on.", open.id));
            open
        }
        Some(open)
            if !load.dry_run
                && matches!(open.status, LoadStatus::Planned | LoadStatus::Stopped) =>
        {
            note(format!("The plan {} was made of this file.", open.id));
            open
        }
        open => {
            // A plan of the same file that has not been begun on is made anew without being asked.
            let same = open.is_some_and(|open| {
                matches!(open.status, LoadStatus::Planned | LoadStatus::Stopped)
            });
            let wanted = Wanted {
                replace: wanted.replace || same,
                ..wanted
            };
            plan(settings, &registry, &context, &wanted, delivery, load.quiet)?
        }
    };
    if !load.overrides.is_empty() && planned.status == LoadStatus::Stopped {
        let reason = load.reason.clone().unwrap_or_default();
        planned = pass(
            settings,
            &registry,
            &context,
            (&owner, planned.id),
            &load.overrides,
            &reason,
        )?;
    }
    told::plan(&planned);
    if load.dry_run && planned.status != LoadStatus::Applying {
        examples(settings, &registry, &context, &planned)?;
        told::next(&planned);
        registry.store().shutdown();
        return Ok(code(
            planned.status == LoadStatus::Planned && is_clean(&planned),
        ));
    }
    let done = match planned.status {
        LoadStatus::Planned | LoadStatus::Applying => apply(
            settings, &registry, &context, &owner, planned.id, load.quiet,
        )?,
        _ => {
            told::next(&planned);
            false
        }
    };
    registry.store().shutdown();
    Ok(code(done && is_clean(&planned)))
}

/// Looks after loads.
pub(crate) fn run(settings: &Settings, what: Loads) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let mut good = true;
    match what {
        Loads::List {
            owner,
            source,
            limit,
        } => {
            let owner = owner_key(&owner)?;
            let page = registry.loads(&context, &owner, source.as_deref(), None, limit)?;
            for load in page.items {
                told::summary(&load);
            }
        }
        Loads::Show(named) => {
            let (owner, id) = names(&named)?;
            let load = registry.load(&context, &owner, id)?;
            told::plan(&load);
            told::next(&load);
        }
        Loads::Rows {
            load,
            outcomes,
            set_aside,
            limit,
            json,
            out,
            swedish,
        } => {
            let (owner, id) = names(&load)?;
            let outcomes = outcomes
                .iter()
                .map(|name| outcome(name))
                .collect::<Result<Vec<_>, _>>()?;
            let query = PlanRowsQuery {
                outcomes,
                state: set_aside.then_some(PlanRowState::SetAside),
                after: 0,
                limit: PAGE,
            };
            match out {
                Some(path) => {
                    file(
                        settings,
                        &registry,
                        &context,
                        (&owner, id),
                        &query,
                        &path,
                        swedish,
                    )?;
                }
                None => {
                    rows(
                        settings,
                        &registry,
                        &context,
                        (&owner, id),
                        query,
                        limit,
                        json,
                    )?;
                }
            }
        }
        Loads::Approve { load, name, reason } => {
            let (owner, id) = names(&load)?;
            let mut context = context;
            context.on_behalf_of = Some(name);
            let act = Act::about("load-approve", &owner, json!({"load": id}));
            let load = console::act(settings, &context, act, || {
                registry.approve_load(&context, &owner, id, reason)
            })?;
            line(format!("The plan {id} is approved."));
            told::next(&load);
        }
        Loads::Apply { load, quiet } => {
            let (owner, id) = names(&load)?;
            good = apply(settings, &registry, &context, &owner, id, quiet)?;
        }
        Loads::Override {
            load,
            guards,
            reason,
        } => {
            let (owner, id) = names(&load)?;
            let load = pass(
                settings,
                &registry,
                &context,
                (&owner, id),
                &guards,
                &reason,
            )?;
            told::plan(&load);
            told::next(&load);
        }
        Loads::Cancel { load, reason } => {
            let (owner, id) = names(&load)?;
            let act = Act::about("load-cancel", &owner, json!({"load": id}));
            console::act(settings, &context, act, || {
                registry.cancel_load(&context, &owner, id, reason)
            })?;
            line(format!(
                "The load {id} is cancelled: nothing of what was left of it is applied."
            ));
        }
        Loads::Reverse(named) => {
            let (owner, id) = names(&named)?;
            let act = Act::about("load-reverse", &owner, json!({"load": id}));
            let reversal = console::act(settings, &context, act, || {
                registry.plan_reversal(&context, &owner, id)
            })?;
            told::plan(&reversal);
            told::next(&reversal);
            good = is_clean(&reversal);
        }
        Loads::Prune { days } => {
            let keep = match days {
                Some(days) => Some(Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
                None => settings.keep_loads(),
            };
            let Some(keep) = keep else {
                return Err(Failure::new(
                    Kind::Usage,
                    "the settings say that rows of loads are kept for ever (loads.keep_days = 0)",
                )
                .cure("Say how many days with --days."));
            };
            let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
            let before = Instant::from_micros(context.now.micros().saturating_sub(keep));
            let act = Act::new(
                LogKind::Administration,
                "loads-prune",
                json!({"before": before}),
            );
            let pruned = console::act(settings, &context, act, || {
                registry.prune_loads(&context, before)
            })?;
            line(format!(
                "The rows of {} loads from before {before} are removed; {} of them waited for a decision and are given up.",
                grouped(pruned.loads),
                grouped(pruned.given_up)
            ));
        }
    }
    registry.store().shutdown();
    Ok(code(good))
}

fn plan(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    wanted: &Wanted,
    delivery: Delivery,
    quiet: bool,
) -> Result<Known, Failure> {
    let detail = json!({"source": wanted.source, "file": delivery.name, "sha256": delivery.sha256});
    let act = Act::about("load-plan", &wanted.owner, detail);
    let spinner = output::spinner("reading", quiet);
    let planned = console::act(settings, context, act, || {
        loads::begin(registry, context, wanted, delivery)?
            .run(&mut |said| spinner.set_position(said))
    });
    spinner.finish_and_clear();
    planned
}

/// Applies a plan to its end; whether nothing was set aside.
fn apply(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    owner: &OwnerKey,
    id: Uuid,
    quiet: bool,
) -> Result<bool, Failure> {
    let total = registry.load(context, owner, id)?.rows;
    let bar = output::bar(
        usize::try_from(total).unwrap_or(usize::MAX),
        "applying",
        quiet,
    );
    let act = Act::about("load-apply", owner, json!({"load": id}));
    let done = console::act(settings, context, act, || {
        loads::apply(
            registry,
            context,
            owner,
            id,
            &mut |progress: &LoadProgress| {
                bar.set_position(progress.done);
            },
        )
    });
    bar.finish_and_clear();
    let done = done?;
    let load = registry.load(context, owner, id)?;
    told::applied(&load);
    Ok(done.finished && done.set_aside == 0)
}

fn pass(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    (owner, id): (&OwnerKey, Uuid),
    guards: &[String],
    reason: &str,
) -> Result<Known, Failure> {
    let act = Act::about(
        "load-override",
        owner,
        json!({"load": id, "guards": guards, "reason": reason}),
    );
    console::act(settings, context, act, || {
        registry.override_guards(context, owner, id, guards, reason)
    })
}

/// Some rows of each kind that somebody should look at.
fn examples(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    load: &Known,
) -> Result<(), Failure> {
    const FEW: u32 = 5;
    for outcome in [
        RowOutcome::Rejected,
        RowOutcome::Conflict,
        RowOutcome::End,
        RowOutcome::Change,
    ] {
        let query = PlanRowsQuery {
            outcomes: vec![outcome],
            state: None,
            after: 0,
            limit: FEW,
        };
        rows(
            settings,
            registry,
            context,
            (&load.owner, load.id),
            query,
            FEW,
            false,
        )?;
    }
    Ok(())
}

/// Prints rows of a plan. What they tell of persons is logged first.
fn rows(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    (owner, id): (&OwnerKey, Uuid),
    mut query: PlanRowsQuery,
    most: u32,
    json: bool,
) -> Result<(), Failure> {
    let mut left = most;
    while left > 0 {
        query.limit = PAGE.min(left);
        let page = registry.plan_rows(context, owner, id, &query)?;
        let mut act = Act::new(LogKind::Read, "load-rows", json!({"load": id}));
        act.owners = vec![owner.clone()];
        if !page.items.is_empty() {
            console::log(settings, context, &act)?;
        }
        for row in &page.items {
            if json {
                line(told::as_json(row));
            } else {
                told::row(row);
            }
        }
        left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(left));
        match page.next {
            Some(next) => query.after = next,
            None => break,
        }
    }
    Ok(())
}

/// Writes rows of a plan to a file for whoever decides about it. What they tell of persons is logged first.
fn file(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    (owner, id): (&OwnerKey, Uuid),
    query: &PlanRowsQuery,
    path: &Path,
    swedish: bool,
) -> Result<(), Failure> {
    let language = if swedish {
        Language::Swedish
    } else {
        Language::English
    };
    let table = Table::of(registry, context, owner, id, query, language)?;
    let workbook = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("xlsx"));
    let bytes = if workbook {
        table
            .xlsx()
            .map_err(|error| Failure::new(Kind::Failed, error))?
    } else {
        table
            .csv()
            .map_err(|error| Failure::new(Kind::Failed, error))?
    };
    let mut act = Act::new(LogKind::Read, "load-rows", json!({"load": id}));
    act.owners = vec![owner.clone()];
    console::log(settings, context, &act)?;
    output::write_private_bytes(path, &bytes)?;
    let lines = u64::try_from(table.lines().count()).unwrap_or(u64::MAX);
    line(format!("{} lines in {}.", grouped(lines), path.display()));
    Ok(())
}

/// Whether every row goes.
pub(super) fn is_clean(load: &Known) -> bool {
    let counts = &load.counts;
    counts.rejected + counts.conflict == 0 && load.refused.is_empty()
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Kind::Failed as u8)
    }
}

fn names(named: &OfLoad) -> Result<(OwnerKey, Uuid), Failure> {
    let id = named.id.parse().map_err(|_| {
        Failure::new(Kind::Usage, format!("\"{}\" is no id of a load", named.id))
            .cure("`grunddata loads list OWNER` shows the ids.")
    })?;
    Ok((owner_key(&named.owner)?, id))
}

fn outcome(name: &str) -> Result<RowOutcome, Failure> {
    RowOutcome::from_name(name).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("\"{name}\" is no outcome of a row"))
            .cure("The outcomes are create, change, end, revive, confirm, release, rejected and conflict.")
    })
}

/// How many of something, and nothing of none.
pub(super) fn some(count: u64, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{} {what}", grouped(count)))
}
