//! The ceilings for writes: the rows that our pipeline has written are written again into an empty database by the
//! engine's own fastest means, in the same number of commits. SQLite: prepared inserts. PostgreSQL: binary COPY.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::{SinkExt as _, StreamExt as _};
use rusqlite::types::Value;

use crate::cluster::Cluster;

/// The tables that a write touches, in the order in which the raw writer fills them.
pub(crate) const TABLES: [&str; 13] = [
    "directory_id",
    "record",
    "state",
    "identifier",
    "link",
    "entry",
    "term",
    "term_variant",
    "accepted_transaction",
    "change",
    "directory_identifier",
    "assertion",
    "assertion_content",
];

/// What a replay took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replayed {
    /// Wall time of the inserts and commits alone; reading the rows beforehand is not counted.
    pub(crate) wall: Duration,
    /// Processor time of the engine: of this thread for SQLite, of the server for PostgreSQL.
    pub(crate) cpu: Duration,
}

/// Writes all rows of `source` into the empty, migrated SQLite database `target`, in `commits` transactions.
pub(crate) fn sqlite(source: &Path, target: &Path, commits: u64) -> Result<Replayed> {
    let from =
        rusqlite::Connection::open_with_flags(source, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let into = rusqlite::Connection::open(target)?;
    for (name, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("cache_size", "-32000"),
    ] {
        into.pragma_update(None, name, value)?;
    }
    let mut readers = Vec::new();
    for table in TABLES {
        let rows: i64 = from.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })?;
        let read = from.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = read.column_count();
        let marks = vec!["?"; columns].join(",");
        readers.push((
            read,
            columns,
            u64::try_from(rows)?.div_ceil(commits.max(1)),
            format!("INSERT INTO {table} VALUES ({marks})"),
        ));
    }
    let mut cursors = Vec::new();
    for (read, columns, share, insert) in &mut readers {
        cursors.push((read.query([])?, *columns, *share, insert.clone()));
    }
    let (mut wall, mut cpu) = (Duration::ZERO, Duration::ZERO);
    loop {
        let mut batch: Vec<(&str, Vec<Vec<Value>>)> = Vec::new();
        for (rows, columns, share, insert) in &mut cursors {
            let mut taken = Vec::new();
            while (taken.len() as u64) < *share {
                let Some(row) = rows.next()? else { break };
                taken.push(
                    (0..*columns)
                        .map(|column| row.get(column))
                        .collect::<Result<Vec<Value>, _>>()?,
                );
            }
            if !taken.is_empty() {
                batch.push((insert.as_str(), taken));
            }
        }
        if batch.is_empty() {
            return Ok(Replayed { wall, cpu });
        }
        let (started, processor) = (Instant::now(), crate::cpu::of_thread()?);
        into.execute_batch("BEGIN IMMEDIATE")?;
        for (insert, rows) in &batch {
            let mut statement = into.prepare_cached(insert)?;
            for row in rows {
                statement.execute(rusqlite::params_from_iter(row))?;
            }
        }
        into.execute_batch("COMMIT")?;
        wall += started.elapsed();
        cpu += crate::cpu::of_thread()?.saturating_sub(processor);
    }
}

/// Writes them by the fastest means of the engine that the databases are of.
pub(crate) async fn of(
    source: &str,
    target: &str,
    commits: u64,
    cluster: Option<&Cluster>,
    scratch: &Path,
) -> Result<Replayed> {
    match cluster {
        Some(cluster) => postgres(source, target, commits, cluster.pid, scratch).await,
        None => sqlite(Path::new(source), Path::new(target), commits),
    }
}

const COPY_HEADER: [u8; 19] = [
    b'P', b'G', b'C', b'O', b'P', b'Y', b'\n', 0xff, b'\r', b'\n', 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// Writes all rows of the database at `source` into the empty, migrated one at `target` by binary COPY, in `commits`
/// transactions. `server` is the process id of the postmaster; `scratch` holds the rows in between.
pub(crate) async fn postgres(
    source: &str,
    target: &str,
    commits: u64,
    server: u32,
    scratch: &Path,
) -> Result<Replayed> {
    let from = crate::bare::connect(source).await?;
    let mut dumps = Vec::new();
    for table in TABLES {
        let path = scratch.join(format!("{table}.copy"));
        let mut file = BufWriter::new(File::create(&path)?);
        let stream = from
            .copy_out(&format!("COPY {table} TO STDOUT (FORMAT binary)"))
            .await?;
        let mut stream = std::pin::pin!(stream);
        while let Some(bytes) = stream.next().await {
            file.write_all(&bytes?)?;
        }
        file.flush()?;
        let rows: i64 = from
            .query_one(&format!("SELECT count(*) FROM {table}"), &[])
            .await?
            .get(0);
        let share = u64::try_from(rows)?.div_ceil(commits.max(1));
        let mut reader = BufReader::with_capacity(1 << 20, File::open(&path)?);
        let mut header = [0_u8; 19];
        reader.read_exact(&mut header)?;
        dumps.push((table, reader, share));
    }
    drop(from);
    let into = crate::bare::connect(target).await?;
    let (mut wall, mut cpu) = (Duration::ZERO, Duration::ZERO);
    loop {
        let mut batch = Vec::new();
        for (table, reader, share) in &mut dumps {
            if let Some(bytes) = tuples(reader, *share)? {
                batch.push((*table, bytes));
            }
        }
        if batch.is_empty() {
            break;
        }
        let (started, processor) = (Instant::now(), crate::cpu::of_tree(server)?);
        into.batch_execute("BEGIN").await?;
        for (table, bytes) in batch {
            let sink = into
                .copy_in(&format!("COPY {table} FROM STDIN (FORMAT binary)"))
                .await?;
            let mut sink = std::pin::pin!(sink);
            sink.send(bytes).await?;
            sink.finish().await?;
        }
        into.batch_execute("COMMIT").await?;
        wall += started.elapsed();
        cpu += crate::cpu::of_tree(server)?.saturating_sub(processor);
    }
    Ok(Replayed { wall, cpu })
}

/// The next rows of a binary dump as a complete COPY stream; `None` at the end.
fn tuples(reader: &mut BufReader<File>, count: u64) -> Result<Option<bytes::Bytes>> {
    let mut out = Vec::with_capacity(1 << 20);
    out.extend_from_slice(&COPY_HEADER);
    let mut taken = 0;
    while taken < count {
        let mut fields = [0_u8; 2];
        if reader.read_exact(&mut fields).is_err() {
            break;
        }
        let number = i16::from_be_bytes(fields);
        if number < 0 {
            break;
        }
        out.extend_from_slice(&fields);
        for _ in 0..number {
            let mut length = [0_u8; 4];
            reader.read_exact(&mut length)?;
            out.extend_from_slice(&length);
            if let Ok(length) = usize::try_from(i32::from_be_bytes(length)) {
                let begin = out.len();
                out.resize(begin + length, 0);
                reader.read_exact(out.get_mut(begin..).unwrap_or_default())?;
            }
        }
        taken += 1;
    }
    if taken == 0 {
        return Ok(None);
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    Ok(Some(out.into()))
}
