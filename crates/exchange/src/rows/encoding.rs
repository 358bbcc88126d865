//! The character encoding of a text file: UTF-8 with or without a byte order mark, UTF-16, Windows-1252 (which holds
//! ISO-8859-1).
//!
//! Must never replace what it cannot decode: a cell with such bytes is refused.

use std::io::{Cursor, Read};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{ReadOptions, empty, fill, problem_of_io};
use crate::{Place, Problem, code};

/// How much of the beginning is looked at.
const SAMPLE: usize = 64 << 10;

/// A text file whose beginning has been looked at.
pub(super) struct Text<'r> {
    sample: Vec<u8>,
    rest: Box<dyn Read + 'r>,
    encoding: Decided,
}

/// What is known of the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decided {
    /// Nothing but ASCII has been seen: UTF-8, or Windows-1252 if the first other byte says so.
    NotYet,
    /// This one.
    Is(&'static Encoding),
}

impl<'r> Text<'r> {
    /// The beginning, without a byte order mark.
    pub(super) fn sample(&self) -> &[u8] {
        &self.sample
    }

    pub(super) const fn encoding(&self) -> Decided {
        self.encoding
    }

    /// The encoding, where the beginning has settled it.
    pub(super) const fn settled(&self) -> Option<&'static Encoding> {
        match self.encoding {
            Decided::Is(encoding) => Some(encoding),
            Decided::NotYet => None,
        }
    }

    /// All bytes, without a byte order mark.
    pub(super) fn into_bytes(self) -> Box<dyn Read + 'r> {
        Box::new(Cursor::new(self.sample).chain(self.rest))
    }
}

/// Looks at the beginning and decides as much as it can.
pub(super) fn open<'r>(
    input: &'r mut dyn Read,
    options: &ReadOptions,
) -> Result<Text<'r>, Problem> {
    let place = Place::of_file(&options.file);
    let mut sample = vec![0_u8; SAMPLE];
    let length = fill(input, &mut sample).map_err(|error| problem_of_io(&error, &place))?;
    sample.truncate(length);
    let told = match &options.encoding {
        None => None,
        Some(label) => Some(Encoding::for_label(label.as_bytes()).ok_or_else(|| {
            Problem::new(
                code::ENCODING,
                place.clone(),
                format!("There is no encoding \"{label}\"; write utf-8, utf-16le or windows-1252."),
                format!("Det finns ingen teckenkodning \"{label}\"; skriv utf-8, utf-16le eller windows-1252."),
            )
        })?),
    };
    let marked = Encoding::for_bom(&sample);
    let guess = match (marked, told) {
        // The mark is in the file itself: it knows better than any setting.
        (Some((encoding, mark)), _) => {
            if encoding == UTF_8 {
                sample.drain(..mark);
            }
            Decided::Is(encoding)
        }
        (None, Some(told)) => Decided::Is(told),
        (None, None) => guess(&sample),
    };
    if sample.trim_ascii().is_empty() {
        return Err(empty(&place));
    }
    match guess {
        Decided::Is(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => {
            transcode(sample, input, encoding, &place)
        }
        encoding => {
            // The formats have their own signs; a NUL is in none of the texts.
            if sample.contains(&0) {
                return Err(Problem::new(
                    code::UNKNOWN_FORMAT,
                    place,
                    "The file is neither text nor a kind of workbook or archive that can be read; send CSV, JSON, XLSX, XLS, ODS, or one of them as gzip, zstd or zip.",
                    "Filen är varken text eller en arbetsbok eller ett arkiv som går att läsa; skicka CSV, JSON, XLSX, XLS, ODS eller något av dem som gzip, zstd eller zip.",
                ));
            }
            Ok(Text {
                sample,
                rest: Box::new(input),
                encoding,
            })
        }
    }
}

/// UTF-16 becomes UTF-8 before anything else: separators and line ends are looked for in bytes.
fn transcode<'r>(
    sample: Vec<u8>,
    rest: &'r mut dyn Read,
    encoding: &'static Encoding,
    place: &Place,
) -> Result<Text<'r>, Problem> {
    let mut decoder = encoding_rs_io::DecodeReaderBytesBuilder::new()
        .encoding(Some(encoding))
        .build(Cursor::new(sample).chain(rest));
    let mut sample = vec![0_u8; SAMPLE];
    let length = fill(&mut decoder, &mut sample).map_err(|error| problem_of_io(&error, place))?;
    sample.truncate(length);
    if sample.trim_ascii().is_empty() {
        return Err(empty(place));
    }
    Ok(Text {
        sample,
        rest: Box::new(decoder),
        encoding: Decided::Is(UTF_8),
    })
}

