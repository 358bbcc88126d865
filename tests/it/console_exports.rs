//! Exports at the console that grow in a file, with the real binary: whole or not there, and nothing left behind.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use grunddata_testing::{Engine, on_both};
use serde_json::{Value, json};

use crate::http_records::server::Http;
use crate::program;

/// Enough for a file that no pipe takes at once.
const AREAS: usize = 1_500;

fn filled(engine: Engine) -> Http {
    let http = Http::start(engine);
    let operations: Vec<Value> = (0..AREAS)
        .map(|number| {
            let (east, north) = (11.0 + number as f64 / 1_000.0, 55.0 + number as f64 / 500.0);
            let ring: Vec<[f64; 2]> = (0..20)
                .map(|corner| f64::from(corner % 19) * 0.330_694)
                .map(|angle| [east + angle.cos() / 300.0, north + angle.sin() / 300.0])
                .collect();
            let geometry = json!({"type": "Polygon", "coordinates": [ring]});
            json!({"op": "create", "collection": "geographies", "validFrom": "2026-01-01",
                "data": {"name": {"sv": format!("Yta {number}")}, "kind": "locality", "geometry": geometry}})
        })
        .collect();
    for part in operations.chunks(500) {
        let body = json!({"operations": part});
        http.writer().post("/transactions", body).expect(200);
    }
    http
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .expect("the directory")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// An export to a pipe that nobody reads, with what it keeps aside in `directory`.
fn begun(http: &Http, directory: &Path, format: &str) -> Child {
    let mut command = program::command(&[
        "export",
        "geographies",
        "--format",
        format,
        "--database",
        http.database_url(),
    ]);
    command.env("TMPDIR", directory);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    // The file is whole, and its first piece is on its way.
    let mut first = [0; 4];
    child
        .stdout
        .as_mut()
        .expect("a pipe")
        .read_exact(&mut first)
        .expect("the beginning");
    child
}

on_both! {
    using filled;

    fn a_file_appears_whole_and_readable_by_its_owner_alone(http: Http) {
        let directory = tempfile::tempdir().expect("a directory");
        for (format, magic) in [("xlsx", &b"PK\x03\x04"[..]), ("parquet", b"PAR1"), ("geopackage", b"SQLite format 3\0")] {
            let file = directory.path().join(format);
            let output = program::run(&["export", "geographies", "--format", format, "--out", file.to_str().expect("a path"), "--database", http.database_url()]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("500 records written"), "{said}");
            assert!(std::fs::read(&file).expect("the file").starts_with(magic), "{format}");
            let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{format}");
        }
        assert_eq!(names(directory.path()), ["geopackage", "parquet", "xlsx"]);
        let gone = directory.path().join("no").join("where");
        let output = program::run(&["export", "geographies", "--format", "parquet", "--out", gone.to_str().expect("a path"), "--database", http.database_url()]);
        assert!(!output.status.success());
        assert_eq!(names(directory.path()).len(), 3);
    }

    fn nothing_is_left_of_what_was_killed_or_not_wanted(http: Http) {
        for format in ["xlsx", "parquet", "geopackage"] {
            let directory = tempfile::tempdir().expect("a directory");
            let mut killed = begun(&http, directory.path(), format);
            assert_eq!(names(directory.path()), Vec::<String>::new(), "{format}: while it is sent");
            killed.kill().expect("killed");
            killed.wait().expect("ended");
            assert_eq!(names(directory.path()), Vec::<String>::new(), "{format}: killed");
            // Whoever reads goes away.
            let mut unread = begun(&http, directory.path(), format);
            drop(unread.stdout.take());
            let status = unread.wait().expect("ended");
            // What fits into the pipe was taken by it.
            assert!(format != "geopackage" || !status.success(), "{format}: {status}");
            assert_eq!(names(directory.path()), Vec::<String>::new(), "{format}: unread");
        }
    }
}
