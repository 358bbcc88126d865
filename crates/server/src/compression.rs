//! Compression of answers that are worth it, and only for clients that ask: of whole ones, and of those that go out in
//! pieces.

use std::io::Write as _;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;

/// Below this a packet is a packet.
const WORTHWHILE: usize = 1_024;
/// From here the work leaves the worker thread.
const OFF_THREAD: usize = 64 * 1_024;

/// What is offered for a whole body, the cheapest for its effect first.
const OF_WHOLE: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
/// What is offered for an answer in pieces. Brotli takes too long where it compresses well.
const OF_PIECES: [Coding; 2] = [Coding::Zstd, Coding::Gzip];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

impl Coding {
    const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    fn encode(self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Zstd => zstd::bulk::compress(body, 3),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(
                    Vec::with_capacity(body.len() / 3),
                    flate2::Compression::new(5),
                );
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Brotli => {
                let mut out = Vec::with_capacity(body.len() / 3);
                let mut encoder = brotli::CompressorWriter::new(&mut out, 16 * 1024, 4, 20);
                encoder.write_all(body)?;
                encoder.flush()?;
                drop(encoder);
                Ok(out)
            }
        }
    }
}

/// The coding that the client prefers (RFC 9110 section 12.5.3); among equals the first.
fn choose(accepted: &str, offered: &[Coding]) -> Option<Coding> {
    let mut best: Option<(f32, Coding)> = None;
    for coding in offered.iter().copied() {
        let (mut named, mut wildcard) = (None, None);
        for part in accepted.split(',') {
            let mut pieces = part.split(';');
            let name = pieces.next().unwrap_or_default().trim();
            let quality = pieces
                .find_map(|piece| {
                    piece
                        .trim()
                        .strip_prefix("q=")
                        .map(|q| q.parse::<f32>().unwrap_or(0.0))
                })
                .unwrap_or(1.0);
            if name.eq_ignore_ascii_case(coding.name()) {
                named = Some(quality);
            } else if name == "*" {
                wildcard = Some(quality);
            }
        }
        let quality = named.or(wildcard).unwrap_or(0.0);
        if quality > 0.0 && best.is_none_or(|(before, _)| quality > before) {
            best = Some((quality, coding));
        }
    }
    best.map(|(_, coding)| coding)
}

/// An answer that goes out in pieces, compressed as one. What it holds at once is a window, however long the answer is.
pub(crate) enum Pieces {
    /// As they are.
    Plain,
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pieces").field(&self.coding()).finish()
    }
}

