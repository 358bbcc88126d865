//! Hand-overs of records to other owners.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_model::{OwnerKey, RecordId};
use grunddata_registry::{NewTransfer, Transfer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::page;
use crate::access::{Admin, Authorised, Permission, Read};
use crate::call::Call;
use crate::fields::{self, Fields};
use crate::handing;
use crate::links::Link;
use crate::peers::is_plain;
use crate::problem::{MOST_ERRORS, Problem};
use crate::reply::{self, Reply, refused};

/// `GET /transfers`
pub(crate) async fn list(caller: Authorised<Admin>, call: Call) -> Reply {
    let owner = call
        .query()?
        .read::<String>("owner", "the key of an owner")?;
    let owner = key(&owner.unwrap_or_default())?;
    let api = call.base().api();
    let found = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.transfers(context, &owner).map_err(refused)
        })
        .await?;
    let items: Vec<Value> = found.iter().map(|one| shown(one, &api)).collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

/// `POST /transfers`
pub(crate) async fn offer(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let (body, _) = call.json().await?;
    let known = [
        "owner", "receiver", "registry", "client", "records", "branch", "except", "reason",
    ];
    let mut fields = Fields::new(body, "", &known)?;
    let owner: Option<OwnerKey> = fields.parse("owner", "invalid-format");
    let receiver: Option<OwnerKey> = fields.parse("receiver", "invalid-format");
    let (registry, client) = (fields.text("registry"), fields.text("client"));
    let reason = fields.text("reason").unwrap_or_default();
    let branch = match fields.take("branch") {
        None => true,
        Some(Value::Bool(branch)) => branch,
        Some(_) => {
            fields.reject(
                "branch",
                "wrong-type",
                "branch is true or false.".to_owned(),
                "branch är true eller false.".to_owned(),
            );
            true
        }
    };
    let (records, except) = (
        fields.list("records").unwrap_or_default(),
        fields.list("except").unwrap_or_default(),
    );
    for (name, missing) in [
        ("owner", owner.is_none()),
        ("receiver", receiver.is_none()),
        ("reason", reason.is_empty()),
        ("records", records.is_empty()),
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
    let mut faults = fields.faults().err().unwrap_or_default();
    let records = ids(&records, "records", &mut faults);
    let except = ids(&except, "except", &mut faults);
    let (Some(owner), Some(receiver), true) = (owner, receiver, faults.is_empty()) else {
        return Err(fields::problem(faults));
    };
    if let Some(address) = &registry {
        handing::place(address, &receiver, None).map_err(refused)?;
    }
    let new = NewTransfer {
        owner,
        receiver,
        registry,
        client,
        records,
        branch,
        except,
        reason,
    };
    let made = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.offer_transfer(context, new).map_err(refused)
        })
        .await?;
    let mut response = answered(StatusCode::CREATED, &made, &call);
    let address = address(&made, &call.base().api());
    if let Ok(address) = header::HeaderValue::from_str(&address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

/// `GET /transfers/{transfer}`
pub(crate) async fn get(caller: Authorised<Read>, call: Call) -> Reply {
    call.no_query()?;
    let id = transfer(&call)?;
    let found = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry.transfer(context, id).map_err(refused)
        })
        .await?;
    Ok(answered(StatusCode::OK, &found, &call))
}

/// `PUT /transfers/{transfer}`
pub(crate) async fn note(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let id = transfer(&call)?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["owner", "registry", "tokenFile"])?;
    let owner: Option<OwnerKey> = fields.parse("owner", "invalid-format");
    let (registry, token_file) = (fields.text("registry"), fields.text("tokenFile"));
    for (name, missing) in [("owner", owner.is_none()), ("registry", registry.is_none())] {
        if missing {
            fields.reject(
                name,
                "required-property",
                format!("{name} is required."),
                format!("{name} krävs."),
            );
        }
    }
    check_token_file(&mut fields, token_file.as_deref());
    let faults = fields.faults().err().unwrap_or_default();
    let (Some(owner), Some(address), true) = (owner, registry, faults.is_empty()) else {
        return Err(fields::problem(faults));
    };
    let settings = handing::place(&address, &owner, token_file).map_err(refused)?;
    let peering = call.app.config.peers.clone();
    let noted = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            handing::note_offer(registry, &peering, context, id, &settings).map_err(refused)
        })
        .await?;
    Ok(answered(StatusCode::OK, &noted, &call))
}

/// The token for the other registry lies in a directory that the settings name, and nowhere else.
pub(super) fn check_token_file(fields: &mut Fields, name: Option<&str>) {
    if name.is_some_and(|name| !is_plain(name)) {
        fields.reject(
            "tokenFile",
            "invalid-format",
            "tokenFile is the name of a file in the directory of tokens (peers.tokens).".to_owned(),
            "tokenFile är namnet på en fil i katalogen för nycklar (peers.tokens).".to_owned(),
        );
    }
}

