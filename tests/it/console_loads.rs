//! Loads at the console, with the real binary: planned, applied, applied again, stopped, killed in the middle and gone on
//! with.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use grunddata_testing::{Engine, on_both};

use crate::desk::{Desk, UNITS};
use crate::program;

const SETTINGS: &str = "title = 'Organisationsträdet'\ndomains = ['organisation']\n[authoritative]\nends = ['organisation']\n";

/// A database with a source.
fn desk(engine: Engine) -> Desk {
    let desk = Desk::new(engine);
    desk.done(&["migrate"]);
    desk.done(&["owner", "add", "se-2480", "--name", "Umeå kommun"]);
    desk.write("units.toml", UNITS);
    desk.write("org.toml", SETTINGS);
    desk.done(&[
        "source",
        "put",
        "org",
        "--owner",
        "se-2480",
        "--settings",
        &desk.path("org.toml"),
        "--mapping",
        &desk.path("units.toml"),
    ]);
    desk
}

impl Desk {
    /// A file of so many units, without some of them.
    fn units(&self, name: &str, count: usize, without: impl Fn(usize) -> bool) -> String {
        let mut file = "Kod;Namn;Från\n".to_owned();
        for number in (0..count).filter(|number| !without(*number)) {
            file.push_str(&format!("{number};Enhet {number};2026-01-01\n"));
        }
        self.write(name, &file);
        self.path(name)
    }

    /// The id of the latest load.
    fn latest(&self) -> String {
        let list = self.done(&["loads", "list", "se-2480", "--limit", "1"]);
        list.split_whitespace().next().expect("an id").to_owned()
    }

    fn verified(&self) {
        self.done(&["verify"]);
    }
}

