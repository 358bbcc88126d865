//! What administrators do at the console, with the real binary.

use grunddata_testing::{Database, on_both};
use serde_json::Value;

use crate::program;

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
}
