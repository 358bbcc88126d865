//! The record's envelope, written around the stored body without parsing it.

use std::io::Write as _;

use chrono::NaiveDate;
use grunddata_model::Period;
use grunddata_registry::{Copied, Form, Origin, Record};

/// What the links of a record need to know about the request.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    /// `https://host/api/v1`
    pub(crate) api: &'a str,
    /// The coordinate as the request gave it, `?validAt=…`, or empty: a link leads to the same day and knowledge.
    pub(crate) coordinate: &'a str,
}

/// Appends a record with its envelope and links. Of a placeholder it is told that there is a record, and nothing that
/// tells of whom.
pub(crate) fn record(out: &mut Vec<u8>, record: &Record, frame: &Frame<'_>) {
    // Sized so that the hot path allocates once.
    out.reserve(record.data.len() + 900);
    put(out, "{\"id\":\"");
    let _ = write!(out, "{}", record.id);
    put(out, "\",\"domain\":\"");
    put(out, record.domain.as_str());
    put(out, "\",\"owner\":\"");
    put(out, record.owner.as_str());
    if record.form >= Form::NameOnly {
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
    } else {
        put(out, "\",\"model\":\"");
        put(out, &record.model);
        put(out, "\"");
    }
    put(out, ",\"data\":");
    put(out, &record.data);
    meta(out, record);
    put(out, ",\"_links\":[");
    links(out, record, frame);
    put(out, "]}");
}

/// What this reader is not shown, where that is anything.
fn meta(out: &mut Vec<u8>, record: &Record) {
    let told = record.withheld.is_empty() && record.form == Form::Full;
    if told && record.copied.is_none() {
        return;
    }
    put(out, ",\"_meta\":{");
    if let Some(copied) = &record.copied {
        put(out, "\"copyOf\":");
        json(out, &*copied.of);
        put(out, ",\"completeTo\":");
        complete_to(out, copied);
        if told {
            put(out, "}");
            return;
        }
        put(out, ",");
    }
    put(out, "\"withheldProperties\":");
    json(out, &*record.withheld);
    match record.form {
        Form::NameOnly => put(out, ",\"protection\":\"name-only\""),
        Form::Placeholder => put(out, ",\"protection\":\"placeholder\""),
        Form::Full | Form::Hidden => {}
    }
    put(out, "}");
}

/// How far a copy is complete: by the recorded time of the origin, and when that came here.
fn complete_to(out: &mut Vec<u8>, copied: &Copied) {
    json(out, &completeness(copied));
}

/// The same as a value.
pub(crate) fn completeness(copied: &Copied) -> serde_json::Value {
    let whole = copied.whole.then_some(copied.position);
    serde_json::json!({
        "position": whole, "recordedAt": copied.complete_to, "receivedAt": copied.received_at, "heardAt": copied.heard_at,
    })
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

/// The links that this reader may follow, and the actions that it may do.
fn links(out: &mut Vec<u8>, record: &Record, frame: &Frame<'_>) {
    let id = record.id;
    let collection = record.domain.collection();
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
    // What is not shown whole has no history that is told.
    if record.form == Form::Full {
        link("version-history", "/history", "", "GET");
        link("timemap", "/timeline", "", "GET");
    }
    if record.form >= Form::NameOnly {
        link("related", "/links", frame.coordinate, "GET");
    }
    if record.offers.write {
        link("edit", "", "", "PUT");
        link("edit", "", "", "PATCH");
    }
    if record.offers.end {
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
    use grunddata_model::{Domain, OwnerKey};
    use grunddata_registry::{ChangeKind, Offers};
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
            offers: Offers::default(),
            copied: None,
        }
    }

    fn offered(offers: Offers) -> Record {
        Record {
            offers,
            ..example(Origin::Own)
        }
    }

    fn written(record_: &Record) -> Value {
        let mut out = Vec::new();
        let frame = Frame {
            api: "https://host/api/v1",
            coordinate: "?validAt=2027-01-01",
        };
        record(&mut out, record_, &frame);
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn the_envelope_is_as_the_contract_says() {
        let all = Offers {
            write: true,
            end: true,
        };
        insta::assert_json_snapshot!(written(&offered(all)));
    }

    #[test]
    fn what_may_be_done_is_offered_and_nothing_else() {
        let methods = |record: &Record| -> Vec<String> {
            let links = written(record)["_links"].clone();
            let links = links.as_array().expect("list").iter();
            let method = |link: &Value| link["method"].as_str().expect("method").to_owned();
            links.map(method).filter(|method| method != "GET").collect()
        };
        let offers = |write, end| offered(Offers { write, end });
        assert!(methods(&offers(false, false)).is_empty());
        assert_eq!(methods(&offers(true, false)), ["PUT", "PATCH"]);
        assert_eq!(methods(&offers(false, true)), ["DELETE"]);
    }

    #[test]
    fn of_a_placeholder_it_is_told_that_it_is_there() {
        let record = Record {
            form: Form::Placeholder,
            data: "{}".to_owned(),
            ..example(Origin::Own)
        };
        let told = written(&record);
        let names: Vec<&String> = told.as_object().expect("object").keys().collect();
        assert_eq!(
            names,
            ["_links", "_meta", "data", "domain", "id", "model", "owner"]
        );
        assert_eq!(told["_links"].as_array().expect("list").len(), 2);
    }

    #[test]
    fn sentinels_are_written_as_in_a_request() {
        let mut record = example(Origin::Copy {
            of: "scb \"x\"".to_owned(),
            copied: None,
            received_at: None,
        });
        record.period = Period::ALWAYS;
        let value = written(&record);
        assert_eq!(value["validFrom"], "unknown");
        assert_eq!(value["validTo"], Value::Null);
        assert_eq!(value["origin"]["kind"], "copy");
        assert_eq!(value["origin"]["of"], "scb \"x\"");
    }
}
