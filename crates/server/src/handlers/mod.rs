//! The handlers: thin. Each turns a request into one use case and its answer into JSON.

pub(crate) mod about;
pub(crate) mod access_log;
pub(crate) mod amendments;
pub(crate) mod change_stream;
pub(crate) mod changes;
pub(crate) mod docs;
pub(crate) mod exports;
pub(crate) mod given_grants;
pub(crate) mod graph;
pub(crate) mod hand_offs;
pub(crate) mod history;
pub(crate) mod identifiers;
pub(crate) mod landing;
pub(crate) mod law;
pub(crate) mod load_rows;
pub(crate) mod loads;
pub(crate) mod log_proofs;
pub(crate) mod lossless;
pub(crate) mod model;
pub(crate) mod owners;
pub(crate) mod pending;
pub(crate) mod provenance;
pub(crate) mod records;
pub(crate) mod search;
pub(crate) mod sources;
pub(crate) mod subscriptions;
pub(crate) mod tokens;
pub(crate) mod transactions;
pub(crate) mod transfers;
pub(crate) mod uploads;
pub(crate) mod validations;

mod grants;
mod page;
pub(crate) mod peers;
pub(crate) mod pushed;
mod writing;