/// `POST /transfers/{transfer}/accept`
pub(crate) async fn accept(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let id = transfer(&call)?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["controller"])?;
    let controller: Option<RecordId> = fields.parse("controller", "invalid-format");
    fields.finish()?;
    let peering = call.app.config.peers.clone();
    let worker = call.app.worker.clone();
    let done = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            handing::accept(registry, &peering, &worker, context, id, controller).map_err(refused)
        })
        .await?;
    Ok(answered(StatusCode::OK, &done, &call))
}

/// `POST /transfers/{transfer}/refuse`
pub(crate) async fn refuse(caller: Authorised<Read>, mut call: Call) -> Reply {
    let (id, reason) = ending(&mut call).await?;
    let peering = call.app.config.peers.clone();
    let ended = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            handing::refuse(registry, &peering, context, id, &reason).map_err(refused)
        })
        .await?;
    Ok(answered(StatusCode::OK, &ended, &call))
}

/// `POST /transfers/{transfer}/withdraw`
pub(crate) async fn withdraw(caller: Authorised<Admin>, mut call: Call) -> Reply {
    let (id, reason) = ending(&mut call).await?;
    let ended = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry
                .withdraw_transfer(context, id, &reason)
                .map_err(refused)
        })
        .await?;
    Ok(answered(StatusCode::OK, &ended, &call))
}

/// `POST /transfers/{transfer}/hold`
pub(crate) async fn hold(caller: Authorised<Read>, call: Call) -> Reply {
    step(caller, call, |caller, id| {
        caller.registry().hold_transfer(caller.context(), id)
    })
    .await
}

/// `POST /transfers/{transfer}/confirm`
pub(crate) async fn confirm(caller: Authorised<Read>, call: Call) -> Reply {
    step(caller, call, |caller, id| {
        caller.registry().confirm_transfer(caller.context(), id)
    })
    .await
}

/// `GET /transfers/{transfer}/records`
pub(crate) async fn records(caller: Authorised<Read>, call: Call) -> Reply {
    let after: Option<usize> = call.query()?.read("after", "a number from 0 on")?;
    let id = transfer(&call)?;
    let found = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            registry
                .transfer_records(context, id, after.unwrap_or_default())
                .map_err(refused)
        })
        .await?;
    Ok(reply::value(StatusCode::OK, &json!(found)))
}

async fn step<P: Permission + Send + 'static>(
    caller: Authorised<P>,
    mut call: Call,
    step: impl FnOnce(&Authorised<P>, Uuid) -> Result<Transfer, grunddata_registry::Refusal>
    + Send
    + 'static,
) -> Reply {
    call.no_query()?;
    let id = transfer(&call)?;
    let (body, _) = call.json().await?;
    Fields::new(body, "", &[])?.finish()?;
    let done = call
        .app
        .pool
        .run(move || step(&caller, id).map_err(refused))
        .await?;
    Ok(answered(StatusCode::OK, &done, &call))
}

async fn ending(call: &mut Call) -> Result<(Uuid, String), Problem> {
    let reason = reason(call).await?;
    Ok((transfer(call)?, reason))
}

/// The body of what ends something.
pub(super) async fn reason(call: &mut Call) -> Result<String, Problem> {
    call.no_query()?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["reason"])?;
    let reason = fields.text("reason").unwrap_or_default();
    if reason.is_empty() {
        fields.reject(
            "reason",
            "required-property",
            "reason is required.".to_owned(),
            "reason krävs.".to_owned(),
        );
    }
    fields.finish()?;
    Ok(reason)
}

fn ids(list: &[Value], name: &str, faults: &mut Vec<Value>) -> Vec<RecordId> {
    let mut ids = Vec::with_capacity(list.len());
    for (place, item) in list.iter().enumerate() {
        match item.as_str().and_then(|text| text.parse().ok()) {
            Some(id) => ids.push(id),
            None if faults.len() <= MOST_ERRORS => faults.push(fields::fault(
                &format!("/{name}/{place}"),
                "invalid-format",
                "A record is named by its id.".to_owned(),
                "En post anges med sitt id.".to_owned(),
            )),
            None => break,
        }
    }
    ids
}

pub(super) fn key(text: &str) -> Result<OwnerKey, Problem> {
    OwnerKey::new(text).map_err(|error| {
        Problem::new(
            "invalid-parameter",
            format!("owner: the key of an owner is required: {error}."),
        )
        .fact("parameter", "owner")
    })
}

fn transfer(call: &Call) -> Result<Uuid, Problem> {
    call.path("transfer").parse().map_err(|_| {
        Problem::new(
            "unknown-transfer",
            "There is no hand-over with that id. GET /transfers lists them.",
        )
    })
}

fn address(transfer: &Transfer, api: &str) -> String {
    format!("{api}/transfers/{}", transfer.id)
}

fn shown(transfer: &Transfer, api: &str) -> Value {
    let mut value = json!(transfer);
    let links = [Link::get("self", address(transfer, api))];
    reply::set(&mut value, "_links", json!(links));
    value
}

fn answered(status: StatusCode, transfer: &Transfer, call: &Call) -> HttpResponse {
    reply::value(status, &shown(transfer, &call.base().api()))
}
