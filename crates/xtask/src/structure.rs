//! The rules about the shape of the repository. Each gives a list of findings, empty when it holds.

mod commands;
mod edges;
mod licences;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

pub use commands::{commands, documents};
pub use edges::edges;
pub use licences::licences;
pub use sources::{leaks, lengths, links, names, time};

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// What cargo knows of the workspace and its dependencies.
///
/// # Errors
/// When `cargo metadata` fails.
pub fn metadata() -> Result<cargo_metadata::Metadata> {
    cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cargo metadata")
}

/// The files of the repository: tracked, or new and not ignored. Paths are relative to the root.
///
/// # Errors
/// When git cannot list them.
pub fn files() -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .context("git lists the files to check")?;
    if !output.status.success() {
        bail!(
            "git ls-files failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect())
}

/// The text of a file of the repository; `None` when it is not text.
pub(crate) fn text(path: &Path) -> Result<Option<String>> {
    let bytes = std::fs::read(root().join(path)).with_context(|| path.display().to_string())?;
    Ok(String::from_utf8(bytes).ok())
}
