//! Everything out and in again with the real binary: a lossless file into the other database, and a backup that is made
//! while others write.

use std::path::Path;
use std::process::Output;

use grunddata_testing::{Database, Engine, on_both};
use serde_json::json;

use crate::durability::{PATIENCE, prepare, write_until};
use crate::program::{self, Program};

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A command on a database, with an access log of its own where one is given.
fn command(arguments: &[&str], db: &Database, log: Option<&Path>) -> Output {
    let mut command = program::command(&[arguments, &["--database", &db.url]].concat());
    if let Some(log) = log {
        command.env("GRUNDDATA_ACCESS_LOG", log);
    }
    command.output().expect("the program starts")
}

fn done(arguments: &[&str], db: &Database) -> String {
    let output = command(arguments, db, None);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    told(&output)
}

fn refused(arguments: &[&str], db: &Database, log: Option<&Path>) -> String {
    let output = command(arguments, db, log);
    assert!(!output.status.success(), "{arguments:?}: {}", told(&output));
    told(&output)
}

/// What a database holds, but when it was written, and the keys and signatures of this installation.
fn content(db: &Database, directory: &Path, name: &str) -> Vec<String> {
    let file = directory.join(name);
    done(&["export", "--lossless", file.to_str().unwrap()], db);
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    lines[1..lines.len() - 1]
        .iter()
        .filter(|line| !line.starts_with("{\"logKey\""))
        .map(|line| match line.split_once("\\n\\n\u{2014} ") {
            Some((unsigned, _)) if line.starts_with("{\"owner\"") => unsigned.to_owned(),
            _ => (*line).to_owned(),
        })
        .collect()
}

on_both! {
    fn a_lossless_file_goes_into_the_other_database(db: Database) {
        let token = prepare(&db);
        let program = Program::start(&["serve", "--database", &db.url], PATIENCE);
        write_until(program, &token, 40, "out", |program| assert!(program.stop().success()));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("all.ndjson.zst");
        let path = file.to_str().unwrap();
        assert!(done(&["export", "--lossless", path], &db).contains("SHA-256 of the content"));
        let other = Database::new(if db.engine == Engine::Sqlite { Engine::Postgres } else { Engine::Sqlite });
        let bytes = std::fs::read(&file).unwrap();
        let cut = directory.path().join("cut.ndjson.zst");
        for length in [bytes.len() - 1, bytes.len() / 2, 20] {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            let said = refused(&["import", "--lossless", cut.to_str().unwrap()], &other, None);
            assert!(said.contains("nothing was imported") || said.contains("cannot be read"), "{said}");
        }
        assert!(done(&["import", "--lossless", path], &other).contains("0 problems"));
        assert!(done(&["verify"], &other).contains("0 problems"));
        assert_eq!(content(&db, directory.path(), "one"), content(&other, directory.path(), "other"));
        assert!(refused(&["import", "--lossless", path], &other, None).contains("not empty"));
        // The logs in the file are proven without a database, against the key that the registry has.
        let keys = done(&["log", "keys"], &db);
        let key = keys.split_whitespace().nth(1).unwrap();
        let verify = |arguments: &[&str]| program::run(&[&["log", "verify", "--file"], arguments].concat());
        let output = verify(&[path, "--key", key]);
        assert!(output.status.success() && told(&output).contains("\n0 problems in the logs of 1 owners"), "{}", told(&output));
        assert!(told(&verify(&[path])).contains("--key"));
        let output = verify(&[path, "--key", &key.replacen(&key[..4], "AAAA", 1)]);
        assert!(!output.status.success() && told(&output).contains("key"), "{}", told(&output));
        assert!(!verify(&[path, "--key", "x"]).status.success());
        // Another key, another signature of the same root.
        let head = done(&["log", "head", "se-test"], &db);
        let rotated = done(&["log", "rotate-key"], &db);
        assert!(!rotated.contains(key), "{rotated}");
        let again = done(&["log", "head", "se-test"], &db);
        assert!(head != again && head.split("\n\n").next() == again.split("\n\n").next(), "{head}{again}");
        assert!(done(&["log", "keys"], &db).contains("until"));
        // Nothing is left beside the files.
        let mut files: Vec<String> = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        assert_eq!(files, ["all.ndjson.zst", "cut.ndjson.zst", "one", "other"]);
        // The token that was taken along opens the other one.
        let program = Program::start(&["serve", "--database", &other.url], PATIENCE);
        let answer = program.client().get(program.url("/organisations?limit=1")).bearer_auth(&token).send().unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.json::<serde_json::Value>().unwrap()["_meta"]["count"], json!(1));
        assert!(program.stop().success());
    }

    fn a_backup_made_while_others_write_is_restored(db: Database) {
        let token = prepare(&db);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("backup.tar.zst");
        let path = file.to_str().unwrap();
        let program = Program::start(&["serve", "--database", &db.url], PATIENCE);
        let before = write_until(program, &token, 60, "before", |program| assert!(program.stop().success()));
        let program = Program::start(&["serve", "--database", &db.url], PATIENCE);
        write_until(program, &token, 30, "while", |program| {
            done(&["backup", path], &db);
            assert!(program.stop().success());
        });
        assert!(refused(&["backup", path], &db, None).contains("there already"));
        let bytes = std::fs::read(&file).unwrap();
        let cut = directory.path().join("cut.tar.zst");
        let copy = Database::new(db.engine);
        let log = directory.path().join("restored-log");
        for length in [bytes.len() - 10, bytes.len() / 2, 100] {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            let said = refused(&["restore", cut.to_str().unwrap()], &copy, Some(&log));
            assert!(said.contains("no whole backup"), "{said}");
        }
        let output = command(&["restore", path], &copy, Some(&log));
        let said = told(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("goes on after position"), "{said}");
        assert!(said.contains("Verified: 0 problems") && said.contains("grunddata erasures apply"), "{said}");
        let there = content(&copy, directory.path(), "copy").concat();
        for name in &before {
            assert!(there.contains(&format!("\"{name}\"")), "{name} is not in the backup");
        }
        // It is of one moment before the end, and a part of what there is now.
        let now = content(&db, directory.path(), "now").concat();
        assert!(there.matches("\"record\"").count() <= now.matches("\"record\"").count());
        let output = command(&["log", "verify"], &copy, Some(&log));
        assert!(output.status.success() && told(&output).contains("in the logs of changes of"), "{}", told(&output));
        let output = command(&["log", "search", "--kind", "administration"], &copy, Some(&log));
        assert!(told(&output).contains("restore"), "{}", told(&output));
        // That the log was searched is in the log, with what was asked for.
        let output = command(&["log", "search", "--kind", "log-read", "--outcome", "ok"], &copy, Some(&log));
        assert!(told(&output).contains("log-search"), "{}", told(&output));
        // Nothing is written over.
        assert!(refused(&["restore", path], &copy, Some(&log)).contains("not empty"));
        let elsewhere = directory.path().join("elsewhere");
        assert!(refused(&["restore", path], &copy, Some(&elsewhere)).contains("not empty"));
    }
}
