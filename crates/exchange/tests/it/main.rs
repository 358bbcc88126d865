//! Files as they come, through the public surface of the crate.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod awkward;
mod awkward_page;
mod complete_rows;
mod documents;
mod files;
mod geopackage_files;
mod json_files;
mod mappings;
mod native_files;
mod outs;
mod packages;
mod packed_files;
mod ready_mappings;
mod rejected_rows;
mod suggestions;
mod text_files;
mod workbooks;
