//! Files that are sent to be loaded: streamed to disk, at once or piece by piece, with their checksum.
//!
//! Must never hold more of a file than a few pieces, and never keep one longer than it is needed: it holds personal data.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::web::{Bytes, Payload};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use grunddata_model::{Instant, OwnerKey};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::hex;
use crate::problem::Problem;

/// The most that one client may have begun at once.
const MOST_BEGUN: usize = 20;
/// After so long what was not finished is removed, in microseconds.
const KEPT: i64 = 24 * 60 * 60 * 1_000_000;
/// Pieces on their way from the network to the disk.
const IN_FLIGHT: usize = 8;

/// Where files lie until they are loaded.
#[derive(Debug, Clone)]
pub(crate) struct Uploads {
    directory: PathBuf,
    most: u64,
    busy: Arc<Mutex<HashSet<Uuid>>>,
}

/// A file that has come. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) path: PathBuf,
    pub(crate) sha256: Option<String>,
}

impl Received {
    /// Lays the file where it is found when its plan has to be made anew. Where that cannot be, it stays where it is.
    pub(crate) fn keep(&mut self, path: &Path) {
        match fs::rename(&self.path, path) {
            Ok(()) => self.path = path.to_owned(),
            Err(error) => tracing::warn!(%error, "a file that was sent cannot be kept aside"),
        }
    }

    /// Lets the file lie.
    pub(crate) fn leave(mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// What is kept of a file that comes piece by piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Upload {
    pub(crate) id: Uuid,
    /// Whose it is: nobody else may go on with it.
    pub(crate) client: String,
    pub(crate) owner: OwnerKey,
    pub(crate) source: String,
    pub(crate) name: String,
    /// How long it will be, where its sender says so.
    pub(crate) size: Option<u64>,
    /// In hexadecimal digits, where its sender says so.
    pub(crate) sha256: Option<String>,
    pub(crate) created_at: Instant,
}

/// Whether nobody has written a file for as long as uploads are kept.
fn is_old(path: &Path) -> bool {
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = written.ok().and_then(|written| written.elapsed().ok());
    age.is_some_and(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX) >= KEPT)
}

/// A name for as long as a piece is written.
struct Turn {
    busy: Arc<Mutex<HashSet<Uuid>>>,
    id: Uuid,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.busy.lock().remove(&self.id);
    }
}

