//! For tests and for showing: an SS 12000 server on loopback. It holds lists of objects, gives them out page by page with
//! tokens, knows `meta.modified.after` and `/deletedEntities`, wants its bearer token, and misbehaves in every way that it
//! is told to. It serves files too.

#![expect(
    clippy::expect_used,
    reason = "for tests: a server that does not work must fail the test at once"
)]

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::Url;

/// Where the API begins.
const BASE: &str = "/ss12000/v2.0";

/// How the server answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    #[default]
    Healthy,
    /// Hangs up without an answer.
    Down,
    /// With this status, so many times, and then as it should.
    Status(u16, u32),
    /// With a page in HTML and status 200.
    Garbage,
    /// With a redirect to this address.
    Redirect(String),
    /// With the same token on every page.
    Loop,
    /// With so many bytes of white space before the right answer.
    Huge(usize),
    /// As it should, but only after this time.
    Slow(Duration),
    /// Knows no changes: 400 where it is asked for them.
    NoChanges,
    /// Does not tell what is gone.
    NoDeletions,
    /// Tells what is gone one by one, as some servers do.
    DeletionsOneByOne,
    /// Promises so many bytes more than come.
    Short(usize),
    /// Says of files when they were changed, and gives them no tag.
    NoTags,
}

#[derive(Default)]
struct State {
    lists: BTreeMap<String, Vec<Value>>,
    deleted: Vec<(String, String, DateTime<Utc>)>,
    /// Each with how often it was put.
    files: BTreeMap<String, (Vec<u8>, u32)>,
    behaviour: Behaviour,
    date: Option<DateTime<Utc>>,
    requests: Vec<String>,
}

struct Shared {
    token: String,
    state: Mutex<State>,
    ended: AtomicBool,
}

/// A server that is running. It ends when this is dropped.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1 that wants this token.
    ///
    /// # Errors
    /// When there is no port or no thread.
    pub fn start(token: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            token: token.to_owned(),
            state: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let running = Arc::clone(&shared);
        thread::Builder::new()
            .name("ss12000-server".to_owned())
            .spawn(move || {
                for stream in listener.incoming() {
                    if running.ended.load(Ordering::SeqCst) {
                        break;
                    }
                    if let Ok(stream) = stream {
                        let shared = Arc::clone(&running);
                        // Whoever hangs up in the middle has a reason.
                        thread::spawn(move || drop(shared.serve(stream)));
                    }
                }
            })?;
        Ok(Self { shared, address })
    }

    /// The address of the API.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }

    /// The address of a file.
    #[must_use]
    pub fn file_address(&self, name: &str) -> String {
        format!("http://{}/files/{name}", self.address)
    }

    /// What its clock says in the header `Date`; it says nothing before.
    pub fn set_clock(&self, date: DateTime<Utc>) {
        self.shared.state().date = Some(date);
    }

    /// Puts an object into a list, in the place of one with the same id.
    pub fn put(&self, list: &str, object: Value) {
        let mut state = self.shared.state();
        let objects = state.lists.entry(list.to_owned()).or_default();
        let id = object.get("id").cloned();
        objects.retain(|known| known.get("id") != id.as_ref());
        objects.push(object);
    }

    /// Removes an object, and remembers when.
    pub fn remove(&self, list: &str, id: &str, at: DateTime<Utc>) {
        let mut state = self.shared.state();
        if let Some(objects) = state.lists.get_mut(list) {
            objects.retain(|known| known.get("id").and_then(Value::as_str) != Some(id));
        }
        state.deleted.push((list.to_owned(), id.to_owned(), at));
    }

    /// Puts a file where it can be fetched. Each time it gets another tag, and a later time of change.
    pub fn put_file(&self, name: &str, content: Vec<u8>) {
        let mut state = self.shared.state();
        let times = state.files.get(name).map_or(0, |(_, times)| times + 1);
        state.files.insert(name.to_owned(), (content, times));
    }

    /// How it answers from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.state().behaviour = behaviour;
    }

    /// Paths and queries that were asked for since the last time.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().requests)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // The listener waits for one more.
        drop(TcpStream::connect(self.address));
    }
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

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread has panicked")
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut reader = BufReader::new((&stream).take(64 << 10));
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split_whitespace().nth(1).unwrap_or("/").to_owned();
        let mut authorization = None;
        let mut conditions = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    authorization = Some(value.trim().to_owned());
                }
                Some((name, value)) => {
                    conditions.insert(name.to_lowercase(), value.trim().to_owned());
                }
                None => break,
            }
        }
        drop(reader);
        let mut state = self.state();
        state.requests.push(path.clone());
        let behaviour = state.behaviour.clone();
        if let Behaviour::Status(_, left) = &mut state.behaviour {
            if *left <= 1 {
                state.behaviour = Behaviour::Healthy;
            } else {
                *left -= 1;
            }
        }
        let mut answer = if authorization == Some(format!("Bearer {}", self.token)) {
            state.answer(&path, &behaviour, &conditions)
        } else {
            Answer::empty(401)
        };
        if let Some(date) = state.date {
            answer.headers.push(("Date", date.to_rfc2822()));
        }
        drop(state);
        let mut missing = 0;
        match behaviour {
            Behaviour::Down => return Ok(()),
            Behaviour::Status(status, _) => {
                answer = Answer::empty(status);
                answer.headers.push(("Retry-After", "0".to_owned()));
            }
            Behaviour::Garbage => {
                answer.status = 200;
                answer.body = b"<html>It works!</html>".to_vec();
            }
            Behaviour::Redirect(address) => {
                answer = Answer::empty(302);
                answer.headers.push(("Location", address));
            }
            Behaviour::Huge(bytes) => answer.body = [vec![b' '; bytes], answer.body].concat(),
            Behaviour::Slow(time) => thread::sleep(time),
            Behaviour::Short(bytes) => missing = bytes,
            _ => {}
        }
        write!(stream, "HTTP/1.1 {} -\r\n", answer.status)?;
        for (name, value) in &answer.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        write!(
            stream,
            "Content-Length: {}\r\nConnection: close\r\n\r\n",
            answer.body.len() + missing
        )?;
        stream.write_all(&answer.body)
    }
}

