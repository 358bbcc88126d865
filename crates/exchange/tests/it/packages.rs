//! Deliveries of several files.

use std::io::Cursor;
use std::sync::Arc;

use grunddata_exchange::mapping::{Draft, Key, Mapping};
use grunddata_exchange::ready::Ready;
use grunddata_exchange::{Completeness, Limits, Problem, code, convert};
use serde_json::{Value, json};

use crate::files::{gzip, small, zip};
use crate::mappings::{Conversion, context, gathered, run};

fn ready(name: &str) -> Mapping {
    Ready::named(name).unwrap().mapping().unwrap()
}

const MANIFEST: &str = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.academicSessions,bulk\nfile.orgs,bulk\nfile.users,bulk\nfile.roles,bulk\nfile.classes,bulk\nfile.enrollments,bulk\nfile.results,absent\nsource.systemName,x\n";
const ONEROSTER: [(&str, &str); 6] = [
    (
        "academicSessions.csv",
        "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\nt1,,,HT25,term,2025-08-18,2026-01-01,,2026\n",
    ),
    (
        "orgs.csv",
        "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\no1,,,Björkskolan,school,12345678,\n",
    ),
    (
        "users.csv",
        "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password\nu1,,,true,asa,,Åsa,Ek,,,ASA@X.EXAMPLE,,,,,hemligt\n",
    ),
    (
        "roles.csv",
        "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId\nr1,,,u1,primary,student,2025-08-18,,o1,\n",
    ),
    (
        "classes.csv",
        "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId\nc1,,,3A,,,,homeroom,,o1\n",
    ),
    (
        "enrollments.csv",
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\ne1,,,c1,o1,u1,student,,2025-08-18,\n",
    ),
];

/// Names and contents.
type Files = Vec<(&'static str, &'static str)>;

fn oneroster(manifest: &str, change: impl Fn(&mut Files)) -> Vec<u8> {
    let mut files = ONEROSTER.to_vec();
    change(&mut files);
    let mut all: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, content)| (*name, content.as_bytes()))
        .collect();
    all.push(("manifest.csv", manifest.as_bytes()));
    zip(&all)
}

fn codes(problems: &[Problem]) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.code).collect()
}

#[test]
fn oneroster_comes_whole() {
    let archive = oneroster(MANIFEST, |_| {});
    let given = run(ready("oneroster"), "oneroster.zip", &archive).validated();
    let records: Vec<&str> = given.drafts.iter().map(|draft| &*draft.record).collect();
    assert_eq!(records, ["org", "user", "role", "class", "enrollment"]);
    let outcome = given.outcome.as_ref().unwrap();
    assert_eq!(outcome.completeness, Some(Completeness::Full));
    assert_eq!((outcome.mapped, outcome.summary.rows), (5, 5));
    assert_eq!(codes(&given.notes), [code::TERMS]);
    assert!(given.notes[0].message.contains("The 1 academic sessions"));
    // The same as file by file.
    let alone: Vec<Draft> = [
        ("oneroster-orgs", 1),
        ("oneroster-users", 2),
        ("oneroster-roles", 3),
        ("oneroster-classes", 4),
        ("oneroster-enrollments", 5),
    ]
    .into_iter()
    .flat_map(|(name, at)| run(ready(name), ONEROSTER[at].0, ONEROSTER[at].1.as_bytes()).drafts)
    .collect();
    assert_eq!(given.drafts, alone);
}

