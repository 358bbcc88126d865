//! Links and hierarchies at a coordinate. What may take long runs in the pool.

use actix_web::http::StatusCode;
use grunddata_model::{Domain, RecordId};
use grunddata_registry::{Direction, Hierarchy, LinksPage, LinksRequest};
use serde_json::{Map, Value, json};

use super::{page, writing};
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::envelope::{self, Frame};
use crate::parameters::{Parameters, invalid};
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// Links when nothing is said: a neighbourhood, not a page of a list.
const USUAL_LINKS: u32 = 100;

/// `GET …/links`
pub(crate) async fn links(caller: Authorised<Read>, call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let (request, at, carried) = {
        let parameters = call.query()?;
        (
            links_request(&parameters)?,
            call.at(caller.context(), &parameters)?,
            page::carried(&parameters),
        )
    };
    let found = if request.depth > 1 || request.include_records {
        let (worker, request, at) = (caller.clone(), request.clone(), at.clone());
        call.app
            .pool
            .run(move || {
                worker
                    .registry()
                    .links(worker.context(), Some(domain), id, &at, &request)
                    .map_err(refused)
            })
            .await?
    } else {
        caller
            .registry()
            .links(caller.context(), Some(domain), id, &at, &request)
            .map_err(refused)?
    };
    Ok(written(&call, &found, &request, &carried))
}

fn links_request(parameters: &Parameters<'_>) -> Result<LinksRequest, Problem> {
    let direction = match parameters.get("direction") {
        None | Some("out") => Direction::Out,
        Some("in") => Direction::In,
        Some("both") => Direction::Both,
        Some(other) => return Err(invalid("direction", other, "out, in or both")),
    };
    let include_records = match parameters.get("include") {
        None => false,
        Some("records") => true,
        Some(other) => return Err(invalid("include", other, "records")),
    };
    let depth = parameters
        .read::<u32>("depth", "a whole number from 1 to 10")?
        .unwrap_or(1);
    if !(1..=10).contains(&depth) {
        return Err(invalid(
            "depth",
            &depth.to_string(),
            "a whole number from 1 to 10",
        ));
    }
    let limit = if parameters.get("limit").is_some() {
        page::limit(parameters)?
    } else {
        USUAL_LINKS
    };
    Ok(LinksRequest {
        direction,
        relations: relations(parameters),
        depth,
        limit,
        page: page::page(parameters)?,
        include_records,
    })
}

