//! The feed over HTTP: pages, lines, long polls and streams, and who is told what.

mod withdrawn;

use std::io::{BufRead as _, BufReader};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use grunddata_model::OwnerKey;
use grunddata_registry::{ControllerScope, Grant, OwnerScope, Role};
use grunddata_testing::{Engine, on_both};
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use crate::http_records::server::{Answer, Caller, Http};

const LOG: &str = "/changes?owner=norrberga";

/// A server whose streams beat fast, and on which a client may wait three times.
fn http(engine: Engine) -> Http {
    Http::start_with(engine, |config| {
        config.limits.heartbeat = Duration::from_millis(50);
        config.limits.followers_of_client = 3;
    })
}

fn items(answer: &Answer) -> &Vec<Value> {
    answer.expect(200);
    answer.json["items"].as_array().expect("items")
}

/// Where the next page begins, as it stands in an address.
fn after(answer: &Answer) -> String {
    match &answer.json["_meta"]["after"] {
        Value::String(cursor) => cursor.clone(),
        other => other.as_u64().expect("a position").to_string(),
    }
}

/// All entries of all pages of this size.
fn all<'a>(caller: impl Fn() -> Caller<'a>, address: &str, limit: usize) -> (Vec<Value>, String) {
    let (mut found, mut place) = (Vec::new(), "0".to_owned());
    loop {
        let page = caller().get(&format!("{address}&limit={limit}&after={place}"));
        let next = after(&page);
        // No page is short but the last: its length tells of nothing that is hidden.
        let count = items(&page).len();
        assert!(count == limit || page.json["_meta"]["caughtUp"] == true);
        found.extend(items(&page).iter().cloned());
        place = next;
        if count == 0 || page.json["_meta"]["caughtUp"] == true {
            return (found, place);
        }
    }
}

/// How long the pages of this size are, and whether they say that they are the last.
fn pages<'a>(caller: impl Fn() -> Caller<'a>, limit: usize) -> Vec<(usize, bool)> {
    let (mut pages, mut place) = (Vec::new(), "0".to_owned());
    loop {
        let page = caller().get(&format!("{LOG}&limit={limit}&after={place}"));
        let last = page.json["_meta"]["caughtUp"] == true;
        pages.push((items(&page).len(), last));
        place = after(&page);
        if last {
            return pages;
        }
    }
}

/// Entries without what differs from reader to reader and from reading to reading.
fn bare(entries: &[Value]) -> Vec<Value> {
    let mut bare = entries.to_vec();
    for entry in &mut bare {
        let members = entry.as_object_mut().expect("an object");
        members.remove("cursor");
        members.remove("position");
    }
    bare
}

fn person(http: &Http, name: &str, level: Option<&str>) -> String {
    let mut data = json!({"name": {"full": name}});
    if let Some(level) = level {
        data["protection"] = json!({"level": level});
    }
    let made = http.admin().post(
        "/persons",
        json!({"owner": "norrberga", "data": data, "validFrom": "2026-01-01"}),
    );
    made.expect(201);
    made.json["id"].as_str().expect("id").to_owned()
}

fn rename(http: &Http, path: &str, name: &str) {
    http.writer()
        .with("if-match", "*")
        .put(
            path,
            json!({"data": {"name": {"sv": name}, "kind": "unit"}, "validFrom": "2026-02-01"}),
        )
        .expect(200);
}

fn protect(http: &Http, id: &str, level: &str) {
    let patch = json!({"patch": {"protection": {"level": level}}, "validFrom": "start"});
    http.admin()
        .with("if-match", "*")
        .post(&format!("/persons/{id}/amendments"), patch)
        .expect(200);
}

/// An open stream: what it sends, block by block.
struct Stream {
    lines: std::io::Lines<BufReader<Response>>,
}

