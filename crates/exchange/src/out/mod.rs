//! Records out: to lines, tables and features. Whoever calls decides which records and what of them is shown; here they
//! only get another form.
//!
//! Architecture invariants: in pieces: a head, records one after the other, a tail. Nothing is gathered beyond a bound, so
//! that an export of a million records needs no more memory than one of ten. CSV and GeoJSON are pure; the formats of
//! [`OutFile`] grow in a file that the caller makes, and open no other but one without a name.

mod csv;
mod file;
mod geojson;
mod geopackage;
mod parquet;
mod table;
mod xlsx;

pub use csv::{Csv, Delimiter};
pub use file::{FileAbout, FileFormat, OutError, OutFile};
pub use geojson::GeoJson;
pub use geopackage::GeoPackage;
pub use parquet::Parquet;
pub use table::{Cell, CellKind, ENVELOPE, OutColumn, OutEnvelope, OutRecord, cells};
pub use xlsx::Xlsx;
