//! Mappings from files: parsing with lines, rows to drafts, faults of rows.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use grunddata_exchange::mapping::{Context, Draft, Key, Mapping, Named};
use grunddata_exchange::{Converted, Limits, Outcome, Problem, code, convert};
use grunddata_information_model::InformationModel;
use grunddata_model::{ValidFrom, ValidTo};
use serde_json::json;

/// The packages that are built in, compiled once.
pub(crate) static MODEL: LazyLock<InformationModel> =
    LazyLock::new(|| InformationModel::embedded().unwrap());

/// What a conversion gave.
#[derive(Debug, Default)]
pub(crate) struct Conversion {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) problems: Vec<Problem>,
    /// What the rejected rows are about.
    pub(crate) about: Vec<Option<Vec<Named>>>,
    pub(crate) notes: Vec<Problem>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) failed: Vec<Problem>,
}

impl Conversion {
    pub(crate) fn draft(&self, record: &str) -> &Draft {
        self.drafts
            .iter()
            .find(|draft| &*draft.record == record)
            .unwrap_or_else(|| panic!("no {record}: {self:#?}"))
    }

    /// Every draft holds what the information model demands.
    pub(crate) fn validated(self) -> Self {
        assert_eq!((&self.failed, &self.problems), (&vec![], &vec![]));
        for draft in self.drafts.iter().filter(|draft| !draft.removed) {
            if let Err(errors) = MODEL.validate(draft.domain, None, draft.data.clone()) {
                panic!("{}: {errors:#?}\n{:#}", draft.record, draft.data);
            }
            for reference in &draft.references {
                let found = draft.data.pointer(&reference.pointer);
                assert_eq!(
                    found,
                    Some(&reference.key.reference("test")),
                    "{}",
                    reference.pointer
                );
            }
        }
        self
    }
}

pub(crate) fn context() -> Context {
    Context {
        source: "test".into(),
        reference_date: Some("2026-11-01".parse().unwrap()),
        tolerate_check_digits: false,
    }
}

pub(crate) fn run(mapping: Mapping, file: &str, bytes: &[u8]) -> Conversion {
    run_with(mapping, file, bytes, &context())
}

pub(crate) fn run_with(
    mapping: Mapping,
    file: &str,
    bytes: &[u8],
    context: &Context,
) -> Conversion {
    let limits = Limits::default();
    gathered(|sink| {
        convert(
            Cursor::new(bytes),
            file,
            &Arc::new(mapping),
            context,
            &limits,
            sink,
        )
    })
}

/// Everything that a conversion gives to its sink.
pub(crate) fn gathered(
    convert: impl FnOnce(&mut dyn FnMut(Converted) -> ControlFlow<()>) -> Result<Outcome, Vec<Problem>>,
) -> Conversion {
    let mut conversion = Conversion::default();
    let outcome = convert(&mut |converted| {
        match converted {
            Converted::Row(mapped) => {
                match mapped.outcome {
                    Ok(drafts) => conversion.drafts.extend(drafts),
                    Err(rejected) => {
                        conversion.about.push(rejected.about);
                        conversion.problems.extend(rejected.problems);
                    }
                }
                conversion.notes.extend(mapped.notes);
            }
            Converted::Refused(problem) => conversion.problems.push(problem),
            Converted::Note(note) => conversion.notes.push(note),
        }
        ControlFlow::Continue(())
    });
    match outcome {
        Ok(outcome) => conversion.outcome = Some(outcome),
        Err(problems) => conversion.failed = problems,
    }
    conversion
}

