//! The ceilings for reads: the plainest actix handlers that answer the same bytes from a prepared as-of read.
//!
//! SQLite: one connection per worker, read inline. PostgreSQL: one pipelining connection per worker.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, Result};
use uuid::Uuid;

/// What the handlers read: a table of whole answers with the four times of a state.
pub(crate) const TABLE: &str = "bench_answer";

const SQLITE_READ: &str = "SELECT body FROM bench_answer WHERE id = ?1 AND valid_from <= ?2 AND valid_to > ?2 \
                           AND recorded_at <= ?3 AND superseded_at > ?3";
const POSTGRES_READ: &str = "SELECT body FROM bench_answer WHERE id = $1 AND valid_from <= $2 AND valid_to > $2 \
                             AND recorded_at <= $3 AND superseded_at > $3";

/// The civil day and the instant that every read asks for; both lie inside the only state.
const DAY: i32 = 700_000;
const INSTANT: i64 = 1_700_000_000_000_000;

/// Creates the table in a SQLite file and fills it.
pub(crate) fn fill_sqlite(path: &std::path::Path, answers: &[(Uuid, String)]) -> Result<()> {
    let mut connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(&format!(
        "CREATE TABLE {TABLE} (id BLOB NOT NULL, valid_from INTEGER NOT NULL, valid_to INTEGER NOT NULL, \
         recorded_at INTEGER NOT NULL, superseded_at INTEGER NOT NULL, body TEXT NOT NULL, \
         PRIMARY KEY (id, superseded_at, valid_from))"
    ))?;
    {
        let mut insert = transaction.prepare(&format!(
            "INSERT INTO {TABLE} VALUES (?1, 1, 3000000, 1, {}, ?2)",
            i64::MAX
        ))?;
        for (id, body) in answers {
            insert.execute((id.as_bytes().as_slice(), body))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Creates the table in a PostgreSQL database and fills it.
pub(crate) async fn fill_postgres(url: &str, answers: &[(Uuid, String)]) -> Result<()> {
    let client = connect(url).await?;
    client
        .batch_execute(&format!(
            "CREATE TABLE {TABLE} (id uuid NOT NULL, valid_from int NOT NULL, valid_to int NOT NULL, \
             recorded_at bigint NOT NULL, superseded_at bigint NOT NULL, body text NOT NULL, \
             PRIMARY KEY (id, superseded_at, valid_from))"
        ))
        .await?;
    let insert = client
        .prepare(&format!(
            "INSERT INTO {TABLE} VALUES ($1::text::uuid, 1, 3000000, 1, {}, $2)",
            i64::MAX
        ))
        .await?;
    client.batch_execute("BEGIN").await?;
    for (id, body) in answers {
        client.execute(&insert, &[&id.to_string(), body]).await?;
    }
    client
        .batch_execute(&format!("COMMIT; ANALYZE {TABLE}"))
        .await?;
    Ok(())
}

/// Opens a connection and drives it on the current runtime.
pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .context("PostgreSQL does not answer")?;
    tokio::task::spawn(connection);
    Ok(client)
}

thread_local! {
    static SQLITE: RefCell<Option<rusqlite::Connection>> = const { RefCell::new(None) };
    static POSTGRES: OnceCell<Rc<(tokio_postgres::Client, tokio_postgres::Statement)>> = const { OnceCell::new() };
}

/// Serves until it is killed; prints `ready PORT` once it listens.
#[expect(
    clippy::print_stdout,
    reason = "the parent process reads the port from standard output"
)]
pub(crate) fn serve(url: &str, workers: usize) -> Result<()> {
    let url: Arc<str> = url.into();
    let sqlite = !url.starts_with("postgres");
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let app = App::new().app_data(web::Data::from(Arc::clone(&url)));
            if sqlite {
                app.route("/r/{id}", web::get().to(read_sqlite))
            } else {
                app.route("/r/{id}", web::get().to(read_postgres))
            }
        })
        .workers(workers)
        .bind(("127.0.0.1", 0))?;
        let address = server
            .addrs()
            .first()
            .copied()
            .context("no address was bound")?;
        println!("ready {}", address.port());
        server.run().await?;
        Ok(())
    })
}

fn answer(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(body)
}

fn failure(error: impl std::fmt::Display) -> actix_web::Error {
    actix_web::error::ErrorInternalServerError(error.to_string())
}

async fn read_sqlite(id: web::Path<Uuid>, url: web::Data<str>) -> actix_web::Result<HttpResponse> {
    SQLITE.with_borrow_mut(|slot| {
        let connection = match slot {
            Some(connection) => connection,
            None => slot.insert(rusqlite::Connection::open(url.get_ref()).map_err(failure)?),
        };
        let mut statement = connection.prepare_cached(SQLITE_READ).map_err(failure)?;
        let body = statement
            .query_row((id.as_bytes().as_slice(), DAY, INSTANT), |row| {
                row.get::<_, String>(0)
            })
            .map_err(failure)?;
        Ok(answer(body))
    })
}

async fn read_postgres(
    id: web::Path<Uuid>,
    url: web::Data<str>,
) -> actix_web::Result<HttpResponse> {
    let held = POSTGRES.with(|cell| cell.get().cloned());
    let held = match held {
        Some(held) => held,
        None => {
            let client = connect(&url).await.map_err(failure)?;
            let statement = client
                .prepare_typed(POSTGRES_READ, &[tokio_postgres::types::Type::UUID])
                .await
                .map_err(failure)?;
            let made = Rc::new((client, statement));
            POSTGRES.with(|cell| Rc::clone(cell.get_or_init(|| made)))
        }
    };
    let row = held
        .0
        .query_one(&held.1, &[&*id, &DAY, &INSTANT])
        .await
        .map_err(failure)?;
    Ok(answer(row.try_get(0).map_err(failure)?))
}
