//! `grunddata validate`

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use chrono::NaiveDate;
use grunddata_information_model::{InformationModel, ValidationError};
use grunddata_model::{Domain, ModelVersion, Period, ValidFrom};
use serde_json::Value;

use crate::arguments::Validate;
use crate::failure::{Failure, Kind};
use crate::output::{grouped, line};
use crate::place::{line_of, lines};
use crate::{database, output};

/// One record of a file.
struct Item {
    value: Value,
    /// The line on which the text of the record begins.
    first_line: usize,
    /// The text in which places are looked up.
    text: String,
    /// JSON Pointer of the record inside that text.
    pointer: String,
}

/// A fault at its place.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    pointer: String,
    code: String,
    message: String,
}

/// Checks the files; ends with 1 if anything is wrong.
pub(crate) fn run(validate: &Validate) -> Result<ExitCode, Failure> {
    let model = database::model(&validate.model)?;
    let domain = validate.domain.as_deref().map(domain).transpose()?;
    let (mut records, mut wrong) = (0_u64, 0_u64);
    for file in &validate.files {
        let text = read(file)?;
        let domain = domain.or_else(|| of_file(file));
        for result in items(&text) {
            records += 1;
            let faults = match result {
                Ok(item) => check(&model, &item, domain, validate.swedish),
                Err(fault) => vec![fault],
            };
            wrong += u64::from(!faults.is_empty());
            for Fault {
                line: at,
                pointer,
                code,
                message,
            } in faults
            {
                line(format!(
                    "{}:{at}: {pointer}: {message} [{code}]",
                    file.display()
                ));
            }
        }
    }
    output::note(format!(
        "{} records checked, {} with errors.",
        grouped(records),
        grouped(wrong)
    ));
    Ok(ExitCode::from(u8::from(wrong > 0)))
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Kind::Failed,
            format!("cannot read {}: {error}", file.display()),
        )
        .cure("Files are text in UTF-8; - reads standard input.")
    };
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(failed)
}

/// `persons` or `person`
fn domain(name: &str) -> Result<Domain, Failure> {
    Domain::from_collection(name)
        .map_or_else(|| name.parse(), Ok)
        .map_err(|error| Failure::new(Kind::Usage, error))
}

/// The domain that the name of a file says, as in `persons.ndjson`.
fn of_file(file: &Path) -> Option<Domain> {
    file.file_stem()
        .and_then(|stem| domain(stem.to_str()?).ok())
}

/// The records of a text: one document, an array of records, or one record on each line.
fn items(text: &str) -> Vec<Result<Item, Fault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = |value: Value, pointer: String| {
        Ok(Item {
            value,
            first_line: 1,
            text: text.to_owned(),
            pointer,
        })
    };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(values)) => values
            .into_iter()
            .enumerate()
            .map(|(index, value)| whole(value, format!("/{index}")))
            .collect(),
        Ok(value) => vec![whole(value, String::new())],
        Err(error) => {
            let rows: Vec<(usize, &str)> = text
                .lines()
                .enumerate()
                .filter(|(_, row)| !row.trim().is_empty())
                .collect();
            // A document over several lines has a first line that is no document: then the error is the document's.
            let is_ndjson = rows.len() > 1
                && rows
                    .first()
                    .is_some_and(|(_, row)| serde_json::from_str::<Value>(row).is_ok());
            if !is_ndjson {
                return vec![Err(broken(error.line(), &error))];
            }
            rows.into_iter()
                .map(|(index, row)| match serde_json::from_str(row) {
                    Ok(value) => Ok(Item {
                        value,
                        first_line: index + 1,
                        text: row.to_owned(),
                        pointer: String::new(),
                    }),
                    Err(error) => Err(broken(index + 1, &error)),
                })
                .collect()
        }
    }
}

fn broken(line: usize, error: &serde_json::Error) -> Fault {
    Fault {
        line,
        pointer: "/".to_owned(),
        code: "malformed-json".to_owned(),
        message: format!("This is not JSON: {error}."),
    }
}