fn relations(parameters: &Parameters<'_>) -> Vec<String> {
    parameters
        .get("relation")
        .map(|list| {
            list.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default()
}

fn written(
    call: &Call,
    found: &LinksPage,
    request: &LinksRequest,
    carried: &str,
) -> actix_web::HttpResponse {
    let api = call.base().api();
    let frame = Frame {
        api: &api,
        coordinate: carried,
    };
    let mut meta = Map::new();
    meta.insert("page".into(), request.page.into());
    meta.insert("limit".into(), request.limit.into());
    meta.insert("count".into(), found.items.len().into());
    meta.insert("more".into(), found.more.into());
    page::coordinate(&mut meta, &found.as_of);
    let mut links = vec![page::this(call)];
    if let Ok(parameters) = call.query()
        && request.depth == 1
    {
        // Pages of one answer stand at one coordinate, whatever is written in between.
        let to = |number: u32| {
            let changed = [
                ("validAt", None),
                ("knownAt", None),
                ("knownBy", None),
                ("asOf", Some(found.as_of.token())),
                ("page", Some(number.to_string())),
            ];
            page::address(call, &parameters, &changed)
        };
        if found.more {
            links.push(crate::links::Link::get(
                "next",
                to(request.page.saturating_add(1)),
            ));
        }
        if request.page > 1 {
            links.push(crate::links::Link::get("prev", to(request.page - 1)));
        }
    }
    let items: Vec<Value> = found
        .items
        .iter()
        .map(|link| {
            let (neighbour, domain) = if link.outward { (link.target, link.target_domain) } else { (link.source, link.source_domain) };
            json!({
                "relation": &*link.relation,
                "inverse": link.inverse,
                "direction": if link.outward { "out" } else { "in" },
                "depth": link.depth,
                "source": link.source,
                "sourceDomain": link.source_domain,
                "target": link.target,
                "targetDomain": link.target_domain,
                "display": link.display,
                "validFrom": link.period.valid_from().map_or_else(|| "unknown".to_owned(), |date| date.to_string()),
                "validTo": link.period.valid_to().map(|date| date.to_string()),
                "_links": [crate::links::Link::get("related", format!("{api}/{}/{neighbour}{carried}", domain.collection()))],
            })
        })
        .collect();
    let counts: Vec<Value> = found
        .counts
        .iter()
        .map(|((direction, relation), count)| json!({"direction": direction, "relation": relation, "count": count}))
        .collect();
    let mut out = Vec::with_capacity(256 * items.len() + 512);
    envelope::put(&mut out, "{\"_meta\":");
    envelope::json(&mut out, &meta);
    envelope::put(&mut out, ",\"_links\":");
    envelope::json(&mut out, &links);
    envelope::put(&mut out, ",\"items\":");
    envelope::json(&mut out, &items);
    envelope::put(&mut out, ",\"counts\":");
    envelope::json(&mut out, &counts);
    if request.include_records {
        envelope::put(&mut out, ",\"included\":{");
        for (at, (id, record)) in found.records.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            envelope::json(&mut out, id);
            out.push(b':');
            envelope::record(&mut out, record, &frame);
        }
        out.push(b'}');
    }
    out.push(b'}');
    reply::json(StatusCode::OK, out)
}

/// `GET …/ancestors`
pub(crate) async fn ancestors(caller: Authorised<Read>, call: Call) -> Reply {
    hierarchy(caller, call, true).await
}

/// `GET …/subtree`
pub(crate) async fn subtree(caller: Authorised<Read>, call: Call) -> Reply {
    hierarchy(caller, call, false).await
}

async fn hierarchy(caller: Authorised<Read>, call: Call, upwards: bool) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let (relations, at, limit, after, carried) = {
        let parameters = call.query()?;
        let limit = if parameters.get("limit").is_some() {
            page::limit(&parameters)?
        } else {
            USUAL_LINKS
        };
        let after = parameters.get("after").map(cursor).transpose()?;
        (
            relations(&parameters),
            call.at(caller.context(), &parameters)?,
            limit,
            after,
            page::carried(&parameters),
        )
    };
    let worker = caller.clone();
    let found: Hierarchy = call
        .app
        .pool
        .run(move || {
            read(
                &worker,
                domain,
                id,
                &at,
                &relations,
                upwards,
                (limit, after),
            )
            .map_err(refused)
        })
        .await?;
    let api = call.base().api();
    let frame = Frame {
        api: &api,
        coordinate: &carried,
    };
    let mut meta = Map::new();
    if !upwards {
        meta.insert("limit".into(), limit.into());
    }
    meta.insert("count".into(), found.items.len().into());
    meta.insert("more".into(), found.more.into());
    let mut links = vec![page::this(&call)];
    if let Some(last) = found.items.last().filter(|_| found.more && !upwards) {
        let after = format!("{}.{}", last.depth, last.record.id);
        let changed = [
            ("validAt", None),
            ("knownAt", None),
            ("knownBy", None),
            ("asOf", Some(found.as_of.token())),
            ("after", Some(after.clone())),
        ];
        links.push(crate::links::Link::get(
            "next",
            page::address(&call, &call.query()?, &changed),
        ));
        meta.insert("after".into(), after.into());
    }
    page::coordinate(&mut meta, &found.as_of);
    let mut out = Vec::with_capacity(2048);
    envelope::put(&mut out, "{\"_meta\":");
    envelope::json(&mut out, &meta);
    envelope::put(&mut out, ",\"_links\":");
    envelope::json(&mut out, &links);
    envelope::put(&mut out, ",\"items\":");
    envelope::list(&mut out, &found.items, |out, node| {
        envelope::put(out, "{\"depth\":");
        envelope::json(out, &node.depth);
        envelope::put(out, ",\"via\":");
        envelope::json(out, &node.via);
        envelope::put(out, ",\"record\":");
        envelope::record(out, &node.record, &frame);
        out.push(b'}');
    });
    out.push(b'}');
    Ok(reply::json(StatusCode::OK, out))
}

/// The last node of the page before: `DEPTH.ID`.
fn cursor(text: &str) -> Result<(u32, RecordId), Problem> {
    text.split_once('.')
        .and_then(|(depth, id)| Some((depth.parse().ok()?, id.parse().ok()?)))
        .ok_or_else(|| {
            Problem::new(
                "invalid-cursor",
                "after is not a cursor of a subtree. Follow the next link as it is.",
            )
            .fact("parameter", "after")
        })
}

fn read(
    caller: &Authorised<Read>,
    domain: Domain,
    id: RecordId,
    at: &grunddata_registry::At,
    relations: &[String],
    upwards: bool,
    (limit, after): (u32, Option<(u32, RecordId)>),
) -> Result<Hierarchy, grunddata_registry::Refusal> {
    if upwards {
        caller
            .registry()
            .ancestors(caller.context(), Some(domain), id, at, relations)
    } else {
        caller.registry().subtree(
            caller.context(),
            Some(domain),
            id,
            at,
            relations,
            limit,
            after,
        )
    }
}