impl Stream {
    fn open(http: &Http, token: &str, query: &str, last: Option<&str>) -> Self {
        let client = Client::builder().timeout(None).build().expect("client");
        let address = format!("{}/api/v1/changes/stream?{query}", http.origin());
        let mut request = client.get(address).bearer_auth(token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self {
            lines: BufReader::new(response).lines(),
        };
        assert_eq!(stream.block(), Some(vec!["retry: 2000".to_owned()]));
        stream
    }

    /// The lines up to the next empty one; `None` = the stream has ended as it should.
    fn block(&mut self) -> Option<Vec<String>> {
        let mut block = Vec::new();
        loop {
            match self.lines.next() {
                Some(line) => match line.expect("a clean end") {
                    line if line.is_empty() => return Some(block),
                    line => block.push(line),
                },
                None => return None,
            }
        }
    }

    /// The next event with data: id, type and data.
    fn event(&mut self) -> Option<(String, String, Value)> {
        loop {
            let block = self.block()?;
            let field = |name: &str| {
                let lines = block.iter();
                let mut found = lines.filter_map(|line| line.strip_prefix(&format!("{name}: ")));
                found.next().map(str::to_owned)
            };
            if let Some(data) = field("data") {
                let data = serde_json::from_str(&data).expect("JSON");
                return Some((
                    field("id").unwrap_or_default(),
                    field("event").expect("a type"),
                    data,
                ));
            }
        }
    }
}

fn whole(http: &Http) -> String {
    http.token_of(
        "följer allt",
        vec![Grant::of(OwnerScope::All, Role::Administrator)],
    )
}

fn reads(http: &Http) -> String {
    let owner = OwnerKey::new("norrberga").expect("key");
    http.token_of(
        "följer",
        vec![Grant::of(OwnerScope::Owner(owner), Role::Reader)],
    )
}

on_both! {
    using http;

    fn readers_of_the_whole_owner_get_positions(http: Http) {
        let (first, path) = http.organisation("Ett", "2026-01-01");
        let (second, _) = http.organisation("Två", "2026-01-01");
        rename(&http, &path, "Ett och ett halvt");
        let ronja = person(&http, "Ronja", None);
        let (found, last) = all(|| http.admin(), LOG, 1);
        let told: Vec<_> = found.iter().map(|entry| (entry["position"].as_u64().expect("a position"), entry["kind"].as_str().expect("kind"), entry["record"].as_str().expect("record"), entry["version"].as_u64().expect("version"))).collect();
        assert_eq!(told, [(1, "create", first.as_str(), 1), (2, "create", second.as_str(), 1), (3, "replace", first.as_str(), 2), (4, "create", ronja.as_str(), 1)]);
        assert_eq!(last, "4");
        assert_eq!((&found[2]["validFrom"], &found[2]["validTo"], &found[2]["changeKind"]), (&json!("2026-02-01"), &Value::Null, &json!("change")));
        assert!(found[0].get("actor").is_none() && found[0].get("states").is_none() && found[0].get("cursor").is_none());
        // From any position on, whatever the page.
        for after in 0..=4 {
            let page = http.admin().get(&format!("{LOG}&after={after}&limit=100"));
            assert_eq!(items(&page)[..], found[after..], "after {after}");
            assert_eq!((&page.json["_meta"]["after"], &page.json["_meta"]["caughtUp"]), (&json!(4), &json!(true)));
        }
        assert!(items(&http.admin().get(&format!("{LOG}&after=now"))).is_empty());
        // What chooses.
        let count = |choice: &str| items(&http.admin().get(&format!("{LOG}&{choice}"))).len();
        assert_eq!((count("domain=organisation"), count("domain=person,role"), count("kind=create"), count("kind=replace,end"), count(&format!("record={first}")), count(&format!("controller={first}"))), (3, 1, 3, 1, 2, 0));
        let page = http.admin().get(&format!("{LOG}&domain=person"));
        assert_eq!(page.json["_meta"]["after"], 4);
        // The states at each change, as its version shows them.
        let states = http.admin().get(&format!("{LOG}&content=states&record={first}"));
        for (entry, version) in items(&states).iter().zip(1..) {
            let known = http.admin().get(&format!("{path}/versions/{version}"));
            assert_eq!(entry["states"], known.json["items"], "version {version}");
            assert_eq!(entry["actor"], "writer");
        }
        assert_eq!(items(&states)[1]["states"].as_array().map(Vec::len), Some(2));
        // Everything in one answer.
        let lines = http.admin().get(&format!("{LOG}&format=ndjson"));
        lines.expect(200);
        assert_eq!(lines.header("content-type"), "application/x-ndjson");
        let mut lines: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.pop(), Some(json!({"_meta": {"owner": "norrberga", "epoch": 1, "count": 4, "after": 4}})));
        assert_eq!(lines, found);
        // The links lead on.
        let page = http.admin().get(&format!("{LOG}&limit=3&kind=create"));
        let next = page.json["_links"].as_array().expect("links").iter().find(|link| link["rel"] == "next").expect("next")["href"].as_str().expect("href").to_owned();
        assert!(next.contains("kind=create") && next.contains("after=4"), "{next}");
    }

