//! Writing the file: one thread reads the database page by page and makes lines, the calling one hashes them and hands them
//! on, so that memory stays bounded however large the installation is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use diesel::sql_types::Text;
use grunddata_model::{Instant, OwnerKey};
use sha2::{Digest as _, Sha256};

use super::lines::{End, Header, SECTIONS};
use super::snapshot::Snapshot;
use super::{FORMAT, LosslessError, LosslessProgress, LosslessSummary, VERSION, hexadecimal};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::owner::{OwnerRow, OwnerSet};
use crate::sql::Sql;
use crate::store::Store;
use crate::write::owner_key;

/// Chunks that wait for the writer.
const WAITING: usize = 4;
/// About how large a chunk is, in bytes.
const CHUNK: usize = 512 * 1024;

/// Lines that are handed on together, with how many there are of each kind.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Records of the whole snapshot, told once.
    pub(super) of: u64,
}

/// Where the reading thread puts lines.
pub(super) struct Lines {
    chunk: Chunk,
    sender: SyncSender<Chunk>,
}

/// The one who writes has given up: there is nobody to make lines for.
pub(super) enum Stopped {
    Store(StoreError),
    Unheard,
    TooLong(grunddata_model::RecordId),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Lines {
    /// How many records the snapshot has.
    pub(super) fn expect(&mut self, records: u64) {
        self.chunk.of = records;
    }

    /// A line of a kind with one member.
    pub(super) fn put(
        &mut self,
        kind: &'static str,
        value: &impl serde::Serialize,
    ) -> Result<(), Stopped> {
        self.begin(kind);
        // Values of ours into memory: cannot fail.
        drop(serde_json::to_writer(&mut self.chunk.bytes, value));
        self.end(kind)
    }

    /// Begins a line; what follows is written to [`bytes`](Self::bytes).
    pub(super) fn begin(&mut self, kind: &str) {
        self.chunk.bytes.extend_from_slice(b"{\"");
        self.chunk.bytes.extend_from_slice(kind.as_bytes());
        self.chunk.bytes.extend_from_slice(b"\":");
    }

    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.chunk.bytes
    }

    /// Counts what stands inside a line.
    pub(super) fn count(&mut self, what: &'static str, number: usize) {
        *self.chunk.counts.entry(what).or_default() += number as u64;
    }

    pub(super) fn end(&mut self, kind: &'static str) -> Result<(), Stopped> {
        self.chunk.bytes.extend_from_slice(b"}\n");
        self.count(kind, 1);
        if self.chunk.bytes.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        let full = std::mem::take(&mut self.chunk);
        self.chunk.bytes.reserve(CHUNK + CHUNK / 4);
        self.sender.send(full).map_err(|_| Stopped::Unheard)
    }
}

/// Hashes what it hands on.
struct Hashing<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
}

impl Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), LosslessError> {
        self.hash.update(bytes);
        Ok(self.out.write_all(bytes)?)
    }
}

