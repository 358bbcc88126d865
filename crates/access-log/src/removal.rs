//! Removing what has been kept long enough.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use grunddata_model::Instant;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use crate::archive::{Archive, open_closed};
use crate::disk::{Disk, FileSystem, remove};
use crate::error::AccessLogError;
use crate::finding::{Fault, Finding};
use crate::merkle::Hash;
use crate::segment::parts::Footer;
use crate::series::{Chain, SeriesId, tombstone_path};

/// What is to be removed, and who answers for it.
#[derive(Debug, Clone)]
pub struct Removal {
    /// Segments whose entries are all older than this go.
    pub before: Instant,
    /// When it is done.
    pub at: Instant,
    /// Who does it.
    pub by: String,
    /// The disposal decision it rests on.
    pub decision: Option<String>,
}

/// A segment that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The series.
    pub series: SeriesId,
    /// The number of its first entry.
    pub first: u64,
    /// How many entries it had.
    pub count: u64,
    /// The root of the series after the last of them.
    pub root: Hash,
    /// When the last of them was made.
    pub latest: Instant,
}

/// What stays of a removed segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    /// The labels are left out: they tell what was in it.
    pub(crate) footer: Footer,
    pub(crate) at: Instant,
    pub(crate) by: String,
    pub(crate) decision: Option<String>,
    /// SHA-256 of the line before, or of nothing.
    pub(crate) before: Hash,
}

#[derive(Serialize, Deserialize)]
struct Line {
    stone: Tombstone,
    check: String,
}

fn hash_line(line: &str) -> Hash {
    Hash(Sha256::digest(line.as_bytes()).into())
}

fn check_of(stone: &Tombstone) -> Result<String, serde_json::Error> {
    serde_json::to_vec(stone).map(|bytes| format!("{:016x}", xxh3_64(&bytes)))
}

/// The tombstones of a series, the oldest first. A last line without its end is of a removal that was broken off before
/// anything was removed.
pub(crate) fn read_tombstones(
    path: &Path,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Tombstone>, AccessLogError> {
    let content = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            findings.push(Finding::new(
                path,
                None,
                Fault::Changed,
                "the tombstones are no text",
            ));
            return Ok(Vec::new());
        }
        other => other.map_err(|error| AccessLogError::io(path, &error))?,
    };
    let mut stones: Vec<Tombstone> = Vec::new();
    let mut before = hash_line("");
    let mut offset = 0_u64;
    for line in content.split_inclusive('\n') {
        let Some(text) = line.strip_suffix('\n') else {
            findings.push(Finding::new(
                path,
                offset,
                Fault::TornTail,
                "the last tombstone is cut off",
            ));
            break;
        };
        let stone = serde_json::from_str::<Line>(text)
            .ok()
            .filter(|line| check_of(&line.stone).is_ok_and(|check| check == line.check))
            // One written form only, so that no byte can be changed.
            .filter(|line| serde_json::to_string(line).is_ok_and(|again| again == text))
            .filter(|line| line.stone.before == before)
            .map(|line| line.stone);
        let follows = stones
            .last()
            .zip(stone.as_ref())
            .is_none_or(|(last, stone)| {
                last.footer.first + last.footer.count == stone.footer.first
            });
        match stone {
            Some(stone) if follows => stones.push(stone),
            _ => {
                findings.push(Finding::new(
                    path,
                    offset,
                    Fault::Changed,
                    "a tombstone is changed",
                ));
                break;
            }
        }
        before = hash_line(text);
        offset += line.len() as u64;
    }
    Ok(stones)
}

impl Archive {
    /// Removes the segments that are closed and whose entries are all older than the instant, the oldest of each series
    /// first and none beyond one that stays. The tombstones are durable before anything is removed. What is open stays:
    /// [`AccessLog::seal`](crate::AccessLog::seal) closes it.
    ///
    /// # Errors
    /// When files cannot be read or written, or a series is damaged where it would be cut: nothing of that series is
    /// removed then. [`AccessLogError::Limit`] when the name or the decision is longer than 1,000 bytes.
    pub fn remove_before(&self, removal: &Removal) -> Result<Vec<Removed>, AccessLogError> {
        for (what, text) in [
            ("by", Some(&removal.by)),
            ("decision", removal.decision.as_ref()),
        ] {
            let given = text.map_or(0, String::len);
            if given > 1_000 {
                return Err(AccessLogError::Limit {
                    what,
                    given,
                    limit: 1_000,
                });
            }
        }
        let path = self.directory().join("removal.lock");
        let io = |error| AccessLogError::io(&path, &error);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        lock.lock().map_err(io)?;
        let mut removed = Vec::new();
        for chain in self.chains()? {
            self.remove_of(&chain, removal, &mut removed)?;
        }
        Ok(removed)
    }

    fn remove_of(
        &self,
        chain: &Chain,
        removal: &Removal,
        removed: &mut Vec<Removed>,
    ) -> Result<(), AccessLogError> {
        let path = tombstone_path(self.directory(), chain.series);
        let io = |error| AccessLogError::io(&path, &error);
        let mut gone = Vec::new();
        let mut lines = String::new();
        let mut before = match fs::read_to_string(&path) {
            Ok(content) => hash_line(content.lines().last().unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::NotFound => hash_line(""),
            Err(error) => return Err(io(error)),
        };
        for link in &chain.links {
            // A removal that was broken off after the tombstones were written is finished.
            if chain
                .removed
                .iter()
                .any(|stone| stone.footer.ordinal == link.ordinal)
            {
                gone.push(link.path.clone());
                continue;
            }
            let Some((_, footer)) = open_closed(&link.path)? else {
                break;
            };
            if footer.to >= removal.before.micros() {
                break;
            }
            removed.push(Removed {
                series: chain.series,
                first: footer.first,
                count: footer.count,
                root: footer.root,
                latest: Instant::from_micros(footer.to),
            });
            let stone = Tombstone {
                footer: Footer {
                    labels: None,
                    ..footer
                },
                at: removal.at,
                by: removal.by.clone(),
                decision: removal.decision.clone(),
                before,
            };
            let encoding =
                |error: serde_json::Error| AccessLogError::Encoding(error.to_string().into());
            let check = check_of(&stone).map_err(encoding)?;
            let line = serde_json::to_string(&Line { stone, check }).map_err(encoding)?;
            before = hash_line(&line);
            lines.push_str(&line);
            lines.push('\n');
            gone.push(link.path.clone());
        }
        if gone.is_empty() {
            return Ok(());
        }
        if let Some(finding) = chain.findings.first() {
            return Err(finding.clone().into());
        }
        if !lines.is_empty() {
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(&path)
                .map_err(io)?;
            file.write_all(lines.as_bytes()).map_err(io)?;
            file.sync_all().map_err(io)?;
            FileSystem.sync_directory(self.directory()).map_err(io)?;
        }
        for path in gone {
            remove(&path).map_err(|error| AccessLogError::io(&path, &error))?;
            self.remove_torn(&path)?;
        }
        FileSystem.sync_directory(self.directory()).map_err(io)
    }

    /// Removes the bytes that were cut off from the segment after a crash.
    fn remove_torn(&self, segment: &Path) -> Result<(), AccessLogError> {
        let io = |error| AccessLogError::io(segment, &error);
        let name = segment
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let beginning = format!("{name}.torn-");
        for file in fs::read_dir(self.directory()).map_err(io)? {
            let file = file.map_err(io)?;
            if file.file_name().to_string_lossy().starts_with(&beginning) {
                remove(&file.path()).map_err(io)?;
            }
        }
        Ok(())
    }
}