    fn what_makes_no_sense_is_refused(http: Http) {
        http.organisation("Ett", "2026-01-01");
        for (query, code) in [
            ("", "owner-required"),
            ("owner=finns-inte", "unknown-owner"),
            ("owner=%21", "invalid-parameter"),
            ("owner=norrberga&wait=61", "invalid-parameter"),
            ("owner=norrberga&wait=-1", "invalid-parameter"),
            ("owner=norrberga&domain=person,peson", "invalid-parameter"),
            ("owner=norrberga&kind=creat", "invalid-parameter"),
            ("owner=norrberga&record=1", "invalid-id"),
            ("owner=norrberga&controller=x", "invalid-id"),
            ("owner=norrberga&content=all", "invalid-parameter"),
            ("owner=norrberga&format=csv", "invalid-parameter"),
            ("owner=norrberga&format=ndjson&wait=1", "invalid-parameter"),
            ("owner=norrberga&format=ndjson&limit=1", "invalid-parameter"),
            ("owner=norrberga&limit=0", "limit-out-of-range"),
            ("owner=norrberga&after=2", "invalid-cursor"),
            ("owner=norrberga&after=x", "invalid-cursor"),
            ("owner=norrberga&kinds=create", "unknown-parameter"),
        ] {
            let status = if code == "unknown-owner" { 404 } else { 400 };
            http.admin().get(&format!("/changes?{query}")).problem(status, code);
        }
        assert!(http.admin().get(&format!("{LOG}&kind=creat")).json["detail"].as_str().expect("detail").contains("Did you mean create?"));
        for query in ["owner=norrberga&format=json", "owner=norrberga&limit=1", "owner=norrberga&last=1"] {
            http.admin().get(&format!("/changes/stream?{query}")).problem(400, "unknown-parameter");
        }
        http.nobody().get(LOG).problem(401, "unauthenticated");
        http.as_("open-writer").get(LOG).problem(403, "forbidden");
        // Open data: what the model classes as public, for everybody.
        let place = json!({"data": {"name": {"sv": "Torget"}, "kind": "locality"}, "validFrom": "2026-01-01"});
        http.as_("open-writer").post("/geographies", place).expect(201);
        let open = http.nobody().get("/changes?owner=oppen");
        assert_eq!((items(&open).len(), items(&open)[0]["cursor"].is_string()), (1, true));
    }

