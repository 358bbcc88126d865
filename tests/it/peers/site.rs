//! A registry with a server of its own in this process, on a clock that goes on.

use crate::answered::Answered;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant as Stopwatch};

use grunddata_information_model::InformationModel;
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{
    Actor, Context, Grant, Limits, NewOwner, NewToken, OwnerScope, Registry, Role,
};
use grunddata_server::{Config, Running, Server};
use grunddata_store::{Clock, Store, StoreOptions};
use grunddata_testing::{Database, Engine};
use reqwest::blocking::Client;
use serde_json::{Value, json};

/// A registry.
pub(crate) struct Site {
    running: Option<Running>,
    store: Option<Store>,
    pub(crate) registry: Registry,
    client: Client,
    pub(crate) admin: String,
    _directory: tempfile::TempDir,
    /// Where tokens of peers lie: with the database, whichever process follows.
    pub(crate) tokens: Arc<tempfile::TempDir>,
    pub(crate) database: Arc<Database>,
    /// What the store is checked for at the end.
    pub(crate) verified: bool,
}

#[expect(
    clippy::disallowed_methods,
    reason = "these registries run on the clock of the machine"
)]
fn clock() -> Clock {
    Arc::new(|| Instant::from(chrono::Utc::now()))
}

impl Site {
    /// A registry with these owners.
    pub(crate) fn start(engine: Engine, owners: &[&str]) -> Self {
        Self::over(Arc::new(Database::new(engine)), owners, clock(), true)
    }

    /// One whose clock goes wrong by so many seconds.
    pub(crate) fn start_off(engine: Engine, owners: &[&str], seconds: i64) -> Self {
        let right = clock();
        let wrong: Clock =
            Arc::new(move || Instant::from_micros(right().micros() + seconds * 1_000_000));
        Self::over(Arc::new(Database::new(engine)), owners, wrong, true)
    }

    /// One whose clock can be moved by seconds while it runs.
    pub(crate) fn jumping(engine: Engine, off: &Arc<AtomicI64>) -> Self {
        let (right, off) = (clock(), Arc::clone(off));
        let moved: Clock = Arc::new(move || {
            Instant::from_micros(right().micros() + off.load(Ordering::SeqCst) * 1_000_000)
        });
        Self::over(Arc::new(Database::new(engine)), &[], moved, true)
    }

    /// A registry that lets so many wait for changes at once.
    pub(crate) fn with_followers(engine: Engine, owners: &[&str], most: usize) -> Self {
        let tokens = Arc::new(tempfile::tempdir().expect("directory"));
        let model = InformationModel::embedded().expect("model");
        let database = Arc::new(Database::new(engine));
        Self::configured((database, tokens), model, owners, clock(), &|config| {
            config.limits.followers_of_client = most;
        })
    }

    /// Another process on the same database would look like this.
    pub(crate) fn beside(other: &Site) -> Self {
        let (database, tokens) = (Arc::clone(&other.database), Arc::clone(&other.tokens));
        let model = InformationModel::embedded().expect("model");
        let mut site = Self::with((database, tokens), model, &[], clock(), true);
        site.verified = false;
        site
    }

    /// A registry in which nobody follows anything.
    pub(crate) fn quiet(engine: Engine) -> Self {
        Self::over(Arc::new(Database::new(engine)), &[], clock(), false)
    }

    /// A registry that takes no packages of the information model from peers.
    pub(crate) fn without_models(engine: Engine) -> Self {
        let tokens = Arc::new(tempfile::tempdir().expect("directory"));
        let model = InformationModel::embedded().expect("model");
        let database = Arc::new(Database::new(engine));
        Self::configured((database, tokens), model, &[], clock(), &|config| {
            config.peers.models = false;
        })
    }

    fn over(database: Arc<Database>, owners: &[&str], clock: Clock, follows: bool) -> Self {
        let tokens = Arc::new(tempfile::tempdir().expect("directory"));
        let model = InformationModel::embedded().expect("model");
        Self::with((database, tokens), model, owners, clock, follows)
    }

