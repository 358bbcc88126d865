//! The canonical model of grunddata: domains, ids, the two clocks, the timeline algebra, and the identifiers and
//! formats of the Swedish public sector.
//!
//! Architecture invariant: this crate does no input or output, reads no clock and knows no database, no HTTP and no
//! JSON Schema. Everything in it is a value or a pure function, so that the rules of `docs/concepts` can be tested
//! exhaustively here and nowhere be written a second time.

#[cfg(any(test, feature = "arbitrary"))]
pub mod arbitrary;
mod bounds;
mod checksum;
mod domain;
pub mod format;
pub mod geography;
pub mod identifiers;
mod ids;
mod instant;
mod keys;
mod model_version;
mod normalisation;
pub mod organisation;
pub mod parts;
mod period;
pub mod person;
pub mod role;
pub mod service;
pub mod timeline;

pub use bounds::{BoundError, ValidFrom, ValidTo, parse_date, present};
pub use domain::{Domain, UnknownDomain};
pub use format::{FormatError, FormatErrorKind};
pub use ids::{GeographyId, OrganisationId, PersonId, RecordId, RoleId, ServiceId, TransactionId};
pub use instant::{Instant, InstantError};
pub use keys::{KeyError, OwnerKey, SchemeCode};
pub use model_version::{ModelVersion, ModelVersionError};
pub use normalisation::{Normalisation, UnknownNormalisation};
pub use period::{Period, PeriodError, inclusive_end};
pub use timeline::{AmendError, Difference, ReplacePeriod, State, Timeline, TimelineError};