    fn what_is_hidden_leaves_no_trace(http: Http) {
        let (_, path) = http.organisation("Ett", "2026-01-01");
        let ronja = person(&http, "Ronja", None);
        let before = all(|| http.reader(), LOG, 1).0;
        let lengths = || (1..=3).map(|limit| pages(|| http.reader(), limit)).collect::<Vec<_>>();
        let lengths_before = lengths();
        let birk = person(&http, "Birk", Some("protected-registration"));
        protect(&http, &birk, "local-protection");
        protect(&http, &birk, "protected-registration");
        assert_eq!(bare(&all(|| http.reader(), LOG, 1).0), bare(&before));
        assert_eq!(lengths(), lengths_before);
        assert_eq!(lengths_before[1], [(2, false), (0, true)]);
        rename(&http, &path, "Ett igen");
        // Of whatever size the pages are, they are as they would be without.
        let seen: Vec<_> = (1..=4).map(|limit| bare(&all(|| http.reader(), LOG, limit).0)).collect();
        assert!(seen.iter().all(|one| *one == seen[0]) && seen[0].len() == 3);
        let text = serde_json::to_string(&seen).expect("JSON");
        assert!(!text.contains(&birk) && text.contains(&ronja) && !text.contains("position"));
        assert_eq!(items(&http.admin().get(LOG)).len(), 6);
        let lines = http.reader().get(&format!("{LOG}&format=ndjson&content=states"));
        assert!(!lines.text.contains(&birk) && !lines.text.contains("Birk") && lines.text.contains("Ronja"), "{}", lines.text);
        assert!(items(&http.reader().get(&format!("{LOG}&record={birk}"))).is_empty());
        // Two cursors do not tell whether something lies between them.
        let cursor = || after(&http.reader().get(&format!("{LOG}&after=now")));
        let one = cursor();
        protect(&http, &birk, "confidentiality-marking");
        let other = cursor();
        assert!(one != other && one.len() == other.len());
        assert!(items(&http.reader().get(&format!("{LOG}&after={one}"))).is_empty());
        // One that was changed, or is of another log, is none. A number of the log was given to who was shown the whole.
        let mut forged = one.clone().into_bytes();
        forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("ASCII");
        for wrong in [forged.as_str(), "5x", "-1"] {
            http.reader().get(&format!("{LOG}&after={wrong}")).problem(400, "invalid-cursor");
        }
        http.reader().get(&format!("{LOG}&after=5")).problem(410, "access-changed");
        http.admin().put("/owners/oppen", json!({"name": "oppen", "openData": true})).expect(200);
        http.nobody().get(&format!("/changes?owner=oppen&after={one}")).problem(400, "invalid-cursor");
        // What is shown of persons is logged.
        let entries = http.admin().get("/access-log?kind=export&limit=1000");
        let of_persons = |entry: &&Value| entry["operation"] == "listChanges" && entry["records"].as_array().is_some_and(|records| records.contains(&json!(ronja)));
        assert!(entries.json["items"].as_array().expect("items").iter().filter(of_persons).count() > 5);
        assert!(!entries.text.contains(&birk) || entries.json["items"].as_array().expect("items").iter().filter(|entry| entry["actor"] == "reader").all(|entry| !entry.to_string().contains(&birk)));
        http.stop_logging();
        http.reader().get(LOG).problem(503, "access-log-unavailable");
    }

    fn a_change_of_access_begins_the_feed_anew(http: Http) {
        let (school, _) = http.organisation("Skolnämnden", "2026-01-01");
        http.writer().post("/organisations", json!({"data": {"name": {"sv": "Skolan"}, "kind": "unit"}, "controller": school, "validFrom": "2026-01-01"})).expect(201);
        let owner = OwnerKey::new("norrberga").expect("key");
        let of_school = Grant { controller: ControllerScope::Organisation(school.parse().expect("id")), ..Grant::of(OwnerScope::Owner(owner), Role::Reader) };
        let token = http.token_of("skolan", vec![of_school]);
        let page = http.with_token(&token).get(LOG);
        assert_eq!(items(&page).len(), 1);
        // The cursor of one is good for whoever is shown the same, and for nobody else.
        http.reader().get(&format!("{LOG}&after={}", after(&page))).problem(410, "access-changed");
        http.admin().get(&format!("{LOG}&after={}", after(&page))).problem(410, "access-changed");
        let mine = after(&http.reader().get(LOG));
        assert!(items(&http.with_token(&reads(&http)).get(&format!("{LOG}&after={mine}"))).is_empty());
        let policy = json!({"name": "norrberga", "openData": false, "protection": {"confidentiality-marking": {"sameOwner": "full"}}});
        let put = http.admin().put("/owners/norrberga", policy);
        put.expect(200);
        http.reader().get(&format!("{LOG}&after={mine}")).problem(410, "access-changed");
    }

    fn a_wait_ends_with_what_is_for_the_reader(http: Http) {
        let (_, path) = http.organisation("Ett", "2026-01-01");
        let birk = person(&http, "Birk", Some("protected-registration"));
        let now = after(&http.reader().get(&format!("{LOG}&after=now")));
        std::thread::scope(|scope| {
            let (ready, begun) = mpsc::channel();
            let (http, path, birk) = (&http, &path, &birk);
            let waits = scope.spawn(move || {
                ready.send(()).expect("begun");
                http.reader().get(&format!("{LOG}&after={now}&wait=50"))
            });
            begun.recv().expect("begun");
            // It is not told of this one, nor woken by it.
            protect(http, birk, "local-protection");
            rename(http, path, "Ett igen");
            let answer = waits.join().expect("an answer");
            assert_eq!(items(&answer).len(), 1, "{}", answer.text);
            assert_eq!(items(&answer)[0]["kind"], "replace");
            let now = after(&answer);
            let waits = scope.spawn(move || {
                let begun = Instant::now();
                let answer = http.reader().get(&format!("{LOG}&after={now}&wait=1"));
                (answer, begun.elapsed())
            });
            protect(http, birk, "confidentiality-marking");
            let (answer, waited) = waits.join().expect("an answer");
            assert!(items(&answer).is_empty() && waited >= Duration::from_secs(1), "{waited:?}");
        });
        let waited = Instant::now();
        assert_eq!(items(&http.admin().get(&format!("{LOG}&wait=50"))).len(), 5);
        assert!(items(&http.admin().get(&format!("{LOG}&after=now&wait=0"))).is_empty());
        assert!(waited.elapsed() < Duration::from_secs(40));
    }

