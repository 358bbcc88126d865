//! What the store's handles, its committing threads and its readers share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use grunddata_information_model::InformationModel;
use grunddata_model::{Instant, ModelVersion};
use parking_lot::Mutex;

use crate::combiner::Queue;
use crate::follow::Followed;
use crate::metrics::Metrics;
use crate::options::{StoreOptions, Target};
use crate::peers::CopyConnections;
use crate::write::KnownRows;

pub(crate) struct Engine {
    /// Tells the readers' connections of one store from those of another in the same process.
    pub(crate) instance: u64,
    pub(crate) target: Target,
    pub(crate) options: StoreOptions,
    pub(crate) model: InformationModel,
    pub(crate) queue: Queue,
    pub(crate) known: KnownRows,
    pub(crate) metrics: Metrics,
    /// Who waits for the next change of an owner.
    pub(crate) followed: Arc<Followed>,
    /// With which copies are written.
    pub(crate) copying: CopyConnections,
    /// Packages of the information model that are kept and cannot be used, and why.
    pub(crate) aside: Mutex<BTreeMap<ModelVersion, String>>,
    /// What the clock and the stopwatch said when the store was opened.
    pub(crate) opened: (Instant, Duration),
}

impl Engine {
    /// What the clock would say if it had only gone on since the store was opened, where it says so much more that it
    /// must have jumped.
    pub(crate) fn jumped(&self, clock: Instant) -> Option<Instant> {
        let limit = self.options.clock_jump_limit?;
        let (opened, begun) = self.opened;
        let passed = (self.options.stopwatch)().saturating_sub(begun);
        let passed = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let expected = Instant::from_micros(opened.micros().saturating_add(passed));
        (clock.date_time() - expected.date_time() > limit).then_some(expected)
    }
}
