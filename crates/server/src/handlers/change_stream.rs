//! An owner's log as server-sent events (WHATWG HTML, section 9.2). The next events are read when the client has taken those
//! before: a slow client holds nothing in memory, and one that goes away ends the work.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header;
use actix_web::web::Bytes;
use grunddata_registry::FeedStep;
use serde_json::json;
use tokio::time::Instant;

use std::sync::Arc;
use std::time::Duration;

use super::changes::{Asked, begun, written, written_reread};
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::following::{Following, News};
use crate::patience::Patient;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::visit::Visit;

/// The media type.
pub(crate) const EVENTS: &str = "text/event-stream";
/// Events of a piece.
const PIECE: usize = 500;
/// After how many milliseconds a client that was cut off comes back.
const RETRY: u32 = 2_000;

/// What goes from one piece to the next.
struct Under {
    following: Following,
    visit: Visit,
    /// How long to wait for something to tell; `None` = as long as the client does.
    wait: Option<Duration>,
    /// When the stream ends if there is nothing to tell until then.
    until: Option<Instant>,
    /// How often something is sent where there is nothing to tell.
    beat: Duration,
    next_beat: Instant,
    ended: bool,
}

/// `GET /changes/stream`
pub(crate) async fn stream(caller: Authorised<Read>, call: Call) -> Reply {
    let parameters = call.query()?;
    let mut asked = Asked::read(&parameters)?;
    // A client that was cut off says where it was, whatever its address says.
    if let Some(last) = call.header("last-event-id").filter(|last| !last.is_empty()) {
        asked.after = Some(last.to_owned());
    }
    let wait = asked.wait;
    let feed = begun(&caller, &call, asked, false).await?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, EVENTS))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        // Proxies that gather an answer would hold the events back.
        .insert_header(("X-Accel-Buffering", "no"));
    if call.http.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let mut following = Following::new(&call.app, &call.http, &caller, feed);
    following.wait_for_news(&caller)?;
    // What is refused is refused with a problem, before the stream begins.
    let step = following.step(PIECE).await?;
    let now = Instant::now();
    let beat = call.app.config.limits.heartbeat;
    let mut under = Under {
        following,
        visit: Visit::of(caller.context(), &call),
        wait,
        until: wait.map(|wait| now + wait),
        beat,
        next_beat: now + beat,
        ended: false,
    };
    let mut first = format!("retry: {RETRY}\n\n").into_bytes();
    under.tell(&mut first, &step);
    let pieces = futures_util::stream::unfold(
        (Some((first, step.caught_up)), under),
        |(begun, mut under)| async move {
            let bytes = match begun {
                // Its entries were logged with the head of the answer.
                Some((first, caught_up)) => {
                    under.ended = caught_up && under.wait == Some(Duration::ZERO);
                    first
                }
                None => under.next().await?,
            };
            Some((Ok::<_, actix_web::Error>(Bytes::from(bytes)), (None, under)))
        },
    );
    let patience = call.app.config.limits.patience;
    Ok(response.streaming(Patient::new(pieces, patience)))
}

impl Under {
    /// What goes out next; `None` = the stream ends.
    async fn next(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        while !self.ended {
            let step = match self.look().await {
                Ok(step) => step,
                Err(problem) => {
                    self.ended = true;
                    return Some(last_words(&problem));
                }
            };
            self.tell(&mut out, &step);
            if !out.is_empty() {
                return Some(out);
            }
            if !step.caught_up {
                // A long part of the log without anything for this reader: it hears how far that is, and a stop is not held up.
                if self.following.is_closing() {
                    return None;
                }
                if self.next_beat <= Instant::now() {
                    self.beat(&mut out);
                    return Some(out);
                }
                continue;
            }
            let wake = self
                .until
                .map_or(self.next_beat, |until| until.min(self.next_beat));
            match self.following.news(Some(wake)).await {
                News::Further => {}
                News::Closing => return None,
                News::Late if self.until.is_some_and(|until| until <= Instant::now()) => {
                    return None;
                }
                News::Late => {
                    self.beat(&mut out);
                    return Some(out);
                }
            }
        }
        None
    }

    /// The next entries, logged.
    async fn look(&mut self) -> Result<FeedStep, Problem> {
        let step = self.following.patient_step(PIECE).await?;
        self.visit.move_to(self.following.now());
        self.visit
            .log_shown(&Arc::clone(self.following.app()))
            .await?;
        Ok(step)
    }

    fn tell(&mut self, out: &mut Vec<u8>, step: &FeedStep) {
        for one in &step.reread {
            // Without an id: the client goes on from where it was.
            out.extend_from_slice(b"event: re-read\ndata: ");
            written_reread(out, one);
            out.extend_from_slice(b"\n\n");
        }
        for entry in &step.entries {
            out.extend_from_slice(format!("id: {}\nevent: change\ndata: ", entry.after).as_bytes());
            // JSON without line breaks: one line of data.
            written(out, entry);
            out.extend_from_slice(b"\n\n");
        }
        if !step.entries.is_empty() {
            let now = Instant::now();
            self.next_beat = now + self.beat;
            self.until = self.wait.map(|wait| now + wait);
        }
    }

    /// Keeps the connection open, and tells how far the log was looked through: a client keeps the id of an event without
    /// data, and does nothing else with it. It comes at the same times whatever is hidden from the reader.
    fn beat(&mut self, out: &mut Vec<u8>) {
        if let Ok(after) = self.following.after() {
            out.extend_from_slice(format!("id: {after}\n\n").as_bytes());
        } else {
            out.extend_from_slice(b":\n\n");
        }
        self.next_beat = Instant::now() + self.beat;
    }
}

/// Why the stream ends. A client that comes back gets the same as a problem.
fn last_words(problem: &Problem) -> Vec<u8> {
    tracing::debug!(
        code = problem.kind.code,
        cause = problem.cause,
        "a stream ends"
    );
    let told =
        json!({"code": problem.kind.code, "status": problem.kind.status, "detail": problem.detail});
    format!("event: problem\ndata: {told}\n\n").into_bytes()
}
