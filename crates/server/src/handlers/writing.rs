//! What every write has in common: the conditions in the headers, the note in the body, and the answer.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use grunddata_model::{Domain, RecordId, ValidFrom, ValidTo};
use grunddata_registry::{
    At, ChangeKind, Command, From, Got, Idempotency, Note, OnUncovered, OnUnresolved, Outcome,
    Written,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::access::{Authorised, Write};
use crate::call::Call;
use crate::envelope::{self, Frame};
use crate::fields::Fields;
use crate::parameters::{Parameters, invalid};
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};
use crate::{etag, links};

/// The members of a note.
pub(crate) const NOTE: [&str; 4] = ["reason", "changeKind", "corrects", "source"];

/// Reads the note of a write.
pub(crate) fn note(fields: &mut Fields) -> Note {
    let change_kind = match fields.text("changeKind").as_deref() {
        None | Some("change") => ChangeKind::Change,
        Some("correction") => ChangeKind::Correction,
        Some(other) => {
            fields.reject(
                "changeKind",
                "unknown-code",
                format!(
                    "changeKind is change or correction, not \"{}\".",
                    other.chars().take(40).collect::<String>()
                ),
                "changeKind är change eller correction.".to_owned(),
            );
            ChangeKind::Change
        }
    };
    Note {
        reason: fields.text("reason"),
        change_kind,
        corrects: version(fields, "corrects"),
        source: fields.text("source"),
    }
}

/// The collection that an item of a list names.
pub(crate) fn collection(fields: &mut Fields) -> Option<Domain> {
    let name = fields.text("collection");
    let domain = name.as_deref().and_then(Domain::from_collection);
    if domain.is_none() {
        fields.reject(
            "collection",
            "unknown-code",
            "collection is persons, roles, organisations, geographies or services.".to_owned(),
            "collection är persons, roles, organisations, geographies eller services.".to_owned(),
        );
    }
    domain
}

/// A version's number.
pub(crate) fn version(fields: &mut Fields, name: &'static str) -> Option<u32> {
    let number = fields.number(name)?;
    match u32::try_from(number).ok().filter(|number| *number > 0) {
        Some(number) => Some(number),
        None => {
            fields.reject(
                name,
                "out-of-range",
                format!("{name} is a version, from 1."),
                format!("{name} är en version, från 1."),
            );
            None
        }
    }
}

/// `onUncovered` of a body.
pub(crate) fn on_uncovered(fields: &mut Fields) -> OnUncovered {
    match fields.text("onUncovered").as_deref() {
        None | Some("reject") => OnUncovered::Reject,
        Some("clip") => OnUncovered::Clip,
        Some("flag") => OnUncovered::Flag,
        Some(_) => {
            fields.reject(
                "onUncovered",
                "unknown-code",
                "onUncovered is reject, clip or flag.".to_owned(),
                "onUncovered är reject, clip eller flag.".to_owned(),
            );
            OnUncovered::Reject
        }
    }
}

/// `onUncovered` of a query.
pub(crate) fn on_uncovered_of(parameters: &Parameters<'_>) -> Result<OnUncovered, Problem> {
    match parameters.get("onUncovered") {
        None | Some("reject") => Ok(OnUncovered::Reject),
        Some("clip") => Ok(OnUncovered::Clip),
        Some("flag") => Ok(OnUncovered::Flag),
        Some(other) => Err(invalid("onUncovered", other, "reject, clip or flag")),
    }
}

/// `onUnresolved` of a body.
pub(crate) fn on_unresolved(fields: &mut Fields) -> OnUnresolved {
    let Some(word) = fields.text("onUnresolved") else {
        return OnUnresolved::Reject;
    };
    OnUnresolved::of(&word).unwrap_or_else(|| {
        fields.reject(
            "onUnresolved",
            "unknown-code",
            "onUnresolved is reject or pending.".to_owned(),
            "onUnresolved är reject eller pending.".to_owned(),
        );
        OnUnresolved::Reject
    })
}

