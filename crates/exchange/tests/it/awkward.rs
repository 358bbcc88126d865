//! Every trap of the folder `tests/awkward`, and those that are made here because they are binary or large: the right
//! message, in the right place, and nothing taken from a file that cannot be read to its end without saying so.

use std::collections::BTreeSet;

use grunddata_exchange::mapping::Mapping;
use grunddata_exchange::{Problem, code};
use rust_xlsxwriter::{Format, Formula, Workbook, Worksheet};

use crate::files::{gzip, zip, zstd};
use crate::mappings::{Conversion, run};

const MAPPING: &str = r#"
mapping = 1
name = "awkward"
[[record]]
name = "person"
domain = "person"
key = { identifier = { column = "Personnr" } }
[record.data]
"name.full" = { column = "Namn", required = true }
[[record.list]]
to = "identifiers"
value = { column = "Personnr", as = "personal-identifier" }
[[record]]
name = "employment"
domain = "role"
key = "{Anstnr}"
valid-from = "Från"
valid-to = "Till"
[record.data]
kind = { constant = "employment" }
person = { record = "person" }
organisation = { reference = "organisation", scheme = "se-organisation-number", value = "212999{#1}" }
employmentRate = { column = "Grad", as = "decimal" }
"#;

pub(crate) fn mapping() -> Mapping {
    // Objects have no third column: the reference needs only a column that is filled.
    let text = MAPPING.replace("{#1}", "{Anstnr}");
    Mapping::parse("awkward.toml", &text).unwrap()
}

pub(crate) fn folder() -> std::path::PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/awkward").into()
}

/// Everything that is said: code, row, column.
type Said = (&'static str, Option<u64>, Option<String>);

fn said(problems: &[Problem]) -> Vec<Said> {
    problems
        .iter()
        .map(|problem| {
            assert!(problem.message.len() > 20 && problem.message_sv.len() > 20);
            assert_ne!(problem.message, problem.message_sv);
            (
                problem.code,
                problem.place.row,
                problem.place.column.as_deref().map(str::to_owned),
            )
        })
        .collect()
}

/// What a file must give: drafts, problems of rows, problems of the whole file, notes.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    drafts: usize,
    rows: Vec<Said>,
    file: Vec<Said>,
    notes: Vec<Said>,
}

fn observed(given: &Conversion) -> Expected {
    Expected {
        drafts: given.drafts.len(),
        rows: said(&given.problems),
        file: said(&given.failed),
        notes: said(&given.notes),
    }
}

fn at(code: &'static str, row: u64, column: &str) -> Said {
    (
        code,
        (row > 0).then_some(row),
        (!column.is_empty()).then(|| column.to_owned()),
    )
}

fn fine(drafts: usize) -> Expected {
    Expected {
        drafts,
        ..Expected::default()
    }
}

fn rejected(drafts: usize, rows: &[Said]) -> Expected {
    Expected {
        drafts,
        rows: rows.to_vec(),
        ..Expected::default()
    }
}

fn refused(drafts: usize, code: &'static str, row: u64, column: &str) -> Expected {
    Expected {
        drafts,
        file: vec![at(code, row, column)],
        ..Expected::default()
    }
}

fn noted(drafts: usize, note: Said) -> Expected {
    Expected {
        drafts,
        notes: vec![note],
        ..Expected::default()
    }
}

