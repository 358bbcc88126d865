//! Retention rules, plans and disposals, legal holds and restrictions of processing, and the register extract.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use grunddata_access_log::{AccessLogError, Archive};
use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_registry::{
    Decision, ExtractController, ExtractOptions, ExtractReader, Keeping, MarkKind, NewDelivery,
    NewRetentionRule, PersonExtract, Refusal,
};
use grunddata_web::EXTRACT_STYLE;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::page;
use crate::access::{Admin, Authorised, Permission, Write};
use crate::call::Call;
use crate::fields::{self, Fields};
use crate::problem::{MOST_ERRORS, Problem};
use crate::reply::{self, Reply, refused};

/// `GET /owners/{owner}/retention-rules`
pub(crate) async fn rules(caller: Authorised<Write>, call: Call) -> Reply {
    listed(caller, call, |caller, owner| {
        caller.registry().retention_rules(caller.context(), owner)
    })
    .await
}

/// `POST /owners/{owner}/retention-rules`
pub(crate) async fn put_rule(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let owner = owner(&call)?;
    let (body, _) = call.json().await?;
    let known = [
        "controller",
        "domain",
        "kind",
        "eraseAfterYears",
        "preserve",
        "archive",
        "decision",
        "reference",
        "validFrom",
        "validTo",
    ];
    let mut fields = Fields::new(body, "", &known)?;
    let years = fields.number("eraseAfterYears");
    let preserve = fields.flag("preserve");
    if years.is_some() == preserve {
        fields.reject(
            "eraseAfterYears",
            "required-property",
            "Say eraseAfterYears or preserve, and not both.".to_owned(),
            "Ange eraseAfterYears eller preserve, inte båda.".to_owned(),
        );
    }
    let domain: Option<Domain> = domain(&mut fields);
    let rule = NewRetentionRule {
        owner,
        controller: fields.parse("controller", "invalid-format"),
        domain,
        kind: fields.text("kind"),
        keeping: match years {
            Some(years) => Keeping::Erase {
                years: u32::try_from(years).unwrap_or(u32::MAX),
            },
            None => Keeping::Preserve {
                archive: fields.text("archive"),
            },
        },
        decision: decision(&mut fields),
        valid_from: fields.parse("validFrom", "invalid-date"),
        valid_to: fields.parse("validTo", "invalid-date"),
    };
    fields.finish()?;
    let made = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.put_retention_rule(context, rule).map_err(refused)
        })
        .await?;
    shown(StatusCode::CREATED, &made)
}

