//! What the library for workbooks does not tell: which rows and columns of an XLSX sheet are hidden.
//!
//! Must never fail a file: what cannot be found here is only a note less.

use std::io::{BufReader, Read, Seek};
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::ReadOptions;
use super::header::letter;
use crate::{Place, Problem, code};

/// How many rows a note names.
const NAMED: usize = 10;

/// What is hidden in the sheet, if anything is.
pub(super) fn hidden<R: Read + Seek>(
    input: R,
    sheet: &str,
    options: &ReadOptions,
) -> Option<Problem> {
    let mut archive = ZipArchive::new(input).ok()?;
    let relation = attribute_of(&mut archive, "xl/workbook.xml", "sheet", |element| {
        (attribute(element, "name")? == sheet).then(|| attribute(element, "r:id"))?
    })?;
    let target = attribute_of(
        &mut archive,
        "xl/_rels/workbook.xml.rels",
        "Relationship",
        |element| (attribute(element, "Id")? == relation).then(|| attribute(element, "Target"))?,
    )?;
    let path = match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("xl/{target}"),
    };
    let member = archive.by_name(&path).ok()?;
    let mut reader = Reader::from_reader(BufReader::new(member));
    let mut buffer = Vec::new();
    let (mut rows, mut columns, mut count) = (Vec::new(), Vec::new(), 0_u64);
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).ok()?;
        let (Event::Start(element) | Event::Empty(element)) = &event else {
            match event {
                Event::Eof => break,
                _ => continue,
            }
        };
        if !matches!(attribute(element, "hidden").as_deref(), Some("1" | "true")) {
            continue;
        }
        match element.local_name().as_ref() {
            "row" => {
                count += 1;
                if rows.len() < NAMED {
                    rows.push(attribute(element, "r").unwrap_or_default());
                }
            }
            "col" => {
                let first: usize = attribute(element, "min")?.parse().ok()?;
                let last: usize = attribute(element, "max")?.parse().ok()?;
                // All columns after the table are sometimes hidden; they hold nothing.
                if last - first < options.limits.columns {
                    columns.extend((first..=last).map(|number| letter(number.saturating_sub(1))));
                }
            }
            _ => {}
        }
    }
    if rows.is_empty() && columns.is_empty() {
        return None;
    }
    let more = if count > rows.len() as u64 {
        " …"
    } else {
        ""
    };
    let (mut en, mut sv) = (Vec::new(), Vec::new());
    if !rows.is_empty() {
        en.push(format!("{count} rows ({}{more})", rows.join(", ")));
        sv.push(format!("{count} rader ({}{more})", rows.join(", ")));
    }
    if !columns.is_empty() {
        en.push(format!("the columns {}", columns.join(", ")));
        sv.push(format!("kolumnerna {}", columns.join(", ")));
    }
    let place = Place {
        sheet: Some(Arc::from(sheet)),
        ..Place::of_file(&options.file)
    };
    Some(Problem::new(
        code::HIDDEN,
        place,
        format!(
            "Hidden in the workbook, by a filter perhaps, and read all the same: {}. Remove what should not be loaded.",
            en.join(" and ")
        ),
        format!(
            "Dolt i arbetsboken, kanske av ett filter, och läst ändå: {}. Ta bort det som inte ska läsas in.",
            sv.join(" och ")
        ),
    ))
}

/// What the first element of that name gives for which there is something.
fn attribute_of<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    path: &str,
    name: &str,
    pick: impl Fn(&BytesStart<'_>) -> Option<String>,
) -> Option<String> {
    let member = archive.by_name(path).ok()?;
    let mut reader = Reader::from_reader(BufReader::new(member));
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(element) | Event::Empty(element)
                if element.local_name().as_ref() == name =>
            {
                if let Some(found) = pick(&element) {
                    return Some(found);
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    attribute
        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
        .ok()
        .map(std::borrow::Cow::into_owned)
}
