//! A store of its own for each test, with a clock that the test sets, and short ways to write.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use chrono::NaiveDate;
use grunddata_information_model::{InformationModel, Resolved};
use grunddata_model::{
    Domain, Instant, OwnerKey, Period, RecordId, State, Timeline, TransactionId,
};
use grunddata_store::{
    ChangeKind, ControllerSet, Coordinate, Erased, Erasure, Forms, Known, Lookup, Needs, NewOwner,
    Operation, OwnerSet, RecordStatus, StagedWrite, Store, StoreError, StoreOptions, Visibility,
    VisibilityRule, WriteError, WriteTx,
};
use grunddata_testing::{Database, Engine};
use serde_json::{Value, json};

pub(crate) fn model() -> InformationModel {
    static MODEL: OnceLock<InformationModel> = OnceLock::new();
    MODEL
        .get_or_init(|| InformationModel::embedded().unwrap())
        .clone()
}

/// What readers of these owners and classes see, persons under protection whole or not at all.
pub(crate) fn seen_by(owners: OwnerSet, classes: u8, protected: bool) -> Visibility {
    Visibility {
        rules: vec![VisibilityRule {
            owners,
            controllers: ControllerSet::All,
            domains: Domain::ALL
                .into_iter()
                .filter(|domain| model().is_open_to(*domain, classes))
                .collect(),
            classes,
            forms: if protected {
                Forms::FULL
            } else {
                Forms::HIDDEN
            },
        }],
    }
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn since(from: &str) -> Period {
    Period::since(day(from)).unwrap()
}

pub(crate) fn between(from: &str, to: &str) -> Period {
    Period::new(day(from), day(to)).unwrap()
}

pub(crate) fn timeline(states: impl IntoIterator<Item = (Period, Resolved)>) -> Timeline<Resolved> {
    Timeline::new(
        states
            .into_iter()
            .map(|(period, value)| State::new(period, value)),
    )
    .unwrap()
}

pub(crate) fn resolved(domain: Domain, data: Value) -> Resolved {
    let validated = model().validate(domain, None, data).unwrap();
    validated
        .resolve(&mut |reference| match reference.target {
            grunddata_information_model::Target::Id(id) => Some(id),
            _ => None,
        })
        .unwrap()
}

/// An organisation with an optional parent.
pub(crate) fn unit(name: &str, parent: Option<RecordId>) -> Resolved {
    let mut data = json!({"name": {"sv": name}, "kind": "unit"});
    if let Some(parent) = parent {
        data["parent"] = json!({"id": parent.to_string()});
    }
    resolved(Domain::Organisation, data)
}

/// An organisation with a number of an internal source.
pub(crate) fn numbered(name: &str, number: &str) -> Resolved {
    let identifiers = json!([{"scheme": "source:ekonomi", "value": number}]);
    let data = json!({"name": {"sv": name}, "kind": "unit", "identifiers": identifiers});
    resolved(Domain::Organisation, data)
}

pub(crate) fn person(given: &str, family: &str, protected: bool) -> Resolved {
    let mut data = json!({"name": {"given": [given], "family": family}});
    if protected {
        data["protection"] = json!({"level": "protected-registration"});
    }
    resolved(Domain::Person, data)
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) owner: OwnerKey,
    micros: Arc<AtomicI64>,
    database: Database,
}

/// A migrated store with the owner `se-2480`, on 2026-01-01.
pub(crate) fn world(engine: Engine) -> World {
    open(engine, |options| options)
}

pub(crate) fn open(engine: Engine, change: impl FnOnce(StoreOptions) -> StoreOptions) -> World {
    let start: Instant = "2026-01-01T08:00:00Z".parse().unwrap();
    let database = Database::from_template(engine, "store", |url| {
        let store = Store::open(StoreOptions::new(url, Arc::new(move || start)), model()).unwrap();
        store.migrate().unwrap();
        store.shutdown();
    });
    let micros = Arc::new(AtomicI64::new(start.micros()));
    let clock = Arc::clone(&micros);
    let clock = Arc::new(move || Instant::from_micros(clock.load(Ordering::SeqCst)));
    let options = change(StoreOptions {
        clock_jump_limit: None,
        ..StoreOptions::new(database.url.as_str(), clock)
    });
    let store = Store::open(options, model()).unwrap();
    let owner = OwnerKey::new("se-2480").unwrap();
    let world = World {
        store,
        owner,
        micros,
        database,
    };
    world.add_owner("se-2480");
    world
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let findings = self.store.verify(&mut |_| {}).unwrap();
            assert!(findings.is_empty(), "{findings:#?}");
        }
        self.store.shutdown();
    }
}

/// A new id at every call, in order.
pub(crate) fn new_id() -> RecordId {
    static LAST: AtomicI64 = AtomicI64::new(1_700_000_000_000_000);
    RecordId::mint(Instant::from_micros(
        LAST.fetch_add(1_000, Ordering::SeqCst),
    ))
}

