//! A registry over a database of its own, with a clock that the test moves. At the end of every test everything that is
//! stored is verified.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, Instant, OwnerKey, RecordId, ValidFrom, ValidTo};
use grunddata_registry::{
    Actor, Amend, At, Code, Command, Content, Context, ControllerScope, Create, End, Envelope,
    From, Got, Grant, IfMatch, KnownAt, Limits, NewOwner, Operation, OwnerScope, Patch, Record,
    Refusal, Registry, Replace, Retract, Revert, Revive, Role, Subject, Transaction,
    TransactionWritten, Written,
};
use grunddata_store::{Clock, Store, StoreOptions};
use grunddata_testing::{Database, Engine};
use serde_json::{Value, json};

/// The registry under test.
pub(crate) struct Stack {
    pub(crate) registry: Registry,
    clock: Arc<AtomicI64>,
    runtime: tokio::runtime::Runtime,
    database: Option<Database>,
}

/// The model is compiled once for all tests of the binary.
pub(crate) fn model() -> InformationModel {
    static MODEL: OnceLock<InformationModel> = OnceLock::new();
    MODEL
        .get_or_init(|| InformationModel::embedded().unwrap())
        .clone()
}

fn options(url: &str, clock: Clock) -> StoreOptions {
    StoreOptions {
        clock_jump_limit: Some(chrono::Duration::days(3_650)),
        ..StoreOptions::new(url, clock)
    }
}

/// A migrated registry with the owners `a` and `b`; it is 2026-03-01 10:00 in Sweden.
pub(crate) fn stack(engine: Engine) -> Stack {
    let start: Instant = "2026-03-01T09:00:00Z".parse().unwrap();
    let micros = Arc::new(AtomicI64::new(start.micros()));
    let shared = Arc::clone(&micros);
    let clock: Clock = Arc::new(move || Instant::from_micros(shared.load(Ordering::SeqCst)));
    let template_clock = Arc::clone(&clock);
    let database = Database::from_template(engine, "registry", |url| {
        let store = Store::open(options(url, template_clock), model()).unwrap();
        store.migrate().unwrap();
        store.shutdown();
    });
    let stack = over(database, micros);
    for key in ["a", "b"] {
        let owner = NewOwner {
            key: OwnerKey::new(key).unwrap(),
            name: format!("Owner {key}"),
            organisation: None,
            open_data: key == "a",
            protection: None,
        };
        stack.registry.put_owner(&stack.system(), owner).unwrap();
    }
    stack
}

/// A registry over a database that is there, with a clock that is shared.
fn over(database: Database, micros: Arc<AtomicI64>) -> Stack {
    let shared = Arc::clone(&micros);
    let clock: Clock = Arc::new(move || Instant::from_micros(shared.load(Ordering::SeqCst)));
    let store = Store::open(options(&database.url, Arc::clone(&clock)), model()).unwrap();
    Stack {
        registry: Registry::new(store, model(), clock, Limits::default()),
        clock: micros,
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap(),
        database: Some(database),
    }
}

impl Stack {
    /// On which engine it is.
    pub(crate) fn engine(&self) -> Engine {
        self.database.as_ref().unwrap().engine
    }

    /// An empty registry on an engine, with the same clock.
    pub(crate) fn empty(&self, engine: Engine) -> Stack {
        let now = self.now();
        let database = Database::from_template(engine, "empty", |url| {
            let store = Store::open(options(url, Arc::new(move || now)), model()).unwrap();
            store.migrate().unwrap();
            store.shutdown();
        });
        over(database, Arc::clone(&self.clock))
    }

    /// The other engine.
    pub(crate) fn other_engine(&self) -> Engine {
        match self.engine() {
            Engine::Sqlite => Engine::Postgres,
            Engine::Postgres => Engine::Sqlite,
        }
    }

    /// An empty registry on the other engine.
    pub(crate) fn other(&self) -> Stack {
        self.empty(self.other_engine())
    }

    /// This registry, and one over a copy of its database as it is now.
    pub(crate) fn with_copy(mut self) -> (Stack, Stack) {
        let database = self.database.take().unwrap();
        let clock = Arc::clone(&self.clock);
        self.registry.store().shutdown();
        drop(self);
        let copy = database.copy();
        (over(database, Arc::clone(&clock)), over(copy, clock))
    }

    /// The same database, opened anew as after the process was ended.
    pub(crate) fn reopened(mut self) -> Stack {
        let database = self.database.take().unwrap();
        let clock = Arc::clone(&self.clock);
        self.registry.store().shutdown();
        drop(self);
        over(database, clock)
    }

    /// Its database.
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    /// What the files of an embedded database hold, once everything is written; nothing of other engines.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        let database = self.database.take().unwrap();
        self.registry.store().shutdown();
        drop(self);
        match database.engine {
            Engine::Sqlite => std::fs::read(&database.url).unwrap(),
            Engine::Postgres => Vec::new(),
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // One whose database was taken has been closed.
        if std::thread::panicking() || self.database.is_none() {
            return;
        }
        let findings = self.registry.store().verify(&mut |_| {}).unwrap();
        self.registry.store().shutdown();
        assert!(
            findings.is_empty(),
            "{}",
            findings
                .iter()
                .map(|f| format!("{f}\n"))
                .collect::<String>()
        );
    }
}

