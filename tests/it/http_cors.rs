//! Pages of other origins: none may call, unless they are configured.

use grunddata_testing::on_both;

use crate::http_records::server::{Answer, Http};

const MAP: &str = "https://karta.example.se";

fn with_map(engine: grunddata_testing::Engine) -> Http {
    Http::start_with(engine, |config| {
        config.origins = vec![MAP.to_owned(), "http://localhost:5173".to_owned()];
    })
}

fn preflight(http: &Http, origin: &str, method: &str, headers: &str) -> Answer {
    http.nobody()
        .with("origin", origin)
        .with("access-control-request-method", method)
        .with("access-control-request-headers", headers)
        .send("OPTIONS", "/organisations", None)
}

fn told(answer: &Answer) -> Vec<&String> {
    answer
        .all_headers()
        .keys()
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

on_both! {
    using with_map;

    fn pages_of_a_configured_origin_may_call(http: Http) {
        let asked = preflight(&http, MAP, "PATCH", "authorization, content-type, if-match, idempotency-key, x-purpose, traceparent");
        asked.expect(200);
        assert_eq!(asked.header("access-control-allow-origin"), MAP);
        assert_eq!(asked.header("access-control-allow-credentials"), "");
        assert_eq!(asked.header("access-control-max-age"), "600");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            assert!(asked.header("access-control-allow-methods").contains(method), "{method}");
        }
        let (_, path) = http.organisation("Enheten", "2026-01-01");
        let read = http.reader().with("origin", MAP).get(&path);
        read.expect(200);
        assert_eq!(read.header("access-control-allow-origin"), MAP);
        assert_eq!(read.header("access-control-allow-credentials"), "");
        assert!(read.header("vary").to_lowercase().contains("origin"), "{}", read.header("vary"));
        let exposed: Vec<&str> = read.header("access-control-expose-headers").split(", ").collect();
        // Whatever the answer carries of its own can be read by the page.
        for name in read.all_headers().keys() {
            let simple = ["cache-control", "content-length", "content-type", "date", "x-content-type-options", "connection"];
            assert!(
                simple.contains(&name.as_str()) || name.starts_with("access-control-") || exposed.contains(&name.as_str()),
                "{name} is not exposed: {exposed:?}"
            );
        }
        assert!(exposed.contains(&"etag") && exposed.contains(&"location"));
        // A refusal can be read as well.
        let refused = http.nobody().with("origin", "http://localhost:5173").get("/tokens");
        refused.problem(401, "unauthenticated");
        assert_eq!(refused.header("access-control-allow-origin"), "http://localhost:5173");
    }

    fn other_origins_methods_and_headers_are_not_let_in(http: Http) {
        for origin in ["https://karta.example.se.evil.example", "http://karta.example.se", "https://evil.example", "null"] {
            let asked = preflight(&http, origin, "GET", "authorization");
            assert_eq!((asked.status, asked.header("access-control-allow-origin")), (400, ""), "{origin}");
            let read = http.reader().with("origin", origin).get("/organisations");
            assert_eq!(read.header("access-control-allow-origin"), "", "{origin}");
        }
        for (method, headers) in [("TRACE", "authorization"), ("GET", "cookie")] {
            let asked = preflight(&http, MAP, method, headers);
            assert_eq!((asked.status, asked.header("access-control-allow-origin")), (400, ""), "{method} {headers}");
        }
        // What is no preflight is answered as ever.
        http.nobody().send("OPTIONS", "/organisations", None).expect(204);
    }
}

on_both! {
    using Http::start;

    fn without_configuration_no_page_of_another_origin_may_call(http: Http) {
        let asked = preflight(&http, MAP, "GET", "authorization");
        assert!(told(&asked).is_empty(), "{:?}", asked.all_headers());
        let read = http.reader().with("origin", MAP).get("/organisations");
        read.expect(200);
        assert!(told(&read).is_empty(), "{:?}", read.all_headers());
    }
}
