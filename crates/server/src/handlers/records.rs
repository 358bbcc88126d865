//! One record: read, create, replace, amend, end.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use grunddata_model::{Domain, ModelVersion, OwnerKey, RecordId, SchemeCode};
use grunddata_registry::{
    Amend, Command, Content, Create, End, Envelope, Got, Operation, Origin, Patch, Replace, Subject,
};

use super::page;
use super::writing::{self, NOTE};
use crate::access::{Authorised, Read, Write};
use crate::body::{JSON_PATCH, MERGE_PATCH};
use crate::call::Call;
use crate::envelope::{self, Frame};
use crate::etag;
use crate::fields::Fields;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::reply::{Reply, json, refused};

/// `GET /{collection}/{id}`. The hot path: one statement, inline on the worker, no JSON parsed.
pub(crate) async fn get(caller: Authorised<Read>, call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let parameters = call.query()?;
    let context = caller.context();
    let at = call.at(context, &parameters)?;
    match caller
        .registry()
        .get(context, Some(domain), id, &at, None)
        .map_err(refused)?
    {
        Got::Merged { into, domain } => Ok(moved(&call, domain, into, None)),
        Got::Moved {
            into,
            domain,
            registry,
        } => Ok(moved(&call, Some(domain), into, registry.as_deref())),
        Got::Found(found) => {
            let api = call.base().api();
            let coordinate = page::carried(&parameters);
            let mut out = Vec::new();
            let frame = Frame {
                api: &api,
                coordinate: &coordinate,
            };
            envelope::record(&mut out, &found.record, &frame);
            let tag = etag::tag(found.record.version, &out);
            let unchanged = etag::matches_none(call.http.headers(), &tag);
            let mut response = if unchanged {
                HttpResponse::NotModified().finish()
            } else {
                json(StatusCode::OK, out)
            };
            let headers = response.headers_mut();
            if let Ok(tag) = header::HeaderValue::from_str(&tag) {
                headers.insert(header::ETAG, tag);
            }
            if let Ok(token) = header::HeaderValue::from_str(&found.as_of.token()) {
                headers.insert(header::HeaderName::from_static("grunddata-as-of"), token);
            }
            if unchanged {
                headers.insert(
                    header::CACHE_CONTROL,
                    header::HeaderValue::from_static("private, no-cache"),
                );
            }
            headers.append(
                header::VARY,
                header::HeaderValue::from_static("Authorization"),
            );
            Ok(response)
        }
    }
}

/// A merged record, or one that was handed over: another answers, perhaps in another registry.
fn moved(
    call: &Call,
    domain: Option<Domain>,
    into: RecordId,
    registry: Option<&str>,
) -> HttpResponse {
    let api = match registry {
        Some(address) => format!("{}/api/v1", address.trim_end_matches('/')),
        None => call.base().api(),
    };
    let mut response = HttpResponse::TemporaryRedirect();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(domain) = domain {
        let query = call
            .http
            .uri()
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        response.insert_header((
            header::LOCATION,
            format!("{api}/{}/{into}{query}", domain.collection()),
        ));
    }
    response.finish()
}

/// `POST /{collection}`
pub(crate) async fn create(caller: Authorised<Write>, mut call: Call) -> Reply {
    let domain = call.domain()?;
    let (matching, on_uncovered, on_unresolved) = {
        let parameters = call.query()?;
        (
            matching(&parameters)?,
            writing::on_uncovered_of(&parameters)?,
            writing::on_unresolved_of(&parameters)?,
        )
    };
    let (body, bytes) = call.json().await?;
    let mut fields = Fields::new(
        body,
        "",
        &[
            "data",
            "id",
            "owner",
            "controller",
            "validFrom",
            "validTo",
            "model",
            "origin",
            "reason",
            "changeKind",
            "corrects",
            "source",
        ],
    )?;
    let content = content(&mut fields);
    let id = fields.parse::<RecordId>("id", "invalid-format");
    let envelope = envelope_of(&mut fields);
    let (valid_from, valid_to) = (fields.valid_from("validFrom"), fields.valid_to("validTo"));
    let note = writing::note(&mut fields);
    fields.finish()?;
    let operation = Operation::Create(Create {
        id,
        temporary_id: None,
        envelope,
        content,
        valid_from,
        valid_to,
        matching,
    });
    let mut command = Command::new(domain, operation).note(note);
    command.on_uncovered = on_uncovered;
    command.on_unresolved = on_unresolved;
    writing::carry_out(caller, call, command, &bytes).await
}

