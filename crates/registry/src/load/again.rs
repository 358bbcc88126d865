//! Work that goes on without whoever asked for it: whose it is, who does it just now, how it is taken up again by another
//! process, and what is said of a load when it fails.

use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{LoadRow, LoadStatus, Reached, TaskRow};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::begin::GIVEN_UP;
use super::content::{Content, LoadCounts, LoadFailure};
use super::planner::LoadPlanner;
use super::read::{known, wrong_state};
use crate::registry::refuse_store;
use crate::{Actor, Code, Context, Grant, Refusal, Registry};

pub use grunddata_store::TaskKind as LoadTaskKind;

/// A place before every row.
const BEGINNING: Reached = Reached {
    turn: i32::MIN,
    number: 0,
};
/// How many tasks are looked at at once.
const MOST: i64 = 100;

/// Who asked for the work, as it is kept with it. Work that is taken up again is done with the rights that it was begun
/// with, no more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Caller {
    name: String,
    client: String,
    grants: Vec<Grant>,
    feeds_copies: bool,
    unit: Option<String>,
    on_behalf_of: Option<String>,
    purpose: Option<String>,
    request_id: String,
}

impl Caller {
    fn of(context: &Context) -> Self {
        let actor = &context.actor;
        Self {
            name: actor.name.clone(),
            client: actor.client.clone(),
            grants: actor.grants.list().to_vec(),
            feeds_copies: actor.feeds_copies,
            unit: actor.unit.clone(),
            on_behalf_of: context.on_behalf_of.clone(),
            purpose: context.purpose.clone(),
            request_id: context.request_id.clone(),
        }
    }

    fn context(self, now: Instant) -> Context {
        let actor = Actor {
            name: self.name,
            client: self.client,
            grants: self.grants.into(),
            feeds_copies: self.feeds_copies,
            unit: self.unit,
            expires_at: None,
        };
        let mut context = Context::new(actor, now, self.request_id);
        context.on_behalf_of = self.on_behalf_of;
        context.purpose = self.purpose;
        context
    }
}

/// Work on a load whose process has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftTask {
    /// Whose records.
    pub owner: OwnerKey,
    /// The load.
    pub load: Uuid,
    /// What is to be done with it.
    pub kind: LoadTaskKind,
    /// In whose name and with which rights, at this moment.
    pub context: Context,
    /// How often it has been begun.
    pub attempts: u32,
    /// When the process that did it was last taken to be alive.
    pub held_until: Instant,
}

/// A plan that was given up without a word.
pub(super) fn given_up() -> Refusal {
    Refusal::new(
        Code::LoadState,
        "The making of the plan ended before it was whole. Nothing was changed: load the file again.",
    )
}

impl Registry {
    /// Notes that work on a load is done by a process, with the rights of the caller. It is held until an instant, and
    /// longer when the process says so.
    ///
    /// # Errors
    /// [`Code::LoadState`] while somebody is at it; the store's.
    pub fn note_task(
        &self,
        context: &Context,
        owner: &OwnerKey,
        load: Uuid,
        kind: LoadTaskKind,
        holder: Uuid,
        until: Instant,
    ) -> Result<(), Refusal> {
        let caller =
            serde_json::to_string(&Caller::of(context)).map_err(|_| Refusal::internal())?;
        let task = TaskRow {
            owner: owner.clone(),
            load,
            kind,
            caller,
            attempts: 1,
            holder,
            held_until: until,
        };
        let noted = self.inner.store.put_task(&task, self.now());
        if noted.map_err(refuse_store)? {
            return Ok(());
        }
        Err(Refusal::new(
            Code::LoadState,
            format!("Somebody is at the load {load} just now. Read it again in a while."),
        ))
    }

    /// Work whose process has ended.
    ///
    /// # Errors
    /// The store's.
    pub fn left_tasks(&self) -> Result<Vec<LeftTask>, Refusal> {
        let now = self.now();
        let rows = self
            .inner
            .store
            .read(|reader| reader.left_tasks(now, MOST))
            .map_err(refuse_store)?;
        let tasks = rows.into_iter().filter_map(|row| {
            let caller: Caller = serde_json::from_str(&row.caller)
                .inspect_err(|error| {
                    // Those of the others are taken up all the same.
                    tracing::error!(%error, load = %row.load, "who asked for a load cannot be read");
                })
                .ok()?;
            Some(LeftTask {
                owner: row.owner,
                load: row.load,
                kind: row.kind,
                context: caller.context(now),
                attempts: row.attempts,
                held_until: row.held_until,
            })
        });
        Ok(tasks.collect())
    }

