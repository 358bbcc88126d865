//! Whether a hidden record takes another time than one that does not exist: reads of both by turns, and how often one of
//! the first takes longer than one of the second (Mann–Whitney: 0.5 = told apart by nothing). More than chance fails the run.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use grunddata_model::Domain;
use grunddata_registry::{Grant, OwnerScope, Role};
use serde_json::json;

use crate::data::{self, Kind};
use crate::load::{self, Connection};
use crate::program::Program;
use crate::registry;
use crate::report::Table;

/// How many persons are hidden.
const HIDDEN: u64 = 2_000;
/// Reads of each.
const READS: usize = 2_000;
/// The first numbers that are given to nobody.
const NOBODY: u64 = 1_000_000;
/// How far from 0.5 the share of pairs may be. Chance has a standard deviation of 0.009 with that many reads, and a timer of
/// whole milliseconds, which told the two apart, gave 0.033.
const BOUND: f64 = 0.03;

/// Measures over HTTP, and notes what came out.
pub(crate) async fn run(binary: &Path, url: &str, name: &str, table: &mut Table) -> Result<()> {
    let registry = registry::open(url)?;
    registry::add_owner(&registry)?;
    registry::load(&registry, Domain::Person, Kind::Person, HIDDEN, |number| {
        json!({
            "name": {"given": ["Gömd"], "family": format!("Nummer {number}")},
            "protection": {"level": "protected-registration"},
            "addresses": [{"kind": "registered", "thoroughfare": "Hemliga gatan"}],
        })
    })?;
    let outsider = vec![Grant::of(OwnerScope::All, Role::Reader)];
    let token = registry::token_of(&registry, "outsider", outsider)?;
    registry.store().shutdown();
    let program = Program::grunddata(binary, url)?;
    // Warm both ways.
    measure(program.address, &token, READS / 10).await?;
    let (hidden, absent) = measure(program.address, &token, READS).await?;
    let share = longer(&hidden, &absent);
    table.note(&format!(
        "{name}: a hidden person takes {:?} and one that does not exist {:?} at the median; the first takes longer in {share:.3} of the pairs (0.5 = told apart by nothing)",
        median(&hidden),
        median(&absent),
    ));
    ensure!(
        (share - 0.5).abs() < BOUND,
        "{name}: the clock tells a hidden person from one that does not exist: the first takes longer in {share:.3} of the pairs"
    );
    Ok(())
}

/// The times of reads by turns.
async fn measure(
    address: SocketAddr,
    token: &str,
    reads: usize,
) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let mut connection = Connection::open(address).await?;
    let (mut hidden, mut absent) = (Vec::with_capacity(reads), Vec::with_capacity(reads));
    for turn in 0..reads {
        let number = turn as u64 % HIDDEN;
        let pair = [(number, &mut hidden), (NOBODY + number, &mut absent)];
        let mut pair = pair.into_iter().collect::<Vec<_>>();
        // Neither always profits from what the other has left in a cache.
        if turn % 2 == 1 {
            pair.reverse();
        }
        for (number, times) in pair {
            let id = data::id(Kind::Person, number);
            let request = load::get(&format!("/api/v1/persons/{id}"), Some(token));
            let begun = Instant::now();
            let (status, _) = connection.answer(&request).await?;
            times.push(begun.elapsed());
            ensure!(status == 404, "a person is not hidden: {status}");
        }
    }
    Ok((hidden, absent))
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The share of pairs in which the first is the longer one; equal ones count half.
fn longer(first: &[Duration], second: &[Duration]) -> f64 {
    let mut sorted = second.to_vec();
    sorted.sort_unstable();
    let sum: f64 = first
        .iter()
        .map(|time| {
            let less = sorted.partition_point(|other| other < time);
            let least = sorted.partition_point(|other| other <= time);
            (less + least) as f64 / 2.0
        })
        .sum();
    sum / (first.len() as f64 * second.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_is_told_apart_by_nothing() {
        let times = |micros: &[u64]| {
            micros
                .iter()
                .copied()
                .map(Duration::from_micros)
                .collect::<Vec<_>>()
        };
        let same = times(&[1, 2, 3, 4]);
        assert!((longer(&same, &same) - 0.5).abs() < 1e-9);
        assert!((longer(&times(&[5, 6]), &same) - 1.0).abs() < 1e-9);
        assert!(longer(&times(&[0]), &same) < 1e-9);
    }
}
