//! Settings: built-in defaults, a file, the environment and the command line, in rising order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, File, FileFormat};
use grunddata_identity::IdentityConfig;
use grunddata_server::config as server;
use grunddata_server::telemetry::{LogConfig, LogFormat};
use grunddata_store::{Clock, StoreOptions};
use serde::Deserialize;

use crate::arguments::Global;
use crate::failure::{Failure, Kind};

mod collect;
mod peers;
mod subscriptions;

use collect::Collect;
use peers::Peers;
use subscriptions::Subscriptions;

/// Where a system-wide installation has its settings; read when no other file is named and this one exists.
const SYSTEM_FILE: &str = "/etc/grunddata/grunddata.toml";
/// Tables of settings. In the environment `GRUNDDATA_LOG_FORMAT` is `format` in `[log]`.
const TABLES: [&str; 9] = [
    "tls",
    "log",
    "operator",
    "limits",
    "store",
    "collect",
    "loads",
    "subscriptions",
    "peers",
];
/// For how many days rows of plans are kept where nothing else is said.
const KEEP_DAYS: u32 = 90;
/// Beginnings of names that look like settings and are none: Kubernetes tells every container about a service called
/// `grunddata` in such variables.
const NO_SETTINGS: [&str; 3] = ["config", "service_", "port"];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// A path of SQLite or an address of PostgreSQL.
    pub(crate) database: Option<String>,
    /// Where the embedded database lies.
    pub(crate) data: PathBuf,
    /// Directories of further packages of the information model.
    pub(crate) models: Vec<PathBuf>,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// What clients call this server.
    pub(crate) public_address: Option<String>,
    /// Whether `Forwarded` is believed.
    pub(crate) trust_forwarded: bool,
    /// The origins whose pages may call.
    pub(crate) cors_origins: Vec<String>,
    /// HTTP threads.
    pub(crate) workers: Option<usize>,
    /// Threads for long reads.
    pub(crate) heavy_readers: Option<usize>,
    /// How long a stop waits for requests in flight.
    pub(crate) shutdown_seconds: Option<u64>,
    /// The directory of the access log; in the data directory when left out.
    pub(crate) access_log: Option<PathBuf>,
    /// The directory in which files lie until they are loaded; in the data directory when left out.
    pub(crate) uploads: Option<PathBuf>,
    pub(crate) identity: IdentityConfig,
    pub(crate) tls: Option<Tls>,
    pub(crate) log: Log,
    pub(crate) operator: Operator,
    pub(crate) limits: Limits,
    pub(crate) store: Store,
    pub(crate) collect: Collect,
    pub(crate) peers: Peers,
    pub(crate) loads: Loads,
    pub(crate) subscriptions: Subscriptions,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database: None,
            data: PathBuf::from("grunddata-data"),
            models: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_address: None,
            trust_forwarded: false,
            cors_origins: Vec::new(),
            workers: None,
            heavy_readers: None,
            shutdown_seconds: None,
            access_log: None,
            uploads: None,
            identity: IdentityConfig::default(),
            tls: None,
            log: Log::default(),
            operator: Operator::default(),
            limits: Limits::default(),
            store: Store::default(),
            collect: Collect::default(),
            peers: Peers::default(),
            loads: Loads::default(),
            subscriptions: Subscriptions::default(),
        }
    }
}

/// `[tls]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    format: Format,
    filter: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    #[default]
    Text,
    Json,
}

/// `[operator]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Operator {
    name: Option<String>,
    url: Option<String>,
    email: Option<String>,
    security_contact: Option<String>,
    service_level: Option<String>,
}

/// `[limits]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    body_bytes: Option<usize>,
    /// Bytes of a file that is sent to be loaded.
    upload_bytes: Option<u64>,
    header_bytes: Option<usize>,
    address_length: Option<usize>,
    json_depth: Option<usize>,
    list_length: Option<usize>,
    request_seconds: Option<u64>,
    connections_per_worker: Option<usize>,
    heavy_queue: Option<usize>,
    /// Who may wait for changes at once.
    followers: Option<usize>,
    /// The same of one client.
    followers_of_client: Option<usize>,
    /// How often one client may ask; as often as it likes when left out.
    requests_per_second: Option<u32>,
    /// How many requests may come at once after a pause; twice as many as in a second when left out.
    request_burst: Option<u32>,
    /// Failed authentications from one address before it is locked out; 0 = any number.
    failed_authentications: Option<u32>,
    /// Within which time they count, and for how long an address is locked out.
    lockout_seconds: Option<u64>,
    /// Refusals go out at multiples of this time; 0 = at once.
    refusal_milliseconds: Option<u64>,
}

