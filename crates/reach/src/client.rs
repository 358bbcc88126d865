//! Sends requests over connections of its own: a name is resolved, what it leads to is looked at, and that is what is
//! connected to, so that a name cannot lead elsewhere between the look and the connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Reach, Target};

/// Bytes of an answer's body that are read before the connection is given up. They are thrown away: an answer is its status.
const BODY: usize = 16 * 1024;
/// How long that is waited for.
const DRAINED: Duration = Duration::from_secs(2);
/// Bytes of an answer's head.
const HEAD: usize = 16 * 1024;

/// How long a client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until there is a connection, encrypted where it is to be.
    pub connect: Duration,
    /// From then on until the answer is there.
    pub answer: Duration,
}

/// Why nothing was sent, or no answer came. Says nothing of what stands in the address or in the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The name leads to nothing.
    #[error("the host has no address")]
    NoAddress,
    /// It leads only to networks that may not be reached.
    #[error("the host leads to a network that this registry may not send to")]
    NotAllowed,
    /// There is no connection.
    #[error("no connection: {0}")]
    Connect(io::ErrorKind),
    /// There is no encryption.
    #[error("no encrypted connection: {0}")]
    Tls(String),
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// The connection ended, or the answer is not HTTP.
    #[error("the connection ended before there was an answer")]
    Broken,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
}

/// A connection that is used again for the next request to the same target.
#[derive(Debug)]
pub struct Session {
    target: Target,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Sends requests to where they may go.
#[derive(Clone)]
pub struct Client {
    reach: Arc<Reach>,
    tls: TlsConnector,
    patience: Patience,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client that believes the certificates of the usual authorities, or in their place of those in `authorities` (PEM).
    ///
    /// # Errors
    /// What is wrong with the authorities.
    pub fn new(
        reach: Reach,
        authorities: Option<&str>,
        patience: Patience,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match authorities {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    let certificate = certificate.map_err(|error| error.to_string())?;
                    roots.add(certificate).map_err(|error| error.to_string())?;
                }
                if roots.is_empty() {
                    return Err("it holds no certificates in PEM".to_owned());
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            reach: Arc::new(reach),
            tls: TlsConnector::from(Arc::new(config)),
            patience,
        })
    }

    /// Where it may send to.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Sends a request and waits for the answer. A session that is there is used where it can be, and one that can be used
    /// again is left there.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        session: &mut Option<Session>,
        target: &Target,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, SendError> {
        let kept = session.take().filter(|kept| {
            kept.target == *target && kept.sender.is_ready() && !kept.sender.is_closed()
        });
        if let Some(mut kept) = kept {
            let sent = self
                .exchange(
                    &mut kept,
                    target,
                    method.clone(),
                    headers.clone(),
                    body.clone(),
                )
                .await;
            match sent {
                // The other side closed it while it was not used: nothing was taken in by it.
                Err(SendError::Broken) => {}
                Err(error) => return Err(error),
                Ok((answer, again)) => {
                    *session = again.then_some(kept);
                    return Ok(answer);
                }
            }
        }
        let mut fresh = timeout(self.patience.connect, self.connect(target))
            .await
            .map_err(|_| SendError::Timeout)??;
        let (answer, again) = self
            .exchange(&mut fresh, target, method, headers, body)
            .await?;
        *session = again.then_some(fresh);
        Ok(answer)
    }

    async fn exchange(
        &self,
        session: &mut Session,
        target: &Target,
        method: Method,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<(Answer, bool), SendError> {
        let host = HeaderValue::from_str(&target.authority()).map_err(|_| SendError::Broken)?;
        headers.insert(HOST, host);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target
            .path_and_query()
            .parse()
            .map_err(|_| SendError::Broken)?;
        *request.headers_mut() = headers;
        let response = timeout(self.patience.answer, session.sender.send_request(request))
            .await
            .map_err(|_| SendError::Timeout)?
            .map_err(|_| SendError::Broken)?;
        let (head, body) = response.into_parts();
        let answer = Answer {
            status: head.status.as_u16(),
            headers: head.headers,
        };
        // The status is what counts: a body that breaks off or does not end says nothing else.
        let again = timeout(DRAINED.min(self.patience.answer), drained(body))
            .await
            .unwrap_or(false);
        Ok((answer, again))
    }

    async fn connect(&self, target: &Target) -> Result<Session, SendError> {
        let found = tokio::net::lookup_host((target.host(), target.port()))
            .await
            .map_err(|_| SendError::NoAddress)?;
        let found: Vec<SocketAddr> = found.collect();
        if found.is_empty() {
            return Err(SendError::NoAddress);
        }
        let admitted: Vec<&SocketAddr> = found
            .iter()
            .filter(|found| self.reach.admits(found.ip()))
            .collect();
        // One that swallows everything leaves time for the others.
        let parts = u32::try_from(admitted.len()).unwrap_or(u32::MAX).max(1);
        let each = self.patience.connect / parts;
        let mut failed = SendError::NotAllowed;
        for address in admitted {
            match timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.begin(target, stream).await,
                Ok(Err(error)) => failed = SendError::Connect(error.kind()),
                Err(_) => failed = SendError::Timeout,
            }
        }
        Err(failed)
    }

