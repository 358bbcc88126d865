//! The HTTP interface of grunddata: configuration, authentication, telemetry, routes, problem details, OpenAPI.
//!
//! A request's way: the router finds the operation ([`mod@operations`]), the dispatcher screens it and asks the vault for
//! its permission ([`access`]), the handler turns it into one use case of `grunddata-registry`, and what comes back is
//! written as JSON ([`Problem`] for a refusal).
//!
//! Architecture invariants: no SQL and no row; a handler reaches the registry through [`access::Authorised`] alone;
//! routes and documentation come from one table; every refusal is a problem of one table.

pub mod access;
mod app;
mod body;
mod call;
mod compression;
pub mod config;
mod cors;
mod envelope;
mod etag;
mod exporting;
mod fields;
mod following;
pub mod handing;
mod handlers;
mod hooks;
mod links;
pub mod loads;
mod lockout;
mod metrics;
mod openapi;
pub mod operations;
mod parameters;
mod patience;
pub mod peers;
mod pool;
pub mod problem;
mod rate;
mod reply;
mod runner;
mod server;
pub mod telemetry;
mod trace_context;
mod visit;

pub use call::Call;
pub use config::Config;
pub use exporting::{Aside, ExportStream};
pub use grunddata_web::extract_page;
pub use handlers::changes::{written as write_change, written_reread as write_reread};
pub use handlers::law::readers_of;
pub use problem::Problem;
pub use server::{Running, Server, ServerError, run_until_signal};

/// The version of the interface (semver; its major stands in the address).
pub const API_VERSION: &str = "1.0.0";
/// The day on which this version of the interface was published.
pub const API_RELEASED: &str = "2026-11-21";

/// Every operation, as it is served and documented.
#[must_use]
pub fn operations() -> Vec<operations::Operation> {
    operations::table()
}

/// The OpenAPI document of a server with that configuration at `origin` (`https://host`), for the command line.
///
/// # Errors
/// When an embedded fragment is not JSON: a fault of the build.
pub fn openapi(
    model: &grunddata_information_model::InformationModel,
    origin: &str,
    config: &Config,
) -> Result<String, serde_json::Error> {
    let document = openapi::document(&operations(), model, &config.operator, &config.limits)?;
    Ok(serde_json::to_string_pretty(&document)?.replace(openapi::BASE_PLACEHOLDER, origin))
}