#[test]
fn every_file_of_the_folder_gets_the_right_message() {
    let table = [
        (
            "31-february.csv",
            rejected(0, &[at("invalid-date", 2, "Från")]),
        ),
        (
            "cut-off.csv",
            rejected(2, &[at(code::ROW_TOO_SHORT, 3, "")]),
        ),
        ("cut-off.json", refused(2, code::TRUNCATED_FILE, 2, "")),
        (
            "duplicated-header.csv",
            refused(0, code::DUPLICATE_COLUMN, 0, "Från"),
        ),
        ("empty.csv", refused(0, code::EMPTY_FILE, 0, "")),
        (
            "encoded-twice.csv",
            refused(0, code::MISSING_COLUMN, 0, "Från"),
        ),
        (
            "ends-before-it-begins.csv",
            rejected(0, &[at(code::PERIOD, 2, "Till")]),
        ),
        (
            "missing-column.csv",
            refused(0, code::MISSING_COLUMN, 0, "Personnr"),
        ),
        (
            "mixed-line-ends.csv",
            rejected(6, &[at(code::WRONG_KIND, 6, "Grad")]),
        ),
        (
            "not-objects.json",
            rejected(0, &[at(code::JSON, 1, ""), at(code::JSON, 2, "")]),
        ),
        ("sign-in-page.csv", refused(0, code::PAGE, 0, "")),
        ("nul.csv", refused(0, code::UNKNOWN_FORMAT, 0, "")),
        ("only-blank-lines.csv", refused(0, code::EMPTY_FILE, 0, "")),
        ("only-header.csv", fine(0)),
        (
            "open-quotation-mark.csv",
            rejected(2, &[at(code::ROW_TOO_SHORT, 3, "")]),
        ),
        (
            "scientific-number.csv",
            rejected(0, &[at(code::NUMBER_LOST, 2, "Personnr")]),
        ),
        (
            "separator-in-a-text.csv",
            rejected(0, &[at(code::ROW_TOO_LONG, 2, "")]),
        ),
        (
            "totals-in-the-middle.csv",
            rejected(4, &[at(code::TOTALS_ROW, 3, "")]),
        ),
        ("totals.csv", noted(2, at(code::TOTALS_ROW, 3, ""))),
        (
            "two-encodings.csv",
            rejected(4, &[at(code::ENCODING, 4, "Namn")]),
        ),
        ("windows-1252.csv", fine(2)),
        (
            "wrong-check-digit.csv",
            rejected(0, &[at("check-digit", 2, "Personnr")]),
        ),
    ];
    let mut seen: BTreeSet<&str> = ["title-above-header.csv", "README.md", ".gitattributes"].into();
    for (file, expected) in &table {
        let bytes = std::fs::read(folder().join(file)).unwrap();
        let given = run(mapping(), file, &bytes);
        assert_eq!(observed(&given), *expected, "{file}: {given:#?}");
        seen.insert(file);
    }
    let names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        names.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        seen
    );
}

#[test]
fn a_title_above_the_headers_names_the_cure() {
    let bytes = std::fs::read(folder().join("title-above-header.csv")).unwrap();
    let given = run(mapping(), "title-above-header.csv", &bytes);
    assert_eq!(given.failed.len(), 6);
    assert!(given.failed[0].message.contains("input.header-row"));
    let text = MAPPING.replace("{#1}", "{Anstnr}") + "[input]\nheader-row = 2\n";
    let given = run(Mapping::parse("m", &text).unwrap(), "t.csv", &bytes);
    assert_eq!(observed(&given), fine(2));
}

pub(crate) fn workbook(fill: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name("Personal").unwrap();
    for (column, name) in (0..).zip(["Personnr", "Namn", "Anstnr", "Grad", "Från", "Till"]) {
        sheet.write_string(0, column, name).unwrap();
    }
    fill(sheet);
    workbook.save_to_buffer().unwrap()
}

fn staff(sheet: &mut Worksheet, row: u32, number: &str, name: &str) {
    let cells = [number, name, &row.to_string(), "100", "2026-01-01"];
    for (column, cell) in (0..).zip(cells) {
        if !cell.is_empty() {
            sheet.write_string(row, column, cell).unwrap();
        }
    }
}

/// Personal identity numbers that were typed as digits.
pub(crate) fn floats() -> Vec<u8> {
    workbook(|sheet| {
        staff(sheet, 1, "", "Åsa");
        sheet.write_number(1, 0, 199_001_012_385.0).unwrap();
        // Ten digits that begin with zeros: 000101-2384.
        staff(sheet, 2, "", "Bo");
        sheet.write_number(2, 0, 1_012_384.0).unwrap();
        staff(sheet, 3, "", "Eva");
        sheet.write_number(3, 0, 199_001_012_385.5).unwrap();
        staff(sheet, 4, "", "Ulf");
        sheet.write_number(4, 0, 199_001_012_386.0).unwrap();
    })
}

/// One name over two persons.
pub(crate) fn merged() -> Vec<u8> {
    workbook(|sheet| {
        staff(sheet, 1, "199001012385", "");
        staff(sheet, 2, "199001022384", "");
        sheet
            .merge_range(1, 1, 2, 1, "Åsa", &Format::new())
            .unwrap();
    })
}

/// A look-up that found nothing.
pub(crate) fn formulas() -> Vec<u8> {
    workbook(|sheet| {
        staff(sheet, 1, "199001012385", "Åsa");
        let broken = Formula::new("=VLOOKUP(1,A:A,2)").set_result("#N/A");
        sheet.write_formula(1, 3, broken).unwrap();
    })
}

/// A row that nobody sees.
pub(crate) fn hidden() -> Vec<u8> {
    workbook(|sheet| {
        staff(sheet, 1, "199001012385", "Åsa");
        sheet.set_row_hidden(1).unwrap();
    })
}

