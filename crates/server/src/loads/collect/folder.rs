//! A watched folder: which of its files are whole, and where they go afterwards.
//!
//! A file is copied before it is read: what is loaded is what was looked at, whoever writes to it meanwhile. Afterwards it is
//! moved into `done/` or `failed/` of the folder. Nothing is ever followed out of the folder: links are refused.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Stopwatch, SystemTime, UNIX_EPOCH};

use glob::Pattern;
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{Collect, Context, Load, LoadStatus, Refusal, Source, stockholm_day};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Collector, Extent, Outcome, Staged, gives_way, is_clean, is_open, kind_of, may_apply};
use crate::loads::{Collected, Delivery, PIECE, hex};

/// Where files go that were planned, and those that were refused.
const DONE: &str = "done";
const FAILED: &str = "failed";
/// The most files of one folder that are looked at at once.
const MOST_FILES: usize = 10_000;
/// The most files that are remembered.
const MOST_SEEN: usize = 100_000;

/// How files looked when they were seen first: what does not change any more is whole.
#[derive(Debug, Default)]
pub struct Stillness {
    seen: Mutex<HashMap<PathBuf, Seen>>,
    now: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    size: u64,
    modified: Option<SystemTime>,
    since: Stopwatch,
}

impl Stillness {
    /// For whoever looks once: a file that was last written so long before this instant is whole.
    #[must_use]
    pub fn by_age(now: Instant) -> Self {
        Self {
            now: Some(now),
            ..Self::default()
        }
    }

    /// Whether the file has been as it is for so long, as far as this process has seen.
    fn is_still(&self, path: &Path, metadata: &Metadata, still: Duration) -> bool {
        if let Some(now) = self.now {
            let age = written(metadata).map(|at| now.micros().saturating_sub(at.micros()));
            return age.is_some_and(|age| i128::from(age) >= still.as_micros().cast_signed());
        }
        let mut seen = self.seen.lock();
        if seen.len() > MOST_SEEN {
            seen.clear();
        }
        let (size, modified) = (metadata.len(), metadata.modified().ok());
        let known = seen
            .get(path)
            .copied()
            .filter(|known| known.size == size && known.modified == modified);
        let known = known.unwrap_or_else(|| {
            let now = Seen {
                size,
                modified,
                since: Stopwatch::now(),
            };
            seen.insert(path.to_owned(), now);
            now
        });
        known.since.elapsed() >= still
    }

    fn forget(&self, path: &Path) {
        self.seen.lock().remove(path);
    }
}

/// A file of the folder that may be loaded.
struct Candidate {
    path: PathBuf,
    name: String,
    metadata: Metadata,
}

