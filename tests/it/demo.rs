//! `grunddata demo` as a newcomer runs it: the data promised, past and planned, on both databases.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use chrono::NaiveDate;
use grunddata_model::Domain;
use grunddata_seeds::{NORRBERGA, SCB, SeedAction, Seeds, seed_id};
use grunddata_testing::{Database, on_both};
use serde_json::Value;
use uuid::Uuid;

use crate::program::{self, Program};

/// Making the data takes seconds in a release build and a while in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

on_both! {
    fn the_demo_holds_what_it_promises(db: Database) {
        let directory = tempfile::tempdir().unwrap();
        let token_file = directory.path().join("token");
        let data = directory.path().to_str().unwrap();
        let arguments = ["demo", "--data", data, "--database", &db.url, "--token-file", token_file.to_str().unwrap()];
        let program = Program::start(&arguments, PATIENCE);
        let token = std::fs::read_to_string(&token_file).unwrap();
        let token = token.trim();
        assert!(program.said().contains(token), "the admin token is printed");
        let first = counts(&program, token);
        assert_eq!(first, promised());
        areas_change_codes(&program, token);
        the_reorganisation_is_planned(&program, token);
        numbers_are_asked_for_in_every_way(&program, token);
        assert!(program.stop().success());

        // A second run finds its data.
        let program = Program::start(&arguments, Duration::from_secs(60));
        assert_eq!(counts(&program, token), first);
        let held = program.get(token, &format!("/roles?owner={NORRBERGA}&kind=pupil&validAt=2026-11-21&limit=1"));
        let person = held["items"][0]["data"]["person"]["id"].as_str().unwrap().to_owned();
        assert!(program.stop().success());
        what_the_law_asks_for_is_done_at_the_console(&db.url, directory.path(), &person);
        // All of it, what was erased included.
        program::assert_verified(&db.url);
    }
}

