//! Records out: to lines, tables and features. Whoever calls decides which records and what of them is shown; here they
//! only get another form.
//!
//! Architecture invariants: pure, and in pieces: a head, records one after the other, a tail. Nothing is gathered, so that
//! an export of a million records needs no more memory than one of ten.

mod csv;
mod geojson;
mod table;

pub use csv::{Csv, Delimiter};
pub use geojson::GeoJson;
pub use table::{Cell, CellKind, ENVELOPE, OutColumn, OutEnvelope, OutRecord, cells};
