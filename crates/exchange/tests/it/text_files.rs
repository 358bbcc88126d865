//! Text files: encodings, separators, line ends, rows that do not fit.

use grunddata_exchange::code;
use grunddata_exchange::rows::{Cell, ReadOptions};

use proptest::prelude::*;

use crate::files::{read, read_with, small, utf_16_le, windows_1252};

const TABLE: &str = "Namn;Ort;Sysselsättningsgrad\nÅsa Öst;Björkvik;75,5\nEmil Ek;Åmål;100\n";

#[test]
fn every_encoding_gives_the_same_table() {
    let marked = format!("\u{feff}{TABLE}");
    for bytes in [
        TABLE.as_bytes().to_vec(),
        marked.into_bytes(),
        windows_1252(TABLE),
        utf_16_le(TABLE),
        utf_16_le(TABLE)[2..].to_vec(),
    ] {
        let reading = read("a.csv", &bytes);
        assert_eq!(reading.failed, None);
        assert_eq!(reading.names, ["Namn", "Ort", "Sysselsättningsgrad"]);
        assert_eq!(reading.texts(0), ["Åsa Öst", "Björkvik", "75,5"]);
        assert_eq!(reading.texts(1), ["Emil Ek", "Åmål", "100"]);
        assert_eq!(reading.numbers(), [2, 3]);
    }
}

#[test]
fn the_encoding_is_settled_by_the_first_letter_however_late_it_comes() {
    for encode in [windows_1252, |text: &str| text.as_bytes().to_vec()] {
        let mut text = "Namn;Ort\n".to_owned();
        for number in 0..20_000 {
            text.push_str(&format!("Name {number};Place\n"));
        }
        text.push_str("Åsa;Örebro\n");
        let reading = read("a.csv", &encode(&text));
        assert_eq!(reading.texts(20_000), ["Åsa", "Örebro"]);
        assert_eq!(reading.rows[20_000].0, 20_002);
    }
}

#[test]
fn a_cell_in_another_encoding_than_the_file_is_refused_alone() {
    let mut bytes = "Namn;Ort\nÅsa;Åmål\nÖrjan;Öland\n".as_bytes().to_vec();
    bytes.extend(windows_1252("Emil;Lödöse\n"));
    let reading = read("a.csv", &bytes);
    let Cell::Refused(problem) = &reading.cells(2)[1] else {
        panic!("{reading:?}");
    };
    assert_eq!(problem.code, code::ENCODING);
    assert_eq!(problem.place.row, Some(4));
    assert_eq!(problem.place.column.as_deref(), Some("Ort"));
    assert_eq!(reading.cells(2)[0], Cell::Text("Emil".into()));
}

#[test]
fn text_that_was_encoded_twice_is_refused() {
    let reading = read("a.csv", "Namn;Ort\nÃ…sa;Visby\n".as_bytes());
    let Cell::Refused(problem) = &reading.cells(0)[0] else {
        panic!("{reading:?}");
    };
    assert_eq!(problem.code, code::DOUBLE_ENCODED);
    assert_eq!(reading.cells(0)[1], Cell::Text("Visby".into()));
}

#[test]
fn separators_are_found_out() {
    for (content, cells) in [
        ("a;b,c;d\n1;2,5;3\n", vec!["1", "2,5", "3"]),
        ("a,b,c\n1,\"2,5\",3\n", vec!["1", "2,5", "3"]),
        ("a\tb\tc\n1\t2,5\t3\n", vec!["1", "2,5", "3"]),
        ("sep=|\na|b|c\n1|2;5|3\n", vec!["1", "2;5", "3"]),
        ("only\n1\n", vec!["1"]),
    ] {
        assert_eq!(
            read("a.csv", content.as_bytes()).texts(0),
            cells,
            "{content}"
        );
    }
}

#[test]
fn rows_are_numbered_by_the_line_on_which_they_begin() {
    let content = "Namn;Text\r\n\r\nÅsa;\"two\r\nlines\"\rEmil;x\n\n\nEva;\"a\nb\nc\"\r\nUlla;last";
    let reading = read("a.csv", content.as_bytes());
    assert_eq!(reading.numbers(), [3, 5, 8, 11]);
    assert_eq!(reading.texts(0), ["Åsa", "two\nlines"]);
    assert_eq!(reading.texts(3), ["Ulla", "last"]);
}

#[test]
fn rows_that_do_not_fit_the_header_are_refused_and_the_others_read() {
    let content = "A;B;C\n1;2;3\n1;2\n1;2;3;4\n1;2;3;;\n1;2;3\n";
    let reading = read("a.csv", content.as_bytes());
    assert_eq!(reading.numbers(), [2, 6]);
    let found: Vec<_> = reading
        .refused
        .iter()
        .map(|problem| (problem.code, problem.place.row))
        .collect();
    assert_eq!(
        found,
        [
            (code::ROW_TOO_SHORT, Some(3)),
            (code::ROW_TOO_LONG, Some(4)),
            // An empty cell too many may be a stray separator that has moved all cells after it.
            (code::ROW_TOO_LONG, Some(5)),
        ]
    );
}