impl State {
    fn answer(
        &self,
        target: &str,
        behaviour: &Behaviour,
        conditions: &BTreeMap<String, String>,
    ) -> Answer {
        let Ok(url) = Url::parse(&format!("http://x{target}")) else {
            return Answer::empty(400);
        };
        let parameters: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let instant = |name: &str| -> Option<Option<DateTime<Utc>>> {
            match parameters.get(name) {
                None => Some(None),
                Some(text) => DateTime::parse_from_rfc3339(text)
                    .ok()
                    .map(|at| Some(at.with_timezone(&Utc))),
            }
        };
        if let Some(name) = url.path().strip_prefix("/files/") {
            return match self.files.get(name) {
                Some(file) => file_answer(file, behaviour, conditions),
                None => Answer::empty(404),
            };
        }
        let Some(name) = url
            .path()
            .strip_prefix(BASE)
            .and_then(|path| path.strip_prefix('/'))
        else {
            return Answer::empty(404);
        };
        let (Some(modified), Some(gone)) = (instant("meta.modified.after"), instant("after"))
        else {
            return Answer::json(400, &json!({"code": "INVALID_FILTER"}));
        };
        // A token carries the filters of the first page, and goes with nothing but a limit.
        let token = parameters.get("pageToken");
        let filtered = modified.is_some() || gone.is_some();
        if filtered && (token.is_some() || *behaviour == Behaviour::NoChanges) {
            return Answer::json(400, &json!({"code": "INVALID_FILTER"}));
        }
        let (start, since) = match token {
            None => (0, modified.or(gone)),
            Some(token) => match decoded(token) {
                Some(token) => token,
                None => return Answer::json(400, &json!({"code": "INVALID_PAGE_TOKEN"})),
            },
        };
        let limit = parameters
            .get("limit")
            .and_then(|limit| limit.parse().ok())
            .unwrap_or(100_usize);
        let all: Vec<Value> = if name == "deletedEntities" {
            if *behaviour == Behaviour::NoDeletions {
                return Answer::empty(404);
            }
            self.deleted
                .iter()
                .filter(|(.., at)| since.is_none_or(|since| *at > since))
                .map(|(list, id, _)| json!({"entityType": list, "id": id}))
                .collect()
        } else {
            match self.lists.get(name) {
                Some(objects) => objects
                    .iter()
                    .filter(|object| since.is_none_or(|since| changed(object) > Some(since)))
                    .cloned()
                    .collect(),
                None => return Answer::empty(404),
            }
        };
        let page: Vec<&Value> = all.iter().skip(start).take(limit).collect();
        let more = start + page.len() < all.len();
        let next = if *behaviour == Behaviour::Loop {
            Some("again".to_owned())
        } else {
            more.then(|| encoded(start + page.len(), since))
        };
        let data = if name == "deletedEntities" && *behaviour != Behaviour::DeletionsOneByOne {
            let mut lists: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
            for one in &page {
                let list = one.get("entityType").and_then(Value::as_str);
                let id = one.get("id").unwrap_or(&Value::Null);
                lists.entry(list.unwrap_or_default()).or_default().push(id);
            }
            json!(lists)
        } else {
            json!(page)
        };
        Answer::json(200, &json!({"data": data, "pageToken": next}))
    }
}

/// A file, or that it has not changed (RFC 9110, 13.2.2: a tag goes before a time).
fn file_answer(
    (content, times): &(Vec<u8>, u32),
    behaviour: &Behaviour,
    conditions: &BTreeMap<String, String>,
) -> Answer {
    let modified = format!("Sat, 21 Nov 2026 10:{:02}:30 GMT", 15 + times % 40);
    let tag = (*behaviour != Behaviour::NoTags).then(|| format!("\"v{times}\""));
    let unchanged = match conditions.get("if-none-match") {
        Some(asked) => tag.as_ref() == Some(asked),
        None => conditions.get("if-modified-since") == Some(&modified),
    };
    // What breaks off has to have begun.
    let unchanged = unchanged && !matches!(behaviour, Behaviour::Short(_));
    let mut headers = vec![("Last-Modified", modified)];
    headers.extend(tag.map(|tag| ("ETag", tag)));
    Answer {
        status: if unchanged { 304 } else { 200 },
        headers,
        body: if unchanged {
            Vec::new()
        } else {
            content.clone()
        },
    }
}

fn changed(object: &Value) -> Option<DateTime<Utc>> {
    let text = object.pointer("/meta/modified")?.as_str()?;
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(at.with_timezone(&Utc))
}

fn encoded(start: usize, since: Option<DateTime<Utc>>) -> String {
    let since = since.map(|since| since.timestamp_millis());
    format!(
        "{start}/{}",
        since.map_or(String::new(), |at| at.to_string())
    )
}

fn decoded(token: &str) -> Option<(usize, Option<DateTime<Utc>>)> {
    if token == "again" {
        return Some((0, None));
    }
    let (start, since) = token.split_once('/')?;
    let since = match since {
        "" => None,
        millis => Some(DateTime::from_timestamp_millis(millis.parse().ok()?)?),
    };
    Some((start.parse().ok()?, since))
}
