//! Tokens: issued, listed without their secrets, given new secrets, revoked.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_model::Instant;
use grunddata_registry::{MintedToken, NewToken, OVERLAP_DAYS, Rotation, Token};
use serde_json::{Value, json};

use super::{grants, page};
use crate::access::{Admin, Authorised};
use crate::call::Call;
use crate::fields::{self, Fields};
use crate::links::Link;
use crate::problem::{MOST_ERRORS, Problem};
use crate::reply::{self, Reply, refused};

/// `GET /tokens`
pub(crate) async fn list(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let tokens = call
        .app
        .pool
        .run(move || caller.registry().tokens(caller.context()).map_err(refused))
        .await?;
    let items: Vec<Value> = tokens.iter().map(|token| shown(token, &api)).collect();
    Ok(never_kept(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    )))
}

/// `GET /tokens/{token}`
pub(crate) async fn get(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let tokens = call
        .app
        .pool
        .run(move || caller.registry().tokens(caller.context()).map_err(refused))
        .await?;
    let token = tokens
        .iter()
        .find(|token| token.id == call.path("token"))
        .ok_or_else(|| {
            Problem::new(
                "not-found",
                "There is no such token that you administer. GET /tokens lists those that you do.",
            )
        })?;
    Ok(never_kept(reply::value(
        StatusCode::OK,
        &shown(token, &call.base().api()),
    )))
}

/// `POST /tokens`
pub(crate) async fn create(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(
        body,
        "",
        &["name", "grants", "expiresAt", "feedsCopies", "unit"],
    )?;
    let name = fields.text("name").unwrap_or_default();
    if name.is_empty() {
        fields.reject(
            "name",
            "required-property",
            "name is required: changes are signed with it.".to_owned(),
            "name krävs: ändringar undertecknas med det.".to_owned(),
        );
    }
    let feeds_copies = fields.flag("feedsCopies");
    let unit = fields.text("unit");
    let expires_at = expiry(&mut fields);
    let list = fields.list("grants").unwrap_or_default();
    if list.is_empty() {
        fields.reject(
            "grants",
            "required-property",
            "Give at least one grant: {\"owner\": \"se-2480\", \"role\": \"editor\"}.".to_owned(),
            "Ange minst en behörighet.".to_owned(),
        );
    }
    let mut faults = fields.faults().err().unwrap_or_default();
    let mut grants = Vec::with_capacity(list.len());
    for (at, item) in list.into_iter().enumerate() {
        if faults.len() > MOST_ERRORS {
            break;
        }
        match grants::read(item, &format!("/grants/{at}")) {
            Ok(grant) => grants.push(grant),
            Err(found) => faults.extend(found),
        }
    }
    if !faults.is_empty() {
        return Err(fields::problem(faults));
    }
    let new = NewToken {
        name,
        grants,
        feeds_copies,
        unit,
        expires_at,
    };
    let minted = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .mint_token(caller.context(), new)
                .map_err(refused)
        })
        .await?;
    Ok(issued(&call, minted))
}

/// `POST /tokens/{token}/rotations`
pub(crate) async fn rotate(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let id = call.path("token").to_owned();
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["overlapDays", "expiresAt"])?;
    let overlap_days = fields
        .number("overlapDays")
        .map_or(OVERLAP_DAYS, |days| u32::try_from(days).unwrap_or(u32::MAX));
    let rotation = Rotation {
        overlap_days,
        expires_at: expiry(&mut fields),
    };
    fields.finish()?;
    let minted = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .rotate_token(caller.context(), &id, rotation)
                .map_err(refused)
        })
        .await?;
    call.app.vault.forget();
    Ok(issued(&call, minted))
}

fn expiry(fields: &mut Fields) -> Option<Instant> {
    match fields.take("expiresAt") {
        None | Some(Value::Null) => None,
        Some(value) => match serde_json::from_value::<Instant>(value) {
            Ok(instant) => Some(instant),
            Err(error) => {
                fields.reject(
                    "expiresAt",
                    "invalid-date",
                    format!("expiresAt: {error}"),
                    "expiresAt är en tidpunkt enligt RFC 3339.".to_owned(),
                );
                None
            }
        },
    }
}

/// The answer with the secret, which is in no other.
fn issued(call: &Call, minted: MintedToken) -> HttpResponse {
    let api = call.base().api();
    let mut body = shown(&minted.token, &api);
    reply::set(&mut body, "token", minted.secret);
    let mut response = never_kept(reply::value(StatusCode::CREATED, &body));
    if let Ok(address) = header::HeaderValue::from_str(&format!("{api}/tokens/{}", minted.token.id))
    {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

/// `DELETE /tokens/{token}`
pub(crate) async fn revoke(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let id = call.path("token").to_owned();
    call.app
        .pool
        .run(move || {
            caller
                .registry()
                .revoke_token(caller.context(), &id)
                .map_err(refused)
        })
        .await?;
    call.app.vault.forget();
    Ok(HttpResponse::NoContent().finish())
}

fn shown(token: &Token, api: &str) -> Value {
    let grants: Vec<Value> = token.grants.iter().map(grants::shown).collect();
    json!({
        "id": token.id,
        "name": token.name,
        "grants": grants,
        "feedsCopies": token.feeds_copies,
        "unit": token.unit,
        "replaces": token.replaces,
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "revokedAt": token.revoked_at,
        "lastUsedAt": token.last_used_at,
        "_links": [Link::get("self", format!("{api}/tokens/{}", token.id)), Link::get("collection", format!("{api}/tokens"))],
    })
}

fn never_kept(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}
