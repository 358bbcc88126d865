//! `grunddata seed`, and the making of the demo's data.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant as Timer};

use grunddata_model::Domain;
use grunddata_registry::{Actor, At, Registry};
use grunddata_seeds::{Applied, ApplyError, OPERATIONS, OWNERS, Progress, SeedClock, Seeds};

use crate::failure::{Failure, Kind};
use crate::output::{grouped, line};
use crate::settings::Settings;
use crate::{database, output};

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) applied: Applied,
    pub(crate) took: Duration,
}

/// Writes the seeds into a database that has its tables.
pub(crate) fn run(settings: &Settings, quiet: bool) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let progress = grunddata_seeds::progress(&registry).map_err(failure)?;
    registry.store().shutdown();
    drop(registry);
    if progress == Progress::Complete {
        line("The seed data are there already.");
        return Ok(ExitCode::SUCCESS);
    }
    let made = make(settings, quiet)?;
    let registry = database::open(settings)?;
    told(&made, &counts(&registry)?);
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}

/// Writes the seeds, or what an interrupted run left to do.
pub(crate) fn make(settings: &Settings, quiet: bool) -> Result<Made, Failure> {
    let clock = SeedClock::new();
    let registry = database::open_moved(settings, clock.clock())?;
    let timer = Timer::now();
    let bar = output::bar(OPERATIONS, "making the data", quiet);
    let seeds = Seeds::load().map_err(|error| failure(error.into()))?;
    let applied = grunddata_seeds::apply(&seeds, &registry, &clock, &mut |done| {
        bar.set_position(done as u64)
    });
    bar.finish_and_clear();
    registry.store().shutdown();
    Ok(Made {
        applied: applied.map_err(failure)?,
        took: timer.elapsed(),
    })
}

/// The records of the seeds' owners that are valid today, by domain.
pub(crate) fn counts(registry: &Registry) -> Result<BTreeMap<Domain, u64>, Failure> {
    let context = registry.context(Actor::system("console"), "console");
    Ok(registry.counts(&context, &At::now(&context))?)
}

/// Says what was made.
pub(crate) fn told(made: &Made, counts: &BTreeMap<Domain, u64>) {
    let Made { applied, took } = made;
    if applied.present > 0 {
        line(format!(
            "An earlier run was interrupted: {} operations were there, {} more are now.",
            grouped(applied.present as u64),
            grouped(applied.operations as u64)
        ));
    }
    line(format!(
        "Made in {:.1} s: {} operations in {} transactions, recorded from 2023-11-01 to 2026-11-20.",
        took.as_secs_f64(),
        grouped(applied.operations as u64),
        grouped(applied.transactions as u64),
    ));
    line("Records valid today:");
    for (domain, count) in counts {
        line(format!(
            "  {:<14} {:>8}",
            domain.collection(),
            grouped(*count)
        ));
    }
    let owners: Vec<String> = OWNERS
        .iter()
        .map(|owner| format!("{} ({})", owner.key, owner.name))
        .collect();
    line(format!("Owners: {}.", owners.join(", ")));
}

/// Why the seeds could not be written.
pub(crate) fn failure(error: ApplyError) -> Failure {
    Failure::new(Kind::Failed, error)
        .cure("What was written stays; the same command goes on from there. To begin anew, remove the data directory.")
}