impl Pieces {
    /// What the request asks for.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        Self::with(coding_of(request, &OF_PIECES))
    }

    fn with(coding: Option<Coding>) -> Self {
        match coding {
            Some(Coding::Zstd) => {
                zstd::stream::write::Encoder::new(Vec::new(), 3).map_or(Self::Plain, Self::Zstd)
            }
            Some(Coding::Gzip) => Self::Gzip(flate2::write::GzEncoder::new(
                Vec::new(),
                flate2::Compression::new(5),
            )),
            Some(Coding::Brotli) | None => Self::Plain,
        }
    }

    /// For the header `Content-Encoding`.
    pub(crate) fn coding(&self) -> Option<HeaderValue> {
        match self {
            Self::Plain => None,
            Self::Zstd(_) => Some(HeaderValue::from_static(Coding::Zstd.name())),
            Self::Gzip(_) => Some(HeaderValue::from_static(Coding::Gzip.name())),
        }
    }

    /// The next piece, such that the client can read all of it when it has come.
    ///
    /// # Errors
    /// Those of the library.
    pub(crate) fn next(&mut self, piece: Vec<u8>) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(piece),
            Self::Zstd(encoder) => {
                encoder.write_all(&piece)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Self::Gzip(encoder) => {
                encoder.write_all(&piece)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    /// What ends the whole. Without it a client knows that it was cut off.
    ///
    /// # Errors
    /// Those of the library.
    pub(crate) fn end(&mut self) -> std::io::Result<Vec<u8>> {
        match std::mem::replace(self, Self::Plain) {
            Self::Plain => Ok(Vec::new()),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

fn coding_of(request: &HttpRequest, offered: &[Coding]) -> Option<Coding> {
    let accepted = request.headers().get(header::ACCEPT_ENCODING)?;
    choose(accepted.to_str().ok()?, offered)
}

/// Compresses `body` if the request asks for it and it is worth it; gives the coding that was used.
pub(crate) async fn apply(request: &HttpRequest, body: Bytes) -> (Bytes, Option<HeaderValue>) {
    if body.len() < WORTHWHILE {
        return (body, None);
    }
    let Some(coding) = coding_of(request, &OF_WHOLE) else {
        return (body, None);
    };
    let encoded = if body.len() < OFF_THREAD {
        coding.encode(&body).ok()
    } else {
        let copy = body.clone();
        actix_web::web::block(move || coding.encode(&copy).ok())
            .await
            .ok()
            .flatten()
    };
    match encoded {
        Some(encoded) if encoded.len() < body.len() => (
            Bytes::from(encoded),
            Some(HeaderValue::from_static(coding.name())),
        ),
        _ => (body, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_decides() {
        let choose = |accepted| super::choose(accepted, &OF_WHOLE);
        assert_eq!(choose("gzip"), Some(Coding::Gzip));
        assert_eq!(choose("gzip, br"), Some(Coding::Brotli));
        assert_eq!(choose("gzip;q=1.0, br;q=0.5"), Some(Coding::Gzip));
        assert_eq!(choose("zstd;q=0, *"), Some(Coding::Brotli));
        assert_eq!(choose("identity"), None);
        assert_eq!(choose("gzip;q=0"), None);
        assert_eq!(
            super::choose("br, gzip;q=0.5", &OF_PIECES),
            Some(Coding::Gzip)
        );
        assert_eq!(super::choose("br", &OF_PIECES), None);
    }

    #[test]
    fn pieces_are_one_whole_and_each_can_be_read_when_it_has_come() {
        for coding in [None, Some(Coding::Zstd), Some(Coding::Gzip)] {
            let mut pieces = Pieces::with(coding);
            assert_eq!(pieces.coding().is_some(), coding.is_some());
            let piece = b"{\"id\":\"01990c3e\"}\n".repeat(1_000);
            let mut sent = pieces.next(piece.clone()).expect("the first piece");
            let mut read = vec![0; piece.len()];
            decoder(coding, &sent)
                .read_exact(&mut read)
                .expect("all of it");
            assert_eq!(read, piece);
            sent.extend(pieces.next(piece.clone()).expect("the second piece"));
            if coding.is_some() {
                let cut = decoder(coding, &sent).read_to_end(&mut Vec::new());
                assert!(cut.is_err(), "{coding:?}: nobody takes it for all");
            }
            sent.extend(pieces.end().expect("the end"));
            let mut all = Vec::new();
            decoder(coding, &sent).read_to_end(&mut all).expect("whole");
            assert_eq!(all, piece.repeat(2));
        }
    }

    fn decoder<'a>(coding: Option<Coding>, sent: &'a [u8]) -> Box<dyn std::io::Read + 'a> {
        match coding {
            Some(Coding::Zstd) => Box::new(zstd::Decoder::new(sent).expect("zstd")),
            Some(_) => Box::new(flate2::read::GzDecoder::new(sent)),
            None => Box::new(sent),
        }
    }

    #[test]
    fn every_coding_shrinks_json() {
        let body = r#"{"id":"01990c3e","domain":"organisation"}"#.repeat(100);
        for coding in [Coding::Zstd, Coding::Brotli, Coding::Gzip] {
            let encoded = coding.encode(body.as_bytes()).expect("encoded");
            assert!(encoded.len() < body.len() / 4, "{}", coding.name());
        }
        let gzip = Coding::Gzip.encode(body.as_bytes()).expect("encoded");
        let mut text = String::new();
        std::io::Read::read_to_string(
            &mut flate2::read::GzDecoder::new(gzip.as_slice()),
            &mut text,
        )
        .expect("gzip");
        assert_eq!(text, body);
    }
}