impl Collector<'_> {
    /// Loads what lies in a folder, the oldest file first, until a load waits for somebody.
    pub(super) fn folder(
        &self,
        context: &Context,
        source: &Source,
        collect: &Collect,
        path: &Path,
        begin: &mut dyn FnMut(&str) -> Result<(), Refusal>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), String> {
        let folder = self.allowed(&source.owner, path)?;
        let (done, failed) = if self.extent == Extent::Settings {
            (below(&folder, DONE)?, below(&folder, FAILED)?)
        } else {
            (PathBuf::new(), PathBuf::new())
        };
        for candidate in candidates(&folder, collect)? {
            if !self.is_whole(&candidate, collect) {
                outcomes.push(Outcome::Unfinished {
                    file: candidate.name,
                });
                continue;
            }
            let latest = self.latest(context, source)?;
            let (staged, sha256) = self.copy(&candidate)?;
            let kind = kind_of(collect);
            let same = latest.filter(|load| {
                load.file.sha256.as_deref() == Some(&sha256)
                    && load.kind == kind
                    && counts(load, source)
            });
            let open = self.open_load(context, source)?;
            let load = match (same, open) {
                (Some(load), _) => {
                    drop(staged);
                    self.again(context, collect, load, begin, &candidate.name, outcomes)?
                }
                (None, Some(open)) => {
                    outcomes.push(Outcome::Waits(Box::new(open)));
                    return Ok(());
                }
                (None, None) => {
                    begin(&candidate.name).map_err(super::said)?;
                    let delivery = Delivery {
                        path: PathBuf::new(),
                        name: candidate.name.clone(),
                        date: written(&candidate.metadata).map(stockholm_day),
                        sha256: Some(sha256),
                        collected: Some(Collected {
                            from: "folder",
                            changes_after: None,
                            validators: grunddata_pull::Validators::default(),
                        }),
                    };
                    let Some(load) = self.load(context, source, collect, kind, delivery, staged)?
                    else {
                        outcomes.push(Outcome::Stopped);
                        return Ok(());
                    };
                    outcomes.push(Outcome::Load(Box::new(load.clone())));
                    load
                }
            };
            if self.extent == Extent::Settings {
                let to = if load.status == LoadStatus::Refused {
                    &failed
                } else {
                    &done
                };
                self.put_away(&candidate, collect, to, load.id)?;
            }
            if is_open(load.status) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What is done with a file of which the latest load was made already.
    fn again(
        &self,
        context: &Context,
        collect: &Collect,
        load: Load,
        begin: &mut dyn FnMut(&str) -> Result<(), Refusal>,
        file: &str,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<Load, String> {
        if load.status == LoadStatus::Applied {
            outcomes.push(Outcome::Same {
                file: file.to_owned(),
            });
            return Ok(load);
        }
        let applies =
            self.extent == Extent::Settings && may_apply(&load, collect, self.registry.now());
        if !applies {
            outcomes.push(Outcome::Waits(Box::new(load.clone())));
            return Ok(load);
        }
        begin(file).map_err(super::said)?;
        let load = self.apply(context, &load)?;
        outcomes.push(Outcome::Load(Box::new(load.clone())));
        Ok(load)
    }

    pub(super) fn any_file(
        &self,
        source: &Source,
        collect: &Collect,
        path: &Path,
    ) -> Result<bool, String> {
        let folder = self.allowed(&source.owner, path)?;
        let mut any = false;
        // Every file is looked at: from now on it is known since when it is as it is.
        for candidate in candidates(&folder, collect)? {
            any |= self.is_whole(&candidate, collect);
        }
        Ok(any)
    }

    /// The folder with all links followed, when it lies where the owner's sources may watch.
    fn allowed(&self, owner: &OwnerKey, path: &Path) -> Result<PathBuf, String> {
        let refused = || {
            format!(
                "The folder {} is not among those that sources of {owner} may watch: whoever runs the registry adds it in the settings (collect.reaches).",
                path.display()
            )
        };
        let mut allowed = self
            .collecting
            .reaches
            .iter()
            .filter(|reach| reach.owner == *owner)
            .flat_map(|reach| &reach.folders)
            .peekable();
        // Who may watch nothing is not told what there is.
        if !path.is_absolute() || allowed.peek().is_none() {
            return Err(refused());
        }
        let allowed: Vec<PathBuf> = allowed
            .filter_map(|folder| folder.canonicalize().ok())
            .collect();
        let Ok(folder) = path.canonicalize() else {
            let named = allowed.iter().any(|allowed| path.starts_with(allowed));
            return Err(if named {
                format!(
                    "The folder {} cannot be read, or is not there.",
                    path.display()
                )
            } else {
                refused()
            });
        };
        if allowed.iter().any(|allowed| folder.starts_with(allowed)) && folder.is_dir() {
            Ok(folder)
        } else {
            Err(refused())
        }
    }

    fn is_whole(&self, candidate: &Candidate, collect: &Collect) -> bool {
        match &collect.marker {
            Some(marker) => is_marked(candidate, marker),
            None => self
                .stillness
                .is_still(&candidate.path, &candidate.metadata, collect.still()),
        }
    }

    /// Copies a file to where files lie until they are loaded, and reckons its SHA-256.
    fn copy(&self, candidate: &Candidate) -> Result<(Staged, String), String> {
        let unreadable =
            |error: io::Error| format!("The file {} cannot be read: {error}.", candidate.name);
        let changed = || {
            format!(
                "The file {} changed while it was read: it is looked at again.",
                candidate.name
            )
        };
        let mut from = File::open(&candidate.path).map_err(unreadable)?;
        // What was opened is what was looked at, and not what somebody has put in its place.
        if !is_same(&candidate.metadata, &from.metadata().map_err(unreadable)?) {
            return Err(changed());
        }
        let (staged, mut to) = Staged::create(self.directory)
            .map_err(|error| format!("The file cannot be copied to be loaded: {error}."))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0_u8; PIECE];
        loop {
            let read = from.read(&mut buffer).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            let piece = buffer.get(..read).unwrap_or_default();
            hash.update(piece);
            to.write_all(piece)
                .map_err(|error| format!("The file cannot be copied to be loaded: {error}."))?;
        }
        if !is_same(&candidate.metadata, &from.metadata().map_err(unreadable)?) {
            self.stillness.forget(&candidate.path);
            return Err(changed());
        }
        to.sync_data()
            .map_err(|error| format!("The file cannot be copied to be loaded: {error}."))?;
        Ok((staged, hex(&hash.finalize())))
    }

    /// Moves a file out of the way, with the id of its load in its name.
    fn put_away(
        &self,
        candidate: &Candidate,
        collect: &Collect,
        to: &Path,
        load: Uuid,
    ) -> Result<(), String> {
        self.stillness.forget(&candidate.path);
        let unmoved = |error: io::Error| {
            format!(
                "The file {} was looked at and cannot be moved to {}: {error}.",
                candidate.name,
                to.display()
            )
        };
        // Another file may have been put there meanwhile: it is looked at by itself, with a marker of its own.
        match fs::symlink_metadata(&candidate.path) {
            Ok(metadata) if is_same(&candidate.metadata, &metadata) => {}
            _ => return Ok(()),
        }
        // The marker first: a file without one waits, and one without a file would stand for the next.
        if let Some(marker) = &collect.marker {
            match fs::remove_file(beside(&candidate.path, marker)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unmoved(error));
                }
                _ => {}
            }
        }
        let mut target = to.join(format!("{load}-{}", candidate.name));
        for number in 2..100 {
            if fs::symlink_metadata(&target).is_err() {
                break;
            }
            target = to.join(format!("{load}-{number}-{}", candidate.name));
        }
        fs::rename(&candidate.path, &target).map_err(unmoved)?;
        Ok(())
    }
}

