//! Workbooks: types of cells, merged and hidden cells, sheets, errors of formulas.

use std::collections::BTreeMap;

use grunddata_exchange::code;
use grunddata_exchange::rows::{Cell, Merged, ReadOptions};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};

use crate::files::{ods, read, read_with, small};

fn workbook(fill: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    fill(workbook.add_worksheet().set_name("Personal").unwrap());
    workbook.save_to_buffer().unwrap()
}

fn strings(sheet: &mut Worksheet, rows: &[&[&str]]) {
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            if !cell.is_empty() {
                sheet.write_string(row, column, *cell).unwrap();
            }
        }
    }
}

#[test]
fn cells_keep_their_types() {
    let bytes = workbook(|sheet| {
        strings(
            sheet,
            &[&["Namn", "Född", "Nummer", "Grad", "Aktiv"], &["Åsa"]],
        );
        let date = Format::new().set_num_format("yyyy-mm-dd");
        let day = ExcelDateTime::from_ymd(1990, 2, 28).unwrap();
        sheet.write_datetime_with_format(1, 1, &day, &date).unwrap();
        sheet.write_number(1, 2, 189_001_019_802.0).unwrap();
        sheet.write_number(1, 3, 75.5).unwrap();
        sheet.write_boolean(1, 4, true).unwrap();
    });
    let reading = read("hr.xlsx", &bytes);
    assert_eq!(
        reading.cells(0),
        [
            Cell::Text("Åsa".into()),
            Cell::Date("1990-02-28".parse().unwrap()),
            Cell::Number(189_001_019_802.0),
            Cell::Number(75.5),
            Cell::Boolean(true),
        ]
    );
    assert_eq!(reading.numbers(), [2]);
}

#[test]
fn errors_of_formulas_name_sheet_row_and_column() {
    let bytes = workbook(|sheet| {
        strings(sheet, &[&["Namn", "Enhet"], &["Åsa"]]);
        sheet
            .write_formula(1, 1, Formula::new("=1/0").set_result("#DIV/0!"))
            .unwrap();
    });
    let reading = read("hr.xlsx", &bytes);
    let Cell::Refused(problem) = &reading.cells(0)[1] else {
        panic!("{reading:?}");
    };
    assert_eq!(problem.code, code::FORMULA_ERROR);
    assert_eq!(
        problem.to_string(),
        "hr.xlsx, sheet Personal, row 2, column Enhet (B): The formula gives the error #DIV/0!; correct it in the workbook, or paste values. (the value is \"#DIV/0!\")"
    );
}

#[test]
fn merged_cells_are_refused_or_filled() {
    let bytes = workbook(|sheet| {
        strings(
            sheet,
            &[
                &["Enhet", "Namn"],
                &["", "Åsa"],
                &["", "Emil"],
                &["B", "Eva"],
            ],
        );
        sheet.merge_range(1, 0, 2, 0, "A", &Format::new()).unwrap();
    });
    let reading = read("hr.xlsx", &bytes);
    assert_eq!(reading.texts(0), ["A", "Åsa"]);
    let Cell::Refused(problem) = &reading.cells(1)[0] else {
        panic!("{reading:?}");
    };
    assert_eq!(problem.code, code::MERGED_CELL);
    assert!(problem.message.contains("A2:A3"));
    assert_eq!(reading.texts(2), ["B", "Eva"]);
    let reading = read_with(
        &bytes,
        &ReadOptions {
            file: "hr.xlsx".into(),
            merged: Merged::Fill,
            ..ReadOptions::default()
        },
    );
    assert_eq!(reading.texts(1), ["A", "Emil"]);
}

#[test]
fn hidden_rows_and_columns_are_read_and_said() {
    let bytes = workbook(|sheet| {
        strings(sheet, &[&["Namn", "Enhet"], &["Åsa", "A"], &["Emil", "B"]]);
        sheet.set_row_hidden(2).unwrap();
        sheet.set_column_hidden(1).unwrap();
    });
    let reading = read("hr.xlsx", &bytes);
    assert_eq!(reading.rows.len(), 2);
    assert_eq!(reading.notes[0].code, code::HIDDEN);
    assert!(
        reading.notes[0]
            .message
            .contains("1 rows (3) and the columns B")
    );
}

