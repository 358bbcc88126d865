//! Pages for people, rendered on the server: Swedish first, English on request.
//!
//! Architecture invariant: a page is a function of the values that it is given. This crate asks no registry and no
//! store, and loads nothing from another host.

mod extract;
mod landing;

pub use extract::{EXTRACT_STYLE, extract_page};
pub use landing::{Count, Landing, Language, RecordLink};
