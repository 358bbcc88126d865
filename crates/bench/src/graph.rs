//! Two questions over linked records at a coordinate, against hand-written SQL that answers just that question:
//! a person's roles with their units and all units above; and a page of the roles in a subtree of units.

use std::sync::Arc;
use std::time::Instant as Stopwatch;

use anyhow::Result;
use chrono::{Datelike as _, NaiveDate};
use grunddata_model::{Domain, RecordId};
use grunddata_registry::Registry;
use grunddata_store::{
    Coordinate, Count, Direction, LinkCondition, OwnerSet, Reader, StoreError, StoreSearch,
    Visibility,
};
use uuid::Uuid;

use crate::data::{self, Kind};
use crate::report::{Spread, Table};
use crate::{bare, registry};

const ROUNDS: usize = 7;
const QUESTIONS: u64 = 200;
const PAGE: usize = 100;

/// The unit whose subtree is asked for; units number `10 n + 1` to `10 n + 10` lie below unit `n`.
const SUBTREE: u64 = 12;

/// Loads the graph and compares.
pub(crate) async fn run(url: &str, size: u64, name: &str, table: &mut Table) -> Result<()> {
    let units = (size / 30).max(200);
    let registry = registry::open(url)?;
    registry::add_owner(&registry)?;
    registry::load(
        &registry,
        Domain::Geography,
        Kind::Address,
        1_000,
        data::address,
    )?;
    registry::load(
        &registry,
        Domain::Organisation,
        Kind::Unit,
        units,
        data::unit,
    )?;
    registry::load(&registry, Domain::Person, Kind::Person, size, |number| {
        data::person(number, 1_000)
    })?;
    registry::load(&registry, Domain::Role, Kind::Role, size, |number| {
        data::role(number, units)
    })?;
    let by_hand = ByHand::open(url).await?;
    let persons: Vec<Uuid> = (0..QUESTIONS)
        .map(|n| data::id(Kind::Person, n.wrapping_mul(104_729) % size))
        .collect();

    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    let (mut answer, mut raw_answer) = (0, 0);
    for _ in 0..ROUNDS {
        let started = Stopwatch::now();
        answer = 0;
        for person in &persons {
            answer += units_of(&registry, RecordId::from(*person))?;
        }
        ours.push(started.elapsed().as_secs_f64() * 1e6 / QUESTIONS as f64);
        let started = Stopwatch::now();
        raw_answer = 0;
        for person in &persons {
            raw_answer += by_hand.ask(Question::Units, *person).await?;
        }
        raw.push(started.elapsed().as_secs_f64() * 1e6 / QUESTIONS as f64);
    }
    anyhow::ensure!(
        answer == raw_answer,
        "{answer} records by our path, {raw_answer} by hand"
    );
    report(
        "person, roles, units and all above them",
        name,
        size,
        &ours,
        &raw,
        table,
    );

    let top = data::id(Kind::Unit, SUBTREE);
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Stopwatch::now();
        answer = (0..20)
            .map(|_| roles_below(&registry, RecordId::from(top)))
            .sum::<Result<usize>>()?;
        ours.push(started.elapsed().as_secs_f64() * 1e6 / 20.0);
        let started = Stopwatch::now();
        raw_answer = 0;
        for _ in 0..20 {
            raw_answer += by_hand.ask(Question::Roles, top).await?;
        }
        raw.push(started.elapsed().as_secs_f64() * 1e6 / 20.0);
    }
    anyhow::ensure!(
        answer == raw_answer,
        "{answer} roles by our path, {raw_answer} by hand"
    );
    report(
        &format!("a page of {PAGE} of the roles in a subtree"),
        name,
        size,
        &ours,
        &raw,
        table,
    );
    registry.store().shutdown();
    Ok(())
}

