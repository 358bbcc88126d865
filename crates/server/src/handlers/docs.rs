//! The interactive documentation: Swagger UI from this server alone.

use std::io::Read as _;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};

use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz"));
const STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"));
const PAGE: &str = include_str!("docs.html");
const START: &str = include_str!("docs.js");

/// Scripts, styles and connections from here alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /docs`
pub(crate) async fn page(call: Call) -> Reply {
    call.no_query()?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(PAGE))
}

/// `GET /docs/start.js`
pub(crate) async fn start(call: Call) -> Reply {
    call.no_query()?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/javascript; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(START))
}

/// `GET /docs/swagger-ui-bundle.js`
pub(crate) async fn script(call: Call) -> Reply {
    packed(&call, SCRIPT, "text/javascript; charset=utf-8")
}

/// `GET /docs/swagger-ui.css`
pub(crate) async fn style(call: Call) -> Reply {
    packed(&call, STYLE, "text/css; charset=utf-8")
}

/// The embedded gzip as it is, or unpacked for the rare client that does not take it.
fn packed(call: &Call, gzip: &'static [u8], media_type: &'static str) -> Reply {
    call.no_query()?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
        .insert_header((header::VARY, "Accept-Encoding"));
    let takes_gzip = call
        .header("accept-encoding")
        .is_some_and(|accepted| accepted.contains("gzip"));
    if takes_gzip {
        return Ok(response
            .insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")))
            .body(gzip));
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(gzip)
        .read_to_end(&mut plain)
        .map_err(|error| Problem::internal(error.to_string()))?;
    Ok(response.body(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assets_are_whole_and_load_nothing_from_outside() {
        for (gzip, least) in [(SCRIPT, 1_000_000), (STYLE, 100_000)] {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(gzip)
                .read_to_end(&mut plain)
                .expect("gzip");
            assert!(plain.len() > least);
        }
        for text in [PAGE, START] {
            assert!(
                !text.contains("http://") && !text.contains("https://"),
                "an outside host"
            );
        }
        assert!(
            !PAGE.contains("<script>") && !PAGE.contains("style="),
            "the policy allows no inline code"
        );
    }
}