/// A cell of a million characters, and a row after it.
pub(crate) fn long_cell() -> Vec<u8> {
    let long = "x".repeat(1_000_000);
    format!(
        "Personnr;Namn;Anstnr;Grad;Från;Till\n900101-2385;{long};1;100;2026-01-01;\n900102-2384;B;2;100;2026-01-01;\n"
    )
    .into_bytes()
}

/// 56 MB of nothing.
pub(crate) fn bomb() -> Vec<u8> {
    let mut bomb = b"Personnr;Namn;Anstnr;Grad;Fr\xc3\xa5n;Till\n".to_vec();
    bomb.extend(";;;;;\n".repeat(8 << 20).bytes());
    bomb
}

#[test]
fn workbooks_with_traps() {
    let given = run(mapping(), "floats.xlsx", &floats());
    assert_eq!(
        observed(&given),
        Expected {
            drafts: 4,
            rows: vec![
                at(code::NUMBER_LOST, 4, "Personnr"),
                at("check-digit", 5, "Personnr")
            ],
            file: vec![],
            notes: vec![
                at(code::NUMBER_RESTORED, 2, "Personnr"),
                at(code::NUMBER_RESTORED, 3, "Personnr")
            ],
        }
    );
    assert_eq!(
        given.drafts[2].data["identifiers"][0]["value"],
        "200001012384"
    );
    assert_eq!(given.problems[1].value.as_deref(), Some("19900101****"));

    let given = run(mapping(), "merged.xlsx", &merged());
    assert_eq!(
        observed(&given),
        rejected(2, &[at(code::MERGED_CELL, 3, "B")])
    );

    let given = run(mapping(), "formulas.xlsx", &formulas());
    assert_eq!(
        observed(&given),
        rejected(0, &[at(code::FORMULA_ERROR, 2, "Grad (D)")])
    );
    assert_eq!(given.problems[0].place.sheet.as_deref(), Some("Personal"));

    let hidden = hidden();
    let given = run(mapping(), "hidden.xlsx", &hidden);
    assert_eq!(observed(&given), noted(2, at(code::HIDDEN, 0, "")));

    let cut_off = run(mapping(), "cut-off.xlsx", &hidden[..hidden.len() - 200]);
    assert_eq!(observed(&cut_off), refused(0, code::TRUNCATED_FILE, 0, ""));
}

#[test]
fn a_cell_of_a_million_characters_is_refused_alone() {
    let given = run(mapping(), "long.csv", &long_cell());
    assert_eq!(observed(&given), rejected(2, &[at(code::LIMIT, 2, "Namn")]));
    assert!(given.problems[0].value.as_ref().unwrap().len() < 100);
}

#[test]
fn bombs_and_cut_off_archives_are_refused() {
    let bomb = bomb();
    for (name, bytes) in [
        ("bomb.csv.gz", gzip(&bomb)),
        ("bomb.csv.zst", zstd(&bomb)),
        ("bomb.xlsx", zip(&[("xl/worksheets/sheet1.xml", &bomb)])),
    ] {
        assert!(bytes.len() < 256 << 10, "{name}: {}", bytes.len());
        let given = run(mapping(), name, &bytes);
        assert_eq!(given.failed[0].code, code::DECOMPRESSED_SIZE, "{name}");
    }
    let file = "Personnr;Namn;Anstnr;Grad;Från;Till\n900101-2385;A;1;100;2026-01-01;\n".to_owned();
    let packed = gzip(file.as_bytes());
    let given = run(mapping(), "cut-off.csv.gz", &packed[..packed.len() - 9]);
    assert_eq!(given.failed[0].code, code::TRUNCATED_FILE);
}

/// Whatever is cut off or overwritten in a file, there is an answer and no crash.
#[test]
fn damaged_files_never_crash() {
    let book = workbook(|sheet| staff(sheet, 1, "199001012385", "Åsa"));
    let text = std::fs::read(folder().join("mixed-line-ends.csv")).unwrap();
    let json =
        br#"{"data": [{"Personnr": "199001012385", "Namn": "\u00c5sa", "Anstnr": 1}]}"#.to_vec();
    for (name, bytes) in [
        ("a.xlsx", &book),
        ("a.csv", &text),
        ("a.csv.gz", &gzip(&text)),
        ("a.csv.zst", &zstd(&text)),
        ("a.zip", &zip(&[("a.csv", &text)])),
        ("a.json", &json),
    ] {
        let step = (bytes.len() / 150).max(1);
        for place in (0..bytes.len()).step_by(step) {
            run(mapping(), name, &bytes[..place]);
            let mut damaged = bytes.clone();
            damaged[place] ^= 0xff;
            run(mapping(), name, &damaged);
        }
    }
}