fn report(what: &str, name: &str, size: u64, ours: &[f64], raw: &[f64], table: &mut Table) {
    let (ours, raw) = (Spread::of(ours), Spread::of(raw));
    let label = format!("{name}, {size} persons and roles: {what}, µs (at most 1.5 times)");
    table.row(&label, &ours, &raw, raw.median / ours.median, 1.0 / 1.5);
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, 1).unwrap_or_default()
}

fn coordinate(reader: &mut Reader<'_>) -> Result<Coordinate, StoreError> {
    Ok(Coordinate {
        valid_at: today(),
        known: reader.pin(&OwnerSet::All, None)?,
    })
}

/// The records on the way from a person to the top: roles, units, everything above.
fn units_of(registry: &Registry, person: RecordId) -> Result<usize> {
    let everything = Visibility::everything();
    let found = registry.store().read(|reader| {
        let at = coordinate(reader)?;
        let step = |name: &str| -> [Arc<str>; 1] { [Arc::from(name)] };
        let roles: Vec<RecordId> = reader
            .links(
                &[person],
                Direction::In,
                &step("person"),
                &at,
                &everything,
                1_000,
                None,
            )?
            .iter()
            .map(|link| link.source)
            .collect();
        let mut units: Vec<RecordId> = reader
            .links(
                &roles,
                Direction::Out,
                &step("organisation"),
                &at,
                &everything,
                1_000,
                None,
            )?
            .iter()
            .map(|link| link.target)
            .collect();
        let mut above = Vec::new();
        let parent = step("parent");
        for unit in &units {
            above.extend(
                reader
                    .ancestors(*unit, &parent, &at, &everything, 64)?
                    .iter()
                    .map(|row| row.id),
            );
        }
        units.extend(above);
        units.extend(roles);
        units.sort_unstable();
        units.dedup();
        reader.records_at(&units, &at, &everything)
    })?;
    Ok(found.len())
}

/// A page of the roles in a unit and all below it.
fn roles_below(registry: &Registry, unit: RecordId) -> Result<usize> {
    let everything = Visibility::everything();
    let page = registry.store().read(|reader| {
        let at = coordinate(reader)?;
        let search = StoreSearch {
            domain: Domain::Role,
            owners: OwnerSet::All,
            controller: None,
            identifier: None,
            identifier_ever: false,
            conditions: Vec::new(),
            classes: 0,
            links: vec![LinkCondition {
                relations: vec![Arc::from("organisation")],
                targets: vec![unit],
                below: vec![Arc::from("parent")],
            }],
            text: Vec::new(),
            text_properties: Vec::new(),
            sort: Vec::new(),
            after: None,
            offset: 0,
            limit: PAGE,
            count: Count::None,
        };
        reader.search(&search, &at, &everything)
    })?;
    Ok(page.rows.len())
}

#[derive(Clone, Copy)]
enum Question {
    Units,
    Roles,
}

/// `$1` the record, `$2` the day, `$3` the instant.
const UNITS: &str = "WITH RECURSIVE roles(id) AS (
  SELECT l.source_id FROM link l WHERE l.owner = 'se-bench' AND l.target_id = $1 AND l.relation = 'person'
    AND l.valid_from <= $2 AND l.valid_to > $2 AND l.recorded_at <= $3 AND l.superseded_at > $3),
up(id) AS (
  SELECT l.target_id FROM roles JOIN link l ON l.owner = 'se-bench' AND l.source_id = roles.id AND l.relation = 'organisation'
    AND l.valid_from <= $2 AND l.valid_to > $2 AND l.recorded_at <= $3 AND l.superseded_at > $3
  UNION
  SELECT l.target_id FROM up JOIN link l ON l.owner = 'se-bench' AND l.source_id = up.id AND l.relation = 'parent'
    AND l.valid_from <= $2 AND l.valid_to > $2 AND l.recorded_at <= $3 AND l.superseded_at > $3)
