//! One request and its answer, in as much HTTP as that takes.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{BASE, Behaviour, LIFETIME, Shared};

/// The longest line and the longest body that are read, in bytes.
const LONGEST: u64 = 64 * 1024;

struct Request {
    method: String,
    path: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: value.to_string().into_bytes(),
        }
    }

    fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// Answers one request.
pub(super) fn serve(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = read(&stream)?;
    let behaviour = shared.state.lock().behaviour.clone();
    let mut answer = shared.answer(&request);
    match behaviour {
        Behaviour::Healthy => {}
        Behaviour::Down => return Ok(()),
        Behaviour::Status(status) => answer = Answer::empty(status),
        Behaviour::Garbage => answer.body = b"<html>It works!</html>".to_vec(),
        Behaviour::Slow(time) => thread::sleep(time),
        Behaviour::Huge(bytes) => answer.body = [vec![b' '; bytes], answer.body].concat(),
        Behaviour::Redirect(address) => {
            answer = Answer::empty(302);
            answer.headers.push(("Location", address));
        }
    }
    write!(stream, "HTTP/1.1 {} -\r\n", answer.status)?;
    for (name, value) in &answer.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(
        stream,
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        answer.body.len()
    )?;
    stream.write_all(&answer.body)
}

fn read(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream.take(2 * LONGEST));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = words.next().zip(words.next()).ok_or_else(Shared::broken)?;
    let (mut length, mut authorization) = (0_u64, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(|_| Shared::broken())?,
            "authorization" => authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = Vec::new();
    reader.take(length.min(LONGEST)).read_to_end(&mut body)?;
    Ok(Request {
        method,
        path,
        authorization,
        body,
    })
}

impl Shared {
    fn answer(&self, request: &Request) -> Answer {
        let path = request.path.as_str();
        let below = path.strip_prefix(BASE);
        let oauth = format!("/.well-known/oauth-authorization-server{BASE}");
        if below == Some("/.well-known/openid-configuration") || path == oauth {
            self.count("discovery");
            return Answer::json(200, &self.metadata());
        }
        match (request.method.as_str(), below) {
            ("GET", Some("/keys")) => {
                self.count("keys");
                self.keys()
            }
            ("POST", Some("/token")) => {
                self.count("token");
                self.give(request)
            }
            _ => Answer::empty(404),
        }
    }

    fn count(&self, what: &'static str) {
        *self.state.lock().requests.entry(what).or_default() += 1;
    }

    fn metadata(&self) -> Value {
        let mut metadata = json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{}/keys", self.issuer),
            "token_endpoint": format!("{}/token", self.issuer),
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        });
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.extend(self.state.lock().metadata.clone());
        }
        metadata
    }

    fn keys(&self) -> Answer {
        let state = self.state.lock();
        let own = state.keys.iter().map(|key| key.jwk());
        let keys: Vec<Value> = own.chain(state.other_keys.iter().cloned()).collect();
        let mut answer = Answer::json(200, &json!({ "keys": keys }));
        if let Some(value) = &state.cache_control {
            answer.headers.push(("Cache-Control", value.clone()));
        }
        answer
    }

    /// Client credentials (RFC 6749, 4.4), in the header or in the form.
    fn give(&self, request: &Request) -> Answer {
        let form: Vec<(String, String)> =
            form_urlencoded::parse(&request.body).into_owned().collect();
        let field = |name: &str| {
            form.iter()
                .find(|(given, _)| given == name)
                .map(|(_, value)| value.clone())
        };
        if field("grant_type").as_deref() != Some("client_credentials") {
            return Answer::json(400, &json!({"error": "unsupported_grant_type"}));
        }
        let credentials = basic(request).or_else(|| field("client_id").zip(field("client_secret")));
        let claims = credentials.and_then(|(id, secret)| {
            let state = self.state.lock();
            state
                .clients
                .get(&id)
                .filter(|(right, _)| *right == secret)
                .map(|(_, claims)| claims.clone())
        });
        let Some(mut claims) = claims else {
            return Answer::json(401, &json!({"error": "invalid_client"}));
        };
        if let Some(claims) = claims.as_object_mut() {
            let now = self.now();
            claims.insert("iat".to_owned(), json!(now));
            claims.insert("exp".to_owned(), json!(now + LIFETIME));
        }
        let token = self.token(&claims);
        Answer::json(
            200,
            &json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME}),
        )
    }
}

fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, encoded) = request.authorization.as_deref()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
