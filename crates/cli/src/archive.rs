//! The form of a backup: a tar archive, compressed as a whole, whose first member says what it is and whose last one says
//! how long every other is and which SHA-256 it has. An archive without its last member was cut off.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use grunddata_model::Instant;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a backup calls itself.
pub(crate) const FORMAT: &str = "grunddata-backup";
/// The version of the form. A program reads this one and no other.
pub(crate) const VERSION: u32 = 1;

/// The first member.
pub(crate) const HEAD: &str = "backup.json";
/// The last member.
pub(crate) const MANIFEST: &str = "manifest.json";
/// A database of SQLite.
pub(crate) const SQLITE: &str = "database.sqlite";
/// A lossless export, compressed.
pub(crate) const LOSSLESS: &str = "database.ndjson.zst";
/// Where the segments of the access log stand.
pub(crate) const ACCESS_LOG: &str = "access-log";

/// The longest head or manifest, in bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// The first member.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) made_at: Instant,
    /// The version of the program that made it.
    pub(crate) program: String,
    /// The member that is the database.
    pub(crate) database: String,
}

/// The last member.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) members: Vec<Member>,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Writes an archive.
pub(crate) struct Writer<W: Write> {
    tar: tar::Builder<W>,
    manifest: Manifest,
    mtime: u64,
}

impl<W: Write> Writer<W> {
    pub(crate) fn begin(out: W, head: &Head) -> io::Result<Self> {
        let mut writer = Self {
            tar: tar::Builder::new(out),
            manifest: Manifest::default(),
            mtime: u64::try_from(head.made_at.micros() / 1_000_000).unwrap_or_default(),
        };
        let text = serde_json::to_vec_pretty(head)?;
        writer.add(HEAD, text.len() as u64, &mut text.as_slice())?;
        Ok(writer)
    }

    /// Adds so many bytes of a reader. One that has fewer is an error: somebody has cut the file.
    pub(crate) fn add(&mut self, name: &str, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        let mut hashing = Hashing {
            inner: from.take(bytes),
            hash: Sha256::new(),
            bytes: 0,
        };
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(self.mtime);
        self.tar.append_data(&mut header, name, &mut hashing)?;
        let member = hashing.member(name);
        if member.bytes != bytes {
            return Err(io::Error::other(format!(
                "{name} has become shorter while it was read"
            )));
        }
        self.manifest.members.push(member);
        Ok(())
    }

    /// Adds a file as long as it is now: what is appended meanwhile is left out.
    pub(crate) fn add_file(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        self.add(name, bytes, &mut file)
    }

    /// Adds the manifest; how many members there were before it.
    pub(crate) fn finish(mut self) -> io::Result<(W, Manifest)> {
        let manifest = std::mem::take(&mut self.manifest);
        let text = serde_json::to_vec_pretty(&manifest)?;
        self.add(MANIFEST, text.len() as u64, &mut text.as_slice())?;
        Ok((self.tar.into_inner()?, manifest))
    }
}

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some(bytes) = buffer.get(..read) {
            self.hash.update(bytes);
        }
        self.bytes += read as u64;
        Ok(read)
    }
}

impl<R> Hashing<R> {
    fn member(self, name: &str) -> Member {
        Member {
            name: name.to_owned(),
            bytes: self.bytes,
            sha256: self
                .hash
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        }
    }
}

/// Unpacks an archive into a directory and checks all of it: what is there is what was written. `accept` looks at the head
/// before anything else is unpacked.
pub(crate) fn unpack<E: From<Broken>>(
    input: impl Read,
    directory: &Path,
    accept: impl FnOnce(&Head) -> Result<(), E>,
) -> Result<Head, E> {
    let wrong = |error: io::Error| E::from(Broken(error.to_string()));
    let broken = |problem: String| E::from(Broken(problem));
    let mut archive = tar::Archive::new(input);
    let mut entries = archive.entries().map_err(wrong)?;
    let mut found = Manifest::default();
    let Some(first) = entries.next() else {
        return Err(broken("it is empty".to_owned()));
    };
    let mut first = first.map_err(wrong)?;
    if name_of(&first).as_deref() != Some(HEAD) {
        return Err(broken(format!("it does not begin with {HEAD}")));
    }
    let (text, member) = read_small(&mut first, HEAD).map_err(wrong)?;
    found.members.push(member);
    let head: Head = serde_json::from_slice(&text)
        .map_err(|error| broken(format!("{HEAD} cannot be read: {error}")))?;
    if head.format != FORMAT || head.version != VERSION {
        return Err(broken(format!(
            "it is {} of version {}, and this program reads {FORMAT} of version {VERSION}: restore it with the program that made it ({})",
            head.format, head.version, head.program
        )));
    }
    accept(&head)?;
    let mut manifest: Option<Manifest> = None;
    for entry in entries {
        let mut entry = entry.map_err(wrong)?;
        let name = name_of(&entry)
            .filter(|_| manifest.is_none())
            .ok_or_else(|| broken("it has a member that no backup has".to_owned()))?;
        if name == MANIFEST {
            let (text, _) = read_small(&mut entry, MANIFEST).map_err(wrong)?;
            let read = serde_json::from_slice(&text)
                .map_err(|error| broken(format!("{MANIFEST} cannot be read: {error}")))?;
            manifest = Some(read);
            continue;
        }
        let path = inside(directory, &name)
            .ok_or_else(|| broken("it has a member that no backup has".to_owned()))?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(wrong)?;
        }
        let mut hashing = Hashing {
            inner: &mut entry,
            hash: Sha256::new(),
            bytes: 0,
        };
        let mut file = File::create_new(&path).map_err(wrong)?;
        io::copy(&mut hashing, &mut file)
            .and_then(|_| file.sync_all())
            .map_err(wrong)?;
        found.members.push(hashing.member(&name));
    }
    match manifest {
        None => Err(broken("its end is missing: it was cut off".to_owned())),
        Some(manifest) if manifest != found => {
            let differs = manifest
                .members
                .iter()
                .find(|member| !found.members.contains(member))
                .map_or("something that the manifest does not name", |member| {
                    member.name.as_str()
                });
            Err(broken(format!("{differs} is not what was written")))
        }
        Some(_) => Ok(head),
    }
}

