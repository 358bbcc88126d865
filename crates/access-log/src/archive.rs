//! The log as those see it who read it: a directory, whether anybody writes there or not.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::AccessLogError;
use crate::finding::Finding;
use crate::merkle::{CompactRange, Hash};
use crate::receipt::Position;
use crate::segment::contents::Contents;
use crate::segment::parts::{Footer, Previous};
use crate::segment::walk::{Walk, walk};
use crate::series::{Chain, Link, SeriesId, is_live, list};

/// Times that a segment is read again which is being written while it is read.
const TRIES: usize = 3;

/// Reads the log in a directory. Needs no writer, and changes nothing but in
/// [`remove_before`](Self::remove_before).
#[derive(Debug, Clone)]
pub struct Archive {
    directory: PathBuf,
}

/// How far a series has come. Kept elsewhere (printed, sent to another authority, signed), it makes every later change of
/// the entries before it provable, the removal of the last ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// The series.
    pub series: SeriesId,
    /// How many entries it has.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Archive {
    /// The log in the directory. Nothing is read yet.
    #[must_use]
    pub fn open(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// All series with their segments.
    pub(crate) fn chains(&self) -> Result<Vec<Chain>, AccessLogError> {
        list(&self.directory)?
            .into_iter()
            .map(|(series, ordinals)| Chain::read(&self.directory, series, &ordinals))
            .collect()
    }

    pub(crate) fn chain(&self, series: SeriesId) -> Result<Chain, AccessLogError> {
        let ordinals = list(&self.directory)?
            .remove(&series)
            .ok_or(AccessLogError::UnknownSeries(series))?;
        Chain::read(&self.directory, series, &ordinals)
    }

    /// How far each series has come.
    ///
    /// # Errors
    /// When the files cannot be read or the last segment of a series is damaged.
    pub fn heads(&self) -> Result<Vec<Head>, AccessLogError> {
        self.chains()?
            .iter()
            .filter_map(|chain| self.head(chain).transpose())
            .collect()
    }

    /// `None` for a series that never had an entry.
    pub(crate) fn head(&self, chain: &Chain) -> Result<Option<Head>, AccessLogError> {
        let tree = match chain.links.last() {
            Some(link) => self.tree_after(chain.series, link)?,
            None => chain.removed.last().and_then(|stone| stone.footer.tree()),
        };
        Ok(tree.and_then(|tree| {
            Some(Head {
                series: chain.series,
                size: tree.end(),
                root: tree.root()?,
            })
        }))
    }

    /// The tree after the last entry of the segment.
    fn tree_after(
        &self,
        series: SeriesId,
        link: &Link,
    ) -> Result<Option<CompactRange>, AccessLogError> {
        if let Some((_, footer)) = open_closed(&link.path)? {
            return Ok(footer.tree());
        }
        let walked = self.walk_live(series, &link.path, None)?;
        Ok(match walked.contents {
            Some(contents) => Some(contents.tree().clone()),
            // Its first batch is being written.
            None => crate::segment::reader::read_header(&link.path)
                .map_err(|error| AccessLogError::io(&link.path, &error))?
                .and_then(|header| header.tree())
                .filter(|tree| !tree.is_empty()),
        })
    }

    /// As [`walk`]; again when a writer may have gone on meanwhile.
    pub(crate) fn walk_live(
        &self,
        series: SeriesId,
        path: &Path,
        next: Option<&Previous>,
    ) -> Result<Walk, AccessLogError> {
        let mut tries = 1;
        loop {
            match walk(path, next) {
                Err(AccessLogError::Damaged(_))
                    if tries < TRIES && is_live(&self.directory, series) =>
                {
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// The contents of a segment that is not closed; an error when it has none.
    pub(crate) fn open_contents(
        &self,
        series: SeriesId,
        link: &Link,
    ) -> Result<Option<Contents>, AccessLogError> {
        let next = link.next.as_ref().map(|(next, _)| next);
        self.walk_live(series, &link.path, next)
            .map(|walked| walked.contents)
    }

    /// Where an entry is that was acknowledged, and its segment.
    pub(crate) fn link_of(
        &self,
        chain: &Chain,
        position: Position,
    ) -> Result<Link, AccessLogError> {
        let size = self.head(chain)?.map_or(0, |head| head.size);
        if position.sequence >= size {
            return Err(AccessLogError::OutOfRange {
                series: chain.series,
                size,
            });
        }
        chain
            .links
            .iter()
            .rev()
            .find(|link| link.first <= position.sequence)
            .cloned()
            .ok_or_else(|| match chain.findings.first() {
                Some(finding) => finding.clone().into(),
                None => AccessLogError::Removed {
                    series: chain.series,
                    first: chain.links.first().map_or(size, |link| link.first),
                },
            })
    }
}

/// The segment with its footer, if it is closed.
pub(crate) fn open_closed(path: &Path) -> Result<Option<(File, Footer)>, AccessLogError> {
    let io = |error| AccessLogError::io(path, &error);
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let footer = crate::segment::reader::read_footer(&mut file, length).map_err(io)?;
    Ok(footer.map(|footer| (file, footer)))
}

/// A part of the index is not what was written.
pub(crate) fn changed_index(path: &Path, footer: &Footer) -> Finding {
    Finding::new(
        path,
        footer.bytes,
        crate::finding::Fault::Changed,
        "the index is changed",
    )
}
