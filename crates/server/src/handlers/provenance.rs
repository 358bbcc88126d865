//! Why a value is where it is.

use actix_web::http::StatusCode;
use serde_json::json;

use super::{page, writing};
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::links::Link;
use crate::reply::{self, Reply, refused};

/// `GET …/provenance`
pub(crate) async fn get(caller: Authorised<Read>, call: Call) -> Reply {
    let (domain, id) = writing::subject(&call)?;
    let at = call.at(caller.context(), &call.query()?)?;
    let found = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .provenance(caller.context(), Some(domain), id, &at)
                .map_err(refused)
        })
        .await?;
    let mut value = serde_json::to_value(&found).unwrap_or_default();
    let record = format!("{}/{}/{id}", call.base().api(), domain.collection());
    let links = [
        page::this(&call),
        Link::get("original", record.clone()),
        Link::get("version-history", format!("{record}/history")),
    ];
    reply::set(&mut value, "_links", json!(links));
    Ok(reply::value(StatusCode::OK, &value))
}
