//! Owners.

use actix_web::http::{StatusCode, header};
use grunddata_model::OwnerKey;
use grunddata_registry::{NewOwner, Owner};
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
    let items: Vec<Value> = owners.iter().map(|owner| shown(owner, &api)).collect();
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
        &shown(owner, &call.base().api()),
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
    let mut fields = Fields::new(body, "", &["name", "openData", "organisation"])?;
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
        &shown(&owner, &api),
    );
    if !known
        && let Ok(address) = header::HeaderValue::from_str(&format!("{api}/owners/{}", owner.key))
    {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

fn shown(owner: &Owner, api: &str) -> Value {
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
    out
}
