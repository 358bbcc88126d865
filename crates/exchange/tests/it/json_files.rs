//! JSON and NDJSON.

use grunddata_exchange::code;
use grunddata_exchange::rows::{Content, ReadOptions};
use serde_json::json;

use crate::files::{Reading, read, read_with, small};

fn objects(reading: &Reading) -> Vec<serde_json::Value> {
    reading
        .rows
        .iter()
        .map(|(_, content)| match content {
            Content::Object(object) => object.clone(),
            Content::Cells(cells) => panic!("{cells:?}"),
        })
        .collect()
}

#[test]
fn lists_are_found_where_the_formats_keep_them() {
    let expected = [json!({"a": 1}), json!({"a": "å"})];
    for text in [
        r#"[{"a":1},{"a":"å"}]"#,
        r#"{"data":[{"a":1},{"a":"å"}],"pageToken":null}"#,
        r#"{"schemas":["x"],"totalResults":2,"Resources":[{"a":1},{"a":"å"}]}"#,
        r#"{"type":"FeatureCollection","features":[{"a":1},{"a":"å"}]}"#,
        "\u{feff}{\"a\":1}\n\n{\"a\":\"å\"}\n",
    ] {
        let reading = read("a.json", text.as_bytes());
        assert_eq!(reading.failed, None, "{text}");
        assert_eq!(objects(&reading), expected, "{text}");
    }
    let reading = read_with(
        br#"{"meta":{"data":[1]},"result":{"people":[{"a":1}]}}"#,
        &ReadOptions {
            file: "a.json".into(),
            records: Some("/result/people".into()),
            ..ReadOptions::default()
        },
    );
    assert_eq!(objects(&reading), [json!({"a": 1})]);
}

#[test]
fn what_is_no_object_is_refused_alone() {
    let reading = read("a.json", br#"[{"a":1},7,{"a":2}]"#);
    assert_eq!(reading.numbers(), [1, 3]);
    assert_eq!(reading.refused[0].place.row, Some(2));
    let reading = read("a.ndjson", b"{\"a\":1}\n{\"a\":\n{\"a\":2}\n");
    assert_eq!(reading.numbers(), [1, 3]);
    assert_eq!(reading.refused[0].code, code::JSON);
}

#[test]
fn files_that_are_cut_off_say_so() {
    for text in [r#"[{"a":1},{"a"#, r#"[{"a":1},"#, r#"{"data":[{"a":1}"#] {
        let reading = read("a.json", text.as_bytes());
        assert_eq!(reading.failure().code, code::TRUNCATED_FILE, "{text}");
    }
    let reading = read("a.ndjson", b"{\"a\":1}\n{\"a\":");
    assert_eq!(reading.failure().code, code::TRUNCATED_FILE);
    assert_eq!(reading.failure().place.row, Some(2));
}

#[test]
fn what_is_not_json_or_has_no_list_says_so() {
    assert_eq!(read("a.json", b"[{'a':1}]").failure().code, code::JSON);
    assert_eq!(read("a.json", br#"{"x":1}"#).failure().code, code::JSON);
    assert_eq!(read("a.json", b"[{\"a\":1}] x").failure().code, code::JSON);
}

#[test]
fn limits_hold() {
    let options = ReadOptions {
        file: "a.json".into(),
        limits: small(),
        ..ReadOptions::default()
    };
    let large = format!(r#"[{{"a":1}},{{"a":"{}"}}]"#, "x".repeat(300 << 10));
    let reading = read_with(large.as_bytes(), &options);
    assert_eq!(reading.failure().code, code::LIMIT);
    assert_eq!(reading.failure().place.row, Some(2));
    let deep = format!(
        "[{}{}]",
        "{\"a\":".repeat(20),
        "1".to_owned() + &"}".repeat(20)
    );
    assert_eq!(
        read_with(deep.as_bytes(), &options).failure().code,
        code::LIMIT
    );
    let many = format!("[{}{{}}]", "{},".repeat(60));
    assert_eq!(
        read_with(many.as_bytes(), &options).failure().code,
        code::LIMIT
    );
    let lines = ReadOptions {
        file: "a.ndjson".into(),
        ..options
    };
    let deep = "{\"a\":".repeat(20) + "1" + &"}".repeat(20) + "\n{}\n";
    let reading = read_with(deep.as_bytes(), &lines);
    assert_eq!(reading.refused[0].code, code::LIMIT);
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(300 << 10));
    assert_eq!(
        read_with(long.as_bytes(), &lines).failure().code,
        code::LIMIT
    );
}
