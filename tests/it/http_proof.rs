//! The proof that the predicate holds, over HTTP: no byte of any answer, headers included, holds what the rules say that
//! the reader may not see, and a hidden id is answered byte for byte like one that does not exist.

#[path = "../../crates/registry/tests/it/proof/rules.rs"]
#[allow(
    dead_code,
    reason = "shared with the proof at the registry, which needs all of it"
)]
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use grunddata_information_model::PrivacyClass;
use grunddata_model::OwnerKey;
use grunddata_registry::{ControllerScope, Grant, OwnerScope, Role};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::http_records::server::{Answer, Caller, Http, TODAY};
use rules::{
    Controllers, Decided, INTERNAL, LEVELS, Made, Mark, PERSONAL, PUBLIC, Right, Shown, World,
    written,
};

const ABSENT: &str = "01990c3e-0000-7000-8000-00000000dead";

struct Built {
    world: World,
    controllers: Vec<String>,
}

fn collection(domain: &str) -> &'static str {
    match domain {
        "person" => "persons",
        "role" => "roles",
        "organisation" => "organisations",
        "geography" => "geographies",
        _ => "services",
    }
}

struct Builder<'h> {
    http: &'h Http,
    world: World,
}

impl Builder<'_> {
    fn mark(
        &mut self,
        property: &'static str,
        class: usize,
        name: bool,
        identified: &[usize],
    ) -> String {
        let record = self.world.records.len();
        self.world.marks.make(Mark {
            record,
            property,
            class,
            name,
            level: 0,
            identified: identified.to_vec(),
        })
    }

    fn add(&mut self, domain: &'static str, controller: Option<&String>, data: &Value) -> usize {
        let mut body = json!({"owner": "norrberga", "data": data, "validFrom": "2020-01-01"});
        if let Some(controller) = controller {
            body["controller"] = json!(controller);
        }
        let made = self
            .http
            .admin()
            .post(&format!("/{}", collection(domain)), body);
        made.expect(201);
        self.world.records.push(Made {
            id: made.json["id"].as_str().expect("id").to_owned(),
            owner: "norrberga".to_owned(),
            controller: controller.cloned(),
            domain,
            ..Made::default()
        });
        self.world.records.len() - 1
    }

    fn id(&self, record: usize) -> Value {
        json!({"id": self.world.records[record].id})
    }
}