pub(crate) fn parse(text: &str) -> Mapping {
    Mapping::parse("test.toml", text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A mapping of one person whose data is given.
fn person(data: &str) -> Mapping {
    parse(&format!(
        "mapping = 1\nname = \"test\"\n[codes.sex]\nK = \"female\"\nM = \"male\"\n\"okänt\" = \"\"\n\
         [[record]]\nname = \"person\"\ndomain = \"person\"\nkey = \"P{{Nr}}\"\n{data}"
    ))
}

const LINE: &str = r#"
mapping = 1
name = "hr"

[values]
dates = ["YYYY-MM-DD", "DD/MM/YYYY"]
decimal = "comma"
empty = ["saknas"]

[codes.form]
T = "permanent"
V = "substitute"

[[record]]
name = "unit"
domain = "organisation"
key = "unit:{Enhet}"
[record.data]
"name.sv" = "Enhetsnamn"
kind = { constant = "unit" }

[[record]]
name = "person"
domain = "person"
key = { identifier = { column = "Personnr" } }
[record.data]
"name.family" = { column = "Namn", split = ",", part = 1 }
"name.given" = { column = "Förnamn", split = " " }
[[record.list]]
to = "identifiers"
value = { column = "Personnr", as = "personal-identifier" }
[[record.list]]
to = "contactPoints"
[record.list.item]
kind = { constant = "email" }
value = { column = "E-post", case = "lower" }
[[record.list]]
to = "contactPoints"
each = { column = "Telefon", split = "," }
[record.list.item]
kind = { constant = "phone" }
value = { column = "@", as = "phone" }

[[record]]
name = "employment"
domain = "role"
key = "employment:{Anstnr}"
when = { column = "Status", not-in = ["avslutad"] }
valid-from = "Från"
valid-to = "T.o.m."
[record.data]
kind = { constant = "employment" }
person = { record = "person" }
organisation = { record = "unit", required = true }
reportsTo = { reference = "role", key = "employment:{Chef}" }
employer = { reference = "organisation", scheme = "se-organisation-number", value = "{Orgnr}" }
employmentForm = { column = "Form", codes = "form" }
employmentRate = { column = "Grad", as = "decimal" }
[[record.list]]
to = "identifiers"
[record.list.item]
scheme = { constant = "employee-number" }
value = "Anstnr"
issuer = { constant = "se-2499" }
"#;

const HEADER: &str = "Personnr;Namn;Förnamn;E-post;Telefon;Anstnr;Form;Grad;Från;T.o.m.;Enhet;Enhetsnamn;Chef;Orgnr;Status\n";

fn line(cells: &str) -> Conversion {
    run(
        parse(LINE),
        "hr.csv",
        format!("{HEADER}{cells}\n").as_bytes(),
    )
}

#[test]
fn one_line_gives_unit_person_and_employment() {
    let given = line("900101-2385;Ek, Åsa;Åsa Maria;ASA@BJORKVIK.EXAMPLE;090-123 45 67, 070-1234567;1044;t;75,5;01/02/2020;2027-06-30;A1;Skolan;1001;2129999997;aktiv").validated();
    assert_eq!(given.drafts.len(), 3);
    assert_eq!(
        given.draft("unit").data,
        json!({"name": {"sv": "Skolan"}, "kind": "unit", "identifiers": [{"scheme": "source:test", "value": "unit:A1"}]})
    );
    let person = given.draft("person");
    let number = "199001012385";
    assert_eq!(
        person.key,
        Key::Identifier {
            scheme: "se-personal-identity-number".into(),
            value: number.into()
        }
    );
    assert_eq!(
        person.data,
        json!({
            "name": {"family": "Ek", "given": ["Åsa", "Maria"]},
            "identifiers": [{"scheme": "se-personal-identity-number", "value": number}],
            "contactPoints": [
                {"kind": "email", "value": "asa@bjorkvik.example"},
                {"kind": "phone", "value": "+46901234567"},
                {"kind": "phone", "value": "+46701234567"},
            ],
        })
    );
    let employment = given.draft("employment");
    assert_eq!(employment.key, Key::Source("employment:1044".into()));
    assert_eq!(
        employment.data,
        json!({
            "kind": "employment",
            "person": {"identifier": {"scheme": "se-personal-identity-number", "value": number}},
            "organisation": {"identifier": {"scheme": "source:test", "value": "unit:A1"}},
            "reportsTo": {"identifier": {"scheme": "source:test", "value": "employment:1001"}},
            "employer": {"identifier": {"scheme": "se-organisation-number", "value": "2129999997"}},
            "employmentForm": "permanent",
            "employmentRate": "75.5",
            "identifiers": [
                {"scheme": "employee-number", "value": "1044", "issuer": "se-2499"},
                {"scheme": "source:test", "value": "employment:1044"},
            ],
        })
    );
    assert_eq!(
        employment.valid_from,
        Some(ValidFrom::Date("2020-02-01".parse().unwrap()))
    );
    assert_eq!(
        employment.valid_to,
        Some(ValidTo::Date("2027-07-01".parse().unwrap())),
        "t.o.m. is inclusive"
    );
    assert_eq!(employment.references.len(), 4);
}

#[test]
fn all_faults_of_a_row_are_told_at_once_with_row_column_and_value() {
    let given =
        line("900101-2386;Ek;Åsa;a;ring;1044;X;mycket;31/02/2020;2019-01-01;A1;Skolan;;;aktiv");
    assert_eq!(given.drafts, []);
    let mut found: Vec<_> = given
        .problems
        .iter()
        .map(|problem| {
            assert_eq!(
                (&*problem.place.file, problem.place.row),
                ("hr.csv", Some(2))
            );
            (
                problem.place.column.as_deref().unwrap_or_default(),
                problem.code,
                problem.value.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("@", "invalid-format", "ring"),
            ("Form", code::UNTRANSLATED, "X"),
            ("Från", "invalid-date", "31/02/2020"),
            ("Grad", code::WRONG_KIND, "mycket"),
            ("Personnr", "check-digit", "900101-****"),
        ]
    );
    assert_eq!(given.outcome.unwrap().rejected, 1);
}

#[test]
fn conditions_leave_records_out_and_empty_cells_properties() {
    let given =
        line("900101-2385;Ek;saknas;;;1044;T;100;2020-02-01;;A1;Skolan;;;Avslutad").validated();
    assert_eq!(given.drafts.len(), 2, "no employment");
    assert_eq!(
        given.draft("person").data["name"],
        json!({"family": "Ek"}),
        "\"saknas\" is empty"
    );
    assert_eq!(given.draft("person").data.get("contactPoints"), None);
}

#[test]
fn open_ends_are_recognised_in_any_form_and_periods_must_rise() {
    let end = |to: &str| {
        let given = line(&format!(
            "900101-2385;Ek;Åsa;;;1;T;100;2020-02-01;{to};A1;Skolan;;;"
        ));
        match given.problems.first() {
            Some(problem) => Err((problem.code, problem.place.column.clone())),
            None => Ok(given.draft("employment").valid_to),
        }
    };
    for open in ["", "9999-12-31", "2099-12-31", "31/12/2099"] {
        assert_eq!(end(open), Ok(Some(ValidTo::Open)), "{open}");
    }
    assert_eq!(
        end("2020-02-01"),
        Ok(Some(ValidTo::Date("2020-02-02".parse().unwrap()))),
        "one day is a period"
    );
    assert_eq!(
        end("2020-01-31"),
        Err((code::PERIOD, Some("T.o.m.".into())))
    );
}

#[test]
fn keys_must_not_be_empty() {
    let given = line("900101-2385;Ek;Åsa;;;;T;100;2020-02-01;;;Skolan;;;");
    let found: Vec<_> = given
        .problems
        .iter()
        .map(|problem| (problem.place.column.as_deref(), problem.code))
        .collect();
    assert_eq!(
        found,
        [
            (Some("Enhet"), code::MISSING_VALUE),
            (Some("Anstnr"), code::MISSING_VALUE),
            (None, code::MISSING_VALUE),
        ]
    );
}

#[test]
fn columns_that_are_missing_or_stand_twice_stop_the_file_before_its_first_row() {
    let given = run(parse(LINE), "hr.csv", b"Personnummer;Namn;Namn\n1;2;3\n");
    assert!(given.drafts.is_empty() && given.problems.is_empty());
    let problem = |column: &str| {
        given
            .failed
            .iter()
            .find(|problem| problem.place.column.as_deref() == Some(column))
            .unwrap()
    };
    assert_eq!(problem("Personnr").code, code::MISSING_COLUMN);
    assert!(problem("Personnr").message.contains("\"Personnummer\""));
    assert_eq!(problem("Namn").code, code::DUPLICATE_COLUMN);
    assert_eq!(given.failed.len(), 15);
}

#[test]
fn numbers_of_persons_follow_the_rules_of_the_source() {
    let mapping = || {
        person(
            "[record.data]\n\"name.full\" = \"Namn\"\n[[record.list]]\nto = \"identifiers\"\nvalue = { column = \"Pnr\", as = \"personal-identifier\" }\n",
        )
    };
    let read = |number: &str, context: &Context| {
        let file = format!("Nr;Namn;Pnr\n1;Åsa;{number}\n");
        let given = run_with(mapping(), "a.csv", file.as_bytes(), context);
        match given.problems.first() {
            Some(problem) => Err((problem.code, problem.value.clone().unwrap_or_default())),
            None => {
                let identifier = &given.draft("person").data["identifiers"][0];
                Ok(format!(
                    "{}:{}",
                    identifier["scheme"].as_str().unwrap(),
                    identifier["value"].as_str().unwrap()
                ))
            }
        }
    };
    let at = context();
    for (given, expected) in [
        ("199001012385", "se-personal-identity-number:199001012385"),
        ("19900101-2385", "se-personal-identity-number:199001012385"),
        ("900101-2385", "se-personal-identity-number:199001012385"),
        ("900101+9802", "se-personal-identity-number:189001019802"),
        ("19140168-2396", "se-coordination-number:191401682396"),
        ("20130101TF01", "se-temporary-school-number:20130101TF01"),
    ] {
        assert_eq!(read(given, &at), Ok(expected.to_owned()));
    }
    let masked = |code, shown: &str| Err((code, shown.to_owned()));
    assert_eq!(
        read("199001012386", &at),
        masked("check-digit", "19900101****")
    );
    assert_eq!(
        read("1,99001E+11", &at),
        masked(code::NUMBER_LOST, "1,99001E+11")
    );
    let without = Context {
        reference_date: None,
        ..context()
    };
    assert_eq!(
        read("900101-2385", &without),
        masked("invalid-format", "900101-****")
    );
    let tolerant = Context {
        tolerate_check_digits: true,
        ..context()
    };
    assert_eq!(
        read("19900101-2386", &tolerant),
        Ok("se-personal-identity-number:199001012386".to_owned())
    );
}

#[test]
fn values_are_made_in_every_way_the_language_has() {
    let mapping = person(
        r#"
[record.data]
"name.full" = { join = ["Förnamn", "Efternamn"] }
"name.family" = { column = "Efternamn", case = "title" }
"name.notificationName" = { template = "{Efternamn}, {Förnamn}" }
"name.preferredGiven" = { first = ["Tilltalsnamn?", "Förnamn"] }
"name.middle" = { column = "Förnamn", split = " ", part = -1 }
sex = { column = "Kön", codes = "sex" }
birthDate = { column = "Född", as = "partial-date", dates = ["DD.MM.YYYY"] }
registrationStatus = { constant = "resident" }
"extensions.x.n" = { column = "Grad", as = "integer" }
"extensions.x.b" = { column = "Aktiv", as = "boolean" }
"extensions.x.o" = { column = "Org", as = "organisation-number" }
"extensions.x.p" = { column = "Pnr", as = "postal-code" }
"extensions.x.d" = { column = "Kod", as = "digits" }
"extensions.x.f" = { column = "Andel", as = "decimal", times = 100 }
"extensions.x.s" = { column = "Saknas", default = "inget" }
"extensions.x.w" = { column = "Kod", when = [{ column = "Saknas", present = true }] }
"#,
    );
    let file = "Nr;Förnamn;Efternamn;Kön;Född;Grad;Aktiv;Org;Pnr;Kod;Andel;Saknas\n\
                1;Åsa Maria;VON ÖST-EK;k;19900200;7;Ja;16212999-9997;903 99;12 34;0,755;\n\
                2;Bo;Ek;okänt;3.1.1990;7;n;212999-9997;90399;1;1;x\n";
    let given = run(mapping, "a.csv", file.as_bytes());
    assert_eq!(given.problems, []);
    assert_eq!(
        given.drafts[0].data,
        json!({
            "name": {"full": "Åsa Maria VON ÖST-EK", "family": "Von Öst-Ek", "notificationName": "VON ÖST-EK, Åsa Maria", "preferredGiven": "Åsa Maria", "middle": "Maria"},
            "sex": "female",
            "birthDate": "1990-02",
            "registrationStatus": "resident",
            "extensions": {"x": {"n": 7, "b": true, "o": "2129999997", "p": "90399", "d": "1234", "f": "75.5", "s": "inget"}},
            "identifiers": [{"scheme": "source:test", "value": "P1"}],
        })
    );
    let second = &given.drafts[1].data;
    assert_eq!(second["birthDate"], json!("1990-01-03"));
    assert_eq!(second.get("sex"), None, "translated to nothing");
    assert_eq!(second["extensions"]["x"]["w"], json!("1"));
}

#[test]
fn objects_are_reached_by_paths_and_lists_by_each() {
    let mapping = parse(
        r#"
mapping = 1
name = "json"
[[record]]
name = "person"
domain = "person"
key = "{id}"
[record.data]
"name.family" = "name.familyName"
"name.full" = "/urn:x:2.0/display.name"
[[record.list]]
to = "contactPoints"
each = "emails"
when = { column = "@type", not-in = ["Privat"] }
[record.list.item]
kind = { constant = "email" }
value = "@value"
[[record]]
name = "pupil"
domain = "role"
key = "{id}:{@enroledAt.id}"
each = "enrolments"
valid-from = "@startDate"
valid-to = "@endDate"
[record.data]
kind = { constant = "pupil" }
person = { record = "person" }
organisation = { reference = "organisation", key = "{@enroledAt.id}" }
"#,
    );
    let file = json!([{
        "id": "p1",
        "name": {"familyName": "Ek"},
        "urn:x:2.0": {"display.name": "Åsa Ek"},
        "emails": [{"value": "a@x.example", "type": "Skola"}, {"value": "b@x.example", "type": "Privat"}],
        "enrolments": [{"enroledAt": {"id": "s1"}, "startDate": "2025-08-18", "endDate": "2026-06-12"}, {"enroledAt": {"id": "s2"}, "startDate": "2026-08-17"}],
    }, {"id": "p2", "name": {"familyName": "Öst"}}]);
    let given = run(mapping, "a.json", file.to_string().as_bytes()).validated();
    let records: Vec<_> = given
        .drafts
        .iter()
        .map(|draft| (&*draft.record, draft.key.clone()))
        .collect();
    let key = |key: &str| Key::Source(key.to_owned());
    assert_eq!(
        records,
        [
            ("person", key("p1")),
            ("pupil", key("p1:s1")),
            ("pupil", key("p1:s2")),
            ("person", key("p2")),
        ]
    );
    assert_eq!(given.drafts[0].data["name"]["full"], json!("Åsa Ek"));
    assert_eq!(
        given.drafts[0].data["contactPoints"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        given.drafts[1].valid_to,
        Some(ValidTo::Date("2026-06-13".parse().unwrap()))
    );
    assert_eq!(given.drafts[2].valid_to, Some(ValidTo::Open));
}

#[test]
fn faults_of_a_mapping_name_their_line() {
    let text = "mapping = 2\nname = \"x\"\n[values]\ndates = [\"YY\"]\nopne = []\n[[record]]\nname = \"a\"\ndomain = \"persn\"\nkey = \"fast\"\n[record.data]\n\"name.0\" = \"A\"\nb = { column = \"B\", first = [\"C\"] }\nc = { column = \"B\", codes = \"nope\" }\nd = { record = \"b\" }\ne = \"@x\"\nf = 7\n\"f.g\" = \"B\"\n";
    let problems = Mapping::parse("m.toml", text).unwrap_err();
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| {
            assert_eq!(
                (problem.code, &*problem.place.file),
                (code::MAPPING, "m.toml")
            );
            assert!(!problem.message_sv.is_empty());
            problem.place.row.unwrap()
        })
        .collect();
    assert_eq!(lines, [1, 4, 5, 8, 9, 11, 12, 13, 14, 15, 16]);
    let word = problems
        .iter()
        .find(|problem| problem.place.row == Some(5))
        .unwrap();
    assert!(word.message.contains("Did you mean \"open\"?"), "{word}");
    let broken = Mapping::parse("m.toml", "mapping = 1\nname = \n").unwrap_err();
    assert_eq!(broken[0].place.row, Some(2));
}
