//! The log as a whole: on real files, and on a disk that fails when it is told to.

mod damage;
mod durability;
mod proofs;
mod removal;
mod searching;

use std::io;
use std::path::Path;
use std::sync::Arc;

use grunddata_model::{Instant, OwnerKey, RecordId};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::disk::{Disk, FileSystem, SegmentFile};
use crate::*;

/// Seconds after the begin of 2026.
fn at(seconds: i64) -> Instant {
    Instant::from_micros(1_767_225_600_000_000 + seconds * 1_000_000)
}

fn record(number: u128) -> RecordId {
    RecordId(Uuid::from_u128(number))
}

fn read(seconds: i64, actor: &str, number: u128) -> Entry {
    let mut entry = Entry::new(at(seconds), Kind::Read, actor, Channel::Rest, "getPerson");
    entry.records.push(record(number));
    entry.owners.push(OwnerKey::new("se-2480").unwrap());
    entry
}

fn open(directory: &Path) -> AccessLog {
    AccessLog::open(Settings::new(directory), at(0)).unwrap()
}

fn open_small(directory: &Path, segment_bytes: u64) -> AccessLog {
    let settings = Settings {
        segment_bytes,
        ..Settings::new(directory)
    };
    AccessLog::open(settings, at(0)).unwrap()
}

fn acknowledge(log: &AccessLog, entry: Entry) -> Position {
    log.append(entry).unwrap().wait().unwrap()
}

fn everything(archive: &Archive) -> Vec<Logged> {
    let mut query = Query {
        order: Order::OldestFirst,
        limit: PAGE_LIMIT,
        ..Query::default()
    };
    let mut all = Vec::new();
    loop {
        let page = archive.search(&query).unwrap();
        assert!(page.complete, "{:?}", page.unreadable);
        all.extend(page.entries);
        query.after = page.next;
        if query.after.is_none() {
            return all;
        }
    }
}

fn assert_sound(archive: &Archive) {
    let verification = archive.verify(&Scope::default()).unwrap();
    assert_eq!(verification.findings, []);
}

fn segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    paths.sort();
    paths
}

/// Changes one byte where it is: a file written anew is flushed by some file systems, which takes its time.
fn put(path: &Path, place: usize, byte: u8) {
    use std::io::{Seek, Write};
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(io::SeekFrom::Start(place as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}

/// What is to go wrong next.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Faults {
    /// No file can be made.
    create: bool,
    /// Only so many bytes more can be written, as when the disk is full.
    room: Option<usize>,
    /// Nothing can be made durable.
    sync: bool,
    /// The directory cannot be made durable.
    sync_directory: bool,
    /// Files cannot be cut.
    truncate: bool,
}

/// A disk that fails when it is told to.
#[derive(Clone, Default)]
struct FailingDisk(Arc<Mutex<Faults>>);

struct FailingFile(Box<dyn SegmentFile>, FailingDisk);

impl FailingDisk {
    fn set(&self, faults: Faults) {
        *self.0.lock() = faults;
    }

    fn open(&self, directory: &Path) -> AccessLog {
        AccessLog::open_on(Settings::new(directory), at(0), Arc::new(self.clone())).unwrap()
    }
}

fn check(fails: bool) -> io::Result<()> {
    if fails {
        Err(io::Error::other("the disk fails"))
    } else {
        Ok(())
    }
}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        check(self.0.lock().create)?;
        Ok(Box::new(FailingFile(
            FileSystem.create(path)?,
            self.clone(),
        )))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        check(self.0.lock().sync_directory)?;
        FileSystem.sync_directory(directory)
    }
}

impl SegmentFile for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut faults = self.1.0.lock();
        match &mut faults.room {
            Some(room) if *room < bytes.len() => {
                self.0.append(&bytes[..*room])?;
                *room = 0;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(room) => {
                *room -= bytes.len();
                self.0.append(bytes)
            }
            None => self.0.append(bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        check(self.1.0.lock().sync)?;
        self.0.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        check(self.1.0.lock().truncate)?;
        self.0.truncate(length)
    }
}