/// `DELETE /owners/{owner}/retention-rules/{rule}`
pub(crate) async fn end_rule(caller: Authorised<Admin>, call: Call) -> Reply {
    let from: Option<NaiveDate> = call.query()?.read("validFrom", "a date")?;
    let (owner, id) = (owner(&call)?, mark_id(&call, "rule")?);
    call.app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry
                .end_retention_rule(context, &owner, id, from)
                .map_err(refused)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /owners/{owner}/deliveries`
pub(crate) async fn deliveries(caller: Authorised<Write>, call: Call) -> Reply {
    listed(caller, call, |caller, owner| {
        caller.registry().deliveries(caller.context(), owner)
    })
    .await
}

/// `POST /owners/{owner}/deliveries`
pub(crate) async fn put_delivery(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let owner = owner(&call)?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["rule", "archive", "reference", "delivered"])?;
    let (rule, delivered): (Option<Uuid>, Option<NaiveDate>) = (
        fields.parse("rule", "invalid-format"),
        fields.parse("delivered", "invalid-date"),
    );
    let (archive, reference) = (fields.text("archive"), fields.text("reference"));
    fields.finish()?;
    let (Some(rule), Some(delivered), Some(reference)) = (rule, delivered, reference) else {
        return Err(Problem::new(
            "invalid-body",
            "rule, reference and delivered are required: which rule preserves it, where the receipt is found, and the day.",
        ));
    };
    let new = NewDelivery {
        owner,
        rule,
        archive,
        reference,
        delivered,
    };
    let made = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.put_delivery(context, new).map_err(refused)
        })
        .await?;
    shown(StatusCode::CREATED, &made)
}

/// `GET /owners/{owner}/retention-plan`
pub(crate) async fn plan(caller: Authorised<Write>, call: Call) -> Reply {
    call.no_query()?;
    let owner = owner(&call)?;
    let plan = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.retention_plan(context, &owner).map_err(refused)
        })
        .await?;
    shown(StatusCode::OK, &plan)
}

/// `GET /owners/{owner}/disposals`
pub(crate) async fn disposals(caller: Authorised<Write>, call: Call) -> Reply {
    listed(caller, call, |caller, owner| {
        caller.registry().disposals(caller.context(), owner)
    })
    .await
}

/// `POST /owners/{owner}/disposals`
pub(crate) async fn run(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let owner = owner(&call)?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["plan"])?;
    let token = fields.text("plan").unwrap_or_default();
    if token.is_empty() {
        fields.reject(
            "plan",
            "required-property",
            "plan is required: the token of the plan that you have looked at.".to_owned(),
            "plan krävs: märket på den plan som du har granskat.".to_owned(),
        );
    }
    fields.finish()?;
    let disposal = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry
                .run_retention(context, &owner, &token)
                .map_err(refused)
        })
        .await?;
    shown(StatusCode::CREATED, &disposal)
}

/// `POST /erasures`
pub(crate) async fn erase(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["records", "decision", "reference"])?;
    let decision = decision(&mut fields);
    let list = fields.list("records").unwrap_or_default();
    let mut faults = fields.faults().err().unwrap_or_default();
    let mut ids: Vec<RecordId> = Vec::with_capacity(list.len());
    for (place, item) in list.iter().enumerate() {
        match item.as_str().and_then(|text| text.parse().ok()) {
            Some(id) => ids.push(id),
            None if faults.len() <= MOST_ERRORS => faults.push(fields::fault(
                &format!("/records/{place}"),
                "invalid-format",
                "A record is named by its id.".to_owned(),
                "En post anges med sitt id.".to_owned(),
            )),
            None => break,
        }
    }
    if !faults.is_empty() {
        return Err(fields::problem(faults));
    }
    let disposal = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.erase(context, &ids, decision).map_err(refused)
        })
        .await?;
    shown(StatusCode::CREATED, &disposal)
}

/// `GET /owners/{owner}/holds`
pub(crate) async fn holds(caller: Authorised<Write>, call: Call) -> Reply {
    marks(caller, call, MarkKind::Hold).await
}

/// `POST /holds`
pub(crate) async fn hold(caller: Authorised<Write>, call: Call) -> Reply {
    put_mark(caller, call, MarkKind::Hold).await
}

/// `DELETE /owners/{owner}/holds/{mark}`
pub(crate) async fn lift_hold(caller: Authorised<Write>, call: Call) -> Reply {
    lift_mark(caller, call, MarkKind::Hold).await
}

/// `GET /owners/{owner}/restrictions`
pub(crate) async fn restrictions(caller: Authorised<Write>, call: Call) -> Reply {
    marks(caller, call, MarkKind::Restriction).await
}

/// `POST /restrictions`
pub(crate) async fn restrict(caller: Authorised<Write>, call: Call) -> Reply {
    put_mark(caller, call, MarkKind::Restriction).await
}

/// `DELETE /owners/{owner}/restrictions/{mark}`
pub(crate) async fn lift_restriction(caller: Authorised<Write>, call: Call) -> Reply {
    lift_mark(caller, call, MarkKind::Restriction).await
}

/// `GET /persons/{id}/extract`
pub(crate) async fn extract(caller: Authorised<Write>, call: Call) -> Reply {
    let extract = extracted(caller, &call).await?;
    shown(StatusCode::OK, &extract)
}

/// `GET /persons/{id}/extract.html`
pub(crate) async fn extract_page(caller: Authorised<Write>, call: Call) -> Reply {
    let extract = extracted(caller, &call).await?;
    let html = grunddata_web::extract_page(&extract, call.app.vault.model())
        .map_err(|error| Problem::internal(error.to_string()))?;
    let style = STANDARD.encode(Sha256::digest(EXTRACT_STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_LANGUAGE, "sv"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .body(html))
}

async fn extracted(caller: Authorised<Write>, call: &Call) -> Result<PersonExtract, Problem> {
    let by_name = match call.query()?.get("byName") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(crate::parameters::invalid("byName", other, "true or false")),
    };
    let controller: Option<ExtractController> = call
        .query()?
        .read("controller", "own or the id of an organisation")?;
    let id = call.id()?;
    let app = std::sync::Arc::clone(&call.app);
    call.app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            let options = ExtractOptions {
                by_name,
                controller,
            };
            let extract = registry
                .extract_person(context, id, options)
                .map_err(refused)?;
            let (readers, complete) = readers_of(app.access_log.archive(), &extract.records())
                .map_err(|error| Problem::internal(error.to_string()))?;
            Ok(extract.with_readers(readers, complete, by_name))
        })
        .await
}

async fn marks(caller: Authorised<Write>, call: Call, kind: MarkKind) -> Reply {
    listed(caller, call, move |caller, owner| {
        caller.registry().marks(caller.context(), owner, kind)
    })
    .await
}

async fn put_mark(caller: Authorised<Write>, mut call: Call, kind: MarkKind) -> Reply {
    call.no_query()?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["record", "reason"])?;
    let record: Option<RecordId> = fields.parse("record", "invalid-format");
    let reason = fields.text("reason").unwrap_or_default();
    fields.finish()?;
    let record = record.ok_or_else(|| {
        fields::problem(vec![fields::fault(
            "/record",
            "required-property",
            "record is required: the id of the record.".to_owned(),
            "record krävs: postens id.".to_owned(),
        )])
    })?;
    let mark = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry
                .put_mark(context, kind, record, &reason)
                .map_err(refused)
        })
        .await?;
    shown(StatusCode::CREATED, &mark)
}

async fn lift_mark(caller: Authorised<Write>, call: Call, kind: MarkKind) -> Reply {
    call.no_query()?;
    let (owner, id) = (owner(&call)?, mark_id(&call, "mark")?);
    call.app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry
                .lift_mark(context, &owner, kind, id)
                .map_err(refused)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn listed<P: Permission, T: Serialize + Send + 'static>(
    caller: Authorised<P>,
    call: Call,
    list: impl FnOnce(&Authorised<P>, &OwnerKey) -> Result<Vec<T>, Refusal> + Send + 'static,
) -> Reply {
    call.no_query()?;
    let owner = owner(&call)?;
    let items = call
        .app
        .pool
        .run(move || list(&caller, &owner).map_err(refused))
        .await?;
    let items = written(&items)?;
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

fn shown(status: StatusCode, value: &impl Serialize) -> Reply {
    Ok(reply::value(status, &written(value)?))
}

fn written(value: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value).map_err(|error| Problem::internal(error.to_string()))
}

fn owner(call: &Call) -> Result<OwnerKey, Problem> {
    OwnerKey::new(call.path("owner")).map_err(|error| {
        Problem::new(
            "invalid-parameter",
            format!("The key of an owner: {error}."),
        )
        .fact("parameter", "owner")
    })
}

fn mark_id(call: &Call, name: &'static str) -> Result<Uuid, Problem> {
    call.path(name).parse().map_err(|_| {
        Problem::new(
            "not-found",
            "There is nothing with that id here. The list of the owner says what there is.",
        )
    })
}

fn decision(fields: &mut Fields) -> Decision {
    let mut text = |name: &str, sv: &str| {
        let text = fields.text(name).unwrap_or_default();
        if text.is_empty() {
            fields.reject(
                name,
                "required-property",
                format!("{name} is required: nothing is erased or kept without a decision."),
                sv.to_owned(),
            );
        }
        text
    };
    Decision {
        text: text("decision", "decision krävs: inget gallras utan beslut."),
        reference: text("reference", "reference krävs: beslutets beteckning."),
    }
}

fn domain(fields: &mut Fields) -> Option<Domain> {
    let name = fields.text("domain")?;
    let found = Domain::ALL
        .into_iter()
        .find(|domain| domain.as_str() == name);
    if found.is_none() {
        let names = Domain::ALL.map(Domain::as_str).join(", ");
        fields.reject(
            "domain",
            "unknown-code",
            format!("domain is one of {names}."),
            format!("domain är något av {names}."),
        );
    }
    found
}

/// Who has read one of the records according to the access log, for a register extract; and whether all of the log could
/// be read.
///
/// # Errors
/// When the log cannot be read at all.
pub fn readers_of(
    log: &Archive,
    records: &[RecordId],
) -> Result<(Vec<ExtractReader>, bool), AccessLogError> {
    let found = log.readers_of(records, None, None)?;
    let readers = found.readers.into_iter().map(|reader| ExtractReader {
        unit: reader.unit,
        actor: Some(reader.actor),
        on_behalf_of: reader.on_behalf_of,
        first: reader.first,
        last: reader.last,
        count: reader.count,
    });
    Ok((readers.collect(), found.complete))
}
