//! SQLite: a file in a temporary directory; templates lie beside the test binaries under `target/`.

#![expect(
    clippy::expect_used,
    reason = "a test whose database cannot be made must fail"
)]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::template::TemplateName;

const FILE: &str = "grunddata.sqlite";

pub(crate) fn empty() -> (TempDir, String) {
    let directory = tempfile::Builder::new()
        .prefix("grunddata-test-")
        .tempdir()
        .expect("a temporary directory");
    let url = address(&directory.path().join(FILE));
    (directory, url)
}

pub(crate) fn from_template(name: &str, build: impl FnOnce(&str)) -> (TempDir, String) {
    let name = TemplateName::of(name);
    let template = templates().join(&name.current);
    if !template.exists() {
        construct(&template, &name, build);
    }
    copy(&template)
}

/// A directory of its own with what lies in this one.
pub(crate) fn copy(of: &Path) -> (TempDir, String) {
    let (directory, url) = empty();
    // A write-ahead log is there when the last connection was not closed in an orderly way.
    for file in fs::read_dir(of).expect("the database can be listed") {
        let file = file.expect("the database can be listed");
        fs::copy(file.path(), directory.path().join(file.file_name()))
            .expect("the database can be copied");
    }
    (directory, url)
}

/// Built aside and renamed into place: tests run in parallel, also as processes, and whoever is second
/// throws its own away.
fn construct(template: &Path, name: &TemplateName, build: impl FnOnce(&str)) {
    let all = templates();
    fs::create_dir_all(&all).expect("a place for templates");
    let aside = tempfile::Builder::new()
        .prefix("building-")
        .tempdir_in(&all)
        .expect("a place for a template");
    build(&address(&aside.path().join(FILE)));
    if fs::rename(aside.path(), template).is_err() {
        assert!(
            template.exists(),
            "the template {} cannot be put in place",
            template.display()
        );
    }
    for old in fs::read_dir(&all).into_iter().flatten().flatten() {
        let old_name = old.file_name().to_string_lossy().into_owned();
        if old_name.starts_with(&name.family) && old_name != name.current {
            drop(fs::remove_dir_all(old.path()));
        }
    }
}

fn templates() -> PathBuf {
    let exe = std::env::current_exe().expect("a test binary has a path");
    exe.parent()
        .expect("a file lies in a directory")
        .join("grunddata-test-templates")
}

fn address(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
