//! A database and a directory for the program at the console.

use std::process::Output;

use grunddata_testing::{Database, Engine};

use crate::program;

/// A mapping of units by their code, for a source of organisations.
pub(crate) const UNITS: &str = r#"
mapping = 1
name = "units"
[[record]]
name = "unit"
domain = "organisation"
key = "unit:{Kod}"
valid-from = "Från"
[record.data]
"name.sv" = { column = "Namn", required = true }
kind = { constant = "unit" }
"#;

/// A database, and a directory for files.
pub(crate) struct Desk {
    pub(crate) db: Database,
    directory: tempfile::TempDir,
    settings: Option<String>,
    /// An administrator's, where one was made.
    pub(crate) token: String,
}

/// All that a program has said.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

impl Desk {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            db: Database::new(engine),
            directory: tempfile::tempdir().expect("a directory"),
            settings: None,
            token: String::new(),
        }
    }

    /// From now on the program has these settings.
    pub(crate) fn configure(&mut self, settings: &str) {
        self.write("grunddata.toml", settings);
        self.settings = Some(self.path("grunddata.toml"));
    }

    /// With the database, and the settings where there are some.
    pub(crate) fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let mut all = [arguments, &["--database", &self.db.url]].concat();
        if let Some(settings) = &self.settings {
            all.extend(["--config", settings]);
        }
        all
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        program::run(&self.arguments(arguments))
    }

    #[track_caller]
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    pub(crate) fn failed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments:?}: {}",
            said(&output)
        );
        said(&output)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        path.to_str().expect("a path").to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("a file");
    }
}
