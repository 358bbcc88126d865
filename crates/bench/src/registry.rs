//! The registry in this process, as the bulk and graph benchmarks use it.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use chrono::NaiveDate;
use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, Instant, OwnerKey, RecordId, ValidFrom};
use grunddata_registry::{
    Actor, Command, Content, Context, Create, Envelope, Grant, Limits, NewOwner, Operation,
    OwnerScope, Registry, Replace, Role, Subject,
};
use grunddata_store::{Clock, Store, StoreOptions};
use rusqlite::OptionalExtension as _;
use serde_json::Value;
use uuid::Uuid;

use crate::data::{self, Kind};

/// The owner of everything that the benchmarks write.
pub(crate) const OWNER: &str = "se-bench";

/// Records of one transaction of a load.
pub(crate) const BATCH: u64 = 5_000;

/// A registry over a freshly migrated database.
pub(crate) fn open(url: &str) -> Result<Registry> {
    let clock: Clock = Arc::new(now);
    let model = InformationModel::embedded()?;
    let store = Store::open(StoreOptions::new(url, Arc::clone(&clock)), model.clone())?;
    store.migrate()?;
    let registry = Registry::new(store, model, clock, Limits::default());
    Ok(registry)
}

/// Adds the owner of the benchmark's records.
pub(crate) fn add_owner(registry: &Registry) -> Result<()> {
    let owner = NewOwner {
        key: owner()?,
        name: "Bench".to_owned(),
        organisation: None,
        open_data: false,
        protection: None,
    };
    registry
        .put_owner(&context(registry), owner)
        .map_err(refused)?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is its own composition root"
)]
pub(crate) fn now() -> Instant {
    Instant::from(chrono::Utc::now())
}

pub(crate) fn owner() -> Result<OwnerKey> {
    Ok(OWNER.parse()?)
}

pub(crate) fn context(registry: &Registry) -> Context {
    registry.context(Actor::system("bench"), "bench")
}

/// A refusal as an error of the benchmark.
pub(crate) fn refused(refusal: grunddata_registry::Refusal) -> anyhow::Error {
    anyhow!("refused: {refusal:?}")
}

/// The first day of every record.
fn from() -> ValidFrom {
    ValidFrom::Date(NaiveDate::from_ymd_opt(2020, 1, 1).unwrap_or_default())
}

/// A create under a given id.
pub(crate) fn create(domain: Domain, id: Uuid, data: Value) -> Command {
    Command::new(
        domain,
        Operation::Create(Create {
            id: Some(RecordId::from(id)),
            temporary_id: None,
            envelope: Envelope::default(),
            content: Content { data, model: None },
            valid_from: Some(from()),
            valid_to: None,
            matching: None,
        }),
    )
}

/// A replace with the same period as the create.
pub(crate) fn replace(domain: Domain, id: Uuid, data: Value) -> Command {
    Command::new(
        domain,
        Operation::Replace(Replace {
            subject: Subject::Id(RecordId::from(id)),
            envelope: Envelope::default(),
            content: Content { data, model: None },
            valid_from: Some(grunddata_registry::From::At(from())),
            valid_to: None,
            overwrite_planned: false,
        }),
    )
    .if_match(grunddata_registry::IfMatch::Any)
}

/// Loads `count` records of a kind; what is generated follows from its number.
pub(crate) fn load(
    registry: &Registry,
    domain: Domain,
    kind: Kind,
    count: u64,
    make: impl Fn(u64) -> Value,
) -> Result<()> {
    let (context, owner) = (context(registry), owner()?);
    let mut next = 0;
    while next < count {
        let until = (next + BATCH).min(count);
        let commands = (next..until)
            .map(|number| create(domain, data::id(kind, number), make(number)))
            .collect();
        registry
            .load_batch(&context, &owner, commands)
            .map_err(refused)?;
        next = until;
    }
    Ok(())
}

/// Makes a database ready for creates over HTTP: the owner, addresses to live at and the person whom all others name. A
/// token that reads and writes everything.
pub(crate) fn furnish(url: &str, addresses: u64) -> Result<String> {
    let registry = open(url)?;
    add_owner(&registry)?;
    load(
        &registry,
        Domain::Geography,
        Kind::Address,
        addresses,
        data::address,
    )?;
    load(&registry, Domain::Person, Kind::Person, 1, |number| {
        data::person(number, addresses)
    })?;
    let token = token(&registry)?;
    registry.store().shutdown();
    Ok(token)
}

/// How far the log of the benchmark's owner has come; 0 where there is no such owner yet.
pub(crate) async fn position(url: &str) -> Result<u64> {
    let position: Option<i64> = if url.starts_with("postgres") {
        let client = crate::bare::connect(url).await?;
        let row = client
            .query_opt("SELECT position FROM owner WHERE key = $1", &[&OWNER])
            .await?;
        row.map(|row| row.try_get(0)).transpose()?
    } else {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = rusqlite::Connection::open_with_flags(url, flags)?;
        connection
            .query_row(
                "SELECT position FROM owner WHERE key = ?1",
                [OWNER],
                |row| row.get(0),
            )
            .optional()?
    };
    Ok(position.unwrap_or_default().try_into()?)
}

/// A token that reads and writes everything.
pub(crate) fn token(registry: &Registry) -> Result<String> {
    token_of(
        registry,
        "bench",
        vec![Grant::of(OwnerScope::All, Role::Administrator)],
    )
}

/// A token with these rights.
pub(crate) fn token_of(registry: &Registry, name: &str, grants: Vec<Grant>) -> Result<String> {
    let minted = registry
        .mint_token(
            &context(registry),
            grunddata_registry::NewToken {
                name: name.to_owned(),
                grants,
                feeds_copies: false,
                unit: None,
                expires_at: None,
            },
        )
        .map_err(refused)?;
    Ok(minted.secret)
}
