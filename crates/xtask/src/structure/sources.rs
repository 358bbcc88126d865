//! What a source file may be called, how long it may be, and what must not stand in it.

use anyhow::Result;

use super::{files, root, text};

const LINES: usize = 600;

const VAGUE: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "manager", "misc",
];

/// Where the clock may be read: the programs, which hand it to everything else.
const CLOCK: &[&str] = &[
    "crates/cli/",
    "crates/server/src/config.rs",
    "crates/xtask/",
    "crates/bench/",
    "crates/testing/",
    "tests/",
];

/// Rust files over the limit.
///
/// # Errors
/// When the files cannot be read.
pub fn lengths() -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in rust()? {
        let lines = text(&path)?.unwrap_or_default().lines().count();
        if lines > LINES {
            findings.push(format!("{} has {lines} lines: split it", path.display()));
        }
    }
    Ok(findings)
}

/// Files, modules and types whose name says nothing.
///
/// # Errors
/// When the files cannot be read.
pub fn names() -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in rust()? {
        if path
            .with_extension("")
            .iter()
            .filter_map(|part| part.to_str())
            .any(|part| VAGUE.contains(&part))
        {
            findings.push(format!(
                "{}: the name says nothing about what is in it",
                path.display()
            ));
        }
        for (number, line) in text(&path)?.unwrap_or_default().lines().enumerate() {
            if let Some(name) = vague_item(line) {
                findings.push(format!(
                    "{}:{}: {name} says nothing about what it is",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    Ok(findings)
}

fn vague_item(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if !line.starts_with(char::is_alphabetic) {
        return None;
    }
    let mut words = line
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .skip_while(|word| ["", "pub", "crate", "super", "in"].contains(word));
    let (item, name) = (words.next()?, words.next()?);
    let vague = match item {
        "mod" => VAGUE.contains(&name),
        "struct" | "enum" | "trait" | "type" => VAGUE.iter().any(|word| ends_with_word(name, word)),
        _ => false,
    };
    vague.then_some(name)
}

/// `RecordManager` ends with the word `manager`, `Uncommon` does not end with `common`.
fn ends_with_word(name: &str, word: &str) -> bool {
    let mut capitalised = word.to_owned();
    if let Some(first) = capitalised.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name.ends_with(&capitalised)
}

/// Readings of the clock outside the programs: everywhere else time is a parameter.
///
/// # Errors
/// When the files cannot be read.
pub fn time() -> Result<Vec<String>> {
    let calls = ["Utc", "Local", "SystemTime"].map(|clock| format!("{clock}::now("));
    let mut findings = Vec::new();
    for path in rust()? {
        if CLOCK.iter().any(|place| {
            path.starts_with(place.trim_end_matches('/'))
                || path.to_string_lossy().starts_with(place)
        }) {
            continue;
        }
        for (number, line) in text(&path)?.unwrap_or_default().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if calls.iter().any(|call| code.contains(call.as_str())) {
                findings.push(format!(
                    "{}:{}: the clock is a parameter here",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    Ok(findings)
}

/// Paths of the machine that something was made on.
///
/// # Errors
/// When the files cannot be read.
pub fn leaks() -> Result<Vec<String>> {
    // Put together here, so that this file is not its own finding.
    let places = [
        ["/", "root/"],
        ["/", "work/"],
        ["/", "home/"],
        ["/", "Users/"],
    ]
    .map(|parts| parts.concat());
    let mut findings = Vec::new();
    for path in files()? {
        for (number, line) in text(&path)?.unwrap_or_default().lines().enumerate() {
            if places.iter().any(|place| mentions(line, place)) {
                findings.push(format!(
                    "{}:{}: a path of somebody's machine",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    Ok(findings)
}

/// Whether the line holds the absolute path, and not one that merely goes through such a directory.
fn mentions(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|before| !before.is_alphanumeric() && !"/.-_}*~".contains(before))
    })
}

/// Relative links of the documents that lead nowhere.
///
/// # Errors
/// When the files cannot be read.
pub fn links() -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files()?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let content = text(&path)?.unwrap_or_default();
        for target in targets(&content) {
            let file = target.split('#').next().unwrap_or_default();
            let from = root().join(&path);
            if !file.is_empty() && !from.parent().unwrap_or(&from).join(file).exists() {
                findings.push(format!(
                    "{}: the link to {target} leads nowhere",
                    path.display()
                ));
            }
        }
    }
    Ok(findings)
}

/// The targets of `[text](target)` that are neither addresses nor in a code block.
fn targets(content: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in content.lines() {
        inside ^= line.trim_start().starts_with("```");
        if inside {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = line
                .get(at + 2..)
                .and_then(|rest| rest.split(')').next())
                .unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target);
            }
        }
    }
    found
}

fn rust() -> Result<Vec<std::path::PathBuf>> {
    Ok(files()?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{mentions, targets, vague_item};

    #[test]
    fn names_that_say_nothing_are_found() {
        for line in [
            "pub struct RecordManager {",
            "mod utils;",
            "pub(crate) enum QueryHelper<T> {",
            "trait Helper {",
        ] {
            assert!(vague_item(line).is_some(), "{line}");
        }
        for line in [
            "pub struct Uncommon;",
            "mod model;",
            "let manager = 1;",
            "struct HelperlessTimeline;",
            "// mod utils",
        ] {
            assert!(vague_item(line).is_none(), "{line}");
        }
    }

    #[test]
    fn absolute_paths_are_leaks_and_parts_of_others_are_not() {
        let place = ["/", "work/"].concat();
        assert!(mentions(&format!("see {place}x"), &place));
        assert!(mentions(&format!("\"{place}x\""), &place));
        assert!(!mentions(&format!("https://example.org{place}x"), &place));
        assert!(!mentions(&format!("frame{place}x"), &place));
    }

    #[test]
    fn links_are_read_outside_code_blocks() {
        let content = "see [a](docs/a.md#x) and [b](https://example.org)\n```\n[c](nowhere)\n```\n";
        assert_eq!(targets(content), ["docs/a.md#x"]);
    }
}
