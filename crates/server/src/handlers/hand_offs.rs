//! Hand-offs about persons who move.

use actix_web::http::{StatusCode, header};
use chrono::NaiveDate;
use grunddata_model::{OwnerKey, RecordId};
use grunddata_registry::{Basis, BasisKind, HandOff, NewHandOff};
use serde_json::{Value, json};
use uuid::Uuid;

use super::page;
use crate::access::{Admin, Authorised, Read};
use crate::call::Call;
use crate::fields::{self, Fields};
use crate::handing;
use crate::links::Link;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// `GET /hand-offs`
pub(crate) async fn list(caller: Authorised<Admin>, call: Call) -> Reply {
    let owner = call
        .query()?
        .read::<String>("owner", "the key of an owner")?;
    let owner = super::transfers::key(&owner.unwrap_or_default())?;
    let api = call.base().api();
    let found = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.hand_offs(context, &owner).map_err(refused)
        })
        .await?;
    let items: Vec<Value> = found.iter().map(|one| shown(one, &api)).collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

/// `POST /hand-offs`
pub(crate) async fn make(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let (body, _) = call.json().await?;
    let known = [
        "owner",
        "receiver",
        "registry",
        "client",
        "person",
        "properties",
        "basis",
        "expires",
        "protected",
    ];
    let mut fields = Fields::new(body, "", &known)?;
    let owner: Option<OwnerKey> = fields.parse("owner", "invalid-format");
    let receiver: Option<OwnerKey> = fields.parse("receiver", "invalid-format");
    let person: Option<RecordId> = fields.parse("person", "invalid-format");
    let expires: Option<NaiveDate> = fields.parse("expires", "invalid-date");
    let (registry, client) = (fields.text("registry"), fields.text("client"));
    let protected = fields.flag("protected");
    let properties = fields.list("properties").unwrap_or_default();
    let basis = fields.take("basis");
    for (name, missing) in [
        ("owner", owner.is_none()),
        ("receiver", receiver.is_none()),
        ("person", person.is_none()),
        ("expires", expires.is_none()),
        ("properties", properties.is_empty()),
        ("basis", basis.is_none()),
    ] {
        if missing {
            fields.reject(
                name,
                "required-property",
                format!("{name} is required."),
                format!("{name} krävs."),
            );
        }
    }
    let properties: Vec<Option<String>> = properties
        .iter()
        .map(|name| name.as_str().map(str::to_owned))
        .collect();
    if properties.iter().any(Option::is_none) {
        fields.reject(
            "properties",
            "wrong-type",
            "properties are names of properties.".to_owned(),
            "properties är namn på egenskaper.".to_owned(),
        );
    }
    let mut faults = fields.faults().err().unwrap_or_default();
    let basis = basis.and_then(|basis| match read_basis(basis) {
        Ok(basis) => Some(basis),
        Err(fault) => {
            faults.push(fault);
            None
        }
    });
    let (Some(owner), Some(receiver), Some(person), Some(expires), Some(basis), true) =
        (owner, receiver, person, expires, basis, faults.is_empty())
    else {
        return Err(fields::problem(faults));
    };
    if let Some(address) = &registry {
        handing::place(address, &receiver, None).map_err(refused)?;
    }
    let new = NewHandOff {
        owner,
        receiver,
        registry,
        client,
        person,
        properties: properties.into_iter().flatten().collect(),
        basis,
        expires,
        protected,
    };
    let made = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.make_hand_off(context, new).map_err(refused)
        })
        .await?;
    let api = call.base().api();
    let mut response = reply::value(StatusCode::CREATED, &shown(&made, &api));
    if let Ok(address) = header::HeaderValue::from_str(&address(&made, &api)) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