on_both! {
    using desk;

    fn a_file_is_tried_applied_and_applied_again(desk: Desk) {
        let all = desk.units("org.csv", 30, |_| false);
        let tried = desk.done(&["load", "org", &all, "--dry-run"]);
        assert!(tried.contains("30 to create"), "{tried}");
        let id = desk.latest();
        let rows = desk.done(&["loads", "rows", "se-2480", &id, "--json", "--limit", "3"]);
        assert_eq!(rows.lines().count(), 3, "{rows}");
        let table = desk.path("plan.csv");
        desk.done(&["loads", "rows", "se-2480", &id, "--out", &table, "--swedish"]);
        let table = std::fs::read_to_string(table).expect("the table");
        assert_eq!(table.lines().count(), 31, "{table}");
        let workbook = desk.path("plan.xlsx");
        desk.done(&["loads", "rows", "se-2480", &id, "--out", &workbook]);
        assert!(std::fs::read(workbook).expect("the workbook").starts_with(b"PK"));
        // The plan that was tried is the one that is applied.
        let applied = desk.done(&["load", "org", &all]);
        assert!(applied.contains("30 rows applied") && applied.contains(&id), "{applied}");
        let again = desk.done(&["load", "org", &all]);
        assert!(again.contains("30 unchanged") && again.contains("no rows"), "{again}");
        // One is missing: one ends. Three of ten are missing: nothing happens before somebody says so.
        let less = desk.units("less.csv", 30, |number| number == 7);
        let ended = desk.done(&["load", "org", &less]);
        assert!(ended.contains("1 to end"), "{ended}");
        let much_less = desk.units("much-less.csv", 30, |number| number == 7 || number < 10);
        let stopped = desk.failed(&["load", "org", &much_less]);
        assert!(stopped.contains("guard ends") && stopped.contains("Nothing is applied"), "{stopped}");
        let done = desk.done(&["load", "org", &much_less, "--override", "ends", "--override", "shorter", "--reason", "Nedlagda"]);
        assert!(done.contains("9 rows applied"), "{done}");
        // Why is it there, and who says so?
        let rows = desk.done(&["loads", "rows", "se-2480", &id, "--json", "--limit", "30"]);
        let row: serde_json::Value = rows.lines().next_back().and_then(|line| serde_json::from_str(line).ok()).expect("a row");
        let record = row["record"].as_str().expect("a record");
        let why = desk.done(&["why", record, "/name/sv"]);
        assert!(why.contains("org") && why.contains(&id), "{why}");
        desk.verified();
    }

    fn the_log_is_written_and_followed(desk: Desk) {
        desk.done(&["load", "org", &desk.units("org.csv", 30, |_| false)]);
        assert_eq!(positions(&desk.done(&["changes", "se-2480"])), (1..=30).collect::<Vec<u64>>());
        let some = desk.done(&["changes", "se-2480", "--after", "28", "--kind", "create", "--domain", "organisation", "--states"]);
        assert_eq!(positions(&some), [29, 30]);
        assert!(some.lines().all(|line| line.contains("\"source\":\"org\"") && line.contains("\"states\":[{")), "{some}");
        let mut child = program::command(&["changes", "se-2480", "--after", "30", "--follow", "--database", &desk.db.url])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        // It is told of what another process commits.
        desk.done(&["load", "org", &desk.units("org.csv", 31, |_| false)]);
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert_eq!(positions(&line), [31]);
        desk.verified();
    }

    fn what_cannot_be_loaded_says_why(desk: Desk) {
        desk.write("empty.csv", "");
        assert!(desk.failed(&["load", "org", &desk.path("empty.csv")]).contains("is empty"));
        desk.write("wrong.csv", "Kod;Namn;Från\n1;A;2026-02-31\n2;B;2026-01-01\n");
        let wrong = desk.failed(&["load", "org", &desk.path("wrong.csv")]);
        assert!(wrong.contains("1 rejected") && wrong.contains("1 rows applied"), "{wrong}");
        // Two units with one number.
        desk.write("two.csv", "Kod;Namn;Från\n3;A;2026-01-01\n3;B;2026-01-01\n");
        let two = desk.failed(&["load", "org", &desk.path("two.csv"), "--delta"]);
        assert!(two.contains("1 in conflict"), "{two}");
        let id = desk.latest();
        assert!(desk.done(&["loads", "rows", "se-2480", &id, "--outcome", "conflict"]).contains("duplicate-key"));
        assert!(desk.done(&["source", "suggest", "--ready"]).contains("population-register"));
        assert!(desk.done(&["source", "suggest", "--ready", "oneroster"]).contains("orgs.csv"));
        assert!(desk.done(&["source", "suggest", &desk.path("wrong.csv")]).contains("mapping = 1"));
        desk.verified();
    }

    fn somebody_else_approves(desk: Desk) {
        desk.write("four.toml", &SETTINGS.replace("[authoritative]", "approval = 'other-person'\n[authoritative]"));
        desk.done(&["source", "put", "org", "--owner", "se-2480", "--settings", &desk.path("four.toml"), "--mapping", &desk.path("units.toml")]);
        let all = desk.units("org.csv", 3, |_| false);
        desk.done(&["load", "org", &all, "--dry-run"]);
        let id = desk.latest();
        assert!(desk.failed(&["loads", "apply", "se-2480", &id]).contains("approval"));
        assert!(desk.failed(&["loads", "approve", "se-2480", &id, "--as", "console"]).contains("somebody else"));
        desk.done(&["loads", "approve", "se-2480", &id, "--as", "anna"]);
        assert!(desk.done(&["loads", "apply", "se-2480", &id]).contains("3 rows applied"));
        desk.verified();
    }

    /// Killed without a warning in the middle of applying: what was applied is there, and the rest comes when it is asked for.
    fn a_load_that_was_killed_goes_on_where_it_stopped(desk: Desk) {
        const UNITS: usize = 3_000;
        let all = desk.units("org.csv", UNITS, |_| false);
        desk.done(&["load", "org", &all, "--dry-run"]);
        let id = desk.latest();
        let mut killed = 0;
        for _ in 0..3 {
            let mut child = program::command(&["load", "org", &all, "--quiet", "--database", &desk.db.url])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the program starts");
            let before = progress(&desk, &id);
            let begun = Instant::now();
            while progress(&desk, &id) == before && begun.elapsed() < Duration::from_secs(60) {
                if child.try_wait().expect("a state").is_some() {
                    break;
                }
            }
            // SIGKILL; what has ended by itself cannot be killed.
            if child.try_wait().expect("a state").is_none() {
                child.kill().expect("killed");
                killed += 1;
            }
            child.wait().expect("ended");
            desk.verified();
        }
        assert!(killed > 0, "it was never killed in the middle");
        let rest = desk.done(&["load", "org", &all]);
        assert!(rest.contains("3,000 rows applied") || rest.contains("3,000 unchanged"), "{rest}");
        // Each of them once, and nothing twice.
        let again = desk.done(&["load", "org", &all]);
        assert!(again.contains("3,000 unchanged"), "{again}");
        let exported = desk.path("units.ndjson");
        desk.done(&["export", "organisations", "--out", &exported]);
        let exported = std::fs::read_to_string(Path::new(&exported)).expect("the export");
        let units: std::collections::BTreeSet<String> = exported
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|record| Some(record["data"]["name"]["sv"].as_str()?.to_owned()))
            .collect();
        assert_eq!(units.len(), UNITS);
        // However often it was killed, the log has no holes.
        assert_eq!(positions(&desk.done(&["changes", "se-2480"])), (1..=UNITS as u64).collect::<Vec<u64>>());
        desk.verified();
    }
}

/// The positions of the entries of a log, one on each line.
fn positions(log: &str) -> Vec<u64> {
    let entries = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    entries
        .map(|entry| entry["position"].as_u64().expect("a position"))
        .collect()
}

/// How many rows of a load are applied, as the list tells.
fn progress(desk: &Desk, id: &str) -> String {
    let list = desk.done(&["loads", "list", "se-2480"]);
    list.lines()
        .find(|line| line.starts_with(id))
        .expect("the load")
        .to_owned()
}
