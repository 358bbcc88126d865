//! Sources: the systems that feed records, and how.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_model::OwnerKey;
use grunddata_registry::{Action, NewSource, Source, SourceSettings, SourceState};
use serde_json::{Value, json};

use super::page;
use crate::access::{Admin, Authorised, Feed, Permission};
use crate::call::Call;
use crate::etag;
use crate::fields::Fields;
use crate::links::Link;
use crate::loads;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// The owner in the query; where there is none, the only one for which the caller may do this. Reads the store.
pub(super) fn owner_of<P: Permission>(
    caller: &Authorised<P>,
    given: Option<OwnerKey>,
    action: Action,
) -> Result<OwnerKey, Problem> {
    if let Some(owner) = given {
        return Ok(owner);
    }
    let mut owners = owners(caller, action)?.into_iter();
    match (owners.next(), owners.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Problem::new(
            "owner-required",
            "You work for several owners, or for all of them. Say which one: ?owner=se-2480.",
        )),
    }
}

/// The owners for which the caller may do this.
pub(super) fn owners<P: Permission>(
    caller: &Authorised<P>,
    action: Action,
) -> Result<Vec<OwnerKey>, Problem> {
    let owners = caller
        .registry()
        .owners(caller.context())
        .map_err(refused)?;
    let actor = &caller.context().actor;
    Ok(owners
        .into_iter()
        .map(|owner| owner.key)
        .filter(|owner| actor.may(action, owner))
        .collect())
}

/// `owner` of the query.
pub(super) fn given(parameters: &Parameters<'_>) -> Result<Option<OwnerKey>, Problem> {
    parameters.read::<OwnerKey>("owner", "the key of an owner, such as se-2480")
}

/// `GET /sources`
pub(crate) async fn list(caller: Authorised<Feed>, call: Call) -> Reply {
    let given = given(&call.query()?)?;
    let api = call.base().api();
    let sources = call
        .app
        .pool
        .run(move || {
            let owner = owner_of(&caller, given, Action::Load)?;
            let (registry, context) = (caller.registry(), caller.context());
            let sources = registry.sources(context, &owner).map_err(refused)?;
            sources
                .into_iter()
                .map(|source| {
                    let state = registry.source_state(context, &source).map_err(refused)?;
                    Ok((source, state))
                })
                .collect::<Result<Vec<_>, Problem>>()
        })
        .await?;
    let items: Vec<Value> = sources
        .iter()
        .map(|(source, state)| standing(source, state, &api))
        .collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

/// `GET /sources/{source}`
pub(crate) async fn get(caller: Authorised<Feed>, call: Call) -> Reply {
    let (given, key) = (given(&call.query()?)?, call.path("source").to_owned());
    let (source, state) = call
        .app
        .pool
        .run(move || {
            let owner = owner_of(&caller, given, Action::Load)?;
            let (registry, context) = (caller.registry(), caller.context());
            let source = registry.source(context, &owner, &key).map_err(refused)?;
            let state = registry.source_state(context, &source).map_err(refused)?;
            Ok((source, state))
        })
        .await?;
    let body = standing(&source, &state, &call.base().api());
    Ok(answered(StatusCode::OK, &source, &body))
}

/// `PUT /sources/{source}`
pub(crate) async fn put(caller: Authorised<Admin>, mut call: Call) -> Reply {
    let (given, key) = (given(&call.query()?)?, call.path("source").to_owned());
    let if_match = etag::if_match(call.http.headers())?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["settings", "reason"])?;
    let settings = fields.required("settings");
    let reason = fields.text("reason");
    fields.finish()?;
    let source = call
        .app
        .pool
        .run(move || {
            let owner = owner_of(&caller, given, Action::Administer)?;
            let settings = SourceSettings::read(settings).map_err(refused)?;
            loads::check(&settings).map_err(refused)?;
            caller
                .registry()
                .put_source(
                    caller.context(),
                    NewSource {
                        owner,
                        key,
                        settings,
                        if_match,
                        reason,
                    },
                )
                .map_err(refused)
        })
        .await?;
    let created = source.version == 1;
    let mut response = answered(
        if created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        },
        &source,
        &shown(&source, &call.base().api()),
    );
    if created
        && let Ok(address) = header::HeaderValue::from_str(&address(&source, &call.base().api()))
    {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

/// `GET /sources/{source}/history`
pub(crate) async fn history(caller: Authorised<Feed>, call: Call) -> Reply {
    let (given, key) = (given(&call.query()?)?, call.path("source").to_owned());
    let api = call.base().api();
    let versions = call
        .app
        .pool
        .run(move || {
            let owner = owner_of(&caller, given, Action::Load)?;
            caller
                .registry()
                .source_history(caller.context(), &owner, &key)
                .map_err(refused)
        })
        .await?;
    let items: Vec<Value> = versions.iter().map(|source| shown(source, &api)).collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

fn address(source: &Source, api: &str) -> String {
    format!("{api}/sources/{}?owner={}", source.key, source.owner)
}

fn shown(source: &Source, api: &str) -> Value {
    let mut value = serde_json::to_value(source).unwrap_or_default();
    let below = |name: &str| format!("{api}/sources/{}/{name}?owner={}", source.key, source.owner);
    let links = [
        Link::get("self", address(source, api)),
        Link::get("version-history", below("history")),
        Link::get("loads", below("loads")),
    ];
    reply::set(&mut value, "_links", json!(links));
    value
}

/// A source with how it stands.
fn standing(source: &Source, state: &SourceState, api: &str) -> Value {
    let mut value = shown(source, api);
    reply::set(&mut value, "state", json!(state));
    value
}

fn answered(status: StatusCode, source: &Source, body: &Value) -> HttpResponse {
    let body = body.to_string().into_bytes();
    let tag = etag::tag(source.version, &body);
    let mut response = reply::json(status, body);
    if let Ok(tag) = header::HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