#[test]
fn the_first_sheet_that_is_not_hidden_is_read_unless_one_is_named() {
    let mut workbook = Workbook::new();
    strings(
        workbook
            .add_worksheet()
            .set_name("Dold")
            .unwrap()
            .set_hidden(true),
        &[&["X"], &["0"]],
    );
    strings(
        workbook
            .add_worksheet()
            .set_name("Ett")
            .unwrap()
            .set_active(true),
        &[&["A"], &["1"]],
    );
    strings(
        workbook.add_worksheet().set_name("Två").unwrap(),
        &[&["A"], &["2"]],
    );
    let bytes = workbook.save_to_buffer().unwrap();
    let reading = read("hr.xlsx", &bytes);
    assert_eq!(reading.texts(0), ["1"]);
    assert_eq!(reading.notes[0].code, code::OTHER_SHEETS);
    let named = |sheet: &str| {
        read_with(
            &bytes,
            &ReadOptions {
                file: "hr.xlsx".into(),
                sheet: Some(sheet.into()),
                ..ReadOptions::default()
            },
        )
    };
    assert_eq!(named("Två").texts(0), ["2"]);
    assert_eq!(named("Dold").texts(0), ["0"]);
    let missing = named("Tre");
    assert_eq!(missing.failure().code, code::UNKNOWN_SHEET);
    assert!(missing.failure().message.contains("Dold, Ett, Två"));
}

#[test]
fn tables_may_begin_anywhere_and_end_with_totals() {
    let bytes = workbook(|sheet| {
        strings(
            sheet,
            &[
                &[],
                &[],
                &["", "Enhet", "Antal", "", "Enhet"],
                &["", "A", "7", "", "x"],
                &[],
                &["", "Summa", "7"],
            ],
        );
    });
    let reading = read("hr.xlsx", &bytes);
    assert_eq!(reading.names, ["Enhet", "Antal", "", "Enhet"]);
    assert_eq!(reading.texts(0), ["A", "7", "", "x"]);
    assert_eq!(reading.numbers(), [4]);
    let codes: BTreeMap<_, _> = reading
        .notes
        .iter()
        .map(|note| (note.code, note.place.row))
        .collect();
    assert_eq!(codes[code::TOTALS_ROW], Some(6));
    assert_eq!(codes[code::DUPLICATE_COLUMN], Some(3));
}

#[test]
fn open_document_is_read_too() {
    let reading = read("hr.ods", &ods(&[&["Namn", "Ort"], &["Åsa", "Umeå"]]));
    assert_eq!(reading.failed, None);
    assert_eq!(reading.texts(0), ["Åsa", "Umeå"]);
}

#[test]
fn damaged_and_huge_workbooks_are_refused() {
    let bytes = workbook(|sheet| strings(sheet, &[&["A"], &["1"]]));
    let half = read("hr.xlsx", &bytes[..bytes.len() / 2]);
    assert_eq!(half.failure().code, code::TRUNCATED_FILE);
    let old = read("hr.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and no more");
    assert_eq!(old.failure().code, code::UNREADABLE_FILE);
    let empty = read("hr.xlsx", &workbook(|_| {}));
    assert_eq!(empty.failure().code, code::EMPTY_FILE);
    let bytes = workbook(|sheet| {
        strings(sheet, &[&["A"], &["1"]]);
        sheet.write_string(2, 16_000, "far").unwrap();
    });
    let far = read_with(
        &bytes,
        &ReadOptions {
            file: "hr.xlsx".into(),
            limits: small(),
            ..ReadOptions::default()
        },
    );
    assert_eq!(far.failure().code, code::LIMIT);
}

#[test]
fn workbooks_with_a_password_say_so() {
    // What Excel makes of a workbook with a password: an old compound file with the new one encrypted inside.
    let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
    for (name, length) in [("/EncryptionInfo", 200), ("/EncryptedPackage", 8_192)] {
        let mut stream = file.create_stream(name).unwrap();
        std::io::Write::write_all(&mut stream, &vec![7; length]).unwrap();
    }
    let bytes = file.into_inner().into_inner();
    assert_eq!(read("hr.xlsx", &bytes).failure().code, code::PASSWORD);
}