impl Limits {
    /// When an address is locked out.
    fn failures(&self) -> Option<server::FailureLimit> {
        let mut limit = server::FailureLimit::default();
        limit.failures = self.failed_authentications.unwrap_or(limit.failures);
        limit.within = self
            .lockout_seconds
            .map_or(limit.within, Duration::from_secs);
        (limit.failures > 0).then_some(limit)
    }
}

/// `[store]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    writers: Option<usize>,
    batch: Option<usize>,
    queue: Option<usize>,
    statement_seconds: Option<u64>,
    clock_jump_days: Option<i64>,
}

/// `[loads]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Loads {
    /// Days for which the rows of plans are kept; 0 = for ever.
    keep_days: Option<u32>,
    /// Seconds without a sign of life after which the work of a process on loads is taken up by another.
    lease_seconds: Option<u64>,
}

impl Settings {
    /// Reads the settings of a command.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let mut global = global.clone();
        if global.config.is_none() && Path::new(SYSTEM_FILE).exists() {
            global.config = Some(PathBuf::from(SYSTEM_FILE));
        }
        Self::from_sources(&global, std::env::vars())
    }

    pub(crate) fn from_sources(
        global: &Global,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let mut builder = Config::builder();
        if let Some(path) = &global.config {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(
                    Kind::Usage,
                    format!("cannot read the settings in {}: {error}", path.display()),
                )
            })?;
            // Read by itself first: this reader says the line, the other one does not.
            toml::from_str::<Self>(&text).map_err(|error| {
                Failure::new(
                    Kind::Usage,
                    format!("the settings in {} cannot be used: {error}", path.display()),
                )
                .cure("`grunddata --help` shows how settings are written.")
            })?;
            builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
        }
        let wrong = |error: config::ConfigError| {
            Failure::new(Kind::Usage, format!("a setting cannot be used: {error}"))
                .cure("Look at the environment variables that begin with GRUNDDATA_; `grunddata --help` shows how settings are written.")
        };
        for (name, value) in environment {
            let Some(path) = setting(&name) else { continue };
            let list = match path.as_str() {
                "models" => Some(':'),
                "cors_origins"
                | "peers.hosts"
                | "subscriptions.hosts"
                | "subscriptions.ports"
                | "subscriptions.networks"
                | "subscriptions.without_handshake" => Some(','),
                _ => None,
            };
            builder = match list {
                Some(between) => {
                    let parts = value.split(between).map(str::trim);
                    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
                    builder.set_override(path, parts)
                }
                None => builder.set_override(path, value),
            }
            .map_err(wrong)?;
        }
        let mut settings: Self = builder
            .build()
            .and_then(Config::try_deserialize)
            .map_err(wrong)?;
        if let Some(data) = &global.data {
            settings.data.clone_from(data);
        }
        if global.database.is_some() {
            settings.database.clone_from(&global.database);
        }
        Ok(settings)
    }

    /// With the address given on the command line.
    pub(crate) fn with_listen(mut self, listen: Option<SocketAddr>) -> Self {
        self.listen = listen.unwrap_or(self.listen);
        self
    }

    /// The database: the one that is named, or the embedded one in the data directory.
    pub(crate) fn database(&self) -> String {
        self.database.clone().unwrap_or_else(|| {
            self.data
                .join("grunddata.sqlite")
                .to_string_lossy()
                .into_owned()
        })
    }

    /// The directory of the access log.
    pub(crate) fn access_log(&self) -> PathBuf {
        self.access_log
            .clone()
            .unwrap_or_else(|| self.data.join("access-log"))
    }

    /// The directory in which files lie until they are loaded.
    pub(crate) fn uploads(&self) -> PathBuf {
        self.uploads
            .clone()
            .unwrap_or_else(|| self.data.join("uploads"))
    }

    /// For how long the rows of loads are kept of which nothing more comes; `None` = for ever.
    pub(crate) fn keep_loads(&self) -> Option<Duration> {
        let days = self.loads.keep_days.unwrap_or(KEEP_DAYS);
        (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 60 * 60))
    }

    /// Whether the database is the embedded one in the data directory.
    pub(crate) fn is_embedded(&self) -> bool {
        self.database.is_none()
    }

    /// How the store is opened.
    pub(crate) fn store_options(&self, clock: Clock) -> StoreOptions {
        let mut options = StoreOptions::new(self.database(), clock);
        let store = &self.store;
        options.writers = store.writers.unwrap_or(options.writers);
        options.batch = store.batch.unwrap_or(options.batch);
        options.queue = store.queue.unwrap_or(options.queue);
        if let Some(seconds) = store.statement_seconds {
            options.statement_timeout = Duration::from_secs(seconds);
        }
        if let Some(days) = store.clock_jump_days.and_then(chrono::Duration::try_days) {
            options.clock_jump_limit = Some(days);
        }
        options
    }

    /// The log of a serving process.
    pub(crate) fn log(&self, filter: &str) -> LogConfig {
        LogConfig {
            format: match self.log.format {
                Format::Text => LogFormat::Text,
                Format::Json => LogFormat::Json,
            },
            filter: self.log.filter.clone().unwrap_or_else(|| filter.to_owned()),
        }
    }

    /// The server's configuration.
    pub(crate) fn server(&self) -> server::Config {
        let defaults = server::Config::default();
        let (limits, operator) = (&self.limits, &self.operator);
        server::Config {
            listen: self.listen,
            public_address: self.public_address.clone(),
            trust_forwarded: self.trust_forwarded,
            origins: self.cors_origins.clone(),
            tls: self.tls.as_ref().map(|tls| server::Tls {
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
            }),
            access_log: self.access_log(),
            uploads: self.uploads(),
            collect: self.collect.server(),
            subscriptions: self.subscriptions.server(),
            peers: self.peers.server(),
            keep_loads: self.keep_loads(),
            lease: self
                .loads
                .lease_seconds
                .map_or(defaults.lease, Duration::from_secs),
            identity: self.identity.clone(),
            workers: self.workers,
            heavy_readers: self.heavy_readers.unwrap_or(defaults.heavy_readers),
            shutdown_timeout: self
                .shutdown_seconds
                .map_or(defaults.shutdown_timeout, Duration::from_secs),
            limits: server::Limits {
                body_bytes: limits.body_bytes.unwrap_or(defaults.limits.body_bytes),
                upload_bytes: limits.upload_bytes.unwrap_or(defaults.limits.upload_bytes),
                header_bytes: limits.header_bytes.unwrap_or(defaults.limits.header_bytes),
                address_length: limits
                    .address_length
                    .unwrap_or(defaults.limits.address_length),
                json_depth: limits.json_depth.unwrap_or(defaults.limits.json_depth),
                list_length: limits.list_length.unwrap_or(defaults.limits.list_length),
                request_timeout: limits
                    .request_seconds
                    .map_or(defaults.limits.request_timeout, Duration::from_secs),
                connections_per_worker: limits
                    .connections_per_worker
                    .unwrap_or(defaults.limits.connections_per_worker),
                heavy_queue: limits.heavy_queue.unwrap_or(defaults.limits.heavy_queue),
                followers: limits.followers.unwrap_or(defaults.limits.followers),
                followers_of_client: limits
                    .followers_of_client
                    .unwrap_or(defaults.limits.followers_of_client),
                heartbeat: defaults.limits.heartbeat,
                patience: defaults.limits.patience,
                rate: limits
                    .requests_per_second
                    .map(|per_second| server::RateLimit {
                        per_second,
                        burst: limits
                            .request_burst
                            .unwrap_or_else(|| per_second.saturating_mul(2)),
                    }),
                failures: limits.failures(),
                refusal_step: limits
                    .refusal_milliseconds
                    .map_or(defaults.limits.refusal_step, Duration::from_millis),
            },
            operator: server::Operator {
                name: operator.name.clone().unwrap_or(defaults.operator.name),
                url: operator.url.clone().unwrap_or(defaults.operator.url),
                email: operator.email.clone().unwrap_or(defaults.operator.email),
                security_contact: operator
                    .security_contact
                    .clone()
                    .unwrap_or(defaults.operator.security_contact),
                service_level: operator
                    .service_level
                    .clone()
                    .unwrap_or(defaults.operator.service_level),
            },
        }
    }
}

