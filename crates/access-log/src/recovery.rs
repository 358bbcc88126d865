//! Opening a series: closing what was left open, and cutting what a crash tore.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::archive::open_closed;
use crate::disk::{Disk, FileSystem};
use crate::error::AccessLogError;
use crate::finding::{Fault, Finding};
use crate::merkle::CompactRange;
use crate::segment::contents::Contents;
use crate::segment::parts::Previous;
use crate::segment::walk::{Tail, walk};
use crate::series::{Chain, SeriesId, list, segment_path};

/// Where a writer goes on.
pub(crate) struct Resume {
    pub(crate) tree: CompactRange,
    pub(crate) previous: Option<Previous>,
    pub(crate) next_ordinal: u64,
}

impl Resume {
    /// A series that has nothing yet.
    pub(crate) fn fresh() -> Self {
        Self {
            tree: CompactRange::new(0),
            previous: None,
            next_ordinal: 0,
        }
    }
}

/// Brings the files of a series whose lock is held in order. What was torn is added to `torn`; damage is an error, and the
/// files stay as they are.
pub(crate) fn recover(
    directory: &Path,
    series: SeriesId,
    torn: &mut Vec<Finding>,
) -> Result<Resume, AccessLogError> {
    let ordinals = list(directory)?.remove(&series).unwrap_or_default();
    let chain = Chain::read(directory, series, &ordinals)?;
    // A removal that was broken off before it began is no damage.
    if let Some(finding) = chain
        .findings
        .iter()
        .find(|finding| finding.fault != Fault::TornTail)
    {
        return Err(finding.clone().into());
    }
    if let Some(path) = &chain.unbegun {
        // An error if the file once had entries.
        walk(path, None)?;
        set_aside(path, torn)?;
    }
    for path in &chain.strays {
        set_aside(path, torn)?;
    }
    let mut last = None;
    for link in &chain.links {
        let closed = open_closed(&link.path)?.map(|(_, footer)| footer);
        let footer = match closed {
            Some(footer) => Some(footer),
            None => close(&link.path, link.next.as_ref().map(|(next, _)| next), torn)?,
        };
        last = footer.map(|footer| (link.path.clone(), footer)).or(last);
    }
    let (path, footer) = match (last, chain.removed.last()) {
        (Some(last), _) => last,
        (None, Some(stone)) => {
            let footer = stone.footer.clone();
            (segment_path(directory, series, footer.ordinal), footer)
        }
        (None, None) => {
            return Ok(Resume {
                next_ordinal: chain.next_ordinal,
                ..Resume::fresh()
            });
        }
    };
    let tree = footer
        .tree()
        .filter(|tree| tree.root() == Some(footer.root))
        .ok_or_else(|| {
            Finding::new(
                &path,
                None,
                Fault::Contradiction,
                "the footer contradicts itself",
            )
        })?;
    Ok(Resume {
        tree,
        previous: Some(Previous {
            ordinal: footer.ordinal,
            bytes: footer.bytes,
            root: footer.root,
            closed: true,
        }),
        next_ordinal: chain.next_ordinal,
    })
}

/// Closes a segment that was left open, in a new file: pages of the old one may be in memory only although the system
/// says otherwise. `None` when there was nothing whole in it.
fn close(
    path: &Path,
    next: Option<&Previous>,
    torn: &mut Vec<Finding>,
) -> Result<Option<crate::segment::parts::Footer>, AccessLogError> {
    let io = |error| AccessLogError::io(path, &error);
    let walked = walk(path, next)?;
    let Some(mut contents) = walked.contents else {
        set_aside(path, torn)?;
        return Ok(None);
    };
    let length = fs::metadata(path).map_err(io)?.len();
    if walked.tail == Tail::Torn && length > contents.bytes() {
        let aside = free_name(path);
        copy(path, contents.bytes(), length, &aside, &[]).map_err(io)?;
        torn.push(Finding::new(
            path,
            contents.bytes(),
            Fault::TornTail,
            format!(
                "{} bytes after the last whole batch were cut off",
                length - contents.bytes()
            ),
        ));
    }
    rewrite(path, &mut contents).map_err(io)?;
    Ok(Some(contents.footer()))
}

fn rewrite(path: &Path, contents: &mut Contents) -> io::Result<()> {
    let closing = contents.closing()?;
    let fresh = path.with_extension("new");
    copy(path, 0, contents.bytes(), &fresh, &closing)?;
    fs::rename(&fresh, path)?;
    FileSystem.sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Copies a part of a file, and more bytes, to another, durably.
fn copy(from: &Path, begin: u64, end: u64, to: &Path, more: &[u8]) -> io::Result<()> {
    let mut source = File::open(from)?;
    source.seek(SeekFrom::Start(begin))?;
    let mut target = File::create(to)?;
    io::copy(&mut source.take(end - begin), &mut target)?;
    target.write_all(more)?;
    target.sync_all()
}

/// Renames a file in which nothing was acknowledged. An empty one is removed.
fn set_aside(path: &Path, torn: &mut Vec<Finding>) -> Result<(), AccessLogError> {
    let io = |error| AccessLogError::io(path, &error);
    if fs::metadata(path).map_err(io)?.len() == 0 {
        return fs::remove_file(path).map_err(io);
    }
    fs::rename(path, free_name(path)).map_err(io)?;
    torn.push(Finding::new(
        path,
        0,
        Fault::TornTail,
        "the segment has no entry that was acknowledged and was set aside",
    ));
    FileSystem
        .sync_directory(path.parent().unwrap_or(Path::new(".")))
        .map_err(io)
}

fn free_name(path: &Path) -> PathBuf {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut number = 0_u32;
    loop {
        let free = path.with_file_name(format!("{name}.torn-{number}"));
        if !free.exists() {
            return free;
        }
        number += 1;
    }
}