    fn a_stream_tells_goes_on_and_ends(http: Http) {
        let (_, path) = http.organisation("Ett", "2026-01-01");
        let (whole, reads) = (whole(&http), reads(&http));
        let mut stream = Stream::open(&http, &whole, "owner=norrberga", None);
        let (id, kind, entry) = stream.event().expect("an event");
        assert_eq!((id.as_str(), kind.as_str(), &entry["position"], &entry["kind"]), ("1", "change", &json!(1), &json!("create")));
        rename(&http, &path, "Ett igen");
        assert_eq!(stream.event().expect("an event").0, "2");
        // Where there is nothing to tell, it says how far it has looked, without data.
        assert_eq!(stream.block(), Some(vec!["id: 2".to_owned()]));
        drop(stream);
        // A client that was cut off goes on where it was, whatever its address says.
        rename(&http, &path, "Ett en gång till");
        let mut again = Stream::open(&http, &whole, "owner=norrberga&after=0", Some("2"));
        assert_eq!(again.event().expect("an event").0, "3");
        let mut hidden = Stream::open(&http, &reads, "owner=norrberga&after=now&content=states", None);
        person(&http, "Birk", Some("protected-registration"));
        rename(&http, &path, "Ett till sist");
        let (cursor, _, entry) = hidden.event().expect("an event");
        assert_eq!((&entry["cursor"], entry["states"].as_array().map(Vec::len)), (&json!(cursor), Some(2)));
        assert_eq!((again.event().expect("an event").0, again.event().expect("an event").0), ("4".to_owned(), "5".to_owned()));
        let mut short = Stream::open(&http, &whole, "owner=norrberga&after=4&wait=0", None);
        assert_eq!(short.event().expect("an event").0, "5");
        assert_eq!(short.event(), None);
        // Streams end with the server, and as they should.
        let ended = std::thread::spawn(move || (again.event(), hidden.event()));
        drop(http);
        assert_eq!(ended.join().expect("the streams"), (None, None));
    }

    fn a_stream_ends_with_the_access_of_its_reader(http: Http) {
        http.organisation("Ett", "2026-01-01");
        let mut stream = Stream::open(&http, &reads(&http), "owner=norrberga", None);
        stream.event().expect("an event");
        let policy = json!({"name": "norrberga", "openData": false, "protection": {"confidentiality-marking": {"sameOwner": "full"}}});
        http.admin().put("/owners/norrberga", policy).expect(200);
        http.organisation("Två", "2026-01-01");
        let (_, kind, data) = stream.event().expect("an event");
        assert_eq!((kind.as_str(), &data["code"]), ("problem", &json!("access-changed")));
        assert_eq!(stream.event(), None);
    }

    fn who_waits_too_often_is_refused(http: Http) {
        http.organisation("Ett", "2026-01-01");
        let token = reads(&http);
        let streams: Vec<Stream> = (0..3).map(|_| Stream::open(&http, &token, "owner=norrberga", None)).collect();
        let refused = http.with_token(&token).get("/changes/stream?owner=norrberga");
        refused.problem(429, "too-many-streams");
        assert_eq!(refused.json["limit"], 3);
        http.with_token(&token).get(&format!("{LOG}&after=now&wait=1")).problem(429, "too-many-streams");
        assert_eq!(items(&http.with_token(&token).get(LOG)).len(), 1);
        // Others are not held up, and a place that is left is free.
        drop(Stream::open(&http, &whole(&http), "owner=norrberga", None));
        drop(streams);
        let begun = Instant::now();
        while http.with_token(&token).get("/changes/stream?owner=norrberga&wait=0").status != 200 {
            assert!(begun.elapsed() < Duration::from_secs(20), "no place became free");
        }
    }
}
