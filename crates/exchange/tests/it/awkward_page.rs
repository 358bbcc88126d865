//! The page `docs/awkward-files.md`: every trap with what is said of it, as it is said.

use std::fmt::Write as _;

use grunddata_exchange::Problem;
use grunddata_exchange::mapping::Mapping;
use grunddata_exchange::ready::Ready;

use crate::awkward::{bomb, floats, folder, formulas, hidden, long_cell, mapping, merged};
use crate::files::{gzip, zip};
use crate::geopackage_files::geopackage;
use crate::mappings::run;

/// A file and what is awkward about it.
struct Trap {
    what: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
    mapping: fn() -> Mapping,
}

fn text(what: &'static str, file: &'static str) -> Trap {
    made(what, file, std::fs::read(folder().join(file)).unwrap())
}

fn made(what: &'static str, file: &'static str, bytes: Vec<u8>) -> Trap {
    Trap {
        what,
        file,
        bytes,
        mapping,
    }
}

fn areas(what: &'static str, file: &'static str, bytes: Vec<u8>) -> Trap {
    Trap {
        mapping: || Ready::named("geopackage-areas").unwrap().mapping().unwrap(),
        ..made(what, file, bytes)
    }
}

fn oneroster(what: &'static str, file: &'static str, bytes: Vec<u8>) -> Trap {
    Trap {
        mapping: || Ready::named("oneroster").unwrap().mapping().unwrap(),
        ..made(what, file, bytes)
    }
}

fn traps() -> Vec<Trap> {
    let csv = std::fs::read(folder().join("totals.csv")).unwrap();
    let hidden = hidden();
    let packed = gzip(&csv);
    let layer = geopackage(3006, "");
    vec![
        text("Windows-1252 instead of UTF-8", "windows-1252.csv"),
        text("two encodings in one file", "two-encodings.csv"),
        text("text that was encoded twice", "encoded-twice.csv"),
        text("mixed line ends", "mixed-line-ends.csv"),
        text("NUL characters: no text at all", "nul.csv"),
        text(
            "a page to sign in, in the place of the file",
            "sign-in-page.csv",
        ),
        text("an empty file", "empty.csv"),
        text("blank lines and nothing else", "only-blank-lines.csv"),
        text("headers and no rows", "only-header.csv"),
        text("a title above the headers", "title-above-header.csv"),
        text("a duplicated header", "duplicated-header.csv"),
        text("a column that is missing or renamed", "missing-column.csv"),
        text("a separator inside a text", "separator-in-a-text.csv"),
        text(
            "a quotation mark that is never closed",
            "open-quotation-mark.csv",
        ),
        text("a transfer that broke off, CSV", "cut-off.csv"),
        text("a transfer that broke off, JSON", "cut-off.json"),
        made(
            "a transfer that broke off, XLSX",
            "cut-off.xlsx",
            hidden[..hidden.len() - 200].to_vec(),
        ),
        made(
            "a transfer that broke off, gzip",
            "cut-off.csv.gz",
            packed[..packed.len() - 9].to_vec(),
        ),
        areas(
            "a transfer that broke off, GeoPackage",
            "cut-off.gpkg",
            layer[..layer.len() - 4096].to_vec(),
        ),
        text("a list of something else than objects", "not-objects.json"),
        text("a row of totals at the end", "totals.csv"),
        text(
            "a row of totals among the others",
            "totals-in-the-middle.csv",
        ),
        text("31 February", "31-february.csv"),
        text(
            "a period that ends before it begins",
            "ends-before-it-begins.csv",
        ),
        text(
            "a personal identity number with a wrong check digit",
            "wrong-check-digit.csv",
        ),
        text("a number in scientific notation", "scientific-number.csv"),
        made(
            "personal identity numbers as floating-point numbers in Excel",
            "floats.xlsx",
            floats(),
        ),
        made("merged cells", "merged.xlsx", merged()),
        made("hidden rows", "hidden.xlsx", hidden),
        made("a formula that gave an error", "formulas.xlsx", formulas()),
        made("a cell of a million characters", "long.csv", long_cell()),
        made("a decompression bomb, gzip", "bomb.csv.gz", gzip(&bomb())),
        made(
            "a decompression bomb, workbook",
            "bomb.xlsx",
            zip(&[("xl/worksheets/sheet1.xml", &bomb())]),
        ),
        made(
            "several files in an archive, where one is expected",
            "two.zip",
            zip(&[("a.csv", &csv), ("b.csv", &csv)]),
        ),
        oneroster(
            "a delivery that lacks a file",
            "oneroster.zip",
            zip(&[(
                "manifest.csv",
                b"propertyName,value\noneroster.version,1.2\nfile.orgs,bulk\n",
            )]),
        ),
        areas(
            "a layer in a reference system that cannot be converted",
            "rt90.gpkg",
            geopackage(3021, ""),
        ),
        areas(
            "a GeoPackage that was copied while it was open",
            "open.gpkg",
            {
                let mut bytes = layer;
                bytes[18..20].copy_from_slice(&[2, 2]);
                bytes
            },
        ),
    ]
}

fn page() -> String {
    let mut page = String::from(
        "# Awkward files\n\n\
         What is said of a file that is not as it should be. Written by the test `awkward_page`, which makes each file, \
         loads it and writes down what it is told: `UPDATE_AWKWARD=1 cargo xtask test -E 'test(awkward_page)'` writes it anew. \
         Every message is there in Swedish too, and carries the code. A file that is *refused* gives nothing: no record is \
         changed, and nothing is taken to have ended. A row that is *rejected* takes nothing from the others; *noted* takes \
         nothing away at all.\n\n\
         | trap | file | records | what is said |\n|---|---|---|---|\n",
    );
    for trap in traps() {
        let given = run((trap.mapping)(), trap.file, &trap.bytes);
        let mut said = Vec::new();
        for (how, problems) in [
            ("refused", &given.failed),
            ("rejected", &given.problems),
            ("noted", &given.notes),
        ] {
            // The same fault of six columns is said once.
            if let Some(first) = problems.first() {
                let others = problems
                    .iter()
                    .skip(1)
                    .filter(|problem| problem.code != first.code);
                said.extend(
                    std::iter::once(first)
                        .chain(others)
                        .map(|problem| format!("*{how}* `{}`: {}", problem.code, cell(problem))),
                );
            }
        }
        if said.is_empty() {
            said.push("nothing: it is read as it is meant".to_owned());
        }
        let records = if given.failed.is_empty() {
            given.drafts.len()
        } else {
            0
        };
        writeln!(
            page,
            "| {} | `{}` | {records} | {} |",
            trap.what,
            trap.file,
            said.join("<br>")
        )
        .unwrap();
    }
    page
}

/// What may stand in a cell of the page.
fn cell(problem: &Problem) -> String {
    let text = problem.to_string();
    assert!(!text.contains("2385") || text.contains("****"), "{text}");
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn every_trap_stands_on_the_page_with_what_is_said() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/awkward-files.md");
    let page = page();
    // No trap of the folder is forgotten.
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let other = matches!(name.as_str(), "README.md" | ".gitattributes");
        assert!(other || page.contains(&format!("`{name}`")), "{name}");
    }
    if std::env::var_os("UPDATE_AWKWARD").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/awkward-files.md is out of date. If every difference is meant: UPDATE_AWKWARD=1 cargo xtask test -E 'test(awkward_page)'\n{page}"
    );
}
