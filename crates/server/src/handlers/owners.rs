//! Owners.

use actix_web::http::{StatusCode, header};
use grunddata_information_model::InformationModel;
use grunddata_model::OwnerKey;
use grunddata_registry::{NewOwner, Owner, ProtectionPolicy};
use serde_json::{Value, json};

use super::page;
use crate::access::{Admin, Authorised, Read};
use crate::call::Call;
use crate::fields::Fields;
use crate::links::Link;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// `GET /owners`
pub(crate) async fn list(caller: Authorised<Read>, call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let owners = call
        .app
        .pool
        .run(move || caller.registry().owners(caller.context()).map_err(refused))
        .await?;
    let items: Vec<Value> = owners
        .iter()
        .map(|owner| shown(owner, &api, call.app.vault.model()))
        .collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

/// `GET /owners/{owner}`
pub(crate) async fn get(caller: Authorised<Read>, call: Call) -> Reply {
    call.no_query()?;
    let key = key(&call)?;
    let owners = call
        .app
        .pool
        .run(move || caller.registry().owners(caller.context()).map_err(refused))
        .await?;
    let owner = owners.iter().find(|owner| owner.key == key).ok_or_else(|| {
        Problem::new("unknown-owner", format!("There is no owner {key} that you may see. GET /owners lists those that you may.")).fact("owner", key.as_str())
    })?;
    Ok(reply::value(
        StatusCode::OK,
        &shown(owner, &call.base().api(), call.app.vault.model()),
    ))
}

fn key(call: &Call) -> Result<OwnerKey, Problem> {
    OwnerKey::new(call.path("owner")).map_err(|error| {
        Problem::new(
            "invalid-parameter",
            format!("The key of an owner: {error}."),
        )
        .fact("parameter", "owner")
    })
}

/// `PUT /owners/{owner}`
pub(crate) async fn put(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let key = key(&call)?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(
        body,
        "",
        &["name", "openData", "organisation", "protection"],
    )?;
    let name = fields.text("name").unwrap_or_default();
    if name.is_empty() {
        fields.reject(
            "name",
            "required-property",
            "name is required.".to_owned(),
            "name krävs.".to_owned(),
        );
    }
    let open_data = fields.flag("openData");
    let organisation = fields.parse("organisation", "invalid-format");
    let protection = match fields.take("protection") {
        None | Some(Value::Null) => None,
        Some(value) => match ProtectionPolicy::read(caller.registry().model(), &value) {
            Ok(policy) => Some(policy),
            Err(refusal) => {
                fields.reject(
                    "protection",
                    "invalid-format",
                    refusal.detail,
                    "protection anger form per skyddsnivå och närhet.".to_owned(),
                );
                None
            }
        },
    };
    fields.finish()?;
    let work = move || {
        let (registry, context) = (caller.registry(), caller.context());
        // Who may add owners sees them all.
        let known = registry
            .owners(context)?
            .iter()
            .any(|owner| owner.key == key);
        Ok((
            known,
            registry.put_owner(
                context,
                NewOwner {
                    key,
                    name,
                    organisation,
                    open_data,
                    protection,
                },
            )?,
        ))
    };
    let (known, owner) = call.app.pool.run(move || work().map_err(refused)).await?;
    call.app.vault.forget();
    call.app.landing.forget();
    let api = call.base().api();
    let mut response = reply::value(
        if known {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        },
        &shown(&owner, &api, call.app.vault.model()),
    );
    if !known
        && let Ok(address) = header::HeaderValue::from_str(&format!("{api}/owners/{}", owner.key))
    {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

fn shown(owner: &Owner, api: &str, model: &InformationModel) -> Value {
    let mut out = json!({
        "key": owner.key.as_str(),
        "name": owner.name,
        "organisation": owner.organisation,
        "openData": owner.open_data,
        "_links": [Link::get("self", format!("{api}/owners/{}", owner.key)), Link::get("collection", format!("{api}/owners"))],
    });
    if let Some(position) = owner.position {
        reply::set(&mut out, "position", position);
    }
    if let Some(policy) = owner.protection {
        reply::set(&mut out, "protection", policy.written(model));
    }
    out
}
