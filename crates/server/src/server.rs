//! The composition root: a registry and a configuration become a listening server.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::Condition;
use actix_web::{App as ActixApp, HttpServer};
use grunddata_registry::Registry;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;

use crate::app::App;
use crate::config::{Config, Tls};
use crate::cors;
use crate::peers::Followers;
use crate::runner::Runner;

/// Why the server could not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}. Is another server running there? Choose another address with --listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("the certificate {certificate} with the key {key} cannot be used: {reason}")]
    Tls {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The access log cannot be written, and without it nothing personal may be shown.
    #[error(
        "the access log in {directory} cannot be opened: {reason}. Choose another directory with access_log in the settings"
    )]
    AccessLog {
        /// Its directory.
        directory: String,
        /// What is wrong.
        reason: String,
    },
    /// Files that are sent cannot be kept anywhere.
    #[error(
        "the directory {directory} for files to be loaded cannot be used: {reason}. Choose another with uploads in the settings"
    )]
    Uploads {
        /// Its directory.
        directory: String,
        /// What is wrong.
        reason: String,
    },
    /// The origins whose pages may call are not written as origins.
    #[error("cors_origins cannot be used: {0}")]
    Origins(String),
    /// The settings of issuers cannot be used.
    #[error("the settings in [identity] cannot be used: {0}")]
    Identity(#[from] grunddata_identity::ConfigError),
    /// The operating system refuses a thread or socket.
    #[error("the server cannot run: {0}")]
    Run(#[from] std::io::Error),
}

/// Starts servers.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A server that is listening.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<thread::JoinHandle<std::io::Result<()>>>,
    secure: bool,
    access_log: grunddata_access_log::AccessLog,
    closing: watch::Sender<bool>,
    runner: Option<Runner>,
    followers: Option<Followers>,
}

impl Server {
    /// Starts to listen and returns at once. Port 0 takes any free port: see [`Running::address`].
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start(mut config: Config, registry: Registry) -> Result<Running, ServerError> {
        if let Some(fault) = cors::fault(&config.origins) {
            return Err(ServerError::Origins(fault));
        }
        let listener = TcpListener::bind(config.listen).map_err(|source| ServerError::Listen {
            address: config.listen,
            source,
        })?;
        let address = listener.local_addr()?;
        config.listen = address;
        let tls = config.tls.as_ref().map(tls).transpose()?;
        let secure = tls.is_some();
        if config.peers.own_address.is_none() {
            config.peers.own_address = if secure {
                config.public_address.clone()
            } else {
                Some(format!("http://{}", on_this_machine(address)))
            };
        }
        let (shutdown, connections) = (
            config.shutdown_timeout.as_secs().max(1),
            config.limits.connections_per_worker,
        );
        let workers = config
            .workers
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        if let Err(error) = registry.store().load_packages() {
            tracing::error!(%error, "packages of the information model that came from peers cannot be loaded");
        }
        let app = Arc::new(App::new(config, registry)?);
        let (access_log, closing) = (app.access_log.clone(), app.closing.clone());
        let runner = Runner::start(&app)?;
        let followers = Followers::start(&app)?;
        let (tell, told) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || {
                actix_rt::System::new().block_on(async move {
                    let server = HttpServer::new(move || {
                        let app = Arc::clone(&app);
                        ActixApp::new()
                            .wrap(Condition::new(
                                !app.config.origins.is_empty(),
                                cors::middleware(&app.config.origins, &app.operations),
                            ))
                            .configure(move |services| App::routes(&app, services))
                    })
                    .workers(workers)
                    .worker_max_blocking_threads(4)
                    .max_connections(connections)
                    .keep_alive(Duration::from_secs(75))
                    .client_request_timeout(Duration::from_secs(10))
                    .client_disconnect_timeout(Duration::from_secs(2))
                    .shutdown_timeout(shutdown)
                    .disable_signals();
                    let server = match tls {
                        Some(tls) => server.listen_rustls_0_23(listener, tls),
                        None => server.listen(listener),
                    };
                    let server = match server {
                        Ok(server) => server.run(),
                        Err(error) => {
                            drop(tell.send(Err(error)));
                            return Ok(());
                        }
                    };
                    drop(tell.send(Ok(server.handle())));
                    server.await
                })
            })?;
        let handle = told
            .recv()
            .map_err(|_| std::io::Error::other("the server thread ended"))??;
        tracing::info!(%address, secure, workers, "listening");
        Ok(Running {
            address,
            handle,
            thread: Some(thread),
            secure,
            access_log,
            closing,
            runner: Some(runner),
            followers: Some(followers),
        })
    }
}

/// The address by which this machine reaches itself.
fn on_this_machine(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:8080`, for clients on this machine.
    #[must_use]
    pub fn origin(&self) -> String {
        format!(
            "{}://{}",
            if self.secure { "https" } else { "http" },
            self.address
        )
    }

    /// Closes the access log while the server runs: from now on nothing personal is shown. For whoever must stop all
    /// reading of personal data at once, and for tests.
    pub fn stop_logging(&self) {
        self.access_log.shutdown();
    }

    /// Takes no new connections, finishes the requests in flight (every acknowledged write was durable before it was
    /// acknowledged), and returns when all is done.
    ///
    /// # Errors
    /// [`ServerError::Run`].
    pub fn stop(mut self) -> Result<(), ServerError> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), ServerError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        // Who waits for changes would wait on.
        self.closing.send_replace(true);
        // Loads in the background end at the next place from which they can be gone on with.
        if let Some(runner) = &self.runner {
            runner.stop();
        }
        // The command is sent when `stop` is called; the future only waits for its end, and so does the join.
        drop(self.handle.stop(true));
        let ended = thread.join();
        if let Some(followers) = self.followers.take() {
            followers.end();
        }
        if let Some(runner) = self.runner.take() {
            runner.end();
        }
        match ended {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(std::io::Error::other("the server thread panicked").into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            tracing::error!(%error, "the server did not stop as it should");
        }
    }
}

/// Serves until SIGTERM or SIGINT (Ctrl-C), then stops gracefully. `started` is called once the server listens.
///
/// # Errors
/// [`ServerError`].
pub fn run_until_signal(
    config: Config,
    registry: Registry,
    started: impl FnOnce(&Running),
) -> Result<(), ServerError> {
    let store = registry.store().clone();
    let running = Server::start(config, registry)?;
    started(&running);
    let name = actix_rt::System::new().block_on(signal())?;
    tracing::info!(signal = name, "stopping: finishing the requests in flight");
    running.stop()?;
    store.shutdown();
    tracing::info!("stopped");
    Ok(())
}

#[cfg(unix)]
async fn signal() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<&'static str> {
    tokio::signal::ctrl_c().await?;
    Ok("Ctrl-C")
}

/// TLS 1.2 and 1.3 with the ring provider.
fn tls(files: &Tls) -> Result<rustls::ServerConfig, ServerError> {
    let wrong = |reason: String| ServerError::Tls {
        certificate: files.certificate.display().to_string(),
        key: files.key.display().to_string(),
        reason,
    };
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong(
            "the certificate file holds no certificate".to_owned(),
        ));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(error.to_string()))?;
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| wrong(error.to_string()))
}
