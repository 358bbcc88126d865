//! Peers that cannot be connected to: they fetch what is asked of them, and bring the answers.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use futures_util::StreamExt as _;
use grunddata_pull::RawAnswer;
use grunddata_store::PeerStatus;
use serde_json::json;

use crate::access::{Authorised, Read};
use crate::body;
use crate::call::Call;
use crate::peers::{Asked, Line};
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// The longest wait for a question, in seconds.
const LONGEST_WAIT: u64 = 60;
/// How long the next bytes of an answer may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many of one peer may wait at once.
const MOST: usize = 4;

/// `POST /peers/{peer}/exchange`
pub(crate) async fn exchange(caller: Authorised<Read>, mut call: Call) -> Reply {
    let name = call.path("peer").to_owned();
    let parameters = call.query()?;
    let seconds = parameters.read("wait", "a number of seconds, at most 60")?;
    let wait = Duration::from_secs(seconds.unwrap_or(20).min(LONGEST_WAIT));
    let answers: Option<uuid::Uuid> = parameters.read("answers", "the id of a question")?;
    let status: Option<u16> = parameters.read("status", "a status of HTTP")?;
    let retry_after: Option<u64> = parameters.read("retryAfter", "a number of seconds")?;
    let (asking, app) = (name.clone(), Arc::clone(&call.app));
    let (row, now) = app
        .pool
        .run(move || {
            let registry = caller.registry();
            let row = registry.pushed_peer(caller.context(), &asking);
            Ok((row.map_err(refused)?, registry.now()))
        })
        .await?;
    if row.status != PeerStatus::Following {
        return Err(Problem::new(
            "peer-paused",
            format!("The peer {name} takes nothing until it is resumed."),
        ));
    }
    let until = app.worker.until(app.vault.vitals());
    if row.holder != app.worker.id() && !row.is_free(now, until) {
        return Err(Problem::new(
            "busy",
            "Another process follows this peer. Try again: it is given over when it hears nothing more.",
        )
        .header(header::RETRY_AFTER, "1")
        // The next connection may lead to that one.
        .header(header::CONNECTION, "close"));
    }
    let line = app.lines.of(&name, app.config.peers.wait);
    if let Some(id) = answers {
        // Only what was asked for is read, and that once.
        let _turn = line.turn().await;
        if let Some(asked) = line.open(id) {
            let body = brought(&mut call, &line, &asked).await?;
            let answer = RawAnswer {
                status: status.unwrap_or(200),
                retry_after,
                body,
            };
            line.answer(&asked, answer);
        }
    }
    let question = next(&call, &line, wait).await?;
    line.note();
    let question = question.map(|asked| json!({"id": asked.id, "address": &*asked.address}));
    Ok(reply::value(StatusCode::OK, &json!({"question": question})))
}

/// The body, no longer than the answer may be.
async fn brought(call: &mut Call, line: &Line, asked: &Asked) -> Result<Vec<u8>, Problem> {
    body::media_type(&call.http, &[body::JSON])?;
    let mut payload = call.payload()?;
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    loop {
        let chunk = tokio::time::timeout(PATIENCE, payload.next()).await;
        let chunk = match chunk {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) => chunk.map_err(|error| {
                let mut problem = Problem::new(
                    "invalid-body",
                    "The body did not arrive whole. Send the request again.",
                );
                problem.cause = Some(error.to_string());
                problem
            })?,
            Err(_) => {
                return Err(Problem::new(
                    "request-timeout",
                    "The body did not arrive in time. Send the request again.",
                )
                .header(header::CONNECTION, "close"));
            }
        };
        if bytes.len() + chunk.len() > limit {
            return Err(Problem::new(
                "body-too-large",
                format!("The answer is larger than {limit} bytes."),
            )
            .fact("limit", limit)
            .header(header::CONNECTION, "close"));
        }
        bytes.extend_from_slice(&chunk);
        // However long it takes, the peer is here.
        line.note();
    }
}

/// The next question, when there is one before the time is over.
async fn next(call: &Call, line: &Line, wait: Duration) -> Result<Option<Asked>, Problem> {
    let mut questions = line.questions();
    if line.waiting() > MOST {
        return Err(Problem::new(
            "busy",
            "This peer waits for questions several times already. End the other requests.",
        )
        .header(header::RETRY_AFTER, "5"));
    }
    let mut closing = call.app.closing.subscribe();
    tokio::select! {
        asked = questions.wait_for(Option::is_some) => Ok(asked.ok().and_then(|asked| asked.clone())),
        () = tokio::time::sleep(wait) => Ok(None),
        _ = closing.wait_for(|closing| *closing) => Ok(None),
    }
}
