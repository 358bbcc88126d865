//! The use cases of grunddata and their authorisation: one file for each.
//!
//! Architecture invariant: no HTTP (no status, header or media type) and no SQL (no diesel, no rows). Every transport
//! builds the same values ([`Command`], [`Query`], [`At`]) and gets the same answers and the same [`Refusal`]s.
//!
//! Writing: `write/`. Every write, be it one record, a transaction or a load of 10,000, is a list of [`Command`]s that
//! is prepared (authorised, parsed, validated) outside the combiner and applied inside it by the one function
//! `write::apply`. Reading: `read/` and `query/`.

mod access;
mod acts;
mod code;
mod coordinate;
mod effective;
mod export;
mod feed;
mod grants;
mod law;
mod load;
mod owners;
mod patch;
mod peers;
mod query;
mod read;
mod refusal;
mod registry;
mod subscription;
mod tokens;
mod transfers;
mod write;

pub use access::{
    Action, Actor, Context, ControllerScope, Disclosed, Grant, Grants, OwnerScope,
    ProtectionPolicy, Relation, Role, Shown, stockholm_day,
};
pub use code::Code;
pub use coordinate::{AsOf, At, CoordinateParameters, KnownAt, Pins};
pub use effective::ToldEffective;
pub use export::{Export, ExportRequest, Exported};
pub use feed::{
    FEED_KINDS, Feed, FeedChange, FeedContent, FeedCopy, FeedEntry, FeedFilter, FeedPosition,
    FeedStates, FeedStep, LogEpoch, LogKey, LogProof, Reread, Resumed, SignedHead, is_of_whole,
};
pub use grants::{GivenGrant, GrantSubject, SubjectKind};
pub use grunddata_store::{
    ChangeKey, Form, LogPlace, LogWatch, LosslessProgress, LosslessSummary, OwnerSet, SentKind,
    SentRow, Settlement, Standing, SubscriptionState,
};
pub use law::{
    ControllerExtract, Decision, Delivery, Disposal, DisposalContent, DisposedRecord, Due,
    ErasedAgain, Erasures, ExtractController, ExtractOptions, ExtractReader, IdentifierExtract,
    Keeping, LinkExtract, Mark, MarkKind, NewDelivery, NewRetentionRule, PastErasure,
    PersonExtract, PreservedRecords, RecordExtract, RetentionPlan, RetentionRule, StateExtract,
    VersionExtract,
};
pub use load::{
    Apply, Approval, AssertedReference, AssertedValue, Assertion, AssertionKey, Authoritative,
    ChangesFrom, Collect, CollectKind, CollectPlace, CollectState, Ends, FileFacts, FollowedBy,
    Follows, GuardHit, Guards, Introduced, LeftTask, Level, Load, LoadCounts, LoadFailure,
    LoadFinding, LoadKind, LoadPace, LoadPage, LoadPlanner, LoadProgress, LoadStatus, LoadTaskKind,
    NewLoad, NewSource, OpenLoad, PlanRowState, PlanRowView, PlanRowsPage, PlanRowsQuery,
    Precedence, PropertyChange, PropertyProvenance, Provenance, Pruned, ReferenceDate,
    RowDifference, RowOutcome, RowProblem, Schedule, Signature, Source, SourceSettings,
    SourceState, StaleRows, Threshold, problem,
};
pub use owners::{NewOwner, Owner};
pub use patch::Patch;
pub use peers::{Copied, Copies, Peer, PeerSettings, PeerState, Push, PushSettings};
pub use query::{
    Condition, CountMode, PARAMETERS, PageChoice, Place, Query, ReferenceCondition, SortBy,
    SortKey, Test,
};
pub use read::{
    DiffKind, DiffPeriod, Direction, Fields, Found, Got, Hierarchy, HistoryItem, HistoryPage,
    IdentifierHit, Link, LinksPage, LinksRequest, LookupAnswer, Node, Offers, PendingReference,
    PendingReferences, Record, SearchPage, TimelineItem, TimelineView, Total,
};
pub use refusal::{Fault, Refusal, fact, nearest};
pub use registry::{Limits, Registry};
pub use subscription::{
    ContentMode, NewSubscription, SecretRotation, SentDelivery, Subscription, SubscriptionEdit,
    SubscriptionReader, SubscriptionSettings,
};
pub use tokens::{MOST_OVERLAP_DAYS, MintedToken, NewToken, OVERLAP_DAYS, Rotation, Token};
pub use transfers::{
    Basis, BasisKind, HandOff, HandOffContent, HandOffPayload, HandedProof, HandedState,
    LeftTransfer, MOST_TRANSFERRED, NewHandOff, NewTransfer, Received, RemoteOffer, SideView,
    Transfer, TransferContent, TransferItem, TransferLeft, TransferPage, TransferProgress,
    TransferRecord, TransferReferences, TransferWhy, Transferred,
};
pub use write::{
    Amend, ChangeKind, Command, Content, Create, End, Envelope, From, Idempotency, IfMatch, Note,
    OnUncovered, OnUnresolved, Operation, Origin, Outcome, PreparedBatch, Replace, Retract, Revert,
    Revive, Subject, Transaction, TransactionWritten, ValidationDraft, ValidationOutcome, Written,
};
