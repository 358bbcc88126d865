//! References that lead nowhere yet.

use actix_web::http::StatusCode;
use grunddata_model::RecordId;
use grunddata_registry::{Action, PendingReferences};
use serde_json::json;

use super::page;
use super::sources::{given, owner_of};
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::links::Link;
use crate::reply::{self, Reply, refused};

/// `GET /pending-references`
pub(crate) async fn list(caller: Authorised<Read>, call: Call) -> Reply {
    let parameters = call.query()?;
    let given = given(&parameters)?;
    let limit = page::limit(&parameters)?;
    let after = parameters.read::<RecordId>("after", "the id of a record")?;
    let found = call
        .app
        .pool
        .run(move || {
            let owner = owner_of(&caller, given, Action::Read)?;
            let (registry, context) = (caller.registry(), caller.context());
            let found = registry.pending_references(context, &owner, after, limit);
            found.map_err(refused)
        })
        .await?;
    let PendingReferences { items, next } = found;
    let mut links = vec![page::this(&call)];
    if let Some(next) = next {
        let changed = [("after", Some(next.to_string()))];
        links.push(Link::get(
            "next",
            page::address(&call, &parameters, &changed),
        ));
    }
    Ok(reply::value(
        StatusCode::OK,
        &json!({"_meta": {"limit": limit, "count": items.len()}, "_links": links, "items": items}),
    ))
}
