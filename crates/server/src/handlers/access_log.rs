//! The access log, for auditors. Reading it is logged as well.

use actix_web::http::StatusCode;
use grunddata_access_log::{Auditor, Kind, Logged, Order, Query};
use grunddata_model::{OwnerKey, RecordId};
use grunddata_registry::Action;
use serde_json::{Value, json};

use super::page;
use crate::access::{Audit, Authorised};
use crate::call::Call;
use crate::links::{Link, encode};
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// `GET /access-log`
pub(crate) async fn search(caller: Authorised<Audit>, call: Call) -> Reply {
    let parameters = call.query()?;
    let everywhere = caller.context().actor.may_everywhere(Action::Audit);
    let mut query = query(&parameters, &caller, everywhere)?;
    let limit = query.limit;
    let app = std::sync::Arc::clone(&call.app);
    let found = call
        .app
        .pool
        .run(move || {
            if !everywhere && let Some(owner) = query.owner.clone() {
                let owns_record = match query.record {
                    Some(id) => caller.registry().owns(&owner, id).map_err(refused)?,
                    None => false,
                };
                query.auditor = Some(Auditor { owner, owns_record });
            }
            let found = app.access_log.archive().search(&query).map_err(|error| {
                if matches!(error, grunddata_access_log::AccessLogError::Cursor) {
                    return Problem::new(
                        "invalid-cursor",
                        "after is not a cursor of this search: follow the next link of its last page as it is.",
                    )
                    .fact("parameter", "after");
                }
                Problem::internal(error.to_string())
            })?;
            // Whoever audits an owner finds who else has read what stands there of it.
            let owners = found.entries.iter().flat_map(|logged| logged.entry.owners.iter().cloned());
            caller.context().disclosed.acted(owners, json!({}));
            Ok(found)
        })
        .await?;
    let items: Vec<Value> = found
        .entries
        .iter()
        .map(|logged| shown(logged, everywhere))
        .collect();
    let mut links = vec![page::this(&call)];
    if let Some(next) = &found.next {
        let others: Vec<String> = parameters
            .iter()
            .filter(|(name, _)| *name != "after")
            .map(|(name, value)| format!("{name}={}&", encode(value)))
            .collect();
        let api = call.base().api();
        links.push(Link::get(
            "next",
            format!("{api}/access-log?{}after={}", others.concat(), encode(next)),
        ));
    }
    Ok(reply::value(
        StatusCode::OK,
        &json!({
            "_meta": {"limit": limit, "count": items.len(), "complete": found.complete},
            "_links": links,
            "items": items,
        }),
    ))
}

fn query(
    parameters: &Parameters<'_>,
    caller: &Authorised<Audit>,
    everywhere: bool,
) -> Result<Query, Problem> {
    let text = |name: &str| parameters.get(name).map(str::to_owned);
    let owner: Option<OwnerKey> = parameters.read("owner", "the key of an owner")?;
    let context = caller.context();
    // Also when it is refused.
    context.disclosed.acted(owner.clone(), json!({}));
    let audits = owner
        .as_ref()
        .is_some_and(|owner| context.actor.may(Action::Audit, owner));
    if !everywhere && !audits {
        return Err(Problem::new(
            "forbidden",
            "You audit some owners and not the whole registry: say with owner which of yours you look at.",
        )
        .fact("parameter", "owner"));
    }
    Ok(Query {
        from: parameters.date("from")?,
        to: parameters.date("to")?,
        actor: text("actor"),
        on_behalf_of: text("onBehalfOf"),
        record: parameters.read::<RecordId>("record", "the id of a record")?,
        owner,
        kind: parameters.get("kind").map(Kind::from_code),
        operation: text("operation"),
        purpose: text("purpose"),
        request_id: text("requestId"),
        outcome: text("outcome"),
        text: text("q"),
        auditor: None,
        order: match parameters.get("order") {
            None | Some("newest") => Order::NewestFirst,
            Some("oldest") => Order::OldestFirst,
            Some(other) => {
                return Err(crate::parameters::invalid(
                    "order",
                    other,
                    "newest or oldest",
                ));
            }
        },
        limit: page::limit(parameters)? as usize,
        examine: 0,
        after: text("after"),
    })
}

/// An entry. Of one that is about other owners as well whoever audits one of them is shown a part: see [`Auditor`].
fn shown(logged: &Logged, everywhere: bool) -> Value {
    let entry = &logged.entry;
    let whole = everywhere || !entry.owners.is_empty();
    json!({
        "series": logged.series,
        "sequence": logged.sequence,
        "at": entry.at,
        "kind": entry.kind,
        "actor": entry.actor,
        "unit": entry.unit,
        "onBehalfOf": entry.on_behalf_of,
        "client": entry.client,
        "purpose": entry.purpose,
        "channel": entry.channel,
        "operation": entry.operation,
        "requestId": entry.request_id,
        "owners": whole.then_some(&entry.owners),
        "records": whole.then_some(&entry.records),
        "classes": grunddata_information_model::InformationModel::class_names(entry.classes),
        "query": entry.query,
        "count": entry.count,
        "outcome": entry.outcome,
        "detail": entry.detail,
    })
}