fn check(
    model: &InformationModel,
    item: &Item,
    given: Option<Domain>,
    swedish: bool,
) -> Vec<Fault> {
    let places = lines(&item.text);
    let at = |pointer: &str, code: &str, message: String| {
        let pointer = format!("{}{pointer}", item.pointer);
        Fault {
            line: item.first_line - 1 + line_of(&places, &pointer),
            pointer: if pointer.is_empty() {
                "/".to_owned()
            } else {
                pointer
            },
            code: code.to_owned(),
            message,
        }
    };
    // With `data` the record is in its envelope, as the interface takes and gives it.
    let envelope = item.value.get("data").is_some();
    let said = |name: &str| {
        item.value
            .get(name)
            .and_then(Value::as_str)
            .filter(|_| envelope)
    };
    let domain = match said("domain").or_else(|| said("collection")) {
        Some(name) => match domain(name) {
            Ok(domain) => domain,
            Err(failure) => return vec![at("/domain", "unknown-domain", failure.to_string())],
        },
        None => match given {
            Some(domain) => domain,
            None => {
                let message = "The domain of this record is not known: give it with --domain, in the record, or by the name of the file.";
                return vec![at("", "unknown-domain", message.to_owned())];
            }
        },
    };
    let on = match said("validFrom").map(valid_on) {
        Some(Err(message)) => return vec![at("/validFrom", "invalid-date", message)],
        Some(Ok(day)) => Some(day),
        None => None,
    };
    let version = match said("model").map(str::parse::<ModelVersion>) {
        Some(Err(error)) => return vec![at("/model", "invalid-format", error.to_string())],
        Some(Ok(version)) => Some(version),
        None => None,
    };
    let (data, prefix) = if envelope {
        (item.value.get("data").cloned().unwrap_or_default(), "/data")
    } else {
        (item.value.clone(), "")
    };
    let errors = match model.validate(domain, version.as_ref(), data) {
        Ok(validated) => on
            .map(|on| model.check_codes(validated.dated_codes(), on))
            .unwrap_or_default(),
        Err(errors) => errors,
    };
    let told = |error: ValidationError| {
        let message = if swedish {
            error.message_sv
        } else {
            error.message
        };
        at(&format!("{prefix}{}", error.pointer), error.code, message)
    };
    errors.into_iter().map(told).collect()
}

/// The day on which codes are checked.
fn valid_on(text: &str) -> Result<NaiveDate, String> {
    match serde_json::from_value::<ValidFrom>(Value::from(text)) {
        Ok(bound) => Ok(bound.start().max(Period::BEGINNING)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, domain: Option<Domain>) -> Vec<Fault> {
        let model = InformationModel::embedded().unwrap();
        items(text)
            .into_iter()
            .flat_map(|result| match result {
                Ok(item) => check(&model, &item, domain, false),
                Err(fault) => vec![fault],
            })
            .collect()
    }

    fn places(faults: &[Fault]) -> Vec<(usize, &str, &str)> {
        faults
            .iter()
            .map(|fault| (fault.line, fault.pointer.as_str(), fault.code.as_str()))
            .collect()
    }

    #[test]
    fn faults_of_a_document_have_file_lines_and_whole_pointers() {
        let text = "{\n \"domain\": \"organisation\",\n \"data\": {\n  \"name\": {\"sv\": \"A\"},\n  \"kind\": \"unitt\",\n  \"colour\": 1\n }\n}";
        let mut found = faults(text, None);
        found.sort_by_key(|fault| fault.line);
        assert_eq!(
            places(&found),
            [
                (5, "/data/kind", "unknown-code"),
                (6, "/data/colour", "unknown-property")
            ]
        );
        assert!(found[0].message.contains("unit"), "{}", found[0].message);
    }

    #[test]
    fn each_line_of_ndjson_is_a_record() {
        let good = r#"{"name": {"full": "A"}}"#;
        let text = format!("{good}\n\n{{\"name\": 1}}\n{{\n{good}\n");
        let found = faults(&text, Some(Domain::Person));
        assert_eq!(
            places(&found),
            [(3, "/name", "wrong-type"), (4, "/", "malformed-json")]
        );
    }

    #[test]
    fn an_array_is_many_records_and_good_ones_give_nothing() {
        let text = "[\n {\"name\": {\"full\": \"A\"}},\n {\"name\": {}}\n]";
        let found = faults(text, Some(Domain::Person));
        assert_eq!(
            found.iter().map(|fault| fault.line).collect::<Vec<_>>(),
            vec![3; found.len()]
        );
        assert!(!found.is_empty());
    }

    #[test]
    fn without_a_domain_the_record_cannot_be_checked() {
        assert_eq!(places(&faults("{}", None)), [(1, "/", "unknown-domain")]);
        assert_eq!(
            of_file(Path::new("/x/persons.ndjson")),
            Some(Domain::Person)
        );
        assert_eq!(of_file(Path::new("other.json")), None);
    }
}
