//! A server in this process over a database of its own, and clients with different tokens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use grunddata_information_model::InformationModel;
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{
    Actor, Context, Grant, Limits, NewOwner, NewToken, OwnerScope, Registry, Role,
};
use grunddata_server::{Config, Running, Server};
use grunddata_store::{Store, StoreOptions};
use grunddata_testing::{Database, Engine};
use reqwest::blocking::{Client, RequestBuilder};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::log_watch;

/// The day on which every test runs.
pub(crate) const TODAY: &str = "2026-11-21";

/// The server. When it is dropped, the whole database is verified, and that no number of a person stands in the log.
pub(crate) struct Http {
    running: Option<Running>,
    store: Store,
    pub(crate) registry: Registry,
    client: Client,
    tokens: BTreeMap<&'static str, String>,
    /// Where the access log lies, and what comes and goes.
    log: tempfile::TempDir,
    database: Database,
}

/// A client on the way to its request.
pub(crate) struct Caller<'a> {
    http: &'a Http,
    token: Option<&'a str>,
    headers: Vec<(String, String)>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) bytes: Vec<u8>,
    pub(crate) text: String,
    pub(crate) json: Value,
    headers: BTreeMap<String, String>,
}

/// The instant at which all these tests happen.
pub(crate) fn noon() -> Instant {
    format!("{TODAY}T11:00:00Z").parse().expect("instant")
}

impl Http {
    /// What is written of the access log from now on has nowhere to go.
    pub(crate) fn stop_logging(&self) {
        self.running.as_ref().expect("running").stop_logging();
    }

    /// Two owners: `norrberga`, whose data is closed, and `oppen`, whose data is open.
    pub(crate) fn start(engine: Engine) -> Self {
        Self::start_with(engine, |_| {})
    }

    pub(crate) fn start_with(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        log_watch::begin();
        let database = Database::new(engine);
        let model = InformationModel::embedded().expect("model");
        let noon = noon();
        let clock: grunddata_store::Clock = Arc::new(move || noon);
        let store = Store::open(
            StoreOptions::new(database.url.as_str(), Arc::clone(&clock)),
            model.clone(),
        )
        .expect("store");
        store.migrate().expect("migrations");
        let registry = Registry::new(store.clone(), model, clock, Limits::default());
        let context = Context::new(Actor::system("test"), noon, "set-up");
        for (key, open_data) in [("norrberga", false), ("oppen", true)] {
            let key = OwnerKey::new(key).expect("key");
            let owner = NewOwner {
                name: key.to_string(),
                key,
                organisation: None,
                open_data,
                protection: None,
            };
            registry.put_owner(&context, owner).expect("owner");
        }
        let of = |key: &str| OwnerScope::Owner(OwnerKey::new(key).expect("key"));
        let tokens = [
            ("admin", OwnerScope::All, Role::Administrator),
            ("owner-admin", of("norrberga"), Role::Administrator),
            ("writer", of("norrberga"), Role::Editor),
            ("steward", of("norrberga"), Role::Steward),
            ("reader", of("norrberga"), Role::Reader),
            ("open-writer", of("oppen"), Role::Editor),
        ]
        .into_iter()
        .map(|(name, scope, role)| {
            let token = NewToken {
                name: name.to_owned(),
                grants: vec![Grant::of(scope, role)],
                feeds_copies: false,
                unit: None,
                expires_at: None,
            };
            (
                name,
                registry.mint_token(&context, token).expect("token").secret,
            )
        })
        .collect();
        let log = tempfile::tempdir().expect("directory");
        let mut config = Config {
            access_log: log.path().join("access-log"),
            uploads: log.path().join("uploads"),
            listen: ([127, 0, 0, 1], 0).into(),
            workers: Some(1),
            heavy_readers: 1,
            ..Config::default()
        };
        // Thousands of refusals are asked for; one test waits for them.
        config.limits.refusal_step = Duration::ZERO;
        change(&mut config);
        let running = Server::start(config, registry.clone()).expect("server");
        let client = Client::builder()
            .redirect(Policy::none())
            .no_gzip()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("client");
        Self {
            running: Some(running),
            store,
            registry,
            client,
            tokens,
            log,
            database,
        }
    }

    pub(crate) fn origin(&self) -> String {
        self.running.as_ref().expect("running").origin()
    }

