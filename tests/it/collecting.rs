//! Files that come by themselves, with the real binary: a live SS 12000 server that is pulled, a folder that is watched, and
//! loads that are taken up again after the server was ended in the middle.

use std::io::Write as _;
use std::time::{Duration, Instant};

use grunddata_pull::server::{Behaviour, Server};
use grunddata_testing::{Engine, on_both};
use serde_json::{Value, json};

use crate::desk::{Desk, UNITS};
use crate::program::{self, Program};

const PATIENCE: Duration = Duration::from_secs(90);
const SCHOOL: &str = "00000000-0000-4000-8000-0000000000a1";
const PERSON: &str = "00000000-0000-4000-8000-0000000000b1";
const OWNER: &str = "se-2480";

fn desk(engine: Engine) -> Desk {
    let mut desk = Desk::new(engine);
    for folder in ["in", "elsewhere"] {
        std::fs::create_dir(desk.path(folder)).expect("a folder");
    }
    desk.write("skola.token", "hemlig\n");
    desk.write("units.toml", UNITS);
    let settings = format!(
        "uploads = '{uploads}'\n[collect]\npoll_seconds = 1\nhttp_loopback = true\n\
         [[collect.reaches]]\nowner = '{OWNER}'\nfolders = ['{folder}']\n\
         [[collect.tokens]]\nname = 'skola'\nowner = '{OWNER}'\nhost = '127.0.0.1'\nfile = '{token}'\n\
         [loads]\nlease_seconds = 2\n",
        uploads = desk.path("uploads"),
        folder = desk.path("in"),
        token = desk.path("skola.token"),
    );
    desk.configure(&settings);
    desk.done(&["migrate"]);
    desk.done(&["owner", "add", OWNER, "--name", "Umeå kommun"]);
    desk.token = desk
        .done(&[
            "token",
            "create",
            "--name",
            "hr",
            "--grant",
            "se-2480:administrator",
        ])
        .trim()
        .to_owned();
    desk
}

impl Desk {
    fn serve(&self) -> Program {
        Program::start(&self.arguments(&["serve"]), PATIENCE)
    }

    fn put(&self, key: &str, settings: &str, mapping: &str) {
        self.write("source.toml", settings);
        let file = self.path("source.toml");
        self.done(&[
            "source",
            "put",
            key,
            "--owner",
            OWNER,
            "--settings",
            &file,
            "--mapping",
            mapping,
        ]);
    }

    fn loads(&self) -> Vec<String> {
        let list = self.done(&["loads", "list", OWNER]);
        list.lines().map(str::to_owned).collect()
    }

    fn shown(&self, load: &str) -> String {
        let id = load.split_whitespace().next().expect("an id");
        self.done(&["loads", "show", OWNER, id])
    }

    /// The names in a folder.
    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(folder))
            .map(|entries| {
                entries
                    .flatten()
                    .filter(|entry| entry.path().is_file())
                    .map(|entry| entry.file_name().to_string_lossy().into_owned())
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        names
    }
}

/// Waits until something is so.
#[track_caller]
fn until(program: &Program, what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(
            begun.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}\n{}",
            program.said()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn units(count: usize) -> String {
    let mut file = "Kod;Namn;Från\n".to_owned();
    for number in 0..count {
        file.push_str(&format!("{number};Enhet {number};2026-01-01\n"));
    }
    file
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).expect("written");
    packed.finish().expect("packed")
}

/// An object as the server tells when it was changed.
fn object(mut object: Value, modified: &str) -> Value {
    object["meta"] = json!({"created": "2026-01-01T00:00:00Z", "modified": modified});
    object
}

fn person(name: &str, modified: &str) -> Value {
    let enrolment = json!({"enroledAt": {"id": SCHOOL}, "schoolType": "GR", "startDate": "2022-08-15", "cancelled": false});
    object(
        json!({"id": PERSON, "givenName": name, "familyName": "Ek", "personStatus": "Aktiv", "enrolments": [enrolment]}),
        modified,
    )
}

