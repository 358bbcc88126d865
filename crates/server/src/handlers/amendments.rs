//! The explicit, rarer writes: amendments, endings, revivals, retractions, reversions.

use grunddata_registry::{Amend, Command, End, Operation, Patch, Retract, Revert, Revive, Subject};

use super::records::content;
use super::writing::{self, NOTE};
use crate::access::{Authorised, Write};
use crate::call::Call;
use crate::fields::Fields;
use crate::problem::Problem;
use crate::reply::{Reply, refused};

/// `POST …/amendments`
pub(crate) async fn amend(caller: Authorised<Write>, mut call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    call.no_query()?;
    let (body, bytes) = call.json().await?;
    let mut fields = Fields::new(
        body,
        "",
        &[
            "patch",
            "operations",
            "validFrom",
            "validTo",
            "onUncovered",
            "onUnresolved",
            NOTE[0],
            NOTE[1],
            NOTE[2],
            NOTE[3],
        ],
    )?;
    let patch = patch(&mut fields)?;
    let (valid_from, valid_to) = (writing::from(&mut fields), fields.valid_to("validTo"));
    let on_uncovered = writing::on_uncovered(&mut fields);
    let on_unresolved = writing::on_unresolved(&mut fields);
    let note = writing::note(&mut fields);
    fields.finish()?;
    let patch = patch.ok_or_else(one_of)?;
    let operation = Operation::Amend(Amend {
        subject: Subject::Id(id),
        patch,
        valid_from,
        valid_to,
    });
    let mut command = Command::new(domain, operation).note(note);
    command.on_uncovered = on_uncovered;
    command.on_unresolved = on_unresolved;
    writing::carry_out(caller, call, command, &bytes).await
}

/// `patch` or `operations`; a fault when both or neither are there.
pub(crate) fn patch(fields: &mut Fields) -> Result<Option<Patch>, Problem> {
    match (fields.take("patch"), fields.take("operations")) {
        (Some(patch), None) => Patch::merge(patch).map(Some).map_err(refused),
        (None, Some(operations)) => Patch::json(operations).map(Some).map_err(refused),
        _ => {
            fields.reject(
                "patch",
                "required-property",
                "Give either patch (RFC 7396) or operations (RFC 6902).".to_owned(),
                "Ange antingen patch (RFC 7396) eller operations (RFC 6902).".to_owned(),
            );
            Ok(None)
        }
    }
}

fn one_of() -> Problem {
    Problem::new(
        "patch-malformed",
        "Give either patch (RFC 7396) or operations (RFC 6902).",
    )
}

/// `POST …/endings`
pub(crate) async fn end(caller: Authorised<Write>, mut call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    call.no_query()?;
    let (body, bytes) = call.json().await?;
    let mut fields = Fields::new(
        body,
        "",
        &["validFrom", "validTo", NOTE[0], NOTE[1], NOTE[2], NOTE[3]],
    )?;
    let (valid_from, valid_to) = (writing::from(&mut fields), fields.valid_to("validTo"));
    let note = writing::note(&mut fields);
    fields.finish()?;
    let command = Command::new(
        domain,
        Operation::End(End {
            subject: Subject::Id(id),
            valid_from,
            valid_to,
        }),
    )
    .note(note);
    writing::carry_out(caller, call, command, &bytes).await
}

/// `POST …/revivals`
pub(crate) async fn revive(caller: Authorised<Write>, mut call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    call.no_query()?;
    let (body, bytes) = call.json().await?;
    let mut fields = Fields::new(
        body,
        "",
        &[
            "data",
            "model",
            "validFrom",
            "validTo",
            NOTE[0],
            NOTE[1],
            NOTE[2],
            NOTE[3],
        ],
    )?;
    let content = content(&mut fields);
    let valid_from = match fields.take("validFrom") {
        None => {
            fields.reject(
                "validFrom",
                "required-property",
                "validFrom is required: say from which day the record holds again.".to_owned(),
                "validFrom krävs: ange från vilken dag posten åter gäller.".to_owned(),
            );
            None
        }
        Some(value) => match serde_json::from_value::<grunddata_model::ValidFrom>(value) {
            Ok(from) => Some(from),
            Err(error) => {
                fields.reject(
                    "validFrom",
                    "invalid-date",
                    format!("validFrom: {error}"),
                    format!("validFrom har fel form: {error}"),
                );
                None
            }
        },
    };
    let valid_to = fields.valid_to("validTo");
    let note = writing::note(&mut fields);
    fields.finish()?;
    let valid_from =
        valid_from.ok_or_else(|| Problem::internal("a missing validFrom was let through"))?;
    let operation = Operation::Revive(Revive {
        subject: Subject::Id(id),
        content,
        valid_from,
        valid_to,
    });
    writing::carry_out(
        caller,
        call,
        Command::new(domain, operation).note(note),
        &bytes,
    )
    .await
}

/// `POST …/retractions`
pub(crate) async fn retract(caller: Authorised<Write>, mut call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    call.no_query()?;
    let (body, bytes) = call.json().await?;
    let mut fields = Fields::new(
        body,
        "",
        &["validFrom", "validTo", NOTE[0], NOTE[1], NOTE[2], NOTE[3]],
    )?;
    let (valid_from, valid_to) = (writing::from(&mut fields), fields.valid_to("validTo"));
    let note = writing::note(&mut fields);
    if note.reason.is_none() {
        fields.reject(
            "reason",
            "required-property",
            "reason is required: say why it was recorded in error.".to_owned(),
            "reason krävs: ange varför det registrerats av misstag.".to_owned(),
        );
    }
    fields.finish()?;
    let command = Command::new(
        domain,
        Operation::Retract(Retract {
            subject: Subject::Id(id),
            valid_from,
            valid_to,
        }),
    )
    .note(note);
    writing::carry_out(caller, call, command, &bytes).await
}

/// `POST …/reversions`
pub(crate) async fn revert(caller: Authorised<Write>, mut call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    call.no_query()?;
    let (body, bytes) = call.json().await?;
    let mut fields = Fields::new(body, "", &["version", NOTE[0], NOTE[1], NOTE[2], NOTE[3]])?;
    let version = writing::version(&mut fields, "version");
    if version.is_none() {
        fields.reject(
            "version",
            "required-property",
            "version is required: the version to go back to, from 1.".to_owned(),
            "version krävs: versionen att gå tillbaka till, från 1.".to_owned(),
        );
    }
    let note = writing::note(&mut fields);
    fields.finish()?;
    let version = version.ok_or_else(|| Problem::internal("a missing version was let through"))?;
    let command = Command::new(
        domain,
        Operation::Revert(Revert {
            subject: Subject::Id(id),
            version,
        }),
    )
    .note(note);
    writing::carry_out(caller, call, command, &bytes).await
}
