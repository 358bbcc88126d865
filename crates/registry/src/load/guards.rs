//! Guards: a plan that looks wrong stops before anything is done, until somebody says by name that it is right.

use grunddata_model::OwnerKey;
use grunddata_store::{LoadKind, LoadRow, LoadStatus};
use serde_json::json;
use uuid::Uuid;

use super::content::{Content, GuardHit, Signature};
use super::must_load;
use super::read::{Load, known};
use super::settings::{SourceSettings, Threshold};
use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Code, Context, Refusal, Registry};

fn hit(name: &str, en: String, sv: String) -> GuardHit {
    GuardHit {
        name: name.to_owned(),
        message: en,
        message_sv: sv,
        overridden: None,
    }
}

/// The guards that a plan hits. `spoke` is of how many records the source spoke before.
pub(super) fn hits(
    settings: &SourceSettings,
    kind: LoadKind,
    content: &Content,
    last: Option<&Content>,
    spoke: u64,
) -> Vec<GuardHit> {
    let guards = &settings.guards;
    let counts = &content.counts;
    let mut hits = Vec::new();
    let exceeded = |threshold: &Threshold, some: u64, whole: u64| {
        threshold.is_exceeded(some, whole, guards.floor)
    };
    // What refers to them and ends with them counts too, wherever it comes from.
    if exceeded(&guards.ends, counts.end + counts.follow_end, spoke) {
        let (also, ocksa) = match counts.follow_end {
            0 => (String::new(), String::new()),
            more => (
                format!(", and {more} more that refer to them or to what changes"),
                format!(", och {more} till som hänvisar till dem eller till det som ändras"),
            ),
        };
        hits.push(hit(
            "ends",
            format!("{} of the {spoke} records that the source speaks of would end{also}. Check that the file is whole; if it is right, override the guard ends.", counts.end),
            format!("{} av de {spoke} poster som källan anger skulle upphöra{ocksa}. Kontrollera att filen är hel; är det rätt, åsidosätt spärren ends.", counts.end),
        ));
    }
    if spoke > 0 && exceeded(&guards.changes, counts.change, spoke) {
        hits.push(hit(
            "changes",
            format!("{} of the {spoke} records that the source speaks of would change. Look at some of the rows; if they are right, override the guard changes.", counts.change),
            format!("{} av de {spoke} poster som källan anger skulle ändras. Granska några av raderna; är de rätt, åsidosätt spärren changes.", counts.change),
        ));
    }
    let wrong = counts.rejected;
    let read = counts.said.saturating_add(counts.unreadable);
    if exceeded(&guards.errors, wrong, read) {
        hits.push(hit(
            "errors",
            format!("{wrong} rows are wrong, of {read}. Look at what is wrong with them; to apply the others all the same, override the guard errors."),
            format!("{wrong} rader är fel, av {read}. Granska vad som är fel; för att ändå genomföra de andra, åsidosätt spärren errors."),
        ));
    }
    if guards.missing_column && !content.file.missing_columns.is_empty() {
        let names = content.file.missing_columns.join(", ");
        hits.push(hit(
            "missing-column",
            format!("The file lacks columns that the mapping uses: {names}. If that is meant, override the guard missing-column."),
            format!("Filen saknar kolumner som mappningen använder: {names}. Är det avsett, åsidosätt spärren missing-column."),
        ));
    }
    let Some(last) = last else {
        return hits;
    };
    let gone: Vec<&str> = last
        .file
        .columns
        .iter()
        .filter(|name| !content.file.columns.is_empty() && !content.file.columns.contains(name))
        .map(String::as_str)
        .collect();
    if guards.missing_column && content.file.missing_columns.is_empty() && !gone.is_empty() {
        let names = gone.join(", ");
        hits.push(hit(
            "missing-column",
            format!("The file lacks columns that the last one had: {names}. If that is meant, override the guard missing-column."),
            format!("Filen saknar kolumner som den förra hade: {names}. Är det avsett, åsidosätt spärren missing-column."),
        ));
    }
    if guards.older
        && let (Some(date), Some(before)) = (content.file.date, last.file.date)
        && date < before
    {
        hits.push(hit(
            "older",
            format!("The file is of {date}, and one of {before} was applied already. If it is the right one, override the guard older."),
            format!("Filen är från {date}, och en från {before} har redan genomförts. Är det rätt fil, åsidosätt spärren older."),
        ));
    }
    if kind == LoadKind::Full
        && let Some(percent) = guards.shorter_percent
        && let (Some(rows), Some(before)) = (content.file.rows, last.file.rows)
    {
        let missing = Threshold {
            count: None,
            percent: Some(percent),
        };
        if exceeded(&missing, before.saturating_sub(rows), before) {
            hits.push(hit(
                "shorter",
                format!("The file has {rows} rows, and the last one had {before}. Check that it is whole; if it is, override the guard shorter."),
                format!("Filen har {rows} rader, och den förra hade {before}. Kontrollera att den är hel; är den det, åsidosätt spärren shorter."),
            ));
        }
    }
    hits
}

impl Registry {
    /// Overrides guards of a stopped load by their names. When none is left the load can be applied, or goes on where it
    /// stopped.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownLoad`]; [`Code::LoadState`] when the load is not stopped;
    /// [`Code::InvalidParameter`] for a name that no guard has that stopped it; [`Code::InvalidText`] for the reason.
    pub fn override_guards(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
        names: &[String],
        reason: &str,
    ) -> Result<Load, Refusal> {
        context.disclosed.acted(
            [owner.clone()],
            json!({"load": id, "override": names, "reason": reason}),
        );
        must_load(context, owner)?;
        check_text("reason", reason, 1_000)?;
        let changed = self
            .inner
            .store
            .change_load(owner, id, |found| -> Result<LoadRow, Refusal> {
                let mut load = known(owner, id, found)?;
                let mut content = Content::of(&load)?;
                if load.status != LoadStatus::Stopped {
                    return Err(super::read::wrong_state(
                        &load,
                        "Only a load that a guard has stopped needs it.",
                    ));
                }
                for name in names {
                    let mut found = false;
                    for hit in content.guards.iter_mut().filter(|hit| hit.name == *name) {
                        found = true;
                        hit.overridden
                            .get_or_insert_with(|| Signature::of(context, Some(reason.to_owned())));
                    }
                    if !found {
                        let known: Vec<&str> =
                            content.standing().map(|hit| hit.name.as_str()).collect();
                        return Err(Refusal::new(
                            Code::InvalidParameter,
                            format!(
                                "No guard {name:?} has stopped this load. Those that have: {}.",
                                known.join(", ")
                            ),
                        ));
                    }
                }
                if content.standing().next().is_none() {
                    load.status = if load.batches > 0 {
                        LoadStatus::Applying
                    } else {
                        LoadStatus::Planned
                    };
                }
                load.content = content.written()?;
                load.changed_at = context.now;
                Ok(load)
            })
            .map_err(refuse_store)??;
        Load::of(&changed)
    }
}