fn school() -> Server {
    let early = "2026-11-01T08:00:00Z";
    let server = Server::start("hemlig").expect("a server");
    for (list, value) in [
        (
            "organisations",
            json!({"id": "00000000-0000-4000-8000-0000000000a0", "displayName": "Björkvik", "organisationType": "Huvudman", "organisationNumber": "212999-9997"}),
        ),
        (
            "organisations",
            json!({"id": SCHOOL, "displayName": "Björkskolan", "organisationType": "Skolenhet", "schoolUnitCode": "12345678",
                "parentOrganisation": {"id": "00000000-0000-4000-8000-0000000000a0"}}),
        ),
        (
            "duties",
            json!({"id": "00000000-0000-4000-8000-0000000000d1", "person": {"id": PERSON}, "dutyAt": {"id": SCHOOL}, "dutyRole": "Lärare", "startDate": "2026-01-01"}),
        ),
        (
            "groups",
            json!({"id": "00000000-0000-4000-8000-0000000000e1", "displayName": "3A", "groupType": "Klass", "startDate": "2025-08-18", "organisation": {"id": SCHOOL},
                "groupMemberships": [{"person": {"id": PERSON}}]}),
        ),
        (
            "placements",
            json!({"id": "00000000-0000-4000-8000-0000000000f1", "child": {"id": PERSON}, "placedAt": {"id": SCHOOL}, "schoolType": "FTH", "startDate": "2025-08-18"}),
        ),
    ] {
        server.put(list, object(value, early));
    }
    server.put("persons", person("Åsa", "2026-11-02T08:00:00Z"));
    server
}

