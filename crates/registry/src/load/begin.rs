//! Beginning a load: who may, whether the source has another one, and everything that its plan is made with.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use grunddata_model::{OwnerKey, RecordId};
use grunddata_store::{LoadKind, LoadRow, LoadStatus, Reached};
use serde_json::json;
use uuid::Uuid;

use super::cancel::cancelled;
use super::content::{Content, FileFacts, LoadCounts, Signature};
use super::must_load;
use super::planner::{CHUNK, LoadPlanner, NewLoad};
use super::settings::{Approval, SourceSettings};
use crate::registry::refuse_store;
use crate::{Code, Context, Refusal, Registry};

/// After so long without a sign of life a plan that is being made is taken for given up, in microseconds.
pub(super) const GIVEN_UP: i64 = 10 * 60 * 1_000_000;

/// What a load begins with.
pub(super) struct Beginning {
    pub(super) kind: LoadKind,
    pub(super) file: FileFacts,
    pub(super) reference: NaiveDate,
    pub(super) replace: bool,
    pub(super) reverses: Option<Uuid>,
}

impl Registry {
    /// Begins a load of a source and the making of its plan.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who may not load for the owner; [`Code::UnknownSource`], [`Code::SourceRetired`];
    /// [`Code::LoadOpen`] when the source has a load that is still to be planned or applied.
    pub fn plan_load(&self, context: &Context, new: NewLoad) -> Result<LoadPlanner, Refusal> {
        context.disclosed.acted(
            [new.owner.clone()],
            json!({"source": new.source, "file": new.file.name}),
        );
        must_load(context, &new.owner)?;
        if new.kind == LoadKind::Reversal {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "A load of a file is full or delta: a reversal is planned from the load that it takes back.",
            ));
        }
        let source = self.source_of(&new.owner, &new.source)?;
        if source.settings.retired {
            return Err(Refusal::new(
                Code::SourceRetired,
                format!(
                    "The source {} is retired: its settings say that it takes no more loads.",
                    source.key
                ),
            ));
        }
        let reference = new
            .reference_date
            .unwrap_or_else(|| source.settings.reference_day(new.file.date, context.today));
        self.begin(
            context,
            &new.owner,
            source.key,
            source.version,
            &source.settings,
            Beginning {
                kind: new.kind,
                file: new.file,
                reference,
                replace: new.replace,
                reverses: None,
            },
        )
    }

    /// Begins a load, whatever its rows are made from.
    pub(super) fn begin(
        &self,
        context: &Context,
        owner: &OwnerKey,
        source: String,
        version: u32,
        settings: &SourceSettings,
        beginning: Beginning,
    ) -> Result<LoadPlanner, Refusal> {
        let Beginning {
            kind,
            file,
            reference,
            replace,
            reverses,
        } = beginning;
        // Whoever has no rights begins nothing.
        self.rights(context)?;
        let content = Content {
            file,
            reference_date: reference,
            counts: LoadCounts::default(),
            guards: Vec::new(),
            planned: Signature::of(context, None),
            needs_approval: settings.approval == Approval::OtherPerson,
            approved: None,
            cancelled: None,
            refused: Vec::new(),
            failed: None,
            pruned: None,
            rows: 0,
            rehearsed: false,
            together: Vec::new(),
            done: 0,
        };
        let load = LoadRow {
            owner: owner.clone(),
            id: RecordId::mint(context.now).uuid(),
            source,
            source_version: version,
            kind,
            status: LoadStatus::Planning,
            reverses,
            batches: 0,
            reached: Reached {
                turn: i32::MIN,
                number: 0,
            },
            content: content.written()?,
            created_at: context.now,
            created_by: context.actor.name.clone(),
            changed_at: context.now,
        };
        let store = &self.inner.store;
        let mut displaced = None;
        let begun = store
            .begin_load(&load, |open| {
                let silent = context
                    .now
                    .micros()
                    .saturating_sub(open.changed_at.micros());
                let given_up = open.status == LoadStatus::Planning && silent > GIVEN_UP;
                let replaceable = replace && open.batches == 0;
                if !given_up && !replaceable {
                    return None;
                }
                displaced = Some(open.id);
                let why = format!("Replaced by the load {}.", load.id);
                cancelled(context, open, Some(why)).ok()
            })
            .map_err(refuse_store)?;
        if let Err(open) = begun {
            return Err(Refusal::new(
                Code::LoadOpen,
                format!(
                    "The source {} has the load {} that is {}: apply or cancel it first, or say that it is to be replaced.",
                    load.source,
                    open.id,
                    open.status.as_str()
                ),
            )
            .fact("load", open.id.to_string())
            .fact("status", open.status.as_str()));
        }
        if let Some(displaced) = displaced {
            let nothing = Reached {
                turn: i32::MIN,
                number: 0,
            };
            store
                .clear_plan(owner, displaced, nothing)
                .map_err(refuse_store)?;
        }
        self.planner_of(context, load, content, settings)
    }

    /// What makes the plan of a load that has begun and has no rows yet.
    pub(super) fn planner_of(
        &self,
        context: &Context,
        load: LoadRow,
        content: Content,
        settings: &SourceSettings,
    ) -> Result<LoadPlanner, Refusal> {
        let rights = std::sync::Arc::new(self.rights(context)?.loading());
        let (store, owner) = (&self.inner.store, &load.owner);
        let precedences = store
            .read(|reader| reader.sources(owner))
            .map_err(refuse_store)?
            .into_iter()
            .filter_map(|row| {
                let settings: SourceSettings = serde_json::from_str(&row.settings).ok()?;
                Some((row.key, settings.precedence))
            })
            .collect();
        Ok(LoadPlanner {
            registry: self.clone(),
            context: context.clone(),
            job: self.job_context(context, owner.clone(), rights),
            writer: store
                .plan_writer(owner, load.id, &load.source)
                .map_err(refuse_store)?,
            reference: content.reference_date,
            load,
            content,
            settings: settings.clone(),
            precedences,
            buffer: Vec::with_capacity(CHUNK),
            seen: HashMap::new(),
            named: HashSet::new(),
            claimed: HashMap::new(),
            targeted: HashMap::new(),
            ending: HashMap::new(),
            complete: HashMap::new(),
            numbers: 0,
            waiting: 0,
            unwritten: Vec::new(),
            finished: false,
        })
    }
}