/// The register extract of a pupil, as data and as a page; and employments that ended more than a year ago, erased by a rule,
/// a plan that was looked at, and the command that it prints.
fn what_the_law_asks_for_is_done_at_the_console(url: &str, directory: &Path, person: &str) {
    let done = |arguments: &[&str]| {
        let output = program::run(&[arguments, &["--database", url]].concat());
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        (String::from_utf8(output.stdout).unwrap(), complaint)
    };
    let (text, _) = done(&["extract-person", person]);
    let extract: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(extract["person"], person);
    let records: Vec<&Value> = extract["controllers"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|controller| controller["records"].as_array().unwrap())
        .collect();
    assert!(
        records.iter().any(|record| record["id"] == person),
        "{text}"
    );
    assert!(
        records.iter().any(|record| record["domain"] == "role"),
        "{text}"
    );
    assert!(
        !extract["readers"].as_array().unwrap().is_empty(),
        "the list of roles named the pupil: {text}"
    );
    let page = directory.join("extract.html");
    done(&["extract-person", person, "--html", page.to_str().unwrap()]);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("Registerutdrag") && html.contains(person));

    let decided = [
        "--decision",
        "Gallras vid avslut",
        "--reference",
        "KS 2026/1",
    ];
    let rule = ["retention", "rule", "add", NORRBERGA, "--domain", "role"];
    let kind = ["--kind", "employment", "--erase-after", "1"];
    done(&[&rule[..], &kind, &decided].concat());
    let (plan, next) = done(&["retention", "plan", NORRBERGA]);
    let due: Vec<&str> = plan
        .lines()
        .filter_map(|line| line.strip_prefix("erase "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(!due.is_empty(), "{plan}{next}");
    let words: Vec<&str> = next.split_whitespace().collect();
    let told = words.iter().position(|word| *word == "--plan").unwrap();
    let (report, _) = done(&["retention", "run", NORRBERGA, "--plan", words[told + 1]]);
    assert!(!report.is_empty());
    let (again, _) = done(&["retention", "plan", NORRBERGA]);
    assert!(!due.iter().any(|id| again.contains(id)), "{again}");
    let (log, _) = done(&["log", "search", "--kind", "erasure"]);
    assert!(
        log.contains(due[0]) && log.contains("retention-run"),
        "{log}"
    );
}

/// With numbers of the data, well and badly: none of them may stand in the log, which is looked through at the end.
fn numbers_are_asked_for_in_every_way(program: &Program, token: &str) {
    let list = std::fs::read_to_string(
        xtask::structure::root().join("seeds/test-personal-identity-numbers.txt"),
    )
    .unwrap();
    for number in list.lines().step_by(4_000) {
        for path in [
            format!("/records?identifier=se-personal-identity-number:{number}"),
            format!("/persons?identifier=se-personal-identity-number:{number}"),
            format!("/persons?q={number}"),
            format!("/persons/{number}"),
            format!("/persons?{number}=1"),
        ] {
            let asked = program
                .client()
                .get(program.url(&path))
                .bearer_auth(token)
                .send();
            assert!(!asked.unwrap().status().is_server_error(), "{path}");
        }
        let person = serde_json::json!({"owner": NORRBERGA, "data": {"name": {"full": number}, "identifiers": [
            {"scheme": "se-personal-identity-number", "value": number}, {"scheme": number, "value": number},
        ]}});
        let wanted = serde_json::json!({"identifiers": [{"scheme": "se-personal-identity-number", "value": number}]});
        let search =
            serde_json::json!({"identifier": format!("se-personal-identity-number:{number}")});
        for (path, body) in [
            ("/persons", person),
            ("/records/lookup", wanted),
            ("/persons/search", search),
        ] {
            let asked = program
                .client()
                .post(program.url(path))
                .bearer_auth(token)
                .json(&body)
                .send();
            assert!(!asked.unwrap().status().is_server_error(), "{path}");
        }
    }
}

/// Owner, domain, day, kind: what is counted over HTTP and from the seeds alike.
fn questions() -> Vec<(&'static str, Domain, &'static str, Option<&'static str>)> {
    let today = "2026-11-21";
    vec![
        (NORRBERGA, Domain::Person, today, None),
        (NORRBERGA, Domain::Role, today, None),
        (NORRBERGA, Domain::Role, today, Some("pupil")),
        (NORRBERGA, Domain::Role, "2027-02-01", None),
        (NORRBERGA, Domain::Organisation, today, None),
        (NORRBERGA, Domain::Organisation, "2027-02-01", None),
        (NORRBERGA, Domain::Service, today, None),
        (SCB, Domain::Organisation, today, Some("municipality")),
        (SCB, Domain::Organisation, today, Some("region")),
        (SCB, Domain::Organisation, today, Some("state-agency")),
        (SCB, Domain::Geography, today, Some("county")),
        (SCB, Domain::Geography, today, Some("municipality")),
        (
            SCB,
            Domain::Geography,
            today,
            Some("demographic-statistical-area"),
        ),
        (SCB, Domain::Geography, "2002-12-31", Some("municipality")),
    ]
}

fn counts(program: &Program, token: &str) -> Vec<usize> {
    questions()
        .into_iter()
        .map(|(owner, domain, day, kind)| {
            let kind = kind.map(|kind| format!("&kind={kind}")).unwrap_or_default();
            let collection = domain.collection();
            let page = program.get(
                token,
                &format!("/{collection}?owner={owner}&validAt={day}{kind}&count=exact&limit=1"),
            );
            usize::try_from(page["_meta"]["totalRecords"].as_u64().unwrap()).unwrap()
        })
        .collect()
}

/// The same, computed from the transactions that the demo writes.
fn promised() -> Vec<usize> {
    struct Life {
        owner: &'static str,
        domain: Domain,
        kind: Value,
        from: NaiveDate,
        to: NaiveDate,
    }
    let mut records: HashMap<Uuid, Life> = HashMap::new();
    for transaction in Seeds::load().unwrap().transactions().unwrap() {
        for operation in transaction.operations {
            match operation.action {
                SeedAction::Create {
                    data,
                    valid_from,
                    valid_to,
                    ..
                } => {
                    let (from, to) = (valid_from.start(), valid_to.end());
                    let kind = data["kind"].clone();
                    let life = Life {
                        owner: transaction.owner,
                        domain: operation.domain,
                        kind,
                        from,
                        to,
                    };
                    records.insert(operation.id, life);
                }
                SeedAction::Amend { .. } => {}
                SeedAction::End { valid_from } => {
                    records.get_mut(&operation.id).unwrap().to = valid_from
                }
            }
        }
    }
    questions()
        .into_iter()
        .map(|(owner, domain, day, kind)| {
            let day: NaiveDate = day.parse().unwrap();
            records
                .values()
                .filter(|life| {
                    (life.owner, life.domain) == (owner, domain)
                        && life.from <= day
                        && day < life.to
                })
                .filter(|life| kind.is_none_or(|kind| life.kind == kind))
                .count()
        })
        .collect()
}

/// Heby moved from Västmanland (1917) to Uppsala (0331) on 2007-01-01: one record, two codes, two counties.
fn areas_change_codes(program: &Program, token: &str) {
    let found = |code: &str, day: &str| {
        program.get(token, &format!("/geographies?identifier=se-municipality-code:{code}&validAt={day}&kind=municipality"))
    };
    let ids = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let heby = seed_id(Domain::Geography, "municipality/0331").to_string();
    let (before, after) = (found("1917", "2006-12-31"), found("0331", "2007-01-01"));
    assert_eq!(ids(&before), [heby.as_str()]);
    assert_eq!(ids(&after), [heby.as_str()]);
    assert_eq!(ids(&found("0331", "2006-12-31")), [""; 0]);
    assert_eq!(ids(&found("1917", "2007-01-01")), [""; 0]);
    assert_eq!(before["items"][0]["validTo"], "2007-01-01");
    let county = |page: &Value| {
        page["items"][0]["data"]["within"][0]["display"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(
        county(&before).contains("Västmanland"),
        "{}",
        county(&before)
    );
    assert!(county(&after).contains("Uppsala"), "{}", county(&after));
}

/// From 2027-01-01 the administration is split and a unit has another parent; until then nothing has changed.
fn the_reorganisation_is_planned(program: &Program, token: &str) {
    let [split, moved] = ["sof", "aldreomsorg"]
        .map(|unit| seed_id(Domain::Organisation, &format!("norrberga/{unit}")));
    let status = |id: Uuid, day: &str| {
        let url = program.url(&format!("/organisations/{id}?validAt={day}"));
        program
            .client()
            .get(url)
            .bearer_auth(token)
            .send()
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status(split, "2026-12-31"), 200);
    assert_eq!(status(split, "2027-02-01"), 404);
    let parent = |day: &str| {
        let unit = program.get(token, &format!("/organisations/{}?validAt={day}", moved));
        unit["data"]["parent"]["id"].as_str().unwrap().to_owned()
    };
    assert_ne!(parent("2026-12-31"), parent("2027-02-01"));
    // What was known before the decision does not know of the plan.
    let early = program.get(
        token,
        &format!(
            "/organisations/{}?validAt=2027-02-01&knownAt=2026-09-01T00:00:00Z",
            moved
        ),
    );
    assert_eq!(early["data"]["parent"]["id"], parent("2026-12-31"));
}
