//! What all workers share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};
use grunddata_access_log::AccessLog;
use grunddata_identity::{Issuers, Refresher};
use grunddata_registry::Registry;
use grunddata_store::PeerRow;
use parking_lot::RwLock;
use tokio::sync::{Semaphore, watch};

use crate::access::Vault;
use crate::config::Config;
use crate::following::Places;
use crate::handlers::landing::Landings;
use crate::handlers::{exports, lossless};
use crate::hooks::{self, HookState};
use crate::links::API_ROOT;
use crate::loads::collect::Worker;
use crate::loads::uploads::Uploads;
use crate::lockout::Lockout;
use crate::metrics::Metrics;
use crate::operations::{Operation, table};
use crate::peers::Lines;
use crate::pool::ReadPool;
use crate::problem::Problem;
use crate::rate::Rate;
use crate::reply::{Reply, finish};
use crate::runner::Silent;
use crate::server::ServerError;
use crate::trace_context::Trace;
use crate::{body, openapi};

/// The collections as the router knows them: other names are no address.
const COLLECTION: &str = "{collection:persons|roles|organisations|geographies|services}";

/// Loads that are planned or applied at the same time; each of them keeps a connection busy.
const LOADING: usize = 2;
/// Loads that may wait for their turn.
pub(crate) const LOADS_WAITING: usize = 64;

/// How often it is looked whether keys of issuers are due.
const KEYS_LOOKED_AT: Duration = Duration::from_secs(15);

/// What all workers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) vault: Vault,
    pub(crate) access_log: AccessLog,
    /// Renews the keys of issuers as long as the server runs.
    _refresher: Option<Refresher>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) metrics: Metrics,
    pub(crate) pool: ReadPool,
    /// Threads that make plans and apply them, and how many may wait for one.
    pub(crate) loading: ReadPool,
    pub(crate) uploads: Uploads,
    /// By which the work of this process on loads is known.
    pub(crate) worker: Worker,
    /// Threads that collect files of sources.
    pub(crate) collecting: ReadPool,
    /// Sources of which nothing has been heard for too long.
    pub(crate) silent: RwLock<Vec<Silent>>,
    /// What is told of deliveries to subscriptions, and to them.
    pub(crate) hooks: HookState,
    /// Threads that look at logs for them.
    pub(crate) hook_readers: ReadPool,
    /// Peers, as they stood when it was last looked whom to follow.
    pub(crate) peers: RwLock<Vec<PeerRow>>,
    /// What goes to and fro with those among them that connect themselves.
    pub(crate) lines: Lines,
    /// One thread that only answers whether the database does, however many searches wait.
    pub(crate) readiness: ReadPool,
    pub(crate) rate: Option<Rate>,
    /// Bounds the exports that are under way.
    pub(crate) exports: Arc<Semaphore>,
    /// Bounds those who look at logs at once: however many follow, half of the threads are for searches.
    pub(crate) looks: Arc<Semaphore>,
    /// Bounds those who wait for changes.
    pub(crate) places: Arc<Places>,
    /// True when the server stops: who waits is let go.
    pub(crate) closing: watch::Sender<bool>,
    /// Bounds those among them that are files on this side until they have been sent.
    pub(crate) export_files: Arc<Semaphore>,
    /// Bounds the lossless exports that are under way: each holds on to a snapshot of the database.
    pub(crate) lossless: Arc<Semaphore>,
    /// What the landing page shows to those without a token.
    pub(crate) landing: Landings,
    openapi: OnceLock<Result<String, String>>,
}

impl App {
    pub(crate) fn new(config: Config, registry: Registry) -> Result<Self, ServerError> {
        let operations = table();
        let metrics = Metrics::new(operations.iter().map(|operation| operation.id));
        let pool = ReadPool::start("read", config.heavy_readers, config.limits.heavy_queue)?;
        let looks = (config.heavy_readers / 2).max(1);
        let hook_readers = ReadPool::start("hook", hooks::READERS, hooks::LOOKS_WAITING)?;
        let readiness = ReadPool::start("ready", 1, 16)?;
        let loading = ReadPool::start("load", LOADING, LOADS_WAITING)?;
        let collecting = ReadPool::start("collect", LOADING, LOADS_WAITING)?;
        let uploads =
            Uploads::open(&config.uploads, config.limits.upload_bytes).map_err(|error| {
                ServerError::Uploads {
                    directory: config.uploads.display().to_string(),
                    reason: error.to_string(),
                }
            })?;
        let issuers = Arc::new(Issuers::new(&config.identity)?);
        let refresher = if issuers.is_empty() {
            None
        } else {
            let clock = registry.clone();
            Some(Refresher::start(
                Arc::clone(&issuers),
                Arc::new(move || clock.now()),
                KEYS_LOOKED_AT,
            )?)
        };
        let access_log = open_log(&config, &registry)?;
        let lockout = config
            .limits
            .failures
            .map(|limit| Lockout::new(limit, metrics.lockouts()));
        let worker = Worker::new(config.lease);
        let vault = Vault::new(registry, issuers, lockout);
        let rate = config.limits.rate.map(Rate::new);
        let places = Places::new(config.limits.followers, config.limits.followers_of_client);
        Ok(Self {
            config,
            vault,
            access_log,
            _refresher: refresher,
            operations,
            metrics,
            pool,
            readiness,
            hooks: HookState::default(),
            hook_readers,
            loading,
            uploads,
            worker,
            collecting,
            silent: RwLock::default(),
            peers: RwLock::default(),
            lines: Lines::default(),
            rate,
            exports: Arc::new(Semaphore::new(exports::AT_ONCE)),
            looks: Arc::new(Semaphore::new(looks)),
            places,
            closing: watch::Sender::new(false),
            export_files: Arc::new(Semaphore::new(exports::FILES_AT_ONCE)),
            lossless: Arc::new(Semaphore::new(lossless::AT_ONCE)),
            landing: Landings::default(),
            openapi: OnceLock::new(),
        })
    }

