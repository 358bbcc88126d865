//! Memory and start-up of the server with its default configuration on the demo's data.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cpu;
use crate::load::{self, Requests};
use crate::program::Program;
use crate::report::{Spread, Table};

/// Seeds a file as the demo does, starts the server on it, and looks at it idle and with 64 busy connections.
pub(crate) async fn run(binary: &Path, directory: &Path, table: &mut Table) -> Result<()> {
    let file = directory.join("demo.sqlite");
    for command in ["migrate", "seed"] {
        let made = Command::new(binary)
            .args([command, "--database"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if !made.success() {
            bail!("the demo's data could not be made: {command} ended with {made}");
        }
    }
    let program = Program::grunddata(binary, &file.display().to_string())?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (idle, _) = cpu::memory(program.pid())?;
    let pages: Vec<load::Request> = (0..50)
        .map(|page| {
            load::get(
                &format!("/api/v1/geographies?limit=20&page={}", 1 + page),
                None,
            )
        })
        .chain((0..50).map(|page| {
            load::get(
                &format!("/api/v1/organisations?limit=100&page={}", 1 + page % 5),
                None,
            )
        }))
        .collect();
    let requests: Requests = Arc::new(move |number| {
        let index = usize::try_from(number % pages.len() as u64).unwrap_or_default();
        pages.get(index).map_or_else(|| Arc::from([]), Arc::clone)
    });
    load::saturate(program.address, 64, Duration::from_secs(5), requests).await?;
    let (_, busy) = cpu::memory(program.pid())?;
    let megabytes = |bytes: u64| Spread::of(&[bytes as f64 / 1e6]);
    let mut row = |name: &str, value: Spread, limit: f64| {
        table.row(
            name,
            &value,
            &Spread::of(&[limit]),
            limit / value.median,
            1.0,
        );
    };
    row(
        "idle on the demo's data, MB resident",
        megabytes(idle),
        40.0,
    );
    row(
        "64 busy connections, MB resident at most",
        megabytes(busy),
        150.0,
    );
    let mut starts = Vec::new();
    drop(program);
    for _ in 0..5 {
        starts.push(
            Program::grunddata(binary, &file.display().to_string())?
                .ready_after
                .as_secs_f64()
                * 1e3,
        );
    }
    row(
        "start to ready on an existing file, ms",
        Spread::of(&starts),
        300.0,
    );
    Ok(())
}
