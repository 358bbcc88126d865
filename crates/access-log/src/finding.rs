//! What was found wrong, and where.

use std::fmt;
use std::path::Path;

use serde::Serialize;

/// One thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, without its directory.
    pub file: String,
    /// The byte in the file from which on it is wrong, where that can be said.
    pub offset: Option<u64>,
    /// What kind of thing.
    pub fault: Fault,
    /// What is wrong, in words.
    pub problem: String,
}

/// Kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The file ends in a batch that is not whole, as a crash leaves it. No entry in it was acknowledged, unless the file
    /// was changed afterwards: the two look the same. Opening the log cuts it off and keeps the bytes beside the segment.
    TornTail,
    /// Bytes are not those that were written.
    Changed,
    /// A file or entries are missing.
    Missing,
    /// Parts that are each whole contradict each other.
    Contradiction,
}

impl Finding {
    pub(crate) fn new(
        path: &Path,
        offset: impl Into<Option<u64>>,
        fault: Fault,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            file: path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned(),
            offset: offset.into(),
            fault,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset}")?;
        }
        write!(f, ": {}", self.problem)
    }
}