pub(crate) fn owner(key: &str) -> OwnerKey {
    OwnerKey::new(key).unwrap()
}

pub(crate) fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

/// A bound: a date, or `unknown`.
pub(crate) fn from(text: &str) -> Option<ValidFrom> {
    Some(text.parse().unwrap())
}

/// A bound: a date, or `open`.
pub(crate) fn to(text: &str) -> Option<ValidTo> {
    Some(text.parse().unwrap())
}

pub(crate) fn content(data: Value) -> Content {
    Content { data, model: None }
}

pub(crate) fn organisation(name: &str, kind: &str) -> Value {
    json!({"name": {"sv": name}, "kind": kind})
}

pub(crate) fn unit(name: &str, parent: RecordId) -> Value {
    json!({"name": {"sv": name}, "kind": "unit", "parent": {"id": parent.to_string()}})
}

pub(crate) fn person(name: &str) -> Value {
    json!({"name": {"full": name}})
}

pub(crate) fn role(person: RecordId, organisation: RecordId) -> Value {
    json!({
        "kind": "employment",
        "person": {"id": person.to_string()},
        "organisation": {"id": organisation.to_string()},
    })
}

/// A first version from a day on, in the owner `a`.
pub(crate) fn create(domain: Domain, data: Value, valid_from: &str) -> Command {
    let create = Create {
        id: None,
        temporary_id: None,
        envelope: Envelope {
            owner: Some(owner("a")),
            ..Envelope::default()
        },
        content: content(data),
        valid_from: from(valid_from),
        valid_to: None,
        matching: None,
    };
    Command::new(domain, Operation::Create(create))
}

/// Changes the create inside a command.
pub(crate) fn created(mut command: Command, change: impl FnOnce(&mut Create)) -> Command {
    if let Operation::Create(create) = &mut command.operation {
        change(create);
    }
    command
}

pub(crate) fn replace(domain: Domain, id: RecordId, data: Value, valid_from: &str) -> Command {
    let replace = Replace {
        subject: Subject::Id(id),
        envelope: Envelope::default(),
        content: content(data),
        valid_from: Some(From::At(valid_from.parse().unwrap())),
        valid_to: None,
        overwrite_planned: false,
    };
    Command::new(domain, Operation::Replace(replace)).if_match(IfMatch::Any)
}

/// Changes the replace inside a command.
pub(crate) fn replaced(mut command: Command, change: impl FnOnce(&mut Replace)) -> Command {
    if let Operation::Replace(replace) = &mut command.operation {
        change(replace);
    }
    command
}

pub(crate) fn amend(
    domain: Domain,
    id: RecordId,
    patch: Value,
    valid_from: &str,
    valid_to: Option<&str>,
) -> Command {
    let patch = if patch.is_array() {
        Patch::json(patch)
    } else {
        Patch::merge(patch)
    };
    let amend = Amend {
        subject: Subject::Id(id),
        patch: patch.unwrap(),
        valid_from: Some(From::At(valid_from.parse().unwrap())),
        valid_to: valid_to.map(|text| text.parse().unwrap()),
    };
    Command::new(domain, Operation::Amend(amend)).if_match(IfMatch::Any)
}

pub(crate) fn end(
    domain: Domain,
    id: RecordId,
    valid_from: &str,
    valid_to: Option<&str>,
) -> Command {
    let end = End {
        subject: Subject::Id(id),
        valid_from: Some(From::At(valid_from.parse().unwrap())),
        valid_to: valid_to.map(|text| text.parse().unwrap()),
    };
    Command::new(domain, Operation::End(end)).if_match(IfMatch::Any)
}

pub(crate) fn revive(domain: Domain, id: RecordId, data: Value, valid_from: &str) -> Command {
    let revive = Revive {
        subject: Subject::Id(id),
        content: content(data),
        valid_from: valid_from.parse().unwrap(),
        valid_to: None,
    };
    Command::new(domain, Operation::Revive(revive)).if_match(IfMatch::Any)
}

pub(crate) fn retract(domain: Domain, id: RecordId, bounds: Option<(&str, &str)>) -> Command {
    let retract = Retract {
        subject: Subject::Id(id),
        valid_from: bounds.map(|(from, _)| From::At(from.parse().unwrap())),
        valid_to: bounds.map(|(_, to)| to.parse().unwrap()),
    };
    Command::new(domain, Operation::Retract(retract)).if_match(IfMatch::Any)
}

pub(crate) fn revert(domain: Domain, id: RecordId, version: u32) -> Command {
    let revert = Revert {
        subject: Subject::Id(id),
        version,
    };
    Command::new(domain, Operation::Revert(revert)).if_match(IfMatch::Any)
}

impl Stack {
    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(self.clock.load(Ordering::SeqCst))
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// The registry's own work: everything, in every owner.
    pub(crate) fn system(&self) -> Context {
        self.registry.context(Actor::system("test"), "test")
    }

