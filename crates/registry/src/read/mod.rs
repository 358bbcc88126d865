//! Reading: every read takes one coordinate and answers with the resolved one.

mod diff;
mod get;
mod hierarchy;
mod links;
mod lookup;
mod pending;
mod pin;
mod search;
mod show;
mod sight;
mod splice;
mod timeline;
mod view;

pub(crate) use lookup::{class_of, note_searched};
pub use pending::{PendingReference, PendingReferences};
pub(crate) use pin::{as_of, settled_at};
pub(crate) use show::{
    SeenRow, Shape, change_kind, note_names, record as shown, show, targets, without_hidden,
};
pub(crate) use sight::{WithheldProperties, classes};
pub use splice::Fields;
pub(crate) use splice::geometries;
pub use view::{
    DiffKind, DiffPeriod, Direction, Found, Got, Hierarchy, HistoryItem, HistoryPage,
    IdentifierHit, Link, LinksPage, LinksRequest, LookupAnswer, Node, Offers, Record, SearchPage,
    TimelineItem, TimelineView, Total,
};