    async fn begin(&self, target: &Target, stream: TcpStream) -> Result<Session, SendError> {
        // Small requests go out at once.
        drop(stream.set_nodelay(true));
        let stream = if target.is_secure() {
            let name = ServerName::try_from(target.host().to_owned())
                .map_err(|error| SendError::Tls(error.to_string()))?;
            let stream = self.tls.connect(name, stream).await;
            Stream::Tls(Box::new(stream.map_err(|error| tls_fault(&error))?))
        } else {
            Stream::Plain(stream)
        };
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| SendError::Broken)?;
        let driver = tokio::spawn(async move {
            // How it ended is told to whoever waits for an answer.
            drop(connection.await);
        });
        Ok(Session {
            target: target.clone(),
            sender,
            driver,
        })
    }
}

/// What was wrong with the certificate or the handshake; nothing of it is secret.
fn tls_fault(error: &io::Error) -> SendError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(error) => {
            let error: &rustls::Error = error;
            SendError::Tls(error.to_string().chars().take(200).collect())
        }
        None => SendError::Tls(error.kind().to_string()),
    }
}

/// Reads what is left of an answer, and says whether the connection can be used again.
async fn drained(mut body: Incoming) -> bool {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > BODY {
            return false;
        }
    }
    true
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nx-said: yes\r\n\r\n";

    fn run(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(work);
    }

    fn client(authorities: Option<&str>, port: u16, network: &str) -> Client {
        let reach = Reach {
            hosts: vec!["localhost".to_owned()],
            ports: vec![port],
            networks: vec![network.parse().unwrap()],
            http: true,
        };
        let patience = Patience {
            connect: Duration::from_millis(500),
            answer: Duration::from_millis(300),
        };
        Client::new(reach, authorities, patience).unwrap()
    }

    async fn asked(
        client: &Client,
        session: &mut Option<Session>,
        address: &str,
    ) -> Result<u16, SendError> {
        let target = client.reach().target(address).unwrap();
        let body = Bytes::from_static(b"{}");
        let answer = client
            .send(session, &target, Method::POST, HeaderMap::new(), body)
            .await;
        answer.map(|answer| answer.status)
    }

    #[test]
    fn an_encrypted_connection_needs_an_authority_that_is_believed() {
        run(async {
            let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
            let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())
                .unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        continue;
                    };
                    let mut buffer = [0; 1_024];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        stream.write_all(ANSWER).await.unwrap();
                    }
                }
            });
            let address = format!("https://localhost:{port}/x");
            let pem = made.cert.pem();
            let good = client(Some(&pem), port, "127.0.0.0/8");
            let mut session = None;
            // The connection is used again.
            for _ in 0..3 {
                assert_eq!(asked(&good, &mut session, &address).await, Ok(204));
                assert!(session.is_some());
            }
            drop(session);
            let usual = client(None, port, "127.0.0.0/8");
            let refused = asked(&usual, &mut None, &address).await;
            assert!(matches!(refused, Err(SendError::Tls(_))), "{refused:?}");
            server.abort();
            assert!(Client::new(Reach::default(), Some("no PEM"), good.patience).is_err());
        });
    }

    #[test]
    fn what_ends_or_hangs_or_leads_inside_is_told_apart() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tokio::spawn(async move {
                for number in 0.. {
                    let Ok((mut stream, _)) = listener.accept().await else {
                        return;
                    };
                    tokio::spawn(async move {
                        let mut buffer = [0; 1_024];
                        let Ok(1..) = stream.read(&mut buffer).await else {
                            return;
                        };
                        match number {
                            0 => {}
                            1 => stream.write_all(b"no HTTP at all\r\n\r\n").await.unwrap(),
                            // Answered once, and then closed without a word.
                            2 => stream.write_all(ANSWER).await.unwrap(),
                            3 => {
                                let long = "x".repeat(100_000);
                                let answer = format!(
                                    "HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\n{long}"
                                );
                                drop(stream.write_all(answer.as_bytes()).await);
                            }
                            _ => tokio::time::sleep(Duration::from_secs(5)).await,
                        }
                    });
                }
            });
            let address = format!("http://localhost:{port}/x");
            let open = client(None, port, "127.0.0.0/8");
            let mut session = None;
            assert_eq!(
                asked(&open, &mut session, &address).await,
                Err(SendError::Broken)
            );
            assert_eq!(
                asked(&open, &mut session, &address).await,
                Err(SendError::Broken)
            );
            assert_eq!(asked(&open, &mut session, &address).await, Ok(204));
            tokio::time::sleep(Duration::from_millis(20)).await;
            // On a new connection; the long body is not read to its end, and the connection not used again.
            assert_eq!(asked(&open, &mut session, &address).await, Ok(500));
            assert!(session.is_none());
            assert_eq!(
                asked(&open, &mut session, &address).await,
                Err(SendError::Timeout)
            );
            let closed = client(None, port, "10.0.0.0/8");
            assert_eq!(
                asked(&closed, &mut None, &address).await,
                Err(SendError::NotAllowed)
            );
            server.abort();
        });
    }
}