SELECT s.display, s.body FROM (SELECT id FROM roles UNION SELECT id FROM up) f
JOIN state s ON s.owner = 'se-bench' AND s.record_id = f.id
  AND s.valid_from <= $2 AND s.valid_to > $2 AND s.recorded_at <= $3 AND s.superseded_at > $3";

const ROLES: &str = "WITH RECURSIVE down(id) AS (
  SELECT $1 UNION
  SELECT l.source_id FROM down JOIN link l ON l.owner = 'se-bench' AND l.target_id = down.id AND l.relation = 'parent'
    AND l.valid_from <= $2 AND l.valid_to > $2 AND l.recorded_at <= $3 AND l.superseded_at > $3),
page(id) AS (
  SELECT l.source_id FROM down JOIN link l ON l.owner = 'se-bench' AND l.target_id = down.id AND l.relation = 'organisation'
    AND l.valid_from <= $2 AND l.valid_to > $2 AND l.recorded_at <= $3 AND l.superseded_at > $3
  ORDER BY l.source_id LIMIT 100)
SELECT s.display, s.body FROM page JOIN state s ON s.owner = 'se-bench' AND s.record_id = page.id
  AND s.valid_from <= $2 AND s.valid_to > $2 AND s.recorded_at <= $3 AND s.superseded_at > $3";

/// Hand-written SQL with the plainest drivers.
enum ByHand {
    Sqlite(rusqlite::Connection),
    Postgres {
        client: tokio_postgres::Client,
        units: tokio_postgres::Statement,
        roles: tokio_postgres::Statement,
    },
}

impl ByHand {
    async fn open(url: &str) -> Result<Self> {
        if !url.starts_with("postgres") {
            let connection = rusqlite::Connection::open(url)?;
            connection.pragma_update(None, "cache_size", "-65536")?;
            return Ok(Self::Sqlite(connection));
        }
        let client = bare::connect(url).await?;
        client.batch_execute("ANALYZE").await?;
        // Typed in the text: the parameters' types follow from the first use, which for a bare `SELECT $1` is none.
        let prepare = |sql: &str| {
            sql.replace("$1", "$1::uuid")
                .replace("$2", "$2::date")
                .replace("$3", "$3::timestamptz")
        };
        let units = client.prepare(&prepare(UNITS)).await?;
        let roles = client.prepare(&prepare(ROLES)).await?;
        Ok(Self::Postgres {
            client,
            units,
            roles,
        })
    }

    /// How many rows the answer has; every row is read whole.
    async fn ask(&self, question: Question, id: Uuid) -> Result<usize> {
        match self {
            Self::Sqlite(connection) => {
                let statement = match question {
                    Question::Units => UNITS,
                    Question::Roles => ROLES,
                };
                // Its planner takes joins in the order written only when told to, and else goes through all states.
                let mut statement =
                    connection.prepare_cached(&statement.replace("JOIN ", "CROSS JOIN "))?;
                let mut rows = statement.query((
                    id.as_bytes().as_slice(),
                    today().num_days_from_ce(),
                    // In microseconds: later than everything recorded, and before "for ever".
                    4_000_000_000_000_000_i64,
                ))?;
                let mut count = 0;
                while let Some(row) = rows.next()? {
                    std::hint::black_box((
                        row.get::<_, Option<String>>(0)?,
                        row.get::<_, String>(1)?,
                    ));
                    count += 1;
                }
                Ok(count)
            }
            Self::Postgres {
                client,
                units,
                roles,
            } => {
                let statement = match question {
                    Question::Units => units,
                    Question::Roles => roles,
                };
                let far = chrono::DateTime::<chrono::Utc>::from_timestamp(4_000_000_000, 0)
                    .unwrap_or_default();
                let rows = client.query(statement, &[&id, &today(), &far]).await?;
                for row in &rows {
                    std::hint::black_box((
                        row.try_get::<_, Option<String>>(0)?,
                        row.try_get::<_, String>(1)?,
                    ));
                }
                Ok(rows.len())
            }
        }
    }
}
