//! The program is killed in the middle of writing: every acknowledged write is there afterwards, and nothing is half
//! there. And asked to stop, it finishes what it has begun.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use grunddata_testing::{Database, on_both};
use serde_json::{Value, json};

use crate::program::{self, Program};

const WRITERS: usize = 8;
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

on_both! {
    fn every_acknowledged_write_survives_a_kill(db: Database) {
        let token = prepare(&db);
        let mut acknowledged = HashSet::new();
        for round in 0..3 {
            let program = Program::start(&["serve", "--database", &db.url], PATIENCE);
            acknowledged.extend(write_until(program, &token, 150, &format!("kill-{round}"), Program::kill));
        }
        assert_all_there(&db, &token, &acknowledged);
    }

    fn a_stop_finishes_what_was_begun(db: Database) {
        let token = prepare(&db);
        let program = Program::start(&["serve", "--database", &db.url], PATIENCE);
        let acknowledged = write_until(program, &token, 150, "stop", |program| assert!(program.stop().success()));
        assert_all_there(&db, &token, &acknowledged);
    }
}

/// Migrates, adds an owner, and gives a token that may write for it.
pub(crate) fn prepare(db: &Database) -> String {
    let done = |arguments: &[&str]| {
        let output = program::run(&[arguments, &["--database", &db.url]].concat());
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    done(&["migrate"]);
    done(&["owner", "add", "se-test", "--name", "Testkommunen"]);
    done(&[
        "token",
        "create",
        "--name",
        "test",
        "--grant",
        "se-test:editor",
    ])
}

/// Writes from several connections until `enough` are acknowledged, ends the program while they go on, and gives the
/// names of the records that were acknowledged.
pub(crate) fn write_until(
    program: Program,
    token: &str,
    enough: usize,
    prefix: &str,
    end: impl FnOnce(Program),
) -> Vec<String> {
    let acknowledged = Mutex::new(Vec::new());
    let (counter, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (client, url) = (program.client().clone(), program.url("/organisations"));
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let name = format!("{prefix}-{}", counter.fetch_add(1, Ordering::Relaxed));
                    let body = json!({
                        "owner": "se-test",
                        "validFrom": "2026-01-01",
                        "data": {
                            "name": {"sv": name},
                            "kind": "unit",
                            "identifiers": [{"scheme": "source:test", "value": name}],
                        },
                    });
                    // A refused or broken connection is what the kill is about; an answer must be an acknowledgement.
                    let Ok(answer) = client.post(&url).bearer_auth(token).json(&body).send() else {
                        continue;
                    };
                    let status = answer.status().as_u16();
                    let Ok(text) = answer.text() else { continue };
                    assert!(status == 201 || status == 503, "{status}: {text}");
                    if status == 201 {
                        acknowledged.lock().unwrap().push(name);
                    }
                }
            });
        }
        let begun = Instant::now();
        while acknowledged.lock().unwrap().len() < enough {
            assert!(
                begun.elapsed() < PATIENCE,
                "only {} writes were acknowledged",
                acknowledged.lock().unwrap().len()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        end(program);
        ended.store(true, Ordering::Relaxed);
    });
    acknowledged.into_inner().unwrap()
}

/// By identifier, so that the directory and the identifier rows are there too; then the whole database.
fn assert_all_there<'a>(
    db: &Database,
    token: &str,
    acknowledged: impl IntoIterator<Item = &'a String>,
) {
    let program = Program::start(&["serve", "--database", &db.url], PATIENCE);
    let names: Vec<&String> = acknowledged.into_iter().collect();
    for some in names.chunks(500) {
        let identifiers: Vec<Value> = some
            .iter()
            .map(|name| json!({"scheme": "source:test", "value": name}))
            .collect();
        let answer = program
            .client()
            .post(program.url("/records/lookup"))
            .bearer_auth(token)
            .json(&json!({"identifiers": identifiers}))
            .send()
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().unwrap());
        let answer: Value = answer.json().unwrap();
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), some.len());
        for (item, name) in items.iter().zip(some) {
            assert!(
                item.to_string().contains(&format!("\"sv\":\"{name}\"")),
                "{name} was acknowledged and is lost: {item}"
            );
        }
    }
    assert!(program.stop().success());
    program::assert_verified(&db.url);
}
