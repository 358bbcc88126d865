//! What can go wrong in the access log.

use std::path::Path;
use std::sync::Arc;

use crate::{Finding, SeriesId};

/// An error of the access log. Cheap to clone: one failed batch answers many waiting callers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessLogError {
    /// The entries that wait to be written fill the buffer. Nothing was logged; refuse the request, try again.
    #[error("the access log cannot keep up: try again")]
    Full,
    /// The batch of this entry could not be written or made durable. The entry is not logged, so what it is about must
    /// not be shown.
    #[error("the access log could not be written: {0}")]
    NotWritten(Arc<str>),
    /// The log is shut down and takes no more entries.
    #[error("the access log is shut down")]
    ShutDown,
    /// A text or list of the entry or the question is too long.
    #[error("{what}: {given} is more than the limit {limit}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// What was given (bytes of a text, items of a list).
        given: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The entry cannot be written as JSON.
    #[error("the entry cannot be encoded: {0}")]
    Encoding(Arc<str>),
    /// A file or directory could not be read or written.
    #[error("{path}: {problem}")]
    Io {
        /// Which.
        path: Arc<str>,
        /// What the operating system said.
        problem: Arc<str>,
    },
    /// Files hold something else than what was written there.
    #[error("the access log is damaged: {0}")]
    Damaged(Arc<Finding>),
    /// There is no such series in the directory.
    #[error("there is no series {0}")]
    UnknownSeries(SeriesId),
    /// The series has no entry with this number, or is not that long.
    #[error("the series {series} has {size} entries")]
    OutOfRange {
        /// The series.
        series: SeriesId,
        /// How many entries it has.
        size: u64,
    },
    /// The entries are among those that were removed after their time.
    #[error("the entries before number {first} of the series {series} were removed")]
    Removed {
        /// The series.
        series: SeriesId,
        /// The first number that is still there.
        first: u64,
    },
    /// Not a cursor of this search.
    #[error("the cursor was not made by this search: begin anew without one")]
    Cursor,
}

impl AccessLogError {
    pub(crate) fn io(path: &Path, problem: &std::io::Error) -> Self {
        Self::Io {
            path: path.display().to_string().into(),
            problem: problem.to_string().into(),
        }
    }

    /// Whether the same call may succeed when it is made again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::NotWritten(_))
    }
}

impl From<Finding> for AccessLogError {
    fn from(finding: Finding) -> Self {
        Self::Damaged(Arc::new(finding))
    }
}
