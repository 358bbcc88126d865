//! One file.

use std::io::{Read, Write};

use crate::client::Client;
use crate::{Access, PullError, Settings};

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The name that the address ends with.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// What the server says of when it was last changed, as it says it.
    pub last_modified: Option<String>,
}

/// Fetches a file and writes it down.
///
/// # Errors
/// [`PullError`]; what has been written is then not whole.
pub fn file(settings: &Settings, access: &Access, out: &mut dyn Write) -> Result<File, PullError> {
    let mut client = Client::within(settings, access, settings.limits.whole)?;
    let name = client
        .address
        .path_segments()
        .and_then(|mut segments| segments.next_back())
        .filter(|name| !name.is_empty())
        .unwrap_or("file")
        .to_owned();
    let address = client.address.clone();
    let mut response = client.get(&address, "*/*", &name)?;
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let promised: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
    let encoded = header("content-encoding").is_some();
    let last_modified = header("last-modified");
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
    Ok(File {
        name,
        bytes,
        last_modified,
    })
}
