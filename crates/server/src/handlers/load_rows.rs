//! The rows of a plan: as JSON page by page, and as a table for whoever decides about it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use grunddata_registry::{PlanRowState, PlanRowsQuery, RowOutcome};
use serde_json::json;

use super::loads::{find, load_id};
use super::page;
use super::sources::given;
use crate::access::{Authorised, Feed};
use crate::call::Call;
use crate::links::Link;
use crate::loads::table::{Language, Table};
use crate::parameters::{self, Parameters};
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// Comma-separated values.
pub(crate) const CSV: &str = "text/csv";
/// A workbook.
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// `GET /loads/{load}/rows`
pub(crate) async fn list(caller: Authorised<Feed>, call: Call) -> Reply {
    let parameters = call.query()?;
    let (given, id) = (given(&parameters)?, load_id(&call)?);
    let mut query = query(&parameters)?;
    query.limit = page::limit(&parameters)?;
    query.after = parameters
        .read("after", "the number of a row")?
        .unwrap_or_default();
    let limit = query.limit;
    let found = call
        .app
        .pool
        .run(move || {
            let (owner, _) = find(&caller, given, id)?;
            caller
                .registry()
                .plan_rows(caller.context(), &owner, id, &query)
                .map_err(refused)
        })
        .await?;
    let mut links = vec![page::this(&call)];
    if let Some(next) = found.next {
        let changed = [("after", Some(next.to_string()))];
        links.push(Link::get(
            "next",
            page::address(&call, &parameters, &changed),
        ));
    }
    Ok(reply::value(
        StatusCode::OK,
        &json!({
            "_meta": {"limit": limit, "count": found.items.len()},
            "_links": links,
            "items": found.items,
        }),
    ))
}

/// `GET /loads/{load}/rows.csv`
pub(crate) async fn csv(caller: Authorised<Feed>, call: Call) -> Reply {
    let text = table(caller, &call, |table| {
        table.csv().map_err(|error| error.to_string())
    })
    .await?;
    Ok(file(text, "text/csv; charset=utf-8", "plan.csv"))
}

/// `GET /loads/{load}/rows.xlsx`
pub(crate) async fn xlsx(caller: Authorised<Feed>, call: Call) -> Reply {
    let bytes = table(caller, &call, |table| {
        table.xlsx().map_err(|error| error.to_string())
    })
    .await?;
    Ok(file(bytes, XLSX, "plan.xlsx"))
}

/// The rows that are asked for as a file.
async fn table(
    caller: Authorised<Feed>,
    call: &Call,
    write: fn(&Table) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, Problem> {
    let parameters = call.query()?;
    let language = match parameters.get("lang") {
        None | Some("sv") => Language::Swedish,
        Some("en") => Language::English,
        Some(other) => return Err(parameters::invalid("lang", other, "sv or en")),
    };
    let (given, id) = (given(&parameters)?, load_id(call)?);
    let query = query(&parameters)?;
    call.app
        .pool
        .run(move || {
            let (owner, _) = find(&caller, given, id)?;
            let (registry, context) = (caller.registry(), caller.context());
            let table =
                Table::of(registry, context, &owner, id, &query, language).map_err(refused)?;
            write(&table).map_err(Problem::internal)
        })
        .await
}

fn file(bytes: Vec<u8>, media_type: &'static str, name: &str) -> HttpResponse {
    let mut response = reply::json(StatusCode::OK, bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

fn query(parameters: &Parameters<'_>) -> Result<PlanRowsQuery, Problem> {
    let mut outcomes = Vec::new();
    if let Some(text) = parameters.get("outcome") {
        for word in text.split(',').map(str::trim) {
            outcomes.push(RowOutcome::from_name(word).ok_or_else(|| {
                let words: Vec<&str> = RowOutcome::ALL.iter().map(|one| one.as_str()).collect();
                parameters::invalid(
                    "outcome",
                    word,
                    &format!("one of {}, or several with commas", words.join(", ")),
                )
            })?);
        }
    }
    let state =
        match parameters.get("state") {
            None => None,
            Some(word) => Some(PlanRowState::from_name(word).ok_or_else(|| {
                parameters::invalid("state", word, "planned, applied or set-aside")
            })?),
        };
    Ok(PlanRowsQuery {
        outcomes,
        state,
        after: 0,
        limit: 1,
    })
}
