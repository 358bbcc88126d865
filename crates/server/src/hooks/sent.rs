//! What came of a request, and how it is noted.

use std::time::Duration;

use grunddata_model::Instant;
use grunddata_registry::{LogPlace, SentKind, SentRow};

/// What came of a request.
pub(super) struct Sent {
    pub(super) status: Option<u16>,
    /// `None` = it was accepted.
    pub(super) failure: Option<String>,
    /// When the target wants to be asked again.
    pub(super) retry_after: Option<Duration>,
    pub(super) millis: u32,
    pub(super) at: Instant,
}

/// A request that carried nothing of the log.
pub(super) fn row(kind: SentKind, from: LogPlace, sent: &Sent) -> SentRow {
    SentRow {
        number: 0,
        kind,
        sent_at: sent.at,
        again_of: None,
        from,
        to: from.position,
        entries: 0,
        status: sent.status,
        millis: sent.millis,
        failure: sent.failure.clone(),
    }
}
