//! The information model: packages of schemas and code lists, compiled, and the check of data against them.
//!
//! The model is data, not code. A package under `schemas/NAME/VERSION/` is plain JSON Schema 2020-12 with the annotation
//! keywords of `docs/annotations.md`; this crate turns each domain's schema into a validator and a plan. Data that has
//! passed comes out as [`Validated`] and, once its references are ids, as [`Resolved`]: the only thing that the store
//! accepts, and a value that cannot be made in any other way.
//!
//! Architecture invariants: no database, no HTTP, no clock; files are read only while packages are loaded, and nothing is
//! ever fetched over a network. No property of a domain is known here by name except `kind` and `extensions`; everything
//! else stands in an annotation or in the shape of a shared definition.
//!
//! Walkthrough of [`InformationModel::validate`]: `validate` asks the compiled schema (`release`), and `explain` turns
//! what it says into our errors; `walk` follows the `plan` beside the data, checks codes, identifiers and references and
//! takes out what is indexed; `canonical` writes the result.

mod annotation;
mod canonical;
mod code_list;
mod columns;
mod edit;
mod error;
mod explain;
mod fold;
mod format;
mod model;
mod openapi;
mod package;
mod path;
mod plan;
mod record;
mod release;
mod scheme;
mod split;
mod text;
mod validate;
mod waiting;
mod walk;
mod withhold;

pub use annotation::{OnTargetEnd, PrivacyClass, SearchMode, TargetRule};
pub use canonical::canonical_json;
pub use code_list::{Code, CodeList, CodeListInfo};
pub use columns::{Column, ColumnKind};
pub use error::{ModelError, ValidationError, code};
pub use fold::{fold, number_key, words};
pub use model::InformationModel;
pub use package::{Example, ExpectedError, Manifest, Package, PackageStatus};
pub use plan::{DomainModel, IndexedProperty, Property, Relation};
pub use record::{
    CodeUse, Entry, Found, Geometry, IdentifierUse, IndexMode, LinkUse, PendingUse, ReferenceUse,
    Resolved, Target, Validated,
};
pub use scheme::{IdentifierScheme, Uniqueness};
pub use split::ByClass;
pub use text::{Text, nearest};

/// The name of the core package.
pub const CORE: &str = "grunddata";

/// How many levels of objects and lists data may have.
pub const MAX_DEPTH: usize = 32;

/// How many characters of a value the index keeps. Longer values are found by their beginning.
pub const MAX_ENTRY_CHARS: usize = 200;
