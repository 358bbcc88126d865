//! Look-up by identifier, across domains and owners.

use actix_web::http::StatusCode;
use grunddata_registry::{At, CoordinateParameters, IdentifierHit, LookupAnswer};
use serde_json::{Map, Value};

use super::page;
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::envelope::{self, Frame};
use crate::fields::{self, Fields};
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// The most identifiers of one request.
const MOST: usize = 1_000;

/// `GET /records?identifier=SCHEME:VALUE`
pub(crate) async fn find(caller: Authorised<Read>, call: Call) -> Reply {
    let (answer, carried) = {
        let parameters = call.query()?;
        let text = parameters.get("identifier").ok_or_else(|| {
            Problem::new("invalid-parameter", "Say which identifier: identifier=SCHEME:VALUE, such as identifier=se-municipality-code:0331.")
                .fact("parameter", "identifier")
        })?;
        let at = call.at(caller.context(), &parameters)?;
        (
            caller
                .registry()
                .by_identifier(caller.context(), &at, text)
                .map_err(refused)?,
            page::carried(&parameters),
        )
    };
    let api = call.base().api();
    let frame = Frame {
        api: &api,
        coordinate: &carried,
    };
    let hits = answer.items.first().map(Vec::as_slice).unwrap_or_default();
    let mut out = head(&answer, hits.len());
    envelope::put(&mut out, ",\"_links\":");
    envelope::json(&mut out, &[page::this(&call)]);
    envelope::put(&mut out, ",\"items\":");
    envelope::list(&mut out, hits, |out, hit| record(out, hit, &frame));
    out.push(b'}');
    Ok(reply::json(StatusCode::OK, out))
}

/// `POST /records/lookup`
pub(crate) async fn lookup(caller: Authorised<Read>, mut call: Call) -> Reply {
    call.no_query()?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["identifiers", "validAt", "knownAt", "asOf"])?;
    let coordinate = [
        fields.text("validAt"),
        fields.text("knownAt"),
        fields.text("asOf"),
    ];
    let list = fields.list("identifiers").unwrap_or_default();
    if list.is_empty() {
        fields.reject(
            "identifiers",
            "required-property",
            format!("Give 1 to {MOST} identifiers."),
            format!("Ange 1 till {MOST} identiteter."),
        );
    }
    fields.finish()?;
    if list.len() > MOST {
        return Err(Problem::new(
            "too-many-items",
            format!(
                "At most {MOST} identifiers are looked up at once; these are {}. Split the list.",
                list.len()
            ),
        )
        .fact("limit", MOST));
    }
    let mut pairs = Vec::with_capacity(list.len());
    let mut faults = Vec::new();
    for (at, item) in list.into_iter().enumerate() {
        let mut item = Fields::new(item, &format!("/identifiers/{at}"), &["scheme", "value"])?;
        let pair = (item.required("scheme"), item.required("value"));
        match (pair, item.faults()) {
            ((Value::String(scheme), Value::String(value)), Ok(())) => pairs.push((scheme, value)),
            (_, Err(found)) => faults.extend(found),
            _ => faults.push(fields::fault(
                &format!("/identifiers/{at}"),
                "wrong-type",
                "scheme and value are strings.".to_owned(),
                "scheme och value är strängar.".to_owned(),
            )),
        }
    }
    if !faults.is_empty() {
        return Err(fields::problem(faults));
    }
    let [valid_at, known_at, as_of] = &coordinate;
    let given = CoordinateParameters {
        valid_at: valid_at.as_deref(),
        known_at: known_at.as_deref(),
        as_of: as_of.as_deref(),
        ..CoordinateParameters::default()
    };
    let at = At::parse(caller.context(), given).map_err(refused)?;
    let (worker, asked) = (caller.clone(), pairs.clone());
    let answer = call
        .app
        .pool
        .run(move || {
            worker
                .registry()
                .lookup(worker.context(), &at, &asked)
                .map_err(refused)
        })
        .await?;
    let api = call.base().api();
    let carried = page::carried_of(|name| {
        let at = ["validAt", "knownAt", "asOf"]
            .iter()
            .position(|known| *known == name)?;
        coordinate.get(at)?.as_deref()
    });
    let frame = Frame {
        api: &api,
        coordinate: &carried,
    };
    let mut out = head(&answer, answer.items.len());
    envelope::put(&mut out, ",\"_links\":");
    envelope::json(&mut out, &[page::this_as(&call, "POST")]);
    envelope::put(&mut out, ",\"items\":");
    envelope::list(
        &mut out,
        pairs.iter().zip(&answer.items),
        |out, ((scheme, value), hits)| {
            envelope::put(out, "{\"scheme\":");
            envelope::json(out, scheme);
            envelope::put(out, ",\"value\":");
            envelope::json(out, value);
            envelope::put(out, ",\"records\":");
            envelope::list(out, hits, |out, hit| record(out, hit, &frame));
            out.push(b'}');
        },
    );
    out.push(b'}');
    Ok(reply::json(StatusCode::OK, out))
}

fn head(answer: &LookupAnswer, count: usize) -> Vec<u8> {
    let mut meta = Map::new();
    meta.insert("count".into(), count.into());
    page::coordinate(&mut meta, &answer.as_of);
    let mut out = Vec::with_capacity(2048);
    envelope::put(&mut out, "{\"_meta\":");
    envelope::json(&mut out, &meta);
    out
}

/// A record with the identifier by which it was found.
fn record(out: &mut Vec<u8>, hit: &IdentifierHit, frame: &Frame<'_>) {
    let begin = out.len();
    envelope::record(out, &hit.record, frame);
    // Into the envelope, before its closing brace.
    if out.len() > begin {
        out.pop();
    }
    envelope::put(out, ",\"match\":{\"scheme\":");
    envelope::json(out, hit.scheme.as_str());
    envelope::put(out, ",\"value\":");
    envelope::json(out, &hit.value);
    envelope::put(
        out,
        if hit.superseded {
            ",\"superseded\":true}}"
        } else {
            ",\"superseded\":false}}"
        },
    );
}
