//! Peers: other registries whose owners are copied here.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_registry::{Action, Peer, PeerSettings};
use grunddata_store::PeerRow;
use serde_json::{Value, json};

use super::page;
use crate::access::{Admin, Authorised};
use crate::call::Call;
use crate::etag;
use crate::fields::Fields;
use crate::links::Link;
use crate::peers::{is_plain, look, published_keys};
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// `GET /peers`
pub(crate) async fn list(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let peers = call
        .app
        .pool
        .run(move || caller.registry().peers(caller.context()).map_err(refused))
        .await?;
    let items: Vec<Value> = peers.iter().map(|peer| shown(peer, &api)).collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

/// `GET /peers/{peer}`
pub(crate) async fn get(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let name = call.path("peer").to_owned();
    let peer = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .peer(caller.context(), &name)
                .map_err(refused)
        })
        .await?;
    Ok(answered(StatusCode::OK, &peer, &call))
}

/// `PUT /peers/{peer}`
pub(crate) async fn put(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let name = call.path("peer").to_owned();
    let if_match = etag::if_match(call.http.headers())?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["settings"])?;
    let settings = fields.required("settings");
    fields.finish()?;
    let put = call
        .app
        .pool
        .run(move || {
            // Who may not do it is told so before anything else.
            if !caller.context().actor.may_for_everything(Action::Administer) {
                caller.registry().peers(caller.context()).map_err(refused)?;
            }
            let settings = PeerSettings::read(&settings).map_err(refused)?;
            if settings.token_file.as_deref().is_some_and(|name| !is_plain(name)) {
                return Err(Problem::new(
                    "invalid-settings",
                    "tokenFile is the name of a file in the directory of tokens that whoever runs the registry has set (peers.tokens). Elsewhere it may lie only for peers that are added at the console.",
                ));
            }
            let registry = caller.registry();
            registry
                .put_peer(caller.context(), &name, settings, if_match)
                .map_err(refused)
        })
        .await?;
    call.app.vault.forget();
    let created = put.version == 1;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = answered(status, &put, &call);
    if created
        && let Ok(address) = header::HeaderValue::from_str(&address(&put, &call.base().api()))
    {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

/// `DELETE /peers/{peer}`
pub(crate) async fn remove(caller: Authorised<Admin>, call: Call) -> Reply {
    let parameters = call.query()?;
    let records = match parameters.get("records") {
        None | Some("keep") => false,
        Some("remove") => true,
        Some(other) => {
            return Err(crate::parameters::invalid(
                "records",
                other,
                "keep or remove",
            ));
        }
    };
    let name = call.path("peer").to_owned();
    let if_match = etag::if_match(call.http.headers())?;
    call.app
        .pool
        .run(move || {
            let registry = caller.registry();
            registry
                .remove_peer(caller.context(), &name, if_match, records)
                .map_err(refused)
        })
        .await?;
    call.app.vault.forget();
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /peers/{peer}/pause`
pub(crate) async fn pause(caller: Authorised<Admin>, call: Call) -> Reply {
    follow(caller, call, false).await
}

/// `POST /peers/{peer}/resume`
pub(crate) async fn resume(caller: Authorised<Admin>, call: Call) -> Reply {
    follow(caller, call, true).await
}

async fn follow(caller: Authorised<Admin>, call: Call, follow: bool) -> Reply {
    call.no_query()?;
    let name = call.path("peer").to_owned();
    let if_match = etag::if_match(call.http.headers())?;
    let peer = call
        .app
        .pool
        .run(move || {
            let registry = caller.registry();
            registry
                .follow_peer(caller.context(), &name, if_match, follow)
                .map_err(refused)
        })
        .await?;
    Ok(answered(StatusCode::OK, &peer, &call))
}

/// `POST /peers/{peer}/trust`
pub(crate) async fn trust(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let name = call.path("peer").to_owned();
    let if_match = etag::if_match(call.http.headers())?;
    let peering = call.app.config.peers.clone();
    let peer = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.peer(context, &name).map_err(refused)?;
            let row: Option<PeerRow> = registry
                .store()
                .read(|reader| reader.peer(&name))
                .map_err(|error| Problem::internal(error.to_string()))?;
            let keys = match row {
                Some(row) => published_keys(&peering, &row)
                    .map_err(|why| Problem::new("invalid-settings", why))?,
                None => Vec::new(),
            };
            registry
                .trust_peer(context, &name, if_match, &keys)
                .map_err(refused)
        })
        .await?;
    Ok(answered(StatusCode::OK, &peer, &call))
}

/// `POST /peers/{peer}/check`
pub(crate) async fn check(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let name = call.path("peer").to_owned();
    let peering = call.app.config.peers.clone();
    let looked = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.peer(context, &name).map_err(refused)?;
            let row: Option<PeerRow> = registry
                .store()
                .read(|reader| reader.peer(&name))
                .map_err(|error| Problem::internal(error.to_string()))?;
            row.map(|row| look(&peering, &row, context.now))
                .ok_or_else(|| {
                    Problem::new(
                        "unknown-peer",
                        "The peer was just removed: GET /peers lists those that there are.",
                    )
                })
        })
        .await?;
    Ok(reply::value(StatusCode::OK, &json!(looked)))
}

fn address(peer: &Peer, api: &str) -> String {
    format!("{api}/peers/{}", peer.name)
}

fn shown(peer: &Peer, api: &str) -> Value {
    let mut value = json!(peer);
    let links = [
        Link::get("self", address(peer, api)),
        Link::get("collection", format!("{api}/peers")),
    ];
    reply::set(&mut value, "_links", json!(links));
    value
}

fn answered(status: StatusCode, peer: &Peer, call: &Call) -> HttpResponse {
    let body = shown(peer, &call.base().api()).to_string().into_bytes();
    let tag = etag::tag(peer.version, &body);
    let mut response = reply::json(status, body);
    if let Ok(tag) = header::HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
