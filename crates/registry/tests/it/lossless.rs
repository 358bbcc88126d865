//! A registry out and in again, into the other database: it answers as before, at every coordinate, to everybody.

#![expect(
    clippy::print_stderr,
    reason = "a seed and what was compared are shown when it fails"
)]

use std::fmt::Debug;
use std::io::BufReader;
use std::sync::atomic::{AtomicBool, Ordering};

use grunddata_model::Domain::{self, Geography, Organisation, Person};
use grunddata_model::{Instant, RecordId};
use grunddata_registry::{
    Assertion, AssertionKey, At, Code, Context, Decision, Direction, ExtractOptions, FileFacts,
    Grant, GrantSubject, Idempotency, Keeping, KnownAt, LinksRequest, LoadKind, LoadPace, MarkKind,
    NewDelivery, NewLoad, NewRetentionRule, NewSource, NewToken, OwnerScope, OwnerSet, Place,
    Refusal, Role, SourceSettings, SubjectKind, Transaction,
};
use grunddata_testing::{Dice, on_both};
use serde_json::json;

use crate::proof::world;
use crate::stack::*;

/// How many random coordinates are compared.
const COORDINATES: usize = 1_000;

fn seed() -> u64 {
    let given = std::env::var("LOSSLESS_SEED").ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_123)
}

pub(crate) fn out(stack: &Stack) -> Vec<u8> {
    let mut file = Vec::new();
    let context = stack.system();
    let summary = stack
        .registry
        .export_lossless(&context, &OwnerSet::All, &mut file, &mut |_| {})
        .unwrap();
    assert!(summary.count("record") > 0);
    file
}

pub(crate) fn read_into(stack: &Stack, file: &[u8]) -> Result<(), Refusal> {
    let context = stack.system();
    // Small reads, as a decompressor gives them.
    let mut input = BufReader::with_capacity(1_000, file);
    stack
        .registry
        .import_lossless(&context, &mut input, true, &mut |_| {})
        .map(drop)
}

fn decision() -> Decision {
    Decision {
        text: "Gallras enligt plan.".to_owned(),
        reference: "KS 2026/9".to_owned(),
    }
}

/// What the random registry lacks: geometry, erasures, marks, rules, deliveries, tokens, grants, retries; the ids.
fn more(stack: &Stack) -> Vec<RecordId> {
    let place = |x: f64| json!({"name": {"sv": "Punkten"}, "kind": "locality", "geometry": {"type": "Point", "coordinates": [x, 59.33]}});
    let point = stack.id(create(Geography, place(18.07), "2020-01-01"));
    stack
        .write(replace(Geography, point, place(17.5), "2024-01-01"))
        .unwrap();
    let gone = stack.id(create(Person, person("Gallrade Gerda"), "2001-01-01"));
    let restricted = stack.id(create(Person, person("Begränsade Bert"), "2001-01-01"));
    let freed = stack.id(create(Person, person("Hållna Hanna"), "2001-01-01"));
    let school = stack.id(create(
        Organisation,
        organisation("Åkerskolan", "unit"),
        "2001-01-01",
    ));
    let employed = stack.id(create(Domain::Role, role(restricted, school), "2001-01-01"));
    let moved = replace(
        Domain::Role,
        employed,
        role(restricted, school),
        "2001-01-01",
    );
    let moved = replaced(moved, |replace| replace.envelope.controller = Some(school));
    stack.write(moved).unwrap();
    let (steward, admin) = (
        stack.as_actor("a", Role::Steward),
        stack.as_actor("a", Role::Administrator),
    );
    let registry = &stack.registry;
    registry
        .put_mark(&steward, MarkKind::Restriction, restricted, "Tvist")
        .unwrap();
    let hold = registry
        .put_mark(&steward, MarkKind::Hold, freed, "Tvist")
        .unwrap();
    registry
        .lift_mark(&steward, &owner("a"), MarkKind::Hold, hold.id)
        .unwrap();
    registry.erase(&admin, &[gone], decision()).unwrap();
    let rule = |keeping| NewRetentionRule {
        owner: owner("a"),
        controller: None,
        domain: Some(Domain::Service),
        kind: None,
        keeping,
        decision: decision(),
        valid_from: Some(day("2024-01-01")),
        valid_to: None,
    };
    registry
        .put_retention_rule(&admin, rule(Keeping::Erase { years: 9 }))
        .unwrap();
    let archive = Some("Stadsarkivet".to_owned());
    let preserved = registry
        .put_retention_rule(&admin, rule(Keeping::Preserve { archive }))
        .unwrap();
    let delivery = NewDelivery {
        owner: owner("a"),
        rule: preserved.id,
        archive: None,
        reference: "Kvitto 7".to_owned(),
        delivered: day("2026-02-01"),
    };
    registry.put_delivery(&admin, delivery).unwrap();
    let token = NewToken {
        name: "token".to_owned(),
        grants: vec![Grant::of(OwnerScope::Owner(owner("a")), Role::Editor)],
        feeds_copies: false,
        unit: Some("Skolan".to_owned()),
        expires_at: None,
    };
    registry.mint_token(&stack.system(), token).unwrap();
    let subject = GrantSubject {
        kind: SubjectKind::User,
        name: "https://login.example.se#anna".to_owned(),
    };
    let grant = Grant::of(OwnerScope::Owner(owner("b")), Role::Reader);
    let given = registry
        .give_grant(&stack.system(), subject.clone(), grant.clone(), None)
        .unwrap();
    registry.take_back_grant(&stack.system(), given.id).unwrap();
    registry
        .give_grant(&stack.system(), subject, grant, Some("Behövs".to_owned()))
        .unwrap();
    stack.pass(1);
    retried(stack).unwrap();
    loaded(stack, 3);
    loaded(stack, 2);
    vec![point, gone, restricted, freed, school, employed]
}