    /// Who sends no token.
    pub(crate) fn nobody(&self) -> Caller<'_> {
        Caller {
            http: self,
            token: None,
            headers: Vec::new(),
        }
    }

    /// Who holds the token of that name.
    pub(crate) fn as_(&self, name: &str) -> Caller<'_> {
        Caller {
            http: self,
            token: Some(self.tokens.get(name).expect("token")),
            headers: Vec::new(),
        }
    }

    /// A new token with these rights.
    pub(crate) fn token_of(&self, name: &str, grants: Vec<Grant>) -> String {
        let token = NewToken {
            name: name.to_owned(),
            grants,
            feeds_copies: false,
            unit: None,
            expires_at: None,
        };
        let context = self.registry.context(Actor::system("test"), "token");
        let minted = self.registry.mint_token(&context, token).expect("token");
        minted.secret
    }

    /// Who holds this token.
    pub(crate) fn with_token<'a>(&'a self, token: &'a str) -> Caller<'a> {
        Caller {
            http: self,
            token: Some(token),
            headers: Vec::new(),
        }
    }

    pub(crate) fn reader(&self) -> Caller<'_> {
        self.as_("reader")
    }

    pub(crate) fn writer(&self) -> Caller<'_> {
        self.as_("writer")
    }

    pub(crate) fn admin(&self) -> Caller<'_> {
        self.as_("admin")
    }

    /// Creates a unit; gives its id and its path below the API root.
    pub(crate) fn organisation(&self, name: &str, valid_from: &str) -> (String, String) {
        let created = self.writer().post(
            "/organisations",
            json!({"data": {"name": {"sv": name}, "kind": "unit"}, "validFrom": valid_from}),
        );
        created.expect(201);
        let id = created.json["id"].as_str().expect("id").to_owned();
        let path = format!("/organisations/{id}");
        (id, path)
    }

    /// As a restore from a backup does; the new epoch.
    pub(crate) fn begin_epoch(&self, owner: &str) -> u64 {
        let owner = OwnerKey::new(owner).expect("key");
        self.store.begin_epoch(&owner).expect("an epoch").epoch
    }

    /// For the program itself beside the server.
    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    /// What lies in the directory of files that come and go.
    pub(crate) fn left_aside(&self) -> Vec<String> {
        std::fs::read_dir(self.log.path().join("uploads"))
            .expect("the directory")
            .map(|file| {
                file.expect("a file")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
    }

    /// The position of every owner's log: what no refused request may change.
    pub(crate) fn positions(&self) -> Vec<(String, u64)> {
        self.store
            .owners()
            .expect("owners")
            .into_iter()
            .map(|owner| (owner.key.to_string(), owner.position))
            .collect()
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().expect("a clean stop");
        }
        if !std::thread::panicking() {
            log_watch::check();
            let findings = self.store.verify(&mut |_| {}).expect("verify");
            assert!(findings.is_empty(), "{findings:?}");
        }
        self.store.shutdown();
    }
}

impl Caller<'_> {
    /// With a header.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn get(self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    pub(crate) fn post(self, path: &str, body: Value) -> Answer {
        self.with("content-type", "application/json")
            .send("POST", path, Some(body.to_string()))
    }

    pub(crate) fn delete(self, path: &str) -> Answer {
        self.send("DELETE", path, None)
    }

    pub(crate) fn put(self, path: &str, body: Value) -> Answer {
        self.with("content-type", "application/json")
            .send("PUT", path, Some(body.to_string()))
    }

    /// A GET outside the API root.
    pub(crate) fn at_root(self, path: &str) -> Answer {
        let address = format!("{}{path}", self.http.origin());
        self.request("GET", &address, None)
    }

    /// Any method on a path below the API root.
    pub(crate) fn send(self, method: &str, path: &str, body: Option<String>) -> Answer {
        let address = format!("{}/api/v1{path}", self.http.origin());
        self.request(method, &address, body.map(String::into_bytes))
    }

    /// Any method on any address, with any bytes.
    pub(crate) fn request(self, method: &str, address: &str, body: Option<Vec<u8>>) -> Answer {
        let mut request: RequestBuilder = self
            .http
            .client
            .request(method.parse().expect("method"), address);
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().expect("an answer");
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let bytes = response.bytes().expect("a body").to_vec();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer {
            status,
            bytes,
            text,
            json,
            headers,
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn all_headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// Fails with the whole answer when the status is another.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.text);
    }

    /// A problem of the type `code`, with everything that every problem must have, its cure included.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.json["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json["status"], status);
        let kind = self.json["type"].as_str().expect("type");
        assert!(
            kind.starts_with("http") && kind.ends_with(&format!("/api/v1/problems/{code}")),
            "{kind}"
        );
        assert!(
            self.json["instance"]
                .as_str()
                .is_some_and(|instance| instance.starts_with("urn:uuid:"))
        );
        assert!(
            self.json["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        let detail = self.json["detail"].as_str().expect("detail");
        // What to do: more than the bare statement that something is wrong.
        assert!(detail.split_whitespace().count() >= 5, "no cure: {detail}");
    }
}
