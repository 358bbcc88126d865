//! Loads: systems that cannot call an interface put a file somewhere every night, and what it says is reconciled with what
//! is recorded.
//!
//! A **source** has versioned settings (`source`). A load is **planned** row by row (`planner`, `work_out`, `missing`):
//! nothing of the registry changes, and the plan says exactly what will. What a row comes to is a three-way merge
//! (`merge`): what the source says now against what it said when it was last accepted, upon what is recorded. **Guards**
//! stop a plan that looks wrong, somebody else may have to **approve** it, and it is **applied** batch by batch
//! (`apply`), each of them one transaction of the ordinary pipeline in which the progress and what the source said are
//! written too, so that whoever is killed goes on after the last batch. An applied load is taken back by a load of its own
//! (`reverse`). `provenance` says which source, load and change a value comes from.
//!
//! Nothing here knows a file: what was read of one comes in as [`Assertion`]s.

mod again;
mod apply;
mod approve;
mod assertion;
mod batch;
mod begin;
mod cancel;
mod collect;
mod commands;
mod content;
mod create;
mod difference;
mod existing;
mod gather;
mod guards;
mod leaves;
mod matching;
mod merge;
mod missing;
mod news;
mod planner;
mod provenance;
mod prune;
mod read;
mod rehearse;
mod reverse;
mod row;
mod settings;
mod settings_read;
mod source;
mod state;
mod work_out;

use grunddata_model::OwnerKey;

use crate::{Action, Code, Context, Refusal};

pub use again::{LeftTask, LoadTaskKind};
pub use apply::{LoadPace, LoadProgress};
pub use assertion::{AssertedReference, Assertion, AssertionKey};
pub use collect::{Apply, Collect, CollectKind, Place as CollectPlace};
pub use content::{FileFacts, GuardHit, LoadCounts, LoadFailure, Signature};
pub use grunddata_store::{LoadKind, LoadStatus, RowOutcome};
pub use planner::{LoadPlanner, NewLoad};
pub use provenance::{AssertedValue, Introduced, PropertyProvenance, Provenance};
pub use prune::Pruned;
pub use read::{
    Load, LoadFinding, LoadPage, PlanRowState, PlanRowView, PlanRowsPage, PlanRowsQuery,
};
pub use rehearse::{FollowedBy, Follows};
pub use row::{PropertyChange, RowDifference, RowProblem, problem};
pub use settings::{
    Approval, Authoritative, ChangesFrom, Ends, Guards, Level, Precedence, ReferenceDate, Schedule,
    SourceSettings, StaleRows, Threshold,
};
pub use source::{NewSource, Source};
pub use state::{CollectState, OpenLoad, SourceState};

/// That the actor may apply loads of the owner. Which records they may touch is asked of each.
fn must_load(context: &Context, owner: &OwnerKey) -> Result<(), Refusal> {
    if context.actor.may(Action::Load, owner) {
        return Ok(());
    }
    Err(Refusal::forbidden_owner(owner, "load"))
}

/// That the actor looks after the sources of the owner.
fn must_administer(context: &Context, owner: &OwnerKey) -> Result<(), Refusal> {
    if context.actor.may_for_whole(Action::Administer, owner) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Forbidden,
        format!("Sources are put by administrators of the whole of {owner}."),
    )
    .fact("owner", owner.as_str()))
}
