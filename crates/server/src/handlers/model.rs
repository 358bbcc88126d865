//! The information model and its code lists: public, and the same for everybody.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grunddata_information_model::{CodeList, Package, Text};
use serde_json::{Value, json};

use crate::call::Call;
use crate::etag;
use crate::links::Link;
use crate::problem::Problem;
use crate::reply::{self, Reply};

/// A published package never changes, but a new one may come with the next release of the program.
fn kept(call: &Call, body: &Value) -> HttpResponse {
    let body = body.to_string();
    let tag = etag::tag(1, body.as_bytes());
    let mut response = if etag::matches_none(call.http.headers(), &tag) {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((header::ETAG, tag.clone()))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .insert_header((header::CONTENT_TYPE, "application/json"));
    if etag::matches_none(call.http.headers(), &tag) {
        response.finish()
    } else {
        response.body(body)
    }
}

fn text(text: &Text) -> Value {
    json!({"sv": text.sv, "en": text.en})
}

fn summary(api: &str, package: &Package) -> Value {
    let manifest = package.manifest();
    json!({
        "name": manifest.name,
        "version": manifest.version.to_string(),
        "title": text(&manifest.title),
        "description": text(&manifest.description),
        "status": manifest.status,
        "released": manifest.released,
        "digest": package.digest(),
        "_links": [Link::get("item", format!("{api}/models/{}/{}", manifest.name, manifest.version))],
    })
}

/// `GET /models`
pub(crate) async fn models(call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let items: Vec<Value> = call
        .app
        .vault
        .model()
        .packages()
        .map(|package| summary(&api, package))
        .collect();
    let current = call.app.vault.model().current().to_string();
    Ok(kept(
        &call,
        &json!({"current": current, "items": items, "_links": [Link::get("self", format!("{api}/models"))]}),
    ))
}

/// `GET /models/{name}/{version}`
pub(crate) async fn model(call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let (name, version) = (call.path("name"), call.path("version"));
    let package = found(&call)?;
    let mut body = summary(&api, package);
    reply::set(&mut body, "schemas", json!(package.schemas()));
    let lists: Vec<Value> = package
        .manifest()
        .codelists
        .iter()
        .map(|list| json!({"name": list.name, "title": text(&list.title), "_links": [Link::get("item", format!("{api}/codelists/{}", list.name))]}))
        .collect();
    reply::set(&mut body, "codelists", lists);
    reply::set(
        &mut body,
        "_links",
        json!([
            Link::get("self", format!("{api}/models/{name}/{version}")),
            Link::get("collection", format!("{api}/models")),
            Link::get("enclosure", format!("{api}/models/{name}/{version}/files")),
        ]),
    );
    Ok(kept(&call, &body))
}

/// `GET /models/{name}/{version}/files`
pub(crate) async fn files(call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let package = found(&call)?;
    let files: BTreeMap<&str, String> = package
        .files()
        .map(|(path, content)| (path, STANDARD.encode(content)))
        .collect();
    let mut body = summary(&api, package);
    reply::set(&mut body, "files", json!(files));
    let one = format!("{api}/models/{}/{}", package.name(), package.version());
    reply::set(
        &mut body,
        "_links",
        json!([
            Link::get("self", format!("{one}/files")),
            Link::get("item", one)
        ]),
    );
    Ok(kept(&call, &body))
}

/// The package that the path names.
fn found(call: &Call) -> Result<&Package, Problem> {
    let (name, version) = (call.path("name"), call.path("version"));
    call.app
        .vault
        .model()
        .packages()
        .find(|package| package.name() == name && package.version().to_string() == version)
        .ok_or_else(|| {
            Problem::new(
                "not-found",
                "There is no such package. GET /models lists them.",
            )
        })
}

/// `GET /codelists`
pub(crate) async fn code_lists(call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let items: Vec<Value> = call
        .app
        .vault
        .model()
        .code_lists()
        .map(|list| {
            let info = list.info();
            json!({
                "name": info.name,
                "title": text(&info.title),
                "description": text(&info.description),
                "status": info.status,
                "codes": list.codes().len(),
                "_links": [Link::get("item", format!("{api}/codelists/{}", info.name))],
            })
        })
        .collect();
    Ok(kept(
        &call,
        &json!({"items": items, "_links": [Link::get("self", format!("{api}/codelists"))]}),
    ))
}

/// `GET /codelists/{list}`
pub(crate) async fn code_list(call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let name = call.path("list");
    let model = call.app.vault.model();
    let list = model.code_list(name).ok_or_else(|| {
        let known = model
            .code_lists()
            .map(|list| &**list.name())
            .collect::<Vec<_>>();
        let problem = Problem::new(
            "not-found",
            "There is no such code list. GET /codelists lists them.",
        );
        match grunddata_registry::nearest(name, known) {
            Some(near) => problem.fact("nearest", near),
            None => problem,
        }
    })?;
    let info = list.info();
    Ok(kept(
        &call,
        &json!({
            "name": info.name,
            "title": text(&info.title),
            "description": text(&info.description),
            "status": info.status,
            "term": info.term,
            "codes": codes(list),
            "_links": [Link::get("self", format!("{api}/codelists/{name}")), Link::get("collection", format!("{api}/codelists"))],
        }),
    ))
}

fn codes(list: &CodeList) -> Vec<Value> {
    list.codes()
        .iter()
        .map(|code| {
            json!({
                "code": &*code.code,
                "label": text(&code.label),
                "definition": text(&code.definition),
                "validFrom": code.valid_from,
                "validTo": code.valid_to,
                "broader": code.broader.as_deref(),
                "successors": code.successors.iter().map(|code| &**code).collect::<Vec<_>>(),
                "status": if code.retired { "retired" } else { "active" },
                "exactMatches": code.exact_match,
            })
        })
        .collect()
}
