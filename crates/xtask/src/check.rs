//! `cargo xtask check`: the structure of the repository.

use anyhow::{Result, bail};
use clap::Parser;
use xtask::structure;

use crate::Arguments;

/// Prints every finding of every rule; any finding is a failure.
pub(crate) fn run() -> Result<()> {
    let metadata = structure::metadata()?;
    let rules = [
        (
            "crates depend in one direction",
            structure::edges(&metadata),
        ),
        (
            "dependencies are permissively licensed",
            structure::licences(&metadata),
        ),
        ("files are short", structure::lengths()?),
        ("names say something", structure::names()?),
        ("the clock is a parameter", structure::time()?),
        ("nothing tells of a machine", structure::leaks()?),
        ("links in documents lead somewhere", structure::links()?),
        ("documented tasks exist", tasks()?),
    ];
    let mut found = 0;
    for (rule, findings) in &rules {
        println!(
            "{} {rule}",
            if findings.is_empty() {
                "ok      "
            } else {
                "BROKEN  "
            }
        );
        for finding in findings {
            println!("           {finding}");
        }
        found += findings.len();
    }
    if found > 0 {
        bail!("{found} findings");
    }
    Ok(())
}

/// `cargo xtask …` in the documents must be a task of ours.
fn tasks() -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for document in structure::documents()? {
        for command in structure::commands(&document)? {
            let Some(arguments) = command.strip_prefix("cargo xtask") else {
                continue;
            };
            // A placeholder such as [ARGS] stands for nothing.
            let words = arguments
                .split_whitespace()
                .filter(|word| !word.starts_with('['));
            let parsed = Arguments::try_parse_from(std::iter::once("cargo xtask").chain(words));
            if let Some(error) = parsed.err().filter(clap::Error::use_stderr) {
                findings.push(format!(
                    "{}: `{command}`: {}",
                    document.display(),
                    error.kind()
                ));
            }
        }
    }
    Ok(findings)
}
