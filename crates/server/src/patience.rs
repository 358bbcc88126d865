//! Streams whose clients take nothing: they are given up, so that what they hold on to (places, files, snapshots of the
//! database) is there for others.
//!
//! A body is asked for its next piece when the client has taken those before; one that is not asked for long has a client
//! that takes nothing. Nothing else tells: the connection may stay open for days.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::web::Bytes;
use futures_util::Stream;

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Error>>>>;

/// A stream that is let go, with everything that it holds, when its client takes nothing for too long. If the client comes
/// back after that, the answer breaks off.
pub(crate) struct Patient(Rc<Held>);

/// The most bytes that are handed out at once: of a large piece a slow client takes some all the while.
const SLICE: usize = 64 * 1024;

struct Held {
    /// `None` = it was given up.
    pieces: RefCell<Option<Pieces>>,
    /// What is left of the piece that is being handed out.
    rest: RefCell<Bytes>,
    /// Since when the client has a piece to take; `None` while the next one is being made.
    handed: Cell<Option<Instant>>,
    told: Cell<bool>,
}

impl Patient {
    /// Must be called where the answer is sent from: on a thread that serves requests.
    pub(crate) fn new(
        pieces: impl Stream<Item = Result<Bytes, Error>> + 'static,
        patience: Duration,
    ) -> Self {
        let held = Rc::new(Held {
            pieces: RefCell::new(Some(Box::pin(pieces))),
            rest: RefCell::default(),
            handed: Cell::new(Some(Instant::now())),
            told: Cell::new(false),
        });
        actix_rt::spawn(watch(Rc::downgrade(&held), patience));
        Self(held)
    }
}

/// Looks now and then whether the client takes anything, for as long as there is somebody to send to.
async fn watch(held: Weak<Held>, patience: Duration) {
    let mut pause = patience;
    loop {
        actix_rt::time::sleep(pause).await;
        let Some(held) = held.upgrade() else {
            return;
        };
        let waited = held.handed.get().map_or(Duration::ZERO, |at| at.elapsed());
        if waited >= patience {
            tracing::warn!(
                ?waited,
                "a client takes nothing of its answer any more: it is given up"
            );
            let given_up = held.pieces.borrow_mut().take();
            drop(given_up);
            held.rest.take();
            return;
        }
        pause = patience - waited;
    }
}

impl Stream for Patient {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let held = &self.0;
        let mut pieces = held.pieces.borrow_mut();
        let Some(stream) = pieces.as_mut() else {
            // Cut, so that nobody takes what was sent for all.
            let broken = || actix_web::error::ErrorRequestTimeout("nothing was taken for too long");
            return Poll::Ready((!held.told.replace(true)).then(|| Err(broken())));
        };
        let mut rest = held.rest.borrow_mut();
        let next = if rest.is_empty() {
            stream.as_mut().poll_next(context)
        } else {
            Poll::Ready(Some(Ok(std::mem::take(&mut *rest))))
        };
        let next = next.map_ok(|mut piece| {
            if piece.len() > SLICE {
                *rest = piece.split_off(SLICE);
            }
            piece
        });
        held.handed.set(next.is_ready().then(Instant::now));
        next
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::{StreamExt as _, stream};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(80);

    /// Pieces without end that hold on to something.
    fn endless(place: Arc<()>) -> impl Stream<Item = Result<Bytes, Error>> {
        stream::repeat_with(move || {
            let _held = &place;
            Ok(Bytes::from_static(b"piece"))
        })
    }

    #[actix_rt::test]
    async fn who_takes_nothing_is_given_up_and_told() {
        let place = Arc::new(());
        let mut stream = Patient::new(endless(Arc::clone(&place)), PATIENCE);
        assert!(stream.next().await.is_some_and(|piece| piece.is_ok()));
        assert_eq!(Arc::strong_count(&place), 2);
        actix_rt::time::sleep(PATIENCE * 3).await;
        assert_eq!(Arc::strong_count(&place), 1);
        assert!(stream.next().await.is_some_and(|piece| piece.is_err()));
        assert!(stream.next().await.is_none());
    }

    #[actix_rt::test]
    async fn a_large_piece_is_handed_out_in_slices() {
        let whole: Vec<u8> = (0..3 * SLICE + 7).map(|at| (at % 251) as u8).collect();
        let sent = Bytes::from(whole.clone());
        let pieces = stream::iter([Ok(sent), Ok(Bytes::new()), Ok(Bytes::from_static(b"end"))]);
        let mut stream = Patient::new(pieces, PATIENCE);
        let mut got = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = piece.expect("a piece");
            assert!(piece.len() <= SLICE);
            got.extend_from_slice(&piece);
            // Each takes a while, and all together longer than anybody waits for one.
            actix_rt::time::sleep(PATIENCE / 2).await;
        }
        assert_eq!(got, [whole.as_slice(), b"end"].concat());
    }

    #[actix_rt::test]
    async fn who_takes_slowly_gets_everything() {
        let place = Arc::new(());
        let mut stream = Patient::new(endless(Arc::clone(&place)), PATIENCE);
        for _ in 0..10 {
            actix_rt::time::sleep(PATIENCE / 4).await;
            assert!(stream.next().await.is_some_and(|piece| piece.is_ok()));
        }
        // It is this side that takes its time.
        let slow = stream::once(async {
            actix_rt::time::sleep(PATIENCE * 3).await;
            Ok(Bytes::from_static(b"late"))
        });
        let mut stream = Patient::new(slow, PATIENCE);
        assert!(stream.next().await.is_some_and(|piece| piece.is_ok()));
    }
}
