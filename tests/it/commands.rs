//! What administrators do at the console, with the real binary.

use grunddata_testing::{Database, on_both};
use serde_json::Value;

use crate::durability::PATIENCE;
use crate::program::{self, Program};

/// Runs a command that must end well; gives what it wrote.
#[track_caller]
fn done(db: &Database, arguments: &[&str]) -> String {
    let output = program::run(&[arguments, &["--database", &db.url]].concat());
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that must fail; gives what it says.
#[track_caller]
fn refused(db: &Database, arguments: &[&str]) -> String {
    let output = program::run(&[arguments, &["--database", &db.url]].concat());
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn migrated(engine: grunddata_testing::Engine) -> Database {
    let db = Database::new(engine);
    done(&db, &["migrate"]);
    done(&db, &["owner", "add", "se-2480", "--name", "Umeå kommun"]);
    db
}

on_both! {
    using migrated;

    fn a_token_is_rotated_at_the_console(db: Database) {
        let first = done(&db, &["token", "create", "--name", "hr-system", "--unit", "Lönekontoret", "--grant", "se-2480:editor", "--days", "30"]);
        let list = done(&db, &["token", "list"]);
        let id = list.split_whitespace().next().expect("an id").to_owned();
        let second = done(&db, &["token", "rotate", &id, "--overlap-days", "2"]);
        assert!(first.starts_with("gd_") && second.starts_with("gd_") && first != second);
        let list = done(&db, &["token", "list"]);
        assert_eq!(list.matches("hr-system").count(), 2, "{list}");
        assert!(!list.contains(first.trim()) && !list.contains(second.trim()));
        assert!(refused(&db, &["token", "rotate", &id]).contains("has been replaced"));
        assert!(refused(&db, &["token", "rotate", &id, "--overlap-days", "91"]).contains("at most 90"));
    }

    fn the_first_start_tells_a_token_once(db: Database) {
        let start = |arguments: &[&str]| Program::start(&[arguments, &["--database", &db.url]].concat(), PATIENCE);
        let told = |program: &Program| {
            let said = program.said();
            let tokens: Vec<String> = said.split_whitespace().filter(|word| word.starts_with("gd_")).map(str::to_owned).collect();
            tokens
        };
        let first = start(&["serve"]);
        let tokens = told(&first);
        assert_eq!(tokens.len(), 1, "{}", first.said());
        assert_eq!(first.get(&tokens[0], "/owners")["items"][0]["key"], "se-2480");
        assert!(first.stop().success());
        assert!(done(&db, &["token", "list"]).contains("*:administrator"));
        assert!(done(&db, &["log", "search", "--owner", "se-2480"]).contains("token-create"));
        // Later starts tell none, nor does one with a file for it.
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("token");
        let second = start(&["serve", "--token-file", file.to_str().expect("a path")]);
        assert!(told(&second).is_empty(), "{}", second.said());
        assert!(!file.exists());
        assert!(second.stop().success());
    }

    fn the_first_token_goes_to_a_file(db: Database) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("token");
        let path = file.to_str().expect("a path");
        let start = || Program::start(&["serve", "--token-file", path, "--database", &db.url], PATIENCE);
        // Several servers that start at once make one.
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(start);
            (start(), other.join().expect("a server"))
        });
        let token = std::fs::read_to_string(&file).expect("the file");
        assert!(token.starts_with("gd_") && token.ends_with('\n'));
        for program in [one, other] {
            assert!(!program.said().contains(token.trim()));
            program.get(token.trim(), "/owners");
            assert!(program.stop().success());
        }
        assert_eq!(done(&db, &["token", "list"]).lines().count(), 1);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("the file").permissions());
            assert_eq!(mode & 0o077, 0);
        }
    }

    fn a_list_of_erasures_is_written_and_applied(db: Database) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("erasures.json");
        let path = file.to_str().expect("a path");
        assert!(done(&db, &["erasures", "export", path]).starts_with("0 erasures"));
        let list: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("the list")).expect("JSON");
        assert_eq!(list["erasures"], Value::Array(Vec::new()));
        assert!(done(&db, &["erasures", "apply", path]).contains("0 were erased already"));
        let gone = r#"{"format": "grunddata-erasures-1", "madeAt": "2026-11-21T11:00:00Z", "erasures": [{"record": "01990c3e-0000-7000-8000-00000000dead", "owner": "se-2480", "domain": "person", "erasedAt": "2026-11-21T11:00:00Z", "decision": {"text": "Gallras", "reference": "KS 1"}}]}"#;
        std::fs::write(&file, gone).expect("a list");
        assert!(done(&db, &["erasures", "apply", path]).contains("1 are not in this database"));
        std::fs::write(&file, gone.replace("erasures-1", "erasures-9")).expect("a list");
        assert!(refused(&db, &["erasures", "apply", path]).contains("grunddata-erasures-1"));
        std::fs::write(&file, gone.replace("\"domain\"", "\"name\": \"x\", \"domain\"")).expect("a list");
        assert!(refused(&db, &["erasures", "apply", path]).contains("no list of erasures"));
        assert!(refused(&db, &["erasures", "apply", "/nowhere/at/all"]).contains("cannot read"));
    }

    fn what_is_administered_at_the_console_is_logged_or_not_done(db: Database) {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, blocked) = (directory.path().join("log"), directory.path().join("blocked"));
        std::fs::write(&blocked, "not a directory").expect("a file");
        let with = |log: &std::path::Path, arguments: &[&str]| {
            let mut command = program::command(&[arguments, &["--database", &db.url]].concat());
            let output = command.env("GRUNDDATA_ACCESS_LOG", log).output().expect("the program starts");
            (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
        };
        let decided = ["--decision", "Gallras", "--reference", "KS 2026/17"];
        let rule = [&["retention", "rule", "add", "se-2480", "--domain", "person", "--erase-after", "5"][..], &decided].concat();
        let acts: [&[&str]; 4] = [
            &["owner", "add", "se-2481", "--name", "Lycksele kommun"],
            &["token", "create", "--name", "hr", "--grant", "se-2480:editor"],
            &["grant", "give", "--kind", "user", "https://login.example#anna", "--grant", "se-2480:reader"],
            &rule,
        ];
        let lists: [&[&str]; 4] = [&["owner", "list"], &["token", "list"], &["grant", "list"], &["retention", "rule", "list", "se-2480"]];
        let listed = || lists.map(|list| with(&blocked, list).1);
        let before = listed();
        for act in acts {
            let (done, told) = with(&blocked, act);
            assert!(!done && told.contains("access log cannot be written"), "{act:?}: {told}");
        }
        assert_eq!(listed(), before, "nothing was done");
        for act in acts {
            let (done, told) = with(&log, act);
            assert!(done, "{act:?}: {told}");
        }
        let after = listed();
        assert!(after.iter().zip(&before).all(|(after, before)| after != before), "{after:?}");
        let grant = after[2].split_whitespace().next().expect("an id").to_owned();
        let token = after[1].split_whitespace().next().expect("an id").to_owned();
        for act in [&["grant", "take-back", &grant][..], &["token", "revoke", &token]] {
            let before = listed();
            assert!(!with(&blocked, act).0, "{act:?}");
            assert_eq!(listed(), before, "{act:?}");
            assert!(with(&log, act).0, "{act:?}");
        }
        // Nothing to erase: that it was tried is there all the same, by its record.
        let record = "01990c3e-0000-7000-8000-00000000dead";
        let erase = [&["erase", record][..], &decided].concat();
        assert!(with(&blocked, &erase).1.contains("access log cannot be written"));
        assert!(with(&log, &erase).1.contains(record));
        let (_, stale) = with(&log, &["retention", "run", "se-2480", "--plan", "0"]);
        assert!(stale.contains("look at the plan"), "{stale}");
        let archive = grunddata_access_log::Archive::open(&log);
        let found = |query: grunddata_access_log::Query| {
            let order = grunddata_access_log::Order::OldestFirst;
            let page = archive.search(&grunddata_access_log::Query { order, ..query }).expect("the log");
            page.entries.into_iter().map(|logged| logged.entry).collect::<Vec<_>>()
        };
        let owner = grunddata_model::OwnerKey::new("se-2480").expect("a key");
        let of_owner = found(grunddata_access_log::Query { owner: Some(owner), ..Default::default() });
        let begun = |entry: &grunddata_access_log::Entry| entry.detail.as_ref().expect("detail")["begun"] == true;
        let told: Vec<(&str, bool, bool)> = of_owner.iter().map(|entry| (entry.operation.as_str(), begun(entry), entry.outcome.is_ok())).collect();
        // Whose grant or token it is that is taken away is known when it was found.
        assert_eq!(told, [
            ("token-create", true, true), ("token-create", false, true),
            ("grant-give", true, true), ("grant-give", false, true),
            ("retention-rule-add", true, true), ("retention-rule-add", false, true),
            ("grant-take-back", false, true), ("token-revoke", false, true),
            ("retention-run", true, true), ("retention-run", false, false),
        ]);
        assert_eq!(of_owner[1].detail.as_ref().expect("detail")["made"], token);
        assert_eq!(of_owner[3].detail.as_ref().expect("detail")["made"], grant);
        let of_record = found(grunddata_access_log::Query { record: Some(record.parse().expect("an id")), ..Default::default() });
        assert_eq!(of_record.iter().map(begun).collect::<Vec<_>>(), [true, false]);
        assert!(!of_record[1].outcome.is_ok());
    }
}
