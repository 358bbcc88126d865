//! Servers over one database with a clock that tests put forward, and clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grunddata_information_model::InformationModel;
use grunddata_model::{Instant, OwnerKey};
use grunddata_reach::Reach;
use grunddata_registry::{Actor, Grant, Limits, NewOwner, NewToken, OwnerScope, Registry, Role};
use grunddata_server::{Config, Running, Server};
use grunddata_store::{Store, StoreOptions};
use grunddata_testing::{Database, Engine};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::receiver::{Receiver, until};
use crate::answered::Answered;

/// A process: a server with a store of its own.
pub(crate) struct Process {
    running: Option<Running>,
    pub(crate) registry: Registry,
    store: Store,
    _log: tempfile::TempDir,
}

impl Process {
    pub(crate) fn origin(&self) -> String {
        self.running.as_ref().expect("running").origin()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().expect("a clean stop");
        }
        self.store.shutdown();
    }
}

pub(crate) struct World {
    database: Database,
    offset: Arc<AtomicI64>,
    base: i64,
    pub(crate) receiver: Receiver,
    pub(crate) admin: String,
    pub(crate) reader: String,
    client: Client,
    change: fn(&mut Config),
    /// Whether writes stop when the clock jumps.
    bounded: bool,
}

/// The signatures of Standard Webhooks hold for minutes: what checks them asks the clock of the machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the receiver's library asks it too"
)]
fn real_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    i64::try_from(now.as_micros()).expect("now")
}

pub(crate) fn world(engine: Engine) -> World {
    World::new(engine, |_| {})
}

impl World {
    pub(crate) fn new(engine: Engine, change: fn(&mut Config)) -> Self {
        let mut world = Self {
            database: Database::new(engine),
            offset: Arc::default(),
            base: real_now(),
            receiver: Receiver::start(),
            admin: String::new(),
            reader: String::new(),
            client: Client::builder()
                .timeout(Duration::from_secs(60))
                .build()
                .expect("client"),
            change,
            bounded: true,
        };
        let registry = world.registry();
        registry.store().migrate().expect("migrations");
        let context = registry.context(Actor::system("test"), "set-up");
        let key = OwnerKey::new("norrberga").expect("key");
        let owner = NewOwner {
            name: key.to_string(),
            key,
            organisation: None,
            open_data: false,
            protection: None,
        };
        registry.put_owner(&context, owner).expect("owner");
        world.admin = world.token(&registry, "admin", OwnerScope::All, Role::Administrator);
        world.reader = world.token(&registry, "reader", world.norrberga(), Role::Reader);
        registry.store().shutdown();
        world
    }

    /// Whose clock may be put forward by months.
    pub(crate) fn of_any_time(mut self) -> Self {
        self.bounded = false;
        self
    }

