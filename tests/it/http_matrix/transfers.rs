//! Questions about hand-overs and hand-offs.

use super::*;

pub(super) fn of_transfers(below: &str) -> bool {
    below.starts_with("/transfers") || below.starts_with("/hand-offs")
}

/// The token by which another registry would ask.
fn client(http: &Http) -> String {
    let grants = json!([{"owner": "norrberga", "role": "open-data-reader"}]);
    let made = http
        .as_("owner-admin")
        .post("/tokens", json!({"name": "annan", "grants": grants}));
    made.expect(201);
    made.json["id"].as_str().expect("id").to_owned()
}

/// Hand-overs and hand-offs: of a record that is not there, and that are not there.
pub(super) fn question(http: &Http, root: &str, method: &str, below: &str) -> Option<Question> {
    let plain = |below: &str, body: Option<Value>| {
        Some(Question {
            address: format!("{root}{below}"),
            body,
            headers: Vec::new(),
        })
    };
    match (method, below) {
        ("get", "/transfers") => plain("/transfers?owner=norrberga", None),
        ("post", "/transfers") => plain(
            below,
            Some(json!({
                "owner": "norrberga", "receiver": "annan", "registry": "https://a.example", "client": client(http),
                "records": ["01990c3e-7a5b-7000-8000-00000000ffff"], "reason": "Prov",
            })),
        ),
        (
            _,
            "/transfers/{transfer}"
            | "/transfers/{transfer}/accept"
            | "/transfers/{transfer}/refuse"
            | "/transfers/{transfer}/withdraw"
            | "/transfers/{transfer}/hold"
            | "/transfers/{transfer}/records"
            | "/transfers/{transfer}/confirm",
        ) => {
            // Whoever is let in is told that there is no such hand-over; nobody receives for the other owner.
            let body = match below {
                "/transfers/{transfer}" => {
                    json!({"owner": "annan", "registry": "https://a.example"})
                }
                "/transfers/{transfer}/refuse" | "/transfers/{transfer}/withdraw" => {
                    json!({"reason": "Prov"})
                }
                _ => json!({}),
            };
            plain(
                &below.replace("{transfer}", "01990c3e-7a5b-7000-8000-00000000ffff"),
                (method != "get").then_some(body),
            )
        }
        ("get", "/hand-offs") => plain("/hand-offs?owner=norrberga", None),
        ("post", "/hand-offs") => plain(
            below,
            Some(json!({
                "owner": "norrberga", "receiver": "annan", "registry": "https://a.example", "client": client(http),
                "person": "01990c3e-7a5b-7000-8000-00000000ffff", "properties": ["name"],
                "basis": {"kind": "law", "text": "Prov"}, "expires": "2099-12-31",
            })),
        ),
        (
            _,
            "/hand-offs/{handoff}"
            | "/hand-offs/{handoff}/content"
            | "/hand-offs/{handoff}/take"
            | "/hand-offs/{handoff}/taken"
            | "/hand-offs/{handoff}/withdraw",
        ) => {
            let body = match below {
                "/hand-offs/{handoff}/withdraw" => json!({"reason": "Prov"}),
                _ => json!({}),
            };
            plain(
                &below.replace("{handoff}", "01990c3e-7a5b-7000-8000-00000000ffff"),
                (method != "get").then_some(body),
            )
        }
        _ => None,
    }
}