/// `PUT /{collection}/{id}`
pub(crate) async fn replace(caller: Authorised<Write>, mut call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let (on_uncovered, on_unresolved) = {
        let parameters = call.query()?;
        (
            writing::on_uncovered_of(&parameters)?,
            writing::on_unresolved_of(&parameters)?,
        )
    };
    let (body, bytes) = call.json().await?;
    let mut fields = Fields::new(
        body,
        "",
        &[
            "data",
            "owner",
            "controller",
            "validFrom",
            "validTo",
            "overwritePlanned",
            "model",
            "origin",
            NOTE[0],
            NOTE[1],
            NOTE[2],
            NOTE[3],
        ],
    )?;
    let content = content(&mut fields);
    let envelope = envelope_of(&mut fields);
    let (valid_from, valid_to) = (writing::from(&mut fields), fields.valid_to("validTo"));
    let overwrite_planned = fields.flag("overwritePlanned");
    let note = writing::note(&mut fields);
    fields.finish()?;
    let operation = Operation::Replace(Replace {
        subject: Subject::Id(id),
        envelope,
        content,
        valid_from,
        valid_to,
        overwrite_planned,
    });
    let mut command = Command::new(domain, operation).note(note);
    command.on_uncovered = on_uncovered;
    command.on_unresolved = on_unresolved;
    writing::carry_out(caller, call, command, &bytes).await
}

/// `PATCH /{collection}/{id}`
pub(crate) async fn amend(caller: Authorised<Write>, mut call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let ((valid_from, valid_to), on_uncovered, on_unresolved) = {
        let parameters = call.query()?;
        (
            writing::bounds_of(&parameters)?,
            writing::on_uncovered_of(&parameters)?,
            writing::on_unresolved_of(&parameters)?,
        )
    };
    let (media_type, bytes) = call.bytes(&[MERGE_PATCH, JSON_PATCH]).await?;
    let document = call.parse(&bytes).await?;
    let patch = if media_type == MERGE_PATCH {
        Patch::merge(document)
    } else {
        Patch::json(document)
    }
    .map_err(refused)?;
    let operation = Operation::Amend(Amend {
        subject: Subject::Id(id),
        patch,
        valid_from,
        valid_to,
    });
    let mut command = Command::new(domain, operation);
    command.on_uncovered = on_uncovered;
    command.on_unresolved = on_unresolved;
    writing::carry_out(caller, call, command, &bytes).await
}

/// `DELETE /{collection}/{id}`
pub(crate) async fn end(caller: Authorised<Write>, call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let (valid_from, valid_to) = writing::bounds_of(&call.query()?)?;
    let command = Command::new(
        domain,
        Operation::End(End {
            subject: Subject::Id(id),
            valid_from,
            valid_to,
        }),
    );
    writing::carry_out(caller, call, command, &[]).await
}

/// `data` and `model`.
pub(crate) fn content(fields: &mut Fields) -> Content {
    let data = fields.required("data");
    if !data.is_object() && !data.is_null() {
        fields.reject(
            "data",
            "wrong-type",
            "data must be an object.".to_owned(),
            "data måste vara ett objekt.".to_owned(),
        );
    }
    Content {
        data,
        model: fields.parse::<ModelVersion>("model", "invalid-format"),
    }
}

/// `owner`, `controller` and `origin`.
pub(crate) fn envelope_of(fields: &mut Fields) -> Envelope {
    let owner = fields.parse::<OwnerKey>("owner", "invalid-format");
    let controller = fields.parse::<RecordId>("controller", "invalid-format");
    let origin = match fields.take("origin") {
        None => Origin::Own,
        Some(value) => serde_json::from_value::<Origin>(value).unwrap_or_else(|error| {
            fields.reject(
                "origin",
                "wrong-type",
                format!("origin is {{\"kind\": \"own\"}} or {{\"kind\": \"copy\", \"of\": \"…\", \"copied\": \"YYYY-MM-DD\"}}: {error}"),
                "origin har fel form.".to_owned(),
            );
            Origin::Own
        }),
    };
    Envelope {
        owner,
        controller,
        origin,
    }
}

fn matching(parameters: &Parameters<'_>) -> Result<Option<SchemeCode>, Problem> {
    parameters.read::<SchemeCode>(
        "match",
        "the code of an identifier scheme, such as se-organisation-number or source:hr",
    )
}