/// Whether a load of the same file stands for it: it need not be loaded again. One of which rows were left over, or that was
/// made by other settings, does not.
pub(super) fn counts(load: &Load, source: &Source) -> bool {
    let is_done = load.status == LoadStatus::Applied
        && is_clean(load)
        && load.source_version == source.version;
    is_open(load.status) && !gives_way(load) || is_done
}

/// The files of a folder that the settings mean, the oldest first.
fn candidates(folder: &Path, collect: &Collect) -> Result<Vec<Candidate>, String> {
    let unreadable =
        |error: io::Error| format!("The folder {} cannot be read: {error}.", folder.display());
    let pattern = Pattern::new(collect.pattern.as_deref().unwrap_or("*"))
        .map_err(|error| format!("The pattern cannot be used: {error}."))?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let is_marker = collect
            .marker
            .as_ref()
            .is_some_and(|marker| name.ends_with(marker));
        if name.starts_with('.') || is_marker || name.len() > 200 || !pattern.matches(name) {
            continue;
        }
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_symlink() {
            return Err(format!(
                "{name} in the folder {} is a link, and links are not followed: put the file itself there.",
                folder.display()
            ));
        }
        if !metadata.is_file() {
            continue;
        }
        found.push(Candidate {
            name: name.to_owned(),
            path,
            metadata,
        });
        if found.len() >= MOST_FILES {
            break;
        }
    }
    found.sort_by(|one, other| {
        let time = |candidate: &Candidate| candidate.metadata.modified().ok();
        time(one)
            .cmp(&time(other))
            .then_with(|| one.name.cmp(&other.name))
    });
    Ok(found)
}

