//! The commands that the documents tell the reader to run.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{files, text};

/// The documents with commands: those at the root and under `docs/` and `deploy/`.
///
/// # Errors
/// When the files cannot be listed.
pub fn documents() -> Result<Vec<PathBuf>> {
    let told = |path: &PathBuf| {
        let outermost = path.parent().is_some_and(|parent| parent == Path::new(""));
        path.extension().is_some_and(|extension| extension == "md")
            && (outermost || path.starts_with("docs") || path.starts_with("deploy"))
    };
    Ok(files()?.into_iter().filter(told).collect())
}

/// The command lines in the `sh` blocks of a document, continued lines joined and comments removed.
///
/// # Errors
/// When the file cannot be read.
pub fn commands(path: &Path) -> Result<Vec<String>> {
    Ok(lines(&text(path)?.unwrap_or_default()))
}

fn lines(content: &str) -> Vec<String> {
    let mut inside = false;
    let mut found: Vec<String> = Vec::new();
    let mut continued = false;
    for line in content.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside && matches!(language.trim(), "sh" | "bash" | "console");
            continued = false;
            continue;
        }
        let code = line.split(" #").next().unwrap_or_default().trim();
        if !inside || code.is_empty() || code.starts_with('#') {
            continue;
        }
        let (code, goes_on) = code
            .strip_suffix('\\')
            .map_or((code, false), |code| (code.trim_end(), true));
        match found.last_mut() {
            Some(last) if continued => {
                last.push(' ');
                last.push_str(code);
            }
            _ => found.push(code.to_owned()),
        }
        continued = goes_on;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn commands_are_read_from_shell_blocks() {
        let content = "```sh\ncargo xtask test   # both\n# a remark\ncurl \\\n  -s x\n```\n```json\n{}\n```\n";
        assert_eq!(lines(content), ["cargo xtask test", "curl -s x"]);
    }
}