/// `onUnresolved` of a query.
pub(crate) fn on_unresolved_of(parameters: &Parameters<'_>) -> Result<OnUnresolved, Problem> {
    let Some(word) = parameters.get("onUnresolved") else {
        return Ok(OnUnresolved::Reject);
    };
    OnUnresolved::of(word).ok_or_else(|| invalid("onUnresolved", word, "reject or pending"))
}

/// The first day of a write in a body: a date, `unknown` or `start`.
pub(crate) fn from(fields: &mut Fields) -> Option<From> {
    let text = fields.text("validFrom")?;
    if text == "start" {
        return Some(From::Start);
    }
    match text.parse::<ValidFrom>() {
        Ok(from) => Some(From::At(from)),
        Err(error) => {
            fields.reject(
                "validFrom",
                "invalid-date",
                format!("validFrom: {error}, or \"start\" for the record's first day"),
                format!("validFrom har fel form: {error}"),
            );
            None
        }
    }
}

/// The bounds of a write in a query.
pub(crate) fn bounds_of(
    parameters: &Parameters<'_>,
) -> Result<(Option<From>, Option<ValidTo>), Problem> {
    let from = match parameters.get("validFrom") {
        Some("start") => Some(From::Start),
        _ => parameters.date::<ValidFrom>("validFrom")?.map(From::At),
    };
    Ok((from, parameters.date::<ValidTo>("validTo")?))
}

/// How a retry of this request is recognised, if the client asked for that.
pub(crate) fn idempotency(call: &Call, body: &[u8]) -> Result<Option<Idempotency>, Problem> {
    Ok(repeatable(call)?.map(|repeatable| repeatable.with_body(body)))
}

/// An [`Idempotency`] whose fingerprint still lacks the body, which may be large: see [`Repeatable::with_body`].
pub(crate) struct Repeatable {
    key: String,
    scope: String,
    fingerprint: Sha256,
}

impl Repeatable {
    /// With the body.
    pub(crate) fn with_body(mut self, body: &[u8]) -> Idempotency {
        self.fingerprint.update(body);
        Idempotency {
            key: self.key,
            scope: self.scope,
            fingerprint: self.fingerprint.finalize().into(),
        }
    }
}

/// Whether the client asked that a retry of this request be recognised.
pub(crate) fn repeatable(call: &Call) -> Result<Option<Repeatable>, Problem> {
    let Some(key) = call.http.headers().get("Idempotency-Key") else {
        return Ok(None);
    };
    let key = key.to_str().map_err(|_| {
        Problem::new(
            "invalid-idempotency-key",
            "Idempotency-Key must be 1 to 255 visible ASCII characters; a UUID serves well.",
        )
    })?;
    let mut fingerprint = Sha256::new();
    fingerprint.update(call.http.uri().query().unwrap_or_default());
    fingerprint.update([0]);
    fingerprint.update(call.header("content-type").unwrap_or_default());
    fingerprint.update([0]);
    Ok(Some(Repeatable {
        key: key.to_owned(),
        scope: format!("{} {}", call.http.method(), call.http.path()),
        fingerprint,
    }))
}

/// Whether the client wants no body (RFC 7240).
pub(crate) fn minimal(call: &Call) -> bool {
    call.http
        .headers()
        .get_all("Prefer")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| {
            preference
                .trim()
                .replace(' ', "")
                .eq_ignore_ascii_case("return=minimal")
        })
}

/// Carries one write out and answers with the record as it is then.
pub(crate) async fn carry_out(
    caller: Authorised<Write>,
    call: Call,
    command: Command,
    body: &[u8],
) -> Reply {
    let mut command = command;
    command.if_match = etag::if_match(call.http.headers())?;
    let idempotency = idempotency(&call, body)?;
    let written = caller
        .registry()
        .write(caller.context(), command, idempotency)
        .await
        .map_err(refused)?;
    answer(&caller, &call, &written)
}