/// A directory of the folder, made when it is not there. A link is refused.
fn below(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let path = folder.join(name);
    let wrong = |why: &str| {
        format!(
            "Files that were looked at cannot be moved to {}: {why}. Let the user of the registry write in the folder.",
            path.display()
        )
    };
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err(wrong("it is no directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            {
                use std::os::unix::fs::DirBuilderExt as _;
                builder.mode(0o700);
            }
            builder
                .create(&path)
                .map_err(|error| wrong(&error.to_string()))?;
            Ok(path)
        }
        Err(error) => Err(wrong(&error.to_string())),
    }
}

/// Whether a file has its marker. One that is older than the file was put there for another.
fn is_marked(candidate: &Candidate, marker: &str) -> bool {
    let written = candidate.metadata.modified().ok();
    plain(&beside(&candidate.path, marker)).is_some_and(|marker| marker.modified().ok() >= written)
}

/// The marker of a file.
fn beside(path: &Path, marker: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(marker);
    path.with_file_name(name)
}

fn plain(path: &Path) -> Option<Metadata> {
    fs::symlink_metadata(path).ok().filter(Metadata::is_file)
}

/// Whether two looks were at the same file, as it was.
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if (one.dev(), one.ino()) != (other.dev(), other.ino()) {
            return false;
        }
    }
    one.is_file()
        && other.is_file()
        && one.len() == other.len()
        && one.modified().ok() == other.modified().ok()
}

/// When a file was last written.
fn written(metadata: &Metadata) -> Option<Instant> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let micros = i64::try_from(since.as_micros()).ok()?;
    Some(Instant::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, name).expect("a file");
        path
    }

    fn names(folder: &Path, collect: &Collect) -> Result<Vec<String>, String> {
        Ok(candidates(folder, collect)?
            .into_iter()
            .map(|candidate| candidate.name)
            .collect())
    }

    #[test]
    fn only_what_is_meant_is_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.csv", "a.csv", "a.csv.done", ".a.csv", "c.txt"] {
            write(folder.path(), name);
        }
        fs::create_dir(folder.path().join("d.csv")).expect("a directory");
        let collect = Collect {
            pattern: Some("*.csv*".to_owned()),
            marker: Some(".done".to_owned()),
            ..Collect::default()
        };
        let mut found = names(folder.path(), &collect).expect("names");
        found.sort();
        assert_eq!(found, ["a.csv", "b.csv"]);
        assert!(plain(&beside(&folder.path().join("a.csv"), ".done")).is_some());
        assert!(plain(&beside(&folder.path().join("b.csv"), ".done")).is_none());
    }

    #[test]
    fn a_marker_stands_for_no_later_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let collect = Collect {
            marker: Some(".done".to_owned()),
            ..Collect::default()
        };
        let is_whole = || {
            let found = candidates(folder.path(), &collect).expect("candidates");
            is_marked(found.first().expect("a file"), ".done")
        };
        let file = write(folder.path(), "a.csv");
        assert!(!is_whole());
        write(folder.path(), "a.csv.done");
        assert!(is_whole());
        let written = fs::metadata(&file).and_then(|metadata| metadata.modified());
        let later = written.expect("a time") + Duration::from_secs(60);
        let opened = File::options().write(true).open(&file).expect("the file");
        opened.set_modified(later).expect("a later time");
        assert!(!is_whole());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let elsewhere = tempfile::tempdir().expect("a folder");
        let secret = write(elsewhere.path(), "secret.csv");
        std::os::unix::fs::symlink(secret, folder.path().join("a.csv")).expect("a link");
        let refused = names(folder.path(), &Collect::default()).expect_err("a link");
        assert!(
            refused.contains("a.csv") && refused.contains("link"),
            "{refused}"
        );
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(DONE)).expect("a link");
        assert!(below(folder.path(), DONE).is_err());
    }

    #[test]
    fn a_file_that_grows_is_not_still() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = write(folder.path(), "a.csv");
        let stillness = Stillness::default();
        let look = |still| {
            let metadata = fs::symlink_metadata(&path).expect("metadata");
            stillness.is_still(&path, &metadata, Duration::from_millis(still))
        };
        assert!(!look(60_000) && look(0));
        std::thread::sleep(Duration::from_millis(30));
        assert!(look(20));
        fs::write(&path, "more and more").expect("it grows");
        assert!(!look(20));
    }
}
