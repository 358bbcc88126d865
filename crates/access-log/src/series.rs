//! Which files there are, and in which order the segments of a series follow each other.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use grunddata_model::Instant;
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use crate::error::AccessLogError;
use crate::finding::{Fault, Finding};
use crate::removal::{Tombstone, read_tombstones};
use crate::segment::parts::Previous;
use crate::segment::reader::read_header;

/// The id of a series: what one process wrote, or several one after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesId(pub Uuid);

impl SeriesId {
    /// A new one.
    pub(crate) fn mint(at: Instant) -> Self {
        let micros = at.micros().max(0).unsigned_abs();
        let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
        Self(Uuid::new_v7(Timestamp::from_unix(
            NoContext,
            micros / 1_000_000,
            nanos,
        )))
    }
}

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl fmt::Debug for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesId({})", self.0.hyphenated())
    }
}

impl FromStr for SeriesId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The path of a segment.
pub(crate) fn segment_path(directory: &Path, series: SeriesId, ordinal: u64) -> PathBuf {
    directory.join(format!("{series}-{ordinal:010}.log"))
}

/// The path of the tombstones of a series.
pub(crate) fn tombstone_path(directory: &Path, series: SeriesId) -> PathBuf {
    directory.join(format!("{series}.removed"))
}

/// The series in the directory with the ordinals of their segments, oldest first. Empty for one that has nothing but a
/// lock or tombstones.
pub(crate) fn list(directory: &Path) -> Result<BTreeMap<SeriesId, Vec<u64>>, AccessLogError> {
    let io = |error| AccessLogError::io(directory, &error);
    let mut series: BTreeMap<SeriesId, Vec<u64>> = BTreeMap::new();
    for file in fs::read_dir(directory).map_err(io)? {
        let name = file.map_err(io)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(id) = name.get(..36).and_then(|id| id.parse().ok()) else {
            continue;
        };
        let rest = name.get(36..).unwrap_or_default();
        let ordinal: Option<u64> = rest
            .strip_prefix('-')
            .and_then(|rest| rest.strip_suffix(".log"))
            .and_then(|ordinal| ordinal.parse().ok());
        if ordinal.is_some() || rest == ".lock" || rest == ".removed" {
            series.entry(id).or_default().extend(ordinal);
        }
    }
    series
        .values_mut()
        .for_each(|ordinals| ordinals.sort_unstable());
    Ok(series)
}

/// Takes the lock of the series; `None` when another holds it. It lasts as long as the file is open.
pub(crate) fn lock(directory: &Path, series: SeriesId) -> Result<Option<File>, AccessLogError> {
    let path = directory.join(format!("{series}.lock"));
    let io = |error| AccessLogError::io(&path, &error);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Whether a process is writing the series.
pub(crate) fn is_live(directory: &Path, series: SeriesId) -> bool {
    let path = directory.join(format!("{series}.lock"));
    // Shared, so that two who ask at the same time do not take each other for the writer.
    File::open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// A segment in its place.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) path: PathBuf,
    pub(crate) ordinal: u64,
    /// The number of its first entry.
    pub(crate) first: u64,
    pub(crate) previous: Option<Previous>,
    /// What the next segment says of this one, and where its entries begin.
    pub(crate) next: Option<(Previous, u64)>,
}

/// The segments of a series that belong together.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) series: SeriesId,
    /// The oldest first.
    pub(crate) links: Vec<Link>,
    /// Files that no segment continues: they could not be begun, and nothing in them was acknowledged.
    pub(crate) strays: Vec<PathBuf>,
    /// The last file, when it does not even begin with a header.
    pub(crate) unbegun: Option<PathBuf>,
    pub(crate) removed: Vec<Tombstone>,
    /// What is missing, or cannot be read.
    pub(crate) findings: Vec<Finding>,
    /// The ordinal for the next segment.
    pub(crate) next_ordinal: u64,
}

impl Chain {
    /// Reads the headers of the segments with these ordinals.
    pub(crate) fn read(
        directory: &Path,
        series: SeriesId,
        ordinals: &[u64],
    ) -> Result<Self, AccessLogError> {
        let mut findings = Vec::new();
        let path = tombstone_path(directory, series);
        let removed = read_tombstones(&path, &mut findings)?;
        let mut chain = Self {
            series,
            links: Vec::new(),
            strays: Vec::new(),
            unbegun: None,
            next_ordinal: ordinals
                .last()
                .copied()
                .max(removed.last().map(|stone| stone.footer.ordinal))
                .map_or(0, |last| last + 1),
            removed,
            findings,
        };
        let mut wanted: Option<(Previous, u64)> = None;
        let mut ended = false;
        for ordinal in ordinals.iter().rev().copied() {
            let path = segment_path(directory, series, ordinal);
            if ended
                || wanted
                    .as_ref()
                    .is_some_and(|(next, _)| ordinal > next.ordinal)
            {
                chain.strays.push(path);
                continue;
            }
            let header = match read_header(&path) {
                Ok(header) => header,
                // Removed by another process since the directory was read.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(AccessLogError::io(&path, &error)),
            };
            let Some(header) =
                header.filter(|header| header.series == series && header.ordinal == ordinal)
            else {
                if wanted.is_none() && chain.unbegun.is_none() {
                    chain.unbegun = Some(path);
                    continue;
                }
                if path.exists() {
                    chain.findings.push(Finding::new(
                        &path,
                        0,
                        Fault::Changed,
                        "the header cannot be read",
                    ));
                }
                break;
            };
            if let Some((next, _)) = &wanted
                && next.ordinal != ordinal
            {
                break;
            }
            chain.links.push(Link {
                path,
                ordinal,
                first: header.first,
                previous: header.previous.clone(),
                next: wanted.take(),
            });
            match header.previous {
                Some(previous) => wanted = Some((previous, header.first)),
                None => ended = true,
            }
        }
        chain.links.reverse();
        chain.check_begin(directory);
        Ok(chain)
    }

    /// Whether what the first segment continues was removed, and not lost.
    fn check_begin(&mut self, directory: &Path) {
        let Some(first) = self.links.first() else {
            return;
        };
        let Some(previous) = &first.previous else {
            return;
        };
        let stone = self
            .removed
            .iter()
            .find(|stone| stone.footer.ordinal == previous.ordinal);
        let fits = stone.is_some_and(|stone| {
            stone.footer.root == previous.root
                && stone.footer.first + stone.footer.count == first.first
        });
        if !fits {
            let path = segment_path(directory, self.series, previous.ordinal);
            self.findings.push(if stone.is_some() {
                Finding::new(
                    &first.path,
                    0,
                    Fault::Contradiction,
                    "the segment does not continue what was removed before it",
                )
            } else if path.exists() {
                Finding::new(
                    &path,
                    0,
                    Fault::Changed,
                    "the segment cannot be read, and those before it",
                )
            } else {
                Finding::new(
                    &path,
                    None,
                    Fault::Missing,
                    "the segment is missing, and those before it",
                )
            });
        }
    }
}
