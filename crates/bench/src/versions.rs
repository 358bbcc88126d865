//! Reads at a coordinate of a record with 50 versions, against those of a record with one.

use std::time::Instant as Stopwatch;

use anyhow::{Context as _, Result};
use chrono::{Days, NaiveDate};
use grunddata_model::{Domain, RecordId, ValidFrom};
use grunddata_registry::{Command, IfMatch, Operation, Registry, Replace, Subject};
use grunddata_store::{Known, Visibility};
use serde_json::json;

use crate::data::{self, Kind};
use crate::registry;
use crate::report::{Spread, Table};

const VERSIONS: u64 = 50;
const ROUNDS: usize = 7;
const READS: u32 = 5_000;

/// Writes the two records among others, reads them in turns, and adds the row.
pub(crate) fn run(url: &str, name: &str, table: &mut Table) -> Result<()> {
    let registry = registry::open(url)?;
    registry::add_owner(&registry)?;
    registry::load(
        &registry,
        Domain::Organisation,
        Kind::Unit,
        2_000,
        data::unit,
    )?;
    let (many, one) = (data::id(Kind::Unit, 7), data::id(Kind::Unit, 8));
    let first = NaiveDate::from_ymd_opt(2020, 1, 1).context("no such day")?;
    let (context, owner) = (registry::context(&registry), registry::owner()?);
    for version in 1..VERSIONS {
        let mut value = data::unit(7);
        if let Some(name) = value.pointer_mut("/name/sv") {
            *name = json!(format!("Enhet 7, version {version}"));
        }
        let command = Command::new(
            Domain::Organisation,
            Operation::Replace(Replace {
                subject: Subject::Id(RecordId::from(many)),
                envelope: grunddata_registry::Envelope::default(),
                content: grunddata_registry::Content {
                    data: value,
                    model: None,
                },
                valid_from: Some(grunddata_registry::From::At(ValidFrom::Date(
                    first + Days::new(version * 20),
                ))),
                valid_to: None,
                overwrite_planned: false,
            }),
        )
        .if_match(IfMatch::Any);
        registry
            .load_batch(&context, &owner, vec![command])
            .map_err(registry::refused)?;
    }
    for (what, past) in [("now", false), ("at an earlier knownAt", true)] {
        let (mut of_many, mut of_one) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_many.push(reads(&registry, many.into(), first + Days::new(500), past)?);
            of_one.push(reads(&registry, one.into(), first + Days::new(500), past)?);
        }
        let (of_many, of_one) = (Spread::of(&of_many), Spread::of(&of_one));
        table.row(
            &format!("{name}: read {what} of a record with {VERSIONS} versions against one with 1, µs (at most 1.3 times)"),
            &of_many,
            &of_one,
            of_one.median / of_many.median,
            1.0 / 1.3,
        );
    }
    registry.store().shutdown();
    Ok(())
}

/// Microseconds a read.
fn reads(registry: &Registry, id: RecordId, valid_at: NaiveDate, past: bool) -> Result<f64> {
    let visibility = Visibility::everything();
    let owner = registry::owner()?;
    let store = registry.store();
    let known = if past {
        let history = store.read(|reader| reader.pin(&grunddata_store::OwnerSet::All, None))?;
        let pin = history.of(&owner).context("the owner is not pinned")?;
        // Half a second back: between the load and the versions that came after it.
        Some(Known::at(grunddata_model::Instant::from_micros(
            pin.micros() - 20_000,
        )))
    } else {
        None
    };
    let started = Stopwatch::now();
    for _ in 0..READS {
        let found = store.read(|reader| reader.find(id, valid_at, known.as_ref(), &visibility))?;
        std::hint::black_box(&found);
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(READS))
}