/// Why an archive is not taken.
pub(crate) struct Broken(pub(crate) String);

fn name_of(entry: &tar::Entry<'_, impl Read>) -> Option<String> {
    let plain = entry.header().entry_type().is_file();
    let name = entry.path().ok()?.to_str()?.to_owned();
    plain.then_some(name)
}

fn read_small(entry: &mut impl Read, name: &str) -> io::Result<(Vec<u8>, Member)> {
    let mut hashing = Hashing {
        inner: entry.take(LONGEST),
        hash: Sha256::new(),
        bytes: 0,
    };
    let mut text = Vec::new();
    hashing.read_to_end(&mut text)?;
    Ok((text, hashing.member(name)))
}

/// Where a member is unpacked: the database, or a file of the access log. Nothing else, and nowhere else.
fn inside(directory: &Path, name: &str) -> Option<PathBuf> {
    if name == SQLITE || name == LOSSLESS {
        return Some(directory.join(name));
    }
    let file = name.strip_prefix(ACCESS_LOG)?.strip_prefix('/')?;
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_');
    let sound = !file.is_empty() && !file.starts_with('.') && file.chars().all(plain);
    sound.then(|| directory.join(ACCESS_LOG).join(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_at: Instant::from_micros(1_000_000),
            program: "0".to_owned(),
            database: SQLITE.to_owned(),
        }
    }

    fn archive(head: &Head, members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), head).unwrap();
        for (name, bytes) in members {
            writer.add(name, bytes.len() as u64, &mut &**bytes).unwrap();
        }
        writer.finish().unwrap().0
    }

    fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        unpack(bytes, directory.path(), |_| Ok::<(), Broken>(()))
            .map(|_| {
                let files = |path: PathBuf| {
                    let list = std::fs::read_dir(path).into_iter().flatten().flatten();
                    list.map(|file| file.file_name().to_string_lossy().into_owned())
                };
                let mut all: Vec<String> = files(directory.path().to_owned()).collect();
                all.extend(files(directory.path().join(ACCESS_LOG)));
                all.sort();
                all
            })
            .map_err(|Broken(problem)| problem)
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let bytes = archive(
            &head(),
            &[(SQLITE, b"rows"), ("access-log/a-1.log", b"seen")],
        );
        assert_eq!(
            read(&bytes),
            Ok(vec![
                "a-1.log".to_owned(),
                ACCESS_LOG.to_owned(),
                SQLITE.to_owned()
            ])
        );
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let bytes = archive(&head(), &[(SQLITE, &[7; 5_000])]);
        for length in [0, 100, 700, 3_000, 6_000, bytes.len() - 1_024 - 600] {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
        let mut changed = bytes.clone();
        let place = bytes.iter().position(|byte| *byte == 7).unwrap();
        changed[place + 9] = 8;
        assert!(read(&changed).unwrap_err().contains(SQLITE));
        let later = Head {
            version: 2,
            ..head()
        };
        assert!(
            read(&archive(&later, &[]))
                .unwrap_err()
                .contains("version 2")
        );
        assert!(read(b"no archive").is_err());
    }

    #[test]
    fn nothing_is_unpacked_elsewhere() {
        for name in [
            "access-log/../x",
            "other",
            "access-log/.hidden",
            "access-log/a/b",
        ] {
            let bytes = {
                let mut writer = Writer::begin(Vec::new(), &head()).unwrap();
                // A name that the library itself refuses is no danger either.
                if writer.add(name, 1, &mut &b"x"[..]).is_err() {
                    continue;
                }
                writer.finish().unwrap().0
            };
            assert!(read(&bytes).is_err(), "{name}");
        }
    }
}