fn build(http: &Http) -> Built {
    let policy = json!({
        "local-protection": {"sameController": "full", "sameOwner": "name-only", "outside": "placeholder"},
        "confidentiality-marking": {"sameOwner": "name-only"},
    });
    http.admin()
        .put(
            "/owners/norrberga",
            json!({"name": "norrberga", "openData": true, "protection": policy}),
        )
        .expect(200);
    let mut builder = Builder {
        http,
        world: World {
            today: TODAY.to_owned(),
            ..World::default()
        },
    };
    let mut decided = Decided::by_default(true);
    decided.forms[0] = [Shown::Whole, Shown::Name, Shown::Place];
    decided.forms[1][1] = Shown::Name;
    builder.world.owners.insert("norrberga".to_owned(), decided);
    let mut organisations = Vec::new();
    for number in 0..6 {
        let name = builder.mark("name", PUBLIC, true, &[]);
        let mut data =
            json!({"name": {"sv": name}, "kind": if number < 2 { "committee" } else { "unit" }});
        if number > 1 {
            data["parent"] = builder.id(organisations[number % 2]);
        }
        organisations.push(builder.add("organisation", None, &data));
    }
    let controllers: Vec<String> = organisations[..2]
        .iter()
        .map(|record| builder.world.records[*record].id.clone())
        .collect();
    let mut persons: Vec<usize> = Vec::new();
    for number in 0..16 {
        let level = if number % 2 == 0 {
            0
        } else {
            1 + number / 2 % 3
        };
        let relative = if number % 5 == 4 {
            persons.last().copied()
        } else {
            None
        };
        let identified: Vec<usize> = relative.into_iter().collect();
        let mut of = |property, class, name| builder.mark(property, class, name, &identified);
        let mut data = json!({
            "name": {"given": [of("name.given", PERSONAL, true)], "family": of("name.family", PERSONAL, true)},
            "addresses": [{"kind": "registered", "thoroughfare": of("addresses", PERSONAL, false)}],
            "identifiers": [{"scheme": "source:hr", "value": of("identifiers", PERSONAL, false)}],
        });
        if let Some(relative) = relative {
            let scope = builder.mark("relationships.scope", PERSONAL, false, &identified);
            data["relationships"] =
                json!([{"kind": "custodian", "person": builder.id(relative), "scope": scope}]);
        }
        // Of some only later: what was said before must be hidden all the same.
        let later = number % 4 == 3;
        if level > 0 && !later {
            data["protection"] = json!({"level": LEVELS[level - 1]});
        }
        let controller = (number % 3 > 0).then(|| controllers[number % 2].clone());
        let person = builder.add("person", controller.as_ref(), &data);
        if level > 0 && later {
            let amended = http
                .admin()
                .with("if-match", "*")
                .with("content-type", "application/merge-patch+json")
                .send(
                    "PATCH",
                    &format!(
                        "/persons/{}?validFrom=2026-01-01",
                        builder.world.records[person].id
                    ),
                    Some(json!({"protection": {"level": LEVELS[level - 1]}}).to_string()),
                );
            amended.expect(200);
        }
        persons.push(person);
        builder.world.records[person].states =
            vec![("2020-01-01".to_owned(), None, level, identified)];
    }
    let mut roles = Vec::new();
    for number in 0..16 {
        let person = persons[number];
        let mut of = |property, class| builder.mark(property, class, false, &[person]);
        let mut data = json!({
            "kind": "employment", "title": {"sv": of("title", PUBLIC)}, "position": of("position", INTERNAL),
            "identifiers": [{"scheme": "source:hr", "value": of("identifiers", PERSONAL)}],
        });
        data["person"] = builder.id(person);
        data["organisation"] = builder.id(organisations[2 + number % 4]);
        let controller = (number % 3 > 0).then(|| controllers[number % 2].clone());
        let role = builder.add("role", controller.as_ref(), &data);
        builder.world.records[role].states = vec![("2020-01-01".to_owned(), None, 0, vec![person])];
        roles.push(role);
    }
    for number in 0..8 {
        let name = builder.mark("name", PUBLIC, true, &[]);
        let mut data =
            json!({"name": {"sv": name}, "kind": "internal-service", "status": "active"});
        data["competentAuthority"] = builder.id(organisations[0]);
        data["responsibleRole"] = builder.id(roles[number]);
        builder.add("service", None, &data);
        let holder = persons[number * 2];
        let name = builder.mark("name", PUBLIC, true, &[holder]);
        let mut data =
            json!({"name": {"sv": name}, "kind": "property", "holders": [{"kind": "owner"}]});
        data["holders"][0]["holder"] = builder.id(holder);
        let place = builder.add("geography", None, &data);
        builder.world.records[place].states =
            vec![("2020-01-01".to_owned(), None, 0, vec![holder])];
    }
    Built {
        world: builder.world,
        controllers,
    }
}

struct Reader {
    name: String,
    token: Option<String>,
    forbidden: BTreeMap<usize, String>,
    hidden: BTreeSet<usize>,
}

