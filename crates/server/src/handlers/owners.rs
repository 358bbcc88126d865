//! Owners.

use actix_web::http::StatusCode;
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
    let items: Vec<Value> =
        caller.registry().owners(caller.context()).map_err(refused)?.iter().map(|owner| shown(owner, &api)).collect();
    Ok(reply::value(StatusCode::OK, &json!({"items": items, "_links": [page::this(&call)]})))
}

/// `PUT /owners/{owner}`
pub(crate) async fn put(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let key = OwnerKey::new(call.path("owner"))
        .map_err(|error| Problem::new("invalid-parameter", format!("The key of an owner: {error}.")).fact("parameter", "owner"))?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["name", "openData", "organisation"])?;
    let name = fields.text("name").unwrap_or_default();
    if name.is_empty() {
        fields.reject("name", "required-property", "name is required.".to_owned(), "name krävs.".to_owned());
    }
    let open_data = fields.flag("openData");
    let organisation = fields.parse("organisation", "invalid-format");
    fields.finish()?;
    let owner = caller
        .registry()
        .put_owner(caller.context(), NewOwner { key, name, organisation, open_data })
        .map_err(refused)?;
    call.app.vault.forget();
    Ok(reply::value(StatusCode::OK, &shown(&owner, &call.base().api())))
}

fn shown(owner: &Owner, api: &str) -> Value {
    let mut out = json!({
        "key": owner.key.as_str(),
        "name": owner.name,
        "organisation": owner.organisation,
        "openData": owner.open_data,
        "_links": [Link::get("collection", format!("{api}/owners"))],
    });
    if let Some(position) = owner.position {
        reply::set(&mut out, "position", position);
    }
    out
}
