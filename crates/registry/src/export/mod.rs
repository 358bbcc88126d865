//! Everything out: the records that answer a query as one consistent stream ([`Registry::export`]), and a whole
//! installation without loss ([`Registry::export_lossless`]).

mod lossless;
mod records;

pub use records::{Export, ExportRequest, Exported};
