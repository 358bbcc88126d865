//! Packages of the information model that are kept and cannot be used: the program starts, names them, and can forget them.

use grunddata_testing::{Database, on_both};

use crate::desk::Desk;
use crate::durability::PATIENCE;
use crate::program::Program;

on_both! {
    fn one_that_cannot_be_used_does_not_keep_the_program_from_starting(db: Database) {
        let desk = Desk::new(db.engine);
        desk.done(&["migrate"]);
        let instant = match db.engine {
            grunddata_testing::Engine::Sqlite => "0",
            grunddata_testing::Engine::Postgres => "now()",
        };
        let kept = |name: &str, files: &str| {
            let rows = desk.db.execute(&format!(
                "INSERT INTO model_package (name, version, digest, files, url, installed_at) VALUES ('{name}', '0.2.0', '00', '{files}', 'https://peer.example.se', {instant})"
            ));
            assert_eq!(rows, 1);
        };
        kept("own", "no JSON");
        kept("other", "{}");
        let said = desk.run(&["owner", "list"]);
        assert!(said.status.success());
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(told.contains("own/0.2.0") && told.contains("other/0.2.0") && told.contains("set aside"), "{told}");
        let program = Program::start(&desk.arguments(&["serve"]), PATIENCE);
        assert!(program.stop().success());
        let listed = desk.done(&["model", "list"]);
        assert!(listed.contains("grunddata/1.0.0  of the program"), "{listed}");
        assert!(listed.contains("own/0.2.0  from https://peer.example.se"), "{listed}");
        assert!(desk.done(&["model", "forget", "own/0.2.0"]).contains("is forgotten"));
        let again = desk.run(&["model", "forget", "own/0.2.0"]);
        assert!(!again.status.success());
        assert!(String::from_utf8_lossy(&again.stderr).contains("no package own/0.2.0"));
        let listed = desk.done(&["model", "list"]);
        assert!(!listed.contains("own/0.2.0") && listed.contains("other/0.2.0"), "{listed}");
    }
}
