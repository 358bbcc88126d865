//! Everything that answers a query, in one streamed answer.
//!
//! Each piece is read when the client has taken the one before: a slow client holds nothing up, and one that goes away
//! ends the work. No piece goes out before what it shows is on disk in the access log.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use grunddata_registry::Place;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

use super::page;
use crate::access::{Authorised, Read};
use crate::app::App;
use crate::call::Call;
use crate::exporting::ExportStream;
use crate::problem::Problem;
use crate::reply::{Reply, refused};
use crate::visit::Visit;

/// Exports that may be under way at once, those that wait for their clients included.
pub(crate) const AT_ONCE: usize = 16;
/// How often a piece is tried again while all readers are busy, and after which time.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// What goes from one piece to the next.
struct Under {
    app: Arc<App>,
    stream: Arc<Mutex<ExportStream>>,
    visit: Visit,
    _permit: OwnedSemaphorePermit,
}

/// `GET /exports`
pub(crate) async fn export(caller: Authorised<Read>, call: Call) -> Reply {
    let permit = Arc::clone(&call.app.exports)
        .try_acquire_owned()
        .map_err(|_| {
            Problem::new(
                "busy",
                format!("{AT_ONCE} exports are under way already. Try again after the seconds in Retry-After."),
            )
        })?;
    let (pairs, frame) = {
        let parameters = call.query()?;
        let pairs: Vec<(String, String)> = parameters
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        (pairs, (call.base().api(), page::carried(&parameters)))
    };
    let visit = Visit::of(caller.context(), &call);
    // The first piece comes with the head of the answer: what is refused is refused with a problem.
    let (stream, first) = call
        .app
        .pool
        .run(move || {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            let mut stream = ExportStream::begin(
                caller.registry(),
                caller.context(),
                pairs,
                Place::Address,
                frame,
            )
            .map_err(refused)?;
            let first = stream.next_chunk().map_err(refused)?;
            Ok((stream, first))
        })
        .await?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, stream.media_type()))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", stream.file_name()),
        ))
        .insert_header(("Grunddata-As-Of", stream.as_of()));
    let under = Under {
        app: Arc::clone(&call.app),
        stream: Arc::new(Mutex::new(stream)),
        visit,
        _permit: permit,
    };
    let pieces = futures_util::stream::unfold(Some((first, under)), |state| async move {
        let (ready, under) = state?;
        let bytes = ready?;
        match following(under).await {
            Ok(next) => Some((Ok(Bytes::from(bytes)), Some(next))),
            // What follows the piece cannot be had: the connection is cut after it, so that nobody takes it for all.
            Err(problem) => {
                tracing::error!(
                    code = problem.kind.code,
                    cause = problem.cause,
                    "an export was broken off"
                );
                let broken =
                    actix_web::error::ErrorInternalServerError("the export was broken off");
                Some((Err(broken), None))
            }
        }
    });
    Ok(response.streaming(pieces))
}

/// The piece after the one that is about to be sent, logged.
async fn following(under: Under) -> Result<(Option<Vec<u8>>, Under), Problem> {
    let mut tries = 0;
    let piece = loop {
        let stream = Arc::clone(&under.stream);
        let read = under
            .app
            .pool
            .run(move || stream.lock().next_chunk().map_err(refused))
            .await;
        match read {
            // Nothing was read yet: what has begun to go out is worth some patience.
            Err(problem) if problem.kind.code == "busy" && tries < TRIES => {
                tries += 1;
                actix_rt::time::sleep(PAUSE).await;
            }
            read => break read?,
        }
    };
    under.visit.log_shown(&under.app).await?;
    Ok((piece, under))
}