/// The place among the settings that an environment variable names: `log.format` for `GRUNDDATA_LOG_FORMAT`.
fn setting(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("GRUNDDATA_")?.to_lowercase();
    if NO_SETTINGS.iter().any(|other| name.starts_with(other)) {
        return None;
    }
    let inside = TABLES.iter().find_map(|table| {
        Some(format!(
            "{table}.{}",
            name.strip_prefix(table)?.strip_prefix('_')?
        ))
    });
    Some(inside.unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn file(text: &str) -> (tempfile::TempDir, Global) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("grunddata.toml");
        std::fs::write(&path, text).unwrap();
        let global = Global {
            config: Some(path),
            ..Global::default()
        };
        (directory, global)
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let (_directory, mut global) =
            file("listen = \"0.0.0.0:1\"\ndatabase = \"file.sqlite\"\n[log]\nformat = \"json\"");
        let variables = environment(&[
            ("GRUNDDATA_LISTEN", "0.0.0.0:2"),
            ("GRUNDDATA_LIMITS_JSON_DEPTH", "7"),
            ("GRUNDDATA_TRUST_FORWARDED", "true"),
            ("HOME", "/"),
        ]);
        let settings = Settings::from_sources(&global, variables.clone()).unwrap();
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.database(), "file.sqlite");
        assert_eq!(settings.server().limits.json_depth, 7);
        assert!(settings.server().trust_forwarded);
        assert_eq!(settings.log("info").format, LogFormat::Json);
        global.database = Some("postgres://x/y".to_owned());
        let settings = Settings::from_sources(&global, variables).unwrap();
        assert_eq!(
            settings
                .with_listen(Some(SocketAddr::from(([0, 0, 0, 0], 3))))
                .listen
                .port(),
            3
        );
        assert!(!Settings::from_sources(&global, []).unwrap().is_embedded());
    }

    #[test]
    fn without_anything_the_database_lies_in_the_data_directory() {
        let settings = Settings::from_sources(&Global::default(), []).unwrap();
        assert!(settings.is_embedded());
        assert_eq!(settings.database(), "grunddata-data/grunddata.sqlite");
    }

    #[test]
    fn origins_are_told_in_the_environment_and_in_the_file() {
        let variables = environment(&[(
            "GRUNDDATA_CORS_ORIGINS",
            "https://a.example, http://localhost:5173",
        )]);
        let settings = Settings::from_sources(&Global::default(), variables).unwrap();
        assert_eq!(
            settings.server().origins,
            ["https://a.example", "http://localhost:5173"]
        );
        let (_directory, global) = file("cors_origins = [\"https://b.example\"]");
        let settings = Settings::from_sources(&global, []).unwrap();
        assert_eq!(settings.server().origins, ["https://b.example"]);
    }

    #[test]
    fn addresses_are_locked_out_unless_it_is_turned_off() {
        let limit = |pairs: &[(&str, &str)]| {
            Settings::from_sources(&Global::default(), environment(pairs))
                .unwrap()
                .server()
                .limits
                .failures
        };
        assert_eq!(limit(&[]), Some(server::FailureLimit::default()));
        let given = limit(&[
            ("GRUNDDATA_LIMITS_FAILED_AUTHENTICATIONS", "5"),
            ("GRUNDDATA_LIMITS_LOCKOUT_SECONDS", "60"),
        ])
        .unwrap();
        assert_eq!((given.failures, given.within.as_secs()), (5, 60));
        assert_eq!(
            limit(&[("GRUNDDATA_LIMITS_FAILED_AUTHENTICATIONS", "0")]),
            None
        );
    }

    #[test]
    fn what_kubernetes_says_about_a_service_of_our_name_is_no_setting() {
        let variables = environment(&[
            ("GRUNDDATA_SERVICE_HOST", "10.0.0.1"),
            ("GRUNDDATA_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("GRUNDDATA_PORT", "tcp://10.0.0.1:8080"),
            ("GRUNDDATA_CONFIG", "/somewhere"),
            ("GRUNDDATA_MODELS", "/a:/b"),
        ]);
        let settings = Settings::from_sources(&Global::default(), variables).unwrap();
        assert_eq!(settings.models, [PathBuf::from("/a"), PathBuf::from("/b")]);
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_line() {
        let (_directory, global) = file("listen = \"0.0.0.0:1\"\nlissten = 3\n");
        let failure = Settings::from_sources(&global, []).unwrap_err();
        assert_eq!(failure.kind(), Kind::Usage);
        assert!(
            failure.to_string().contains("line 2") && failure.to_string().contains("lissten"),
            "{failure}"
        );
        let failure = Settings::from_sources(
            &Global::default(),
            environment(&[("GRUNDDATA_LISSTEN", "1")]),
        )
        .unwrap_err();
        assert!(failure.to_string().contains("lissten"), "{failure}");
    }
}
