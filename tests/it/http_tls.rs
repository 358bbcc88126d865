//! The server with a certificate of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use grunddata_server::config::Tls;
use grunddata_server::{Config, Server, ServerError};
use grunddata_testing::Engine;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::http_records::server::Http;

/// A certificate for `localhost` and its key, as files.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    der: CertificateDer<'static>,
}

impl Files {
    fn new(directory: &Path, name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = directory.join(format!("{name}.crt"));
        let key = directory.join(format!("{name}.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Self {
            certificate,
            key,
            der: made.cert.der().clone(),
        }
    }

    fn tls(&self) -> Tls {
        Tls {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        }
    }
}

/// One request over TLS, by who trusts this certificate alone.
fn get(port: u16, trusted: &CertificateDer<'static>, path: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection =
        ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut stream = StreamOwned::new(connection, stream);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn with_a_certificate_everything_is_https() {
    let directory = tempfile::tempdir().unwrap();
    let (own, other) = (
        Files::new(directory.path(), "own"),
        Files::new(directory.path(), "other"),
    );
    let http = Http::start_with(Engine::Sqlite, |config| config.tls = Some(own.tls()));
    let origin = http.origin();
    assert!(origin.starts_with("https://"), "{origin}");
    let port = origin.rsplit(':').next().unwrap().parse().unwrap();
    let answer = get(port, &own.der, "/api/v1/api-info").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let head = answer
        .split("\r\n\r\n")
        .next()
        .unwrap()
        .to_ascii_lowercase();
    assert!(head.contains("strict-transport-security"), "{head}");
    assert!(answer.contains("https://"), "{answer}");
    assert!(!answer.contains("http://127."), "{answer}");
    // Who trusts somebody else is not answered.
    let refused = get(port, &other.der, "/api/v1/api-info").unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    // Nor is who speaks without TLS.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    plain
        .write_all(b"GET /api/v1/api-info HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut said = Vec::new();
    // A reset is as good an answer as none.
    drop(plain.read_to_end(&mut said));
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let (own, other) = (
        Files::new(directory.path(), "own"),
        Files::new(directory.path(), "other"),
    );
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let http = Http::start(Engine::Sqlite);
    for (certificate, key) in [
        (&own.certificate, &other.key),
        (&own.key, &own.key),
        (&own.certificate, &empty),
        (&directory.path().join("none.crt"), &own.key),
    ] {
        let config = Config {
            access_log: directory.path().join("access-log"),
            uploads: directory.path().join("uploads"),
            listen: ([127, 0, 0, 1], 0).into(),
            workers: Some(1),
            tls: Some(Tls {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            ..Config::default()
        };
        let error = match Server::start(config, http.registry.clone()) {
            Err(error) => error,
            Ok(running) => panic!(
                "{} with {} starts: {}",
                certificate.display(),
                key.display(),
                running.origin()
            ),
        };
        assert!(matches!(error, ServerError::Tls { .. }), "{error}");
        let text = error.to_string();
        for named in [certificate, key] {
            assert!(text.contains(&named.display().to_string()), "{text}");
        }
    }
}
