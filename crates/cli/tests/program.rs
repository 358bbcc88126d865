//! The program as a shell sees it: its exit codes, and what it writes where.

use std::io::Write as _;
use std::process::{Command, Output};

#[cfg(test)]
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_grunddata"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn it_says_its_version() {
    let output = run(&["--version"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text.trim(),
        format!("grunddata {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn an_unknown_command_is_refused_with_the_nearest_one() {
    let output = run(&["verfy"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("'verify'")
    );
}

#[test]
fn a_record_that_does_not_hold_is_told_by_place_and_cure() {
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    write!(
        file,
        r#"{{"domain": "organisation", "data": {{"name": {{"sv": "Skolan"}}, "knd": "unit"}}}}"#
    )
    .unwrap();
    let output = run(&["validate", file.path().to_str().unwrap()]);
    assert!(!output.status.success());
    let told =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("/knd"), "{told}");
    assert!(told.contains("kind"), "{told}");
}