fn readers(http: &Http, built: &Built) -> Vec<Reader> {
    let norrberga = || OwnerScope::Owner(OwnerKey::new("norrberga").expect("key"));
    let of = |role| Grant::of(norrberga(), role);
    let controller = |number: usize| {
        ControllerScope::Organisation(built.controllers[number].parse().expect("id"))
    };
    let all: Vec<(&str, Vec<Grant>)> = vec![
        ("steward", vec![of(Role::Steward)]),
        ("reader", vec![of(Role::Reader)]),
        ("editor", vec![of(Role::Editor)]),
        (
            "internal",
            vec![Grant {
                ceiling: PrivacyClass::Internal,
                ..of(Role::Reader)
            }],
        ),
        ("open data reader", vec![of(Role::OpenDataReader)]),
        (
            "own",
            vec![Grant {
                controller: ControllerScope::Own,
                ..of(Role::Reader)
            }],
        ),
        (
            "first committee",
            vec![Grant {
                controller: controller(0),
                ..of(Role::Reader)
            }],
        ),
        (
            "second committee and own",
            vec![
                Grant {
                    controller: controller(1),
                    ..of(Role::Editor)
                },
                Grant {
                    controller: ControllerScope::Own,
                    ..of(Role::Reader)
                },
            ],
        ),
        ("outsider", vec![Grant::of(OwnerScope::All, Role::Reader)]),
        (
            "another owner",
            vec![Grant::of(
                OwnerScope::Owner(OwnerKey::new("oppen").expect("key")),
                Role::Administrator,
            )],
        ),
    ];
    let none: (&str, Vec<Grant>) = ("anonymous", Vec::new());
    std::iter::once(none)
        .chain(all)
        .map(|(name, grants)| {
            let rights: Vec<Right> = grants
                .iter()
                .map(|grant| Right {
                    owner: match &grant.scope {
                        OwnerScope::All => None,
                        OwnerScope::Owner(key) => Some(key.to_string()),
                    },
                    controllers: match &grant.controller {
                        ControllerScope::Own => Controllers::Own,
                        ControllerScope::Organisation(id) => {
                            Controllers::These(BTreeSet::from([id.to_string()]))
                        }
                        _ => Controllers::All,
                    },
                    domains: Vec::new(),
                    ceiling: PrivacyClass::ALL
                        .iter()
                        .position(|class| *class == grant.ceiling)
                        .expect("class"),
                })
                .collect();
            Reader {
                name: name.to_owned(),
                token: (!grants.is_empty()).then(|| http.token_of(name, grants)),
                forbidden: (0..built.world.marks.0.len())
                    .filter_map(|mark| Some((mark, built.world.forbids(&rights, mark)?)))
                    .collect(),
                hidden: (0..built.world.records.len())
                    .filter(|record| built.world.forbids_id(&rights, *record))
                    .collect(),
            }
        })
        .collect()
}

struct Prover<'h> {
    http: &'h Http,
    built: &'h Built,
    probes: usize,
    violations: Vec<String>,
}

/// The whole answer as it came, headers included.
fn bytes(answer: &Answer) -> String {
    format!(
        "{}\n{}\n{}",
        answer.status,
        answer
            .all_headers()
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect::<String>(),
        answer.text
    )
}

/// Without what may differ between any two answers: the date, the ids of the request and what a clock counts.
fn comparable(answer: &Answer, id: &str) -> String {
    let mut text = bytes(answer).replace(id, "ID");
    for name in [
        "date",
        "traceparent",
        "x-request-id",
        "request-id",
        "server-timing",
        "ratelimit",
    ] {
        let value = answer.header(name);
        if !value.is_empty() {
            text = text.replace(value, "VALUE");
        }
    }
    if let Some(instance) = answer.json["instance"].as_str() {
        text = text.replace(instance, "INSTANCE");
    }
    text
}

