//! Removing what old loads hold of persons. A plan tells what was to be done with each record, row by row: nobody needs it
//! once it has been applied for a while, and nobody will decide about one that has been waiting for as long.

use grunddata_model::Instant;
use grunddata_store::{LoadRow, LoadStatus};
use serde::Serialize;
use serde_json::json;

use super::cancel::cancelled;
use super::content::Content;
use super::read::known;
use crate::registry::refuse_store;
use crate::{Action, Code, Context, Refusal, Registry};

/// How many loads of an owner are looked up at once.
const PAGE: i64 = 100;

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// Loads whose rows were removed.
    pub loads: u64,
    /// Loads among them that waited for a decision and were given up.
    pub given_up: u64,
}

impl Registry {
    /// Removes the rows and findings of loads of every owner that were last changed before an instant; those that still wait
    /// for a decision, or with which nobody goes on, are given up first. Facts of the file, counts, guards and batches
    /// stay, and so does what the sources said. A load whose rows are gone cannot be taken back any more. Blocks the thread.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer everything; the store's.
    pub fn prune_loads(&self, context: &Context, before: Instant) -> Result<Pruned, Refusal> {
        context.disclosed.acted([], json!({"before": before}));
        if !context.actor.may_for_everything(Action::Administer) {
            return Err(Refusal::new(
                Code::Forbidden,
                "Old loads are removed by administrators of the whole registry.",
            ));
        }
        let mut pruned = Pruned::default();
        for load in self.prunable(before, true)? {
            let given_up = self
                .inner
                .store
                .change_load(&load.owner, load.id, |found| -> Result<LoadRow, Refusal> {
                    let present = known(&load.owner, load.id, found)?;
                    let open = [
                        LoadStatus::Planned,
                        LoadStatus::Stopped,
                        LoadStatus::Applying,
                    ];
                    let waits = open.contains(&present.status) && present.changed_at < before;
                    if !waits {
                        return Ok(present);
                    }
                    let why = "Nobody decided about it for as long as plans are kept.";
                    cancelled(context, &present, Some(why.to_owned()))
                })
                .map_err(refuse_store)??;
            if given_up.status == LoadStatus::Cancelled {
                pruned.given_up += 1;
                self.prune(context, &given_up)?;
                pruned.loads += 1;
            }
        }
        loop {
            let page = self.prunable(before, false)?;
            if page.is_empty() {
                return Ok(pruned);
            }
            for load in &page {
                self.prune(context, load)?;
                pruned.loads += 1;
            }
        }
    }

    fn prunable(&self, before: Instant, waiting: bool) -> Result<Vec<LoadRow>, Refusal> {
        self.inner
            .store
            .read(|reader| reader.loads_to_prune(before, waiting, PAGE))
            .map_err(refuse_store)
    }

    fn prune(&self, context: &Context, load: &LoadRow) -> Result<(), Refusal> {
        let mut content = Content::of(load)?;
        // Both may quote the file.
        content.file.notes = Vec::new();
        content.refused = Vec::new();
        content.pruned = Some(context.now);
        self.inner
            .store
            .prune_load(&load.owner, load.id, &content.written()?)
            .map_err(refuse_store)
    }
}