impl Uploads {
    /// Makes the directory, which nobody else may read. What an earlier end of a process left whole is removed a day later:
    /// it would never be loaded, but another process may be receiving it. Files of which a plan was being made stay: they
    /// are taken up again.
    pub(crate) fn open(directory: &Path, most: u64) -> io::Result<Self> {
        make(directory)?;
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let is_whole = path.extension().is_some_and(|ending| ending == "whole");
            if is_whole && is_old(&path) {
                remove(&path);
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            most,
            busy: Arc::default(),
        })
    }

    /// Takes a file that comes in one request.
    ///
    /// # Errors
    /// `body-too-large`, `request-timeout`, `invalid-body`, `digest-mismatch`, `invalid-header`.
    pub(crate) async fn whole(
        &self,
        headers: &HeaderMap,
        payload: Payload,
        idle: Duration,
    ) -> Result<Received, Problem> {
        let wanted = digest(headers)?;
        let path = self.directory.join(format!("{}.whole", Uuid::now_v7()));
        // Whatever happens from here on, the file goes.
        let mut received = Received {
            path: path.clone(),
            sha256: None,
        };
        let (_, found) = receive(&path, 0, self.most, payload, idle).await?;
        compare(wanted, &found)?;
        received.sha256 = Some(hex(&found));
        Ok(received)
    }

    /// Begins a file that comes piece by piece.
    ///
    /// # Errors
    /// `too-many-items` when the client has begun too many; `body-too-large`.
    pub(crate) fn begin(&self, upload: &Upload) -> Result<(), Problem> {
        if upload.size.is_some_and(|size| size > self.most) {
            return Err(too_large(self.most));
        }
        let known = self.sweep(upload.created_at)?;
        let own = known.iter().filter(|known| known.client == upload.client);
        if own.count() >= MOST_BEGUN {
            return Err(Problem::new(
                "too-many-items",
                format!(
                    "You have begun {MOST_BEGUN} uploads already. Finish them, or remove them."
                ),
            )
            .fact("limit", MOST_BEGUN));
        }
        let text = serde_json::to_string(upload).map_err(|error| broken(&error))?;
        private(&self.data(upload.id), true).map_err(|error| broken(&error))?;
        private(&self.meta(upload.id), true)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| broken(&error))
    }

    /// A file that its client has begun, and how much of it has come.
    ///
    /// # Errors
    /// `unknown-upload`.
    pub(crate) fn find(&self, id: Uuid, client: &str) -> Result<(Upload, u64), Problem> {
        let unknown = || {
            Problem::new(
                "unknown-upload",
                "There is no such upload of yours. It was finished or removed, or nothing came for 24 hours: begin anew.",
            )
        };
        let text = fs::read_to_string(self.meta(id)).map_err(|_| unknown())?;
        let upload: Upload = serde_json::from_str(&text).map_err(|error| broken(&error))?;
        if upload.client != client {
            return Err(unknown());
        }
        let length = fs::metadata(self.data(id))
            .map_err(|error| broken(&error))?
            .len();
        Ok((upload, length))
    }

    /// Adds a piece. What came before the connection broke is kept; a piece whose checksum does not fit is not.
    ///
    /// # Errors
    /// `upload-offset` when it does not begin where the last one ended; those of [`whole`](Self::whole).
    pub(crate) async fn append(
        &self,
        upload: &Upload,
        offset: u64,
        headers: &HeaderMap,
        payload: Payload,
        idle: Duration,
    ) -> Result<u64, Problem> {
        let wanted = digest(headers)?;
        let _turn = self.turn(upload.id)?;
        let (_, length) = self.find(upload.id, &upload.client)?;
        if offset != length {
            return Err(Problem::new(
                "upload-offset",
                format!("The next piece begins at byte {length}, and this one at {offset}. Send from there."),
            )
            .fact("offset", length));
        }
        let most = upload.size.unwrap_or(self.most);
        let path = self.data(upload.id);
        let (length, found) = receive(&path, offset, most, payload, idle).await?;
        if let Err(problem) = compare(wanted, &found) {
            OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(offset))
                .map_err(|error| broken(&error))?;
            return Err(problem);
        }
        Ok(length)
    }

    /// Takes a file that has come whole out, to be loaded.
    ///
    /// # Errors
    /// `upload-incomplete`; `digest-mismatch` is told by whoever reckons the checksum of the whole.
    pub(crate) fn take(&self, upload: &Upload) -> Result<Received, Problem> {
        let _turn = self.turn(upload.id)?;
        let (_, length) = self.find(upload.id, &upload.client)?;
        if let Some(size) = upload.size.filter(|size| *size != length) {
            return Err(Problem::new(
                "upload-incomplete",
                format!("Of {size} bytes {length} have come. Send the rest, from byte {length}."),
            )
            .fact("offset", length));
        }
        let path = self.directory.join(format!("{}.whole", upload.id));
        fs::rename(self.data(upload.id), &path).map_err(|error| broken(&error))?;
        remove(&self.meta(upload.id));
        Ok(Received { path, sha256: None })
    }

    /// Removes a file that has been begun.
    ///
    /// # Errors
    /// `busy` while a piece of it comes.
    pub(crate) fn forget(&self, id: Uuid) -> Result<(), Problem> {
        let _turn = self.turn(id)?;
        remove(&self.meta(id));
        remove(&self.data(id));
        Ok(())
    }

    /// What has been begun; what is too old is removed.
    fn sweep(&self, now: Instant) -> Result<Vec<Upload>, Problem> {
        let mut known = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(|error| broken(&error))? {
            let path = entry.map_err(|error| broken(&error))?.path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let upload: Option<Upload> = fs::read_to_string(&path)
                .ok()
                .and_then(|text| serde_json::from_str(&text).ok());
            match upload {
                Some(upload) if now.micros().saturating_sub(upload.created_at.micros()) < KEPT => {
                    known.push(upload);
                }
                Some(upload) => drop(self.forget(upload.id)),
                None => remove(&path),
            }
        }
        Ok(known)
    }

    /// Where files lie.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the file of a load lies while its plan is made.
    pub(crate) fn kept(&self, load: Uuid) -> PathBuf {
        super::going::kept(&self.directory, load)
    }

    fn turn(&self, id: Uuid) -> Result<Turn, Problem> {
        if self.busy.lock().insert(id) {
            return Ok(Turn {
                busy: Arc::clone(&self.busy),
                id,
            });
        }
        Err(Problem::new(
            "busy",
            "Another piece of the upload is on its way. Send one at a time.",
        ))
    }

    fn data(&self, id: Uuid) -> PathBuf {
        self.directory.join(format!("{id}.part"))
    }

    fn meta(&self, id: Uuid) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }
}

/// Makes a directory for files that are to be loaded, which nobody else may read.
///
/// # Errors
/// When it is not there and cannot be made.
pub fn make(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}