#[test]
fn terms_say_when_classes_and_enrolments_hold() {
    let archive = oneroster(MANIFEST, |files| {
        for (name, content) in files {
            match *name {
                "academicSessions.csv" => {
                    *content = "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\n\
                        y,,,2025/26,schoolYear,2025-07-01,2026-07-01,,2026\n\
                        t1,,,HT25,term,2025-08-18,2026-01-01,y,2026\nt2,,,VT26,term,2026-01-08,2026-06-13,y,2026\n\
                        t3,,,odd,term,2026-06-13,2026-01-08,y,2026\n";
                }
                "classes.csv" => {
                    *content = "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds\n\
                        c1,,,3A,,,,homeroom,,o1,\"t1, t2\"\nc2,,,3B,,,,homeroom,,o1,t2\nc3,,,3C,,,,homeroom,,o1,\nc4,,,3D,,,,homeroom,,o1,nowhere\nc5,,,3E,,,,homeroom,,o1,t3\n";
                }
                "enrollments.csv" => {
                    *content = "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n\
                        e1,,,c1,o1,u1,student,,,\ne2,,,c1,o1,u1,student,,2025-09-01,\ne3,,,c2,o1,u1,student,,,2026-03-01\n\
                        e4,,,c3,o1,u1,student,,,\ne5,,,c1,o1,u1,student,,2026-08-17,\ne6,,,c9,o1,u1,student,,2025-08-18,2026-06-13\n";
                }
                _ => {}
            }
        }
    });
    let given = run(ready("oneroster"), "oneroster.zip", &archive).validated();
    let period = |draft: &Draft| {
        let Key::Source(key) = &draft.key else {
            panic!("{draft:?}")
        };
        let from = draft.valid_from.map(|from| format!("{from:?}"));
        let to = draft.valid_to.map(|to| format!("{to:?}"));
        let day = |text: Option<String>| {
            text.map_or_else(String::new, |text| {
                let digits = text
                    .chars()
                    .filter(|char| char.is_ascii_digit() || *char == '-');
                digits.collect()
            })
        };
        format!("{key} {}/{}", day(from), day(to))
    };
    let drafts = given.drafts.iter();
    let told: Vec<String> = drafts
        .filter(|draft| matches!(&*draft.record, "class" | "enrollment"))
        .map(period)
        .collect();
    assert_eq!(
        told,
        [
            "c1 2025-08-18/2026-06-13",
            "c2 2026-01-08/2026-06-13",
            "c3 /",
            "c4 /",
            "c5 /",
            "e1 2025-08-18/2026-06-13",
            "e2 2025-09-01/2026-06-13",
            "e3 2026-01-08/2026-03-01",
            "e4 /",
            "e5 2026-08-17/",
            "e6 2025-08-18/2026-06-13",
        ]
    );
    assert_eq!(codes(&given.notes), [code::TERMS], "said once");
    let note = &given.notes[0].message;
    for part in [
        "The 4 academic sessions",
        "1 of them have no period",
        "1 classes name one that is not in the delivery",
        "have no place in the information model",
    ] {
        assert!(note.contains(part), "{note}");
    }
}

#[test]
fn a_manifest_says_whether_it_is_everything() {
    let completeness = |manifest: &str| {
        let given = run(ready("oneroster"), "o.zip", &oneroster(manifest, |_| {}));
        given.outcome.unwrap().completeness
    };
    let delta = MANIFEST.replace("bulk", "delta");
    assert_eq!(completeness(&delta), Some(Completeness::Delta));
    let some = MANIFEST.replace("file.users,bulk", "file.users,delta");
    assert_eq!(completeness(&some), Some(Completeness::Delta));
    assert_eq!(
        completeness("a,b\n1,2\n"),
        None,
        "another file of that name"
    );
}

#[test]
fn a_manifest_that_is_not_kept_stops_the_delivery() {
    let faults = |manifest: &str, change: &dyn Fn(&mut Files)| {
        let given = run(ready("oneroster"), "o.zip", &oneroster(manifest, change));
        assert!(given.drafts.is_empty());
        codes(&given.failed)
    };
    let without = |name: &'static str| move |files: &mut Files| files.retain(|file| file.0 != name);
    assert_eq!(
        faults(MANIFEST, &without("enrollments.csv")),
        [code::MISSING_FILE, code::MANIFEST]
    );
    assert_eq!(
        faults(MANIFEST, &without("academicSessions.csv")),
        [code::MANIFEST]
    );
    let absent = MANIFEST.replace("file.users,bulk", "file.users,absent");
    assert_eq!(faults(&absent, &|_| {}), [code::MANIFEST]);
    assert_eq!(
        faults(&MANIFEST.replace("1.2", "2.0"), &|_| {}),
        [code::MANIFEST]
    );
    assert_eq!(
        faults(
            &MANIFEST.replace("file.users,bulk", "file.users,all"),
            &|_| {}
        ),
        [code::MANIFEST]
    );
}