/// The answer to one write.
fn answer(caller: &Authorised<Write>, call: &Call, written: &Written) -> Reply {
    let base = call.base();
    let api = base.api();
    let minimal = minimal(call);
    let created = written.outcome == Outcome::Created;
    // Nothing of a new record that holds today need be read to say where it is: no answer, no entry in the access log.
    let today = caller.context().today;
    let unseen = minimal && created && written.period.is_some_and(|period| period.contains(today));
    let shown = if unseen {
        None
    } else {
        shown(caller, written)?
    };
    // What does not hold today is found on the day on which it is shown.
    let coordinate = match &shown {
        Some(found) if found.as_of.valid_at != today => {
            format!("?validAt={}", found.as_of.valid_at)
        }
        _ => String::new(),
    };
    let address = format!(
        "{api}/{}/{}{coordinate}",
        written.domain.collection(),
        written.id
    );
    let frame = Frame {
        api: &api,
        coordinate: &coordinate,
    };
    let mut body = Vec::new();
    let tag = match &shown {
        Some(found) => {
            envelope::record(&mut body, &found.record, &frame);
            // Somebody may have written since: the tag is that of what is sent.
            etag::tag(found.record.version, &body)
        }
        None if unseen => format!("\"{}\"", written.version),
        // Nothing of the record holds any more (a retraction): the outcome is told instead.
        None => {
            let outcome = outcome(written, &api);
            body = outcome.to_string().into_bytes();
            format!("\"{}\"", written.version)
        }
    };
    let status = match (minimal, created) {
        (true, true) => StatusCode::CREATED,
        (true, false) => StatusCode::NO_CONTENT,
        (false, true) => StatusCode::CREATED,
        (false, false) => StatusCode::OK,
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header(("Grunddata-Outcome", written.outcome.as_str()));
    if written.replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    if let Some(found) = &shown {
        response.insert_header(("Grunddata-As-Of", found.as_of.token()));
    }
    if created {
        response.insert_header((header::LOCATION, address));
    } else {
        response.insert_header((header::CONTENT_LOCATION, address));
    }
    if minimal {
        return Ok(response
            .insert_header(("Preference-Applied", "return=minimal"))
            .finish());
    }
    Ok(response
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(body))
}

/// The record after a write: today, or else on the first day of what was written (a planned state), or the day before
/// it (an end). `None` when nothing of it holds.
fn shown(
    caller: &Authorised<Write>,
    written: &Written,
) -> Result<Option<grunddata_registry::Found>, Problem> {
    let context = caller.context();
    let mut days = Vec::with_capacity(3);
    if let Some(period) = written.period {
        if period.contains(context.today) {
            days.push(context.today);
        }
        days.push(period.from());
        days.extend(period.from().pred_opt());
        days.extend(period.to().pred_opt());
    }
    days.push(context.today);
    for day in days {
        match caller.registry().get(
            context,
            Some(written.domain),
            written.id,
            &At::on(day),
            None,
        ) {
            Ok(Got::Found(found)) => return Ok(Some(*found)),
            Ok(Got::Merged { .. } | Got::Moved { .. }) => {}
            Err(refusal) if refusal.code == grunddata_registry::Code::Internal => {
                return Err(refused(refusal));
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// The outcome for one record, as JSON.
pub(crate) fn outcome(written: &Written, api: &str) -> Value {
    let address = format!("{api}/{}/{}", written.domain.collection(), written.id);
    let mut outcome = json!({
        "id": written.id,
        "domain": written.domain,
        "owner": written.owner.as_str(),
        "version": written.version,
        "outcome": written.outcome.as_str(),
        "_links": [
            // What was written may hold on other days than today: these lead somewhere on any.
            links::Link::get("version-history", format!("{address}/history")),
            links::Link::get("timemap", format!("{address}/timeline")),
        ],
    });
    if !written.findings.is_empty() {
        reply::set(&mut outcome, "findings", json!(written.findings));
    }
    outcome
}

/// The domain and id in the path.
pub(crate) fn subject(call: &Call) -> Result<(Domain, RecordId), Problem> {
    Ok((call.domain()?, call.id()?))
}
