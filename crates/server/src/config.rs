//! What the server must be told. The command line fills these values; nothing here reads a file or the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use grunddata_identity::IdentityConfig;

pub use crate::hooks::Sending;
pub use crate::loads::collect::{Collecting, NamedToken, Reach, Secret};
pub use crate::peers::Peering;

/// Everything about the process that listens.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// What clients call this server, `https://grunddata.example.se`. Absent: the request's `Host`.
    pub public_address: Option<String>,
    /// Whether a proxy in front sets `Forwarded` (RFC 7239). Only then is the header believed.
    pub trust_forwarded: bool,
    /// The origins whose pages may call, each exactly as a browser sends it: `https://karta.example.se`. None: no page of
    /// another origin.
    pub origins: Vec<String>,
    /// Certificate and key; absent = plain HTTP (behind a proxy, or on this machine only).
    pub tls: Option<Tls>,
    /// The directory of the access log.
    pub access_log: PathBuf,
    /// The directory in which files lie until they are loaded.
    pub uploads: PathBuf,
    /// What may be collected for sources, and with what.
    pub collect: Collecting,
    /// Where subscriptions may send to, and how patiently.
    pub subscriptions: Sending,
    /// Which other registries may be followed, and how.
    pub peers: Peering,
    /// For how long the rows of loads are kept of which nothing more comes; `None` = for ever.
    pub keep_loads: Option<Duration>,
    /// After how long without a sign of life the work of a process on loads is taken up by another.
    pub lease: Duration,
    /// Whose tokens are believed beside the registry's own.
    pub identity: IdentityConfig,
    /// HTTP worker threads; `None` = one per processor.
    pub workers: Option<usize>,
    /// Threads for searches, traversals and other reads that may take long.
    pub heavy_readers: usize,
    /// How long a stop waits for requests in flight.
    pub shutdown_timeout: Duration,
    /// The bounds on what a client can make large.
    pub limits: Limits,
    /// Who answers for this installation.
    pub operator: Operator,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_address: None,
            trust_forwarded: false,
            origins: Vec::new(),
            tls: None,
            access_log: PathBuf::from("grunddata-data/access-log"),
            uploads: PathBuf::from("grunddata-data/uploads"),
            collect: Collecting::default(),
            subscriptions: Sending::default(),
            peers: Peering::default(),
            keep_loads: Some(Duration::from_secs(90 * 24 * 60 * 60)),
            lease: crate::loads::collect::LEASE,
            identity: IdentityConfig::default(),
            workers: None,
            heavy_readers: 4,
            shutdown_timeout: Duration::from_secs(30),
            limits: Limits::default(),
            operator: Operator::default(),
        }
    }
}

/// A certificate chain and its private key, both PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: PathBuf,
}

/// Who answers for this installation: shown in the documentation, `security.txt` and `api-info`.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Name of the organisation.
    pub name: String,
    /// Where to reach it, an address of a page.
    pub url: String,
    /// Mail address for questions about the API.
    pub email: String,
    /// Where to report vulnerabilities (RFC 9116: `mailto:` or `https:`).
    pub security_contact: String,
    /// The service level, one sentence (profile DOK.08).
    pub service_level: String,
}

impl Default for Operator {
    fn default() -> Self {
        Self {
            name: "The operator of this installation".to_owned(),
            url: "https://example.org/grunddata".to_owned(),
            email: "grunddata@example.org".to_owned(),
            security_contact: "mailto:security@example.org".to_owned(),
            service_level: "No service level is agreed for this installation. Ingen servicenivå är avtalad för denna installation.".to_owned(),
        }
    }
}

/// The bounds on what a client can make large. Each has its own problem type.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a body (`body-too-large`).
    pub body_bytes: usize,
    /// Bytes of all headers together (`headers-too-large`).
    pub header_bytes: usize,
    /// Characters of path and query (`address-too-long`; profile UFN.05).
    pub address_length: usize,
    /// Bytes of a file that is sent to be loaded (`body-too-large`).
    pub upload_bytes: u64,
    /// Levels of nesting in JSON (`too-deep`).
    pub json_depth: usize,
    /// Operations of one transaction, records of one validation (`too-many-items`).
    pub list_length: usize,
    /// How long a body may take to arrive (`request-timeout`).
    pub request_timeout: Duration,
    /// Connections per worker; more wait in the operating system's queue.
    pub connections_per_worker: usize,
    /// Heavy reads that may wait for a thread (`busy`).
    pub heavy_queue: usize,
    /// Who may wait for changes at once, in streams and long polls (`too-many-streams`).
    pub followers: usize,
    /// The same of one client: of a token, or without one of an address.
    pub followers_of_client: usize,
    /// How often something is sent on a stream where there is nothing to tell.
    pub heartbeat: Duration,
    /// How long a streamed answer waits for a client that takes nothing of it.
    pub patience: Duration,
    /// How often one client may ask (`too-many-requests`); `None` = as often as it likes.
    pub rate: Option<RateLimit>,
    /// How many failed authentications from one address (`locked-out`); `None` = any number.
    pub failures: Option<FailureLimit>,
    /// Refusals go out at multiples of this time after the request came, so that how long one took says nothing of what
    /// was found: a hidden record is refused no later than one that does not exist. Zero = at once.
    pub refusal_step: Duration,
}

/// When an address is locked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureLimit {
    /// After how many failed authentications.
    pub failures: u32,
    /// Within which time, and for how long.
    pub within: Duration,
}

impl Default for FailureLimit {
    fn default() -> Self {
        Self {
            failures: 20,
            within: Duration::from_secs(600),
        }
    }
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once after a pause.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 * 1024 * 1024,
            upload_bytes: 4 << 30,
            header_bytes: 16 * 1024,
            address_length: 2_048,
            json_depth: 64,
            list_length: 10_000,
            request_timeout: Duration::from_secs(30),
            connections_per_worker: 10_000,
            heavy_queue: 256,
            followers: 2_000,
            followers_of_client: 100,
            heartbeat: Duration::from_secs(15),
            patience: Duration::from_secs(60),
            rate: None,
            failures: Some(FailureLimit::default()),
            refusal_step: Duration::from_millis(20),
        }
    }
}
