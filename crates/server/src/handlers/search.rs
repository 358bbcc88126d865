//! Search within a domain: with the query in the address, or in the body.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use grunddata_registry::{PageChoice, Place, Query, SearchPage};
use serde_json::{Map, Value};

use super::page;
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::envelope::{self, Frame};
use crate::fields;
use crate::links::Link;
use crate::parameters::Parameters;
use crate::problem::MOST_ERRORS;
use crate::reply::{self, Reply, refused};

/// `GET /{collection}`
pub(crate) async fn list(caller: Authorised<Read>, call: Call) -> Reply {
    let domain = call.domain()?;
    let (query, carried) = {
        let parameters = call.query()?;
        let registry = caller.registry();
        let query = Query::parse(
            caller.context(),
            registry.model(),
            registry.limits(),
            domain,
            parameters.iter(),
            Place::Address,
        )
        .map_err(refused)?;
        (query, page::carried(&parameters))
    };
    let found = run(&caller, &call, query.clone()).await?;
    let parameters = call.query()?;
    let links = links(&call, &parameters, &query, &found);
    Ok(written(&call, &query, &found, &links, &carried))
}

/// `POST /{collection}/search`
pub(crate) async fn search(caller: Authorised<Read>, mut call: Call) -> Reply {
    let domain = call.domain()?;
    call.no_query()?;
    let (body, _) = call.json().await?;
    let pairs = pairs(body)?;
    let registry = caller.registry();
    let given = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_ref()));
    let query = Query::parse(
        caller.context(),
        registry.model(),
        registry.limits(),
        domain,
        given,
        Place::Body,
    )
    .map_err(refused)?;
    let found = run(&caller, &call, query.clone()).await?;
    // There is no address for the next page: the cursor is given to be put into the same body.
    let links = [page::this_as(&call, "POST")];
    let carried = page::carried_of(|name| {
        pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
    });
    Ok(written(&call, &query, &found, &links, &carried))
}

/// The members of the body as parameters: texts, numbers, truth values, and lists of them.
fn pairs(body: Value) -> Result<Vec<(String, Cow<'static, str>)>, crate::Problem> {
    let Value::Object(members) = body else {
        return Err(fields::problem(vec![fields::fault(
            "",
            "wrong-type",
            "The query is a JSON object with the names of the parameters as members.".to_owned(),
            "Frågan är ett JSON-objekt med parametrarnas namn som medlemmar.".to_owned(),
        )]));
    };
    let mut faults = Vec::new();
    let mut out = Vec::with_capacity(members.len());
    for (name, value) in members {
        if faults.len() > MOST_ERRORS {
            break;
        }
        match one(&value).or_else(|| match &value {
            Value::Array(items) => items
                .iter()
                .map(one)
                .collect::<Option<Vec<_>>>()
                .map(|items| items.join(",").into()),
            _ => None,
        }) {
            Some(text) => out.push((name, text)),
            None => faults.push(fields::fault(
                &format!(
                    "/{}",
                    name.chars()
                        .take(60)
                        .collect::<String>()
                        .replace('~', "~0")
                        .replace('/', "~1")
                ),
                "wrong-type",
                "A parameter is a string, a number, true or false, or a list of them.".to_owned(),
                "En parameter är en sträng, ett tal, true eller false, eller en lista av dem."
                    .to_owned(),
            )),
        }
    }
    if faults.is_empty() {
        Ok(out)
    } else {
        Err(fields::problem(faults))
    }
}

fn one(value: &Value) -> Option<Cow<'static, str>> {
    match value {
        Value::String(text) => Some(Cow::Owned(text.clone())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        _ => None,
    }
}

async fn run(
    caller: &Authorised<Read>,
    call: &Call,
    query: Query,
) -> Result<SearchPage, crate::Problem> {
    let worker = caller.clone();
    call.app
        .pool
        .run(move || {
            worker
                .registry()
                .search(worker.context(), &query)
                .map_err(refused)
        })
        .await
}

fn links(call: &Call, parameters: &Parameters<'_>, query: &Query, found: &SearchPage) -> Vec<Link> {
    // Pages of one answer stand at one coordinate, whatever is written in between.
    let pinned = || {
        [
            ("validAt", None),
            ("knownAt", None),
            ("knownBy", None),
            ("asOf", Some(found.as_of.token())),
        ]
    };
    let to = |page: Option<u32>, after: Option<String>| {
        let mut changed = pinned().to_vec();
        changed.push(("page", page.map(|page| page.to_string())));
        changed.push(("after", after));
        page::address(call, parameters, &changed)
    };
    let mut links = vec![page::this(call), Link::get("first", to(None, None))];
    if let Some(after) = &found.after {
        links.push(Link::get("next", to(None, Some(after.clone()))));
    }
    if let PageChoice::Number(number) = query.page {
        if number > 1 {
            links.push(Link::get("prev", to(Some(number - 1), None)));
        }
        let limit = u64::from(query.limit.max(1));
        if let Some(total) = found.total.filter(|total| total.exact) {
            let last = total.records.div_ceil(limit).max(1);
            if let Some(last) = u32::try_from(last)
                .ok()
                .filter(|last| u64::from(*last) * limit <= 10_000)
            {
                links.push(Link::get("last", to(Some(last), None)));
            }
        }
    }
    links
}

fn written(
    call: &Call,
    query: &Query,
    found: &SearchPage,
    links: &[Link],
    carried: &str,
) -> HttpResponse {
    let api = call.base().api();
    let frame = Frame {
        api: &api,
        coordinate: carried,
    };
    let mut meta = Map::new();
    if let Some(total) = found.total {
        meta.insert("totalRecords".into(), total.records.into());
        meta.insert("totalExact".into(), total.exact.into());
    }
    if let PageChoice::Number(number) = query.page {
        meta.insert("page".into(), number.into());
    }
    meta.insert("limit".into(), query.limit.into());
    meta.insert("count".into(), found.items.len().into());
    if let Some(after) = &found.after {
        meta.insert("after".into(), after.clone().into());
    }
    page::coordinate(&mut meta, &found.as_of);
    // Where all of them are of one copy, the list says how complete that is.
    let mut items = found.items.iter();
    if let Some((owner, Some(copied))) = items.next().map(|first| (&first.owner, &first.copied))
        && items.all(|other| other.owner == *owner)
    {
        meta.insert("copyOf".into(), (*copied.of).into());
        meta.insert("completeTo".into(), envelope::completeness(copied));
    }
    let mut out = Vec::with_capacity(2048 * found.items.len() + 512);
    envelope::put(&mut out, "{\"_meta\":");
    envelope::json(&mut out, &meta);
    envelope::put(&mut out, ",\"_links\":");
    envelope::json(&mut out, links);
    envelope::put(&mut out, ",\"items\":");
    envelope::list(&mut out, &found.items, |out, record| {
        envelope::record(out, record, &frame)
    });
    out.push(b'}');
    reply::json(StatusCode::OK, out)
}
