//! Reads at a coordinate. Every statement says which owners, what is valid and known, and what the reader may see.

mod changes;
mod feed;
mod find;
mod former;
mod hierarchy;
mod identifiers;
mod keys;
mod links;
mod pin;
mod planned;
mod raised;
mod recorded;
mod records;
mod search;
mod text;
mod withdrawn;

use chrono::NaiveDate;
use grunddata_model::Instant;

use crate::connection::Connection;
use crate::engine::Engine;

pub use changes::ChangeEntry;
pub(crate) use changes::{COLUMNS as CHANGE_COLUMNS, Parts, Types, entry};
pub use feed::{ChangeFilter, ChangeScan, CopyFacts, HiddenEdges};
pub use find::{Absent, Lookup};
pub use former::FormerHead;
pub use hierarchy::HierarchyRow;
pub use identifiers::IdentifierRow;
pub use keys::ChangeKey;
pub use links::{Direction, LinkCursor, LinkRow};
pub use planned::TurnRow;
pub use raised::RaisedRow;
pub use recorded::RecordedLink;
pub use records::{RecordRow, Targets};
pub use search::{
    Condition, Count, ESTIMATE, LinkCondition, Matching, Page, SearchCursor, SortBy, SortKey,
    StoreSearch,
};
pub use withdrawn::{Followed, WithdrawnRow};

/// Reads on one connection. Given by [`Store::read`](crate::Store::read).
pub struct Reader<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) connection: &'a mut Connection,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(engine: &'a Engine, connection: &'a mut Connection) -> Self {
        Self { engine, connection }
    }

    pub(crate) fn model(&self) -> &grunddata_information_model::InformationModel {
        &self.engine.model
    }

    pub(crate) fn now(&self) -> Instant {
        (self.engine.options.clock)()
    }

    /// The real day, for protection: the coordinate never lowers it. In UTC, which is behind Swedish time, so that a
    /// protection ends late rather than early.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.now().date_time().date_naive()
    }
}