on_both! {
    using desk;

    /// The show: everything comes from the live server by itself, the second time there is nothing new, then what has
    /// changed alone.
    fn a_school_server_is_pulled_and_pulled_again(desk: Desk) {
        let school = school();
        let settings = format!(
            "title = 'Skolsystemet'\ndomains = ['person', 'role', 'organisation']\n[schedule]\neveryHours = 24\n[authoritative]\nends = true\n\
             [collect]\nss12000 = '{}'\ntoken = 'skola'\nevery = '24h'\nkind = 'delta'\napply = 'unless-stopped'\n",
            school.address()
        );
        desk.put("skola", &settings, "ready:ss12000");
        let server = desk.serve();
        until(&server, "the first pull", || desk.loads().iter().any(|load| load.contains("applied  ss12000.zip")));
        let first = desk.loads();
        assert_eq!(first.len(), 1, "{first:?}");
        let told = desk.shown(&first[0]);
        assert!(told.contains("to create") && !told.contains("rejected") && !told.contains("conflict"), "{told}");
        let state = || server.get(&desk.token, "/sources/skola?owner=se-2480");
        until(&server, "it is noted", || state()["state"]["collect"]["triedAt"].is_string());
        let state = state();
        assert_eq!((&state["state"]["collect"]["failures"], &state["state"]["silentSince"]), (&json!(0), &Value::Null));
        assert!(state["state"]["collect"]["nextAt"].is_string(), "{state}");
        let people = server.get(&desk.token, "/persons?count=exact");
        assert_eq!(people["_meta"]["totalRecords"], 1, "{people}");
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(desk.loads().len(), 1, "not before the next time");
        // Nothing has changed: the server tells nothing that has, and no record is touched.
        drop(school.requests());
        let again = desk.done(&["source", "collect", "skola"]);
        assert!(again.contains("delta of ss12000-delta.zip") && again.contains("no rows"), "{again}");
        let asked = school.requests();
        assert!(asked.iter().any(|path| path.contains("meta.modified.after=2026-11-02T07")), "{asked:?}");
        // A name changes.
        school.put("persons", person("Åse", "2026-11-03T08:00:00Z"));
        let changed = desk.done(&["source", "collect", "skola", "--dry-run"]);
        assert!(changed.contains("1 to change"), "{changed}");
        std::thread::sleep(Duration::from_secs(3));
        assert!(desk.loads()[0].contains("planned"), "a trial is applied by nobody: {:?}", desk.loads());
        let changed = desk.done(&["source", "collect", "skola"]);
        assert!(changed.contains("1 rows applied"), "{changed}");
        let people = server.get(&desk.token, "/persons");
        assert!(people.to_string().contains("Åse"), "{people}");
        // Somebody leaves a group: the group has changed, and names those that it has.
        let group = |members: Value, modified: &str| object(json!({"id": "00000000-0000-4000-8000-0000000000e1", "displayName": "3A", "groupType": "Klass",
            "startDate": "2025-08-18", "organisation": {"id": SCHOOL}, "groupMemberships": members}), modified);
        school.put("groups", group(json!([]), "2026-11-04T08:00:00Z"));
        let left = desk.done(&["source", "collect", "skola"]);
        assert!(left.contains("delta of ss12000-delta.zip") && left.contains("1 to end") && left.contains("1 rows applied"), "{left}");
        school.put("groups", group(json!([{"person": {"id": PERSON}}]), "2026-11-04T09:00:00Z"));
        let back = desk.done(&["source", "collect", "skola"]);
        assert!(back.contains("1 rows applied"), "{back}");
        // Whatever it says is told, and nothing that is secret.
        school.behave(Behaviour::Garbage);
        let page = desk.failed(&["source", "collect", "skola"]);
        assert!(page.contains("is a page (HTML or XML) and no JSON"), "{page}");
        school.behave(Behaviour::Status(500, 1_000));
        let failed = desk.failed(&["source", "collect", "skola"]);
        assert!(failed.contains("status 500") && !failed.contains("hemlig"), "{failed}");
        assert!(desk.done(&["source", "list"]).contains("cannot be collected: Organisations: the server answers with status 500"));
        assert!(desk.failed(&["source", "check"]).contains("skola"));
        // A server that cannot tell changes tells everything.
        school.behave(Behaviour::NoChanges);
        let whole = desk.done(&["source", "collect", "skola"]);
        assert!(whole.contains("full of ss12000.zip") && whole.contains("no rows"), "{whole}");
        assert!(desk.done(&["source", "check"]).contains("Every source"));
        assert!(!server.said().contains("hemlig"));
        let metrics = server.client().get(server.root("/metrics")).send().expect("metrics").text().expect("text");
        assert!(metrics.contains("grunddata_sources_silent 0"), "{metrics}");
        assert!(server.stop().success());
        program::assert_verified(&desk.db.url);
    }

    /// What comes of a file at an address: by itself, compressed, on the third attempt, and whatever else a server does.
    fn a_file_at_an_address_is_collected(desk: Desk) {
        let files = Server::start("hemlig").expect("a server");
        let elsewhere = Server::start("hemlig").expect("a server");
        let put = |count: usize| files.put_file("org.csv", gzip(&units(count)));
        put(30);
        let settings = format!(
            "title = 'Organisationsträdet'\ndomains = ['organisation']\n[authoritative]\nends = true\n\
             [collect]\nurl = '{}'\ntoken = 'skola'\nevery = '24h'\napply = 'unless-stopped'\n",
            files.file_address("org.csv")
        );
        desk.put("org", &settings, &desk.path("units.toml"));
        let server = desk.serve();
        until(&server, "the first pull", || desk.loads().iter().any(|load| load.contains("applied") && load.contains("30 of 30")));
        let state = || server.get(&desk.token, "/sources/org?owner=se-2480")["state"]["collect"].clone();
        until(&server, "it is noted", || state()["triedAt"].is_string());
        assert!(state()["nextAt"].is_string());
        // The same again is nothing new: it is not even sent, no load is made, and the source has been heard from.
        let (loads, heard) = (desk.loads().len(), || server.get(&desk.token, "/sources/org?owner=se-2480")["state"]["lastHeard"].clone());
        let before = heard();
        let again = desk.done(&["source", "collect", "org"]);
        assert!(again.contains("is as the last one"), "{again}");
        assert_eq!(desk.loads().len(), loads);
        assert!(heard().as_str() > before.as_str(), "{before} {}", heard());
        // By when it was changed, from a server that gives no tags.
        files.behave(Behaviour::NoTags);
        let again = desk.done(&["source", "collect", "org"]);
        assert!(again.contains("no rows"), "what has no such tag is sent: {again}");
        let again = desk.done(&["source", "collect", "org"]);
        assert!(again.contains("is as the last one"), "{again}");
        // Other settings may make something else of the same file.
        desk.put("org", &settings.replace("Organisationsträdet", "Trädet"), &desk.path("units.toml"));
        let again = desk.done(&["source", "collect", "org"]);
        assert!(again.contains("no rows"), "{again}");
        files.behave(Behaviour::Healthy);
        // Busy twice: the third attempt succeeds.
        put(31);
        drop(files.requests());
        files.behave(Behaviour::Status(503, 2));
        let third = desk.done(&["source", "collect", "org"]);
        assert!(third.contains("1 rows applied"), "{third}");
        assert_eq!(files.requests().len(), 3);
        // Busy for good, broken off, elsewhere, something else: told, and nothing of it is taken for the file.
        let loads = desk.loads().len();
        for (behaviour, why) in [
            (Behaviour::Status(503, 1_000), "status 503"),
            (Behaviour::Status(404, 1_000), "status 404"),
            (Behaviour::Down, "no answer"),
            (Behaviour::Short(100), "no answer"),
            (Behaviour::Redirect(elsewhere.file_address("org.csv")), "status 302"),
        ] {
            files.behave(behaviour.clone());
            let failed = desk.failed(&["source", "collect", "org"]);
            assert!(failed.to_lowercase().contains(why) && !failed.contains("hemlig"), "{behaviour:?}: {failed}");
            assert!(state()["failures"].as_u64() > Some(0), "{}", state());
        }
        assert_eq!(desk.loads().len(), loads, "{:?}", desk.loads());
        assert!(elsewhere.requests().is_empty(), "nobody was sent on");
        files.behave(Behaviour::Garbage);
        let page = desk.failed(&["source", "collect", "org"]);
        assert!(page.contains("a page of HTML in the place of org.csv"), "{page}");
        assert_eq!(desk.loads().len(), loads, "no load is made of it");
        let units = server.get(&desk.token, "/organisations?count=exact");
        assert_eq!(units["_meta"]["totalRecords"], 31, "{units}");
        files.behave(Behaviour::Healthy);
        let found = desk.done(&["source", "collect", "org"]);
        assert!(found.contains("is as the last one"), "{found}");
        assert_eq!(state()["failures"], 0);
        assert!(server.stop().success());
        program::assert_verified(&desk.db.url);
    }

    fn what_sources_may_not_reach_is_not_reached(desk: Desk) {
        let school = school();
        let source = |collect: &str| format!("title = 'S'\ndomains = ['person', 'role', 'organisation']\n[collect]\n{collect}\n");
        let address = school.address();
        for (collect, why) in [
            (format!("ss12000 = '{address}'\ntoken = 'other'\nevery = '1h'"), "no token"),
            (format!("ss12000 = '{}'\nevery = '1h'", address.replace("127.0.0.1", "192.0.2.7")), "https"),
            ("ss12000 = 'https://192.0.2.7/v2.0'\nevery = '1h'".to_owned(), "host is not among those"),
            (format!("folder = '{}'", desk.path("elsewhere")), "not among those"),
            (format!("folder = '{}/../elsewhere'", desk.path("in")), "not among those"),
            ("folder = '/etc'".to_owned(), "not among those"),
        ] {
            desk.put("s", &source(&collect), "ready:ss12000");
            let refused = desk.failed(&["source", "collect", "s"]);
            assert!(refused.contains(why), "{collect}: {refused}");
        }
        assert!(school.requests().is_empty(), "nobody was asked");
        std::os::unix::fs::symlink(desk.path("elsewhere"), desk.path("in/out")).expect("a link");
        desk.put("s", &source(&format!("folder = '{}'", desk.path("in/out"))), "ready:ss12000");
        assert!(desk.failed(&["source", "collect", "s"]).contains("not among those"));
        assert!(desk.names("elsewhere").is_empty());
        assert!(desk.loads().is_empty());
    }

    fn a_watched_folder_is_emptied(desk: Desk) {
        let settings = |more: &str| format!(
            "title = 'Organisationsträdet'\ndomains = ['organisation']\n[authoritative]\nends = true\n[collect]\nfolder = '{}'\npattern = 'org*.csv'\n{more}",
            desk.path("in")
        );
        let mapping = desk.path("units.toml");
        desk.put("org", &settings("marker = '.done'\napply = 'unless-stopped'\n"), &mapping);
        let server = desk.serve();
        desk.write("in/org-1.csv", &units(30));
        desk.write("in/other.csv", "is not meant");
        std::thread::sleep(Duration::from_secs(3));
        assert!(desk.loads().is_empty(), "it has no marker yet");
        desk.write("in/org-1.csv.done", "");
        until(&server, "the file is loaded and put away", || desk.names("in") == ["other.csv"]);
        let loads = desk.loads();
        assert!(loads.len() == 1 && loads[0].contains("applied  org-1.csv  30 of 30"), "{loads:?}");
        let id = loads[0].split_whitespace().next().expect("an id").to_owned();
        assert_eq!(desk.names("in/done"), [format!("{id}-org-1.csv")]);
        // The same again is no load.
        desk.write("in/org-2.csv", &units(30));
        desk.write("in/org-2.csv.done", "");
        until(&server, "the same file is put away", || desk.names("in") == ["other.csv"]);
        assert_eq!(desk.loads().len(), 1);
        assert_eq!(desk.names("in/done").len(), 2);
        // What cannot be read goes elsewhere, and says why.
        desk.write("in/org-3.csv", "");
        desk.write("in/org-3.csv.done", "");
        until(&server, "the empty file is put away", || !desk.names("in/failed").is_empty());
        assert!(desk.names("in/failed")[0].ends_with("-org-3.csv"));
        assert!(desk.shown(&desk.loads()[0]).contains("is empty"));
        // Much less than before: a guard stops it, and the next file waits until somebody has decided.
        desk.write("in/org-4.csv", &units(3));
        desk.write("in/org-4.csv.done", "");
        until(&server, "the short file is put away", || desk.names("in/done").len() == 3);
        assert!(desk.loads()[0].contains("stopped  org-4.csv"), "{:?}", desk.loads());
        desk.write("in/org-5.csv", &units(31));
        desk.write("in/org-5.csv.done", "");
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(desk.loads().len(), 3, "one at a time");
        let stopped = desk.loads()[0].split_whitespace().next().expect("an id").to_owned();
        desk.done(&["loads", "cancel", OWNER, &stopped]);
        until(&server, "the next file is loaded", || desk.loads()[0].contains("applied  org-5.csv  1 of 1"));
        until(&server, "and put away", || desk.names("in") == ["other.csv"]);
        assert!(desk.names("uploads").is_empty(), "{:?}", desk.names("uploads"));
        // A link is refused, and says so.
        desk.write("elsewhere/secret.csv", &units(40));
        std::os::unix::fs::symlink(desk.path("elsewhere/secret.csv"), desk.path("in/org-6.csv")).expect("a link");
        until(&server, "the link is refused", || desk.done(&["source", "list"]).contains("is a link"));
        std::fs::remove_file(desk.path("in/org-6.csv")).expect("removed");
        assert!(server.stop().success());
        // Where nobody has said otherwise a plan waits, and somebody else approves it where that is wanted.
        desk.put("org", &settings("marker = '.done'\n"), &mapping);
        desk.write("in/org-7.csv", &units(32));
        desk.write("in/org-7.csv.done", "");
        let planned = desk.done(&["source", "collect", "org"]);
        assert!(planned.contains("1 to create") && planned.contains("Apply it with"), "{planned}");
        assert!(desk.failed(&["source", "collect", "org"]).contains("nothing more is collected"));
        let waiting = desk.loads()[0].split_whitespace().next().expect("an id").to_owned();
        desk.done(&["loads", "apply", OWNER, &waiting]);
        let both = settings("marker = '.done'\napply = 'unless-stopped'\n").replace("[authoritative]", "approval = 'other-person'\n[authoritative]");
        desk.put("org", &both, &mapping);
        desk.write("in/org-8.csv", &units(33));
        desk.write("in/org-8.csv.done", "");
        assert!(desk.done(&["source", "collect", "org"]).contains("Somebody else has to approve it"));
        let waiting = desk.loads()[0].split_whitespace().next().expect("an id").to_owned();
        desk.done(&["loads", "approve", OWNER, &waiting, "--as", "anna"]);
        let server = desk.serve();
        until(&server, "what is approved is applied", || desk.loads()[0].contains("applied  org-8.csv  1 of 1"));
        assert!(server.stop().success());
        program::assert_verified(&desk.db.url);
    }

    /// The server is killed and stopped while it plans and while it applies: the next one goes on.
    fn a_load_goes_on_after_the_server_was_ended(desk: Desk) {
        const UNITS: usize = 6_000;
        let settings = "title = 'Organisationsträdet'\ndomains = ['organisation']\n";
        desk.put("org", settings, &desk.path("units.toml"));
        let send = |server: &Program, path: &str, body: String| -> Value {
            let answer = server.client().post(server.url(path)).bearer_auth(&desk.token).header("prefer", "wait=0").body(body).send().expect("an answer");
            let status = answer.status();
            let text = answer.text().expect("text");
            assert!(status.is_success(), "{path}: {status}\n{text}");
            serde_json::from_str(&text).expect("JSON")
        };
        for kills in [true, false] {
            let server = desk.serve();
            let name = if kills { "kill" } else { "stop" };
            let content = units(UNITS).replace("Enhet", name);
            let load = send(&server, "/sources/org/loads?owner=se-2480&kind=full&name=org.csv", content);
            assert_eq!(load["status"], "planning");
            let id = load["id"].as_str().expect("an id").to_owned();
            let end = |server: Program| if kills { server.kill() } else { assert!(server.stop().success()) };
            end(server);
            assert!(desk.loads()[0].contains("planning"), "{:?}", desk.loads());
            let path = format!("/loads/{id}?owner=se-2480");
            let server = desk.serve();
            until(&server, "the plan is made", || server.get(&desk.token, &path)["status"] != "planning");
            let planned = server.get(&desk.token, &path);
            let rows = &planned["counts"][if kills { "create" } else { "change" }];
            assert_eq!((rows, &planned["rows"]), (&json!(UNITS), &json!(UNITS)), "{planned}");
            if planned["status"] == "stopped" {
                desk.done(&["loads", "override", OWNER, &id, "--guard", "changes", "--reason", "Nya namn"]);
            }
            until(&server, "the file is gone", || desk.names("uploads").is_empty());
            send(&server, &format!("/loads/{id}/application?owner=se-2480"), String::new());
            until(&server, "some of it is applied", || server.get(&desk.token, &path)["batches"].as_u64() > Some(1));
            end(server);
            assert!(desk.loads()[0].contains("applying"), "{:?}", desk.loads());
            let server = desk.serve();
            until(&server, "the rest is applied", || server.get(&desk.token, &path)["status"] == "applied");
            let applied = server.get(&desk.token, &path);
            assert_eq!((&applied["counts"]["applied"], &applied["done"], &applied["failed"]), (&json!(UNITS), &json!(UNITS), &Value::Null));
            assert!(server.stop().success());
            program::assert_verified(&desk.db.url);
        }
    }
}
