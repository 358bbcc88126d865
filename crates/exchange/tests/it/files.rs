//! Files for tests, built in memory: each function says what is awkward about what it makes.

use std::io::{Cursor, Write};
use std::ops::ControlFlow;

use grunddata_exchange::rows::{self, Cell, Content, Event, ReadOptions};
use grunddata_exchange::{Limits, Problem};

/// What a reader said of a file.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<(u64, Content)>,
    pub(crate) refused: Vec<Problem>,
    pub(crate) notes: Vec<Problem>,
    pub(crate) failed: Option<Problem>,
}

impl Reading {
    pub(crate) fn cells(&self, index: usize) -> &[Cell] {
        match &self.rows[index].1 {
            Content::Cells(cells) => cells,
            Content::Object(object) => panic!("an object: {object}"),
        }
    }

    pub(crate) fn texts(&self, index: usize) -> Vec<String> {
        self.cells(index)
            .iter()
            .map(|cell| cell.as_text().unwrap_or_else(|| format!("{cell:?}")))
            .collect()
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.rows.iter().map(|(number, _)| *number).collect()
    }

    pub(crate) fn failure(&self) -> &Problem {
        self.failed.as_ref().expect("the file should be refused")
    }
}

pub(crate) fn read(file: &str, bytes: &[u8]) -> Reading {
    read_with(
        bytes,
        &ReadOptions {
            file: file.to_owned(),
            ..ReadOptions::default()
        },
    )
}

pub(crate) fn read_with(bytes: &[u8], options: &ReadOptions) -> Reading {
    let mut reading = Reading::default();
    let outcome = rows::read(Cursor::new(bytes), options, &mut |event| {
        match event {
            Event::Header(header) => {
                reading.names = header.names().iter().map(ToString::to_string).collect();
            }
            Event::Row(row) => reading.rows.push((row.number, row.content)),
            Event::Refused(problem) => reading.refused.push(problem),
            Event::Note(problem) => reading.notes.push(problem),
        }
        ControlFlow::Continue(())
    });
    match outcome {
        Ok(summary) => assert_eq!(
            summary.rows,
            (reading.rows.len() + refused_rows(&reading)) as u64,
            "{reading:?}"
        ),
        Err(problem) => reading.failed = Some(problem),
    }
    reading
}

fn refused_rows(reading: &Reading) -> usize {
    reading.refused.len()
}

/// Limits so small that a test of them needs no large file.
pub(crate) fn small() -> Limits {
    Limits {
        file_bytes: 1 << 20,
        ratio: 20,
        ratio_from: 64 << 10,
        record_bytes: 256 << 10,
        cell_chars: 1_000,
        columns: 20,
        rows: 50,
        held_cells: 10_000,
        held_bytes: 256 << 10,
        depth: 8,
    }
}

pub(crate) fn windows_1252(text: &str) -> Vec<u8> {
    let (bytes, _, unmappable) = encoding_rs::WINDOWS_1252.encode(text);
    assert!(!unmappable);
    bytes.into_owned()
}

/// As Excel saves "Unicode text".
pub(crate) fn utf_16_le(text: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 19).unwrap()
}

pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A workbook of OpenDocument with one sheet of texts.
pub(crate) fn ods(rows: &[&[&str]]) -> Vec<u8> {
    let mut table = String::new();
    for row in rows {
        table.push_str("<table:table-row>");
        for cell in *row {
            table.push_str(&format!(
                "<table:table-cell office:value-type=\"string\"><text:p>{cell}</text:p></table:table-cell>"
            ));
        }
        table.push_str("</table:table-row>");
    }
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <office:document-content xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
         xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
         xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\">\
         <office:body><office:spreadsheet><table:table table:name=\"Blad1\">{table}</table:table>\
         </office:spreadsheet></office:body></office:document-content>"
    );
    zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", b"<?xml version=\"1.0\"?><manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\"/>"),
        ("content.xml", content.as_bytes()),
    ])
}