impl Store {
    /// Writes the owners (or with [`OwnerSet::All`] the whole installation, with tokens and grants) to `out`, as they are
    /// at one moment, while writes go on: everything is read in one snapshot of the database. `out` is not flushed.
    ///
    /// Blocks for as long as it takes. On SQLite the write-ahead log grows meanwhile, as it cannot be taken up.
    ///
    /// # Errors
    /// [`LosslessError`]; of [`LosslessError::Incomplete`] nothing is written.
    pub fn export_lossless(
        &self,
        owners: &OwnerSet,
        out: &mut (dyn Write + '_),
        progress: &mut dyn FnMut(LosslessProgress),
    ) -> Result<LosslessSummary, LosslessError> {
        let key = self.log_signing_key()?;
        let mut connection = self.connect()?;
        connection.begin_snapshot()?;
        let chosen = chosen(&mut connection, owners)?;
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_at: (self.engine().options.clock)(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            owners: match owners {
                OwnerSet::All => None,
                OwnerSet::Some(_) => Some(chosen.iter().map(|owner| owner.key.clone()).collect()),
            },
            models: self
                .model()
                .packages()
                .map(|package| package.model_version().to_string())
                .collect(),
            sections: SECTIONS.map(str::to_owned).to_vec(),
        };
        let whole = *owners == OwnerSet::All;
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let mut snapshot = Snapshot {
                    engine: self.engine(),
                    connection: &mut connection,
                    lines: Lines {
                        chunk: Chunk::default(),
                        sender,
                    },
                    key,
                };
                let read = snapshot.read(&chosen, whole);
                // Nothing was written: what the snapshot held on to is let go.
                drop(connection.rollback());
                read
            });
            let written = write(&header, receiver, out, progress);
            match reading.join() {
                Ok(Ok(())) => written?.finish(),
                Ok(Err(Stopped::Store(error))) => Err(error.into()),
                Ok(Err(Stopped::TooLong(id))) => Err(LosslessError::Line {
                    line: 0,
                    problem: format!("the record {id} has more history than a line can hold"),
                }),
                // Whoever does not listen any more says why.
                Ok(Err(Stopped::Unheard)) => Err(written.err().unwrap_or_else(|| {
                    StoreError::Unavailable("the export was broken off".into()).into()
                })),
                Err(_) => Err(StoreError::Database("the export panicked".into()).into()),
            }
        })
    }
}

/// What was written before the end.
struct Written<'a> {
    hashing: Hashing<'a>,
    counts: BTreeMap<String, u64>,
}

impl Written<'_> {
    /// Adds the last line. It is written only when everything was read: a file without it was cut off.
    fn finish(self) -> Result<LosslessSummary, LosslessError> {
        let end = End {
            counts: self.counts,
            sha256: hexadecimal(&self.hashing.hash.finalize()),
        };
        let line = serde_json::json!({ "end": &end });
        writeln!(self.hashing.out, "{line}")?;
        Ok(LosslessSummary {
            counts: end.counts,
            sha256: end.sha256,
        })
    }
}

fn write<'a>(
    header: &Header,
    receiver: Receiver<Chunk>,
    out: &'a mut (dyn Write + '_),
    progress: &mut dyn FnMut(LosslessProgress),
) -> Result<Written<'a>, LosslessError> {
    let mut written = Written {
        hashing: Hashing {
            out,
            hash: Sha256::new(),
        },
        counts: BTreeMap::new(),
    };
    let first = serde_json::json!({ "header": header });
    written.hashing.write(format!("{first}\n").as_bytes())?;
    let mut done = LosslessProgress::default();
    for chunk in receiver {
        written.hashing.write(&chunk.bytes)?;
        for (what, number) in chunk.counts {
            *written.counts.entry(what.to_owned()).or_default() += number;
        }
        done.of = done.of.max(chunk.of);
        done.records = written.counts.get("record").copied().unwrap_or_default();
        progress(done);
    }
    Ok(written)
}

/// The owners to be written, and that none of their links leads to another one's records.
fn chosen(connection: &mut Connection, owners: &OwnerSet) -> Result<Vec<OwnerRow>, LosslessError> {
    let mut all = crate::directory::owners(connection)?;
    let OwnerSet::Some(keys) = owners else {
        return Ok(all);
    };
    if let Some(unknown) = keys
        .iter()
        .find(|key| !all.iter().any(|owner| owner.key == **key))
    {
        return Err(StoreError::UnknownOwner(unknown.clone()).into());
    }
    let mut sql =
        Sql::<(Text,)>::new("SELECT DISTINCT f.target FROM owner_reference f WHERE f.source IN ");
    sql.texts(keys.iter().map(OwnerKey::as_str));
    let targets: Vec<(String,)> = connection.load(&sql)?;
    let mut missing = BTreeSet::new();
    for (target,) in targets {
        let target = owner_key(&target)?;
        if !keys.contains(&target) {
            missing.insert(target);
        }
    }
    if !missing.is_empty() {
        return Err(LosslessError::Incomplete(missing.into_iter().collect()));
    }
    all.retain(|owner| keys.contains(&owner.key));
    Ok(all)
}

/// An instant that may be none.
pub(super) fn believed_until(instant: Instant) -> Option<Instant> {
    (instant != Instant::FOREVER).then_some(instant)
}
