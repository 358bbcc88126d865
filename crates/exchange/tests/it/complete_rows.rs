//! Rows that name all there are of something.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::Arc;

use grunddata_exchange::mapping::Mapping;
use grunddata_exchange::{Converted, Limits, convert};
use serde_json::json;

use crate::mappings::context;

#[test]
fn a_row_says_of_what_it_names_all_there_are() {
    let text = r#"
mapping = 1
name = "groups"
[[record]]
name = "member"
domain = "role"
each = "members"
when = [{ column = "kind", in = ["class"] }, { column = "@gone", not-in = ["true"] }]
key = "{id}:{@id}"
complete = true
[record.data]
kind = { constant = "group-member" }
"#;
    let file = json!([
        {"id": "g1", "kind": "class", "members": [{"id": "a", "gone": false}, {"id": "b", "gone": true}]},
        {"id": "g2", "kind": "class", "members": []},
        {"id": "g3", "kind": "class"},
        {"id": "g4", "kind": "class", "members": null},
        {"id": "g5", "kind": "staff", "members": []},
        {"id": "g6", "kind": "class", "members": [{"id": ""}]},
    ]);
    let mapping = Arc::new(Mapping::parse("groups.toml", text).unwrap());
    let mut told = Vec::new();
    let bytes = file.to_string().into_bytes();
    convert(
        Cursor::new(bytes),
        "g.json",
        &mapping,
        &context(),
        &Limits::default(),
        &mut |one| {
            if let Converted::Row(row) = one {
                told.extend(
                    row.complete
                        .into_iter()
                        .map(|of| (row.row, of.record.to_string(), of.start)),
                );
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    // Not where there is no list, nor of rows with which something is wrong.
    let of = |row, start: &str| (row, "member".to_owned(), start.to_owned());
    assert_eq!(told, [of(1, "g1:"), of(2, "g2:")]);
    // A key that does not say where the row's part ends would take those of other rows as well.
    for key in ["{@id}", "{id}{@id}", "m:{@id}", "{id}"] {
        let wrong = text.replace("{id}:{@id}", key);
        let problems = Mapping::parse("m.toml", &wrong).unwrap_err();
        assert!(
            problems[0].message.contains("complete needs each"),
            "{key}: {problems:?}"
        );
    }
}