#[test]
fn files_are_found_in_folders_and_only_once() {
    let mapping = || {
        Mapping::parse(
            "m",
            "mapping = 1\nname = \"m\"\n[[record]]\nname = \"a\"\nfile = \"A*.csv\"\ndomain = \"organisation\"\nkey = \"a:{Kod}\"\n\
             [record.data]\n\"name.sv\" = \"Namn\"\n\
             [[record]]\nname = \"b\"\nfile = \"b.csv?\"\ndomain = \"person\"\nkey = \"b:{Nr}\"\n[record.data]\n\"name.full\" = \"Namn\"\n",
        )
        .unwrap()
    };
    let keys = |given: &Conversion| -> Vec<String> {
        given
            .drafts
            .iter()
            .map(|draft| draft.data["identifiers"][0]["value"].to_string())
            .collect()
    };
    let one = b"Kod;Namn\n1;X\n";
    let two = b"Kod;Namn\n2;Y\n";
    let people = b"Nr;Namn\n7;Z\n";
    let given = run(
        mapping(),
        "m.zip",
        &zip(&[
            ("uttag/a-2.csv", two),
            ("uttag/A-1.CSV", one),
            ("uttag/b.csv", people),
        ]),
    );
    assert_eq!(given.failed, []);
    assert_eq!(keys(&given), ["\"a:1\"", "\"a:2\"", "\"b:7\""]);
    // The columns of one file are not looked for in another; a file with a question mark may be missing.
    let given = run(mapping(), "m.zip", &zip(&[("a.csv", one)]));
    assert_eq!(keys(&given), ["\"a:1\""]);
    // A file that is no archive is the only one of its delivery.
    for (name, bytes) in [("a.csv", one.to_vec()), ("a.csv.gz", gzip(one))] {
        assert_eq!(keys(&run(mapping(), name, &bytes)), ["\"a:1\""]);
    }
    let given = run(mapping(), "b.csv", people);
    assert_eq!(codes(&given.failed), [code::MISSING_FILE]);
    let twice = zip(&[("x/b.csv", people), ("y/b.csv", people), ("a.csv", one)]);
    assert_eq!(
        codes(&run(mapping(), "m.zip", &twice).failed),
        [code::ARCHIVE]
    );
    // A missing column is of its file.
    let wrong = zip(&[("a.csv", one), ("b.csv", one)]);
    let given = run(mapping(), "m.zip", &wrong);
    assert_eq!(codes(&given.failed), [code::MISSING_COLUMN]);
    assert_eq!(&*given.failed[0].place.file, "m.zip/b.csv");
}

#[test]
fn a_delivery_that_is_a_bomb_is_counted_together() {
    let mut content = b"Kod;Namn\n".to_vec();
    content.extend("0;0\n".repeat(10 << 10).bytes());
    let mapping = "mapping = 1\nname = \"m\"\n[[record]]\nname = \"a\"\nfile = \"a*.csv\"\ndomain = \"organisation\"\nkey = \"{Kod}\"\n";
    let mapping = Arc::new(Mapping::parse("m", mapping).unwrap());
    let limits = Limits {
        rows: u64::MAX,
        ..small()
    };
    let load = |files: &[(&str, &[u8])]| {
        let archive = zip(files);
        gathered(|sink| {
            convert(
                Cursor::new(archive),
                "m.zip",
                &mapping,
                &context(),
                &limits,
                sink,
            )
        })
    };
    // One by one they are small enough.
    assert_eq!(load(&[("a1.csv", &content)]).failed, []);
    let given = load(&[("a1.csv", &content), ("a2.csv", &content)]);
    assert_eq!(codes(&given.failed), [code::DECOMPRESSED_SIZE]);
}

#[test]
fn mappings_name_files_throughout_and_refer_within_them() {
    let record = |name: &str, file: &str, data: &str| {
        format!(
            "[[record]]\nname = \"{name}\"\n{file}domain = \"organisation\"\nkey = \"{{Kod}}\"\n[record.data]\n{data}"
        )
    };
    for text in [
        record("a", "file = \"a.csv\"\n", "") + &record("b", "", ""),
        record("a", "file = \"a.csv\"\n", "")
            + &record("b", "file = \"b.csv\"\n", "parent = { record = \"a\" }\n"),
        record("a", "file = \"x/a.csv\"\n", ""),
    ] {
        let text = format!("mapping = 1\nname = \"m\"\n{text}");
        let problems = Mapping::parse("m", &text).unwrap_err();
        assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
    }
}

const SCHOOL: &str = "00000000-0000-4000-8000-0000000000a1";
const PERSON: &str = "00000000-0000-4000-8000-0000000000b1";

