//! What was acknowledged is there after the process was killed in the middle of its work.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use grunddata_model::{Instant, OwnerKey, RecordId};
use grunddata_store::{Lookup, Needs, Store, StoreOptions, WriteError};
use grunddata_testing::on_both;

use crate::world::{World, day, everything, model, new_id, put, since, timeline, unit, world};

/// Set in the process that is to be killed: the database it writes to.
const VICTIM: &str = "GRUNDDATA_STORE_VICTIM";

/// Not a test of its own: what the killed process runs. In any other process it has nothing to do.
#[test]
fn victim() {
    let Ok(url) = std::env::var(VICTIM) else {
        return;
    };
    let start: Instant = "2026-01-01T09:00:00Z".parse().unwrap();
    let store = Store::open(StoreOptions::new(url, Arc::new(move || start)), model()).unwrap();
    let owner = OwnerKey::new("se-2480").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let ids = [
                        RecordId(uuid::Uuid::now_v7()),
                        RecordId(uuid::Uuid::now_v7()),
                    ];
                    let answer: Result<(), WriteError<_>> =
                        store.write_blocking(&owner, Needs::default(), move |tx| {
                            for id in ids {
                                put(
                                    tx,
                                    id,
                                    timeline([(since("2020-01-01"), unit("Kvar", None))]),
                                )?;
                            }
                            Ok::<_, grunddata_store::StoreError>(())
                        });
                    answer.unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "acknowledged {} {}", ids[0], ids[1]).unwrap();
                    out.flush().unwrap();
                }
            });
        }
    });
}

on_both! {
    using world;

    fn what_was_acknowledged_survives_a_kill(world: World) {
        let before = world.create(unit("Före", None));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durability::victim", "--nocapture"])
            .env(VICTIM, world.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut acknowledged: Vec<RecordId> = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(ids) = line.split("acknowledged ").nth(1) {
                acknowledged.extend(ids.split(' ').map(|id| id.parse::<RecordId>().unwrap()));
            }
            if acknowledged.len() == 60 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged.len() >= 60);
        acknowledged.push(before);
        for id in acknowledged {
            let found = world.store.read(|reader| reader.find(id, day("2026-01-01"), None, &everything())).unwrap();
            assert!(matches!(found, Lookup::Found { .. }), "{id}");
        }
        // The log goes on where it was, without a hole (`verify` at the end).
        world.set(new_id(), timeline([(since("2020-01-01"), unit("Efter", None))]));
    }
}
