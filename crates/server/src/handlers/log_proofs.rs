//! Heads of logs, proofs, and the keys that heads are signed with (`docs/log.md`).

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grunddata_registry::{Context, LogProof, Refusal, Registry, SignedHead};
use serde_json::{Map, Value, json};

use super::changes::{number, owner};
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::parameters::invalid;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// What numbers of entries are.
const ENTRIES: &str = "a number of entries, from 1";

fn written(head: &SignedHead) -> Value {
    let epochs: Vec<Value> = head
        .epochs
        .iter()
        .map(|row| {
            json!({"epoch": row.epoch, "forkPosition": row.fork_position, "begunAt": row.begun_at})
        })
        .collect();
    json!({
        "owner": head.head.owner,
        "epoch": head.head.epoch,
        "size": head.head.size,
        "rootHash": head.head.root,
        "at": head.head.at,
        "keyId": head.key,
        "note": head.note,
        "epochs": epochs,
    })
}

fn proof(proof: &LogProof, more: &[(&str, Value)]) -> HttpResponse {
    let mut body = Map::new();
    for (name, value) in more {
        body.insert((*name).to_owned(), value.clone());
    }
    if let Some(leaf) = proof.leaf {
        body.insert("leaf".to_owned(), json!(leaf));
    }
    body.insert("path".to_owned(), json!(proof.path));
    body.insert("head".to_owned(), written(&proof.head));
    reply::value(StatusCode::OK, &Value::Object(body))
}

/// What the registry says in the caller's name, on a thread for reads.
async fn looked_up<T: Send + 'static>(
    caller: Authorised<Read>,
    call: &Call,
    ask: impl FnOnce(&Registry, &Context) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Problem> {
    call.app
        .pool
        .run(move || ask(caller.registry(), caller.context()).map_err(refused))
        .await
}

/// `GET /changes/head`
pub(crate) async fn head(caller: Authorised<Read>, call: Call) -> Reply {
    let parameters = call.query()?;
    let owner = owner(&parameters)?;
    let size = number(&parameters, "size", ENTRIES)?;
    let found = looked_up(caller, &call, move |registry, context| {
        registry.log_head(context, &owner, size)
    })
    .await?;
    Ok(reply::value(StatusCode::OK, &written(&found)))
}

/// `GET /changes/{position}/proof`
pub(crate) async fn inclusion(caller: Authorised<Read>, call: Call) -> Reply {
    let text = call.path("position");
    let position: u64 = text
        .parse()
        .map_err(|_| invalid("position", text, "a position in the log, from 1"))?;
    let parameters = call.query()?;
    let owner = owner(&parameters)?;
    let size = number(&parameters, "size", ENTRIES)?;
    let found = looked_up(caller, &call, move |registry, context| {
        registry.inclusion_proof(context, &owner, position, size)
    })
    .await?;
    Ok(proof(&found, &[("position", position.into())]))
}

/// `GET /changes/consistency`
pub(crate) async fn consistency(caller: Authorised<Read>, call: Call) -> Reply {
    let parameters = call.query()?;
    let owner = owner(&parameters)?;
    let from = number(&parameters, "from", ENTRIES)?.ok_or_else(|| {
        Problem::new(
            "invalid-parameter",
            "Say the size of the earlier head: from=N.",
        )
        .fact("parameter", "from")
    })?;
    let to = number(&parameters, "to", ENTRIES)?;
    let found = looked_up(caller, &call, move |registry, context| {
        registry.consistency_proof(context, &owner, from, to)
    })
    .await?;
    Ok(proof(&found, &[("from", from.into())]))
}

/// `GET /.well-known/grunddata-log-keys`
pub(crate) async fn keys(call: Call) -> Reply {
    call.no_query()?;
    let registry = call.app.vault.vitals().clone();
    let keys = call
        .app
        .pool
        .run(move || registry.log_keys().map_err(refused))
        .await?;
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let retired = key.retired_at.map(|at| ("retiredAt", json!(at)));
            let members = [
                ("id", json!(key.id)),
                ("algorithm", json!("Ed25519")),
                ("publicKey", json!(key.public.encoded())),
                ("createdAt", json!(key.created_at)),
            ];
            let endorsed = key.endorsed.iter().flat_map(|(by, signature)| {
                let signature = STANDARD.encode(signature);
                [("endorsedBy", json!(by)), ("endorsement", json!(signature))]
            });
            let members = members.into_iter().chain(retired).chain(endorsed);
            Value::Object(
                members
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            )
        })
        .collect();
    let mut response = reply::value(StatusCode::OK, &json!({ "keys": keys }));
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("public, max-age=300"),
    );
    Ok(response)
}
