//! Small reads of a segment: its header and its footer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::frame::{Found, FrameKind, FrameReader};
use super::parts::{FORMAT, Footer, Header, TRAILER, parse_trailer};
use super::walk::parse_header;

/// The header; `None` when the file does not begin with one that is whole.
pub(crate) fn read_header(path: &Path) -> io::Result<Option<Header>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    match FrameReader::new(file, 0, length)?.next()? {
        Found::Frame(frame) => Ok(parse_header(&frame)),
        Found::Fault(_) | Found::End => Ok(None),
    }
}

/// The footer of a closed segment that is so long; `None` when it is not closed, or no longer whole.
pub(crate) fn read_footer(file: &mut File, length: u64) -> io::Result<Option<Footer>> {
    let Some(begin) = length.checked_sub(TRAILER as u64) else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(begin))?;
    let mut trailer = [0; TRAILER];
    file.read_exact(&mut trailer)?;
    let Some(footer) = parse_trailer(&trailer).filter(|footer| *footer < begin) else {
        return Ok(None);
    };
    let frame = match FrameReader::new(file.try_clone()?, footer, begin)?.next()? {
        Found::Frame(frame) if frame.kind == FrameKind::Footer && frame.end() == begin => frame,
        _ => return Ok(None),
    };
    Ok(serde_json::from_slice::<Footer>(&frame.payload)
        .ok()
        .filter(|footer| footer.format == FORMAT))
}