    pub(crate) fn engine(&self) -> &'static str {
        match self.database.engine {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        }
    }

    pub(crate) fn norrberga(&self) -> OwnerScope {
        OwnerScope::Owner(OwnerKey::new("norrberga").expect("key"))
    }

    pub(crate) fn token(
        &self,
        registry: &Registry,
        name: &str,
        scope: OwnerScope,
        role: Role,
    ) -> String {
        let context = registry.context(Actor::system("test"), "token");
        let token = NewToken {
            name: name.to_owned(),
            grants: vec![Grant::of(scope, role)],
            feeds_copies: false,
            unit: None,
            expires_at: None,
        };
        registry.mint_token(&context, token).expect("token").secret
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    fn registry(&self) -> Registry {
        let model = InformationModel::embedded().expect("model");
        let (base, offset) = (self.base, Arc::clone(&self.offset));
        let clock: grunddata_store::Clock =
            Arc::new(move || Instant::from_micros(base + offset.load(Ordering::SeqCst)));
        let mut options = StoreOptions::new(self.database.url.as_str(), Arc::clone(&clock));
        if !self.bounded {
            options.clock_jump_limit = None;
        }
        let store = Store::open(options, model.clone()).expect("store");
        Registry::new(store, model, clock, Limits::default())
    }

    /// Puts the clock forward.
    pub(crate) fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a time");
        self.offset.fetch_add(micros, Ordering::SeqCst);
    }

    /// Puts the clock forward by so many seconds, or back.
    pub(crate) fn jump(&self, seconds: i64) {
        self.offset.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) fn process(&self) -> Process {
        let registry = self.registry();
        let log = tempfile::tempdir().expect("directory");
        let mut config = Config {
            access_log: log.path().join("access-log"),
            uploads: log.path().join("uploads"),
            listen: ([127, 0, 0, 1], 0).into(),
            public_address: Some("https://grunddata.example.se".to_owned()),
            workers: Some(1),
            ..Config::default()
        };
        config.limits.refusal_step = Duration::ZERO;
        let sending = &mut config.subscriptions;
        sending.reach = Reach {
            hosts: vec!["127.0.0.1".to_owned()],
            ports: vec![self.receiver.port()],
            networks: vec!["127.0.0.0/8".parse().expect("a network")],
            http: true,
        };
        sending.poll = Duration::from_millis(20);
        // What is to go well may take as long as a busy machine takes: the clock stands still, and what has failed once is not
        // tried again.
        sending.answer = Duration::from_secs(60);
        sending.connect = Duration::from_secs(60);
        (self.change)(&mut config);
        let running = Server::start(config, registry.clone()).expect("server");
        Process {
            running: Some(running),
            store: registry.store().clone(),
            registry,
            _log: log,
        }
    }

    pub(crate) fn ask(
        &self,
        process: &Process,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answered {
        let address = format!("{}/api/v1{path}", process.origin());
        let method = method.parse().expect("a method");
        let mut request = self
            .client
            .request(method, address)
            .bearer_auth(token)
            .header("if-match", "*");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().expect("an answer");
        Answered::of(response)
    }

    /// Subscribes, and waits until it is active. Its id and secret.
    #[track_caller]
    pub(crate) fn subscribe(
        &self,
        process: &Process,
        token: &str,
        path: &str,
        more: Value,
    ) -> (String, String) {
        let made = self.make(process, token, path, more);
        let id = made["id"].as_str().expect("id").to_owned();
        self.wait_for_state(process, &id, "active");
        (id, made["secret"].as_str().expect("secret").to_owned())
    }

    #[track_caller]
    pub(crate) fn make(&self, process: &Process, token: &str, path: &str, more: Value) -> Value {
        let mut body =
            json!({"owner": "norrberga", "name": "Prov", "target": self.receiver.at(path)});
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        self.ask(process, token, "POST", "/subscriptions", Some(body))
            .expect(201)
    }

    #[track_caller]
    pub(crate) fn wait_for_state(&self, process: &Process, id: &str, state: &str) {
        until(&format!("the subscription is {state}"), || {
            self.show(process, id)["state"] == state
        });
    }

    pub(crate) fn show(&self, process: &Process, id: &str) -> Value {
        self.ask(
            process,
            &self.admin,
            "GET",
            &format!("/subscriptions/{id}"),
            None,
        )
        .expect(200)
    }

    pub(crate) fn do_(
        &self,
        process: &Process,
        id: &str,
        what: &str,
        body: Option<Value>,
    ) -> Answered {
        let path = format!("/subscriptions/{id}/{what}");
        self.ask(process, &self.admin, "POST", &path, body)
    }

    pub(crate) fn try_unit(&self, process: &Process, name: &str) -> Answered {
        let body = json!({"owner": "norrberga", "data": {"name": {"sv": name}, "kind": "unit"}, "validFrom": "2026-01-01"});
        self.ask(process, &self.admin, "POST", "/organisations", Some(body))
    }

    pub(crate) fn unit(&self, process: &Process, name: &str) -> String {
        let made = self.try_unit(process, name).expect(201);
        made["id"].as_str().expect("id").to_owned()
    }

    pub(crate) fn person(&self, process: &Process, name: &str, level: Option<&str>) -> String {
        let mut data = json!({"name": {"full": name}});
        if let Some(level) = level {
            data["protection"] = json!({"level": level});
        }
        let body = json!({"owner": "norrberga", "data": data, "validFrom": "2026-01-01"});
        let made = self
            .ask(process, &self.admin, "POST", "/persons", Some(body))
            .expect(201);
        made["id"].as_str().expect("id").to_owned()
    }

    pub(crate) fn rename(&self, process: &Process, id: &str, name: &str) {
        let body =
            json!({"data": {"name": {"sv": name}, "kind": "unit"}, "validFrom": "2026-02-01"});
        let path = format!("/organisations/{id}");
        self.ask(process, &self.admin, "PUT", &path, Some(body))
            .expect(200);
    }

    pub(crate) fn metrics(&self, process: &Process) -> String {
        let address = format!("{}/metrics", process.origin());
        let request = self.client.get(address).bearer_auth(&self.admin);
        request.send().expect("an answer").text().expect("text")
    }
}
