//! Everything that answers a query, in one answer that is streamed.
//!
//! Each piece is read when the client has taken the one before: a slow client holds nothing up, and one that goes away
//! ends the work. No piece goes out before what it shows is on disk in the access log. A format that grows in a file is
//! made whole first, and what it shows is logged page by page before the first byte of it goes out.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use grunddata_registry::Place;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::page;
use crate::access::{Authorised, Read};
use crate::app::App;
use crate::call::Call;
use crate::compression::Pieces;
use crate::exporting::{Aside, ExportStream};
use crate::patience::Patient;
use crate::problem::Problem;
use crate::reply::{Reply, refused};
use crate::visit::Visit;

/// Exports that may be under way at once, those that wait for their clients included.
pub(crate) const AT_ONCE: usize = 16;
/// Those among them that are files on this side until they have been sent.
pub(crate) const FILES_AT_ONCE: usize = 4;
/// Bytes of such a file.
const FILE_BYTES: u64 = 4 << 30;
/// How often a piece is tried again while all readers are busy, and after which time.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// What gives the pieces.
struct Source {
    stream: ExportStream,
    pieces: Pieces,
}

impl Source {
    /// The next piece as it goes out; empty while a file grows.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        let broken = |error: std::io::Error| Problem::internal(format!("compression: {error}"));
        if let Some(piece) = self.stream.next_chunk().map_err(refused)? {
            return self.pieces.next(piece).map(Some).map_err(broken);
        }
        let end = self.pieces.end().map_err(broken)?;
        Ok(Some(end).filter(|end| !end.is_empty()))
    }
}

/// What goes from one piece to the next.
struct Under {
    app: Arc<App>,
    source: Arc<Mutex<Source>>,
    visit: Visit,
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

/// `GET /exports`
pub(crate) async fn export(caller: Authorised<Read>, call: Call) -> Reply {
    let permit = permit(&call.app.exports, AT_ONCE, "exports")?;
    let (pairs, frame) = {
        let parameters = call.query()?;
        let pairs: Vec<(String, String)> = parameters
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        (pairs, (call.base().api(), page::carried(&parameters)))
    };
    let visit = Visit::of(caller.context(), &call);
    let aside = Aside {
        directory: call.app.config.uploads.clone(),
        most: FILE_BYTES,
    };
    let stream = call
        .app
        .pool
        .run(move || {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            let (registry, context) = (caller.registry(), caller.context());
            ExportStream::begin(registry, context, pairs, Place::Address, frame, &aside)
                .map_err(refused)
        })
        .await?;
    let mut response = HttpResponse::Ok();
    head(&mut response, stream.media_type(), stream.file_name());
    response.insert_header(("Grunddata-As-Of", stream.as_of()));
    let is_file = stream.is_file();
    let pieces = if is_file {
        Pieces::Plain
    } else {
        encoded(&mut response, &call)
    };
    if is_file && *call.http.method() == Method::HEAD {
        // Nothing is made that nobody takes.
        return Ok(response.finish());
    }
    let under = Under {
        app: Arc::clone(&call.app),
        source: Arc::new(Mutex::new(Source { stream, pieces })),
        visit,
        _permits: [
            Some(permit),
            is_file
                .then(|| self::permit(&call.app.export_files, FILES_AT_ONCE, "exports as files"))
                .transpose()?,
        ],
    };
    // The first piece comes with the head of the answer: what is refused is refused with a problem.
    let first = first(&under).await?;
    if is_file {
        let length = under.source.lock().stream.length();
        let left = first.as_ref().map_or(0, |piece| piece.len() as u64);
        response.no_chunking(length.unwrap_or_default() + left);
    }
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
    let patience = call.app.config.limits.patience;
    Ok(response.streaming(Patient::new(pieces, patience)))
}

pub(super) fn permit(
    permits: &Arc<Semaphore>,
    most: usize,
    what: &str,
) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(permits).try_acquire_owned().map_err(|_| {
        Problem::new(
            "busy",
            format!(
                "{most} {what} are under way already. Try again after the seconds in Retry-After."
            ),
        )
    })
}

pub(super) fn head(response: &mut HttpResponseBuilder, media_type: &str, name: &str) {
    response
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ));
}

/// How the pieces are compressed, said in the head.
pub(super) fn encoded(response: &mut HttpResponseBuilder, call: &Call) -> Pieces {
    let pieces = Pieces::of(&call.http);
    response.append_header((header::VARY, HeaderValue::from_static("Accept-Encoding")));
    if let Some(coding) = pieces.coding() {
        response.insert_header((header::CONTENT_ENCODING, coding));
    }
    pieces
}

/// The first piece. What it shows is logged with the answer; what a file that grows shows is logged page by page.
async fn first(under: &Under) -> Result<Option<Vec<u8>>, Problem> {
    loop {
        // A file that has begun to grow is worth some patience; what has not may be asked for again.
        let begun = under.source.lock().stream.count() > 0;
        let piece = step(under, if begun { TRIES } else { 0 }).await?;
        let (is_file, count) = {
            let source = under.source.lock();
            (source.stream.is_file(), source.stream.count())
        };
        if !is_file {
            return Ok(piece);
        }
        // Where nothing was found it is the answer that is logged: that is told, too.
        if count > 0 {
            under.visit.log_shown(&under.app).await?;
        }
        match piece {
            Some(piece) if piece.is_empty() => {}
            piece => return Ok(piece),
        }
    }
}

/// The piece after the one that is about to be sent, logged.
async fn following(under: Under) -> Result<(Option<Vec<u8>>, Under), Problem> {
    // What has begun to go out is worth some patience.
    let piece = step(&under, TRIES).await?;
    under.visit.log_shown(&under.app).await?;
    Ok((piece, under))
}

/// The next piece. Where all readers are busy nothing was read yet, and it is tried again.
async fn step(under: &Under, most: u32) -> Result<Option<Vec<u8>>, Problem> {
    let mut tries = 0;
    loop {
        let source = Arc::clone(&under.source);
        let read = under.app.pool.run(move || source.lock().next()).await;
        match read {
            Err(problem) if problem.kind.code == "busy" && tries < most => {
                tries += 1;
                actix_rt::time::sleep(PAUSE).await;
            }
            read => return read,
        }
    }
}