/// A load of a source: planned and applied.
fn loaded(stack: &Stack, persons: u64) {
    let (registry, context) = (&stack.registry, stack.system());
    if persons == 3 {
        let source = NewSource {
            owner: owner("a"),
            key: "payroll".to_owned(),
            settings: SourceSettings::new("Lönesystemet", [Person]),
            if_match: None,
            reason: Some("Ny".to_owned()),
        };
        registry.put_source(&context, source).unwrap();
    }
    let load = NewLoad {
        owner: owner("a"),
        source: "payroll".to_owned(),
        kind: LoadKind::Delta,
        file: FileFacts::default(),
        reference_date: Some(day("2026-01-01")),
        replace: false,
    };
    let mut planner = registry.plan_load(&context, load).unwrap();
    for number in 0..persons {
        let assertion = Assertion {
            file_row: number + 2,
            record: "person".to_owned(),
            domain: Person,
            key: AssertionKey::Source(format!("k{number}")),
            removed: false,
            data: json!({"name": {"full": format!("Laddad {number} av {persons}")}}),
            valid_from: None,
            valid_to: None,
            references: Vec::new(),
        };
        planner.push(assertion).unwrap();
    }
    let load = planner.finish(FileFacts::default()).unwrap();
    let mut pace = LoadPace::default();
    stack.pass(1);
    while !registry
        .apply_load(&context, &owner("a"), load.id, &mut pace)
        .unwrap()
        .finished
    {}
}

/// A write under an idempotency key.
fn retried(stack: &Stack) -> Result<RecordId, Refusal> {
    let idempotency = Idempotency {
        key: "key-1".to_owned(),
        scope: "POST /api/v1/organisations".to_owned(),
        fingerprint: [7; 32],
    };
    let command = create(Organisation, organisation("En gång", "unit"), "2026-01-01");
    stack
        .block_on(
            stack
                .registry
                .write(&stack.system(), command, Some(idempotency)),
        )
        .map(|written| written.id)
}

/// Who asks.
fn readers(stack: &Stack) -> Vec<Context> {
    vec![
        stack.system(),
        stack.anonymous(),
        stack.as_actor("a", Role::Reader),
        stack.as_actor("b", Role::Steward),
        stack.outsider(Role::Reader),
        stack.stranger(Role::Steward),
    ]
}

fn text<T: Debug>(answer: &Result<T, Refusal>) -> String {
    format!("{answer:?}")
}