/// Writes what comes to the end of a file. The length of the file afterwards, and the SHA-256 of what came.
async fn receive(
    path: &Path,
    offset: u64,
    most: u64,
    mut payload: Payload,
    idle: Duration,
) -> Result<(u64, [u8; 32]), Problem> {
    let (pieces, inbox) = mpsc::channel::<Bytes>(IN_FLIGHT);
    let path = path.to_owned();
    let writer = tokio::task::spawn_blocking(move || write(&path, offset, inbox));
    let mut length = offset;
    let mut failed = None;
    loop {
        let piece = match tokio::time::timeout(idle, payload.next()).await {
            Err(_) => {
                failed = Some(too_slow(idle));
                break;
            }
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                let mut problem = Problem::new(
                    "invalid-body",
                    "The body did not arrive whole. Send the rest, or all of it again.",
                );
                problem.cause = Some(error.to_string());
                failed = Some(problem);
                break;
            }
            Ok(Some(Ok(piece))) => piece,
        };
        length += piece.len() as u64;
        if length > most {
            failed = Some(too_large(most));
            break;
        }
        // The writer has given up, and says why below.
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let written = writer.await.map_err(|error| broken(&error))?;
    let hash = written.map_err(|error| broken(&error))?;
    match failed {
        Some(problem) => Err(problem),
        None => Ok((length, hash)),
    }
}

fn write(path: &Path, offset: u64, mut inbox: mpsc::Receiver<Bytes>) -> io::Result<[u8; 32]> {
    let mut file = private(path, offset == 0)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut hash = Sha256::new();
    while let Some(piece) = inbox.blocking_recv() {
        hash.update(&piece);
        file.write_all(&piece)?;
    }
    file.sync_data()?;
    Ok(hash.finalize().into())
}

/// A file that nobody else may read.
fn private(path: &Path, anew: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(anew);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

pub(crate) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(%error, "a file that was sent cannot be removed");
        }
        _ => {}
    }
}

/// The SHA-256 of `Repr-Digest` or `Content-Digest` (RFC 9530).
fn digest(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Problem> {
    for name in ["repr-digest", "content-digest"] {
        let Some(value) = headers.get(HeaderName::from_static(name)) else {
            continue;
        };
        return value
            .to_str()
            .ok()
            .and_then(sha256)
            .map(Some)
            .ok_or_else(|| {
                Problem::new(
                    "invalid-header",
                    "Repr-Digest and Content-Digest are read with SHA-256: sha-256=:BASE64: with the colons (RFC 9530).",
                )
                .fact("header", name)
            });
    }
    Ok(None)
}

fn sha256(value: &str) -> Option<[u8; 32]> {
    let encoded = value.split(',').find_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        name.trim().eq_ignore_ascii_case("sha-256").then_some(value)
    })?;
    let inner = encoded.trim().strip_prefix(':')?.strip_suffix(':')?;
    STANDARD.decode(inner).ok()?.try_into().ok()
}

fn compare(wanted: Option<[u8; 32]>, found: &[u8; 32]) -> Result<(), Problem> {
    if wanted.is_none_or(|wanted| wanted == *found) {
        return Ok(());
    }
    Err(mismatch())
}

/// What came is not what was sent.
pub(crate) fn mismatch() -> Problem {
    Problem::new(
        "digest-mismatch",
        "What came does not have the checksum that was told with it. Nothing of it was kept: send it again.",
    )
}

fn too_large(most: u64) -> Problem {
    Problem::new(
        "body-too-large",
        format!(
            "The file is larger than {most} bytes. Compress it (gzip, zstd or zip), or divide it."
        ),
    )
    .fact("limit", most)
}

fn too_slow(idle: Duration) -> Problem {
    let seconds = idle.as_secs();
    Problem::new(
        "request-timeout",
        format!("Nothing came for {seconds} seconds. Send the rest, or all of it again."),
    )
    .fact("seconds", seconds)
}

fn broken(error: &dyn std::fmt::Display) -> Problem {
    Problem::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_the_standard_writes_them() {
        // RFC 9530, appendix B.1: {"hello": "world"} and a line feed.
        let value = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        let found: [u8; 32] = Sha256::digest(b"{\"hello\": \"world\"}\n").into();
        assert_eq!(sha256(value), Some(found));
        assert_eq!(sha256(&format!("sha-512=:AA==:, {value}")), Some(found));
        for wrong in ["", "sha-256=RK/0", "sha-256=:AA==:", "md5=:AA==:"] {
            assert_eq!(sha256(wrong), None, "{wrong}");
        }
    }
}
