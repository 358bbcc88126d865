//! SIE 4 (sie.se, format description 4B): the objects of the dimensions, as objects with the company they belong to.
//!
//! Must never read vouchers or balances: only `#ORGNR`, `#FNAMN`, `#DIM`, `#UNDERDIM` and `#OBJEKT`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use serde_json::{Map, Value};

use crate::rows::{Content, Event, Format, Header, ReadOptions, Row, Sink, Summary, io_problem};
use crate::{Place, Problem, code};

/// No line of SIE is longer.
const LINE: u64 = 64 << 10;
/// The dimensions that the format itself names.
const RESERVED: [(&str, &str); 3] = [
    ("1", "Kostnadsställe/resultatenhet"),
    ("2", "Kostnadsbärare"),
    ("6", "Projekt"),
];

/// A dimension: its name and the one it divides.
type Dimensions = BTreeMap<String, (String, Option<String>)>;

pub(crate) fn read(
    input: Box<dyn Read + '_>,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let header = Header::of_objects(place.clone());
    let mut summary = Summary {
        format: Format::Sie,
        rows: 0,
    };
    if sink(Event::Header(&header)).is_break() {
        return Ok(summary);
    }
    let mut reader = BufReader::new(input);
    let mut dimensions: Dimensions = RESERVED
        .into_iter()
        .map(|(number, name)| (number.to_owned(), (name.to_owned(), None)))
        .collect();
    let mut company = Map::new();
    let (mut number, mut line) = (0, Vec::new());
    loop {
        line.clear();
        number += 1;
        let at = place.at_row(number);
        let read = (&mut reader)
            .take(LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| io_problem(&error, &at))?;
        if read == 0 {
            break;
        }
        if read as u64 == LINE && !line.ends_with(b"\n") {
            return Err(Problem::new(
                code::LIMIT,
                at,
                format!("The line is longer than {LINE} bytes; the file is hardly SIE."),
                format!("Raden är längre än {LINE} byte; filen är knappast SIE."),
            ));
        }
        let content = line.trim_ascii();
        let wanted = [&b"#ORGNR"[..], b"#FNAMN", b"#DIM", b"#UNDERDIM", b"#OBJEKT"]
            .iter()
            .any(|label| {
                content
                    .strip_prefix(*label)
                    .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
            });
        if !wanted {
            continue;
        }
        let event = match decoded(content, options, &at) {
            Err(problem) => Event::Refused(problem),
            Ok(text) => {
                let fields = fields(&text);
                let field = |index: usize| fields.get(index).cloned().unwrap_or_default();
                match field(0).as_str() {
                    "#ORGNR" => {
                        company.insert("organisationNumber".to_owned(), Value::from(field(1)));
                        continue;
                    }
                    "#FNAMN" => {
                        company.insert("company".to_owned(), Value::from(field(1)));
                        continue;
                    }
                    "#DIM" => {
                        dimensions.insert(field(1), (field(2), None));
                        continue;
                    }
                    "#UNDERDIM" => {
                        dimensions.insert(field(1), (field(2), Some(field(3))));
                        continue;
                    }
                    _ if fields.len() < 4 => Event::Refused(Problem::new(
                        code::UNREADABLE_FILE,
                        at,
                        "An object has a dimension, a number and a name: #OBJEKT 1 \"100\" \"Skola\".",
                        "Ett objekt har en dimension, ett nummer och ett namn: #OBJEKT 1 \"100\" \"Skola\".",
                    )),
                    _ => {
                        summary.rows += 1;
                        Event::Row(Row {
                            number,
                            content: Content::Object(object(&fields, &dimensions, &company)),
                        })
                    }
                }
            }
        };
        if summary.rows > options.limits.rows {
            return Err(Problem::new(
                code::LIMIT,
                place,
                format!(
                    "The file has more than {} objects; divide it.",
                    options.limits.rows
                ),
                format!(
                    "Filen har fler än {} objekt; dela upp den.",
                    options.limits.rows
                ),
            ));
        }
        if sink(event).is_break() {
            break;
        }
    }
    Ok(summary)
}

fn object(fields: &[String], dimensions: &Dimensions, company: &Map<String, Value>) -> Value {
    let mut object = company.clone();
    let mut put = |name: &str, value: Option<&String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            object.insert(name.to_owned(), Value::from(value.as_str()));
        }
    };
    put("dimension", fields.get(1));
    put("object", fields.get(2));
    put("name", fields.get(3));
    if let Some((name, parent)) = fields.get(1).and_then(|number| dimensions.get(number)) {
        put("dimensionName", Some(name));
        put("parentDimension", parent.as_ref());
    }
    Value::Object(object)
}

/// SIE is written in PC8, code page 437, whatever program wrote it; the mapping may say otherwise.
fn decoded(bytes: &[u8], options: &ReadOptions, place: &Place) -> Result<String, Problem> {
    let told = options
        .encoding
        .as_ref()
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()));
    if let Some(encoding) = told {
        let (text, _, _) = encoding.decode(bytes);
        return Ok(text.into_owned());
    }
    // These are å ä ö Å Ä Ö in Windows-1252, and Greek letters and signs that no name has in code page 437.
    let foreign = |byte: &u8| matches!(*byte, 0xe5 | 0xe4 | 0xf6 | 0xc5 | 0xc4 | 0xd6 | 0xc3);
    if bytes.iter().any(foreign) {
        return Err(Problem::new(
            code::ENCODING,
            place.clone(),
            "The line is not written in PC8 (code page 437), as SIE demands; correct the export, or set input.encoding in the mapping, to utf-8 or windows-1252.",
            "Raden är inte skriven i PC8 (teckentabell 437), som SIE kräver; rätta uttaget eller sätt input.encoding i mappningen, till utf-8 eller windows-1252.",
        ));
    }
    Ok(oem_cp::decode_string_complete_table(
        bytes,
        &oem_cp::code_table::DECODING_TABLE_CP437,
    ))
}

/// Fields between white space; within quotation marks white space belongs to the field, and `\"` is a quotation mark.
fn fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let (mut quoted, mut begun) = (false, false);
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' if quoted => field.extend(chars.next()),
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            char if char.is_whitespace() && !quoted => {
                if begun || !field.is_empty() {
                    fields.push(std::mem::take(&mut field));
                }
                begun = false;
            }
            other => field.push(other),
        }
    }
    if begun || !field.is_empty() {
        fields.push(field);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn fields_may_be_quoted() {
        assert_eq!(
            fields(r#"#OBJEKT 1  "100" "Skola \"Norra\"" """#),
            ["#OBJEKT", "1", "100", "Skola \"Norra\"", ""]
        );
    }
}