    /// A registry on a database with packages of its own.
    pub(crate) fn with_model(
        database: Arc<Database>,
        tokens: Arc<tempfile::TempDir>,
        model: InformationModel,
        owners: &[&str],
    ) -> Self {
        Self::with((database, tokens), model, owners, clock(), true)
    }

    fn with(
        (database, tokens): (Arc<Database>, Arc<tempfile::TempDir>),
        model: InformationModel,
        owners: &[&str],
        clock: Clock,
        follows: bool,
    ) -> Self {
        Self::configured((database, tokens), model, owners, clock, &|config| {
            if !follows {
                config.peers.poll = Duration::from_secs(3_600);
            }
        })
    }

    fn configured(
        (database, tokens): (Arc<Database>, Arc<tempfile::TempDir>),
        model: InformationModel,
        owners: &[&str],
        clock: Clock,
        configure: &dyn Fn(&mut Config),
    ) -> Self {
        let store = Store::open(
            StoreOptions::new(database.url.as_str(), Arc::clone(&clock)),
            model.clone(),
        )
        .expect("store");
        store.migrate().expect("migrations");
        let registry = Registry::new(store.clone(), model, Arc::clone(&clock), Limits::default());
        let context = Context::new(Actor::system("test"), clock(), "set-up");
        for key in owners {
            let key = OwnerKey::new(key).expect("key");
            let owner = NewOwner {
                name: key.to_string(),
                key,
                organisation: None,
                open_data: false,
                protection: None,
            };
            registry.put_owner(&context, owner).expect("owner");
        }
        let directory = tempfile::tempdir().expect("directory");
        let mut config = Config {
            access_log: directory.path().join("access-log"),
            uploads: directory.path().join("uploads"),
            listen: ([127, 0, 0, 1], 0).into(),
            workers: Some(1),
            heavy_readers: 2,
            lease: Duration::from_secs(2),
            ..Config::default()
        };
        config.limits.failures = None;
        config.limits.rate = None;
        config.peers.http_loopback = true;
        config.peers.poll = Duration::from_millis(50);
        config.peers.backoff = Duration::from_millis(50);
        config.peers.wait = Duration::from_secs(5);
        config.peers.tokens = Some(tokens.path().to_owned());
        config.peers.models = true;
        configure(&mut config);
        let running = Server::start(config, registry.clone()).expect("server");
        let mut site = Self {
            running: Some(running),
            store: Some(store),
            registry,
            client: Client::builder()
                .timeout(Duration::from_secs(60))
                .build()
                .expect("client"),
            admin: String::new(),
            _directory: directory,
            tokens,
            database,
            verified: true,
        };
        site.admin = site.token(vec![Grant::of(OwnerScope::All, Role::Administrator)]);
        site
    }

    pub(crate) fn origin(&self) -> String {
        self.running.as_ref().expect("running").origin()
    }

    pub(crate) fn token(&self, grants: Vec<Grant>) -> String {
        self.token_named("prov", grants)
    }

    pub(crate) fn token_named(&self, name: &str, grants: Vec<Grant>) -> String {
        let token = NewToken {
            name: name.to_owned(),
            grants,
            feeds_copies: false,
            unit: None,
            expires_at: None,
        };
        let context = self.registry.context(Actor::system("test"), "token");
        self.registry
            .mint_token(&context, token)
            .expect("token")
            .secret
    }

    pub(crate) fn add_owner(&self, key: &str) {
        let owner = NewOwner {
            key: OwnerKey::new(key).expect("key"),
            name: key.to_owned(),
            organisation: None,
            open_data: false,
            protection: None,
        };
        let context = Context::new(Actor::system("test"), self.registry.now(), "owner");
        self.registry.put_owner(&context, owner).expect("owner");
    }

    /// Another key in the place of the one that heads are signed with, which that one has not signed.
    pub(crate) fn forge_log_key(&self) {
        self.store().rotate_log_key().expect("a key");
        let _rows = self.database.execute(
            "UPDATE log_key SET endorsed_by = NULL, endorsement = NULL WHERE retired_at IS NULL",
        );
    }

