//! Everything of an owner, or of all, without loss: as one stream, from one snapshot of the database.
//!
//! That it is taken is in the access log before the first byte goes out, and what it came to before the last: what has a
//! beginning there and no end was broken off.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::thread;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::Bytes;
use grunddata_model::OwnerKey;
use grunddata_registry::{OwnerSet, Refusal};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::exports::{encoded, head, permit};
use crate::access::{Admin, Authorised};
use crate::app::App;
use crate::body::NDJSON;
use crate::call::Call;
use crate::compression::Pieces;
use crate::parameters;
use crate::patience::Patient;
use crate::problem::Problem;
use crate::reply::{Reply, refused};
use crate::visit::Visit;

/// Lossless exports that may be under way at once: each holds on to a snapshot of the database.
pub(crate) const AT_ONCE: usize = 1;
/// Pieces that wait for the client. Whoever makes them waits then, too.
const WAITING: usize = 2;
/// About how large a piece is, in bytes.
const PIECE: usize = 256 * 1024;

/// What comes from the thread that makes the file.
enum Made {
    Piece(Vec<u8>),
    /// It was made whole, and what it came to; or why not.
    End(Result<Value, Box<Refusal>>),
}

/// What goes from one piece to the next.
struct Under {
    app: Arc<App>,
    made: mpsc::Receiver<Made>,
    visit: Visit,
    pieces: Pieces,
    /// Those that were asked for by name.
    owners: Vec<OwnerKey>,
}

/// `GET /exports/lossless`
pub(crate) async fn export(caller: Authorised<Admin>, call: Call) -> Reply {
    let owners = {
        let parameters = call.query()?;
        owners(parameters.get("owner"))?
    };
    let named = match &owners {
        OwnerSet::All => Vec::new(),
        OwnerSet::Some(owners) => owners.iter().cloned().collect(),
    };
    let permit = permit(&call.app.lossless, AT_ONCE, "lossless export")?;
    let visit = Visit::of(caller.context(), &call);
    let (sender, mut made) = mpsc::channel(WAITING);
    thread::Builder::new()
        .name("lossless".to_owned())
        .spawn(move || {
            let mut out = BufWriter::with_capacity(PIECE, Sending(sender.clone()));
            let (registry, context) = (caller.registry(), caller.context());
            let made = registry
                .export_lossless(context, &owners, &mut out, &mut |_| {})
                .map(|summary| json!({"counts": summary.counts, "sha256": summary.sha256}))
                .map_err(Box::new);
            // The snapshot is let go.
            drop(permit);
            // Where nobody takes the pieces any more nobody takes the end either.
            if made.is_err() || out.flush().is_ok() {
                sender.blocking_send(Made::End(made)).ok();
            }
            // Dropped, it would write again what nobody took.
            let _ = out.into_parts();
        })
        .map_err(|error| Problem::internal(format!("a thread cannot be started: {error}")))?;
    // What is refused is refused before anything is sent, and logged like every refusal.
    let first = match made.recv().await {
        Some(Made::Piece(piece)) => piece,
        Some(Made::End(Ok(_))) => Vec::new(),
        Some(Made::End(Err(refusal))) => return Err(refused(*refusal)),
        None => {
            return Err(Problem::internal(
                "the lossless export ended without a word",
            ));
        }
    };
    let mut response = HttpResponse::Ok();
    head(&mut response, NDJSON, "grunddata.ndjson");
    let pieces = encoded(&mut response, &call);
    if *call.http.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let under = Under {
        app: Arc::clone(&call.app),
        made,
        visit,
        pieces,
        owners: named,
    };
    let state = Some((Some(Made::Piece(first)), under));
    let pieces = futures_util::stream::unfold(state, |state| async move {
        let (ready, mut under) = state?;
        let made = match ready {
            Some(made) => Some(made),
            None => under.made.recv().await,
        };
        match sent(&mut under, made).await {
            Ok((bytes, true)) => Some((Ok(Bytes::from(bytes)), None)),
            Ok((bytes, false)) => Some((Ok(Bytes::from(bytes)), Some((None, under)))),
            Err(problem) => {
                tracing::error!(
                    code = problem.kind.code,
                    cause = problem.cause,
                    detail = problem.detail,
                    "a lossless export was broken off"
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

/// What is sent of what was made, and whether that is the end.
async fn sent(under: &mut Under, made: Option<Made>) -> Result<(Vec<u8>, bool), Problem> {
    let broken = |error: io::Error| Problem::internal(format!("compression: {error}"));
    match made {
        Some(Made::Piece(piece)) => {
            let mut pieces = std::mem::replace(&mut under.pieces, Pieces::Plain);
            let run = move || pieces.next(piece).map(|bytes| (bytes, pieces));
            let (bytes, pieces) = actix_web::web::block(run)
                .await
                .map_err(|_| Problem::internal("the thread pool has stopped"))?
                .map_err(broken)?;
            under.pieces = pieces;
            Ok((bytes, false))
        }
        Some(Made::End(Ok(detail))) => {
            let owners = under.owners.clone();
            under.visit.log_done(&under.app, owners, detail).await?;
            Ok((under.pieces.end().map_err(broken)?, true))
        }
        Some(Made::End(Err(refusal))) => Err(refused(*refusal)),
        None => Err(Problem::internal(
            "the lossless export ended without a word",
        )),
    }
}

fn owners(given: Option<&str>) -> Result<OwnerSet, Problem> {
    let Some(given) = given else {
        return Ok(OwnerSet::All);
    };
    given
        .split(',')
        .map(|key| {
            OwnerKey::new(key)
                .map_err(|_| parameters::invalid("owner", key, "keys of owners, such as se-2480"))
        })
        .collect::<Result<Vec<OwnerKey>, Problem>>()
        .map(|keys| keys.into_iter().collect())
}

/// Hands pieces to whoever sends them.
struct Sending(mpsc::Sender<Made>);

impl Write for Sending {
    /// Waits until the client has taken what was made before, or is given up.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Made::Piece(bytes.to_vec()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