    /// Begins the plan of a load anew whose making was broken off. What there was of it is removed.
    ///
    /// # Errors
    /// [`Code::UnknownLoad`]; [`Code::LoadState`] when it is not being planned any more.
    pub fn plan_again(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
    ) -> Result<LoadPlanner, Refusal> {
        let load = known(owner, id, self.load_row(owner, id)?)?;
        if load.status != LoadStatus::Planning {
            return Err(wrong_state(&load, "Its plan is not being made any more."));
        }
        let settings = self.settings_of(&load)?;
        let mut content = Content::of(&load)?;
        content.counts = LoadCounts::default();
        content.rows = 0;
        self.inner
            .store
            .clear_plan(owner, id, BEGINNING)
            .map_err(refuse_store)?;
        self.planner_of(context, load, content, &settings)
    }

    /// Whether there is a load of that id, of whatever owner, whose plan is still to be made.
    ///
    /// # Errors
    /// The store's.
    pub fn is_being_planned(&self, id: Uuid) -> Result<bool, Refusal> {
        self.inner
            .store
            .read(|reader| reader.is_planning(id))
            .map_err(refuse_store)
    }

    /// Says of a load whose plan could not be made why: it has failed then. Says nothing of one that is something else.
    pub fn fail_plan(&self, owner: &OwnerKey, id: Uuid, request_id: &str, why: &Refusal) {
        let now = self.now();
        let failed = self.inner.store.change_load(owner, id, |found| {
            let load = known(owner, id, found)?;
            if !matches!(load.status, LoadStatus::Planning | LoadStatus::Failed) {
                return Err(wrong_state(&load, "Its plan is not being made any more."));
            }
            let mut content = Content::of(&load)?;
            content.failed = Some(failure(now, "planning", request_id, why));
            Ok(LoadRow {
                status: LoadStatus::Failed,
                content: content.written()?,
                changed_at: now,
                ..load
            })
        });
        if let Ok(Ok(load)) = failed {
            let cleared = self.inner.store.clear_plan(owner, id, load.reached);
            if let Err(error) = cleared {
                tracing::warn!(%error, load = %id, "the rows of a plan that was given up are still there");
            }
        }
    }

    /// Says of a load why it is not applied further just now. It can go on where it stopped.
    ///
    /// # Errors
    /// [`Code::UnknownLoad`]; the store's.
    pub fn note_apply_failure(
        &self,
        owner: &OwnerKey,
        id: Uuid,
        request_id: &str,
        why: &Refusal,
    ) -> Result<(), Refusal> {
        let now = self.now();
        self.inner
            .store
            .change_load(owner, id, |found| -> Result<LoadRow, Refusal> {
                let load = known(owner, id, found)?;
                let mut content = Content::of(&load)?;
                content.failed = Some(failure(now, "applying", request_id, why));
                Ok(LoadRow {
                    content: content.written()?,
                    ..load
                })
            })
            .map_err(refuse_store)??;
        Ok(())
    }

    /// Gives up the plans that nobody has been making for ten minutes: their process ended, and nothing is known of their
    /// file. How many.
    ///
    /// # Errors
    /// The store's.
    pub fn fail_abandoned_plans(&self) -> Result<usize, Refusal> {
        let since = Instant::from_micros(self.now().micros().saturating_sub(GIVEN_UP));
        let abandoned = self
            .inner
            .store
            .read(|reader| reader.abandoned_plans(since, MOST))
            .map_err(refuse_store)?;
        let why = Refusal::new(
            Code::LoadState,
            "The process that made the plan ended before it was whole. Nothing was changed: load the file again.",
        );
        for (owner, id) in &abandoned {
            self.fail_plan(owner, *id, "", &why);
        }
        Ok(abandoned.len())
    }
}

fn failure(at: Instant, during: &str, request_id: &str, why: &Refusal) -> LoadFailure {
    LoadFailure {
        at,
        during: during.to_owned(),
        code: why.code.as_str().to_owned(),
        message: why.detail.clone(),
        request_id: request_id.to_owned(),
    }
}