struct Asked<'a> {
    dice: Dice,
    ids: &'a [RecordId],
    identifiers: &'a [(String, String, usize)],
    instants: &'a [Instant],
}

impl Asked<'_> {
    fn coordinate(&mut self, now: Instant) -> At {
        let year = 2018 + self.dice.below(12);
        let valid_at = day(&format!(
            "{year}-{:02}-{:02}",
            1 + self.dice.below(12),
            1 + self.dice.below(28)
        ));
        let known = match self.dice.below(6) {
            0 => KnownAt::Latest,
            1 => KnownAt::Instant(now),
            2 => KnownAt::Instant(Instant::from_micros(
                self.dice.of(self.instants).micros() - 1,
            )),
            _ => KnownAt::Instant(*self.dice.of(self.instants)),
        };
        At { valid_at, known }
    }

    /// Asks both the same; what was answered, as text.
    fn ask(&mut self, stacks: [&Stack; 2]) -> usize {
        let at = self.coordinate(stacks[0].now());
        let reader = self.dice.below(6);
        let id = *self.dice.of(self.ids);
        let (scheme, value, _) = self.dice.of(self.identifiers).clone();
        let direction = *self
            .dice
            .of(&[Direction::Out, Direction::In, Direction::Both]);
        let depth = 1 + u32::try_from(self.dice.below(3)).unwrap();
        let version = 1 + u32::try_from(self.dice.below(3)).unwrap();
        let of = *self.dice.of(&Domain::ALL);
        let word = *self
            .dice
            .of(&["Åkerskolan", "Akerskolan", "Åkerskola", "name", "mark"]);
        let sorted = self.dice.one_in(2);
        let answers = stacks.map(|stack| {
            let context = &readers(stack)[reader];
            let registry = &stack.registry;
            let request = LinksRequest {
                direction,
                depth,
                include_records: true,
                ..LinksRequest::default()
            };
            let on = at.valid_at.to_string();
            let mut parameters = vec![
                ("validAt", on.as_str()),
                ("count", "exact"),
                ("limit", "50"),
            ];
            let known = match &at.known {
                KnownAt::Instant(instant) => Some(instant.to_string()),
                _ => None,
            };
            parameters.extend(known.as_deref().map(|known| ("knownAt", known)));
            if sorted {
                parameters.push(("sort", "-recordedAt"));
            } else {
                parameters.push(("q", word));
            }
            let found = registry
                .query(context, of, parameters.iter().copied(), Place::Body)
                .and_then(|query| registry.search(context, &query));
            [
                text(&registry.get(context, None, id, &at, None)),
                text(&registry.timeline(context, None, id, &at)),
                text(&registry.history(context, None, id, &at, None, 100)),
                text(&registry.version(context, None, id, version)),
                text(&registry.links(context, None, id, &at, &request)),
                text(&found),
                text(&registry.lookup(context, &at, &[(scheme.clone(), value.clone())])),
                text(&registry.counts(context, &at)),
            ]
        });
        let [one, other] = answers;
        for (place, (one, other)) in one.iter().zip(&other).enumerate() {
            assert_eq!(
                one,
                other,
                "LOSSLESS_SEED={}: answer {place} of {id} to reader {reader} at {at:?}",
                seed()
            );
            assert!(!one.contains("Internal"), "{one}");
        }
        usize::from(one[0].starts_with("Ok"))
    }
}

/// Writes pairs of records, in one transaction each, until it is told to stop.
fn pairs(stack: &Stack, ids: [RecordId; 2], stop: &AtomicBool) -> usize {
    let context = stack.system();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut written = 0;
    while !stop.load(Ordering::SeqCst) {
        written += 1;
        let name = format!("Namn {written}");
        let commands = ids
            .map(|id| replace(Organisation, id, organisation(&name, "unit"), "2020-01-01"))
            .into();
        let transaction = Transaction {
            owner: Some(owner("a")),
            commands,
        };
        let new = create(Person, person(&name), "2020-01-01");
        runtime
            .block_on(stack.registry.transact(&context, transaction, None))
            .unwrap();
        runtime
            .block_on(stack.registry.write(&context, new, None))
            .unwrap();
    }
    written
}

