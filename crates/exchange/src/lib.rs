//! Files in and out of the registry: bytes to rows, rows to record drafts by a mapping, and the known formats.
//!
//! Architecture invariants: pure conversions over the `Read` and `Seek` that a caller hands in; no files, no network, no
//! database, no clock, and of our crates only the model. What is made here is a *draft*: the information model decides
//! whether it is a record.
//!
//! Walkthrough: [`rows::read`] decompresses, recognises the format and gives header, rows, refusals and notes to a sink.
//! A [`mapping::Mapping`], read from a file with line numbers in its errors, is bound to the header and turns each row
//! into drafts or into all that is wrong with it. [`convert`] does both. Formats with a structure of their own
//! ([`formats`]) become rows first and are then mapped like all others.

mod conversion;
pub mod formats;
mod limits;
pub mod mapping;
pub mod native;
pub mod out;
mod package;
mod problem;
pub mod ready;
pub mod rows;
pub mod suggest;

pub use conversion::{Converted, Outcome, convert};
pub use limits::Limits;
pub use package::Completeness;
pub use problem::{Place, Problem, code, mask, shown};