pub(crate) fn everything() -> Visibility {
    Visibility::everything()
}

pub(crate) fn latest(valid_at: &str) -> Coordinate {
    Coordinate {
        valid_at: day(valid_at),
        known: Known::latest(),
    }
}

/// A staged write with everything that most tests do not care for.
pub(crate) fn staged(
    id: RecordId,
    before: Timeline<Resolved>,
    after: Timeline<Resolved>,
) -> StagedWrite {
    let domain = before
        .states()
        .first()
        .or(after.states().first())
        .unwrap()
        .value
        .domain();
    let create = before.is_empty();
    let retracted = after.is_empty();
    StagedWrite {
        id,
        domain,
        fresh: false,
        controller: None,
        origin: None,
        transaction: TransactionId(new_id().uuid()),
        operation: if create {
            Operation::Create
        } else {
            Operation::Replace
        },
        change_kind: ChangeKind::Change,
        corrects: None,
        actor: "test".into(),
        reason: None,
        source: None,
        touched: Period::ALWAYS,
        before,
        after,
        status: if retracted {
            RecordStatus::Retracted
        } else {
            RecordStatus::Current
        },
        forward_to: None,
    }
}

/// Stages a timeline over whatever is believed.
pub(crate) fn put(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    after: Timeline<Resolved>,
) -> Result<u32, StoreError> {
    let before = tx
        .record(id)?
        .map(|image| image.timeline.clone())
        .unwrap_or_default();
    let mut write = staged(id, before, after);
    // One job, one transaction.
    if let Some(first) = tx.staged().next() {
        write.transaction = first.transaction;
    }
    tx.stage(write)
}

impl World {
    pub(crate) fn url(&self) -> &str {
        &self.database.url
    }

    /// A statement past the store, as somebody would who tampers with the database.
    pub(crate) fn execute(&self, statement: &str) -> usize {
        self.database.execute(statement)
    }

    /// Erases the records in one transaction, with the decision `Beslut 17/2026`, and moves the clock on.
    pub(crate) fn erase(&self, records: &[RecordId]) -> Result<Erased, WriteError<StoreError>> {
        self.tick();
        let erasure = Erasure {
            records: records.to_vec(),
            transaction: TransactionId(new_id().uuid()),
            actor: "arkivarie".into(),
            reason: "Beslut 17/2026".into(),
        };
        self.job(move |tx| tx.erase(&erasure))
    }

    pub(crate) fn add_owner(&self, key: &str) -> OwnerKey {
        let owner = NewOwner {
            key: OwnerKey::new(key).unwrap(),
            name: key.to_owned(),
            organisation: None,
            open_data: true,
            protection_policy: None,
        };
        self.store.put_owner(&owner).unwrap().key
    }

    /// Moves the clock on by a minute; what it says then.
    pub(crate) fn tick(&self) -> Instant {
        Instant::from_micros(self.micros.fetch_add(60_000_000, Ordering::SeqCst) + 60_000_000)
    }

    pub(crate) fn set_clock(&self, instant: &str) {
        let instant: Instant = instant.parse().unwrap();
        self.micros.store(instant.micros(), Ordering::SeqCst);
    }

    pub(crate) fn job<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, WriteError<StoreError>> {
        self.store
            .write_blocking(&self.owner, Needs::default(), run)
    }

    /// Makes the timeline that of the record, and moves the clock on.
    pub(crate) fn set(&self, id: RecordId, after: Timeline<Resolved>) -> u32 {
        self.tick();
        self.job(move |tx| put(tx, id, after.clone())).unwrap()
    }

    pub(crate) fn set_of(&self, owner: &OwnerKey, id: RecordId, after: Timeline<Resolved>) -> u32 {
        self.tick();
        let needs = Needs::default();
        self.store
            .write_blocking(owner, needs, move |tx| put(tx, id, after.clone()))
            .unwrap()
    }

    /// A new record with one open state.
    pub(crate) fn create(&self, value: Resolved) -> RecordId {
        let id = new_id();
        self.set(id, timeline([(since("2020-01-01"), value)]));
        id
    }

    pub(crate) fn find(
        &self,
        id: RecordId,
        valid_at: &str,
        known: Option<&Known>,
        visibility: &Visibility,
    ) -> Lookup {
        self.store
            .read(|reader| reader.find(id, day(valid_at), known, visibility))
            .unwrap()
    }

    /// The display name of the record at the coordinate.
    pub(crate) fn name(
        &self,
        id: RecordId,
        valid_at: &str,
        known: Option<&Known>,
    ) -> Option<String> {
        match self.find(id, valid_at, known, &everything()) {
            Lookup::Found { row, .. } => row.display,
            _ => None,
        }
    }
}
