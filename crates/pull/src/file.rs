//! One file.

use std::io::{Read, Write};

use chrono::{DateTime, TimeDelta};

use crate::client::Client;
use crate::{Access, PullError, Settings};

/// How long ago a file has been changed whose time says which one it is.
const SETTLED: TimeDelta = TimeDelta::seconds(60);
/// The longest text that is kept of what a server says of the state of a file.
const LONGEST: usize = 200;

/// What a server says of the state of a file, as it says it: with it the file is fetched only if it has changed (RFC 9110,
/// 8.8 and 13.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Validators {
    /// The headers that ask for a file only if it is not as it was.
    fn conditions(&self) -> Vec<(&'static str, &str)> {
        let told = [
            ("if-none-match", &self.etag),
            ("if-modified-since", &self.last_modified),
        ];
        let told = told.into_iter();
        told.filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .filter(|(_, value)| is_plain(value))
            .collect()
    }
}

/// Whether it can stand in a header.
fn is_plain(value: &str) -> bool {
    let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    !value.is_empty() && value.len() <= LONGEST && value.bytes().all(visible)
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The name that the address ends with.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// What the server says of when it was last changed, as it says it.
    pub last_modified: Option<String>,
    /// By what it is asked for next time.
    pub validators: Validators,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// A file, which has been written down.
    File(File),
    /// The file with this name is as it was: nothing was written.
    Unchanged(String),
}

/// Fetches a file and writes it down, unless it is still as these validators say.
///
/// # Errors
/// [`PullError`]; what has been written is then not whole.
pub fn file(
    settings: &Settings,
    access: &Access,
    known: &Validators,
    out: &mut dyn Write,
) -> Result<Fetched, PullError> {
    let mut client = Client::within(settings, access, settings.limits.whole)?;
    let name = client
        .address
        .path_segments()
        .and_then(|mut segments| segments.next_back())
        .filter(|name| !name.is_empty())
        .unwrap_or("file")
        .to_owned();
    let address = client.address.clone();
    let conditions = known.conditions();
    let mut response = client.get_if(&address, "*/*", &name, &conditions)?;
    if response.status().as_u16() == 304 {
        return Ok(Fetched::Unchanged(name));
    }
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let promised: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
    let encoded = header("content-encoding").is_some();
    let last_modified = header("last-modified");
    let validators = Validators {
        etag: header("etag").filter(|tag| is_plain(tag)),
        last_modified: last_modified
            .clone()
            .filter(|modified| is_plain(modified) && has_settled(modified, header("date"))),
    };
    let most = client.limits.bytes;
    let mut buffer = vec![0_u8; 64 << 10];
    let mut bytes = 0;
    let mut reader = response.body_mut().as_reader();
    loop {
        client.in_time(&name, std::time::Duration::ZERO)?;
        let read = reader
            .read(&mut buffer)
            .map_err(|error| PullError::Connection {
                place: name.clone(),
                cause: error.kind().to_string(),
            })?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        if bytes > most {
            return Err(PullError::Limit {
                place: name,
                limit: most,
                of: "bytes",
            });
        }
        out.write_all(buffer.get(..read).unwrap_or_default())?;
    }
    // A connection that breaks early must not give a file that looks whole.
    if !encoded && promised.is_some_and(|promised| promised != bytes) {
        return Err(PullError::Answer {
            place: name,
            what: "is shorter than the server said",
        });
    }
    Ok(Fetched::File(File {
        name,
        bytes,
        last_modified,
        validators,
    }))
}

/// Whether a file that was changed at this time can be told by it: one that has just been changed may be changed once more in
/// the same second (RFC 9110, 8.8.2.2).
fn has_settled(modified: &str, date: Option<String>) -> bool {
    let instant = |text: &str| DateTime::parse_from_rfc2822(text).ok();
    match (instant(modified), date.as_deref().and_then(instant)) {
        (Some(modified), Some(date)) => date - modified >= SETTLED,
        (modified, None) => modified.is_some(),
        (None, Some(_)) => false,
    }
}