fn read_basis(value: Value) -> Result<Basis, Value> {
    let wrong = || {
        fields::fault(
            "/basis",
            "invalid-format",
            "basis is {\"kind\": \"consent\" or \"law\", \"text\": \"…\"}.".to_owned(),
            "basis är {\"kind\": \"consent\" eller \"law\", \"text\": \"…\"}.".to_owned(),
        )
    };
    let kind = match value.get("kind").and_then(Value::as_str) {
        Some("consent") => BasisKind::Consent,
        Some("law") => BasisKind::Law,
        _ => return Err(wrong()),
    };
    let text = value
        .get("text")
        .and_then(Value::as_str)
        .ok_or_else(wrong)?;
    Ok(Basis {
        kind,
        text: text.to_owned(),
    })
}

/// `GET /hand-offs/{handoff}`
pub(crate) async fn get(caller: Authorised<Read>, call: Call) -> Reply {
    call.no_query()?;
    let id = hand_off(&call)?;
    let api = call.base().api();
    let found = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.hand_off(context, id).map_err(refused)
        })
        .await?;
    Ok(reply::value(StatusCode::OK, &shown(&found, &api)))
}

/// `GET /hand-offs/{handoff}/content`
pub(crate) async fn content(caller: Authorised<Read>, call: Call) -> Reply {
    call.no_query()?;
    let id = hand_off(&call)?;
    let found = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.hand_off_content(context, id).map_err(refused)
        })
        .await?;
    Ok(reply::value(StatusCode::OK, &json!(found)))
}

/// `POST /hand-offs/{handoff}/take`
pub(crate) async fn take(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let id = hand_off(&call)?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["owner", "registry", "tokenFile"])?;
    let owner: Option<OwnerKey> = fields.parse("owner", "invalid-format");
    let (registry, token_file) = (fields.text("registry"), fields.text("tokenFile"));
    if registry.is_some() && owner.is_none() {
        fields.reject(
            "owner",
            "required-property",
            "owner is required with registry: who takes it here.".to_owned(),
            "owner krävs med registry: vem som tar emot här.".to_owned(),
        );
    }
    super::transfers::check_token_file(&mut fields, token_file.as_deref());
    fields.finish()?;
    let place = match (registry, owner) {
        (Some(address), Some(owner)) => {
            Some(handing::place(&address, &owner, token_file).map_err(refused)?)
        }
        _ => None,
    };
    let peering = call.app.config.peers.clone();
    let api = call.base().api();
    let taken = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            handing::take(registry, &peering, context, id, place.as_ref()).map_err(refused)
        })
        .await?;
    Ok(reply::value(StatusCode::OK, &shown(&taken, &api)))
}

/// `POST /hand-offs/{handoff}/taken`
pub(crate) async fn taken(caller: Authorised<Read>, mut call: Call) -> Reply {
    call.no_query()?;
    let id = hand_off(&call)?;
    let (body, _) = call.json().await?;
    Fields::new(body, "", &[])?.finish()?;
    let api = call.base().api();
    let done = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.close_hand_off(context, id).map_err(refused)
        })
        .await?;
    Ok(reply::value(StatusCode::OK, &shown(&done, &api)))
}

/// `POST /hand-offs/{handoff}/withdraw`
pub(crate) async fn withdraw(caller: Authorised<Admin>, mut call: Call) -> Reply {
    let reason = super::transfers::reason(&mut call).await?;
    let id = hand_off(&call)?;
    let api = call.base().api();
    let ended = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry
                .withdraw_hand_off(context, id, &reason)
                .map_err(refused)
        })
        .await?;
    Ok(reply::value(StatusCode::OK, &shown(&ended, &api)))
}

fn hand_off(call: &Call) -> Result<Uuid, Problem> {
    call.path("handoff").parse().map_err(|_| {
        Problem::new(
            "unknown-transfer",
            "There is no hand-off with that id. GET /hand-offs lists them.",
        )
    })
}

fn address(hand_off: &HandOff, api: &str) -> String {
    format!("{api}/hand-offs/{}", hand_off.id)
}

fn shown(hand_off: &HandOff, api: &str) -> Value {
    let mut value = json!(hand_off);
    let links = [Link::get("self", address(hand_off, api))];
    reply::set(&mut value, "_links", json!(links));
    value
}
