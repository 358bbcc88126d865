//! From what `grunddata-exchange` makes of a row to what `grunddata-registry` takes.

use std::borrow::Cow;

use grunddata_exchange::Problem;
use grunddata_exchange::mapping::{Draft, Key, Named};
use grunddata_registry::{
    AssertedReference, Assertion, AssertionKey, Level, RowProblem, SourceSettings,
};

/// The rule of the information model that a number's check digit fits.
const CHECK_DIGIT: &str = "check-digit";

/// What a source says of a record.
pub(super) fn assertion(draft: Draft, row: u64) -> Assertion {
    let domain = draft.domain;
    Assertion {
        file_row: row,
        record: draft.record.to_string(),
        domain,
        key: key(draft.key),
        removed: draft.removed,
        data: draft.data,
        valid_from: draft.valid_from,
        valid_to: draft.valid_to,
        references: draft
            .references
            .into_iter()
            .map(|reference| AssertedReference {
                pointer: reference.pointer,
                // What has no mapping does not say it, and the model knows.
                domain: reference.domain.unwrap_or(domain),
                key: key(reference.key),
            })
            .collect(),
    }
}

pub(super) fn named(named: Named) -> (String, AssertionKey) {
    (named.record.to_string(), key(named.key))
}

fn key(key: Key) -> AssertionKey {
    match key {
        Key::Source(key) => AssertionKey::Source(key),
        Key::Identifier { scheme, value } => AssertionKey::Identifier { scheme, value },
        Key::Id(id) => AssertionKey::Id(id),
    }
}

/// Something that is wrong with a row, at the place of the file that somebody sees who has it open.
pub(super) fn problem(problem: Problem) -> RowProblem {
    let place = *problem.place;
    // In a delivery of several files the row alone would not say which one.
    let file = place
        .file
        .split_once('/')
        .map(|(_, inner)| inner.to_owned());
    let column = match (file, place.column) {
        (Some(file), Some(column)) => Some(format!("{file}: {column}")),
        (Some(file), None) => Some(file),
        (None, column) => column.map(|column| column.to_string()),
    };
    RowProblem {
        code: Cow::Borrowed(problem.code),
        file_row: place.row,
        column,
        pointer: None,
        value: problem.value,
        other: None,
        warning: false,
        message: problem.message,
        message_sv: problem.message_sv,
    }
}

/// Whether a personal identity number with a wrong check digit is read: then the information model says what becomes of it.
pub(super) fn tolerates_check_digits(settings: &SourceSettings) -> bool {
    settings.validation.get(CHECK_DIGIT) == Some(&Level::Warning)
}
