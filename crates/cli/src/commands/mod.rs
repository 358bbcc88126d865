//! One file for each command.

pub(crate) mod backup;
pub(crate) mod changes;
mod collect;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod erase;
pub(crate) mod erasures;
pub(crate) mod export;
pub(crate) mod extract_person;
pub(crate) mod grant;
pub(crate) mod hold;
pub(crate) mod import;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod owner;
pub(crate) mod peer;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod seed;
pub(crate) mod serve;
pub(crate) mod source;
pub(crate) mod token;
pub(crate) mod validate;
pub(crate) mod verify;
pub(crate) mod why;