    /// The OpenAPI document with `api` as its server. Generated when it is first asked for.
    pub(crate) fn openapi(&self, origin: &str) -> Result<Bytes, Problem> {
        let text = self.openapi.get_or_init(|| {
            openapi::document(
                &self.operations,
                self.vault.model(),
                &self.config.operator,
                &self.config.limits,
            )
            .map(|document| document.to_string())
            .map_err(|error| error.to_string())
        });
        match text {
            Ok(text) => Ok(Bytes::from(text.replace(openapi::BASE_PLACEHOLDER, origin))),
            Err(cause) => Err(Problem::internal(cause.clone())),
        }
    }

    /// Registers every operation of the table, and what is said where none is.
    pub(crate) fn routes(app: &Arc<Self>, services: &mut ServiceConfig) {
        let mut paths: Vec<String> = Vec::new();
        for operation in &app.operations {
            let path = operation.full_path();
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        // A literal segment goes before a parameter in the same place: `/{collection}/search` is no id.
        // Everything else keeps the order of the table, in which the read that is asked most stands first.
        paths.sort_by_key(|path| !path.ends_with("/{collection}/search"));
        for path in paths {
            let here = || {
                app.operations
                    .iter()
                    .enumerate()
                    .filter(|(_, operation)| operation.full_path() == path)
            };
            let pattern = path.replace("{collection}", COLLECTION);
            let mut resource = if path == API_ROOT {
                // In the documentation the root is `/` below the server's address.
                web::resource(vec![pattern, format!("{API_ROOT}/")])
            } else {
                web::resource(pattern)
            };
            let mut allowed = vec![Method::OPTIONS];
            for (index, operation) in here() {
                allowed.push(operation.method.clone());
                resource = resource.route(
                    operation
                        .binding
                        .route(app, index)
                        .method(operation.method.clone()),
                );
                if operation.method == Method::GET {
                    allowed.push(Method::HEAD);
                    resource =
                        resource.route(operation.binding.route(app, index).method(Method::HEAD));
                }
            }
            allowed.sort_by_key(Method::to_string);
            let allow = allowed
                .iter()
                .map(Method::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            let patches = here().any(|(_, operation)| operation.method == Method::PATCH);
            resource = resource
                .route(options(app, &allow, patches))
                .default_service(refuse(app, move |request| not_allowed(request, &allow)));
            services.service(resource);
        }
        services.default_service(refuse(app, |request| {
            let path: String = request.path().chars().take(200).collect();
            Problem::new(
                "unknown-address",
                format!("There is nothing at {path}. See the documentation at /api/v1/docs."),
            )
        }));
    }
}

/// Opens the access log, and says what an earlier end of the process has left of it.
fn open_log(config: &Config, registry: &Registry) -> Result<AccessLog, ServerError> {
    let settings = grunddata_access_log::Settings::new(config.access_log.clone());
    let log =
        AccessLog::open(settings, registry.now()).map_err(|error| ServerError::AccessLog {
            directory: config.access_log.display().to_string(),
            reason: error.to_string(),
        })?;
    for finding in &log.opening().damaged {
        tracing::error!(%finding, "the access log is damaged: run `grunddata log verify`");
    }
    Ok(log)
}

fn not_allowed(request: &HttpRequest, allow: &str) -> Problem {
    Problem::new(
        "method-not-allowed",
        format!(
            "{} is not possible here. Use one of {allow}.",
            request.method()
        ),
    )
    .fact("allowed", allow.split(", ").collect::<Vec<_>>())
    .header(header::ALLOW, allow)
}

/// OPTIONS: what can be done here.
fn options(app: &Arc<App>, allow: &str, patches: bool) -> Route {
    let (app, allow) = (Arc::clone(app), allow.to_owned());
    web::route()
        .method(Method::OPTIONS)
        .to(move |request: HttpRequest| {
            let app = Arc::clone(&app);
            let mut response = HttpResponse::NoContent();
            response.insert_header((header::ALLOW, allow.as_str()));
            if patches {
                response.insert_header((
                    "Accept-Patch",
                    format!("{}, {}", body::MERGE_PATCH, body::JSON_PATCH),
                ));
            }
            async move { answer(&app, &request, Ok(response.finish())).await }
        })
}

/// A route that always refuses.
fn refuse(app: &Arc<App>, why: impl Fn(&HttpRequest) -> Problem + Clone + 'static) -> Route {
    let app = Arc::clone(app);
    web::route().to(move |request: HttpRequest| {
        let (app, why) = (Arc::clone(&app), why.clone());
        async move {
            let problem = why(&request);
            answer(&app, &request, Err(problem)).await
        }
    })
}

async fn answer(app: &App, request: &HttpRequest, reply: Reply) -> HttpResponse {
    let trace = Trace::of(request.headers());
    finish(app, request, trace, reply).await
}
