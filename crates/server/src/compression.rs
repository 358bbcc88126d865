//! Compression of answers that are worth it, and only for clients that ask.

use std::io::Write as _;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;

/// Below this a packet is a packet.
const WORTHWHILE: usize = 1_024;
/// From here the work leaves the worker thread.
const OFF_THREAD: usize = 64 * 1_024;

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

/// The coding that the client prefers (RFC 9110 section 12.5.3); among equals the cheapest for its effect.
fn choose(accepted: &str) -> Option<Coding> {
    let mut best: Option<(f32, Coding)> = None;
    for coding in [Coding::Zstd, Coding::Brotli, Coding::Gzip] {
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

/// Compresses `body` if the request asks for it and it is worth it; gives the coding that was used.
pub(crate) async fn apply(request: &HttpRequest, body: Bytes) -> (Bytes, Option<HeaderValue>) {
    if body.len() < WORTHWHILE {
        return (body, None);
    }
    let Some(coding) = request
        .headers()
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .and_then(choose)
    else {
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
        assert_eq!(choose("gzip"), Some(Coding::Gzip));
        assert_eq!(choose("gzip, br"), Some(Coding::Brotli));
        assert_eq!(choose("gzip;q=1.0, br;q=0.5"), Some(Coding::Gzip));
        assert_eq!(choose("zstd;q=0, *"), Some(Coding::Brotli));
        assert_eq!(choose("identity"), None);
        assert_eq!(choose("gzip;q=0"), None);
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