#[test]
fn an_open_quotation_mark_is_named() {
    let reading = read("a.csv", b"A;B\n1;2\n3;\"4\n5;6\n7;8\n");
    assert_eq!(reading.numbers(), [2, 3]);
    let reading = read("a.csv", b"A;B\n1;2\n\"3;4\n5;6\n");
    assert_eq!(reading.refused[0].code, code::ROW_TOO_SHORT);
    assert!(reading.refused[0].message.contains("quotation mark"));
}

#[test]
fn totals_are_left_out_at_the_end_and_refused_before() {
    let reading = read(
        "a.csv",
        "Enhet;Chef;Antal;Not\nA;B;1;x\nSumma;;1;\n".as_bytes(),
    );
    assert_eq!(reading.numbers(), [2]);
    assert_eq!(reading.notes[0].code, code::TOTALS_ROW);
    assert_eq!(reading.notes[0].place.row, Some(3));
    let reading = read("a.csv", "Enhet;Antal\nTotalt;1\nA;1\n".as_bytes());
    assert_eq!(reading.numbers(), [3]);
    assert_eq!(reading.refused[0].code, code::TOTALS_ROW);
    let reading = read(
        "a.csv",
        "Enhet;Chef;Antal;Not\nTotal Försvar AB;B;1;x\nSumma Summarum;Eva Ek;;\n".as_bytes(),
    );
    assert_eq!(reading.numbers(), [2, 3], "names are no totals");
}

#[test]
fn headers_that_stand_twice_are_named() {
    let reading = read("a.csv", b"Namn;Datum;datum\nx;1;2\n");
    assert_eq!(reading.notes[0].code, code::DUPLICATE_COLUMN);
    assert!(reading.notes[0].message.contains("B, C"));
}

#[test]
fn the_header_may_stand_further_down() {
    let reading = read_with(
        "Personallista\nUttagen 2026-11-01\n\nNamn;Ort\nÅsa;Umeå\n".as_bytes(),
        &ReadOptions {
            file: "a.csv".into(),
            header_row: Some(4),
            ..ReadOptions::default()
        },
    );
    assert_eq!(reading.names, ["Namn", "Ort"]);
    assert_eq!(reading.numbers(), [5]);
}

#[test]
fn limits_hold() {
    let options = ReadOptions {
        file: "a.csv".into(),
        limits: small(),
        ..ReadOptions::default()
    };
    let long_cell = format!("A;B\n1;{}\n3;4\n", "x".repeat(1_001));
    let reading = read_with(long_cell.as_bytes(), &options);
    let Cell::Refused(problem) = &reading.cells(0)[1] else {
        panic!("{reading:?}");
    };
    assert_eq!((problem.code, problem.place.row), (code::LIMIT, Some(2)));
    assert_eq!(reading.texts(1), ["3", "4"]);

    let open_quote = format!("A;B\n1;\"{}\n", "x;y\n".repeat(200_000));
    assert_eq!(
        read_with(open_quote.as_bytes(), &options).failure().code,
        code::LIMIT
    );

    let rows = format!("A;B\n{}", "1;2\n".repeat(51));
    assert_eq!(
        read_with(rows.as_bytes(), &options).failure().code,
        code::LIMIT
    );
    let columns = "x;".repeat(30);
    assert_eq!(
        read_with(columns.as_bytes(), &options).failure().code,
        code::LIMIT
    );
}

#[test]
fn files_of_nothing_and_of_something_else_are_refused() {
    for empty in [&b""[..], b"\n\n  \n", b"\xef\xbb\xbf", b"\xff\xfe"] {
        assert_eq!(read("a.csv", empty).failure().code, code::EMPTY_FILE);
    }
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0";
    assert_eq!(read("a.csv", picture).failure().code, code::UNKNOWN_FORMAT);
}

proptest! {
    /// Whatever stands in the cells (separators, quotation marks, line ends) comes back, on the line where its row begins.
    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec(prop::collection::vec("[a-zåäö;,\t\"\n 0-9]{0,12}", 3), 1..20),
        terminator in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let mut text = format!("id;a;b;c{terminator}");
        let mut lines = Vec::new();
        for (index, cells) in rows.iter().enumerate() {
            lines.push(text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() as u64 + 1);
            let mut writer = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
            writer.write_field(format!("id{index}")).unwrap();
            writer.write_record(cells).unwrap();
            let written = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            text.push_str(written.strip_suffix('\n').unwrap());
            text.push_str(terminator);
        }
        let reading = read_with(text.as_bytes(), &ReadOptions {
            file: "a.csv".into(),
            separator: Some(b';'),
            ..ReadOptions::default()
        });
        prop_assert_eq!(&reading.refused, &vec![]);
        prop_assert_eq!(reading.numbers(), lines);
        for (index, cells) in rows.iter().enumerate() {
            prop_assert_eq!(&reading.texts(index)[1..], cells.as_slice());
        }
    }
}
