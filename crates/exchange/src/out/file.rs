//! Formats that cannot be written from beginning to end in one go: they grow in a file that the caller makes, that nobody
//! else reads, and that is whole only when it was finished.

use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::path::Path;

use grunddata_model::{Domain, Instant, RecordId};

use super::geopackage::GeoPackage;
use super::parquet::Parquet;
use super::table::{OutColumn, OutRecord};
use super::xlsx::{self, Xlsx};

/// Which format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// A workbook with one sheet (ECMA-376).
    Xlsx,
    /// Apache Parquet.
    Parquet,
    /// OGC GeoPackage with one table of features.
    GeoPackage,
}

impl FileFormat {
    /// All of them, with the words by which they are chosen.
    pub const ALL: [(&'static str, Self); 3] = [
        ("xlsx", Self::Xlsx),
        ("parquet", Self::Parquet),
        ("geopackage", Self::GeoPackage),
    ];

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::GeoPackage => "application/geopackage+sqlite3",
        }
    }

    /// How the name of such a file ends.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Parquet => "parquet",
            Self::GeoPackage => "gpkg",
        }
    }
}

/// What the file is of.
#[derive(Debug, Clone)]
pub struct FileAbout {
    /// The domain of its records.
    pub domain: Domain,
    /// The columns of the domain's data.
    pub columns: Vec<OutColumn>,
    /// The coordinate, by the names of its parts.
    pub coordinate: Vec<(String, String)>,
    /// When it is made.
    pub at: Instant,
}

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutError {
    /// More records than a sheet has rows.
    #[error(
        "There are more records than a sheet has rows: {most} and a heading. Choose CSV or Parquet, or a narrower query."
    )]
    TooManyRows {
        /// The most.
        most: u32,
    },
    /// A text that a cell cannot hold.
    #[error(
        "What stands under {column} in the record {id} is longer than a cell of a workbook: {most} characters. Choose CSV or Parquet, or leave the column out with fields."
    )]
    CellTooLong {
        /// Whose.
        id: RecordId,
        /// Where.
        column: String,
        /// The most characters.
        most: usize,
    },
    /// The file grows larger than it may.
    #[error(
        "The file would be larger than {most} bytes. Choose NDJSON or CSV, which are not kept on this side, or a narrower query."
    )]
    TooLarge {
        /// The most.
        most: u64,
    },
    /// The file cannot be written.
    #[error("the file of the export cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The library that writes the format refuses.
    #[error("the file of the export cannot be made: {0}")]
    Format(String),
}

/// A file that is being written.
#[derive(Debug)]
pub enum OutFile {
    /// See [`FileFormat::Xlsx`].
    Xlsx(Box<Xlsx>),
    /// See [`FileFormat::Parquet`].
    Parquet(Box<Parquet>),
    /// See [`FileFormat::GeoPackage`].
    GeoPackage(Box<GeoPackage>),
}

impl OutFile {
    /// Begins a file of at most `most` bytes in `file`, which is empty, lies at `path` and must be nobody else's to read.
    /// After this the path may go: `file` is what is written. A workbook keeps its cells in a second file without a name
    /// in `aside` until it is finished.
    ///
    /// # Errors
    /// [`OutError`] of the file or the library.
    pub fn begin(
        format: FileFormat,
        about: FileAbout,
        (file, path): (File, &Path),
        aside: &Path,
        most: u64,
    ) -> Result<Self, OutError> {
        Ok(match format {
            FileFormat::Xlsx => Self::Xlsx(Box::new(Xlsx::begin(about, file, aside, most)?)),
            FileFormat::Parquet => Self::Parquet(Box::new(Parquet::begin(about, file, most)?)),
            FileFormat::GeoPackage => {
                Self::GeoPackage(Box::new(GeoPackage::begin(about, file, path, most)?))
            }
        })
    }

    /// The most records that the format takes.
    #[must_use]
    pub const fn most_records(format: FileFormat) -> Option<u32> {
        match format {
            FileFormat::Xlsx => Some(xlsx::MOST_RECORDS),
            FileFormat::Parquet | FileFormat::GeoPackage => None,
        }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`OutError`]: the file is of no use then.
    pub fn record(&mut self, record: &OutRecord<'_>) -> Result<(), OutError> {
        match self {
            Self::Xlsx(file) => file.record(record),
            Self::Parquet(file) => file.record(record),
            Self::GeoPackage(file) => file.record(record),
        }
    }

    /// Makes it whole and gives it back, to be read from its beginning, with its length in bytes.
    ///
    /// # Errors
    /// [`OutError`]: the file is of no use then.
    pub fn finish(self) -> Result<(File, u64), OutError> {
        let mut file = match self {
            Self::Xlsx(file) => file.finish()?,
            Self::Parquet(file) => file.finish()?,
            Self::GeoPackage(file) => file.finish()?,
        };
        let length = file.seek(io::SeekFrom::End(0))?;
        file.rewind()?;
        Ok((file, length))
    }
}

/// A file that does not grow beyond a bound.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) file: File,
    left: u64,
}

impl Bounded {
    pub(super) fn new(file: File, most: u64) -> Self {
        Self { file, left: most }
    }

    /// Whether an error of a library comes from the bound.
    pub(super) fn full(&self) -> bool {
        self.left == 0
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as u64;
        if length > self.left {
            self.left = 0;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
