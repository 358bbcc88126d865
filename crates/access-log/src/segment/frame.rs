//! Frames: the pieces a segment consists of.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use xxhash_rust::xxh3::xxh3_64;

/// Bytes before the payload: its length and the kind.
pub(crate) const PREFIX: usize = 5;
/// Bytes after the payload: the checksum.
pub(crate) const SUFFIX: usize = 8;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Header = 1,
    Entry = 2,
    Checkpoint = 3,
    Index = 4,
    Footer = 5,
}

impl FrameKind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Header),
            2 => Some(Self::Entry),
            3 => Some(Self::Checkpoint),
            4 => Some(Self::Index),
            5 => Some(Self::Footer),
            _ => None,
        }
    }
}

/// Bytes that a frame with so much payload takes.
pub(crate) fn frame_length(payload: usize) -> u64 {
    (PREFIX + payload + SUFFIX) as u64
}

/// Adds a frame whose payload `write` appends.
///
/// # Errors
/// Of `write`, or when the payload is longer than 4 GiB. What was appended until then stays: discard it.
pub(crate) fn append_frame<E: From<TooLong>>(
    into: &mut Vec<u8>,
    kind: FrameKind,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = into.len();
    into.extend_from_slice(&[0, 0, 0, 0, kind as u8]);
    write(into)?;
    let length = u32::try_from(into.len() - start - PREFIX).map_err(|_| TooLong)?;
    if let Some(place) = into.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    let checksum = xxh3_64(into.get(start..).unwrap_or_default());
    into.extend_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// A payload is longer than a frame can hold.
#[derive(Debug)]
pub(crate) struct TooLong;

/// A frame that was read whole.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Where it begins.
    pub(crate) offset: u64,
    pub(crate) kind: FrameKind,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Where the next begins.
    pub(crate) fn end(&self) -> u64 {
        self.offset + frame_length(self.payload.len())
    }
}

/// What stands at a place.
pub(crate) enum Found {
    Frame(Frame),
    /// No frame: it is cut off, or its bytes are not those that were written.
    Fault(&'static str),
    End,
}

/// Reads frames one after the other up to a limit.
pub(crate) struct FrameReader {
    file: BufReader<File>,
    offset: u64,
    limit: u64,
}

impl FrameReader {
    /// From the offset up to (not beyond) the limit.
    pub(crate) fn new(mut file: File, offset: u64, limit: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            file: BufReader::with_capacity(64 * 1024, file),
            offset,
            limit,
        })
    }

    /// Reads on elsewhere.
    pub(crate) fn seek(&mut self, offset: u64) -> io::Result<()> {
        // Within the buffer where it can be: entries that are found by an index often stand close together.
        let distance = i64::try_from(offset)
            .ok()
            .zip(i64::try_from(self.offset).ok())
            .map(|(to, from)| to - from);
        match distance {
            Some(distance) => self.file.seek_relative(distance)?,
            None => {
                self.file.seek(SeekFrom::Start(offset))?;
            }
        }
        self.offset = offset;
        Ok(())
    }

    /// The frame that begins here, and goes on to the next. After a fault nothing more can be read from here.
    pub(crate) fn next(&mut self) -> io::Result<Found> {
        let left = self.limit.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Found::End);
        }
        if left < frame_length(0) {
            return Ok(Found::Fault("a frame is cut off"));
        }
        let mut prefix = [0; PREFIX];
        if !self.fill(&mut prefix)? {
            return Ok(Found::Fault("a frame is cut off"));
        }
        let [a, b, c, d, kind] = prefix;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if frame_length(length) > left {
            return Ok(Found::Fault("a frame is longer than the file"));
        }
        let mut bytes = vec![0; PREFIX + length + SUFFIX];
        let (head, tail) = bytes.split_at_mut(PREFIX);
        head.copy_from_slice(&prefix);
        if !self.fill(tail)? {
            return Ok(Found::Fault("a frame is cut off"));
        }
        let Some((framed, checksum)) = bytes.split_last_chunk::<SUFFIX>() else {
            return Ok(Found::Fault("a frame is cut off"));
        };
        if xxh3_64(framed) != u64::from_le_bytes(*checksum) {
            return Ok(Found::Fault("the checksum of a frame does not fit"));
        }
        let Some(kind) = FrameKind::from_byte(kind) else {
            return Ok(Found::Fault("a frame is of an unknown kind"));
        };
        bytes.truncate(PREFIX + length);
        bytes.drain(..PREFIX);
        let frame = Frame {
            offset: self.offset,
            kind,
            payload: bytes,
        };
        self.offset = frame.end();
        Ok(Found::Frame(frame))
    }

    /// False at the end of the file, which may be shorter than it was a moment ago.
    fn fill(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match self.file.read_exact(into) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}
