//! Reading: every read takes one coordinate and answers with the resolved one.

mod view;

pub use view::{
    DiffKind, DiffPeriod, Direction, Found, Got, Hierarchy, HistoryItem, HistoryPage,
    IdentifierHit, Link, LinksPage, LinksRequest, LookupAnswer, Node, Record, SearchPage,
    TimelineItem, TimelineView, Total,
};
