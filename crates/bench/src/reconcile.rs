//! Loads of files, with the real program: the first load of a file against the engine's own bulk path for the rows that
//! come of it, the same file again, and one in which one row in a hundred says something else. Memory at most.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cluster::Cluster;
use crate::program::{self, Ran};
use crate::report::{Spread, Table};
use crate::{bulk, data, during, registry, replay};

/// What is measured.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) url: &'a str,
    /// An empty database for the raw writer.
    pub(crate) raw: &'a str,
    pub(crate) rows: u64,
    pub(crate) cluster: Option<&'a Cluster>,
}

const SETTINGS: &str = "title = 'Register'\ndomains = ['person']\n[guards.changes]\n";

const MAPPING: &str = r#"mapping = 1
name = "register"

[[record]]
name = "person"
domain = "person"
key = "{Nyckel}"
[record.data]
"name.family" = "Efternamn"
"name.given" = { column = "Förnamn", split = " " }
[[record.list]]
to = "identifiers"
value = { column = "Personnummer", as = "personal-identifier" }
[[record.list]]
to = "contactPoints"
[record.list.item]
kind = { constant = "email" }
value = "E-post"
use = { constant = "work" }
"#;

/// Loads three times and compares.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let registry = registry::open(setting.url)?;
    registry::add_owner(&registry)?;
    registry.store().shutdown();
    drop(registry);
    let place = |file: &str| setting.scratch.join(file);
    std::fs::write(place("source.toml"), SETTINGS)?;
    std::fs::write(place("mapping.toml"), MAPPING)?;
    let (first, changed) = (place("first.csv"), place("changed.csv"));
    write(&first, setting.rows, None)?;
    write(&changed, setting.rows, Some(100))?;
    let text = |path: PathBuf| path.display().to_string();
    ran(
        setting,
        &[
            "source",
            "put",
            "register",
            "--owner",
            registry::OWNER,
            "--settings",
            &text(place("source.toml")),
            "--mapping",
            &text(place("mapping.toml")),
        ],
    )?;
    let load = |file: &Path| {
        let file = file.display().to_string();
        ran(setting, &["load", "register", &file, "--quiet"])
    };
    let new = load(&first)?;
    let again = load(&first)?;
    let some = load(&changed)?;
    let same = load(&changed)?;
    registry::open(setting.raw)?.store().shutdown();
    let commits = bulk::commits(setting.rows);
    let raw = replay::of(
        setting.url,
        setting.raw,
        commits,
        setting.cluster,
        setting.scratch,
    )
    .await?;
    let rate = |seconds: f64| setting.rows as f64 / seconds;
    let mut row = |what: &str, ours: f64, other: f64, ratio: f64, least: f64| {
        let (ours, other) = (Spread::of(&[ours]), Spread::of(&[other]));
        table.row(&format!("{name}: {what}"), &ours, &other, ratio, least);
    };
    let seconds = |ran: &Ran| ran.wall.as_secs_f64();
    let raw = raw.wall.as_secs_f64();
    row(
        &format!("{} rows of a file, first load, rows/s", setting.rows),
        rate(seconds(&new)),
        rate(raw),
        raw / seconds(&new),
        0.4,
    );
    row(
        "the same file again, rows/s against the first load",
        rate(seconds(&again)),
        rate(seconds(&new)),
        seconds(&new) / seconds(&again),
        5.0,
    );
    // What the changed rows cost is what they would have cost in a first load.
    let allowed = 1.2 * seconds(&same) + seconds(&new) / 100.0;
    row(
        "1 % changed, s against 1.2 times unchanged and the cost of the changed rows",
        seconds(&some),
        allowed,
        allowed / seconds(&some),
        1.0,
    );
    let memory = [&new, &again, &some].map(|ran| ran.memory as f64 / 1e6);
    let most = memory.into_iter().fold(0.0, f64::max);
    row("MB resident at most", most, 250.0, 250.0 / most, 1.0);
    let moved = place("moved.csv");
    write(&moved, setting.rows, Some(1))?;
    during::run(setting.binary, setting.url, &moved, name, table).await
}

fn ran(setting: &Setting<'_>, arguments: &[&str]) -> Result<Ran> {
    program::run(
        setting.binary,
        arguments,
        setting.url,
        &setting.scratch.join("access-log"),
    )
}

/// A file of so many persons. Every `odd`th has moved its mail box.
fn write(path: &Path, rows: u64, odd: Option<u64>) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(file, "Nyckel;Personnummer;Efternamn;Förnamn;E-post")?;
    for number in 0..rows {
        let person = data::person(number, 1);
        let text = |pointer: &str| {
            let value = person.pointer(pointer).and_then(serde_json::Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let moved = odd.is_some_and(|odd| number.is_multiple_of(odd));
        writeln!(
            file,
            "P{number:08};{};{};{} {};{}{}",
            data::personal_identity_number(number),
            text("/name/family"),
            text("/name/given/0"),
            text("/name/given/1"),
            if moved { "ny." } else { "" },
            text("/contactPoints/0/value"),
        )?;
    }
    file.flush()?;
    Ok(())
}