impl<'h> Prover<'h> {
    fn caller<'c>(&self, reader: &'c Reader) -> Caller<'c>
    where
        'h: 'c,
    {
        match &reader.token {
            Some(token) => self.http.with_token(token),
            None => self.http.nobody(),
        }
    }

    fn scan(&mut self, reader: &Reader, what: &str, asked: Option<&str>, answer: &Answer) {
        self.probes += 1;
        let text = bytes(answer);
        if answer.status >= 500 {
            self.violations
                .push(format!("{what}: {}: {text}", reader.name));
        }
        for mark in self.built.world.marks.in_text(&text) {
            if let Some(why) = reader.forbidden.get(&mark) {
                self.violations
                    .push(format!("{what}: {} is shown {why}:\n{text}", reader.name));
            }
        }
        for record in &reader.hidden {
            let id = &self.built.world.records[*record].id;
            if Some(id.as_str()) != asked && text.contains(id.as_str()) {
                self.violations.push(format!(
                    "{what}: {} is told of the hidden {id}:\n{text}",
                    reader.name
                ));
            }
        }
    }

    /// Asks for a record, and for one that there is not.
    fn of_record(&mut self, reader: &Reader, record: usize, tail: &str) {
        let made = self.built.world.records[record].clone();
        let path = |id: &str| format!("/{}/{id}{tail}", collection(made.domain));
        let answer = self.caller(reader).get(&path(&made.id));
        self.scan(
            reader,
            &format!("GET {}", path("…")),
            Some(&made.id),
            &answer,
        );
        if answer.status == 404
            && answer.json["code"] == "not-found"
            && answer.json["reason"] != "other-domain"
        {
            let absent = self.caller(reader).get(&path(ABSENT));
            let (one, other) = (comparable(&answer, &made.id), comparable(&absent, ABSENT));
            if one != other {
                self.violations.push(format!(
                    "GET {}: {} tells hidden from absent:\n{one}\n{other}",
                    path("…"),
                    reader.name
                ));
            }
        } else if reader.hidden.contains(&record) {
            self.violations.push(format!(
                "GET {}: {} is answered {}",
                path("…"),
                reader.name,
                bytes(&answer)
            ));
        }
    }

    fn pages(&mut self, reader: &Reader, path: &str) -> (Vec<String>, Option<u64>) {
        let mut ids = Vec::new();
        let mut total = None;
        let mut next = Some(format!("{}/api/v1{path}", self.http.origin()));
        while let Some(address) = next.take() {
            let answer = self.caller(reader).request("GET", &address, None);
            self.scan(reader, &format!("GET {path}"), None, &answer);
            total = total.or(answer.json["_meta"]["totalRecords"].as_u64());
            for item in answer.json["items"].as_array().into_iter().flatten() {
                ids.extend(item["id"].as_str().map(str::to_owned));
            }
            let links = answer.json["_links"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            next = links
                .iter()
                .find(|link| link["rel"] == "next")
                .and_then(|link| link["href"].as_str())
                .map(str::to_owned);
        }
        (ids, total)
    }

    fn lists(&mut self, reader: &Reader) {
        for domain in ["person", "role", "organisation", "geography", "service"] {
            let of = collection(domain);
            let (mut listed, total) = self.pages(reader, &format!("/{of}?limit=5&count=exact"));
            listed.sort();
            let mut got: Vec<String> = Vec::new();
            for record in 0..self.built.world.records.len() {
                let made = self.built.world.records[record].clone();
                if made.domain == domain {
                    let answer = self.caller(reader).get(&format!("/{of}/{}", made.id));
                    self.probes += 1;
                    if answer.status == 200 {
                        got.push(made.id);
                    }
                }
            }
            got.sort();
            if listed != got || total != Some(u64::try_from(got.len()).expect("small")) {
                self.violations.push(format!(
                    "GET /{of}: {} lists {} and gets {}, total {total:?}",
                    reader.name,
                    listed.len(),
                    got.len()
                ));
            }
            for tail in [
                "sort=display&limit=4",
                "sort=-validFrom&limit=4",
                "q=zq&count=exact",
                "q=zqaaaaaf",
                "nosuch=1",
                "nam=Zq*",
                "name.famly=Zq*",
            ] {
                self.pages(reader, &format!("/{of}?{tail}"));
            }
            for mark in (0..self.built.world.marks.0.len()).step_by(23) {
                let word = written(mark);
                for tail in [format!("q={word}"), format!("identifier=source:hr:{word}")] {
                    let found =
                        self.pages_of_word(reader, &format!("/{of}?{tail}&count=exact"), &word);
                    let record =
                        &self.built.world.records[self.built.world.marks.0[mark].record].id;
                    if found.contains(record) && reader.forbidden.contains_key(&mark) {
                        self.violations.push(format!(
                            "GET /{of}?{tail}: {} finds by {}",
                            reader.name, reader.forbidden[&mark]
                        ));
                    }
                }
            }
        }
    }

    /// As pages, where the answer may well echo the word that was asked for.
    fn pages_of_word(&mut self, reader: &Reader, path: &str, word: &str) -> Vec<String> {
        let answer = self.caller(reader).get(path);
        self.probes += 1;
        let mut text = bytes(&answer);
        for part in [path.to_owned(), word.to_owned(), word.to_lowercase()] {
            text = text.replace(&part, "");
        }
        for mark in self.built.world.marks.in_text(&text) {
            if let Some(why) = reader.forbidden.get(&mark) {
                self.violations.push(format!(
                    "GET {path}: {} is shown {why}:\n{text}",
                    reader.name
                ));
            }
        }
        answer.json["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["id"].as_str().map(str::to_owned))
            .collect()
    }

    fn everything_else(&mut self, reader: &Reader) {
        for path in ["/", "/?lang=en", "/metrics"] {
            let answer = self.caller(reader).at_root(path);
            self.scan(reader, path, None, &answer);
        }
        for path in [
            "",
            "/owners",
            "/owners/norrberga",
            "/tokens",
            "/models",
            "/codelists",
        ] {
            let answer = self.caller(reader).get(path);
            self.scan(reader, path, None, &answer);
        }
        for mark in 0..self.built.world.marks.0.len() {
            let known = self.built.world.marks.0[mark].clone();
            if known.property != "identifiers" {
                continue;
            }
            let word = written(mark);
            let answer = self.caller(reader).post(
                "/records/lookup",
                json!({"identifiers": [{"scheme": "source:hr", "value": word}]}),
            );
            self.probes += 1;
            let id = &self.built.world.records[known.record].id;
            if reader.forbidden.contains_key(&mark) && answer.text.contains(id.as_str()) {
                self.violations.push(format!(
                    "lookup: {} finds by {}",
                    reader.name, reader.forbidden[&mark]
                ));
            }
        }
    }
}

on_both! {
    using Http::start;

    fn no_byte_of_any_answer_shows_what_the_rules_forbid(http: Http) {
            let built = build(&http);
        let readers = readers(&http, &built);
        let mut prover = Prover { http: &http, built: &built, probes: 0, violations: Vec::new() };
        for reader in &readers {
            for record in 0..built.world.records.len() {
                for tail in ["", "?validAt=2021-01-01", "/timeline", "/history", "/links?direction=both&include=records", "/versions/1", "/diff?from=1&to=2"] {
                    prover.of_record(reader, record, tail);
                }
                if record % 3 == 0 {
                    for tail in ["/ancestors", "/subtree", "/links?direction=in&depth=3", "?knownAt=2026-11-21T11:00:00Z&validAt=2020-06-01"] {
                        prover.of_record(reader, record, tail);
                    }
                }
            }
            prover.lists(reader);
            prover.everything_else(reader);
        }
        eprintln!("{} records, {} readers, {} probes", built.world.records.len(), readers.len(), prover.probes);
        let shown: Vec<String> = prover.violations.iter().take(6).map(|text| text.chars().take(2_000).collect()).collect();
        assert!(shown.is_empty(), "{} violations of {} probes:\n{}", prover.violations.len(), prover.probes, shown.join("\n\n"));
        assert!(prover.probes >= 5_000, "{} probes", prover.probes);
    }
}
