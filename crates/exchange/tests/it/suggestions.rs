//! Proposals: they parse, bind to the file they are made from, and say what they left out.

use std::io::Cursor;
use std::ops::ControlFlow;

use grunddata_exchange::mapping::Mapping;
use grunddata_exchange::rows::{self, Event, ReadOptions, Row};
use grunddata_exchange::suggest::{Meaning, Suggestion, suggest};

use crate::mappings::{Conversion, run};

fn propose(file: &str) -> Suggestion {
    let mut header = None;
    let mut sample: Vec<Row> = Vec::new();
    let options = ReadOptions {
        file: "a.csv".into(),
        ..ReadOptions::default()
    };
    rows::read(Cursor::new(file.as_bytes()), &options, &mut |event| {
        match event {
            Event::Header(found) => header = Some(found.clone()),
            Event::Row(row) => sample.push(row),
            Event::Refused(_) | Event::Note(_) => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    suggest("förslag", &header.unwrap(), &sample)
}

fn meanings(suggestion: &Suggestion) -> Vec<Option<Meaning>> {
    suggestion
        .columns
        .iter()
        .map(|guess| guess.meaning)
        .collect()
}

fn applied(file: &str) -> Conversion {
    let suggestion = propose(file);
    let mapping = Mapping::parse("proposal", &suggestion.mapping)
        .unwrap_or_else(|problems| panic!("{}\n{problems:#?}", suggestion.mapping));
    run(mapping, "a.csv", file.as_bytes()).validated()
}

#[test]
fn a_swedish_payroll_extract_works_as_proposed() {
    let file = "Personnr;Efternamn;Förnamn;E-post;Mobiltelefon;Anst.nr;Anställningsform;Sysselsättningsgrad;Anställd fr.o.m.;Anställd t.o.m.;Enhetskod;Enhetsnamn;Löneklass\n\
                19900101-2385;Ek;Åsa;a@x.example;070-123 45 67;1;Tillsvidare;75,5;01/02/2020;;A1;Skolan;7\n\
                19900102-2384;Öst;Bo;b@x.example;070-123 45 68;2;Vikariat;100;15/03/2021;30/06/2027;A1;Skolan;8\n";
    let given = applied(file);
    assert_eq!(given.drafts.len(), 6);
    let employment = &given.drafts[5];
    assert_eq!(employment.data["employmentForm"], "substitute");
    assert_eq!(given.drafts[2].data["employmentRate"], "75.5");
    let suggestion = propose(file);
    assert_eq!(meanings(&suggestion).last(), Some(&None));
    assert!(suggestion.mapping.contains("#   Löneklass\n"));
}

#[test]
fn english_headers_and_unknown_ones_with_telling_values_are_recognised() {
    let file = "First name,Last name,Column A,Contact,DepartmentID,Department,Employee number,Start date,End date\n\
                Åsa,Ek,199001012385,a@x.example,D1,Schools,1,12/31/2020,\n\
                Bo,Öst,199001022384,b@x.example,D1,Schools,2,01/15/2021,06/30/2027\n";
    assert_eq!(
        meanings(&propose(file)),
        [
            Meaning::Given,
            Meaning::Family,
            Meaning::PersonalNumber,
            Meaning::Email,
            Meaning::UnitKey,
            Meaning::UnitName,
            Meaning::EmployeeNumber,
            Meaning::From,
            Meaning::To,
        ]
        .map(Some)
    );
    let given = applied(file);
    let bounds: Vec<_> = given
        .drafts
        .iter()
        .filter_map(|draft| draft.valid_from)
        .collect();
    assert_eq!(bounds.len(), 2);
    assert!(propose(file).mapping.contains("MM/DD/YYYY"));
}

#[test]
fn nothing_recognised_is_still_a_mapping_and_odd_headers_do_no_harm() {
    for file in [
        "x;y\n1;2\n",
        "Förnamn;Förnamn;\"a\"\"b{c}\\\";\n1;2;3;4\n",
        "Personnr;Namn\n199001012385;Åsa Ek\n",
        "\"Enhetskod {x}\";Enhetsnamn\n1;A\n",
    ] {
        let suggestion = propose(file);
        let parsed = Mapping::parse("proposal", &suggestion.mapping);
        assert!(parsed.is_ok(), "{}\n{parsed:#?}", suggestion.mapping);
    }
    assert_eq!(
        applied("Personnr;Namn\n199001012385;Åsa Ek\n").drafts.len(),
        1
    );
}
