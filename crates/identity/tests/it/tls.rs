//! Issuers over TLS: whose certificate is trusted, and for which name.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::thread;
use std::time::Duration;

use grunddata_identity::provider::Provider;
use grunddata_identity::{IdentityConfig, IssuerConfig, Issuers};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::{AUDIENCE, START, instant, provider};

/// An authority of a test: its certificate in PEM, and what signs with it.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// What a server of this name shows, good until the year.
    fn server(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .unwrap();
        Arc::new(config)
    }
}

/// Takes TLS off and hands one request and its answer on.
fn hand_on(config: &Arc<ServerConfig>, outer: TcpStream, to: SocketAddr) -> io::Result<()> {
    outer.set_read_timeout(Some(Duration::from_secs(5)))?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut outer = StreamOwned::new(connection, outer);
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        let read = outer.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..read]);
    }
    let mut inner = TcpStream::connect(to)?;
    inner.write_all(&request)?;
    let mut answer = Vec::new();
    inner.read_to_end(&mut answer)?;
    outer.write_all(&answer)?;
    outer.conn.send_close_notify();
    outer.flush()
}

/// A provider behind TLS on `localhost`; what it is called, and its settings.
fn behind_tls(provider: &Provider, server: Arc<ServerConfig>) -> IssuerConfig {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let inner: SocketAddr = address_of(provider.issuer());
    thread::spawn(move || {
        for outer in listener.incoming().flatten() {
            // Whoever does not trust the certificate hangs up.
            drop(hand_on(&server, outer, inner));
        }
    });
    let issuer = provider.issuer().replace(
        &format!("http://{inner}"),
        &format!("https://localhost:{port}"),
    );
    provider.describe("issuer", json!(issuer));
    provider.describe("jwks_uri", json!(format!("{issuer}/keys")));
    let mut settings = IssuerConfig::new("kommun", &issuer, AUDIENCE);
    settings.timeout_seconds = 5;
    settings
}

fn address_of(issuer: &str) -> SocketAddr {
    let rest = issuer.strip_prefix("http://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// What comes of a token of the issuer.
fn verified(provider: &Provider, settings: IssuerConfig) -> String {
    let mut claims = provider.claims("anna", AUDIENCE);
    claims["iss"] = json!(settings.issuer);
    let token = provider.token(&claims);
    let config = IdentityConfig {
        issuers: vec![settings],
        allow_http_loopback: false,
        proxy: None,
    };
    match Issuers::new(&config)
        .unwrap()
        .verify(&token, instant(START))
    {
        Ok(identity) => identity.name.clone(),
        Err(refused) => refused.code().to_owned(),
    }
}

fn with(server: &dyn Fn(&Authority) -> Arc<ServerConfig>, trusted: bool) -> String {
    let seconds = Arc::new(AtomicI64::new(START));
    let provider = provider(&seconds);
    let (authority, other) = (Authority::new(), Authority::new());
    let mut settings = behind_tls(&provider, server(&authority));
    let trusts = if trusted { &authority } else { &other };
    settings.certificate_authorities = Some(trusts.pem.clone());
    verified(&provider, settings)
}

#[test]
fn an_issuer_with_a_certificate_of_the_organisations_own_is_trusted() {
    assert_eq!(
        with(&|own| own.server("localhost", 2200), true),
        "kommun:anna"
    );
}

#[test]
fn who_is_not_vouched_for_is_not_asked() {
    assert_eq!(
        with(&|own| own.server("localhost", 2200), false),
        "issuer-unreachable"
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    assert_eq!(
        with(&|own| own.server("elsewhere.example.se", 2200), true),
        "issuer-unreachable"
    );
}

#[test]
fn a_certificate_that_has_run_out_is_refused() {
    assert_eq!(
        with(&|own| own.server("localhost", 2020), true),
        "issuer-unreachable"
    );
}

#[test]
fn the_public_authorities_do_not_vouch_for_a_certificate_of_ones_own() {
    let seconds = Arc::new(AtomicI64::new(START));
    let provider = provider(&seconds);
    let settings = behind_tls(&provider, Authority::new().server("localhost", 2200));
    assert_eq!(verified(&provider, settings), "issuer-unreachable");
}
