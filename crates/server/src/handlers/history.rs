//! What was true, what was known, and what changed.

use actix_web::http::StatusCode;
use grunddata_registry::{At, TimelineView};
use serde_json::{Map, Value, json};

use super::{page, writing};
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::envelope;
use crate::links::Link;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// `GET …/timeline`
pub(crate) async fn timeline(caller: Authorised<Read>, call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let at = call.at(caller.context(), &call.query()?)?;
    let view = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .timeline(caller.context(), Some(domain), id, &at)
                .map_err(refused)
        })
        .await?;
    Ok(written(&call, &view))
}

/// `GET …/versions/{version}`
pub(crate) async fn version(caller: Authorised<Read>, call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    call.no_query()?;
    let version = call
        .path("version")
        .parse::<u32>()
        .ok()
        .filter(|version| *version > 0)
        .ok_or_else(|| {
            Problem::new(
                "invalid-parameter",
                "A version is a whole number from 1; the history lists them.",
            )
            .fact("parameter", "version")
        })?;
    let view = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .version(caller.context(), Some(domain), id, version)
                .map_err(refused)
        })
        .await?;
    Ok(written(&call, &view))
}

fn written(call: &Call, view: &TimelineView) -> actix_web::HttpResponse {
    let address = format!(
        "{}/{}/{}",
        call.base().api(),
        view.domain.collection(),
        view.id
    );
    let mut meta = Map::new();
    meta.insert("count".into(), view.items.len().into());
    page::coordinate(&mut meta, &view.as_of);
    let mut links = vec![
        page::this(call),
        Link::get("original", address.clone()),
        Link::get("version-history", format!("{address}/history")),
    ];
    if view.version > 1 {
        links.push(Link::get(
            "predecessor-version",
            format!("{address}/versions/{}", view.version - 1),
        ));
    }
    let mut out = Vec::with_capacity(1024);
    envelope::put(&mut out, "{\"id\":");
    envelope::json(&mut out, &view.id);
    envelope::put(&mut out, ",\"domain\":");
    envelope::json(&mut out, view.domain.as_str());
    envelope::put(&mut out, ",\"owner\":");
    envelope::json(&mut out, view.owner.as_str());
    envelope::put(&mut out, ",\"version\":");
    envelope::json(&mut out, &view.version);
    envelope::put(&mut out, ",\"_meta\":");
    envelope::json(&mut out, &meta);
    envelope::put(&mut out, ",\"_links\":");
    envelope::json(&mut out, &links);
    envelope::put(&mut out, ",\"items\":");
    envelope::list(&mut out, &view.items, |out, item| {
        out.push(b'{');
        envelope::period(out, &item.period);
        envelope::put(out, ",\"model\":");
        envelope::json(out, &*item.model);
        envelope::put(out, ",\"data\":");
        envelope::put(out, &item.data);
        out.push(b'}');
    });
    out.push(b'}');
    reply::json(StatusCode::OK, out)
}

/// `GET …/history`
pub(crate) async fn history(caller: Authorised<Read>, call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let parameters = call.query()?;
    let at = call.at(caller.context(), &parameters)?;
    let limit = page::limit(&parameters)?;
    let before = parameters.read::<u32>("before", "a version, from 1")?;
    let found = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .history(caller.context(), Some(domain), id, &at, before, limit)
                .map_err(refused)
        })
        .await?;
    let mut meta = Map::new();
    meta.insert("limit".into(), limit.into());
    meta.insert("count".into(), found.items.len().into());
    page::coordinate(&mut meta, &found.as_of);
    let address = format!("{}/{}/{id}", call.base().api(), domain.collection());
    let mut links = vec![
        page::this(&call),
        Link::get("original", address.clone()),
        Link::get(
            "first",
            page::address(&call, &parameters, &[("before", None)]),
        ),
    ];
    if let Some(next) = found.next {
        links.push(Link::get(
            "next",
            page::address(&call, &parameters, &[("before", Some(next.to_string()))]),
        ));
    }
    let items: Vec<Value> = found
        .items
        .iter()
        .map(|item| {
            let mut out = json!({
                "version": item.version,
                "recordedAt": item.recorded_at,
                "operation": item.operation,
                "changeKind": item.change_kind.as_str(),
                "actor": item.actor,
                "reason": item.reason,
                "source": item.source,
                "corrects": item.corrects,
                "transaction": item.transaction,
                "_links": [Link::get("item", format!("{address}/versions/{}", item.version))],
            });
            if let Some(position) = item.position {
                reply::set(&mut out, "position", position);
            }
            if let Some(touched) = &item.touched {
                reply::set(
                    &mut out,
                    "validFrom",
                    touched
                        .valid_from()
                        .map_or_else(|| "unknown".to_owned(), |date| date.to_string()),
                );
                reply::set(
                    &mut out,
                    "validTo",
                    touched.valid_to().map(|date| date.to_string()),
                );
            }
            out
        })
        .collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"_meta": meta, "_links": page::links(&links), "items": items}),
    ))
}

/// `GET …/diff`
pub(crate) async fn diff(caller: Authorised<Read>, call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let parameters = call.query()?;
    let from = parameters
        .read::<u32>("from", "a version, from 1")?
        .ok_or_else(|| {
            Problem::new(
                "invalid-parameter",
                "Say from which version: from=1. The history lists the versions.",
            )
            .fact("parameter", "from")
        })?;
    let to = parameters.read::<u32>("to", "a version, from 1")?;
    let work = move || {
        let (registry, context) = (caller.registry(), caller.context());
        let to = match to {
            Some(to) => to,
            None => {
                let newest =
                    registry.history(context, Some(domain), id, &At::now(context), None, 1)?;
                newest.items.first().map_or(from, |item| item.version)
            }
        };
        Ok((to, registry.diff(context, Some(domain), id, from, to)?))
    };
    let (to, found) = call.app.pool.run(move || work().map_err(refused)).await?;
    let items: Vec<Value> = found
        .iter()
        .map(|item| {
            json!({
                "validFrom": item.period.valid_from().map_or_else(|| "unknown".to_owned(), |date| date.to_string()),
                "validTo": item.period.valid_to().map(|date| date.to_string()),
                "kind": item.kind.as_str(),
                "operations": item.operations,
            })
        })
        .collect();
    let address = format!("{}/{}/{id}", call.base().api(), domain.collection());
    let links = [
        page::this(&call),
        Link::get(
            "predecessor-version",
            format!("{address}/versions/{}", from),
        ),
        Link::get("successor-version", format!("{address}/versions/{}", to)),
    ];
    Ok(reply::value(
        StatusCode::OK,
        &json!({"from": from, "to": to, "items": items, "_links": links}),
    ))
}