/// The answers of an SS 12000 server, one for each endpoint.
fn ss12000() -> [(&'static str, Value); 5] {
    [
        (
            "organisations",
            json!([
                {"id": "o0", "displayName": "Björkvik", "organisationType": "Huvudman", "organisationNumber": "212999-9997"},
                {"id": SCHOOL, "displayName": "Björkskolan", "organisationType": "Skolenhet", "schoolUnitCode": "12345678",
                 "parentOrganisation": {"id": "o0"}, "organisationNumber": "212999-9997"},
            ]),
        ),
        (
            "persons",
            json!([{"id": PERSON, "givenName": "Åsa", "familyName": "Ek", "personStatus": "Aktiv",
                "responsibles": [{"person": {"id": "p2"}, "relationType": "God man"}, {"person": {"id": "p3"}}],
                "enrolments": [{"enroledAt": {"id": SCHOOL}, "schoolType": "GR", "startDate": "2022-08-15", "cancelled": false}]}]),
        ),
        (
            "duties",
            json!([{"id": "d1", "person": {"id": PERSON}, "dutyAt": {"id": SCHOOL}, "dutyRole": "Lärare", "startDate": "2026-01-01",
                "assignmentRole": [{"group": {"id": "g1"}, "assignmentRoleType": "Mentor", "startDate": "2026-02-01"}]}]),
        ),
        (
            "groups",
            json!([{"id": "g1", "displayName": "3A", "groupType": "Klass", "startDate": "2025-08-18", "organisation": {"id": SCHOOL},
                "groupMemberships": [{"person": {"id": PERSON}}]},
                {"id": "g2", "displayName": "Arbetslag", "groupType": "Personalgrupp", "startDate": "2025-08-18", "organisation": {"id": SCHOOL}}]),
        ),
        (
            "placements",
            json!([{"id": "p1", "child": {"id": PERSON}, "placedAt": {"id": SCHOOL}, "schoolType": "FTH", "startDate": "2025-08-18"}]),
        ),
    ]
}

#[test]
fn ss12000_comes_whole() {
    let answers = ss12000().map(|(name, data)| {
        let page = json!({"data": data, "pageToken": null}).to_string();
        (name, page)
    });
    let files: Vec<(String, &[u8])> = answers
        .iter()
        .map(|(name, page)| (format!("{name}.json"), page.as_bytes()))
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, page)| (name.as_str(), *page))
        .collect();
    let given = run(ready("ss12000"), "skola.zip", &zip(&files)).validated();
    let alone: Vec<Draft> = answers
        .iter()
        .flat_map(|(name, page)| {
            run(
                ready(&format!("ss12000-{name}")),
                &format!("{name}.json"),
                page.as_bytes(),
            )
            .drafts
        })
        .collect();
    assert_eq!(given.drafts, alone);
    let person = &given.draft("person").data;
    assert_eq!(person["relationships"][0]["kind"], "god-man");
    assert_eq!(person["relationships"].as_array().unwrap().len(), 1);
    // The number is that of the legal entity: an identifier of it alone.
    assert_eq!(
        given.drafts[0].data["identifiers"][0]["scheme"],
        "se-organisation-number"
    );
    assert_eq!(
        given.drafts[1].data["legalEntity"]["identifier"]["value"],
        "212999-9997"
    );
    let assignment = given.draft("assignment");
    assert_eq!(assignment.data["basedOn"]["identifier"]["value"], "d1");
    assert_eq!(assignment.data["title"]["sv"], "Mentor");
    let kinds: Vec<&Value> = given
        .drafts
        .iter()
        .filter(|draft| &*draft.record == "group")
        .map(|draft| &draft.data["kind"])
        .collect();
    assert_eq!(kinds, ["student-group", "unit"]);

    let mut with_deleted = files.clone();
    with_deleted.push((
        "deletedEntities.json",
        br#"{"data": [{"entity": "persons", "id": "x1"}, {"entity": "duties", "id": "x2"}, {"entity": "rooms", "id": "x3"}]}"#,
    ));
    let given = run(ready("ss12000"), "skola.zip", &zip(&with_deleted));
    let removed: Vec<String> = given
        .drafts
        .iter()
        .filter(|draft| draft.removed)
        .map(|draft| format!("{} {:?}", draft.domain, draft.key))
        .collect();
    assert_eq!(removed, ["person Source(\"x1\")", "role Source(\"x2\")"]);
    let missing = run(ready("ss12000"), "skola.zip", &zip(&files[1..]));
    assert_eq!(codes(&missing.failed), [code::MISSING_FILE]);
}
