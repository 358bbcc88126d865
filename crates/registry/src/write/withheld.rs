//! What a writer may not see it may not write either: neither set, nor change, nor lose by writing something else.

use grunddata_information_model::{PrivacyClass, Resolved};
use grunddata_model::{RecordId, Timeline};
use grunddata_store::ALL_CLASSES;

use super::apply::Run;
use super::operate::Stop;
use super::prepare::{Prepared, PreparedAction};
use crate::{Code, Refusal};

/// That properties of classes beyond the writer's are after the write as they were before. To end a record is no change of
/// its properties.
pub(super) fn check_withheld(
    run: &Run<'_, '_, '_>,
    command: &Prepared,
    controller: Option<RecordId>,
    before: &Timeline<Resolved>,
    after: &Timeline<Resolved>,
) -> Result<(), Stop> {
    let ends = matches!(
        command.action,
        PreparedAction::End { .. } | PreparedAction::Retract { .. }
    );
    let context = &run.job.context;
    let Some(sight) = context.may_write(controller, command.domain, ends) else {
        return Err(Refusal::internal().into());
    };
    let beyond = !sight.classes & ALL_CLASSES;
    if beyond == 0 {
        return Ok(());
    }
    for difference in before.diff(after) {
        let Some(new) = difference.after else {
            continue;
        };
        let of_old = difference.before.map_or(0, Resolved::classes);
        if (of_old | new.classes()) & beyond == 0 {
            continue;
        }
        let hidden = |value: &Resolved| {
            context
                .model
                .withhold_from(value.domain(), value.model(), value.body(), beyond)
                .map_err(|error| {
                    tracing::error!(%error, "a state cannot be compared");
                    Stop::from(Refusal::internal())
                })
        };
        let was = difference.before.map(hidden).transpose()?;
        if was.as_deref().unwrap_or("{}") != hidden(new)? {
            let classes: Vec<&str> = PrivacyClass::ALL
                .into_iter()
                .filter(|class| class.bit() & beyond != 0)
                .map(PrivacyClass::as_str)
                .collect();
            return Err(Refusal::new(
                Code::Forbidden,
                format!(
                    "Your grants do not reach properties of the classes {}: leave them as they are. An amendment (PATCH) of the other properties does; a replacement would remove them.",
                    classes.join(", ")
                ),
            )
            .into());
        }
    }
    Ok(())
}