    /// Whom it may follow, and how.
    pub(crate) fn peering(&self) -> grunddata_server::config::Peering {
        grunddata_server::config::Peering {
            http_loopback: true,
            tokens: Some(self.tokens.path().to_owned()),
            ..grunddata_server::config::Peering::default()
        }
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("open")
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answered {
        self.send_with(method, path, body, "*")
    }

    pub(crate) fn send_with(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        if_match: &str,
    ) -> Answered {
        let address = format!("{}/api/v1{path}", self.origin());
        let mut request = self
            .client
            .request(method.parse().expect("method"), address)
            .bearer_auth(&self.admin);
        if !if_match.is_empty() {
            request = request.header("if-match", if_match);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        Answered::of(request.send().expect("an answer"))
    }

    /// What somebody else is shown.
    pub(crate) fn get_as(&self, token: &str, path: &str) -> Answered {
        let address = format!("{}/api/v1{path}", self.origin());
        Answered::of(
            self.client
                .get(address)
                .bearer_auth(token)
                .send()
                .expect("an answer"),
        )
    }

    pub(crate) fn get(&self, path: &str) -> Answered {
        self.send_with("GET", path, None, "")
    }

    /// Creates a record; its id.
    #[track_caller]
    pub(crate) fn create(&self, collection: &str, body: Value) -> String {
        let made = self
            .send_with("POST", &format!("/{collection}"), Some(body), "")
            .expect(201);
        made["id"].as_str().expect("id").to_owned()
    }

    #[track_caller]
    pub(crate) fn unit(&self, owner: &str, name: &str) -> String {
        self.create(
            "organisations",
            json!({"owner": owner, "data": {"name": {"sv": name}, "kind": "unit"}, "validFrom": "2026-01-01"}),
        )
    }

    #[track_caller]
    pub(crate) fn rename(&self, id: &str, name: &str) {
        let patch = json!({"patch": {"name": {"sv": name}}, "validFrom": "2026-02-01", "reason": "nytt namn"});
        self.send(
            "POST",
            &format!("/organisations/{id}/amendments"),
            Some(patch),
        )
        .expect(200);
    }

    /// Follows an owner of another registry with this token.
    #[track_caller]
    pub(crate) fn follow(
        &self,
        name: &str,
        other: &Site,
        owner: &str,
        token: &str,
        more: Value,
    ) -> Answered {
        std::fs::write(self.tokens.path().join(format!("{name}.token")), token).expect("a token");
        let mut settings =
            json!({"url": other.origin(), "owner": owner, "tokenFile": format!("{name}.token")});
        for (key, value) in more.as_object().into_iter().flatten() {
            settings[key] = value.clone();
        }
        self.send_with(
            "PUT",
            &format!("/peers/{name}"),
            Some(json!({"settings": settings})),
            "",
        )
    }

    /// What is believed of a peer.
    pub(crate) fn peer(&self, name: &str) -> Value {
        self.get(&format!("/peers/{name}")).expect(200)
    }

    /// Waits until the copy is as far as its origin.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, other: &Site, owner: &str) {
        let position = || {
            let key = OwnerKey::new(owner).expect("key");
            let owners = other.store().owners().expect("owners");
            owners
                .iter()
                .find(|row| row.key == key)
                .map(|row| row.position)
        };
        self.wait(name, |state| {
            state["whole"] == true && state["position"].as_u64() == position()
        });
    }

    /// Waits until a peer stands like that.
    #[track_caller]
    pub(crate) fn wait(&self, name: &str, is: impl Fn(&Value) -> bool) {
        let begun = Stopwatch::now();
        loop {
            let peer = self.peer(name);
            if is(&peer["state"]) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "{peer:#}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops the server and closes the database; whatever ran is broken off where it is.
    pub(crate) fn close(mut self) -> Arc<Database> {
        self.verified = false;
        Arc::clone(&self.database)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().expect("a clean stop");
        }
        let store = self.store.take().expect("open");
        if !std::thread::panicking() && self.verified {
            let findings = store.verify(&mut |_| {}).expect("verify");
            assert!(findings.is_empty(), "{findings:?}");
        }
        store.shutdown();
    }
}