    /// An actor with one right.
    pub(crate) fn as_actor(&self, key: &str, role: Role) -> Context {
        self.with_grants(
            &format!("{key}-{}", role.as_str()),
            vec![Grant::of(OwnerScope::Owner(owner(key)), role)],
        )
    }

    /// An actor with the role for every owner: from outside each of them.
    pub(crate) fn outsider(&self, role: Role) -> Context {
        let grants = vec![Grant::of(OwnerScope::All, role)];
        self.with_grants(&format!("outsider-{}", role.as_str()), grants)
    }

    /// An actor that works for owner `a`, for a controller of which there is no record.
    pub(crate) fn stranger(&self, role: Role) -> Context {
        let nobody = "01990c3e-0000-7000-8000-00000000fffe".parse().unwrap();
        let grant = Grant {
            controller: ControllerScope::Organisation(nobody),
            ..Grant::of(OwnerScope::Owner(owner("a")), role)
        };
        self.with_grants("stranger", vec![grant])
    }

    /// An actor with these rights.
    pub(crate) fn with_grants(&self, name: &str, grants: Vec<Grant>) -> Context {
        let actor = Actor {
            name: name.to_owned(),
            client: name.to_owned(),
            grants: grants.into(),
            feeds_copies: false,
            unit: None,
            expires_at: None,
        };
        self.registry.context(actor, "test")
    }

    pub(crate) fn anonymous(&self) -> Context {
        self.registry.context(Actor::anonymous(), "test")
    }

    pub(crate) fn write_as(&self, context: &Context, command: Command) -> Result<Written, Refusal> {
        self.runtime
            .block_on(self.registry.write(context, command, None))
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn write(&self, command: Command) -> Result<Written, Refusal> {
        // Each write has an instant of its own that a test can name.
        self.pass(1);
        self.write_as(&self.system(), command)
    }

    /// Writes and gives the id.
    pub(crate) fn id(&self, command: Command) -> RecordId {
        self.write(command)
            .unwrap_or_else(|refusal| panic!("{refusal}"))
            .id
    }

    pub(crate) fn refused(&self, command: Command) -> Refusal {
        let before = self.fingerprint();
        let refusal = self.write(command).expect_err("this should be refused");
        assert!(!refusal.detail.is_empty());
        assert_eq!(
            self.fingerprint(),
            before,
            "a refused write leaves nothing behind"
        );
        refusal
    }

    /// How far the logs are.
    fn fingerprint(&self) -> Vec<(String, Option<u64>)> {
        let owners = self.registry.owners(&self.system()).unwrap();
        owners
            .into_iter()
            .map(|owner| (owner.key.to_string(), owner.position))
            .collect()
    }

    pub(crate) fn transact(&self, commands: Vec<Command>) -> Result<TransactionWritten, Refusal> {
        self.pass(1);
        let transaction = Transaction {
            owner: Some(owner("a")),
            commands,
        };
        self.block_on(self.registry.transact(&self.system(), transaction, None))
    }

    pub(crate) fn get_as(
        &self,
        context: &Context,
        id: RecordId,
        at: &At,
    ) -> Result<Record, Refusal> {
        match self.registry.get(context, None, id, at, None)? {
            Got::Found(found) => Ok(found.record),
            Got::Merged { .. } => panic!("merged"),
            Got::Moved { into, .. } => Err(Refusal::new(
                Code::Transferred,
                format!("handed over: {into}"),
            )
            .fact("forwardTo", into.to_string())),
        }
    }

    /// The data on a day, with everything known.
    pub(crate) fn data(&self, id: RecordId, valid_at: &str) -> Result<Value, Code> {
        self.get_as(&self.system(), id, &At::on(day(valid_at)))
            .map(|record| serde_json::from_str(&record.data).unwrap())
            .map_err(|refusal| refusal.code)
    }

    /// The data on a day as known at an instant.
    pub(crate) fn data_known(
        &self,
        id: RecordId,
        valid_at: &str,
        known_at: Instant,
    ) -> Result<Value, Code> {
        let at = At {
            valid_at: day(valid_at),
            known: KnownAt::Instant(known_at),
        };
        self.get_as(&self.system(), id, &at)
            .map(|record| serde_json::from_str(&record.data).unwrap())
            .map_err(|refusal| refusal.code)
    }

    /// The periods and names of a record's states: `2026-01-01 → open Name`.
    pub(crate) fn states(&self, id: RecordId) -> Vec<String> {
        let view = self
            .registry
            .timeline(&self.system(), None, id, &At::now(&self.system()))
            .unwrap();
        view.items
            .iter()
            .map(|item| {
                let data: Value = serde_json::from_str(&item.data).unwrap();
                let name = data["name"]["sv"]
                    .as_str()
                    .or(data["name"]["full"].as_str())
                    .unwrap_or("-");
                let bound = |date: Option<chrono::NaiveDate>| {
                    date.map_or("open".to_owned(), |date| date.to_string())
                };
                format!(
                    "{} → {} {name}",
                    bound(item.period.valid_from()),
                    bound(item.period.valid_to())
                )
            })
            .collect()
    }
}