/// Without a mark and without a setting.
fn guess(sample: &[u8]) -> Decided {
    let nul = |odd: usize| {
        let at = sample.iter().skip(odd).step_by(2);
        sample.len() >= 4 && at.clone().filter(|byte| **byte == 0).count() * 10 > at.count() * 8
    };
    if nul(1) {
        return Decided::Is(UTF_16LE);
    }
    if nul(0) {
        return Decided::Is(UTF_16BE);
    }
    if sample.is_ascii() {
        return Decided::NotYet;
    }
    match std::str::from_utf8(sample) {
        Ok(_) => Decided::Is(UTF_8),
        // A character that is cut by the end of the sample.
        Err(error) if error.error_len().is_none() => Decided::Is(UTF_8),
        // A file that is UTF-8 but for some places stays UTF-8, and those cells are refused.
        Err(error) if error.valid_up_to() > 0 && mostly_utf8(sample) => Decided::Is(UTF_8),
        Err(_) => Decided::Is(legacy(sample)),
    }
}

/// Whether there are more well-formed characters beyond ASCII than bytes that fit none.
fn mostly_utf8(sample: &[u8]) -> bool {
    let (mut well, mut ill) = (0_usize, 0_usize);
    for chunk in sample.utf8_chunks() {
        well += chunk
            .valid()
            .chars()
            .filter(|char| !char.is_ascii())
            .count();
        ill += chunk.invalid().len();
    }
    well > ill
}

/// Which single-byte encoding. Swedish letters decide: a detector that knows all languages is asked only where there are
/// few of them, since it takes short texts for others.
fn legacy(sample: &[u8]) -> &'static Encoding {
    let beyond: Vec<u8> = sample
        .iter()
        .copied()
        .filter(|byte| *byte >= 0x80)
        .collect();
    let swedish = beyond
        .iter()
        .filter(|byte| {
            matches!(
                **byte,
                0xe5 | 0xe4 | 0xf6 | 0xc5 | 0xc4 | 0xd6 | 0xe9 | 0xfc
            )
        })
        .count();
    if swedish * 2 >= beyond.len() {
        return WINDOWS_1252;
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    detector.guess(Some(b"se"), chardetng::Utf8Detection::Deny)
}

/// Decodes a cell. Settles an open question about the encoding by the first byte beyond ASCII.
pub(super) fn decode(bytes: &[u8], decided: &mut Decided) -> Result<String, Undecodable> {
    let encoding = match *decided {
        Decided::Is(encoding) => encoding,
        Decided::NotYet if bytes.is_ascii() => UTF_8,
        Decided::NotYet => {
            let encoding = if std::str::from_utf8(bytes).is_ok() {
                UTF_8
            } else {
                WINDOWS_1252
            };
            *decided = Decided::Is(encoding);
            encoding
        }
    };
    let text = if encoding == UTF_8 {
        std::str::from_utf8(bytes).map(str::to_owned).ok()
    } else {
        encoding
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(std::borrow::Cow::into_owned)
    };
    match text {
        None => Err(Undecodable::Bytes(encoding)),
        Some(text) if is_encoded_twice(&text) => Err(Undecodable::Twice(text)),
        Some(text) => Ok(text),
    }
}

/// Why a cell has no text.
pub(super) enum Undecodable {
    /// Bytes that the encoding does not have.
    Bytes(&'static Encoding),
    /// `Ã¥` for `å`: UTF-8 that was read as Windows-1252 and written again.
    Twice(String),
}

impl Undecodable {
    pub(super) fn problem(self, bytes: &[u8], place: Place) -> Problem {
        match self {
            Self::Bytes(encoding) => {
                let name = encoding.name();
                Problem::new(
                    code::ENCODING,
                    place,
                    format!("The cell holds bytes that are not {name}; save the whole file in one encoding, preferably UTF-8."),
                    format!("Cellen innehåller byte som inte är {name}; spara hela filen i en enda teckenkodning, helst UTF-8."),
                )
                .with_value(&String::from_utf8_lossy(bytes))
            }
            Self::Twice(text) => Problem::new(
                code::DOUBLE_ENCODED,
                place,
                "The letters have been encoded twice (\"Ã¥\" for \"å\"); correct the export, which takes UTF-8 for Windows-1252.",
                "Bokstäverna har kodats två gånger (\"Ã¥\" för \"å\"); rätta uttaget, som tar UTF-8 för Windows-1252.",
            )
            .with_value(&text),
        }
    }
}

/// The Swedish letters and é, encoded twice: no text holds these pairs otherwise.
fn is_encoded_twice(text: &str) -> bool {
    const PAIRS: [&str; 7] = ["Ã¥", "Ã¤", "Ã¶", "Ã…", "Ã„", "Ã–", "Ã©"];
    text.contains('Ã') && PAIRS.iter().any(|pair| text.contains(pair))
}
