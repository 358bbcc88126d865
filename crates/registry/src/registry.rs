//! [`Registry`]: the store and the information model, with the limits within which they are used. The use cases are
//! methods on it, each in its own file.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, Instant, OwnerKey};
use grunddata_store::{Clock, Store, StoreError, WriteError};
use parking_lot::Mutex;
use serde_json::json;

use crate::access::Visibilities;
use crate::feed::FeedKeys;
use crate::peers::Copies;
use crate::query::{Place, read_fields};
use crate::read::Fields;
use crate::read::WithheldProperties;
use crate::write::Failure;
use crate::{Actor, Code, Context, Query, Refusal};

/// The most of everything that a client can make large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Operations of a transaction, and commands of a load.
    pub operations: usize,
    /// Records of one validation request.
    pub validations: usize,
    /// Identifiers of one lookup.
    pub lookup: usize,
    /// Records of a page.
    pub page: u32,
    /// Records of a page when nothing is said.
    pub default_page: u32,
    /// Hits that can be reached by page number.
    pub hits_by_page: u64,
    /// Links followed from one node.
    pub fan_out: u32,
    /// Links or nodes of one answer.
    pub links: u32,
    /// Steps of one traversal.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 10_000,
            validations: 10_000,
            lookup: 1_000,
            page: 1_000,
            default_page: 20,
            hits_by_page: 10_000,
            fan_out: 1_000,
            links: 1_000,
            depth: 10,
        }
    }
}

/// The registry. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) model: InformationModel,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) visibilities: Visibilities,
    pub(crate) withheld: WithheldProperties,
    pub(crate) feed_keys: FeedKeys,
    pub(crate) copies: RwLock<Option<Arc<Copies>>>,
    /// Owners of whom references are left to be settled that lead to what a write has brought.
    pub(crate) unsettled: Mutex<BTreeSet<OwnerKey>>,
}

impl Registry {
    /// A registry over a store that has been migrated.
    #[must_use]
    pub fn new(store: Store, model: InformationModel, clock: Clock, limits: Limits) -> Self {
        let withheld = WithheldProperties::of(&model);
        Self {
            inner: Arc::new(Inner {
                store,
                model,
                clock,
                limits,
                visibilities: Visibilities::default(),
                withheld,
                feed_keys: FeedKeys::default(),
                copies: RwLock::default(),
                unsettled: Mutex::default(),
            }),
        }
    }

    /// The store: for migration, verification, metrics and shutdown, which are no use cases.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The information model.
    #[must_use]
    pub fn model(&self) -> &InformationModel {
        &self.inner.model
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Instant {
        (self.inner.clock)()
    }

    /// The context of a request that is made now.
    #[must_use]
    pub fn context(&self, actor: Actor, request_id: impl Into<String>) -> Context {
        Context::new(actor, self.now(), request_id)
    }

    /// Reads the parameters of a search; see [`Query::parse`].
    ///
    /// # Errors
    /// Those of [`Query::parse`].
    pub fn query<'a>(
        &self,
        context: &Context,
        domain: Domain,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
        place: Place,
    ) -> Result<Query, Refusal> {
        Query::parse(
            context,
            &self.inner.model,
            &self.inner.limits,
            domain,
            parameters,
            place,
        )
    }

    /// Reads a choice of properties: paths separated by commas.
    ///
    /// # Errors
    /// [`Code::UnknownProperty`] with the nearest known one.
    pub fn fields(&self, domain: Domain, text: &str) -> Result<Fields, Refusal> {
        read_fields(self.inner.model.domain(domain), text)
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }
}

/// What the store could not do, as a refusal. Causes that are ours are logged here, once, and never sent.
pub(crate) fn refuse_store(error: StoreError) -> Refusal {
    match error {
        StoreError::Busy => Refusal::new(
            Code::Busy,
            "The database is busy. Nothing was stored; try again in a moment.",
        ),
        StoreError::ShuttingDown => Refusal::new(
            Code::Busy,
            "The registry is shutting down. Nothing was stored; try again in a moment.",
        ),
        StoreError::Unavailable(cause) => {
            tracing::error!(%cause, "the database cannot be reached");
            Refusal::new(
                Code::Busy,
                "The database cannot be reached just now. If this was a write, repeat it with the same Idempotency-Key.",
            )
        }
        StoreError::Full(cause) => {
            tracing::error!(%cause, "the disk of the database takes no more");
            Refusal::new(
                Code::StorageFull,
                "The disk of the database is full, or broken. Nothing was stored; it works again when the operator has made room.",
            )
        }
        StoreError::Timeout(longest) => Refusal::new(
            Code::Timeout,
            format!(
                "The request took longer than {} seconds. Ask for less at a time.",
                longest.as_secs()
            ),
        ),
        StoreError::UnknownOwner(owner) => Refusal::new(
            Code::UnknownOwner,
            format!("There is no owner {owner} in this registry. An administrator can add it."),
        )
        .fact("owner", owner.as_str()),
        StoreError::Copied { owner, of } => Refusal::new(
            Code::ReadOnlyCopy,
            format!(
                "{owner} is copied from {of}: write to it there, and what you write comes here."
            ),
        )
        .fact("owner", owner.as_str())
        .fact("origin", json!({"kind": "copy", "of": &*of})),
        StoreError::OwnerExists(owner) => Refusal::new(
            Code::OwnerExists,
            format!("The owner {owner} exists already, with other properties."),
        )
        .fact("owner", owner.as_str()),
        StoreError::InTransfer(id) => crate::transfers::in_transfer(id),
        StoreError::IdTaken(id) => crate::write::not_yours(id),
        StoreError::Limit { what, given, limit } => Refusal::new(
            Code::TooManyItems,
            format!("{what}: {given} is more than the limit {limit}. Ask for less at a time."),
        ),
        error => {
            tracing::error!(%error, "the store failed");
            Refusal::internal()
        }
    }
}

/// How a write failed, as a refusal.
pub(crate) fn refuse_write(error: WriteError<Failure>) -> Refusal {
    match error {
        WriteError::Refused(Failure::Refused(refusal)) => *refusal,
        WriteError::Refused(Failure::Store(error)) | WriteError::Store(error) => {
            refuse_store(error)
        }
        WriteError::Busy => Refusal::new(
            Code::Busy,
            "Too many writes are waiting for this owner. Nothing was stored; try again in a moment.",
        ),
        WriteError::ClockJump { expected, now } => {
            tracing::error!(%expected, %now, "the clock jumped: writes are stopped");
            Refusal::new(
                Code::ClockJump,
                "The registry's clock has jumped, and writes are stopped until it is right. Nothing was stored.",
            )
        }
    }
}