/// A file without what belongs to the installation that wrote it: its keys, and its signatures of the heads.
fn unsigned(file: &[u8]) -> String {
    let mut kept = String::new();
    for line in std::str::from_utf8(file).unwrap().lines() {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        let member = value.as_object().unwrap().keys().next().unwrap().clone();
        if member == "logKey" || member == "end" {
            continue;
        }
        if let Some(head) = value.pointer_mut("/owner/logHead") {
            let text = head.as_str().unwrap().split("\n\n").next().unwrap();
            *head = text.to_owned().into();
            kept.push_str(&value.to_string());
        } else {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

on_both! {
    using stack;

    fn everything_comes_back_in_the_other_database(stack: Stack) {
        let seed = seed();
        eprintln!("LOSSLESS_SEED={seed}");
        let built = world::build(&stack, seed);
        let extra = more(&stack);
        stack.pass(120);
        let file = out(&stack);
        let other = stack.other();
        read_into(&other, &file).unwrap_or_else(|refusal| panic!("{refusal}"));
        // Everything that the file says is there again, byte for byte.
        assert!(unsigned(&out(&other)) == unsigned(&file), "another file comes out of what came in");
        let mut ids = built.ids.clone();
        ids.extend(&extra);
        let mut instants = built.instants.clone();
        instants.push(stack.now());
        let mut asked = Asked { dice: Dice::new(seed), ids: &ids, identifiers: &built.identifiers, instants: &instants };
        let found: usize = (0..COORDINATES).map(|_| asked.ask([&stack, &other])).sum();
        eprintln!("{COORDINATES} coordinates, {} records, {found} gets found something, {} bytes", ids.len(), file.len());
        assert!((COORDINATES / 10..COORDINATES * 9 / 10).contains(&found), "{found}");
        // What stands beside the records.
        let said = [&stack, &other].map(|stack| {
            let (registry, system, steward) = (&stack.registry, stack.system(), stack.as_actor("a", Role::Steward));
            let a = owner("a");
            [
                text(&registry.owners(&system)), text(&registry.tokens(&system)), text(&registry.given_grants(&system)),
                text(&registry.retention_rules(&steward, &a)), text(&registry.deliveries(&steward, &a)), text(&registry.disposals(&steward, &a)),
                text(&registry.erasures(&system)), text(&registry.sources(&system, &a)), text(&registry.source_history(&system, &a, "payroll")), text(&registry.retention_plan(&steward, &a)),
                text(&registry.extract_person(&steward, extra[2], ExtractOptions::default())),
                text(&registry.extract_person(&system, built.ids[built.world.records.iter().position(|made| made.domain == "person").unwrap()], ExtractOptions::default())),
            ]
        });
        assert_eq!(said[0], said[1]);
        assert!(said[0].iter().all(|answer| answer.starts_with("Ok")), "{said:?}");
        // Both go on alike: a late retry writes nothing, and the next change has the next position.
        let marks = [&stack, &other].map(|stack| {
            [MarkKind::Hold, MarkKind::Restriction].map(|kind| text(&stack.registry.marks(&stack.as_actor("a", Role::Steward), &owner("a"), kind)))
        });
        assert_eq!(marks[0], marks[1]);
        assert_eq!(retried(&stack).unwrap(), retried(&other).unwrap());
        let id = stack.id(create(Organisation, organisation("Ny", "unit"), "2026-01-01"));
        let position = |stack: &Stack, id| {
            let system = stack.system();
            stack.registry.history(&system, None, id, &At::now(&system), None, 1).unwrap().items[0].position
        };
        let there = other.write_as(&other.system(), create(Organisation, organisation("Ny", "unit"), "2026-01-01")).unwrap().id;
        assert_eq!(position(&stack, id), position(&other, there));
    }

    fn an_export_while_writes_go_on_is_of_one_moment(stack: Stack) {
        let ids = ["A", "B"].map(|name| stack.id(create(Organisation, organisation(name, "unit"), "2020-01-01")));
        let stop = AtomicBool::new(false);
        let (files, written) = std::thread::scope(|scope| {
            let writing = scope.spawn(|| pairs(&stack, ids, &stop));
            let files: Vec<Vec<u8>> = (0..6).map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(60));
                out(&stack)
            }).collect();
            stop.store(true, Ordering::SeqCst);
            (files, writing.join().unwrap())
        });
        let mut versions = Vec::new();
        for file in &files {
            let other = stack.empty(stack.engine());
            read_into(&other, file).unwrap_or_else(|refusal| panic!("{refusal}"));
            let names = ids.map(|id| other.data(id, "2026-01-01").unwrap());
            assert_eq!(names[0]["name"], json!({"sv": names[1]["name"]["sv"]}).clone(), "half a transaction came out");
            let system = other.system();
            versions.push(other.registry.history(&system, None, ids[0], &At::now(&system), None, 1).unwrap().items[0].version);
        }
        assert!(versions.first() < versions.last(), "nothing was written meanwhile: {versions:?}");
        assert!(written > 5, "{written}");
    }

    fn a_file_that_is_not_whole_leaves_nothing(stack: Stack) {
        more(&stack);
        let file = out(&stack);
        let text = String::from_utf8(file.clone()).unwrap();
        let other = stack.empty(stack.engine());
        let refused = |file: &[u8], why: &str| {
            let refusal = read_into(&other, file).expect_err(why);
            assert_eq!(refusal.code, Code::InvalidParameter, "{why}: {refusal}");
            assert!(other.registry.owners(&other.system()).unwrap().is_empty(), "{why} left something");
            assert!(other.registry.tokens(&other.system()).unwrap().is_empty(), "{why} left something");
            refusal.detail
        };
        let mut dice = Dice::new(7);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        // Cut anywhere, at ends of lines as well.
        for _ in 0..12 {
            refused(&file[..dice.below(file.len() - 1)], "cut");
        }
        refused(&file[..file.len() - 1], "without the last byte");
        assert!(refused(lines[..lines.len() - 1].concat().as_bytes(), "without its end").contains("cut off"));
        refused(b"", "empty");
        // Something changed: a byte, a line less, a line twice, a line more after the end.
        let mut changed = 0;
        for _ in 0..12 {
            let mut bytes = file.clone();
            let place = dice.below(bytes.len());
            bytes[place] = if bytes[place] == b'7' { b'8' } else { b'7' };
            refused(&bytes, "changed");
            changed += 1;
        }
        assert_eq!(changed, 12);
        let at = lines.iter().position(|line| line.starts_with("{\"record\"")).unwrap();
        let without: Vec<&str> = [&lines[..at], &lines[at + 1..]].concat();
        assert!(refused(without.concat().as_bytes(), "a line less").contains("SHA-256"));
        let twice: Vec<&str> = [&lines[..at], &lines[at..=at], &lines[at..]].concat();
        refused(twice.concat().as_bytes(), "a line twice");
        assert!(refused(format!("{text}{{}}\n").as_bytes(), "something after the end").contains("follows"));
        // Whoever computes the checksum anew is found by the hashes of the versions, and by what the log says.
        let again = |body: String| {
            use sha2::Digest as _;
            let sum: String = sha2::Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            let end = lines.last().unwrap();
            let from = end.find("\"sha256\":\"").unwrap() + 10;
            format!("{body}{}{sum}{}", &end[..from], &end[from + 64..])
        };
        let before_end = lines[..lines.len() - 1].concat();
        assert!(refused(again(before_end.replacen("Begränsade", "Begransade", 1)).as_bytes(), "another name").contains("another hash"));
        assert!(refused(again(before_end.replacen("17.5", "17.6", 1)).as_bytes(), "another place").contains("another hash"));
        let owner_line = lines.iter().find(|line| line.starts_with("{\"owner\"") && line.contains("\"key\":\"a\"")).unwrap();
        let position = owner_line.split("\"position\":").nth(1).unwrap().split(',').next().unwrap();
        let longer = owner_line.replace(&format!("\"position\":{position}"), "\"position\":9999");
        assert!(refused(again(before_end.replace(*owner_line, &longer)).as_bytes(), "a longer log").contains("position"));
        // Another form, or another version of it.
        assert!(refused(b"id;name\n1;A\n", "a table").contains("no lossless file"));
        assert!(refused(text.replacen("\"version\":1,", "\"version\":2,", 1).as_bytes(), "a later version").contains("version 2"));
        assert!(refused(text.replacen("[\"token\",", "[\"heads\",\"token\",", 1).as_bytes(), "a section more").contains("heads"));
        // What is whole is taken, once.
        read_into(&other, &file).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert!(read_into(&other, &file).unwrap_err().detail.contains("not empty"));
    }

    fn protection_cannot_be_lowered_in_a_file(stack: Stack) {
        let mut hidden = person("Skyddade Sara");
        hidden["protection"] = json!({"level": "protected-registration"});
        let sara = stack.id(create(Person, hidden, "2001-01-01"));
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2001-01-01"));
        let employed = stack.id(create(Domain::Role, role(sara, school), "2001-01-01"));
        let text = String::from_utf8(out(&stack)).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let lower = |line: &String| {
            let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Some(record) = value.get_mut("record").and_then(|record| record.as_object_mut()) {
                record.remove("protection");
                record.remove("protectedUntil");
                for state in record["states"].as_array_mut().unwrap() {
                    state.as_object_mut().unwrap().remove("protection");
                }
            }
            if value.get("end").is_some() { String::new() } else { format!("{value}\n") }
        };
        let body: String = lines.iter().map(lower).collect();
        assert!(body.len() < text.len());
        let sum: String = {
            use sha2::Digest as _;
            sha2::Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let mut end: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        end["end"]["sha256"] = sum.into();
        let other = stack.other();
        read_into(&other, format!("{body}{end}\n").as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
        for stack in [&stack, &other] {
            let reader = stack.as_actor("a", Role::Reader);
            let at = At::now(&reader);
            let seen: Vec<String> = [sara, employed].iter().map(|id| text_of(stack, &reader, *id, &at)).collect();
            assert!(seen.iter().all(|seen| !seen.contains("Sara")), "{seen:?}");
            assert!(text_of(stack, &stack.system(), sara, &at).contains("Sara"));
        }
    }

    fn owners_go_out_together_with_those_whom_they_refer_to(stack: Stack) {
        let parent = stack.id(created(create(Organisation, organisation("Regionen", "unit"), "2020-01-01"), |create| create.envelope.owner = Some(owner("b"))));
        let own = stack.id(create(Organisation, unit("Enheten", parent), "2020-01-01"));
        let context = stack.system();
        let export = |owners: &[&str]| {
            let owners: OwnerSet = owners.iter().map(|key| owner(key)).collect();
            let mut file = Vec::new();
            stack.registry.export_lossless(&context, &owners, &mut file, &mut |_| {}).map(|_| file)
        };
        let refusal = export(&["a"]).unwrap_err();
        assert!(refusal.code == Code::InvalidParameter && refusal.detail.contains(" b:"), "{refusal}");
        assert_eq!(export(&["nobody"]).unwrap_err().code, Code::UnknownOwner);
        let both = stack.other();
        read_into(&both, &export(&["a", "b"]).unwrap()).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert_eq!(both.data(own, "2026-01-01"), stack.data(own, "2026-01-01"));
        let one = stack.other();
        let file = export(&["b"]).unwrap();
        assert!(!String::from_utf8(file.clone()).unwrap().contains("Enheten"));
        read_into(&one, &file).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert_eq!((one.data(own, "2026-01-01"), one.data(parent, "2026-01-01")), (Err(Code::NotFound), stack.data(parent, "2026-01-01")));
        // For administrators of everything alone.
        for context in [stack.as_actor("a", Role::Administrator), stack.outsider(Role::Steward), stack.anonymous()] {
            let refused = stack.registry.export_lossless(&context, &OwnerSet::All, &mut Vec::new(), &mut |_| {}).unwrap_err();
            assert_eq!(refused.code, Code::Forbidden);
            let refused = stack.registry.import_lossless(&context, &mut BufReader::new(&b""[..]), true, &mut |_| {}).unwrap_err();
            assert_eq!(refused.code, Code::Forbidden);
        }
    }
}

fn text_of(stack: &Stack, reader: &Context, id: RecordId, at: &At) -> String {
    text(&stack.registry.get(reader, None, id, at, None))
}
