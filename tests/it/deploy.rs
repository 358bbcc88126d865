//! What the files under `deploy/` and the operations guide say of the program is so.

use std::collections::BTreeSet;
use std::time::Duration;

use grunddata_testing::{Database, Engine};

use crate::program::{self, Program};

const FILES: [&str; 9] = [
    "docs/operations.md",
    "deploy/Dockerfile",
    "deploy/compose.yaml",
    "deploy/grafana/grunddata.json",
    "deploy/prometheus/alerts.yaml",
    "deploy/systemd/grunddata.service",
    "deploy/kubernetes/configuration.yaml",
    "deploy/kubernetes/deployment.yaml",
    "deploy/kubernetes/service.yaml",
];

/// Words that begin like this, in any of the files.
fn mentioned(prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in FILES {
        let content = std::fs::read_to_string(xtask::structure::root().join(file)).expect(file);
        let words = content.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        found.extend(
            words
                .filter(|word| word.starts_with(prefix) && word.len() > prefix.len())
                .map(str::to_owned),
        );
    }
    found
}

#[test]
fn metrics_of_dashboard_and_alerts_exist() {
    let db = Database::new(Engine::Sqlite);
    let migrated = program::run(&["migrate", "--database", &db.url]);
    assert!(
        migrated.status.success(),
        "{}",
        String::from_utf8_lossy(&migrated.stderr)
    );
    let program = Program::start(&["serve", "--database", &db.url], Duration::from_secs(60));
    // What has not happened yet has no figures: a problem, and a read of the database.
    for path in ["/api/v1/nowhere", "/api/v1/organisations"] {
        program.client().get(program.root(path)).send().unwrap();
    }
    let metrics = program
        .client()
        .get(program.root("/metrics"))
        .send()
        .unwrap()
        .text()
        .unwrap();
    let names = mentioned("grunddata_");
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let family = ["_bucket", "_count", "_sum", "_total"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        let known = metrics.contains(&format!("# TYPE {name} "))
            || family.is_some_and(|family| metrics.contains(&format!("# TYPE {family} ")));
        assert!(known, "{name} is not among the metrics:\n{metrics}");
    }
}

#[test]
fn settings_in_the_environment_exist() {
    let names = mentioned("GRUNDDATA_");
    assert!(names.len() > 3, "{names:?}");
    let nowhere = tempfile::tempdir().unwrap();
    let database = nowhere.path().join("no/such/file.sqlite");
    for name in names
        .iter()
        .map(String::as_str)
        .chain(["GRUNDDATA_NO_SUCH_SETTING"])
    {
        let mut command =
            program::command(&["owner", "list", "--database", database.to_str().unwrap()]);
        let output = command.env(name, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            said.contains("unknown field"),
            name == "GRUNDDATA_NO_SUCH_SETTING",
            "{name}: {said}"
        );
    }
}
