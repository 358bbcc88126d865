//! The record's envelope, written around the stored body without parsing it.

use std::io::Write as _;

use chrono::NaiveDate;
use grunddata_model::{Domain, Period, RecordId};
use grunddata_registry::{Form, Origin, Record};

/// What the links of a record need to know about the request.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    /// `https://host/api/v1`
    pub(crate) api: &'a str,
    /// The coordinate as the request gave it, `?validAt=…`, or empty: a link leads to the same day and knowledge.
    pub(crate) coordinate: &'a str,
}

/// Appends a record with its envelope and links. `may_write` decides which actions are offered.
pub(crate) fn record(out: &mut Vec<u8>, record: &Record, frame: &Frame<'_>, may_write: bool) {
    // Sized so that the hot path allocates once.
    out.reserve(record.data.len() + 900);
    put(out, "{\"id\":\"");
    let _ = write!(out, "{}", record.id);
    put(out, "\",\"domain\":\"");
    put(out, record.domain.as_str());
    put(out, "\",\"owner\":\"");
    put(out, record.owner.as_str());
    put(out, "\",\"controller\":");
    match record.controller {
        Some(controller) => {
            let _ = write!(out, "\"{controller}\"");
        }
        None => put(out, "null"),
    }
    put(out, ",\"model\":\"");
    put(out, &record.model);
    let _ = write!(out, "\",\"version\":{},", record.version);
    period(out, &record.period);
    let _ = write!(
        out,
        ",\"recordedAt\":\"{}\",\"changeKind\":\"{}\",\"origin\":",
        record.recorded_at,
        record.change_kind.as_str()
    );
    origin(out, &record.origin);
    put(out, ",\"data\":");
    put(out, &record.data);
    meta(out, record);
    put(out, ",\"_links\":[");
    links(out, record.domain, record.id, frame, may_write);
    put(out, "]}");
}

/// What this reader is not shown, where that is anything.
fn meta(out: &mut Vec<u8>, record: &Record) {
    if record.withheld.is_empty() && record.form == Form::Full {
        return;
    }
    put(out, ",\"_meta\":{\"withheldProperties\":");
    json(out, &*record.withheld);
    match record.form {
        Form::NameOnly => put(out, ",\"protection\":\"name-only\""),
        Form::Placeholder => put(out, ",\"protection\":\"placeholder\""),
        Form::Full | Form::Hidden => {}
    }
    put(out, "}");
}

/// Appends `"validFrom":…,"validTo":…`. The lower sentinel is shown as `"unknown"`, the open end as `null`: as they
/// are written in a request.
pub(crate) fn period(out: &mut Vec<u8>, period: &Period) {
    put(out, "\"validFrom\":");
    match period.valid_from() {
        Some(from) => date(out, from),
        None => put(out, "\"unknown\""),
    }
    put(out, ",\"validTo\":");
    match period.valid_to() {
        Some(to) => date(out, to),
        None => put(out, "null"),
    }
}

fn date(out: &mut Vec<u8>, date: NaiveDate) {
    let _ = write!(out, "\"{date}\"");
}

fn origin(out: &mut Vec<u8>, origin: &Origin) {
    match origin {
        Origin::Own => put(out, "{\"kind\":\"own\"}"),
        other => json(out, other),
    }
}

fn links(out: &mut Vec<u8>, domain: Domain, id: RecordId, frame: &Frame<'_>, may_write: bool) {
    let collection = domain.collection();
    let api = frame.api;
    let mut first = true;
    let mut link = |rel: &str, rest: &str, coordinate: &str, method: &str| {
        if !first {
            out.push(b',');
        }
        first = false;
        let _ = write!(
            out,
            "{{\"rel\":\"{rel}\",\"href\":\"{api}/{collection}/{id}{rest}{coordinate}\",\"method\":\"{method}\"}}"
        );
    };
    link("self", "", frame.coordinate, "GET");
    link("version-history", "/history", "", "GET");
    link("timemap", "/timeline", "", "GET");
    link("related", "/links", frame.coordinate, "GET");
    if may_write {
        link("edit", "", "", "PUT");
        link("edit", "", "", "PATCH");
        link("edit", "", "", "DELETE");
    }
    let _ = write!(
        out,
        ",{{\"rel\":\"collection\",\"href\":\"{api}/{collection}\",\"method\":\"GET\"}}"
    );
}

/// Appends a text as it is.
pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a value as JSON.
pub(crate) fn json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    // Writing to a vector cannot fail, and what is written here has string keys.
    let _ = serde_json::to_writer(out, value);
}

/// Appends `items` between brackets, separated by commas.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use grunddata_model::OwnerKey;
    use grunddata_registry::ChangeKind;
    use serde_json::Value;

    fn example(origin: Origin) -> Record {
        Record {
            id: "01990c3e-7a5b-7000-8000-000000000001".parse().expect("id"),
            domain: Domain::Organisation,
            owner: OwnerKey::new("se-2480").expect("owner"),
            controller: None,
            origin,
            version: 3,
            period: Period::since("2026-01-01".parse().expect("date")).expect("period"),
            recorded_at: "2026-11-21T10:15:30.123456Z".parse().expect("instant"),
            change_kind: ChangeKind::Change,
            model: "grunddata/1.0.0".into(),
            display: None,
            data: r#"{"kind":"unit"}"#.to_owned(),
            hash: [0; 32],
            form: Form::Full,
            withheld: Default::default(),
        }
    }

    fn written(record_: &Record, may_write: bool) -> Value {
        let mut out = Vec::new();
        let frame = Frame {
            api: "https://host/api/v1",
            coordinate: "?validAt=2027-01-01",
        };
        record(&mut out, record_, &frame, may_write);
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn the_envelope_is_as_the_contract_says() {
        insta::assert_json_snapshot!(written(&example(Origin::Own), true));
    }

    #[test]
    fn actions_are_offered_to_writers_alone() {
        let links = &written(&example(Origin::Own), false)["_links"];
        assert!(
            links
                .as_array()
                .expect("list")
                .iter()
                .all(|link| link["method"] == "GET"),
            "{links}"
        );
    }

    #[test]
    fn sentinels_are_written_as_in_a_request() {
        let mut record = example(Origin::Copy {
            of: "scb \"x\"".to_owned(),
            copied: None,
        });
        record.period = Period::ALWAYS;
        let value = written(&record, false);
        assert_eq!(value["validFrom"], "unknown");
        assert_eq!(value["validTo"], Value::Null);
        assert_eq!(value["origin"]["kind"], "copy");
        assert_eq!(value["origin"]["of"], "scb \"x\"");
    }
}
