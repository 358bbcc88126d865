//! What the store's handles, its committing threads and its readers share.

use grunddata_information_model::InformationModel;

use crate::combiner::Queue;
use crate::metrics::Metrics;
use crate::options::{StoreOptions, Target};
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
}
