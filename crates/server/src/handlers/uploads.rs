//! Files that come piece by piece, so that a connection that breaks costs one piece and not the whole.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_registry::Action;
use serde_json::{Value, json};
use uuid::Uuid;

use super::sources::{given, owner_of};
use crate::access::{Authorised, Feed};
use crate::call::Call;
use crate::fields::Fields;
use crate::links::Link;
use crate::loads::uploads::Upload;
use crate::parameters;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// Where a piece begins, and where the next one does.
const OFFSET: &str = "upload-offset";

/// `POST /sources/{source}/uploads`
pub(crate) async fn begin(caller: Authorised<Feed>, mut call: Call) -> Reply {
    let (given, source) = (given(&call.query()?)?, call.path("source").to_owned());
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["name", "size", "sha256"])?;
    let name = fields.text("name").unwrap_or_else(|| "file".to_owned());
    if name.is_empty() || name.chars().count() > 200 || name.contains(['/', '\\', '\n']) {
        fields.reject(
            "name",
            "invalid-format",
            "The name of a file without folders, of at most 200 characters.".to_owned(),
            "Namnet på en fil utan mappar, högst 200 tecken.".to_owned(),
        );
    }
    let size = fields.number("size");
    let sha256 = fields.text("sha256").map(|text| text.to_lowercase());
    let hexadecimal =
        |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if sha256.as_ref().is_some_and(|text| !hexadecimal(text)) {
        fields.reject(
            "sha256",
            "invalid-format",
            "The SHA-256 of the whole file as 64 hexadecimal digits.".to_owned(),
            "Hela filens SHA-256 som 64 hexadecimala siffror.".to_owned(),
        );
    }
    fields.finish()?;
    let app = call.app.clone();
    let upload = call
        .app
        .pool
        .run(move || {
            let owner = owner_of(&caller, given, Action::Load)?;
            let (registry, context) = (caller.registry(), caller.context());
            registry.source(context, &owner, &source).map_err(refused)?;
            let upload = Upload {
                id: Uuid::now_v7(),
                client: context.actor.client.clone(),
                owner,
                source,
                name,
                size,
                sha256,
                created_at: context.now,
            };
            app.uploads.begin(&upload)?;
            Ok(upload)
        })
        .await?;
    let mut response = answered(StatusCode::CREATED, &upload, 0, &call);
    let address = address(&upload, &call.base().api());
    if let Ok(address) = header::HeaderValue::from_str(&address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

/// `GET /uploads/{upload}`
pub(crate) async fn get(caller: Authorised<Feed>, call: Call) -> Reply {
    call.no_query()?;
    let (upload, length) = found(&caller, &call).await?;
    Ok(answered(StatusCode::OK, &upload, length, &call))
}

/// `PATCH /uploads/{upload}`
pub(crate) async fn append(caller: Authorised<Feed>, mut call: Call) -> Reply {
    call.no_query()?;
    let offset: u64 = call
        .header(OFFSET)
        .and_then(|value| value.trim().parse().ok())
        .ok_or_else(|| {
            Problem::new(
                "invalid-header",
                "Upload-Offset says at which byte of the file the piece begins: 0 for the first, then what the last answer said.",
            )
            .fact("header", "Upload-Offset")
        })?;
    let (upload, _) = found(&caller, &call).await?;
    let payload = call.payload()?;
    let idle = call.app.config.limits.request_timeout;
    let length = call
        .app
        .uploads
        .append(&upload, offset, call.http.headers(), payload, idle)
        .await?;
    Ok(answered(StatusCode::OK, &upload, length, &call))
}

/// `DELETE /uploads/{upload}`
pub(crate) async fn remove(caller: Authorised<Feed>, call: Call) -> Reply {
    call.no_query()?;
    let (upload, _) = found(&caller, &call).await?;
    let app = call.app.clone();
    call.app
        .pool
        .run(move || app.uploads.forget(upload.id))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn found(caller: &Authorised<Feed>, call: &Call) -> Result<(Upload, u64), Problem> {
    let text = call.path("upload");
    let id: Uuid = text
        .parse()
        .map_err(|_| parameters::invalid("upload", text, "the id of an upload"))?;
    let (app, client) = (call.app.clone(), caller.context().actor.client.clone());
    call.app
        .pool
        .run(move || app.uploads.find(id, &client))
        .await
}

fn address(upload: &Upload, api: &str) -> String {
    format!("{api}/uploads/{}", upload.id)
}

fn answered(status: StatusCode, upload: &Upload, offset: u64, call: &Call) -> HttpResponse {
    let api = call.base().api();
    let link = |rel: &'static str, method: &'static str, href: String| Link {
        method,
        ..Link::get(rel, href)
    };
    let body: Value = json!({
        "id": upload.id,
        "owner": upload.owner,
        "source": upload.source,
        "name": upload.name,
        "size": upload.size,
        "sha256": upload.sha256,
        "offset": offset,
        "createdAt": upload.created_at,
        "_links": [
            Link::get("self", address(upload, &api)),
            link("edit", "PATCH", address(upload, &api)),
            link("load", "POST", format!("{api}/sources/{}/loads?owner={}&upload={}", upload.source, upload.owner, upload.id)),
        ],
    });
    let mut response = reply::value(status, &body);
    response
        .headers_mut()
        .insert(header::HeaderName::from_static(OFFSET), offset.into());
    response
}
