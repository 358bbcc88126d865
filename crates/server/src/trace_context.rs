//! W3C Trace Context: the trace id comes in with `traceparent`, or is made here; it names the request in the log and in
//! `instance` of every problem, and goes out again (profile 2.0.0 SPA.02, SPA.04).

use std::cell::Cell;
use std::fmt::Write as _;

use actix_web::http::header::{HeaderMap, HeaderValue};
use uuid::Uuid;

/// The trace that a request belongs to, and the id of our part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl Trace {
    /// Continues the trace of the request, or begins one. A malformed header is ignored, as the standard says.
    #[must_use]
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get("traceparent")
            .and_then(|value| parse(value.as_bytes()));
        let (trace, sampled) =
            given.unwrap_or_else(|| ((u128::from(random()) << 64) | u128::from(random()), true));
        Self {
            trace,
            span: random() | 1,
            sampled,
        }
    }

    /// The trace id as a UUID: what the log and the problem details call the request.
    #[must_use]
    pub(crate) fn request_id(&self) -> Uuid {
        Uuid::from_u128(self.trace)
    }

    /// The header to answer with.
    #[must_use]
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut text = String::with_capacity(55);
        let _ = write!(
            text,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace,
            self.span,
            u8::from(self.sampled)
        );
        HeaderValue::from_str(&text).ok()
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, ids not zero.
fn parse(text: &[u8]) -> Option<(u128, bool)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |part: &str| {
        part.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let form = version.len() == 2
        && version != "ff"
        && trace.len() == 32
        && parent.len() == 16
        && flags.len() == 2;
    if !form
        || ![version, trace, parent, flags].into_iter().all(lower_hex)
        || (version == "00" && parts.next().is_some())
    {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16)
        .ok()
        .filter(|trace| *trace != 0)?;
    u64::from_str_radix(parent, 16)
        .ok()
        .filter(|parent| *parent != 0)?;
    Some((trace, u8::from_str_radix(flags, 16).ok()? & 1 == 1))
}

/// Ids need to be distinct, not secret: a splitmix64 sequence per thread from a random seed costs no system call.
fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(Uuid::new_v4().as_u64_pair().0);
    }
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mut mixed = next;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_header_is_continued_and_a_bad_one_ignored() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(
            parse(good.as_bytes()),
            Some((0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, true))
        );
        for bad in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            actix_web::http::header::HeaderName::from_static("traceparent"),
            HeaderValue::from_static(good),
        );
        let trace = Trace::of(&headers);
        let out = trace.header().expect("header");
        let out = out.to_str().expect("text");
        assert!(
            out.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-")
                && out.ends_with("-01")
                && out != good
        );
        assert_eq!(
            trace.request_id().to_string(),
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"
        );
    }

    #[test]
    fn new_traces_differ() {
        let headers = HeaderMap::new();
        assert_ne!(Trace::of(&headers), Trace::of(&headers));
    }
}
