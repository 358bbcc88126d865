//! A target on loopback: keeps what it was sent, and answers as it is told to.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::Value;

/// How it answers to events.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Manner {
    Accepts,
    Answers(u16),
    /// With a header.
    Says(u16, &'static str, String),
    /// It takes so long.
    Waits(Duration),
}

/// What it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
    pub(crate) accepted: bool,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

struct Kept {
    got: Mutex<Vec<Got>>,
    manner: Mutex<Manner>,
    /// What it says to OPTIONS; `None` = nothing.
    agrees: Mutex<Option<&'static str>>,
    /// On paths that begin so it takes this long.
    hangs: Mutex<Option<(&'static str, Duration)>>,
}

pub(crate) struct Receiver {
    kept: Arc<Kept>,
    pub(crate) origin: String,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

async fn answer(request: HttpRequest, body: Bytes, kept: Data<Arc<Kept>>) -> HttpResponse {
    let headers = request.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    });
    let options = request.method() == "OPTIONS";
    let mut manner = kept.manner.lock().expect("manner").clone();
    if let Some((beginning, time)) = *kept.hangs.lock().expect("hangs")
        && request.path().starts_with(beginning)
    {
        manner = Manner::Waits(time);
    }
    let agrees = *kept.agrees.lock().expect("agrees");
    let got = Got {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
        at: Instant::now(),
        accepted: options || manner == Manner::Accepts,
    };
    kept.got.lock().expect("got").push(got);
    if options {
        let mut response = HttpResponse::Ok();
        if let Some(origin) = agrees {
            response.insert_header(("webhook-allowed-origin", origin));
            response.insert_header(("webhook-allowed-rate", "*"));
        }
        return response.finish();
    }
    let status = |status| StatusCode::from_u16(status).expect("status");
    match manner {
        Manner::Accepts => HttpResponse::NoContent().finish(),
        Manner::Answers(code) => HttpResponse::build(status(code)).body("x".repeat(100_000)),
        Manner::Says(code, name, value) => HttpResponse::build(status(code))
            .insert_header((name, value))
            .finish(),
        Manner::Waits(time) => {
            actix_rt::time::sleep(time).await;
            HttpResponse::NoContent().finish()
        }
    }
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("address").port();
        let kept = Arc::new(Kept {
            got: Mutex::default(),
            manner: Mutex::new(Manner::Accepts),
            agrees: Mutex::new(Some("*")),
            hangs: Mutex::default(),
        });
        let (tell, told) = mpsc::channel();
        let data = Arc::clone(&kept);
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(Data::new(Arc::clone(&data)))
                        .default_service(web::to(answer))
                })
                .workers(1)
                .shutdown_timeout(0)
                .disable_signals()
                .listen(listener)
                .expect("listening")
                .run();
                tell.send(server.handle()).expect("told");
                server.await.expect("a server");
            });
        });
        Self {
            kept,
            origin: format!("http://127.0.0.1:{port}"),
            handle: told.recv().expect("a handle"),
            thread: Some(thread),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        let (_, port) = self.origin.rsplit_once(':').expect("a port");
        port.parse().expect("a number")
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.kept.manner.lock().expect("manner") = manner;
    }

    /// On paths that begin so it takes this long.
    pub(crate) fn hang(&self, beginning: &'static str, time: Duration) {
        *self.kept.hangs.lock().expect("hangs") = Some((beginning, time));
    }

    pub(crate) fn agree(&self, origin: Option<&'static str>) {
        *self.kept.agrees.lock().expect("agrees") = origin;
    }

    /// Everything that it was sent on a path.
    pub(crate) fn all(&self, path: &str) -> Vec<Got> {
        let got = self.kept.got.lock().expect("got");
        got.iter().filter(|got| got.path == path).cloned().collect()
    }

    /// The requests with entries of a log that it was sent on a path, those that it refused included.
    pub(crate) fn sent(&self, path: &str) -> Vec<Got> {
        let all = self.all(path).into_iter();
        all.filter(|got| got.method == "POST" && !is_about_itself(got))
            .collect()
    }

    /// The entries that it has accepted there, in order: their types and subjects.
    pub(crate) fn events(&self, path: &str) -> Vec<Value> {
        let accepted = self.sent(path).into_iter().filter(|got| got.accepted);
        accepted.flat_map(|got| events_of(&got)).collect()
    }

    /// Waits for so many entries there, and for no more.
    #[track_caller]
    pub(crate) fn wait_for(&self, path: &str, count: usize) -> Vec<Value> {
        until("the entries come", || self.events(path).len() >= count);
        let events = self.events(path);
        assert_eq!(events.len(), count, "{events:#?}");
        events
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn kind(got: &Got) -> String {
    if got.headers.contains_key("ce-type") {
        return got.header("ce-type").to_owned();
    }
    let body = got.json();
    let first = if body.is_array() { &body[0] } else { &body };
    first["type"].as_str().unwrap_or_default().to_owned()
}

fn is_about_itself(got: &Got) -> bool {
    let kind = kind(got);
    kind.starts_with("se.grunddata.subscription.") || kind.starts_with("se.grunddata.access.")
}

/// The events of a request, in the JSON format.
pub(crate) fn events_of(got: &Got) -> Vec<Value> {
    if got.headers.contains_key("ce-type") {
        let attributes = got
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("ce-")?, value)));
        let mut event: Value = attributes
            .map(|(name, value)| (name.to_owned(), Value::from(value.as_str())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        event["datacontenttype"] = got.header("content-type").into();
        event["data"] = got.json();
        return vec![event];
    }
    match got.json() {
        Value::Array(events) => events,
        event => vec![event],
    }
}

/// Waits for something, for two minutes at most.
#[track_caller]
pub(crate) fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "waited in vain until {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
